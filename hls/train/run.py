"""`pyorch train`: tape → data set → experiment → folder."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from hls.recipe import Recipe
from hls.train import evaluate
from hls.train.calibration import apply
from hls.train.data import samples_from
from hls.train.experiment import Trained, run_experiment
from hls.train.export import refuse_foreign_folder, write_training
from hls.train.loop import Schedule
from hls.train.samples import Samples
from pyorch.contract.digest import digest_of_bytes
from pyorch.contract.figures import Figures
from pyorch.contract.fixed import IntArray
from pyorch.contract.precision import precision_of
from pyorch.contract.score_quantiles import score_quantiles
from pyorch.features.dataset import DataSet, build_dataset
from pyorch.features.definitions import default_schema, schema_of
from pyorch.market.clock import insert_timer_ticks
from pyorch.market.simulate import simulate
from pyorch.market.tape import Tape, read_tape

MARKET_SEED, MARKET_MINUTES = 7, 60.0
"""The simulated market that is trained on when no tape is given."""
WINDOW = 20
"""T of the windowed variant."""


@dataclass(frozen=True, slots=True)
class Options:
    """What `pyorch train` was asked for; see its help."""

    out: Path
    tape: Path | None = None
    minutes: float = MARKET_MINUTES
    preset: str = "default"
    mode: Literal["stateful", "window"] = "stateful"
    units: int = 32
    epochs: int | None = None
    seed: int = 1
    digit_budget: int | None = None
    table_bits: int | None = None
    features: tuple[str, ...] = ()
    """Names of the inputs, in order; none: those of the default schema."""

    @property
    def command(self) -> str:
        """The command line that reproduces the training."""
        words = ["pyorch", "train"]
        if self.tape is not None:
            words += ["--tape", self.tape.name]
        else:
            words += ["--minutes", f"{self.minutes:g}"]
        words += ["--preset", self.preset, "--mode", self.mode, "--units", str(self.units)]
        if self.epochs is not None:
            words += ["--epochs", str(self.epochs)]
        if self.digit_budget is not None:
            words += ["--digit-budget", str(self.digit_budget)]
        if self.table_bits is not None:
            words += ["--table-bits", str(self.table_bits)]
        if self.features:
            words += ["--features", ",".join(self.features)]
        return shlex.join([*words, "--seed", str(self.seed), "--out", self.out.name])

    @property
    def schedule(self) -> Schedule:
        """The mode's schedule, with the epochs asked for."""
        chosen = SCHEDULES[self.mode]
        if self.epochs is None:
            return chosen
        return replace(chosen, epochs=self.epochs, fine_epochs=max(1, self.epochs // 3))


SCHEDULES = {
    "stateful": Schedule(),
    "window": Schedule(mode="window", steps=WINDOW, streams=256),
}


class _Bar:
    """A progress bar over the stages and epochs; quiet where nobody watches."""

    def __init__(self, bar: Any, task: Any) -> None:
        self._bar, self._task = bar, task

    def tell(self, text: str) -> None:
        """One stage or epoch more is done."""
        self._bar.update(self._task, advance=1, description=text)


@contextmanager
def _progress(total: int) -> Iterator[_Bar]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        yield _Bar(bar, bar.add_task("market", total=total))


STAGES = 5
"""Stages beside the epochs: market, features, equality, calibration, judgement."""


def train_to_folder(options: Options) -> Figures:
    """Train as asked, write the folder, return the figures.

    Raises:
        UsageError: ``out`` holds something else than a training.
        DataError: the tape is too short or damaged.
    """
    refuse_foreign_folder(options.out)
    schedule = options.schedule
    precision = precision_of(options.preset, options.table_bits)
    schema = schema_of(options.features) if options.features else default_schema()
    with _progress(schedule.epochs + schedule.fine_epochs + STAGES) as bar:
        tape = _tape(options)
        bar.tell("features")
        dataset = build_dataset(tape, schema)
        samples = samples_from(dataset, precision)
        bar.tell(f"{len(samples.features):,} ticks: training")
        trained = run_experiment(
            samples,
            options.preset,
            options.units,
            schedule,
            options.seed,
            bar.tell,
            options.digit_budget,
            options.table_bits,
        )
    digests = {
        "tape": tape.digest(),
        "schema": dataset.schema.digest(),
        "data_set": data_set_digest(samples),
        "weights": digest_of_bytes(
            b"".join(np.ascontiguousarray(a).tobytes() for a in trained.weights.arrays)
        ),
    }
    figures = Figures(options.command, digests, flat_figures(trained))
    write_training(
        options.out,
        trained.weights,
        _recipe(options, schedule, dataset, samples, trained, digests, tape),
        {**figures.to_json(), "tape": tape.name, "figures": trained.figures},
    )
    return figures


def _tape(options: Options) -> Tape:
    if options.tape is not None:
        return insert_timer_ticks(read_tape(options.tape))
    return insert_timer_ticks(simulate(MARKET_SEED, options.minutes * 60))


def data_set_digest(samples: Samples) -> str:
    """SHA-256 of features, targets, validity and blocks."""
    arrays = [samples.features, samples.begins, samples.local_ns]
    arrays += [array for target in samples.targets for array in (target.values, target.valid)]
    edges = [[block.start, block.stop] for block in samples.blocks.values()]
    return digest_of_bytes(
        b"".join(np.ascontiguousarray(array).tobytes() for array in (*arrays, np.array(edges)))
    )


def _recipe(
    options: Options,
    schedule: Schedule,
    dataset: DataSet,
    samples: Samples,
    trained: Trained,
    digests: dict[str, str],
    tape: Tape,
) -> Recipe:
    outputs = tuple(name for head in trained.heads for name in head.outputs)
    return Recipe(
        name=f"{tape.name}-{options.preset}",
        mode=options.mode,
        window=schedule.steps,
        precision=trained.precision,
        heads=trained.heads,
        calibration=tuple(tuple(int(k) for k in knots) for knots in trained.calibration),
        schema=dataset.schema,
        provenance={
            "command": options.command,
            "tape": tape.name,
            "digests": digests,
            "seed": options.seed,
            "label_thresholds": dict(dataset.thresholds),
            "score_quantiles": score_quantiles(
                "calibration block", outputs, _calibration_scores(samples, schedule, trained)
            ),
            "training": trained.figures,
        },
    )


def _calibration_scores(samples: Samples, schedule: Schedule, trained: Trained) -> IntArray:
    """[ticks, O] calibrated scores of the calibration block's warm ticks; logits for linear heads."""
    block = samples.blocks["calibration"]
    warm = evaluate.counted(samples, block, schedule.warm_up)
    probabilities = apply(trained.calibration, trained.calibration_raw)
    linear = np.repeat(
        [head.kind == "linear" for head in trained.heads],
        [len(head.outputs) for head in trained.heads],
    )
    scores: IntArray = np.where(linear, trained.calibration_logits, probabilities)[warm]
    return scores


def flat_figures(trained: Trained) -> dict[str, float]:
    """The figures that a table shows; all others are in ``training.json``."""
    f = trained.figures
    found: dict[str, float] = {"test_ticks_count": f["test_ticks"]}
    for name, model in f["direction"].items():
        interval = model["macro_f1"]
        found[f"{name}_macro_f1"] = interval["value"]
        found[f"{name}_macro_f1_low"] = interval["low"]
        found[f"{name}_macro_f1_high"] = interval["high"]
    recalls = f["direction"]["quantised"]["recall"]
    for name, value in zip(trained.heads[0].outputs, recalls, strict=True):
        found[f"quantised_recall_{name}"] = value
    for other, gain in f["gain"].items():
        for key, value in gain.items():
            found[f"gain_over_{other}" + ("" if key == "value" else f"_{key}")] = value
    for other, values in f["fidelity"].items():
        found[f"agreement_with_{other}_ratio"] = values["agreement"]
        found[f"delta_macro_f1_to_{other}"] = values["delta_macro_f1"]
    for name, head in f["heads"].items():
        for key in ("base_rate", "auc", "average_precision", "ece_before", "ece_after"):
            found[f"{name}_{key}"] = head[key]
        found[f"{name}_positives_training_count"] = head["positives_training"]
        found[f"{name}_trainable"] = float(head["trainable"])
    found["reference_mismatches_count"] = f["equal_to_reference"]["mismatches"]
    return found
