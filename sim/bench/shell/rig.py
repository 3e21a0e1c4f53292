"""A small fabric whose shell is under test: two models of one shape, frames, images, registers; its twin."""

from __future__ import annotations

import numpy as np

from firmware.register_map import register_map
from hls.emit.project import image_for
from pyorch.contract.fabric import Beats, FabricManifest, Kind, Result, WeightImage
from pyorch.contract.fixed import FixedFormat, IntArray
from pyorch.contract.precision import PRESETS
from pyorch.inference.sample import random_bundle
from sim.bench.shell.model import ReferenceCore, ShellModel
from sim.library import SimulatedFabric
from sim.measure import address, load_image

FEATURES = 6
WIRE = FixedFormat.parse("fixed<12,4,RND,SAT>")
FIRST = random_bundle(1, FEATURES, (8,), PRESETS["narrow"])
SECOND = random_bundle(2, FEATURES, (8,), PRESETS["narrow"])
INPUT = FIRST.spec.input
MULTIPLIERS = 28
MAP = register_map()


def model() -> ShellModel:
    """What the fabric of `FIRST` must answer."""
    return ShellModel(ReferenceCore(FIRST), FEATURES, 16, WIRE, INPUT)


def lanes(rng: np.random.Generator, count: int) -> IntArray:
    """Vectors as a wire may carry them, also beyond what the model takes."""
    return rng.integers(-3000, 3000, (count, FEATURES))


def second_image(manifest: FabricManifest) -> WeightImage:
    """The weights of `SECOND` for this fabric."""
    return image_for(SECOND, manifest)


def load(fabric: SimulatedFabric, image: WeightImage, **changes: object) -> None:
    """Write an image into the set that is not active; ``changes``: what is wrong with it."""
    given = {
        "addresses": image.addresses.astype(np.int64), "data": image.data.astype(np.int64),
        "crc": image.crc(), "format_digest": image.format_digest, "model_digest": image.model_digest,
    }  # fmt: skip
    load_image(fabric, **(given | changes))  # type: ignore[arg-type]


def status(fabric: SimulatedFabric, name: str) -> int:
    """A field of STATUS."""
    return MAP["STATUS"].get(fabric.read(address("STATUS")), name)


def errors(fabric: SimulatedFabric) -> set[str]:
    """The sticky errors that are set."""
    word = fabric.read(address("ERRORS"))
    return {name for name in MAP["ERRORS"].fields if MAP["ERRORS"].get(word, name)}


def agree(
    fabric: SimulatedFabric,
    twin: ShellModel,
    frames: list[Beats],
    *,
    gap_percent: int = 0,
    stall_percent: int = 0,
    seed: int = 1,
) -> list[Result]:
    """Each frame has one result, the expected one."""
    back = fabric.stream(frames, gap_percent=gap_percent, stall_percent=stall_percent, seed=seed)
    results = [fabric.manifest.decode(beats) for beats in back.frames]
    assert len(results) == len(frames)
    for frame, result in zip(frames, results, strict=True):
        wanted = twin.frame([int(beat) for beat in frame])
        assert (result.code, result.sequence, result.stated, result.saturated) == (
            wanted.code, wanted.sequence, len(wanted.answers), wanted.saturated,
        )  # fmt: skip
        assert result.logits.tolist() == wanted.answers
    return results


def malformed(rng: np.random.Generator, manifest: FabricManifest, sequence: int) -> Beats:
    """A frame of any kind, cut, extended, or with another header; a third of them whole."""
    kind = [Kind.STEP, Kind.WINDOW, Kind.SEQUENCE][rng.integers(3)]
    count = 1 if kind is Kind.STEP else int(rng.integers(1, 6))
    frame = manifest.encode(kind, sequence, lanes(rng, count))
    change = rng.integers(6)
    if change == 0:
        frame = frame[: rng.integers(1, len(frame))]
    elif change == 1:
        more = rng.integers(0, 2**63, rng.integers(1, 40), dtype=np.uint64)
        frame = np.concatenate([frame, more])
    elif change == 2:
        frame[0] ^= np.uint64(int(rng.integers(1, 256)))
    elif change == 3:
        frame[0] = frame[0] & ~np.uint64(0xFFFF0000) | np.uint64(int(rng.integers(0, 9)) << 16)
    return frame


def put_place(fabric: SimulatedFabric, **place: int) -> None:
    """Choose the element of the state that is read or staged."""
    fabric.write(address("STATE_ADDRESS"), MAP["STATE_ADDRESS"].put(**place))


def element(fabric: SimulatedFabric, **place: int) -> int:
    """The present value of an element of the state."""
    put_place(fabric, **place)
    word = fabric.read(address("STATE_DATA"))
    return word - (word >> 31 << 32)
