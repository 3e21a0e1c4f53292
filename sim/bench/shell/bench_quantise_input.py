"""cocotb bench of `quantise_input`: every value of a narrow lane, many of a wide one."""

from __future__ import annotations

from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import Timer

from pyorch.contract.fixed import FixedFormat, Overflow, Rounding
from sim.bench.coverage import sample_block
from sim.bench.shell.case import case_of_environment

WIDEST_COMPLETE = 12
SAMPLES = 3_000


@cocotb.test()
async def every_value_is_converted_as_the_contract_says(dut: Any) -> None:
    """Rounded, saturated, and said so."""
    case = case_of_environment()
    lane, wire = case.number("LANE"), case.number("WIRE_FRACTION")
    width, fraction = case.number("X_WIDTH"), case.number("X_FRACTION")
    rounding = Rounding.RND if case.number("X_ROUND") else Rounding.TRN
    form = FixedFormat(width, width - fraction, True, rounding, Overflow.SAT)
    wide = FixedFormat(50, 50 - fraction, True, rounding, Overflow.SAT)
    low, high = -(1 << lane - 1), (1 << lane - 1) - 1
    values = np.arange(low, high + 1)
    if lane > WIDEST_COMPLETE:
        rng = np.random.default_rng(case.seed)
        ends = [low, low + 1, -1, 0, 1, high - 1, high]
        values = np.concatenate([ends, rng.integers(low, high + 1, SAMPLES)])
        values[len(ends) :] >>= rng.integers(0, lane, SAMPLES)
    wanted, exact = form.convert(values, wire), wide.convert(values, wire)
    for value, converted, scaled in zip(
        values.tolist(), wanted.tolist(), exact.tolist(), strict=True
    ):
        dut.value.value = value
        await Timer(1, "ns")
        assert dut.converted.value.to_signed() == converted, value
        assert int(dut.saturated.value) == (scaled != converted), value
    sample_block(case.block)
