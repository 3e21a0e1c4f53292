"""Scripts for the vendor's tools, each run under `tclsh` with stand-ins that judge what it builds."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from firmware.vendor.alveo import ALVEO_U50, AlveoTarget
from firmware.vendor.zynq import KRIA_KV260, PYNQ_Z2, ZynqTarget
from pyorch.contract.precision import PRESETS
from pyorch.inference.sample import random_bundle
from sim.vivado.session import run_vivado
from sim.vivado.tclsh import CommandError

Vendor = ZynqTarget | AlveoTarget
LayOut = Callable[[Vendor, int], Path]
TARGETS = [PYNQ_Z2, KRIA_KV260, ALVEO_U50]
BUNDLE = random_bundle(1, 6, (8,), PRESETS["narrow"], window=5)
pytestmark = [
    pytest.mark.debian,
    pytest.mark.skipif(shutil.which("tclsh") is None, reason="needs tclsh (Debian: tcl)"),
]


FAULTS = [
    # what, target, file, old, new, message
    (
        "an open bus",
        PYNQ_Z2,
        "design.tcl",
        r"connect_bd_intf_net -intf_net answers .*\n",
        "",
        r"bus fabric_0/m_axis is not connected",
    ),
    (
        "an open clock",
        KRIA_KV260,
        "design.tcl",
        r" \[get_bd_pins axi_dma_0/m_axi_s2mm_aclk\]",
        "",
        r"clock axi_dma_0/m_axi_s2mm_aclk is not driven",
    ),
    (
        "an open reset",
        PYNQ_Z2,
        "design.tcl",
        r" \[get_bd_pins fabric_0/aresetn\]",
        "",
        r"reset fabric_0/aresetn is not driven",
    ),
    (
        "a reset without a driver",
        ALVEO_U50,
        "design.tcl",
        r"reset_n \[get_bd_pins reset_0/peripheral_aresetn\]",
        "reset_n",
        r"net reset_n has no driver",
    ),
    (
        "a reset of the other polarity",
        PYNQ_Z2,
        "design.tcl",
        "reset_0/peripheral_aresetn",
        "reset_0/peripheral_reset",
        r"reset net reset_n joins pins of both polarities",
    ),
    (
        "a bus on two nets",
        PYNQ_Z2,
        "design.tcl",
        r"(connect_bd_intf_net -intf_net) features (.*)\n",
        r"\1 features \2\n\1 twice \2\n",
        r"axi_dma_0/M_AXIS_MM2S is already on features",
    ),
    (
        "crossed buses",
        KRIA_KV260,
        "design.tcl",
        "fabric_0/s_axil]",
        "fabric_0/s_axis]",
        r"fabric_0/s_axis is already on features",
    ),
    (
        "an address twice",
        PYNQ_Z2,
        "design.tcl",
        "0x40410000",
        "0x40400000",
        r"overlap in \S+ at 0x40400000",
    ),
    (
        "a crooked address",
        KRIA_KV260,
        "design.tcl",
        "0xA0010000",
        "0xA0010800",
        r"0xa0010800 is no multiple",
    ),
    (
        "no address",
        ALVEO_U50,
        "design.tcl",
        r"assign_bd_address .*Data_S2MM.*\n",
        "",
        r"m_axi_gmem/Reg has 0 addresses in axi_dma_0/Data_S2MM",
    ),
    (
        "an unknown property",
        PYNQ_Z2,
        "design.tcl",
        "PCW_USE_S_AXI_HP0 1",
        "PCW_USE_S_AXI_HPO 1",
        r"has no property CONFIG.PCW_USE_S_AXI_HPO",
    ),
    (
        "a value that cannot be",
        KRIA_KV260,
        "design.tcl",
        "c_sg_length_width 26",
        "c_sg_length_width 32",
        r"CONFIG.c_sg_length_width cannot be '32'",
    ),
    (
        "an unknown command",
        PYNQ_Z2,
        "build.tcl",
        "launch_runs synth_1",
        "launch_run synth_1",
        r'invalid command name "launch_run"',
    ),
    (
        "an unknown option",
        PYNQ_Z2,
        "build.tcl",
        "-to_step",
        "-step",
        r"launch_runs: there is no option -step",
    ),
    (
        "a run not waited for",
        PYNQ_Z2,
        "build.tcl",
        "wait_on_runs synth_1\n",
        "",
        r"synth_1: complete",
    ),
    (
        "an unknown IP",
        PYNQ_Z2,
        "design.tcl",
        "axi_dma:7.1",
        "axi_dma:8.1",
        r"the catalogue has no ip \S+axi_dma:8.1",
    ),
    (
        "an unknown part",
        KRIA_KV260,
        "build.tcl",
        "xck26-sfvc784-2LV-c",
        "xck26",
        r"there is no part xck26",
    ),
    (
        "a port left out of the wrapper",
        PYNQ_Z2,
        "fabric_ip.v",
        r" +\.s_axis_tlast\(s_axis_tlast\),\n",
        "",
        r"fabric_top: ports s_axis_tlast differ",
    ),
    (
        "a signal left out of a bus",
        PYNQ_Z2,
        "fabric_ip.v",
        "m_axis TREADY",
        "m_axis TUSER",
        r"bus m_axis has no TREADY",
    ),
    (
        "no range of registers",
        PYNQ_Z2,
        "package_ip.tcl",
        r"set_property range 4096 .*\n",
        "",
        r"s_axil/reg0 has no range",
    ),
    (
        "a pointer without a port",
        ALVEO_U50,
        "build.tcl",
        r"set_property value m_axi_gmem",
        "set_property value none",
        r"no 64-bit register is associated with m_axi_gmem",
    ),
    (
        "another protocol",
        ALVEO_U50,
        "build.tcl",
        r"-ctrl_protocol user_managed",
        "-ctrl_protocol ap_ctrl_hs",
        r"vitis_drc is ctrl_protocol user_managed, not ctrl_protocol ap_ctrl_hs",
    ),
    (
        "a narrow memory port",
        ALVEO_U50,
        "design.tcl",
        "ADDR_WIDTH 64",
        "ADDR_WIDTH 32",
        r"m_axi_gmem has no 64",
    ),
    (
        "a crossing that nothing bounds",
        PYNQ_Z2,
        "fabric_ip.xdc",
        r"set_max_delay .*\n",
        "",
        r"nothing bounds paths from",
    ),
    (
        "a constraint on a port that is not there",
        KRIA_KV260,
        "fabric_ip.xdc",
        r"get_ports core_clk",
        "get_ports core_clock",
        r"there is no clock port core_clock",
    ),
]


@pytest.mark.parametrize(
    ("target", "name", "old", "new", "message"),
    [pytest.param(*fault[1:], id=fault[0]) for fault in FAULTS],
)
def test_a_planted_fault_is_caught(
    target: Vendor,
    name: str,
    old: str,
    new: str,
    message: str,
    lay_out: LayOut,
) -> None:
    place = lay_out(target, 2)
    text = (place / name).read_text()
    changed = re.sub(old if "\\" in old or ".*" in old else re.escape(old), new, text)
    assert changed != text
    (place / name).write_text(changed)
    with pytest.raises(CommandError, match=message):
        run_vivado(place / "build.tcl")


def test_a_missing_source_and_a_missing_memory_are_caught(lay_out: LayOut) -> None:
    for number, suffix in enumerate(("sv", "hex")):
        place = lay_out(PYNQ_Z2, number + 1)
        gone = sorted((place.parent / "fabric").glob(f"*.{suffix}"))[0]
        gone.unlink()
        with pytest.raises(CommandError, match=rf"add_files: there is no file \S+{gone.name}"):
            run_vivado(place / "build.tcl")


def test_a_missed_clock_ends_the_script_and_its_figures_stay(lay_out: LayOut) -> None:
    place = lay_out(PYNQ_Z2, 1)
    with pytest.raises(
        CommandError, match=r"the clock is missed: slack -0.25 ns \(setup\), 0.1 ns"
    ):
        run_vivado(place / "build.tcl", slack_ns=(-0.25, 0.1))
    figures = json.loads((place.parent / "vendor/figures.json").read_text())
    assert figures == {"setup_slack_ns": -0.25, "hold_slack_ns": 0.1}


def test_a_linkers_options_that_cannot_be_are_caught(lay_out: LayOut) -> None:
    from sim.vivado.linker import link

    place = lay_out(ALVEO_U50, 2)
    run_vivado(place / "build.tcl")
    command = next(
        line for line in (place / "build.sh").read_text().splitlines() if line.startswith("v++")
    )
    text = (place / "link.cfg").read_text()
    link(command.split()[1:], place)
    for old, new, message in (
        ("HBM[0]", "HBM[32]", r"has no memory HBM\[32\]"),
        ("m_axi_gmem", "m_axi_mem", "is no port of a kernel"),
        ("nk=fabric_card", "nk=fabric", "no kernel fabric"),
        (".ap_clk_2", ".ap_clk_3", "is no clock of a kernel"),
        ("freqHz", "freqhz", r"there is no freqhz in \[clock\]"),
    ):
        (place / "link.cfg").write_text(text.replace(old, new))
        with pytest.raises(CommandError, match=message):
            link(command.split()[1:], place)
    (place / "link.cfg").write_text(re.sub("freqHz=.*ap_clk_2\n", "", text))
    with pytest.raises(CommandError, match="without a clock or a memory: ap_clk_2"):
        link(command.split()[1:], place)
