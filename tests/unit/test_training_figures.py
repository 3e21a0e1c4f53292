"""Calibration, intervals, weights and batches of a training, without TensorFlow."""

import numpy as np
import pytest

from hls.train import metrics
from hls.train.calibration import ONE, apply, fit_knots, knots_for
from hls.train.data import HEADS, linear_unit, samples_from
from hls.train.metrics import BlockBootstrap
from hls.train.predict import WARM_UP, stream_layout, window_rows
from hls.train.samples import Batches, Samples, Target, class_weighting
from pyorch.contract.errors import DataError
from pyorch.contract.fixed import FixedFormat
from pyorch.contract.model import Head
from pyorch.contract.precision import PRESETS
from pyorch.features.dataset import build_dataset
from pyorch.market.simulate import simulate

LOGITS = FixedFormat(16, 6)


def counting_samples(ticks: int = 400, begins_at: tuple[int, ...] = (0, 150)) -> Samples:
    """Feature 0 is the tick's number; every fourth tick is ``up``."""
    number = np.arange(ticks)
    begins = np.zeros(ticks, dtype=bool)
    begins[list(begins_at)] = True
    direction = np.where(number % 4 == 0, 2, 1)
    valid = np.ones((ticks, 3), dtype=bool)
    target = Target(
        Head("direction", "softmax", ("down", "stable", "up"), "p"), np.eye(3)[direction], valid
    )
    blocks = {"training": slice(0, 300), "test": slice(300, ticks)}
    return Samples(number[:, None], begins, number * 10**9, (target,), blocks)


def test_calibration_recovers_the_frequency_of_a_class_weighted_model() -> None:
    """Scores whose odds are ten times too high become frequencies again; their order is kept."""
    rng = np.random.default_rng(1)
    true = rng.beta(0.5, 6.0, 40_000)
    truth = (rng.random(40_000) < true).astype(float)
    odds = 10.0 * true / (1.0 - true)
    said = np.floor(odds / (1.0 + odds) * ONE).astype(np.int64)
    knots = fit_knots(said[:20_000], truth[:20_000])
    assert knots is not None and (np.diff(knots) >= 0).all()
    mapped = apply(knots[None], said[20_000:, None])[:, 0] / ONE
    before = metrics.calibration_error(truth[20_000:], said[20_000:] / ONE)
    after = metrics.calibration_error(truth[20_000:], mapped)
    assert before > 0.15 and after < 0.02


def test_a_map_is_not_fitted_on_a_handful_of_positives() -> None:
    truth = np.zeros(1000)
    truth[:19] = 1.0
    assert fit_knots(np.arange(1000) * 32, truth) is None


def test_a_useless_score_becomes_its_base_rate() -> None:
    rng = np.random.default_rng(2)
    truth = (rng.random(20_000) < 0.3).astype(float)
    knots = fit_knots(rng.integers(0, ONE, 20_000), truth)
    assert knots is not None
    mapped = apply(knots[None], np.arange(ONE // 8, ONE * 7 // 8, 64)[:, None])
    assert np.abs(mapped / ONE - 0.3).max() < 0.05


def test_the_identity_has_knots_near_the_diagonal() -> None:
    knots = knots_for(1.0, 0.0)
    assert np.abs(knots[1:-1] - (np.arange(1, 16) << 11)).max() <= 1


def test_intervals_grow_with_dependence_and_differences_are_paired() -> None:
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 3, 6000)
    right = rng.random(6000) < 0.6
    answer = np.where(right, truth, (truth + 1) % 3)
    independent = BlockBootstrap(np.arange(6000) * 10**10, seed=1).macro_f1(truth, answer, 3)
    bursts = np.repeat(rng.random(60) < 0.6, 100)
    clumped = np.where(bursts, truth, (truth + 1) % 3)
    blocks = BlockBootstrap(np.arange(6000) * 10**8, seed=1)
    dependent = blocks.macro_f1(truth, clumped, 3)
    assert dependent.high - dependent.low > 3 * (independent.high - independent.low)
    same = blocks.difference(truth, clumped, clumped, 3)
    assert (same.value, same.low, same.high) == (0.0, 0.0, 0.0)


def test_macro_f1_counts_a_class_that_is_never_answered_as_nothing() -> None:
    truth = np.array([0, 1, 1, 2])
    assert metrics.macro_f1(truth, np.array([1, 1, 1, 1]), 3) == pytest.approx(2 * 2 / 6 / 3)
    assert metrics.recall(truth, np.array([0, 1, 0, 1]), 3) == [1.0, 0.5, 0.0]


def test_streams_are_contiguous_carried_and_burnt_in_after_every_reset() -> None:
    samples = counting_samples()
    batches = Batches(samples, class_weighting(samples, 0.5), samples.blocks["training"])
    found = list(batches.streams(count=2, steps=25, burn_in=5))
    assert [batch.carries for batch in found] == [False] + [True] * 5
    first = np.concatenate([batch.features[0, :, 0] for batch in found])
    assert np.array_equal(first, np.arange(150))
    second = np.concatenate([batch.weights[1, :, 0] for batch in found])
    assert (second[:5] == 0.0).all() and (second[5:] > 0.0).all()
    keep = np.concatenate([batch.keep[1] for batch in found])
    assert keep[0] == 0.0 and keep[1:].min() == 1.0


def test_windows_never_span_a_reset() -> None:
    samples = counting_samples()
    batches = Batches(samples, class_weighting(samples, 0.5), samples.blocks["training"])
    found = list(batches.windows(10, 20, 10_000, np.random.default_rng(1)))
    features = np.concatenate([batch.features[:, :, 0] for batch in found])
    assert (np.diff(features, axis=1) == 1).all()
    assert not ((features[:, 0] < 150) & (features[:, -1] >= 150)).any()
    assert len(features) == (150 - 19 + 150 - 19) // 10 * 10
    assert len(np.unique(features[:, -1])) == len(features)


def test_rare_classes_weigh_more_and_the_mean_weight_is_the_scale() -> None:
    samples = counting_samples()
    weighting = class_weighting(samples, 1.0)
    assert weighting.positive[0][1] == 1.0
    assert weighting.positive[0][2] == pytest.approx(3.0)
    assert weighting.scale[0][0] == pytest.approx(0.75 * 1.0 + 0.25 * 3.0)


def test_a_prediction_stream_is_warmed_up_on_the_ticks_before_the_block() -> None:
    samples = counting_samples()
    layout = stream_layout(samples, samples.blocks["test"])
    assert (layout.rows[0, :WARM_UP] == -1).all()
    assert np.array_equal(layout.rows[0, WARM_UP : WARM_UP + 100], np.arange(100))
    assert layout.features[0, WARM_UP - 1, 0] == 299
    assert layout.keep[0, 150 - 300 + WARM_UP] == 0.0
    rows = window_rows(samples, slice(150, 160), 4)
    assert rows[0].tolist() == [150] * 4 and rows[9].tolist() == [156, 157, 158, 159]


@pytest.mark.parametrize(("largest", "unit"), [(3.0, 1), (28.0, 1), (30.0, 2), (500.0, 32)])
def test_linear_values_get_the_smallest_unit_that_fits(largest: float, unit: int) -> None:
    assert linear_unit(largest, LOGITS) == unit


def test_the_stopping_slice_lies_behind_every_training_label() -> None:
    dataset = build_dataset(simulate(3, 240.0))
    samples = samples_from(dataset, PRESETS["default"])
    blocks = samples.blocks
    assert list(blocks) == ["training", "stopping", "calibration", "test"]
    assert blocks["stopping"].stop == dataset.blocks["train"].stop
    assert blocks["calibration"] == dataset.blocks["calibration"]
    latest = samples.local_ns[blocks["training"].stop - 1]
    gap = samples.local_ns[blocks["stopping"].start] - latest
    assert gap >= max(one.horizon_ns for one in dataset.described.values())
    assert [target.head.name for target in samples.targets] == [head.name for head in HEADS]
    assert samples.outputs == 11
    slippage = samples.target("slippage")
    unit = int(slippage.head.unit.split()[0])
    valid = slippage.valid[:, 0]
    assert np.array_equal(slippage.values[valid, 0] * unit, dataset.labels["slippage"][valid])


def test_a_tape_of_seconds_is_too_short_to_train_on() -> None:
    dataset = build_dataset(simulate(3, 15.0))
    with pytest.raises(DataError, match="use a longer tape"):
        samples_from(dataset, PRESETS["default"])
