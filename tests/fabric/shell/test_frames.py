"""Frames good and bad: each has one result, and the state goes on."""

import numpy as np
import pytest

from pyorch.contract.fabric import Code, Kind
from sim.bench.shell.rig import agree, errors, lanes, malformed, model
from sim.library import SimulatedFabric
from sim.measure import address


def test_every_bad_frame_has_exactly_one_result_and_the_state_goes_on(
    fabric: SimulatedFabric,
) -> None:
    rng, twin, seen = np.random.default_rng(5), model(), set()
    bad = 0
    for part in range(8):
        frames = [malformed(rng, fabric.manifest, 100 * part + k) for k in range(40)]
        results = agree(
            fabric, twin, frames, gap_percent=10 * part, stall_percent=8 * part, seed=part + 1
        )
        seen |= {result.code for result in results}
        bad += sum(result.code is not Code.OK for result in results)
    assert seen == {Code.OK, Code.SHORT, Code.LONG, Code.KIND, Code.COUNT}
    assert fabric.read(address("BAD_FRAMES")) == bad
    assert errors(fabric) == {"frame"}


@pytest.mark.parametrize(
    ("setting", "value", "code"), [("CONTROL", 0, Code.NOT_READY), ("OWNER", 0, Code.OWNER)]
)
def test_frames_that_may_not_tick_are_answered_and_change_nothing(
    setting: str, value: int, code: Code, fabric: SimulatedFabric
) -> None:
    rng, twin = np.random.default_rng(6), model()
    good = [fabric.manifest.encode(Kind.SEQUENCE, 1, lanes(rng, 3))]
    agree(fabric, twin, good)
    fabric.write(address(setting), value)
    twin.enabled, twin.owner = setting != "CONTROL", 0 if setting == "OWNER" else 1
    results = agree(
        fabric, twin, [malformed(rng, fabric.manifest, k) for k in range(30)], stall_percent=50
    )
    assert {result.code for result in results} == {code}
    fabric.write(address(setting), 1)
    twin.enabled, twin.owner = True, 1
    agree(fabric, twin, good)
