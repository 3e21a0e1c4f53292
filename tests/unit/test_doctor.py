"""`pyorch doctor`: what is here with its version, what is missing and what that prevents."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from rich.console import Console

from pyorch.app import doctor
from pyorch.app.cli import _load_commands, cli
from pyorch.app.doctor import TOOLS, Diagnosis, FoundBoard, Tool, diagnose, find_tool, pci_cards
from pyorch.app.doctor_tables import show


def program(folder: Path, name: str, says: str, status: int = 0) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\ncat <<'END'\n{says}\nEND\nexit {status}\n")
    path.chmod(0o755)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    return tmp_path


def tool(name: str) -> Tool:
    return next(tool for tool in TOOLS if tool.name == name)


@pytest.mark.parametrize(
    ("name", "says", "expected"),
    [
        ("vivado", "vivado v2024.2 (64-bit)\nSW Build 5239630", "2024.2"),
        ("openFPGALoader", "openFPGALoader v0.13.1", "0.13.1"),
        ("nvcc", "Cuda compilation tools, release 13.0, V13.0.88", "13.0"),
        ("v++", "no number at all", ""),
    ],
)
def test_a_program_on_the_path_is_found_with_its_version(
    path: Path, name: str, says: str, expected: str
) -> None:
    program(path, name, says)
    found = find_tool(tool(name))
    assert (found.found, found.version, found.where) == (True, expected, str(path / name))


def test_a_missing_program_says_what_it_prevents_and_where_to_get_it(path: Path) -> None:
    found = find_tool(tool("openFPGALoader"))
    assert (found.found, found.version, found.where) == (False, "", "")
    assert found.prevents == "`pyorch load`: programming a board"
    assert found.bring == "apt: openfpgaloader"


def test_a_package_is_found_with_its_version_and_a_program_that_hangs_is_not_waited_for(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = find_tool(Tool("numpy", "x", "y", package="numpy"))
    assert found.found and found.version and found.where == "package numpy"
    monkeypatch.setattr(doctor, "PROBE_S", 0.1)
    (path / "slow").write_text("#!/bin/sh\nexec sleep 5\n")
    (path / "slow").chmod(0o755)
    assert find_tool(Tool("slow", "x", "y", program="slow")).version == ""


def test_every_tool_that_the_project_needs_is_looked_for() -> None:
    wanted = {
        "yosys", "nextpnr-ecp5", "ecppack", "openFPGALoader", "iverilog", "verilator", "vivado", "vitis_hls",
        "v++", "nvcc", "tensorrt", "tclsh",
    }  # fmt: skip
    assert wanted <= {tool.name for tool in TOOLS}
    assert all(tool.prevents and tool.bring for tool in TOOLS)


def test_cards_gpus_and_ports_are_listed(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for slot, vendor in (("0000:01:00.0", "0x10ee"), ("0000:02:00.0", "0x8086")):
        (tmp_path / "pci" / slot).mkdir(parents=True)
        (tmp_path / "pci" / slot / "vendor").write_text(f"{vendor}\n")
        (tmp_path / "pci" / slot / "device").write_text("0x5020\n")
    cards, _ = pci_cards(tmp_path / "pci")
    assert cards == [FoundBoard("PCI card", "AMD FPGA card", "0000:01:00.0", "device 0x5020")]

    program(path, "nvidia-smi", "NVIDIA H200, 0, 570.1, 143771 MiB")
    gpus, problems = doctor.gpus()
    assert gpus == [FoundBoard("GPU", "NVIDIA H200", "index 0", "driver 570.1, 143771 MiB")]
    assert problems == []
    program(path, "nvidia-smi", "couldn't communicate with the driver", 9)
    assert doctor.gpus() == ([], ["GPUs: nvidia-smi: couldn't communicate with the driver"])

    list_ports = pytest.importorskip("serial.tools.list_ports", reason="needs the extra `board`")
    ports = [
        SimpleNamespace(vid=0x0403, pid=0x6015, product="ULX3S FPGA 85K", device="/dev/ttyUSB0"),
        SimpleNamespace(vid=None, pid=None, product=None, description="n/a", device="/dev/ttyS0"),
    ]  # fmt: skip
    monkeypatch.setattr(list_ports, "comports", lambda: ports)
    kind = "serial port (FT231X, as on a ULX3S)"
    assert doctor.serial_ports() == (
        [FoundBoard(kind, "ULX3S FPGA 85K", "/dev/ttyUSB0", "USB 0403:6015")], [],
    )  # fmt: skip


def test_what_cannot_be_looked_for_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "serial.tools", None)
    ports, problems = doctor.serial_ports()
    assert ports == []
    assert problems[0].startswith("serial ports: pyserial is missing")
    assert problems[0].endswith("install the extra `board`")


def test_tables_are_aligned_and_json_holds_the_same(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(path, "tclsh", "8.6.13")
    monkeypatch.setattr(doctor, "TOOLS", (tool("tclsh"), tool("vivado"), tool("openFPGALoader")))
    monkeypatch.setattr(doctor, "pynq_devices", lambda: ([], ["pynq devices: none"]))
    board = FoundBoard("serial port", "ULX3S", "/dev/ttyUSB0", "USB 0403:6015")
    seen: list[str] = []
    found = diagnose(lambda name, _share: seen.append(name))
    assert seen[:3] == ["tclsh", "vivado", "openFPGALoader"]
    console = Console(width=100, record=True, file=None)
    with console.capture() as text:
        show(Diagnosis(found.tools, (board,), ("pynq devices: none",)), console)
    lines = text.get().splitlines()
    column = next(line for line in lines if line.startswith("tool ")).index("version")
    assert next(line for line in lines if line.startswith("tclsh"))[column:].startswith("8.6.13")
    missing = next(line for line in lines if line.startswith("vivado"))
    assert "bitstreams for Zynq" in missing and "AMD's installer" in missing
    assert any("ULX3S" in line and "/dev/ttyUSB0" in line for line in lines)
    assert "not looked for: pynq devices: none" in lines

    _load_commands()
    done = CliRunner().invoke(cli, ["doctor", "--json"])
    value = json.loads(done.stdout)
    by_name = {entry["name"]: entry for entry in value["tools"]}
    assert by_name["tclsh"]["version"] == "8.6.13" and not by_name["vivado"]["found"]
    assert value["machine"]["cores"] >= 1 and "boards" in value
