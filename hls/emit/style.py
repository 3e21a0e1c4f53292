"""What a style gives the emitter: blocks, generated sources, memories, the weight image.

A style is a module with `plan(bundle, **parameters) -> StylePlan`. `docs/rtl.md` says how to add one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np

from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import ModelError
from pyorch.contract.fabric import Words
from pyorch.contract.fixed import FixedFormat, IntArray, Overflow, Rounding
from pyorch.contract.model import DenseLayer, LstmLayer


@dataclass(frozen=True, slots=True)
class Block:
    """One layer as an instance of a module.

    Attributes:
        layer: name of the layer.
        parameters: SystemVerilog parameter → integer or string.
        chunk: values of h pushed a cycle (LSTM layers).
    """

    layer: str
    kind: Literal["lstm", "dense"]
    module: str
    parameters: dict[str, int | str]
    chunk: int = 0


@dataclass(frozen=True, slots=True)
class Memory:
    """A loadable memory of the project.

    Attributes:
        number: its id in load addresses.
        file: hex file with its initial content.
        words: [words, lanes] uint32.
    """

    number: int
    file: str
    words: Words

    def hex(self) -> str:
        """The text for `$readmemh`: a word a line, the highest lane first."""
        return "".join(
            "".join(f"{int(lane):08x}" for lane in row[::-1]) + "\n" for row in self.words
        )

    def addresses(self) -> Words:
        """Load addresses of all lanes of all words, in order."""
        rows, lanes = self.words.shape
        row, lane = np.meshgrid(np.arange(rows), np.arange(lanes), indexing="ij")
        flat: Words = (self.number << 24 | row << 8 | lane).astype(np.uint32).reshape(-1)
        return flat


@dataclass(frozen=True, slots=True)
class StylePlan:
    """A model in a style.

    Attributes:
        style: its name.
        parameters: as chosen, all of them.
        blocks: one a layer, in the model's order.
        rtl: files of `firmware/rtl` that the blocks need, in the order of compilation.
        generated: further sources, name → text.
        memories: contents that can be loaded.
        constants: other hex files, name → text.
        baked: JSON of the integers that a weight image must share, besides shapes and formats.
        estimates: name → what the blocks should take.
    """

    style: str
    parameters: dict[str, int]
    blocks: tuple[Block, ...]
    rtl: tuple[str, ...]
    generated: dict[str, str] = field(default_factory=dict)
    memories: tuple[Memory, ...] = ()
    constants: dict[str, str] = field(default_factory=dict)
    baked: Any = None
    estimates: dict[str, int] = field(default_factory=dict)
    loadable: bool = True

    def image(self) -> tuple[Words, Words]:
        """Addresses and data of the complete weight image."""
        if not self.memories:
            return np.zeros(0, np.uint32), np.zeros(0, np.uint32)
        addresses = np.concatenate([memory.addresses() for memory in self.memories])
        return addresses, np.concatenate([memory.words.reshape(-1) for memory in self.memories])


class Style(Protocol):
    """A module that plans models in its style."""

    def plan(self, bundle: Bundle, **parameters: int) -> StylePlan:
        """Plan a checked bundle.

        Raises:
            ModelError: the style does not carry a layer; the message names it, the limit and what fits.
            UsageError: unknown parameters, or values outside their range.
        """
        ...


def pack_words(rows: Sequence[IntArray] | IntArray, width: int) -> Words:
    """Rows of integers, two's complement in ``width`` bits each, lane 0 lowest → [rows, 32-bit lanes]."""
    values = np.asarray(rows, dtype=np.int64)
    count = values.shape[1]
    bits = (values[:, :, None] >> np.arange(width)) & 1
    flat = np.zeros((len(values), -(-count * width // 32) * 32), dtype=np.uint64)
    flat[:, : count * width] = bits.reshape(len(values), -1)
    lanes = flat.reshape(len(values), -1, 32) << np.arange(32, dtype=np.uint64)
    packed: Words = lanes.sum(axis=2).astype(np.uint32)
    return packed


def format_parameters(prefix: str, form: FixedFormat) -> dict[str, int | str]:
    """Width, fraction, rounding and overflow of a named point, as module parameters."""
    return {
        f"{prefix}_WIDTH": form.width,
        f"{prefix}_FRACTION": form.fraction,
        f"{prefix}_ROUND": int(form.rounding is Rounding.RND),
        f"{prefix}_SATURATE": int(form.overflow is Overflow.SAT),
    }


def refuse_unsupported(bundle: Bundle) -> None:
    """Refuse what no style carries.

    Raises:
        ModelError: names the layer, what it has and what would be accepted.
    """
    spec = bundle.spec
    if not 1 <= len(spec.lstm_layers) <= 4:
        raise ModelError(
            f"{spec.name}: {len(spec.lstm_layers)} LSTM layers; the fabric takes 1 to 4"
        )
    dense = False
    for layer in spec.layers:
        if isinstance(layer, DenseLayer):
            dense = True
            forms = {"input": layer.input, "kernel": layer.kernel, "bias": layer.bias}
            forms["output"] = layer.output
        else:
            _refuse_lstm(spec.name, layer, dense)
            forms = {
                "input": layer.input, "kernel": layer.kernel, "recurrent kernel": layer.recurrent,
                "bias": layer.bias, "table": layer.table, "c": layer.cell, "h": layer.hidden,
            }  # fmt: skip
        for what, form in forms.items():
            if not form.signed:
                raise ModelError(
                    f"{spec.name}, layer {layer.name}: the {what} is {form}; the fabric computes with "
                    "signed formats, choose fixed<...>"
                )
            if form.width > 32:
                raise ModelError(
                    f"{spec.name}, layer {layer.name}: the {what} is {form.width} bits wide; the fabric "
                    "carries 32"
                )
    if spec.input.width > 16:
        raise ModelError(
            f"{spec.name}: inputs of {spec.input.width} bits; a lane of a frame has 16, choose {16} or fewer"
        )


def _refuse_lstm(model: str, layer: LstmLayer, dense_before: bool) -> None:
    if dense_before:
        raise ModelError(
            f"{model}, layer {layer.name}: an LSTM after a dense layer; the fabric takes LSTM layers first"
        )
    for what, activation in (("gate", layer.gate), ("activation", layer.activation)):
        if activation.kind != "table":
            raise ModelError(
                f"{model}, layer {layer.name}: a hard {activation.function} as its {what}; the fabric looks "
                "activations up, convert the model with table activations"
            )


def proven_width(terms: Sequence[tuple[int, FixedFormat, FixedFormat]], bias: FixedFormat) -> int:
    """Bits of an accumulator that no weights of these formats can overflow.

    Args:
        terms: (number of products, format of the values, format of the weights) of each sum.
        bias: its format.
    """
    fraction = max([v.fraction + w.fraction for _, v, w in terms] + [bias.fraction])
    limit = (1 << (bias.width - 1)) << (fraction - bias.fraction)
    for count, values, weights in terms:
        product = 1 << (values.width - 1 + weights.width - 1)
        limit += count * (product << (fraction - values.fraction - weights.fraction))
    return limit.bit_length() + 1
