"""Cells of the part: inferring RTL, models in Verilog (Yosys' and ours) and interpreter agree."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pyorch.contract.errors import BuildError
from sim.netlist import CELLS, MODELLED, Fault, Netlist, library_folder
from sim.netlist_library import INTERPRETER
from sim.netlist_words import write_words

HERE = Path(__file__).parent / "netlist"
CYCLES = 1500
MEMORIES = {
    "nine": (9, 2048),
    "wide": (36, 512),
    "bits": (1, 16384),
    "four": (4, 4096),
    "lanes": (64, 1024),
}
"""Contents of the bench's memories: bits of a word, words."""
SCRIPT = """
from pyosys import libyosys as ys
design = ys.Design()
for line in (
    "read_verilog -sv -DPRIMITIVES {source}",
    "synth_ecp5 -top cells_bench",
    "write_json netlist.json",
):
    ys.run_pass(line, design)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bench synthesised, and a stimulus with many writes and reads of few addresses."""
    folder = tmp_path_factory.mktemp("cells")
    source = random.Random(1)
    for name, (width, depth) in MEMORIES.items():
        words = [f"{source.getrandbits(width):x}\n" for _ in range(depth)]
        (folder / f"{name}.hex").write_text("".join(words))
    run([sys.executable, "-c", SCRIPT.format(source=HERE / "cells_bench.sv")], folder)
    lines = []
    for k in range(CYCLES):
        value = source.getrandbits(128)
        if k % 3:  # few addresses, so that what was written is read again
            value &= ~sum(1 << bit for bit in (*range(6, 13), *range(17, 24), *range(60, 71)))
        if source.random() < 0.9:
            value &= ~(3 << 126)
        lines.append(f"{value:032x}\n")
    (folder / "stimulus.hex").write_text("".join(lines))
    return folder


def run(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:] + done.stdout[-2000:]
    return done.stdout


def icarus(folder: Path, name: str, sources: list[Path]) -> list[str]:
    if shutil.which("iverilog") is None:
        pytest.skip("iverilog is not installed (apt-get install iverilog)")
    command = ["iverilog", "-g2012", f"-DCYCLES={CYCLES}", "-o", name, str(HERE / "stimulus.v")]
    run([*command, *map(str, sources)], folder)
    return run(["vvp", name], folder).split()


def carried(names: set[str]) -> str:
    """Those modules of Yosys' library, without their timing, which Icarus does not read."""
    text = "".join(
        (library_folder() / name).read_text() for name in ("common_sim.vh", "ccu2c_sim.vh")
    )
    text = re.sub(r"\bspecify\b.*?\bendspecify\b", "", text, flags=re.DOTALL)
    modules = re.finditer(r"^module (\w+).*?^endmodule", text, re.DOTALL | re.MULTILINE)
    return "\n".join(found[0] for found in modules if found[1] in names)


@pytest.fixture(scope="module")
def expected(folder: Path) -> list[str]:
    """What the RTL says."""
    return icarus(folder, "rtl", [HERE / "cells_bench.sv"])


def test_every_kind_of_cell_is_in_the_bench(folder: Path) -> None:
    kinds = set(Netlist(folder / "netlist.json").cells("cells_bench"))
    assert {
        *MODELLED,
        "LUT4",
        "CCU2C",
        "PFUMX",
        "L6MUX21",
        "TRELLIS_FF",
        "TRELLIS_DPR16X4",
    } <= kinds


@pytest.mark.full
@pytest.mark.debian
def test_the_models_in_verilog_do_what_the_inferring_rtl_does(
    folder: Path, expected: list[str]
) -> None:
    netlist = Netlist(folder / "netlist.json")
    netlist.check_models("cells_bench")
    (folder / "netlist.v").write_text(netlist.verilog("cells_bench"))
    (folder / "carried.v").write_text(carried({*netlist.cells("cells_bench"), "LUT2"}))
    models = [path for path in sorted(CELLS.glob("*.v"))]
    found = icarus(folder, "gates", [folder / "netlist.v", folder / "carried.v", *models])
    assert differences(found, expected) == ""


@pytest.mark.debian
def test_the_interpreter_does_what_the_inferring_rtl_does(
    folder: Path, expected: list[str]
) -> None:
    assert differences(interpreted(folder, Netlist(folder / "netlist.json")), expected) == ""


@pytest.mark.debian
def test_one_changed_bit_of_a_look_up_table_is_seen(folder: Path, expected: list[str]) -> None:
    seen = []
    for number in (0, 500, 1000):  # one in the first table, others further on
        netlist = Netlist(folder / "netlist.json")
        netlist.plant(list(netlist.faults("cells_bench"))[number])
        seen.append(differences(interpreted(folder, netlist), expected) != "")
    assert any(seen)


def test_what_cannot_be_checked_is_named(folder: Path, tmp_path: Path) -> None:
    netlist = Netlist(folder / "netlist.json")
    with pytest.raises(BuildError, match="there is no module fabric_top, only cells_bench"):
        netlist.cells("fabric_top")
    with pytest.raises(BuildError, match="there is no look-up table none in cells_bench"):
        netlist.plant(Fault("cells_bench", "none", 0))
    with pytest.raises(BuildError, match="is missing: synthesise first"):
        Netlist(tmp_path / "netlist.json")
    (tmp_path / "netlist.json").write_text("{}")
    with pytest.raises(BuildError, match="is no netlist of Yosys"):
        Netlist(tmp_path / "netlist.json")
    text = (folder / "netlist.json").read_text()
    (tmp_path / "netlist.json").write_text(text.replace('"type": "MULT18X18D"', '"type": "ALU54B"'))
    strange = Netlist(tmp_path / "netlist.json")
    with pytest.raises(BuildError, match="no model of ALU54B"):
        strange.check_models("cells_bench")
    with pytest.raises(BuildError, match="cell ALU54B is not in the interpreter"):
        write_words(strange, "cells_bench", tmp_path / "netlist.words")


def interpreted(folder: Path, netlist: Netlist) -> list[str]:
    """What the interpreter says of a netlist."""
    write_words(netlist, "cells_bench", folder / "netlist.words")
    if not (folder / "interpreted").exists():
        source, include = str(HERE / "interpreted.cpp"), f"-I{INTERPRETER}"
        run(["g++", "-std=c++20", "-O1", include, "-o", "interpreted", source], folder)
    return run(["./interpreted"], folder).split()


def differences(found: list[str], expected: list[str]) -> str:
    """The first cycle in which a bit differs; before the first edge nothing was read from some memories."""
    assert len(found) == len(expected) == CYCLES
    for cycle, (one, other) in enumerate(zip(found, expected, strict=True)):
        if cycle and one != other:
            return f"cycle {cycle}: {one} instead of {other}"
    return ""
