"""The same model in float on other runtimes: what `pyorch bench cpu` stands beside.

The bundle's weights, dequantised, become an ONNX graph: one LSTM operator a layer, then MatMul and Add.
ONNX keeps the gates in the order i, o, f, c and the weights transposed
(https://onnx.ai/onnx/operators/onnx__LSTM.html).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import EnvironmentMissingError, ModelError
from pyorch.contract.model import DenseLayer, LstmLayer

Floats = NDArray[np.float32]
Call = Callable[[dict[str, Floats]], dict[str, Floats]]


def onnx_model(bundle: Bundle) -> bytes:
    """The float model as ONNX, batch 1, sequence length free.

    Inputs ``x`` [T, 1, F], ``h0``, ``c0``, ``h1``, ... [1, 1, units]; outputs ``logits`` [1, O] after the
    last vector, ``h0_next``, ``c0_next``, ...

    Raises:
        EnvironmentMissingError: the package onnx is missing.
        ModelError: hard activations or relu, which this export does not write.
    """
    try:
        import onnx
        from onnx import TensorProto, helper, numpy_helper
    except ImportError as error:
        raise EnvironmentMissingError(f"{error}; install the extra `peers`") from error
    nodes: list[Any] = []
    constants: list[Any] = []
    inputs: list[Any] = []
    outputs: list[Any] = []

    def constant(name: str, values: NDArray[Any]) -> str:
        constants.append(numpy_helper.from_array(np.ascontiguousarray(values, np.float32), name))
        return name

    inputs.append(
        helper.make_tensor_value_info("x", TensorProto.FLOAT, ["T", 1, bundle.spec.features])
    )
    sequence, last = "x", ""
    for number, layer in enumerate(bundle.spec.layers):
        if isinstance(layer, LstmLayer):
            names = _write_lstm(bundle, layer, number, sequence, constant, nodes, helper)
            shape = [1, 1, layer.units]
            for state in ("h", "c"):
                for group, suffix in ((inputs, ""), (outputs, "_next")):
                    name = f"{state}{number}{suffix}"
                    group.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
            sequence = names
            last = f"rows{number}"
            # [1, 1, units] → [1, units]
            axes = numpy_helper.from_array(np.array([0], np.int64), f"axis{number}")
            constants.append(axes)
            nodes.append(helper.make_node("Squeeze", [f"h{number}_next", axes.name], [last]))
        else:
            last = _write_dense(bundle, layer, last, constant, nodes, helper)
    nodes.append(helper.make_node("Identity", [last], ["logits"]))
    outputs.insert(
        0, helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, len(bundle.spec.outputs)])
    )
    graph = helper.make_graph(nodes, "model", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    data: bytes = model.SerializeToString()
    return data


def _write_lstm(
    bundle: Bundle,
    layer: LstmLayer,
    number: int,
    sequence: str,
    constant: Callable[[str, NDArray[Any]], str],
    nodes: list[Any],
    helper: Any,
) -> str:
    """One LSTM operator; returns the name of its sequence output, [T, 1, units]."""
    if layer.gate.kind == "hard" or layer.activation.kind == "hard":
        raise ModelError(f"{layer.name}: hard activations are not part of this float export")
    weights = bundle.weights

    def reordered(values: NDArray[np.float64]) -> NDArray[np.float64]:
        i, f, g, o = np.split(values, 4, axis=-1)
        joined: NDArray[np.float64] = np.concatenate([i, o, f, g], axis=-1)
        return joined

    kernel = reordered(layer.kernel.to_float(weights[f"{layer.name}.kernel"])).T[None]
    recurrent = reordered(layer.recurrent.to_float(weights[f"{layer.name}.recurrent"])).T[None]
    bias = reordered(layer.bias.to_float(weights[f"{layer.name}.bias"]))
    both = np.concatenate([bias, np.zeros_like(bias)])[None]
    name = layer.name
    result = f"sequence{number}"
    nodes.append(
        helper.make_node(
            "LSTM",
            [
                sequence,
                constant(f"{name}.W", kernel),
                constant(f"{name}.R", recurrent),
                constant(f"{name}.B", both),
                "",
                f"h{number}",
                f"c{number}",
            ],
            [f"{result}.directions", f"h{number}_next", f"c{number}_next"],
            hidden_size=layer.units,
        )
    )
    # [T, directions, 1, units] → [T, 1, units]
    nodes.append(
        helper.make_node("ReduceMean", [f"{result}.directions"], [result], axes=[1], keepdims=0)
    )
    return result


def _write_dense(
    bundle: Bundle,
    layer: DenseLayer,
    rows: str,
    constant: Callable[[str, NDArray[Any]], str],
    nodes: list[Any],
    helper: Any,
) -> str:
    if layer.activation != "linear":
        raise ModelError(f"{layer.name}: {layer.activation} is not part of this float export")
    kernel = layer.kernel.to_float(bundle.weights[f"{layer.name}.kernel"])
    bias = layer.bias.to_float(bundle.weights[f"{layer.name}.bias"])
    product, result = f"{layer.name}.product", f"{layer.name}.sum"
    nodes.append(
        helper.make_node("MatMul", [rows, constant(f"{layer.name}.kernel", kernel)], [product])
    )
    nodes.append(
        helper.make_node("Add", [product, constant(f"{layer.name}.bias", bias[None])], [result])
    )
    return result


def onnxruntime_call(model: bytes) -> Call:
    """ONNX Runtime on one thread.

    Raises:
        EnvironmentMissingError: onnxruntime is missing.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise EnvironmentMissingError(f"{error}; install the extra `peers`") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]

    def call(inputs: dict[str, Floats]) -> dict[str, Floats]:
        return dict(zip(names, session.run(names, inputs), strict=True))

    return call


def openvino_call(model: bytes) -> Call:
    """OpenVINO on one thread, float32, latency hint.

    Raises:
        EnvironmentMissingError: openvino is missing.
    """
    try:
        import openvino
    except ImportError as error:
        raise EnvironmentMissingError(f"{error}; install the extra `peers`") from error
    core = openvino.Core()
    options = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": 1,
        "INFERENCE_PRECISION_HINT": "f32",
    }
    compiled = core.compile_model(core.read_model(model), "CPU", options)
    request = compiled.create_infer_request()
    # an output has all the names of the nodes that were folded into it
    names = [
        next(n for n in output.names if n == "logits" or n.endswith("_next"))
        for output in compiled.outputs
    ]

    def call(inputs: dict[str, Floats]) -> dict[str, Floats]:
        results = request.infer(inputs)
        return {name: results[place] for place, name in enumerate(names)}

    return call
