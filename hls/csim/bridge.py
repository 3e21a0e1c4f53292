"""The C++ file that lets Python drive a project with raw integers.

hls4ml's own bridge passes float32 and knows whole calls only. Ours includes the project's one source file,
so it calls the very functions, with the very types and weight arrays, that hls4ml generated:

- ``csim_windows``: the project's top function, once a window;
- ``csim_steps``: the same layers one step at a time, any number of steps from any state, h and c of every
  layer shown (projects with our header only);
- ``csim_weights``: the weight arrays as the compiled program holds them;
- ``csim_table``: a table that stock hls4ml builds at start-up (stock projects only).
"""

from __future__ import annotations

import re
from typing import Any

from hls.csim.project import INPUT, PROJECT, Project
from pyorch.contract.model import LstmLayer

_HEAD = """#include <cstring>
#include <string>
static std::string weights_folder;
#define WEIGHTS_DIR weights_folder
#include "firmware/{project}.cpp"

template <class T> static T from_raw(long long raw) {{
    T value;
    value.range(T::width - 1, 0) = ap_int<T::width>(raw).range(T::width - 1, 0);
    return value;
}}
template <class T> static long long to_raw(T value) {{
    if (T(-1) < T(0)) {{
        ap_int<T::width> bits;
        bits.range(T::width - 1, 0) = value.range(T::width - 1, 0);
        return bits.to_int64();
    }}
    ap_uint<T::width> bits;
    bits.range(T::width - 1, 0) = value.range(T::width - 1, 0);
    return (long long)bits.to_uint64();
}}

extern "C" void csim_open(const char *folder) {{
    weights_folder = folder;
    static {input_t} in[{inputs}];
    static {output_t} out[{outputs}];
    {project}(in, out);
}}

extern "C" void csim_windows(long count, const long long *features, long long *results) {{
    static {input_t} in[{inputs}];
    static {output_t} out[{outputs}];
    for (long n = 0; n < count; n++) {{
        for (int k = 0; k < {inputs}; k++)
            in[k] = from_raw<{input_t}>(features[n * {inputs} + k]);
        {project}(in, out);
        for (int k = 0; k < {outputs}; k++)
            results[n * {outputs} + k] = to_raw(out[k]);
    }}
}}

extern "C" long csim_weights(const char *name, long long *values) {{
{weights}    return -1;
}}
"""

_WEIGHTS = """    if (!std::strcmp(name, "{name}")) {{
        for (long k = 0; values && k < {size}; k++)
            values[k] = to_raw({name}[k]);
        return {size};
    }}
"""

_STEPS = """
extern "C" void csim_steps(long count, const long long *raw_first, const long long *raw_in,
                           long long *raw_states, long long *raw_out) {{
    {input_t} {input}[{features}];
{declarations}
    if (raw_first) {{
{first}
    }}
    for (long t = 0; t < count; t++) {{
        for (int k = 0; k < {features}; k++)
            {input}[k] = from_raw<{input_t}>(raw_in[t * {features} + k]);
{calls}
{states}
        for (int k = 0; k < {outputs}; k++)
            *raw_out++ = to_raw({output}[k]);
    }}
}}
"""

_TABLES = """
extern "C" void csim_table(long layer, long sigmoid, long long *values) {{
{cases}}}
"""

_TABLE = """    if (layer == {number}) {{
        static {table_t} table[{size}];
        if (sigmoid)
            nnet::init_sigmoid_table<sigmoid_config{index}_recr, {size}>(table);
        else
            nnet::init_tanh_table<tanh_config{index}, {size}>(table);
        for (int k = 0; k < {size}; k++)
            values[k] = to_raw(table[k]);
    }}
"""


def bridge_cpp(project: Project) -> str:
    """The source of the bridge of a written project."""
    graph = project.graph
    source = graph.get_input_variables()[0]
    result = graph.get_output_variables()[0]
    names = {
        "project": PROJECT,
        "input_t": source.type.name,
        "output_t": result.type.name,
        "inputs": source.size(),
        "outputs": result.size(),
    }
    weights = "".join(
        _WEIGHTS.format(name=weight.name, size=weight.data_length)
        for node in graph.get_layers()
        for weight in node.get_weights()
    )
    text = _HEAD.format(weights=weights, **names)
    if project.stock:
        return text + _tables(project)
    if not project.sequences:
        text += _steps(project, names)
    return text


def _steps(project: Project, names: dict[str, Any]) -> str:
    declarations, first, calls, states = [], [], [], []
    previous = INPUT
    output = result_size = None
    for node in project.graph.get_layers():
        call = node.get_attr("function_cpp", None)
        if call is None:
            continue
        variable = node.get_output_variable()
        name, kind, size = variable.name, variable.type.name, variable.shape[-1]
        declarations.append(f"    {kind} {name}[{size}];")
        if node.class_name == "LSTM":
            index = node.index
            declarations.append(
                f"    config{index}::cell_t cell_{name}[{size}];\n"
                f"    for (int k = 0; k < {size}; k++) {{\n"
                f"        {name}[k] = 0;\n        cell_{name}[k] = 0;\n    }}"
            )
            arguments = re.fullmatch(r"nnet::lstm_stack<(.*)>\(\w+, \w+, (.*)\);", _single(call))
            assert arguments is not None
            calls.append(
                f"        nnet::lstm_step<{arguments[1]}>({previous}, {name}, cell_{name}, "
                f"{arguments[2]});"
            )
            for array, type_name in ((name, kind), (f"cell_{name}", f"config{index}::cell_t")):
                first.append(
                    f"        for (int k = 0; k < {size}; k++)\n"
                    f"            {array}[k] = from_raw<{type_name}>(*raw_first++);"
                )
                states.append(
                    f"        for (int k = 0; k < {size}; k++)\n"
                    f"            *raw_states++ = to_raw({array}[k]);"
                )
        else:
            calls.append(f"        {_single(call)}")
        previous, output, result_size = name, name, size
    return _STEPS.format(
        input=INPUT,
        features=project.bundle.spec.features,
        declarations="\n".join(declarations),
        first="\n".join(first),
        calls="\n".join(calls),
        states="\n".join(states),
        output=output,
        input_t=names["input_t"],
        outputs=result_size,
    )


def _tables(project: Project) -> str:
    nodes = [node for node in project.graph.get_layers() if node.class_name == "LSTM"]
    layers = [layer for layer in project.bundle.spec.layers if isinstance(layer, LstmLayer)]
    cases = "".join(
        _TABLE.format(
            number=number,
            index=node.index,
            table_t=node.get_attr("table_t").name,
            size=1 << layer.gate.index_bits,
        )
        for number, (node, layer) in enumerate(zip(nodes, layers, strict=True))
    )
    return _TABLES.format(cases=cases)


def _single(call: Any) -> str:
    if isinstance(call, (list, tuple, set)):
        (call,) = call
    return str(call).strip()
