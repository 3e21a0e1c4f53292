"""Frames of events as a bad line delivers them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pyorch.market.wire import Beats, Frames

FAULTS = 7


def joined(frames: Sequence[Beats]) -> Frames:
    """Frames one after the other."""
    ends = np.concatenate([np.arange(len(one)) == len(one) - 1 for one in frames])
    return Frames(np.concatenate(frames), ends, len(frames))


def spoilt(frames: Sequence[Beats], rng: np.random.Generator, share: float) -> list[Beats]:
    """A share of them lost, doubled, swapped, cut, a bit flipped, a foreign one behind, or a head behind."""
    result: list[Beats] = []
    for frame in frames:
        if rng.random() >= share:
            result.append(frame)
            continue
        what = int(rng.integers(FAULTS))  # 0: lost
        if what == 1:
            result += [frame, frame]
        elif what == 2 and result:
            result.insert(-1, frame)
        elif what == 3:
            result.append(frame[: int(rng.integers(1, len(frame) + 1))])
        elif what == 4:
            changed = frame.copy()
            changed[rng.integers(len(frame))] ^= np.uint64(1) << np.uint64(rng.integers(64))
            result.append(changed)
        elif what == 5:
            result += [frame, rng.integers(0, 2**63, rng.integers(1, 9), dtype=np.uint64)]
        elif what == 6:
            result.append(np.concatenate([frame, frame[:2]]))
    return result
