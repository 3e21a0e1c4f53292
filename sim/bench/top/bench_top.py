"""cocotb bench of `fabric_top`: episodes of traffic with one event each, against the reference model."""

from __future__ import annotations

from typing import Any

import cocotb

from sim.bench.top.bench_episodes import Episodes
from sim.bench.top.case import case_of_environment


@cocotb.test()
async def every_frame_has_the_references_result_whatever_happens(dut: Any) -> None:
    """Frames good and bad, features of every kind, pauses, and an event in the midst of each episode."""
    case, folder = case_of_environment()
    episodes = Episodes(dut, case, folder)
    try:
        await episodes.play(case.episodes)
    finally:
        episodes.coverage.save()
