"""The model in floating point as ONNX operators: fp32, fp16, or fp32 around INT8 matrix products (Q/DQ).

Sigmoid and tanh are the true functions and nothing is rounded between steps, so the answers differ from the
contract's by a bound that `gpu_fallback.tolerance` derives. What TensorRT fuses best.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu_fallback.export.graph import Graph
from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import ModelError
from pyorch.contract.fixed import FixedFormat
from pyorch.contract.model import DenseLayer, LstmLayer

INT8_FORMATS = "signed formats of at most 8 bits"


def check_real(bundle: Bundle, int8: bool) -> None:
    """Refuse what these graphs do not carry.

    Raises:
        ModelError: hard activations; for INT8, weights or features wider than 8 bits.
    """
    for layer in bundle.spec.layers:
        if isinstance(layer, LstmLayer) and "hard" in (layer.gate.kind, layer.activation.kind):
            raise ModelError(
                f"{layer.name}: hard activations are not carried by ONNX graphs; use tables"
            )
        if not int8:
            continue
        forms = {"kernel": layer.kernel}
        if isinstance(layer, LstmLayer):
            forms["recurrent"] = layer.recurrent
        if layer is bundle.spec.layers[0]:
            forms["input"] = layer.input
        for what, form in forms.items():
            if form.width > 8 or not form.signed:
                raise ModelError(
                    f"{layer.name}: {what} {form}; INT8 graphs carry {INT8_FORMATS}. Use fp16 or fp32"
                )


class RealCell:
    """Writes steps of a model in one floating type, weights as fp or as INT8 with 2**-k scales."""

    def __init__(self, graph: Graph, bundle: Bundle, kind: type[np.generic], int8: bool) -> None:
        self.graph, self.bundle, self.kind, self.int8 = graph, bundle, kind, int8

    def _real(self, name: str, form: FixedFormat) -> NDArray[Any]:
        values: NDArray[Any] = form.to_float(self.bundle.weights[name]).astype(self.kind)
        return values

    def _weights(self, name: str, form: FixedFormat) -> str:
        """A weight matrix; as INT8 its raw integers, exactly, behind a DequantizeLinear."""
        if not self.int8:
            return self.graph.constant(name, self._real(name, form))
        raw = self.graph.constant(f"{name}.int8", self.bundle.weights[name].astype(np.int8))
        output = f"{name}.dequantised"
        if not self.graph.has(output):
            self.graph.node("DequantizeLinear", [raw, self._scale(form), self._zero()], output)
        return output

    def _scale(self, form: FixedFormat) -> str:
        return self.graph.scalar(form.lsb, self.kind)

    def _zero(self) -> str:
        return self.graph.constant("zero_point", np.int8(0))

    def _values(self, value: str, form: FixedFormat, output: str) -> str:
        """Values entering a product; as INT8 on the grid of the highest 8 bits of their format."""
        if not self.int8:
            return value
        grid = FixedFormat(8, form.integer + (0 if form.signed else 1))
        quantised = f"{output}.int8"
        if not self.graph.has(quantised):
            scale, zero = self._scale(grid), self._zero()
            self.graph.node("QuantizeLinear", [value, scale, zero], quantised)
            self.graph.node("DequantizeLinear", [quantised, scale, zero], output)
        return output

    def lstm_step(self, layer: LstmLayer, x: str, h: str, c: str, at: str) -> tuple[str, str]:
        """One step of a layer, values [B, …]; ``at`` prefixes the names. Returns h and c."""
        graph, name = self.graph, layer.name
        products = []
        for values, form, what, weights in (
            (x, layer.input, "kernel", layer.kernel),
            (h, layer.hidden, "recurrent", layer.recurrent),
        ):
            entering = self._values(values, form, f"{values}.dequantised")
            matrix = self._weights(f"{name}.{what}", weights)
            products.append(graph.node("MatMul", [entering, matrix], f"{at}.{what}"))
        bias = graph.constant(f"{name}.bias", self._real(f"{name}.bias", layer.bias))
        total = graph.node("Add", products, f"{at}.products")
        total = graph.node("Add", [total, bias], f"{at}.a")
        sums = graph.split(total, [f"{at}.a.{gate}" for gate in "ifgo"], axis=1)
        i, f, o = (graph.node("Sigmoid", [sums[k]], f"{at}.{'ifgo'[k]}") for k in (0, 1, 3))
        g = graph.node("Tanh", [sums[2]], f"{at}.g")
        kept = graph.node("Mul", [f, c], f"{at}.fc")
        added = graph.node("Mul", [i, g], f"{at}.ig")
        total = graph.node("Add", [kept, added], f"{at}.c.unclipped")
        # a saturated c would otherwise run away from the contract's
        ends = [
            graph.scalar(end * layer.cell.lsb, self.kind)
            for end in (layer.cell.minimum, layer.cell.maximum)
        ]
        new_c = graph.node("Clip", [total, *ends], f"{at}.c")
        squashed = graph.node("Tanh", [new_c], f"{at}.tanh_c")
        return graph.node("Mul", [o, squashed], f"{at}.h"), new_c

    def dense(self, layer: DenseLayer, x: str, at: str) -> str:
        """A dense layer on [B, inputs] → [B, units]."""
        entering = self._values(x, layer.input, f"{x}.dequantised")
        matrix = self._weights(f"{layer.name}.kernel", layer.kernel)
        product = self.graph.node("MatMul", [entering, matrix], f"{at}.xW")
        bias = self._real(f"{layer.name}.bias", layer.bias)
        total = self.graph.node(
            "Add", [product, self.graph.constant(f"{layer.name}.bias", bias)], f"{at}.y"
        )
        return (
            self.graph.node("Relu", [total], f"{at}.relu") if layer.activation == "relu" else total
        )
