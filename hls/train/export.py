"""The folder that training writes: a plain QKeras model, the recipe for conversion, the record."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import warnings
from pathlib import Path
from typing import Any

from hls.recipe import Recipe
from hls.train.assemble import DENSE_NAME, LSTM_NAME
from hls.train.backend import tensorflow
from hls.train.network import Weights
from pyorch.contract.errors import UsageError
from pyorch.contract.fixed import FixedFormat
from pyorch.contract.precision import Precision

MODEL, RECIPE, RECORD = "model.h5", "recipe.json", "training.json"


def refuse_foreign_folder(folder: Path) -> None:
    """Training replaces only what training wrote.

    Raises:
        UsageError: the folder holds something else.
    """
    if folder.exists() and (
        not folder.is_dir() or (any(folder.iterdir()) and not (folder / RECIPE).is_file())
    ):
        raise UsageError(
            f"{folder} exists and is no folder of a training (no {RECIPE}): choose another --out"
        )


def write_training(folder: Path, weights: Weights, recipe: Recipe, record: dict[str, Any]) -> None:
    """Write the folder whole or not at all; a training of that name is replaced.

    Args:
        weights: as trained; the model holds them quantised.
        record: all figures and curves, as plain JSON.

    Raises:
        UsageError: ``folder`` holds something else than a training.
    """
    refuse_foreign_folder(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        model = plain_model(weights.quantised(recipe.precision), recipe.precision, recipe.window)
        with warnings.catch_warnings():  # HDF5 is meant, and QKeras' quantizers are in place
            warnings.simplefilter("ignore", UserWarning)
            model.save(str(temporary / MODEL), save_format="h5", include_optimizer=False)
        recipe.save(temporary / RECIPE)
        text = json.dumps(record, indent=1, sort_keys=True, allow_nan=False)
        (temporary / RECORD).write_text(text + "\n")
        temporary.chmod(0o777 & ~_umask())
        if folder.exists():
            shutil.rmtree(folder)
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def plain_model(weights: Weights, precision: Precision, steps: int) -> Any:
    """QLSTM and QDense of stock QKeras with the given (already quantised) weights."""
    keras = tensorflow().keras
    from qkeras import QLSTM, QDense

    p = precision
    features, units = weights.kernel.shape[0], weights.recurrent.shape[0]
    model = keras.Sequential(
        [
            keras.layers.Input((steps, features), name="features"),
            QLSTM(
                units,
                activation="tanh",
                recurrent_activation="sigmoid",
                kernel_quantizer=quantizer_text(p.kernel),
                recurrent_quantizer=quantizer_text(p.recurrent),
                bias_quantizer=quantizer_text(p.bias),
                name=LSTM_NAME,
            ),
            QDense(
                weights.dense_bias.size,
                kernel_quantizer=quantizer_text(p.dense_kernel),
                bias_quantizer=quantizer_text(p.dense_bias),
                name=DENSE_NAME,
            ),
        ],
        name="trained",
    )
    model.set_weights(list(weights.arrays))
    return model


def quantizer_text(target: FixedFormat) -> str:
    """The stock QKeras quantizer whose values are the format's; weights on its grid pass unchanged."""
    return f"quantized_bits({target.width},{target.integer - 1},alpha=1)"


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
