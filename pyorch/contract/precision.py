"""The formats of every named rounding point of a model, and the presets that are trained and tested."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from pyorch.contract.fixed import FixedFormat


def _f(text: str) -> FixedFormat:
    return FixedFormat.parse(text)


@dataclass(frozen=True, slots=True)
class Precision:
    """The formats of every named rounding point of a model; one for all its layers."""

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


def precision_of(preset: str, table_bits: int | None = None) -> Precision:
    """A preset's formats, with tables of ``2**table_bits`` entries if that is given."""
    chosen = PRESETS[preset]
    return chosen if table_bits is None else replace(chosen, index_bits=table_bits)
