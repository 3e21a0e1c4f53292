"""Long streams, native against reference, for each implementation of this processor."""

from dataclasses import replace

import pytest

from pyorch._native import LstmEngine
from pyorch.contract.precision import PRESETS
from pyorch.inference import compare
from pyorch.inference.compare import compare_engines
from pyorch.inference.cpu import native_engine
from pyorch.inference.sample import random_bundle


@pytest.mark.parametrize("simd", LstmEngine.available())
@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("mode", ["stateful", "window"])
def test_long_streams_are_equal(simd: str, preset: str, mode: str) -> None:
    bundle = random_bundle(21, precision=PRESETS[preset], mode=mode)
    done = 0

    def progress(steps: int) -> None:
        nonlocal done
        done += steps

    result = compare_engines(bundle, 30_000, seed=4, simd=simd, progress=progress)
    assert result.mismatches == 0, result.first
    assert result.steps == done == 30_000


def test_a_single_changed_weight_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison can fail: a native engine with one weight off by one LSB differs."""
    bundle = random_bundle(22, 4, (6,))
    kernel = bundle.weights["lstm_0.kernel"].copy()
    kernel[0, 0] += 1 if kernel[0, 0] < 127 else -1
    altered = native_engine(replace(bundle, weights=bundle.weights | {"lstm_0.kernel": kernel}))
    monkeypatch.setattr(compare, "native_engine", lambda *_: altered)
    result = compare_engines(bundle, 5_000)
    assert result.mismatches > 100
    assert result.first.startswith("stream ") and "the reference says [" in result.first
