"""Answers of a trained network over a block, as a long-running engine would give them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hls.train.cell import Arithmetic
from hls.train.network import Network
from hls.train.samples import FloatArray, Samples
from pyorch.contract.bundle import Bundle
from pyorch.contract.fixed import IntArray
from pyorch.inference.reference import Carried, advance, answer, run_windows, zero_state

WARM_UP = 256
"""Ticks that each parallel stream runs before its first answer counts."""
STREAM_TICKS = 768
"""Answers a parallel stream gives."""
WINDOW_BATCH = 2048


@dataclass(frozen=True, slots=True)
class Layout:
    """A block cut into parallel inputs, and where their answers belong.

    Attributes:
        features: [n, T, F] raw.
        keep: [n, T]: 0 where the state is reset before the vector.
        rows: [n, T]: the tick of the block that this answer is for; -1: none.
    """

    features: IntArray
    keep: FloatArray
    rows: IntArray


def stream_layout(samples: Samples, block: slice, warm_up: int = WARM_UP) -> Layout:
    """Streams of 768 answers, each warmed up on the ticks before (whatever block they lie in)."""
    ticks = block.stop - block.start
    starts = block.start + np.arange(0, ticks, STREAM_TICKS)
    rows = starts[:, None] + np.arange(-warm_up, STREAM_TICKS)
    keep = np.where(samples.begins, 0.0, 1.0)[np.clip(rows, 0, len(samples.begins) - 1)]
    keep[rows == 0] = 0.0
    inside = (rows >= np.maximum(starts, block.start)[:, None]) & (rows < block.stop)
    features = samples.features[np.clip(rows, 0, len(samples.features) - 1)]
    return Layout(features, keep, np.where(inside, rows - block.start, -1))


def window_rows(samples: Samples, block: slice, steps: int) -> IntArray:
    """[ticks, T] rows of the window that ends at each tick.

    A tick younger than T repeats the first vector of its segment; such ticks are not counted anywhere.
    """
    ends = np.arange(block.start, block.stop)
    youngest = ends - np.minimum(samples.age[block], steps - 1)
    rows: IntArray = np.maximum(ends[:, None] + np.arange(1 - steps, 1), youngest[:, None])
    return rows


def network_logits(
    network: Network,
    samples: Samples,
    block: slice,
    window: int | None,
    arithmetic: Arithmetic,
    warm_up: int = WARM_UP,
) -> FloatArray:
    """[ticks, O] logits in real numbers; ``window``: T of a windowed model, None for carried state."""
    if window is None:
        layout = stream_layout(samples, block, warm_up)
        found = network.run(layout.features, layout.keep, arithmetic)
        return _gathered(found, layout.rows, block)
    parts = []
    for rows in _window_batches(samples, block, window):
        keep = np.ones(rows.shape)
        parts.append(network.run(samples.features[rows], keep, arithmetic, window)[:, -1])
    return np.concatenate(parts)


def reference_logits(
    bundle: Bundle, samples: Samples, block: slice, window: int | None
) -> IntArray:
    """[ticks, O] raw logits of the integer reference, on the same streams or windows."""
    if window is not None:
        parts = [
            run_windows(bundle, samples.features[rows])[0]
            for rows in _window_batches(samples, block, window)
        ]
        return np.concatenate(parts)
    layout = stream_layout(samples, block)
    streams, steps, _ = layout.features.shape
    state: Carried = zero_state(bundle.spec, streams)
    kept = layout.keep.astype(np.int64)[:, :, None]
    last = np.empty((streams, steps, bundle.spec.lstm_layers[-1].units), dtype=np.int64)
    for step in range(steps):
        state.hidden = [h * kept[:, step] for h in state.hidden]
        state.cell = [c * kept[:, step] for c in state.cell]
        advance(bundle, state, layout.features[:, step])
        last[:, step] = state.hidden[-1]
    logits, _ = answer(bundle, last.reshape(streams * steps, -1))
    return _gathered(logits.reshape(streams, steps, -1), layout.rows, block)


def _window_batches(samples: Samples, block: slice, window: int) -> list[IntArray]:
    rows = window_rows(samples, block, window)
    return [rows[first : first + WINDOW_BATCH] for first in range(0, len(rows), WINDOW_BATCH)]


def _gathered(found: NDArray[Any], rows: IntArray, block: slice) -> NDArray[Any]:
    answers = np.empty((block.stop - block.start, found.shape[2]), dtype=found.dtype)
    answers[rows[rows >= 0]] = found[rows >= 0]
    return answers
