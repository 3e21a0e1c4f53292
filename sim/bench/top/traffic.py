"""Frames of every kind, good and bad, with features of every kind; and how source and sink pause."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from pyorch.contract.fabric import Beats, FabricManifest, Kind
from pyorch.contract.fixed import FixedFormat, IntArray
from sim.bench.coverage import POINTS

BAD_SHARE = 0.35
LONGEST = 6
"""Vectors of a frame."""


@dataclass(slots=True)
class Traffic:
    """Frames for one fabric.

    Attributes:
        market: feature vectors of a market, raw in the model's input format.
    """

    rng: np.random.Generator
    manifest: FabricManifest
    market: IntArray
    up: bool = False
    at: int = 0
    held: IntArray | None = None
    sequence: int = field(default=0)

    def vectors(self, stimulus: str, count: int) -> IntArray:
        """``count`` vectors as a wire may carry them, also beyond what the model takes."""
        manifest, rng = self.manifest, self.rng
        shape = (count, manifest.features)
        wire = FixedFormat.parse(manifest.wire)
        if stimulus in ("market", "recorded"):
            form = FixedFormat.parse(manifest.input)
            rows = np.arange(self.at, self.at + count) % len(self.market)
            self.at += count
            sent: IntArray = self.market[rows] << wire.fraction - form.fraction
            return sent
        if stimulus == "extremes":
            limit = 1 << manifest.input_lane - 1
            ends = [wire.minimum, wire.maximum, -limit, limit - 1, 0, 1, -1]
            return rng.choice(ends, shape)
        if stimulus == "held":  # long enough to drive c to its ends
            if self.held is None or rng.random() < 0.05:
                self.held = rng.choice([wire.minimum, wire.maximum], manifest.features)
            return np.tile(self.held, (count, 1))
        if stimulus == "alternating":
            signs = np.where(rng.random(manifest.features) < 0.2, -1, 1)
            rows_up = (np.arange(count) % 2 == 0) ^ self.up
            self.up ^= bool(count % 2)
            return np.where(rows_up[:, None] ^ (signs < 0), wire.maximum, wire.minimum)
        inside = rng.integers(wire.minimum, wire.maximum + 1, shape) >> int(rng.integers(0, 5))
        return inside

    def frame(self, stimulus: str) -> Beats:
        """A whole frame, or one that is cut, too long, or has another header."""
        rng, self.sequence = self.rng, self.sequence + 1
        kind = [Kind.STEP, Kind.WINDOW, Kind.SEQUENCE][rng.integers(3)]
        count = 1 if kind is Kind.STEP else int(rng.integers(1, LONGEST + 1))
        frame = self.manifest.encode(kind, self.sequence, self.vectors(stimulus, count))
        if rng.random() >= BAD_SHARE:
            return frame
        change = rng.integers(4)
        if change == 0:
            frame = frame[: rng.integers(1, len(frame))]
        elif change == 1:
            more = rng.integers(0, 2**63, rng.integers(1, 12), dtype=np.uint64)
            frame = np.concatenate([frame, more])
        elif change == 2:
            frame[0] = frame[0] & ~np.uint64(0xFF) | np.uint64(rng.choice([0, 4, 5, 0x81, 0xFF]))
        else:
            wrong = int(rng.choice([0, 0, 2, 7, 0xFFFF]))
            frame[0] = frame[0] & ~np.uint64(0xFFFF0000) | np.uint64(wrong << 16)
        return frame


def kind_of(frame: Beats) -> str:
    """The bin of a frame's kind."""
    kind = int(frame[0]) & 0xFF
    return Kind(kind).name if kind in set(Kind) else "other"


def pauses(rng: np.random.Generator, pace: str) -> Iterator[bool] | None:
    """Cycle after cycle, whether a port pauses; None: never."""
    if pace == "none":
        return None
    return _some(rng) if pace == "some" else _long(rng)


def _some(rng: np.random.Generator) -> Iterator[bool]:
    while True:
        yield from (rng.random(256) < 0.4).tolist()


def _long(rng: np.random.Generator) -> Iterator[bool]:
    while True:
        yield from [False] * int(rng.integers(1, 40))
        yield from [True] * int(rng.integers(30, 150))


class Deck:
    """Deals the bins of a point in random order, all of them before any comes again."""

    def __init__(self, rng: np.random.Generator, bins: tuple[str, ...]) -> None:
        self.rng, self.bins, self.left = rng, bins, list[str]()

    def deal(self) -> str:
        """The next bin."""
        if not self.left:
            self.left = [str(name) for name in self.rng.permutation(list(self.bins))]
        return self.left.pop()


def decks(rng: np.random.Generator, without: str, *points: str) -> dict[str, Deck]:
    """A deck for each point; ``without``: a bin that this fabric's bench cannot reach."""
    return {
        point: Deck(rng, tuple(name for name in POINTS[point] if name != without))
        for point in points
    }
