"""What training hands to conversion besides the Keras model: formats, heads, calibration, schema.

Training writes a folder: ``model.h5`` (a plain QKeras model: QLSTM layers, then one QDense), and
``recipe.json`` (this). A user's model without a recipe is converted with a preset's formats.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec

from pyorch.contract.digest import canonical_json, write_atomically
from pyorch.contract.errors import ModelError
from pyorch.contract.fixed import FixedFormat
from pyorch.contract.model import Head
from pyorch.contract.precision import PRESETS as PRESETS
from pyorch.contract.precision import Precision as Precision
from pyorch.contract.schema import FeatureSchema


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a trained model becomes a bundle.

    Attributes:
        precision: one for all layers.
        heads: over the outputs of the last dense layer, in order.
        calibration: per output 17 knots in 15-bit probabilities; empty: the identity.
        schema: the feature schema; None for models that are not on features.
        provenance: free-form JSON that ends up in the manifest: seeds, figures, digests.
    """

    name: str
    mode: Literal["window", "stateful"]
    window: int
    precision: Precision = field(default_factory=Precision)
    heads: tuple[Head, ...] = ()
    calibration: tuple[tuple[int, ...], ...] = ()
    schema: FeatureSchema | None = None
    provenance: dict[str, Any] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        """Write ``recipe.json``."""
        value = msgspec.to_builtins(self, enc_hook=lambda v: str(v))
        write_atomically(path, canonical_json(value) + b"\n")

    @classmethod
    def load(cls, path: Path) -> Recipe:
        """Read ``recipe.json``.

        Raises:
            ModelError: not a recipe; the message names the field.
        """
        try:
            return msgspec.convert(
                json.loads(path.read_bytes()), cls, dec_hook=lambda _, text: FixedFormat.parse(text)
            )
        except (ValueError, msgspec.ValidationError) as error:
            raise ModelError(f"{path}: not a recipe: {error}") from error
