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
from pyorch.contract.schema import FeatureSchema


def _f(text: str) -> FixedFormat:
    return FixedFormat.parse(text)


@dataclass(frozen=True, slots=True)
class Precision:
    """The formats of every named rounding point of a model."""

    input: FixedFormat = _f("fixed<8,3,RND,SAT>")
    kernel: FixedFormat = _f("fixed<8,1,RND,SAT>")
    recurrent: FixedFormat = _f("fixed<8,1,RND,SAT>")
    bias: FixedFormat = _f("fixed<12,3,RND,SAT>")
    hidden: FixedFormat = _f("fixed<12,1,RND,SAT>")
    cell: FixedFormat = _f("fixed<16,4,RND,SAT>")
    table: FixedFormat = _f("fixed<13,1,RND,SAT>")
    index: Literal["mid", "hls4ml"] = "mid"
    index_bits: int = 10
    dense_kernel: FixedFormat = _f("fixed<8,1,RND,SAT>")
    dense_bias: FixedFormat = _f("fixed<12,3,RND,SAT>")
    logits: FixedFormat = _f("fixed<16,6,RND,SAT>")


PRESETS = {
    "default": Precision(),
    "narrow": Precision(  # for fully parallel hardware: every bit of h crosses the chip
        kernel=_f("fixed<6,1,RND,SAT>"),
        recurrent=_f("fixed<6,1,RND,SAT>"),
        bias=_f("fixed<8,3,RND,SAT>"),
        hidden=_f("fixed<8,1,RND,SAT>"),
        table=_f("fixed<8,1,RND,SAT>"),
        index_bits=8,
        dense_kernel=_f("fixed<6,1,RND,SAT>"),
        dense_bias=_f("fixed<8,3,RND,SAT>"),
    ),
}


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
