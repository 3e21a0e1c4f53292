"""Fixed-point formats with the meaning of ``ap_fixed<W, I, Q, O>``.

A value is a raw integer ``r``; the number it stands for is ``r * 2**-fraction``. Engines exchange
raw integers. Source of the semantics: AMD UG1399, "Arbitrary precision fixed-point data types".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyorch.contract.errors import UsageError

IntArray = NDArray[np.int64]

_PATTERN = re.compile(
    r"^(?:ap_)?(u?)fixed<\s*(\d+)\s*,\s*(-?\d+)\s*(?:,\s*(?:AP_)?(\w+)\s*)?(?:,\s*(?:AP_)?(\w+)\s*)?"
    r"(?:,\s*0\s*)?>$"
)


class Rounding(Enum):
    """What happens to bits below the last place."""

    TRN = "TRN"
    """Towards minus infinity: the bits are dropped."""
    RND = "RND"
    """To nearest, halves towards plus infinity: add half, then drop."""


class Overflow(Enum):
    """What happens to values outside the range."""

    WRAP = "WRAP"
    """The high bits are dropped."""
    SAT = "SAT"
    """The nearest end of the range."""


@dataclass(frozen=True, slots=True)
class FixedFormat:
    """``width`` bits, of which ``integer`` (with the sign, if signed) lie before the binary point."""

    width: int
    integer: int
    signed: bool = True
    rounding: Rounding = Rounding.RND
    overflow: Overflow = Overflow.SAT

    def __post_init__(self) -> None:
        if not 1 <= self.width <= 64:
            raise UsageError(
                f"fixed-point width {self.width} is outside 1..64 in <{self.width},{self.integer}>"
            )

    @classmethod
    def parse(cls, text: str) -> FixedFormat:
        """Read ``fixed<16,4,RND,SAT>``, ``ap_fixed<...>`` or ``ufixed<...>``.

        Omitted modes are those of ``ap_fixed``: TRN and WRAP.

        Raises:
            UsageError: the text is not such a type, or a mode is not supported.
        """
        match = _PATTERN.match(text.strip())
        if match is None:
            raise UsageError(f"{text!r} is not a fixed-point type; write fixed<16,4,RND,SAT>")
        unsigned, width, integer, rounding, overflow = match.groups()
        try:
            return cls(
                int(width),
                int(integer),
                not unsigned,
                Rounding(rounding or "TRN"),
                Overflow(overflow or "WRAP"),
            )
        except ValueError as error:
            raise UsageError(
                f"{text!r}: {error}; supported are TRN and RND, WRAP and SAT"
            ) from error

    def __str__(self) -> str:
        sign = "" if self.signed else "u"
        return (
            f"{sign}fixed<{self.width},{self.integer},{self.rounding.value},{self.overflow.value}>"
        )

    @property
    def fraction(self) -> int:
        """Bits behind the binary point."""
        return self.width - self.integer

    @property
    def minimum(self) -> int:
        """Smallest raw integer."""
        return -(1 << (self.width - 1)) if self.signed else 0

    @property
    def maximum(self) -> int:
        """Largest raw integer."""
        return (1 << (self.width - 1)) - 1 if self.signed else (1 << self.width) - 1

    @property
    def lsb(self) -> float:
        """The value of one raw step."""
        return 2.0**-self.fraction

    def convert(self, raw: Any, fraction: int) -> IntArray:
        """Raw integers with ``fraction`` fractional bits → raw integers of this format.

        Args:
            raw: int64 array of any shape; ``raw << max(0, self.fraction - fraction)`` and the
                rounding addend must fit in 64 bits.
            fraction: fractional bits of ``raw``.
        """
        value = np.asarray(raw, dtype=np.int64)
        drop = fraction - self.fraction
        if drop > 0:
            if self.rounding is Rounding.RND:
                value = value + (np.int64(1) << np.int64(drop - 1))
            value = value >> np.int64(drop)
        elif drop < 0:
            value = value << np.int64(-drop)
        return self.fit(value)

    def fit(self, raw: Any) -> IntArray:
        """Apply the overflow mode to raw integers that already have this format's binary point."""
        value = np.asarray(raw, dtype=np.int64)
        if self.overflow is Overflow.SAT:
            clipped: IntArray = np.clip(value, self.minimum, self.maximum)
            return clipped
        if self.width == 64:
            return value
        mask = np.int64((1 << self.width) - 1)
        value = value & mask
        if self.signed:
            value = np.where(value > self.maximum, value - (np.int64(1) << self.width), value)
        return value

    def quantise(self, values: Any) -> IntArray:
        """Real numbers → raw integers of this format (float64 scaling by a power of two is exact)."""
        scaled = np.asarray(values, dtype=np.float64) * 2.0**self.fraction
        if not np.all(np.isfinite(scaled)):
            count = int(np.count_nonzero(~np.isfinite(scaled)))
            raise UsageError(
                f"{count} of {scaled.size} values are NaN or infinite: not quantisable"
            )
        offset = 0.5 if self.rounding is Rounding.RND else 0.0
        limit = 2.0**62
        return self.fit(np.floor(np.clip(scaled, -limit, limit) + offset).astype(np.int64))

    def to_float(self, raw: Any) -> NDArray[np.float64]:
        """The real numbers that raw integers stand for (exact for widths up to 53)."""
        return np.asarray(raw, dtype=np.float64) * self.lsb
