"""A small writer of ONNX graphs: names, constants, nodes; and what an engine builder must not meet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyorch.contract.errors import EnvironmentMissingError, ModelError

OPSET = 21
"""First opset whose QuantizeLinear knows 16-bit integers, so that the check below can see them."""

CONTROL_FLOW = frozenset({"Loop", "Scan", "If", "LSTM", "GRU", "RNN"})
"""Operators that a static graph does without: TensorRT turns them into loops that it then refuses or
runs slowly.
"""


def onnx_package() -> Any:
    """The package onnx.

    Raises:
        EnvironmentMissingError: it is not installed.
    """
    try:
        import onnx
        import onnx.checker
        import onnx.helper
        import onnx.numpy_helper
    except ImportError as error:
        raise EnvironmentMissingError(f"{error}; install the extra `gpu`") from error
    return onnx


class Graph:
    """One graph under construction. Values are named by what they are; constants are shared by name."""

    def __init__(self, name: str) -> None:
        self._onnx = onnx_package()
        self._name = name
        self._nodes: list[Any] = []
        self._constants: dict[str, Any] = {}
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []
        self._written: set[str] = set()

    def has(self, name: str) -> bool:
        """Whether a node of this name is written."""
        return name in self._written

    def _type(self, kind: type[np.generic]) -> int:
        number: int = self._onnx.helper.np_dtype_to_tensor_dtype(np.dtype(kind))
        return number

    def input(self, name: str, kind: type[np.generic], shape: Sequence[int]) -> str:
        """An input; returns its name."""
        value = self._onnx.helper.make_tensor_value_info(name, self._type(kind), list(shape))
        self._inputs.append(value)
        return name

    def output(self, name: str, value: str, kind: type[np.generic], shape: Sequence[int]) -> None:
        """Give ``value`` out under ``name``."""
        self.node("Identity", [value], name)
        info = self._onnx.helper.make_tensor_value_info(name, self._type(kind), list(shape))
        self._outputs.append(info)

    def constant(self, name: str, values: NDArray[Any] | np.generic) -> str:
        """A constant tensor; the first of a name is kept. Returns the name."""
        if name not in self._constants:
            # ascontiguousarray would make a vector of a scalar
            array = np.asarray(values, order="C")
            self._constants[name] = self._onnx.numpy_helper.from_array(array, name)
        return name

    def scalar(self, value: float, kind: type[np.generic]) -> str:
        """A scalar constant, named by its value."""
        return self.constant(f"{np.dtype(kind).name}:{value}", kind(value))

    def node(self, operator: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        """A node with one output; returns its name."""
        self._written.add(output)
        self._nodes.append(
            self._onnx.helper.make_node(operator, list(inputs), [output], name=output, **attributes)
        )
        return output

    def split(self, value: str, outputs: Sequence[str], axis: int) -> list[str]:
        """Equal parts of ``value`` along ``axis``."""
        self._nodes.append(
            self._onnx.helper.make_node(
                "Split", [value], list(outputs), name=f"{outputs[0]}:split",
                axis=axis, num_outputs=len(outputs),
            )
        )  # fmt: skip
        return list(outputs)

    def cast(self, value: str, kind: type[np.generic], output: str) -> str:
        """``value`` in another type."""
        return self.node("Cast", [value], output, to=self._type(kind))

    def serialise(self) -> bytes:
        """The checked model.

        Raises:
            ModelError: the graph has control flow, 16-bit quantisation or a zero point other than 0.
        """
        helper = self._onnx.helper
        graph = helper.make_graph(
            self._nodes, self._name, self._inputs, self._outputs, list(self._constants.values())
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10,
            producer_name="pyorch",
        )  # fmt: skip
        self._onnx.checker.check_model(model, full_check=True)
        data: bytes = model.SerializeToString()
        check_static(data)
        return data


def check_static(model: bytes) -> Counter[str]:
    """Count a model's operators, and refuse what TensorRT does not build into a static engine.

    Raises:
        ModelError: control flow, quantisation to 16 bits, or a zero point other than 0; the message
            names the node.
    """
    onnx = onnx_package()
    graph = onnx.load_from_string(model).graph
    constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    counts: Counter[str] = Counter()
    for node in graph.node:
        counts[node.op_type] += 1
        if node.op_type in CONTROL_FLOW:
            raise ModelError(
                f"{node.name}: {node.op_type} makes a loop; export the cell or an unrolled window"
            )
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            zero = constants.get(node.input[2]) if len(node.input) > 2 else None
            if zero is None or zero.dtype.itemsize != 1:
                kind = "no constant zero point" if zero is None else f"type {zero.dtype}"
                raise ModelError(f"{node.name}: {kind}; quantisation here is to 8 bits")
            if np.any(zero):
                raise ModelError(f"{node.name}: zero point {zero.max()}; only 0 is carried")
    return counts
