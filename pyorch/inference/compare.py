"""Comparing an engine with the reference over many steps, and saying where they part."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pyorch.contract.bundle import Bundle
from pyorch.contract.fixed import IntArray
from pyorch.inference.complete import random_features
from pyorch.inference.cpu import native_engine
from pyorch.inference.reference import Carried, advance, answer, run_windows, zero_state

STREAM_STEPS = 1000
"""Steps of one stream; the reference runs the streams side by side."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was compared and what differed: a mismatch is a step with any logit or score unequal."""

    steps: int
    mismatches: int
    first: str = ""
    """Where the first mismatch was, in words; empty without one."""


def compare_engines(
    bundle: Bundle,
    steps: int,
    seed: int = 0,
    simd: str = "auto",
    progress: Callable[[int], None] = lambda _: None,
) -> Comparison:
    """The reference against the native engine on at least ``steps`` steps of random features.

    Stateful models run as streams of up to 1,000 steps, in one call and tick by tick in turn, windowed
    ones as windows; every eighth vector lies at the ends of the input format, and a third of the streams
    is constant at them.

    Args:
        bundle: a checked bundle.
        steps: at least so many steps are compared (for windows: windows times T).
        seed: of the features.
        simd: as for `pyorch.inference.cpu.CpuEngine.open`.
        progress: called with the number of steps done since the last call.

    Raises:
        EnvironmentMissingError: this processor does not run such kernels.
    """
    spec, rng = bundle.spec, np.random.default_rng(seed)
    length = spec.window if spec.mode == "window" else min(steps, STREAM_STEPS)
    streams = -(-steps // length)
    done = mismatches = 0
    first = ""
    native = native_engine(bundle, simd)
    for start in range(0, streams, 1000):
        features = _hard_streams(rng, bundle, min(1000, streams - start), length)
        if spec.mode == "window":
            logits, scores = run_windows(bundle, features)
            logits, scores = logits[:, None], scores[:, None]
            progress(features.shape[0] * length // 2)
        else:
            logits, scores = _run_streams(bundle, features, lambda n: progress(n // 2))
        for number, stream in enumerate(features.astype(np.int32)):
            if spec.mode == "window":
                actual = [part[None] for part in native.window(np.ascontiguousarray(stream))]
            else:
                native.reset()
                one_by_one = number % 2 == 1
                actual = list(native.run(np.ascontiguousarray(stream), one_by_one))
            wrong = (actual[0] != logits[number]).any(axis=1)
            wrong |= (actual[1] != scores[number]).any(axis=1)
            if wrong.any() and not first:
                step = int(np.argmax(wrong))
                first = (
                    f"stream {start + number} step {step}: {actual[0][step].tolist()}, the reference says "
                    f"{logits[number, step].tolist()}"
                )
            mismatches += int(wrong.sum())
            done += length
        progress(features.shape[0] * length - features.shape[0] * length // 2)
    return Comparison(done, mismatches, first)


def _hard_streams(rng: np.random.Generator, bundle: Bundle, streams: int, length: int) -> IntArray:
    form = bundle.spec.input
    features = random_features(rng, bundle.spec, (streams, length))
    constant = np.array([form.minimum, form.maximum], dtype=np.int64)
    for number in range(0, streams, 3):
        features[number] = rng.choice(constant, features.shape[-1])
    return features


def _run_streams(
    bundle: Bundle, features: IntArray, progress: Callable[[int], None]
) -> tuple[IntArray, IntArray]:
    """`pyorch.inference.reference.run_streams` with progress, and the head once per step."""
    streams, length, _ = features.shape
    state: Carried = zero_state(bundle.spec, streams)
    outputs = len(bundle.spec.outputs)
    logits = np.empty((streams, length, outputs), dtype=np.int64)
    scores = np.empty_like(logits)
    for step in range(length):
        advance(bundle, state, features[:, step])
        logits[:, step], scores[:, step] = answer(bundle, state.hidden[-1])
        progress(streams)
    return logits, scores
