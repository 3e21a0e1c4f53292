"""What hls4ml wrote, read back and compared with what was asked for.

hls4ml ignores configuration keys that it does not know, so nothing is taken on trust: types come from
``defines.h``, activations and tables from ``parameters.h``, the graph from the ModelGraph, and weights from
the compiled program. Any difference is an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from hls.csim.project import INPUT, Project, weight_formats
from pyorch.contract.errors import BuildError
from pyorch.contract.fixed import FixedFormat, IntArray
from pyorch.contract.model import Activation, LstmLayer

_TYPEDEF = re.compile(r"^typedef (ap_u?(?:fixed|int)<[^;]*>) (\w+);", re.MULTILINE)
_STRUCT = re.compile(r"^struct (\w+)[^{]*\{(.*?)^\};", re.MULTILINE | re.DOTALL)
_MEMBER = re.compile(
    r"^    (?:static const [\w ]+? (\w+) += ([^;]+)|typedef (.+?) (\w+));", re.MULTILINE
)


def written_types(project: Project) -> dict[str, FixedFormat]:
    """Every type of ``defines.h`` by its C++ name."""
    text = (project.folder / "firmware" / "defines.h").read_text()
    types = {}
    for declaration, name in _TYPEDEF.findall(text):
        if "int<" in declaration:
            width = re.sub(r"\D", "", declaration)
            declaration = declaration.replace("int", "fixed").replace(">", f",{width}>")
        types[name] = FixedFormat.parse(declaration)
    return types


def written_structs(project: Project) -> dict[str, dict[str, str]]:
    """Every configuration struct of ``parameters.h``: member → its text."""
    text = (project.folder / "firmware" / "parameters.h").read_text()
    structs = {}
    for name, body in _STRUCT.findall(text):
        members = {}
        for constant, value, kind, alias in _MEMBER.findall(body):
            members[constant or alias] = value or kind
        table = re.search(r"values\[\] = \{([^}]*)\}", body)
        if table:
            members["entries"] = table[1]
        structs[name] = members
    return structs


def check_types(project: Project) -> None:
    """Compare the written graph, types, activations and tables with the bundle.

    Raises:
        BuildError: a difference; the message names layer, item, what was written and what was meant.
    """
    types, structs = written_types(project), written_structs(project)
    nodes = [node for node in project.graph.get_layers() if node.class_name != "Input"]
    source = project.graph.get_input_variables()[0]
    _equal(INPUT, "result", types.get(source.type.name), project.bundle.spec.input)
    for number, layer in enumerate(project.bundle.spec.layers):
        if project.sequences and not isinstance(layer, LstmLayer):
            break
        node = nodes.pop(0)
        config = structs.get(f"config{node.index}", {})
        expected_class = "LSTM" if isinstance(layer, LstmLayer) else "Dense"
        _equal(layer.name, "class", node.class_name, expected_class)
        _equal(layer.name, "inputs", config.get("n_in"), str(layer.inputs))
        _equal(layer.name, "outputs", config.get("n_out"), str(layer.units))
        expected = {"weight_t": layer.kernel, "bias_t": layer.bias, "accum_t": layer.accumulator}
        if isinstance(layer, LstmLayer):
            expected |= {"recurrent_weight_t": layer.recurrent, "recurrent_bias_t": layer.bias}
            if not project.stock:
                expected |= {"cell_t": layer.cell, "table_t": layer.table}
                _check_activation(layer, "gate", f"gate_{number}", project, structs, types)
                _check_activation(layer, "cell", f"cell_{number}", project, structs, types)
            else:
                _check_stock_tables(layer, node, structs, types)
            _equal(layer.name, "n_sequence", config.get("n_sequence"), str(project.length))
            result = layer.hidden
        else:
            result = layer.output if layer.activation == "linear" else layer.accumulator
        for member, form in expected.items():
            _equal(layer.name, member, types.get(config.get(member, "")), form)
        variable = node.get_output_variable()
        _equal(layer.name, "result", types.get(variable.type.name), result)
        if not isinstance(layer, LstmLayer) and layer.activation == "relu":
            relu = nodes.pop(0)
            _equal(layer.name, "activation", relu.get_attr("activation"), "relu")
            result_t = types.get(relu.get_output_variable().type.name)
            _equal(layer.name, "relu's result", result_t, layer.output)
    if nodes:
        raise BuildError(
            f"hls4ml's graph has {len(nodes)} layers more than the model, first {nodes[0].name} "
            f"({nodes[0].class_name}); this version of hls4ml optimises differently, use 1.3.0"
        )


def read_weights(project: Project, fetch: Callable[[str], IntArray]) -> dict[str, IntArray]:
    """Weights from the compiled program, compared with the ModelGraph and the bundle.

    Args:
        fetch: C++ array name → flat raw integers.

    Raises:
        BuildError: an array differs; the message says where and how much.
    """
    found: dict[str, IntArray] = {}
    nodes = {node.name: node for node in project.graph.get_layers()}
    for layer in project.bundle.spec.layers:
        if layer.name not in nodes:
            continue
        names = {"kernel": "weight", "recurrent": "recurrent_weight", "bias": "bias"}
        for part, form in weight_formats(layer).items():
            key = f"{layer.name}.{part}"
            weight = nodes[layer.name].get_weights(names[part])
            expected = project.bundle.weights[key]
            in_graph = (np.asarray(weight.data, dtype=np.float64) * 2.0**form.fraction).astype(
                np.int64
            )
            compiled = fetch(weight.name).reshape(expected.shape)
            for where, values in (("ModelGraph", in_graph), ("compiled program", compiled)):
                wrong = np.argwhere(values.reshape(expected.shape) != expected)
                if len(wrong):
                    at = tuple(int(k) for k in wrong[0])
                    raise BuildError(
                        f"{key}: {len(wrong)} of {expected.size} weights of the {where} differ, first at "
                        f"{at}: {int(values.reshape(expected.shape)[at])}, meant {int(expected[at])}"
                    )
            found[key] = compiled
        if isinstance(layer, LstmLayer):
            recurrent_bias = fetch(nodes[layer.name].get_weights("recurrent_bias").name)
            if recurrent_bias.any():
                raise BuildError(f"{layer.name}: hls4ml wrote a recurrent bias that is not zero")
    return found


def _check_activation(
    layer: LstmLayer,
    kind: str,
    struct: str,
    project: Project,
    structs: dict[str, dict[str, str]],
    types: dict[str, FixedFormat],
) -> None:
    activation: Activation = layer.gate if kind == "gate" else layer.activation
    members: dict[str, Any] = structs.get(struct, {})
    _equal(layer.name, f"{kind} hard", members.get("hard"), _cpp(activation.kind == "hard"))
    if activation.kind == "hard":
        _equal(layer.name, f"{kind} slope", members.get("slope"), str(activation.slope))
        fraction = members.get("slope_fraction")
        _equal(layer.name, f"{kind} slope_fraction", fraction, str(activation.slope_fraction))
        return
    for member, expected in (
        ("index_bits", str(activation.index_bits)),
        ("range_bits", str(activation.range_bits)),
        ("middle", _cpp(activation.index == "mid")),
    ):
        _equal(layer.name, f"{kind} {member}", members.get(member), expected)
    entries = [int(value) for value in members.get("entries", "").split(",") if value.strip()]
    if entries != project.bundle.weights[f"{layer.name}.{kind}_table"].tolist():
        raise BuildError(f"{layer.name}: the {kind} table of parameters.h is not the bundle's")


def _check_stock_tables(
    layer: LstmLayer, node: Any, structs: dict[str, dict[str, str]], types: dict[str, FixedFormat]
) -> None:
    for name in (f"sigmoid_config{node.index}_recr", f"tanh_config{node.index}"):
        members = structs.get(name, {})
        _equal(layer.name, f"{name} type", types.get(members.get("table_t", "")), layer.table)
        size = str(1 << layer.gate.index_bits)
        _equal(layer.name, f"{name} size", members.get("table_size"), size)


def _cpp(value: bool) -> str:
    return str(value).lower()


def _equal(layer: str, item: str, written: Any, meant: Any) -> None:
    if written != meant:
        raise BuildError(
            f"{layer}: {item} was written as {written}, meant {meant}; hls4ml changed or ignored it"
        )
