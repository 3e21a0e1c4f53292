"""Proof that a data set does not look ahead: recompute from what was known, and demand equality.

A feature that reads the future, a label slipped in among the features, statistics of the whole tape, or
a training label that reaches into the calibration block all change something that these checks
recompute from a tape that ends earlier.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from pyorch.contract.fixed import IntArray
from pyorch.features import normalise
from pyorch.features.batch import normalise as apply_normalisation
from pyorch.features.dataset import BLOCKS, DataSet
from pyorch.features.definitions import COMPRESSED, with_knees
from pyorch.features.labels import make_labels
from pyorch.features.streaming import compute_with_book
from pyorch.market.tape import Tape

DEFAULT_PREFIXES = 8


@dataclass(frozen=True, slots=True)
class Leak:
    """One way in which the future reaches a model.

    Attributes:
        check: ``features``, ``normalisation``, ``thresholds``, ``labels``, ``purge`` or ``embargo``.
        what: the feature, label or block.
        message: how much, and where.
    """

    check: str
    what: str
    message: str


def check_for_leaks(dataset: DataSet, prefixes: int = DEFAULT_PREFIXES) -> list[Leak]:
    """Every leak found; an empty list means none.

    Args:
        prefixes: at how many ticks, spread over the tape, features are recomputed from the tape up to
            that tick.
    """
    return [
        *_features(dataset, prefixes),
        *_statistics(dataset),
        *_labels(dataset),
        *_blocks(dataset),
    ]


def _prefix(dataset: DataSet, tick: int) -> Tape:
    """The tape up to the row that made a tick."""
    events = dataset.tape.events[: int(dataset.row[tick]) + 1].copy()
    return Tape(events, dataset.tape.instruments, f"{dataset.tape.name} up to tick {tick:,}")


def _features(dataset: DataSet, prefixes: int) -> list[Leak]:
    ticks = len(dataset.row)
    seen: dict[str, Leak] = {}
    for tick in np.unique(
        np.linspace(min(ticks - 1, 64), ticks - 1, prefixes).astype(int)
    ).tolist():
        known = dataset.compute(_prefix(dataset, tick), dataset.schema)
        features = apply_normalisation(known.raw, dataset.schema)
        have = dataset.features[: tick + 1]
        if features.shape != have.shape:
            seen.setdefault(
                "",
                Leak(
                    "features",
                    "ticks",
                    f"up to tick {tick:,} the tape makes {len(features):,} ticks of "
                    f"{features.shape[1]} features, the data set has {len(have):,} of {have.shape[1]}",
                ),
            )
            continue
        for position in np.flatnonzero(np.any(features != have, axis=0)).tolist():
            name = dataset.schema.names[position]
            wrong = np.flatnonzero(features[:, position] != have[:, position])
            seen.setdefault(
                name,
                Leak(
                    "features",
                    name,
                    f"{len(wrong):,} of {tick + 1:,} ticks differ when computed without what follows "
                    f"tick {tick:,}, first at tick {int(wrong[0]):,}",
                ),
            )
    return list(seen.values())


def _statistics(dataset: DataSet) -> list[Leak]:
    if not dataset.fitted_here:
        return []
    training = dataset.blocks["train"]
    known = _prefix(dataset, training.stop - 1)
    zero = {one.name: 0 for one in dataset.schema.features if one.kind in COMPRESSED}
    plain = with_knees(dataset.schema, zero)
    plain = replace(
        plain,
        features=tuple(replace(one, offset=0, multiplier=1, shift=0) for one in plain.features),
    )
    schema = normalise.fit_knees(plain, dataset.compute(known, plain).raw[training])
    schema = normalise.fit(schema, dataset.compute(known, schema).raw[training])
    return [
        Leak(
            "normalisation",
            have.name,
            f"(offset, multiplier, shift, parameters) are {_statistic(have)}; the training block alone "
            f"gives {_statistic(fitted)}",
        )
        for have, fitted in zip(dataset.schema.features, schema.features, strict=True)
        if have != fitted
    ]


def _statistic(feature: object) -> tuple[object, ...]:
    return tuple(getattr(feature, name) for name in ("offset", "multiplier", "shift", "parameters"))


def _labels(dataset: DataSet) -> list[Leak]:
    """Labels of each block again, from a tape that ends with the block."""
    leaks: list[Leak] = []
    options = dataset.options.labels
    for block in BLOCKS:
        ticks = dataset.blocks[block]
        if ticks.stop <= ticks.start:
            continue
        table, book = compute_with_book(
            _prefix(dataset, ticks.stop - 1),
            dataset.schema,
            options.near_levels,
            dataset.slippage_lots,
        )
        chosen = None if block == "train" and dataset.fitted_here else dataset.thresholds
        training = dataset.blocks["train"]
        labels, thresholds = make_labels(
            table, book, options, dataset.slippage_lots, training, chosen
        )
        leaks += [
            Leak(
                "thresholds",
                name,
                f"is {dataset.thresholds.get(name)}; the training block alone gives {value}",
            )
            for name, value in thresholds.items()
            if dataset.thresholds.get(name) != value
        ]
        for name, label in labels.items():
            used = dataset.valid[name][ticks]
            early = used & ~label.valid[ticks]
            if early.any():
                leaks.append(
                    Leak(
                        "purge",
                        name,
                        f"{int(early.sum()):,} labels of the block {block} look past its end",
                    )
                )
            wrong = used & ~early & (dataset.labels[name][ticks] != label.values[ticks])
            if wrong.any():
                leaks.append(
                    Leak(
                        "labels",
                        name,
                        f"{int(wrong.sum()):,} labels of the block {block} are others when made from a "
                        "tape that ends with it",
                    )
                )
    return leaks


def _blocks(dataset: DataSet) -> list[Leak]:
    leaks = []
    filled = [name for name in BLOCKS if dataset.blocks[name].stop > dataset.blocks[name].start]
    for earlier, later in pairwise(filled):
        times: IntArray = dataset.local_ns
        last = int(times[dataset.blocks[earlier].stop - 1])
        gap = int(times[dataset.blocks[later].start]) - last
        if dataset.blocks[later].start < dataset.blocks[earlier].stop or (
            gap < dataset.options.embargo_ns
        ):
            leaks.append(
                Leak(
                    "embargo",
                    later,
                    f"begins {gap / 1e9:g} s after the end of {earlier}; the embargo is "
                    f"{dataset.options.embargo_ns / 1e9:g} s",
                )
            )
    return leaks
