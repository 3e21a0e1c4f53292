"""Which function an activation of a loaded model computes: found by evaluating it, not by its name.

Names mislead: `hard_sigmoid` has slope 0.5 in QKeras, 0.2 in (tf_)keras and 1/6 in Keras 3; QKeras'
`quantized_tanh` is a clipped line unless told otherwise, and changes with a global setting.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hls.convert.outline import Layer
from pyorch.contract.model import Activation

CONSTANT_BITS = 16
"""Fractional bits of a slope that is no power of two: 0.2 becomes 13107/2**16, 1/6 becomes 10923/2**16."""

EXACT = 1e-5
"""Largest difference of a float32 activation from the function that it computes."""

_GRID = np.linspace(-6.0, 6.0, 481)


@dataclass(frozen=True, slots=True)
class Found:
    """What an activation is.

    Attributes:
        fraction: fractional bits that a quantised activation rounds to; None if it does not round.
    """

    activation: Activation
    name: str
    fraction: int | None = None


def _hard(slope: float) -> NDArray[np.float64]:
    return np.clip(slope * _GRID + 0.5, 0.0, 1.0)


def _line(function: Literal["sigmoid", "tanh"], slope: float) -> Activation:
    for fraction in range(CONSTANT_BITS + 1):
        if slope * 2.0**fraction == int(slope * 2.0**fraction):
            return Activation(
                function, "hard", slope=int(slope * 2.0**fraction), slope_fraction=fraction
            )
    raw = round(slope * 2.0**CONSTANT_BITS)
    return Activation(function, "hard", slope=raw, slope_fraction=CONSTANT_BITS)


def identify(
    layer: Layer, role: str, function: Any, index: Literal["mid", "hls4ml"], index_bits: int
) -> Found:
    """Find which of the contract's activations a callable computes.

    Args:
        role: ``activation`` or ``recurrent_activation``, for the message.
        function: takes and returns a tensor; a QKeras quantizer or a plain function.
        index, index_bits: of the tables of sigmoid and tanh.

    Raises:
        ModelError: none of them.
    """
    candidates = {
        "sigmoid": (1 / (1 + np.exp(-_GRID)), Activation("sigmoid", "table", index, index_bits)),
        "tanh": (np.tanh(_GRID), Activation("tanh", "table", index, index_bits)),
        "hard_sigmoid (slope 0.5)": (_hard(0.5), _line("sigmoid", 0.5)),
        "hard_sigmoid (slope 0.2)": (_hard(0.2), _line("sigmoid", 0.2)),
        "hard_sigmoid (slope 1/6)": (_hard(1 / 6), _line("sigmoid", 1 / 6)),
        "hard_tanh": (np.clip(_GRID, -1.0, 1.0), _line("tanh", 1.0)),
    }
    import tensorflow as tf

    values = np.asarray(function(tf.constant(_GRID, dtype=tf.float32)), dtype=np.float64)
    bits = getattr(function, "bits", None)
    best, difference = "", np.inf
    for name, (expected, _) in candidates.items():
        largest = float(np.abs(values - expected).max())
        if largest < difference:
            best, difference = name, largest
    fraction = None
    limit = EXACT
    if bits is not None and best:
        # QKeras: a tanh spends one of its bits on the sign; the last step before 1 is clipped away
        fraction = int(bits) - (1 if candidates[best][1].function == "tanh" else 0)
        limit = 2.0**-fraction + EXACT
    if not difference <= limit:
        raise layer.refuse(
            f"has {role}={layer.config.get(role)!r}; supported are tanh, sigmoid, hard_sigmoid, hard_tanh, "
            f"quantized_tanh, quantized_sigmoid (nearest: {best}, {difference:.3g} away)"
        )
    return Found(candidates[best][1], best, fraction)
