"""The target ulx3s: pins and ports agree, the bit is the clock's share, one clock or two."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, cast

import pytest

from firmware.boards.ecp5_pll import settle
from firmware.boards.ulx3s import TARGET, Ulx3s
from pyorch.contract.errors import UsageError
from pyorch.contract.fabric import FabricManifest
from pyorch.contract.target import find_target


@dataclass
class Clocks:
    """As much of a manifest as the target looks at."""

    clocks: int


def files(clocks: int = 1, clock_mhz: float = 40.0, target: Ulx3s = TARGET) -> dict[str, str]:
    return target.files(cast(FabricManifest, cast(Any, Clocks(clocks))), clock_mhz)


def test_the_target_is_found_by_its_name_and_says_its_part_and_boundary() -> None:
    target = find_target("ulx3s")
    assert (target.top, target.flow, target.ran) == ("ulx3s_top", "ecp5", True)
    assert str(target.part) == "LFE5U-85F CABGA381, speed 6"
    assert "39 bytes there and 43 back, 273 us on the wire" in target.host


def test_every_port_of_the_top_has_a_pin_of_its_own_and_no_other_pin_is_named() -> None:
    texts = files()
    head = texts["ulx3s_top.sv"].split(");")[0]
    ports = set()
    for bus, name in re.findall(r"(?:input|output)\s+(?:wire|reg)\s*(\[7:0\])?\s*(\w+)", head):
        ports |= {f"{name}[{k}]" for k in range(8)} if bus else {name}
    placed = dict(re.findall(r'LOCATE COMP "(.+?)" SITE "(\w+)"', texts["ulx3s.lpf"]))
    assert set(placed) == ports
    assert len(set(placed.values())) == len(placed)
    assert set(re.findall(r'IOBUF PORT "(.+?)"', texts["ulx3s.lpf"])) == ports
    # facts of the board, stated once more: github.com/emard/ulx3s, doc/constraints/ulx3s_v20.lpf
    assert placed == {
        "clk_25mhz": "G2", "ftdi_rxd": "L4", "ftdi_txd": "M1", "fire_1": "R1", "wifi_gpio0": "L2",
        "led[0]": "B2", "led[1]": "C2", "led[2]": "C1", "led[3]": "D2", "led[4]": "D1", "led[5]": "E2",
        "led[6]": "E1", "led[7]": "H3",
    }  # fmt: skip


@pytest.mark.parametrize("wanted", [12.0, 18.4, 40.0, 61.3, 112.0])
def test_the_bit_and_the_dividers_are_those_of_the_programmed_clock(wanted: float) -> None:
    made = TARGET.programmed_mhz(wanted)
    texts = files(clock_mhz=made)
    bit = int(re.findall(r"BIT_64THS = (\d+);", texts["board_pkg.sv"])[0])
    assert abs(bit / 64 - made / 3.0) <= 1 / 128
    setting = settle(25.0, made)
    top = texts["ulx3s_top.sv"]
    assert f".CLKI_DIV({setting.reference})" in top and f".CLKFB_DIV({setting.feedback})" in top
    assert f".CLKOP_DIV({setting.first})" in top and f".CLKOS_DIV({setting.second})" in top
    assert "// PLL" not in top and ".CLKOS(core_clk)" in top


def test_a_clock_too_slow_for_the_line_is_refused_with_the_least() -> None:
    with pytest.raises(UsageError, match=r"10 MHz: .* 3,000,000 baud needs 4 cycles a bit, 12 MHz"):
        TARGET.programmed_mhz(10.0)
    assert Ulx3s(baud=1_000_000).programmed_mhz(10.0) == 10.0


def test_a_fabric_of_two_clocks_has_its_bus_on_the_oscillator() -> None:
    one, two = files(1, 50.0), files(2, 50.0)
    assert "core_clk(" not in one["ulx3s_top.sv"].split("fabric_top")[1]
    assert "wire clk = clk_25mhz;" in two["ulx3s_top.sv"]
    assert ".core_clk(core_clk)" in two["ulx3s_top.sv"]
    assert "BIT_64THS = 533;" in two["board_pkg.sv"]  # 25 MHz / 3 Mbaud, whatever the core's clock
    assert "BIT_64THS = 1067;" in one["board_pkg.sv"]
