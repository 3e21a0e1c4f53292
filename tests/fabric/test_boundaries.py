"""What may be asked in any cycle: a reset leaves nothing behind, a window is computed by one weight set."""

from pathlib import Path

import numpy as np
import pytest

from firmware.register_map import register_map
from hls.emit.project import emit_bundle, image_for
from pyorch.contract.fabric import Kind
from pyorch.contract.fixed import FixedFormat
from pyorch.contract.precision import PRESETS
from pyorch.inference.sample import random_bundle
from sim.bench.shell.model import ReferenceCore, ShellModel
from sim.library import SimulatedFabric
from sim.measure import address, command, load_image, settle, start

FEATURES, WINDOW = 6, 8
WIRE = FixedFormat.parse("fixed<12,4,RND,SAT>")
FIRST = random_bundle(1, FEATURES, (8,), PRESETS["narrow"])
SECOND = random_bundle(2, FEATURES, (8,), PRESETS["narrow"])
COMMAND = register_map()["COMMAND"]
STYLES = [
    ("folded", {"multipliers": 28}),
    pytest.param("loadable", {}, marks=pytest.mark.full),
    pytest.param("baked", {"cuts": 5}, marks=pytest.mark.full),
]


def started(folder: Path, style: str, parameters: dict[str, int]) -> SimulatedFabric:
    emit_bundle(FIRST, style, folder / "project", wire=WIRE, **parameters)
    fabric = SimulatedFabric(folder / "project")
    start(fabric)
    return fabric


def model() -> ShellModel:
    return ShellModel(ReferenceCore(FIRST), FEATURES, 16, WIRE, FIRST.spec.input)


@pytest.mark.parametrize(("style", "parameters"), STYLES)
def test_a_soft_reset_in_any_cycle_of_a_tick_leaves_zero_state(
    style: str, parameters: dict[str, int], tmp_path: Path
) -> None:
    fabric = started(tmp_path, style, parameters)
    vectors = np.random.default_rng(1).integers(-900, 900, (3, FEATURES))
    step = fabric.manifest.encode(Kind.STEP, 1, vectors[:1])
    after = fabric.manifest.encode(Kind.SEQUENCE, 2, vectors)
    wanted = model().frame([int(beat) for beat in after]).answers
    assert len({tuple(row) for row in wanted}) == 3
    span = fabric.manifest.cycles["idle_tick"] + fabric.manifest.cycles["interval"] + 8
    for at in range(span):
        settle(fabric)
        fabric.stream([step], results=0)  # all its beats are taken, its answer is not awaited
        fabric.run(at)
        command(fabric, reset=1)
        fabric.run(2)
        result = fabric.manifest.decode(fabric.stream([after]).frames[0])
        assert result.logits.tolist() == wanted, f"reset {at} cycles after the tick"
    fabric.close()


@pytest.mark.parametrize("event", ["swap_keep", "clear"])
def test_a_window_is_one_tick_whatever_is_asked_in_the_midst_of_it(
    event: str, tmp_path: Path
) -> None:
    fabric = started(tmp_path, "folded", {"multipliers": 28})
    image = image_for(SECOND, fabric.manifest)
    vectors = np.random.default_rng(2).integers(-900, 900, (WINDOW, FEATURES))
    frame = fabric.manifest.encode(Kind.WINDOW, 1, vectors)
    answers = []
    for bundle in (FIRST, SECOND):
        twin = model()
        twin.core = ReferenceCore(bundle)
        answers.append(twin.frame([int(beat) for beat in frame]).answers)
    write = (address("COMMAND"), COMMAND.put(**{event: 1}))
    seen = set()
    for at in range(0, fabric.manifest.cycles["cold_window"] + 20, 11):
        command(fabric, reset=1)
        load_image(
            fabric, image.addresses.astype(np.int64), image.data.astype(np.int64), image.crc(),
            image.format_digest, image.model_digest,
        )  # fmt: skip
        result = fabric.manifest.decode(fabric.stream([frame], write=(at, *write)).frames[0])
        found = [k for k, wanted in enumerate(answers) if result.logits.tolist() == wanted]
        assert found, f"{event} asked in cycle {at}: the answer is that of neither weight set"
        if event.startswith("swap"):
            assert found == [result.weight_set]
        seen.add(found[0])
        settle(fabric)
    assert seen == ({0, 1} if event.startswith("swap") else {0})
    fabric.close()
