"""What a training run recorded about itself (`pyorch train`), as tables and curves of the page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyorch.app.journal import Journal
from pyorch.app.report.formats import count, fixed, percent, signed
from pyorch.contract.errors import DataError

MODELS = {
    "quantised": "quantised LSTM (what runs)",
    "float_same_weights": "the same weights, float",
    "float_rounded_weights": "rounded weights, float",
    "float_trained": "LSTM trained in float",
    "logistic": "logistic regression",
    "majority": "majority class",
}
"""Models of a training record, in the order of the table."""


@dataclass(frozen=True, slots=True)
class QualityTable:
    """A table of text cells; ``wide`` takes the full width of the page."""

    title: str
    note: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Training:
    """Tables of quality with baselines, and (title, name → value an epoch) of curves."""

    tables: tuple[QualityTable, ...] = ()
    curves: tuple[tuple[str, dict[str, Sequence[float]]], ...] = ()

    @classmethod
    def of(cls, journal: Journal) -> Training:
        """What the bundle's provenance holds; nothing for models that were not trained here."""
        record = journal.run.provenance.get("training")
        return cls.from_record(record) if isinstance(record, dict) else cls()

    @classmethod
    def load(cls, path: Path) -> Training:
        """Read the ``training.json`` that `pyorch train` writes.

        Raises:
            DataError: not such a file.
        """
        try:
            record = json.loads(path.read_bytes())
            return cls.from_record(record.get("figures", record))
        except (OSError, ValueError, AttributeError, KeyError, TypeError) as error:
            raise DataError(
                f"{path} is not the record of a training run ({type(error).__name__}: {error}); "
                "give the training.json that `pyorch train` wrote"
            ) from error

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Training:
        """From the JSON values of `hls.train`."""
        tables = [_direction(record)]
        tables += [table(record) for table in (_fidelity, _linear) if table(record).rows]
        tables.append(_heads(record))
        curves = [
            (
                f"{curve['arithmetic']} arithmetic",
                {"training loss": curve["loss"], "held-out loss": curve["stopping_loss"]},
            )
            for curve in record["curves"]
        ]
        scores = {curve["arithmetic"]: curve["stopping_f1"] for curve in record["curves"]}
        return cls(tuple(tables), (*curves, ("held-out macro-F1", scores)))


def _direction(record: dict[str, Any]) -> QualityTable:
    rows = []
    for key, name in MODELS.items():
        model = record["direction"].get(key)
        if model is None:
            continue
        f1 = model["macro_f1"]
        rows.append(
            (
                name,
                f"{fixed(f1['value'], 3)} [{fixed(f1['low'], 3)}, {fixed(f1['high'], 3)}]",
                *(fixed(value, 3) for value in model["recall"]),
                percent(model["accuracy"]),
            )
        )
    return QualityTable(
        "Direction over one second",
        f"{count(record['test_ticks'])} held-out ticks, 95 % intervals from blocks of 10 s",
        ("model", "macro-F1", "recall down", "stable", "up", "accuracy"),
        tuple(rows),
    )


def _fidelity(record: dict[str, Any]) -> QualityTable:
    rows = [
        (MODELS.get(key, key), percent(value["agreement"]), signed(value["delta_macro_f1"], 4))
        for key, value in record.get("fidelity", {}).items()
    ]
    rows += [
        (f"gain over {MODELS.get(key, key)}", "", _interval(value))
        for key, value in record.get("gain", {}).items()
    ]
    return QualityTable(
        "What quantisation costs, what the LSTM gains",
        "the quantised model against others on the same ticks",
        ("against", "same class", "difference of macro-F1"),
        tuple(rows),
    )


def _interval(value: dict[str, float]) -> str:
    return f"{signed(value['value'], 3)} [{signed(value['low'], 3)}, {signed(value['high'], 3)}]"


def _linear(record: dict[str, Any]) -> QualityTable:
    rows = [
        (
            name,
            value["unit"],
            fixed(value["mean_absolute_error"], 3),
            fixed(value["mean_absolute_error_of_median"], 3),
            fixed(value["r_squared"], 3),
        )
        for name, value in record.get("linear", {}).items()
    ]
    return QualityTable(
        "Values",
        "mean absolute error, beside that of always answering the median",
        ("output", "unit", "error", "of the median", "R²"),
        tuple(rows),
    )


def _heads(record: dict[str, Any]) -> QualityTable:
    rows = [
        (
            name + ("" if value["trainable"] else " (too few positives: not trained)"),
            percent(value["base_rate"]),
            count(value["positives_training"]),
            fixed(value["auc"], 3),
            fixed(value["average_precision"], 3),
            *(
                fixed(value[key], 4)
                for key in (
                    "brier_base_rate",
                    "brier_before",
                    "brier_after",
                    "ece_before",
                    "ece_after",
                )
            ),
            fixed(value["highest_score"], 3),
        )
        for name, value in record["heads"].items()
    ]
    return QualityTable(
        "Probabilities",
        "on held-out ticks, before and after the calibration map",
        (
            "output",
            "base rate",
            "positives trained on",
            "AUC",
            "average precision",
            "Brier of base rate",
            "Brier before",
            "Brier after",
            "calibration error before",
            "after",
            "highest score",
        ),
        tuple(rows),
        wide=True,
    )
