"""One training, whole: float model, quantised model, baselines, calibration, figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from hls.digits import digits_per_row
from hls.train import evaluate
from hls.train.assemble import LSTM_NAME, assemble
from hls.train.backend import seed_everything
from hls.train.baselines import logistic, majority
from hls.train.calibration import fit_maps
from hls.train.loop import Curve, Schedule, Trainer
from hls.train.network import Network, Weights
from hls.train.predict import STREAM_TICKS, network_logits, reference_logits
from hls.train.samples import FloatArray, Samples, Target, class_weighting
from pyorch.contract.errors import MismatchError
from pyorch.contract.fixed import IntArray
from pyorch.contract.model import Head
from pyorch.contract.precision import PRESETS, Precision, precision_of
from pyorch.inference.tables import identity_calibration

COMPARED_PRESET = "default"
"""Other presets are fine-tuned beside this one, from the same float weights, to show what they cost."""
CLASS_POWER = 0.75
"""Classes weigh (frequent / rare) to this power: between as they come (0) and all alike (1)."""


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training made.

    Attributes:
        weights: as trained; `Weights.quantised` gives what hardware holds.
        heads: with their trainability.
        calibration: [O, 17] knots.
        calibration_logits, calibration_raw: [ticks of the calibration block, O] raw logits, and
            probabilities before their map.
        figures: all figures and curves, as plain JSON.
    """

    weights: Weights
    precision: Precision
    heads: tuple[Head, ...]
    calibration: IntArray
    calibration_logits: IntArray
    calibration_raw: IntArray
    figures: dict[str, Any]


def run_experiment(
    samples: Samples,
    preset: str,
    units: int,
    schedule: Schedule,
    seed: int,
    tell: Callable[[str], None] = lambda _: None,
    digit_budget: int | None = None,
    table_bits: int | None = None,
) -> Trained:
    """Train, calibrate and judge.

    Args:
        preset: of `pyorch.contract.precision.PRESETS`.
        tell: told what was done, once an epoch and once a later stage.
        digit_budget: most signed digits of a row of W, and of a row of R; a model without that limit is
            trained beside it.
        table_bits: of the tables' index; default: the preset's.

    Raises:
        MismatchError: the trained network and the integer reference disagree on the test block.
    """
    precision = precision_of(preset, table_bits)
    seed_everything(seed)
    samples = replace(samples, targets=tuple(_judged(samples, t) for t in samples.targets))
    weighting = class_weighting(samples, CLASS_POWER)
    network = Network(samples.features.shape[1], units, samples.outputs, precision, seed)
    trainer = Trainer(network, samples, weighting, schedule, seed, digit_budget)
    window = schedule.steps if schedule.mode == "window" else None
    test = samples.blocks["test"]

    curves = [trainer.train("float", schedule.epochs, schedule.rate, tell)]
    float_logits = network_logits(network, samples, test, window, "float")
    beside: dict[str, FloatArray] = {}
    if preset != COMPARED_PRESET:
        wide = Network(
            samples.features.shape[1], units, samples.outputs, PRESETS[COMPARED_PRESET], 0
        )
        wide.assign(network.weights())
        peer = Trainer(wide, samples, weighting, schedule, seed)
        peer.train("contract", schedule.fine_epochs, schedule.fine_rate, tell)
        beside["default_preset"] = network_logits(wide, samples, test, window, "contract")
    if digit_budget is not None:
        free = Network(samples.features.shape[1], units, samples.outputs, precision, 0)
        free.assign(network.weights())
        peer = Trainer(free, samples, weighting, schedule, seed)
        peer.train("contract", schedule.fine_epochs, schedule.fine_rate, tell)
        beside["any_digits"] = network_logits(free, samples, test, window, "contract")
    curves.append(trainer.train("contract", schedule.fine_epochs, schedule.fine_rate, tell))

    weights = network.weights()
    heads = tuple(target.head for target in samples.targets)
    bundle = assemble("trained", schedule.mode, schedule.steps, weights, precision, heads)
    raw_test = reference_logits(bundle, samples, test, window)
    forward = network_logits(network, samples, test, window, "contract")
    mismatches = int(np.count_nonzero(forward != precision.logits.to_float(raw_test)))
    if mismatches:
        raise MismatchError(
            f"{mismatches} of {forward.size} logits of the trained network differ from the integer "
            "reference; the cell no longer trains to the contract"
        )
    tell("equal to the integer reference")
    unrounded = network_logits(network, samples, test, window, "float")
    network.assign(weights.quantised(precision))
    rounded_weights = network_logits(network, samples, test, window, "float")
    network.assign(weights)

    fitting = samples.blocks["calibration"]
    fitting_logits = reference_logits(bundle, samples, fitting, window)
    fitting_raw = evaluate.raw_probabilities(bundle, fitting_logits)
    maps = _calibrate(samples, evaluate.counted(samples, fitting, schedule.warm_up), fitting_raw)
    tell("calibrated")

    direction = samples.columns("direction")
    warm = evaluate.counted(samples, test, schedule.warm_up)
    rows = np.flatnonzero(warm & samples.target("direction").valid[test].all(axis=1))
    judge = evaluate.DirectionFigures(samples, rows + test.start, seed)
    answers: dict[str, Any] = {
        "quantised": raw_test,
        "float_same_weights": unrounded,
        "float_rounded_weights": rounded_weights,
        "float_trained": float_logits,
        **beside,
    }
    classes = {name: z[rows][:, direction].argmax(axis=1) for name, z in answers.items()}
    classes["majority"] = majority(samples)[test][rows]
    classes["logistic"] = logistic(samples, test, weighting.positive[0])[rows]
    models = {name: judge.of(answer) for name, answer in classes.items()}
    f1 = models["quantised"]["macro_f1"]["value"]
    ages = []
    if window is None:
        cold = network_logits(network, samples, test, None, "contract", warm_up=0)
        ages = evaluate.by_state_age(
            np.minimum(rows % STREAM_TICKS, samples.age[test][rows]),
            judge.truth,
            cold[rows][:, direction].argmax(axis=1),
            classes["quantised"],
            judge.classes,
        )
    tell(f"macro-F1 {f1:.3f}")
    figures = {
        "preset": preset,
        "mode": schedule.mode,
        "steps": schedule.steps,
        "units": units,
        "seed": seed,
        "schedule": asdict(schedule),
        "class_power": CLASS_POWER,
        "blocks": _block_figures(samples),
        "curves": [asdict(curve) for curve in curves],
        "direction": models,
        "gain": {
            other: judge.gain(classes["quantised"], classes[other])
            for other in ("majority", "logistic", "float_trained", *beside)
        },
        "fidelity": {
            other: evaluate.fidelity(
                classes["quantised"], classes[other], f1, models[other]["macro_f1"]["value"]
            )
            for other in ("float_same_weights", "float_rounded_weights", "float_trained")
        },
        "heads": evaluate.head_figures(
            samples, test, warm, evaluate.raw_probabilities(bundle, raw_test), maps
        ),
        "linear": evaluate.linear_figures(samples, test, warm, precision.logits.to_float(raw_test)),
        "by_state_age": ages,
        "equal_to_reference": {"logits": int(forward.size), "mismatches": mismatches},
        "test_ticks": len(rows),
        "epochs": _epochs(curves),
        "digits": _digits(bundle.weights, digit_budget),
    }
    return Trained(weights, precision, heads, maps, fitting_logits, fitting_raw, figures)


def _digits(weights: dict[str, IntArray], budget: int | None) -> dict[str, Any]:
    """Signed digits a row of W and of R: the most, and the mean."""
    found: dict[str, Any] = {"budget": budget}
    for name, array in weights.items():
        if name.endswith((".kernel", ".recurrent")) and name.startswith(LSTM_NAME):
            digits = digits_per_row(array)
            found[name] = {"most": int(digits.max()), "mean": float(digits.mean())}
    return found


def _judged(samples: Samples, target: Target) -> Target:
    """The target with its head's trainability settled: 200 positives of every output in training."""
    if target.head.kind == "linear":
        return target
    fewest = int(evaluate.positives(samples, target.head.name).min())
    enough = fewest >= evaluate.FEWEST_POSITIVES
    return replace(target, head=replace(target.head, trainable=enough))


def _calibrate(samples: Samples, warm: Any, raw: IntArray) -> IntArray:
    """Maps fitted on the calibration block, for trainable probability heads alone."""
    block = samples.blocks["calibration"]
    truths = np.concatenate([t.values[block] for t in samples.targets], axis=1)
    valid = np.concatenate([t.valid[block] for t in samples.targets], axis=1) & warm[:, None]
    wanted = [
        t.head.trainable and t.head.kind != "linear"
        for t in samples.targets
        for _ in t.head.outputs
    ]
    if not any(wanted):
        return identity_calibration(samples.outputs)
    return fit_maps(raw, truths, valid, wanted)


def _block_figures(samples: Samples) -> dict[str, dict[str, float]]:
    return {
        name: {
            "ticks": block.stop - block.start,
            "seconds": float(samples.local_ns[block.stop - 1] - samples.local_ns[block.start])
            / 1e9,
        }
        for name, block in samples.blocks.items()
    }


def _epochs(curves: list[Curve]) -> dict[str, int]:
    return {f"{curve.arithmetic}_best": curve.best + 1 for curve in curves} | {
        f"{curve.arithmetic}_run": len(curve.loss) for curve in curves
    }
