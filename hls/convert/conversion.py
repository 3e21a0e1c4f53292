"""`pyorch convert`: a model file or training folder becomes a bundle, confirmed by C simulation."""

from __future__ import annotations

import platform
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hls.convert.outline import DENSES
from hls.convert.reading import Draft, read_model
from hls.convert.source import Source, load_source
from hls.csim.library import Simulation
from hls.csim.workarounds import keras
from hls.recipe import PRESETS, Precision, Recipe
from pyorch.contract.bundle import Bundle
from pyorch.contract.digest import digest_of_bytes
from pyorch.contract.errors import BuildError, UsageError
from pyorch.inference.complete import complete_bundle, random_features
from pyorch.inference.reference import run_windows

SAMPLE = 256
"""Windows on which the bundle is compared with the Keras model's own float prediction."""

MODEL_NAMES = ("model.h5", "model.keras")


@dataclass(frozen=True, slots=True)
class Difference:
    """Bundle against the Keras model's own prediction, on random windows; not a fault, a price."""

    windows: int
    largest: float
    """Largest |Δlogit|."""
    mean: float
    """Mean |Δlogit|."""
    agreement: float
    """Share of windows with the same largest output."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """What a conversion found."""

    bundle: Bundle
    simulation: Simulation
    """hls4ml's program of the bundle, compiled."""
    difference: Difference
    confirmed: int
    """Golden logits that C simulation returned as the reference did: all of them."""
    remarks: tuple[str, ...]
    """What the user should know: formats widened, slopes approximated, states rounded."""


def find_model(path: Path) -> tuple[Path, Path | None]:
    """A model file and the recipe beside it, from a training folder or a file.

    Raises:
        UsageError: neither.
    """
    if path.is_dir():
        for name in MODEL_NAMES:
            if (path / name).is_file():
                recipe = path / "recipe.json"
                return path / name, recipe if recipe.is_file() else None
        raise UsageError(f"{path}: no {' or '.join(MODEL_NAMES)} in it; `pyorch train` writes one")
    return path, None


def convert_model(
    path: Path,
    *,
    recipe: Path | Recipe | None = None,
    precision: Precision = PRESETS["default"],
    window: int | None = None,
    cache: Path | None = None,
) -> Conversion:
    """Convert a model, and confirm the bundle by C simulation.

    Args:
        path: a ``.h5`` or ``.keras`` file, or a folder written by training.
        recipe: training's recipe; default: the one beside the model, if any.
        precision: formats of what a model without a recipe leaves open.
        window: vectors in a window, where neither recipe nor model says.
        cache: where compiled simulations are kept.

    Raises:
        UsageError: no such model, or no window length.
        ModelError: the contract does not carry the model; the message names the layer.
        BuildError: hls4ml or g++ failed, or what they made differs from the bundle.
    """
    file, beside = find_model(path)
    chosen = beside if recipe is None else recipe
    if isinstance(chosen, Path) and not chosen.is_file():
        raise UsageError(f"{chosen}: no such recipe; `pyorch train` writes one beside the model")
    loaded_recipe = Recipe.load(chosen) if isinstance(chosen, Path) else chosen
    source = load_source(file)
    draft = read_model(source, loaded_recipe, precision, window)
    bundle = complete_bundle(
        draft.spec, draft.weights, schema=loaded_recipe.schema if loaded_recipe else None
    )
    simulation = Simulation.build(bundle, cache=cache)
    confirmed = confirm_golden(bundle, simulation)
    difference = difference_to_keras(source, bundle)
    bundle = replace(
        bundle, provenance=_provenance(file, loaded_recipe, draft, simulation, difference)
    )
    return Conversion(bundle, simulation, difference, confirmed, tuple(draft.remarks))


def confirm_golden(bundle: Bundle, simulation: Simulation) -> int:
    """Let C simulation compute the golden logits; returns how many it confirmed.

    Raises:
        BuildError: one differs, so reference and simulation do not compute the same model.
    """
    confirmed = 0
    golden, spec = bundle.golden, bundle.spec
    features = golden["sequence_features"]
    if spec.mode == "stateful":
        sequence = simulation.steps(features).logits
    else:
        early = simulation.steps(features[: spec.window - 1]).logits
        slid = np.lib.stride_tricks.sliding_window_view(features, spec.window, axis=0)
        sequence = np.concatenate([early, simulation.windows(slid.transpose(0, 2, 1))])
    for kind, logits in (
        ("window", simulation.windows(golden["window_features"])),
        ("sequence", sequence),
    ):
        expected = golden[f"{kind}_logits"]
        wrong = np.argwhere(logits != expected)
        if len(wrong):
            row, output = (int(k) for k in wrong[0])
            raise BuildError(
                f"C simulation and reference differ in {len(wrong)} of {expected.size} golden {kind} "
                f"logits, first in {row}, output {spec.outputs[output]}: {int(logits[row, output])}, "
                f"reference {int(expected[row, output])}; run `pyorch check` on a bundle of this model"
            )
        confirmed += expected.size
    return confirmed


def difference_to_keras(source: Source, bundle: Bundle, windows: int = SAMPLE) -> Difference:
    """Logits of the bundle against the Keras model's own float logits on random windows."""
    spec = bundle.spec
    features = random_features(np.random.default_rng(1), spec, (windows, spec.window))
    logits, _ = run_windows(bundle, features)
    ours = spec.logits.to_float(logits)
    theirs = keras_logits(source, spec.input.to_float(features))
    delta = np.abs(ours - theirs)
    agreement = float((ours.argmax(axis=1) == theirs.argmax(axis=1)).mean())
    return Difference(windows, float(delta.max()), float(delta.mean()), agreement)


def keras_logits(source: Source, features: NDArray[np.float64]) -> NDArray[np.float64]:
    """The loaded model's prediction [n, O] before a final softmax or sigmoid; features [n, T, F]."""
    model, last = source.model, source.layers[-1]
    linear = keras().activations.linear
    if source.outline.layers[-1].kind in DENSES:
        if getattr(last.activation, "__name__", "") in ("softmax", "sigmoid"):
            last.activation = linear
    elif getattr(getattr(last, "activation", last), "__name__", type(last).__name__) in (
        "softmax",
        "sigmoid",
        "Softmax",
    ):
        model = keras().Model(model.inputs, last.input)
    predicted = model.predict(features.astype(np.float32), verbose=0, batch_size=len(features))
    return np.asarray(predicted, dtype=np.float64)


def _provenance(
    file: Path,
    recipe: Recipe | None,
    draft: Draft,
    simulation: Simulation,
    difference: Difference,
) -> dict[str, Any]:
    tools = ("hls4ml", "qkeras", "tensorflow", "tf_keras", "numpy")
    return {
        **(recipe.provenance if recipe else {}),
        "conversion": {
            "model_file": file.name,
            "model_sha256": digest_of_bytes(file.read_bytes()),
            "recipe": recipe is not None,
            "remarks": list(draft.remarks),
            "simulation_sources_sha256": simulation.project.digest(),
            "difference_to_keras": {
                "windows": difference.windows,
                "largest_logit": difference.largest,
                "mean_logit": difference.mean,
                "class_agreement": difference.agreement,
            },
            "tools": {name: version(name) for name in tools}
            | {"python": platform.python_version()},
        },
    }
