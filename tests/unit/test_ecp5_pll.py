"""The PLL's dividers obey the data sheet, and come as near as they can."""

from fractions import Fraction

import pytest

from firmware.boards.ecp5_pll import OSCILLATOR_MHZ, OUTPUT_MHZ, settle
from pyorch.contract.errors import UsageError


@pytest.mark.parametrize("wanted", [3.125, 12.5, 18.4, 41.7, 50.0, 61.3, 99.9, 144.0, 400.0])
def test_the_clock_is_near_never_above_and_within_every_limit(wanted: float) -> None:
    setting = settle(25.0, wanted)
    assert Fraction(str(wanted)) * Fraction(99, 100) <= setting.output_mhz <= Fraction(str(wanted))
    assert OSCILLATOR_MHZ[0] <= setting.oscillator_mhz <= OSCILLATOR_MHZ[1]
    assert OUTPUT_MHZ[0] <= setting.oscillator_mhz / setting.first <= OUTPUT_MHZ[1]
    assert setting.input_mhz / setting.reference >= Fraction(25, 8)
    assert max(setting.first, setting.second) <= 128 and setting.feedback <= 80


def test_a_programmed_clock_programs_to_itself() -> None:
    for wanted in (18.4, 41.7, 61.3):
        made = float(settle(25.0, wanted).output_mhz)
        assert float(settle(25.0, made).output_mhz) == made


@pytest.mark.parametrize("wanted", [0.0, 3.0, 401.0])
def test_a_clock_out_of_range_is_refused_with_the_range(wanted: float) -> None:
    with pytest.raises(UsageError, match=r"the PLL makes 3\.125 to 400 MHz; choose --clock"):
        settle(25.0, wanted)
