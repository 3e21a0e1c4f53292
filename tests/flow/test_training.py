"""A whole training on a small made-up task: it learns what only a memory can, and repeats itself."""

from dataclasses import replace

import numpy as np
import pytest

from hls.train.experiment import run_experiment
from hls.train.loop import Schedule
from hls.train.samples import Samples, Target
from pyorch.contract.errors import DataError
from pyorch.contract.model import Head

pytestmark = pytest.mark.tensorflow

TICKS = 6000
QUICK = Schedule(epochs=5, fine_epochs=2, rate=2e-2, fine_rate=4e-3, streams=16, steps=16, burn_in=8)


def remembered_task(seed: int, ticks: int = TICKS) -> Samples:
    """The class is the sum of the last four values of a noise: the last vector alone says little."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=ticks)
    features = np.clip(np.rint(noise * 24), -128, 127).astype(np.int64)
    features = np.stack([features, rng.integers(-30, 30, ticks)], axis=1)
    memory = np.convolve(noise, [1.0, 1.0, 1.0, 1.0])[:ticks]
    direction = np.digitize(memory, [-1.5, 1.5])
    rare = memory > 5.5
    begins = np.zeros(ticks, dtype=bool)
    begins[[0, 1000, 4700]] = True
    valid = np.ones((ticks, 1), dtype=bool)
    valid[-10:] = False
    targets = (
        Target(
            Head("direction", "softmax", ("down", "stable", "up"), "probability"),
            np.eye(3)[direction],
            np.repeat(valid, 3, axis=1),
        ),
        Target(
            Head("withdrawal", "sigmoid", ("bid", "ask"), "probability"),
            np.stack([memory > 1.0, memory < -1.0], axis=1).astype(float),
            np.repeat(valid, 2, axis=1),
        ),
        Target(Head("jump", "sigmoid", ("up",), "probability"), rare[:, None].astype(float), valid),
        Target(Head("volatility", "linear", ("volatility",), "log2"), memory[:, None], valid),
    )
    local_ns = np.arange(ticks, dtype=np.int64) * 50_000_000
    names = ("training", "stopping", "calibration", "test")
    edges = np.array([0, 3200, 3900, 4600, ticks])
    blocks = {n: slice(int(a), int(b)) for n, a, b in zip(names, edges, edges[1:], strict=False)}
    return Samples(features, begins, local_ns, targets, blocks)


def test_stateful_training_learns_and_stays_true_to_float() -> None:
    trained = run_experiment(remembered_task(1), "default", 8, QUICK, seed=1)
    figures = trained.figures
    quality = {name: model["macro_f1"]["value"] for name, model in figures["direction"].items()}
    assert quality["quantised"] > quality["logistic"] + 0.1 > quality["majority"]
    assert min(figures["direction"]["quantised"]["recall"]) > 0.3
    assert figures["equal_to_reference"] == {"logits": 1400 * 7, "mismatches": 0}
    assert figures["fidelity"]["float_same_weights"]["agreement"] > 0.9
    interval = figures["direction"]["quantised"]["macro_f1"]
    assert interval["low"] < interval["value"] < interval["high"]


def test_a_head_with_few_positives_is_not_trainable_and_not_calibrated() -> None:
    trained = run_experiment(remembered_task(1), "narrow", 4, replace(QUICK, epochs=1), seed=1)
    trainable = {head.name: head.trainable for head in trained.heads}
    assert trainable == {
        "direction": True, "withdrawal": True, "jump": False, "volatility": True
    }  # fmt: skip
    identity = np.arange(17) << 11
    assert np.array_equal(trained.calibration[5], identity)
    assert not np.array_equal(trained.calibration[3], identity)
    assert (np.diff(trained.calibration, axis=1) >= 0).all()


def test_the_same_seed_gives_the_same_weights_and_another_seed_does_not() -> None:
    schedule = replace(QUICK, epochs=1, fine_epochs=1)
    first, again, other = (
        run_experiment(remembered_task(1), "default", 4, schedule, seed) for seed in (5, 5, 6)
    )
    for a, b in zip(first.weights.arrays, again.weights.arrays, strict=True):
        assert np.array_equal(a, b)
    assert first.figures == again.figures
    assert not np.array_equal(first.weights.kernel, other.weights.kernel)


def test_windowed_training_learns() -> None:
    schedule = replace(QUICK, mode="window", steps=6, streams=64, epochs=8, fine_epochs=2)
    figures = run_experiment(remembered_task(2), "default", 8, schedule, seed=1).figures
    quality = {name: model["macro_f1"]["value"] for name, model in figures["direction"].items()}
    assert quality["quantised"] > quality["logistic"] + 0.1


def test_a_block_too_short_for_the_streams_is_refused() -> None:
    with pytest.raises(DataError, match="too short for 512 streams of 16 ticks"):
        run_experiment(remembered_task(1), "default", 4, replace(QUICK, streams=512), seed=1)
