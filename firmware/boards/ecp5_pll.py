"""The PLL of an ECP5 (EHXPLLL), its first output fed back, its second one used: finer steps.

Limits: Lattice FPGA-TN-02200, "ECP5 and ECP5-5G sysCLOCK PLL/DLL Design and Usage Guide", and the family data
sheet FPGA-DS-02012, table "sysCLOCK PLL Timing": phase detector 3.125 to 400 MHz, oscillator 400 to 800 MHz,
output 3.125 to 400 MHz.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from pyorch.contract.errors import UsageError

DETECTOR_MHZ = (Fraction(25, 8), Fraction(400))
OSCILLATOR_MHZ = (Fraction(400), Fraction(800))
OUTPUT_MHZ = (Fraction(25, 8), Fraction(400))
DIVIDER_LIMIT = 128
FEEDBACK_LIMIT = 80


@dataclass(frozen=True, slots=True)
class PllSetting:
    """Dividers of a PLL whose first output is fed back and whose second one is used.

    oscillator = input × feedback × first / reference; output = oscillator / second.
    """

    input_mhz: Fraction
    reference: int
    feedback: int
    first: int
    second: int

    @property
    def oscillator_mhz(self) -> Fraction:
        """Frequency of the oscillator."""
        return self.input_mhz * self.feedback * self.first / self.reference

    @property
    def output_mhz(self) -> Fraction:
        """What it makes."""
        return self.oscillator_mhz / self.second


def settle(input_mhz: float, wanted_mhz: float) -> PllSetting:
    """The setting whose output is nearest to ``wanted_mhz`` and not above.

    Of equal ones the smallest reference divider (least jitter), then the fastest oscillator.

    Raises:
        UsageError: the PLL cannot make it.
    """
    given = Fraction(str(input_mhz))
    wanted = Fraction(wanted_mhz).limit_denominator(1_000_000)
    low, high = OUTPUT_MHZ
    if not low <= wanted <= high:
        raise UsageError(
            f"a clock of {float(wanted):g} MHz: the PLL makes {float(low):g} to {float(high):g} MHz; choose "
            "--clock in this range"
        )
    found: list[tuple[Fraction, int, Fraction, int, PllSetting]] = []
    for reference in range(1, DIVIDER_LIMIT + 1):
        detector = given / reference
        if not DETECTOR_MHZ[0] <= detector <= DETECTOR_MHZ[1]:
            continue
        slowest, fastest = (-(-OSCILLATOR_MHZ[0] // detector), OSCILLATOR_MHZ[1] // detector)
        for multiple in range(int(slowest), int(fastest) + 1):
            first = _first_divider(multiple, detector)
            second = -(-(detector * multiple) // wanted)
            if first and second <= DIVIDER_LIMIT and detector * multiple / second >= low:
                setting = PllSetting(given, reference, multiple // first, first, int(second))
                found.append(
                    (setting.output_mhz, -reference, setting.oscillator_mhz, -first, setting)
                )
    if not found:
        raise UsageError(
            f"the PLL makes no clock of at most {float(wanted):g} MHz from {float(given):g} MHz; choose a "
            "higher --clock"
        )
    return max(found, key=lambda entry: entry[:4])[4]


def _first_divider(multiple: int, detector: Fraction) -> int:
    """The smallest divider of the fed back output that splits ``multiple``; 0: there is none."""
    for first in range(1, DIVIDER_LIMIT + 1):
        fed_back = detector * multiple / first
        whole = multiple % first == 0 and multiple // first <= FEEDBACK_LIMIT
        if whole and OUTPUT_MHZ[0] <= fed_back <= OUTPUT_MHZ[1]:
            return first
    return 0


def instance(setting: PllSetting, clock_in: str, clock_out: str, locked: str) -> str:
    """SystemVerilog of the PLL; the three names are nets."""
    return f"""    wire pll_feedback;
    (* FREQUENCY_PIN_CLKI="{float(setting.input_mhz):g}" *)
    (* FREQUENCY_PIN_CLKOS="{float(setting.output_mhz):.6g}" *)
    (* ICP_CURRENT="12" *) (* LPF_RESISTOR="8" *) (* MFG_ENABLE_FILTEROPAMP="1" *) (* MFG_GMCREF_SEL="2" *)
    EHXPLLL #(
        .PLLRST_ENA("DISABLED"),
        .INTFB_WAKE("DISABLED"),
        .STDBY_ENABLE("DISABLED"),
        .DPHASE_SOURCE("DISABLED"),
        .OUTDIVIDER_MUXA("DIVA"),
        .CLKI_DIV({setting.reference}),
        .CLKOP_ENABLE("ENABLED"),
        .CLKOP_DIV({setting.first}),
        .CLKOP_CPHASE({setting.first - 1}),
        .CLKOP_FPHASE(0),
        .CLKOS_ENABLE("ENABLED"),
        .CLKOS_DIV({setting.second}),
        .CLKOS_CPHASE({setting.second - 1}),
        .CLKOS_FPHASE(0),
        .FEEDBK_PATH("CLKOP"),
        .CLKFB_DIV({setting.feedback})
    ) pll (
        .RST(1'b0),
        .STDBY(1'b0),
        .CLKI({clock_in}),
        .CLKOP(pll_feedback),
        .CLKOS({clock_out}),
        .CLKFB(pll_feedback),
        .CLKINTFB(),
        .PHASESEL0(1'b0),
        .PHASESEL1(1'b0),
        .PHASEDIR(1'b1),
        .PHASESTEP(1'b1),
        .PHASELOADREG(1'b1),
        .PLLWAKESYNC(1'b0),
        .ENCLKOP(1'b0),
        .LOCK({locked})
    );
"""
