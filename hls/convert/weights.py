"""Weights of a loaded model as raw integers with a format: by its own quantizers, or by a preset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hls.convert.outline import Layer
from pyorch.contract.fixed import FixedFormat, IntArray

WIDEST = 24
"""Bits that float32, in which models store their weights, holds exactly."""

WIDEST_PRESET = 16
"""Bits up to which a preset's format is widened for weights beyond its range."""


@dataclass(frozen=True, slots=True)
class Quantised:
    """Raw integers, their format, and a remark for the user where the format was not the preset's."""

    raw: IntArray
    form: FixedFormat
    remark: str = ""


def quantise(
    layer: Layer,
    part: str,
    values: NDArray[Any],
    quantizer: Any,
    wanted: FixedFormat,
    *,
    strict: bool,
) -> Quantised:
    """Weights → integers.

    Args:
        part: ``kernel``, ``recurrent`` or ``bias``.
        quantizer: the layer's own QKeras quantizer, or None.
        wanted: the format of the recipe or preset.
        strict: the recipe's format holds, nothing else.

    Raises:
        ModelError: the quantizer's values are not on a grid of powers of two, or not on the recipe's.
    """
    if quantizer is None:
        return _by_format(layer, part, np.asarray(values, dtype=np.float64), wanted, strict)
    rounded = np.asarray(quantizer(values), dtype=np.float64)
    form = wanted if strict else _grid(layer, part, quantizer, rounded)
    raw = form.quantise(rounded)
    off = int(np.count_nonzero(form.to_float(raw) != rounded))
    if off:
        raise layer.refuse(
            f"has {off} of {rounded.size} {part} values, quantised by its own {_name(quantizer)}, that "
            f"are not on the grid of {form}: give the recipe the quantizer's format"
        )
    return Quantised(raw, form)


def _by_format(
    layer: Layer, part: str, values: NDArray[np.float64], wanted: FixedFormat, strict: bool
) -> Quantised:
    form = wanted
    largest = float(np.abs(values).max()) if values.size else 0.0
    if not strict:
        while form.width < WIDEST_PRESET and _saturates(values, form):
            form = FixedFormat(
                form.width + 1, form.integer + 1, True, wanted.rounding, wanted.overflow
            )
    saturated = int(np.count_nonzero(_outside(values, form)))
    remark = ""
    if form != wanted:
        remark = f"{layer.name}: {part} reaches {largest:.3g}, so {form} instead of {wanted}"
    if saturated:
        remark = f"{layer.name}: {saturated} of {values.size} {part} values saturate in {form}"
    return Quantised(form.quantise(values), form, remark)


def _outside(values: NDArray[np.float64], form: FixedFormat) -> Any:
    scaled = np.floor(values * 2.0**form.fraction + 0.5)
    # one step beyond the end is what rounding a value next to it gives: not worth another bit
    return (scaled > form.maximum + 1) | (scaled < form.minimum)


def _saturates(values: NDArray[np.float64], form: FixedFormat) -> bool:
    return bool(np.any(_outside(values, form)))


def _grid(layer: Layer, part: str, quantizer: Any, values: NDArray[np.float64]) -> FixedFormat:
    """The quantizer's own format where it is fixed point, else the narrowest that holds the values."""
    bits, integer = getattr(quantizer, "bits", None), getattr(quantizer, "integer", None)
    if type(quantizer).__name__ == "quantized_bits" and bits is not None and integer is not None:
        signed = 1 if getattr(quantizer, "keep_negative", True) else 0
        form = FixedFormat(int(bits) + 1 - signed, int(integer) + 1)
        if np.array_equal(form.to_float(form.quantise(values)), values):
            return form
    for fraction in range(-8, WIDEST + 1):
        scaled = values * 2.0**fraction
        if np.array_equal(scaled, np.rint(scaled)):
            largest = int(np.abs(scaled).max()) if scaled.size else 0
            width = largest.bit_length() + 1
            if width <= WIDEST:
                return FixedFormat(max(width, 2), max(width, 2) - fraction)
    raise layer.refuse(
        f"has a {part} whose quantizer {_name(quantizer)} gives values on no grid of powers of two within "
        f"{WIDEST} bits: use quantized_bits with alpha=1 or alpha='auto_po2'"
    )


def _name(quantizer: Any) -> str:
    return str(getattr(quantizer, "__name__", type(quantizer).__name__))


def fixed_format_of(layer: Layer, quantizer: Any) -> FixedFormat:
    """The format of a ``quantized_bits`` or ``quantized_relu`` that rounds values (not weights).

    A relu's unsigned format is taken signed with one more bit: the same values, the same largest one.

    Raises:
        ModelError: another quantizer, or one with a scale.
    """
    kind = type(quantizer).__name__
    bits, integer = getattr(quantizer, "bits", None), getattr(quantizer, "integer", None)
    alpha = getattr(quantizer, "alpha", None)
    plain = alpha is None or (isinstance(alpha, (int, float)) and float(alpha) == 1.0)
    if kind not in ("quantized_bits", "quantized_relu") or bits is None or not plain:
        raise layer.refuse(
            f"rounds by {kind}(alpha={alpha!r}); values are rounded by quantized_bits or quantized_relu "
            "with alpha=1"
        )
    for option in ("negative_slope", "relu_upper_bound", "use_sigmoid"):
        if getattr(quantizer, option, None):
            value = getattr(quantizer, option)
            raise layer.refuse(f"rounds by {kind}({option}={value!r}); a relu is max(x, 0)")
    if kind == "quantized_bits" and getattr(quantizer, "keep_negative", True):
        return FixedFormat(int(bits), int(integer or 0) + 1)
    return FixedFormat(int(bits) + 1, int(integer or 0) + 1)
