"""Feature schemas: what each input of a model is, declared once, as data.

The streaming features (native), the batch features (NumPy) and, later, generated RTL all read the same
declarations. A feature is an integer at every stage: a raw integer (ticks, lots, counts, logarithms in
1/256 octave, ...), then ``saturate((raw - offset) * multiplier >> shift)`` into ``format``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from pyorch.contract.digest import digest_of
from pyorch.contract.errors import BundleError
from pyorch.contract.fixed import FixedFormat


@dataclass(frozen=True, slots=True)
class Feature:
    """One input.

    Attributes:
        name: unique in its schema, with the window where it has one: ``trade_flow_1s``.
        kind: which computation (`pyorch.features.definitions` lists them with their arithmetic).
        unit: unit of the raw integer.
        parameters: integers that the kind takes (depth, bucket bits, shift, ...).
        offset, multiplier, shift: normalisation, from the training block only;
            ``((raw - offset) * multiplier + (1 << (shift - 1))) >> shift``, then saturated.
    """

    name: str
    kind: str
    unit: str
    parameters: dict[str, int] = field(default_factory=dict)
    offset: int = 0
    multiplier: int = 1
    shift: int = 0


@dataclass(frozen=True, slots=True)
class FeatureSchema:
    """The inputs of a model, in order, and their common fixed-point format."""

    features: tuple[Feature, ...]
    format: FixedFormat = FixedFormat(8, 3)
    instruments: int = 1
    """How many instruments of the tape the features read (2: with a basis)."""
    version: int = 1

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the features, in order."""
        return tuple(feature.name for feature in self.features)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; the format as text."""
        value: dict[str, Any] = msgspec.to_builtins(self, enc_hook=lambda v: str(v))
        return value

    @classmethod
    def from_json(cls, value: Any) -> FeatureSchema:
        """The inverse of `to_json`.

        Raises:
            BundleError: a field is missing or of a wrong type; the message names it.
        """
        try:
            return msgspec.convert(value, cls, dec_hook=lambda _, text: FixedFormat.parse(text))
        except msgspec.ValidationError as error:
            raise BundleError(f"feature schema: {error}") from error

    def digest(self) -> str:
        """SHA-256 of the schema's canonical JSON."""
        return digest_of(self.to_json())
