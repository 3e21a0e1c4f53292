"""h and c: staged, loaded, taken together with other weights."""

import numpy as np
import pytest

from pyorch.contract.fabric import Kind
from pyorch.inference.reference import Carried
from sim.bench.shell.model import ReferenceCore
from sim.bench.shell.rig import (
    FEATURES,
    FIRST,
    INPUT,
    MAP,
    SECOND,
    WIRE,
    element,
    errors,
    lanes,
    load,
    put_place,
    second_image,
    status,
)
from sim.library import SimulatedFabric
from sim.measure import address, command, settle


def test_states_are_staged_where_there_is_a_unit_and_taken_by_a_load(
    fabric: SimulatedFabric,
) -> None:
    def write(value: int, **place: int) -> set[str]:
        put_place(fabric, **place)
        fabric.write(address("STATE_DATA"), value)
        found = errors(fabric)
        fabric.write(address("ERRORS"), 31)
        return found

    assert write(5, cell=1, unit=6) == set()
    fabric.write(address("STATE_DATA"), 0xFFFFFFFD)  # the unit after it
    assert element(fabric, cell=1, unit=6) == element(fabric, cell=1, unit=7) == 0
    for layer, unit in ((0, 8), (0, 4095), (1, 0), (3, 0)):
        assert write(1, layer=layer, cell=1, unit=unit) == {"access"}, (layer, unit)
    fabric.write(address("WINDOW_FILL"), 0)
    assert errors(fabric) == {"access"}, "a stateful model keeps no vectors"
    command(fabric, load=1)
    settle(fabric)
    assert (element(fabric, cell=1, unit=6), element(fabric, cell=1, unit=7)) == (5, -3)
    assert fabric.read(address("PAUSE_LAST")) == fabric.manifest.cycles["state_load"]
    command(fabric, clear=1)
    settle(fabric)
    assert element(fabric, cell=1, unit=7) == 0
    command(fabric, load=1)  # what is staged stays
    settle(fabric)
    assert element(fabric, cell=1, unit=7) == -3


def settle_pending(fabric: SimulatedFabric) -> None:
    for _ in range(100):
        if not status(fabric, "pending"):
            return
    raise AssertionError("a load waits")


def test_staging_waits_for_no_tick_but_not_while_a_load_waits(fabric: SimulatedFabric) -> None:
    put_place(fabric)
    fabric.write(address("CONTROL"), MAP["CONTROL"].put(enable=1, hold=1))
    frame = fabric.manifest.encode(Kind.STEP, 1, np.zeros((1, FEATURES), np.int64))
    fabric.stream([frame], results=0)  # a tick waits
    fabric.write(address("STATE_DATA"), 1)
    assert not errors(fabric)
    twin_before = element(fabric, unit=0)
    command(fabric, load=1)
    settle_pending(fabric)
    assert (twin_before, element(fabric, unit=0)) == (0, 1), "a held fabric loads"
    fabric.write(address("CONTROL"), 1)
    busy = fabric.manifest.encode(Kind.SEQUENCE, 2, np.zeros((200, FEATURES), np.int64))
    fabric.stream([busy], results=0)  # the load has to wait for a boundary
    command(fabric, load=1)
    fabric.write(address("STATE_DATA"), 1)
    assert errors(fabric) == {"access"}


@pytest.mark.parametrize("at", range(1, 320, 43))
def test_a_swap_takes_weights_and_staged_state_at_one_tick(
    at: int, fabric: SimulatedFabric
) -> None:
    rng = np.random.default_rng(at)
    load(fabric, second_image(fabric.manifest))
    staged = {name: rng.integers(-30, 30, 8) for name in ("h", "c")}
    for kind, values in enumerate(staged.values()):
        put_place(fabric, cell=kind)
        for value in values.tolist():
            fabric.write(address("STATE_DATA"), value)
    x = lanes(rng, 20)
    frames = [fabric.manifest.encode(Kind.STEP, k, x[k : k + 1]) for k in range(20)]
    ask = (at, address("COMMAND"), MAP["COMMAND"].put(swap_load=1))
    back = fabric.stream(frames, write=ask)
    logits = np.concatenate([fabric.manifest.decode(frame).logits for frame in back.frames])
    sets = [fabric.manifest.decode(frame).weight_set for frame in back.frames]
    change = sets.index(1)
    assert sets == [0] * change + [1] * (20 - change)
    raw, core, wanted = INPUT.convert(x, WIRE.fraction), ReferenceCore(FIRST), []
    for k, vector in enumerate(raw):
        if k == change:
            core.bundle = SECOND
            core.state = Carried([staged["h"][None]], [staged["c"][None]])
        wanted.append(core.step(vector.tolist()))
    assert logits.tolist() == wanted
