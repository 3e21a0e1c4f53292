"""A whole training on a small made-up task: it learns what only a memory can, and repeats itself."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from hls.commands import train
from hls.digits import digits_per_row
from hls.recipe import Recipe
from hls.train import run
from hls.train.experiment import Trained, run_experiment
from hls.train.export import write_training
from hls.train.loop import Schedule
from hls.train.network import weight_formats
from hls.train.run import Options, train_to_folder
from hls.train.samples import Samples, Target
from pyorch.contract.errors import DataError, UsageError
from pyorch.contract.model import Head

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]

TICKS = 6000
QUICK = Schedule(epochs=5, fine_epochs=2, rate=2e-2, fine_rate=4e-3, streams=16, steps=8, burn_in=8)


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


@pytest.fixture(scope="module")
def trained() -> Trained:
    return run_experiment(remembered_task(1), "default", 8, QUICK, seed=1)


def test_stateful_training_learns_and_stays_true_to_float(trained: Trained) -> None:
    figures = trained.figures
    quality = {name: model["macro_f1"]["value"] for name, model in figures["direction"].items()}
    assert quality["quantised"] > quality["logistic"] + 0.1 > quality["majority"]
    assert min(figures["direction"]["quantised"]["recall"]) > 0.3
    assert figures["equal_to_reference"] == {"logits": 1400 * 7, "mismatches": 0}
    assert figures["fidelity"]["float_same_weights"]["agreement"] > 0.9
    interval = figures["direction"]["quantised"]["macro_f1"]
    assert interval["low"] < interval["value"] < interval["high"]


def test_quality_by_age_of_state_grows_to_that_of_a_warm_state(trained: Trained) -> None:
    ages = trained.figures["by_state_age"]
    assert sum(age["ticks"] for age in ages) == trained.figures["test_ticks"]
    assert ages[-1]["agreement"] == 1.0
    assert ages[0]["macro_f1"] < ages[0]["macro_f1_warm"]


def test_a_head_with_few_positives_is_not_trainable_and_not_calibrated(trained: Trained) -> None:
    trainable = {head.name: head.trainable for head in trained.heads}
    assert trainable == {
        "direction": True, "withdrawal": True, "jump": False, "volatility": True
    }  # fmt: skip
    identity = np.arange(17) << 11
    assert np.array_equal(trained.calibration[5], identity)
    assert not np.array_equal(trained.calibration[3], identity)
    assert (np.diff(trained.calibration, axis=1) >= 0).all()


def test_the_folder_holds_a_plain_model_and_its_recipe(trained: Trained, tmp_path: Path) -> None:
    """Stock QKeras reads it, and its weights are on the formats' grids."""
    recipe = Recipe("t", "stateful", 8, trained.precision, trained.heads)
    write_training(tmp_path / "t", trained.weights, recipe, trained.figures)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["t"]
    assert Recipe.load(tmp_path / "t" / "recipe.json") == recipe
    assert json.loads((tmp_path / "t" / "training.json").read_text())["units"] == 8
    from qkeras import utils

    model = utils.load_qmodel(str(tmp_path / "t" / "model.h5"), compile=False)
    formats = weight_formats(trained.precision)
    for found, ours, target in zip(
        model.get_weights(), trained.weights.arrays, formats, strict=True
    ):
        assert np.array_equal(found.astype(np.float64) / target.lsb, target.quantise(ours))


def test_training_refuses_to_replace_a_folder_of_something_else(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="is no folder of a training"):
        train_to_folder(Options(tmp_path))
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_the_same_seed_gives_the_same_weights_and_figures() -> None:
    schedule = replace(QUICK, epochs=1, fine_epochs=1)
    first, again = (
        run_experiment(remembered_task(1), "narrow", 4, schedule, seed=5) for _ in range(2)
    )
    for a, b in zip(first.weights.arrays, again.weights.arrays, strict=True):
        assert np.array_equal(a, b)
    assert first.figures == again.figures
    cost = first.figures["gain"]["default_preset"]
    assert cost["low"] <= cost["value"] <= cost["high"]


def test_windowed_training_learns() -> None:
    schedule = replace(QUICK, mode="window", steps=6, streams=64, epochs=8, fine_epochs=2)
    figures = run_experiment(remembered_task(2), "default", 8, schedule, seed=1).figures
    quality = {name: model["macro_f1"]["value"] for name, model in figures["direction"].items()}
    assert quality["quantised"] > quality["logistic"] + 0.1


def test_a_block_too_short_for_the_streams_is_refused() -> None:
    with pytest.raises(DataError, match="too short for 512 streams of 8 ticks"):
        run_experiment(remembered_task(1), "default", 4, replace(QUICK, streams=512), seed=1)


def test_the_verb_trains_on_the_simulated_market_and_writes_what_serving_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = Schedule(epochs=1, fine_epochs=1, streams=8, steps=8, burn_in=8)
    monkeypatch.setitem(run.SCHEDULES, "stateful", quick)
    words = ["--minutes", "3", "--units", "4", "--out", str(tmp_path / "t"), "--json"]
    result = CliRunner().invoke(train, words)
    assert result.exit_code == 0, result.output
    shown = json.loads(result.stdout)
    assert shown["command"].startswith("pyorch train --minutes 3 ")
    assert shown["figures"]["reference_mismatches_count"] == 0
    recipe = Recipe.load(tmp_path / "t" / "recipe.json")
    assert recipe.schema is not None
    assert shown["digests"]["schema"] == recipe.schema.digest()
    assert len(recipe.calibration) == sum(len(head.outputs) for head in recipe.heads) == 11
    assert set(recipe.provenance["label_thresholds"]) >= {"direction", "jump_50ms"}
    thresholds = recipe.provenance["score_quantiles"]["thresholds"][2]
    assert thresholds == sorted(thresholds, reverse=True)
    record = json.loads((tmp_path / "t" / "training.json").read_text())
    assert record["figures"] == recipe.provenance["training"]


def test_a_digit_budget_is_kept_and_shown_beside_the_free_model() -> None:
    schedule = replace(QUICK, epochs=2, fine_epochs=2)
    trained = run_experiment(
        remembered_task(1), "default", 4, schedule, seed=1, digit_budget=3, table_bits=6
    )
    assert trained.precision.index_bits == 6
    weights = trained.weights.quantised(trained.precision)
    for array, form in (
        (weights.kernel, trained.precision.kernel),
        (weights.recurrent, trained.precision.recurrent),
    ):
        assert digits_per_row(form.quantise(array)).max() <= 3
    digits = trained.figures["digits"]
    assert digits["budget"] == 3 and digits["lstm.recurrent"]["most"] <= 3
    assert "any_digits" in trained.figures["direction"]
    assert trained.figures["equal_to_reference"]["mismatches"] == 0
