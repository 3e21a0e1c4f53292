"""The exported graphs are static, exact or within their derived bounds, and refuse what they do not
carry.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from gpu_fallback.commands import export
from gpu_fallback.export.graph import check_static
from gpu_fallback.export.model import PRECISIONS, Precision, export_cell, export_window
from gpu_fallback.runtimes import OnnxRuntimeEngine
from gpu_fallback.tolerance import bound_lsb, bounds_along, table_error
from pyorch.app.shipped import shipped_bundle
from pyorch.contract.bundle import Bundle
from pyorch.contract.digest import digest_of_bytes
from pyorch.contract.errors import ModelError, UsageError
from pyorch.contract.fixed import FixedFormat, IntArray, Overflow, Rounding
from pyorch.contract.model import Activation, LstmLayer
from pyorch.contract.precision import PRESETS
from pyorch.inference.complete import random_features
from pyorch.inference.peers import onnxruntime_call
from pyorch.inference.reference import advance, answer, run_windows, zero_state
from pyorch.inference.sample import random_bundle

onnx = pytest.importorskip("onnx", reason="needs the extra `gpu`")
pytest.importorskip("onnxruntime", reason="needs the extra `gpu`")

DEFAULT, NARROW = PRESETS["default"], PRESETS["narrow"]
MODELS = {
    "shipped": Bundle.load(shipped_bundle()),
    "default": random_bundle(1, 6, (9,)),
    "narrow, two layers": random_bundle(2, 5, (7, 4), NARROW, hidden_dense=(3,)),
    "extreme": random_bundle(3, 7, (12,), extreme=True),
}


def runs(bundle: Bundle) -> list[IntArray]:
    """Features [n, F] of a run: random with extremes, and one end of the format after the other."""
    features = random_features(np.random.default_rng(1), bundle.spec, (40,))
    ends = np.where(
        np.arange(24)[:, None] % 8 < 4, bundle.spec.input.minimum, bundle.spec.input.maximum
    )
    return [features, np.broadcast_to(ends, (24, bundle.spec.features)).astype(np.int64)]


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("model", MODELS)
def test_windows_of_a_batch_are_the_references_or_within_the_bound(
    model: str, precision: Precision
) -> None:
    bundle = MODELS[model]
    spec = bundle.spec
    length = 6
    features = np.stack([runs(bundle)[0][k : k + length] for k in range(3)])
    kind = np.int32 if precision == "exact" else np.float16 if precision == "fp16" else np.float32
    call = onnxruntime_call(export_window(bundle, precision, length, batch=3))
    entering = features if precision == "exact" else spec.input.to_float(features)
    logits = call({"x": entering.astype(kind)})["logits"]
    expected, _ = run_windows(bundle, features)
    raw = logits if precision == "exact" else spec.logits.quantise(logits)
    assert np.abs(raw - expected).max() <= bound_lsb(bundle, precision, length)
    for row, window in zip(np.abs(raw - expected), features, strict=True):
        assert row.max() <= bounds_along(bundle, precision, window)[-1]


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
@pytest.mark.parametrize("model", MODELS)
def test_every_step_from_the_references_state_is_within_the_bound(
    model: str, precision: Precision
) -> None:
    bundle = MODELS[model]
    spec = bundle.spec
    engine = OnnxRuntimeEngine.open(bundle, precision=precision)
    bound, worst = bound_lsb(bundle, precision, 1), 0
    for features in runs(bundle):
        state = zero_state(spec, 1)
        engine.reset()
        for vector in features:
            before = engine.state()
            engine.load_state(
                replace(
                    before,
                    hidden=tuple(h[0] for h in state.hidden),
                    cell=tuple(c[0] for c in state.cell),
                )
            )
            advance(bundle, state, vector[None])
            expected, _ = answer(bundle, state.hidden[-1])
            worst = max(worst, int(np.abs(engine.step(vector).logits - expected[0]).max()))
    assert 0 < worst <= bound, "a difference of 0 would mean that this is no floating-point engine"


def test_bounds_grow_from_an_equal_state_to_the_range_and_fade_along_a_run() -> None:
    bundle = MODELS["shipped"]
    bounds = [bound_lsb(bundle, "fp32", steps) for steps in (1, 2, 50)]
    assert bounds[0] < bounds[1] < bounds[2] <= bundle.spec.logits.maximum * 2 + 1
    assert bounds_along(bundle, "fp32", runs(bundle)[0])[0] < bounds[0]
    assert bound_lsb(bundle, "fp16", 1) > bounds[0]
    assert (
        bound_lsb(bundle, "exact", 50) == 0 == bounds_along(bundle, "exact", runs(bundle)[0]).max()
    )


@pytest.mark.parametrize("index", ["mid", "hls4ml"])
@pytest.mark.parametrize("function", ["sigmoid", "tanh"])
def test_a_tables_error_is_the_largest_over_real_arguments(function: str, index: str) -> None:
    bundle = random_bundle(4, 3, (4,), replace(NARROW, index=index))
    layer = bundle.spec.lstm_layers[0]
    activation, key = (
        (layer.gate, "gate_table") if function == "sigmoid" else (layer.activation, "cell_table")
    )
    table = bundle.weights[f"lstm_0.{key}"]
    stated = table_error(activation, table, layer.table)
    span = 2.0**activation.range_bits
    x = np.concatenate([np.linspace(-span, span, 200_001), [-60.0, 60.0]])
    scaled = x * len(table) / span
    place = np.floor(scaled) if index == "mid" else np.trunc(scaled)
    entry = np.clip(place + len(table) // 2, 0, len(table) - 1).astype(int)
    true = 1 / (1 + np.exp(-x)) if function == "sigmoid" else np.tanh(x)
    seen = np.abs(layer.table.to_float(table[entry]) - true).max()
    assert seen <= stated <= seen * 1.01


def test_graphs_hold_no_control_flow_and_int8_products_carry_integer_weights() -> None:
    bundle = MODELS["narrow, two layers"]
    for precision in PRECISIONS:
        counts = check_static(export_window(bundle, precision, 3))
        assert counts["MatMul"] >= 3 * 4 and not counts.keys() & {"Loop", "LSTM", "Scan"}
    model = onnx.load_from_string(export_cell(bundle, "int8"))
    weights = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}
    np.testing.assert_array_equal(weights["lstm_0.kernel.int8"], bundle.weights["lstm_0.kernel"])
    scales = [weights[n.input[1]] for n in model.graph.node if n.op_type.endswith("eLinear")]
    assert len(scales) > 4 and all(np.log2(scale) == np.rint(np.log2(scale)) for scale in scales)


def graph_of(*nodes: object, **constants: np.ndarray) -> bytes:
    helper = onnx.helper
    value = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [2])
    tensors = [onnx.numpy_helper.from_array(v, n) for n, v in constants.items()]
    graph = helper.make_graph(list(nodes), "g", [value], [], tensors)
    data: bytes = helper.make_model(graph).SerializeToString()
    return data


def test_loops_wide_quantisation_and_zero_points_are_refused_by_node() -> None:
    node, one = onnx.helper.make_node, np.float32(1)
    loop = node("Loop", ["", "", "x"], ["y"], name="again")
    with pytest.raises(ModelError, match="again: Loop makes a loop; export the cell"):
        check_static(graph_of(loop))
    quantise = node("QuantizeLinear", ["x", "s", "z"], ["y"], name="q")
    with pytest.raises(ModelError, match="q: type int16; quantisation here is to 8 bits"):
        check_static(graph_of(quantise, s=one, z=np.int16(0)))
    with pytest.raises(ModelError, match="q: zero point 3; only 0 is carried"):
        check_static(graph_of(quantise, s=one, z=np.int8(3)))


def test_what_a_precision_does_not_carry_is_refused_by_layer_and_limit() -> None:
    with pytest.raises(
        ModelError, match=r"lstm_0: WRAP is not carried by exact ONNX graphs; use SAT"
    ):
        wrap = FixedFormat(9, 2, True, Rounding.TRN, Overflow.WRAP)
        export_cell(random_bundle(5, 3, (4,), replace(DEFAULT, cell=wrap)), "exact")
    hard = random_bundle(5, 3, (4,), gate=Activation("sigmoid", "hard", slope=1, slope_fraction=1))
    for precision in PRECISIONS:
        with pytest.raises(ModelError, match="lstm_0: hard activations are not carried"):
            export_cell(hard, precision)
    wide = random_bundle(5, 3, (4,), replace(DEFAULT, kernel=FixedFormat(12, 1)))
    with pytest.raises(ModelError, match=r"lstm_0: kernel fixed<12,1.*; INT8 graphs carry signed"):
        export_cell(wide, "int8")
    wider = replace(DEFAULT, cell=FixedFormat(24, 6), table=FixedFormat(18, 2))
    with pytest.raises(ModelError, match=r"lstm_0: f·c \+ i·g takes more than 32 bits"):
        export_cell(random_bundle(5, 3, (4,), wider), "exact")
    with pytest.raises(UsageError, match=r"a window of 300 vectors is outside 1\.\.256"):
        export_window(MODELS["default"], "exact", 300)
    with pytest.raises(UsageError, match="a batch of 0 instruments"):
        export_cell(MODELS["default"], "exact", 0)


def test_wide_values_are_split_so_that_float32_products_stay_exact() -> None:
    form = FixedFormat(16, 2)
    bundle = random_bundle(6, 24, (10,), replace(DEFAULT, input=FixedFormat(16, 4), hidden=form))
    layer = bundle.spec.layers[0]
    assert isinstance(layer, LstmLayer) and layer.accumulator.width > 24
    engine = OnnxRuntimeEngine.open(bundle)
    features = random_features(np.random.default_rng(3), bundle.spec, (30,))
    for length in (1, 30):
        expected = run_windows(bundle, features[None, :length])[0][0]
        np.testing.assert_array_equal(engine.window(features[:length]).logits, expected)


def test_the_verb_writes_a_graph_and_says_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "new" / "cell.onnx"
    options = ["--precision", "fp16", "--out", str(path), "--json"]
    result = CliRunner().invoke(export, options, catch_exceptions=False)
    figures = json.loads(result.output)
    assert figures["figures"]["matrix_products"] == 3 and figures["figures"]["bound_lsb"] > 0
    assert figures["digests"]["onnx"] == digest_of_bytes(path.read_bytes())
    with pytest.raises(UsageError, match="--length 7: a cell is one step; add --form window"):
        CliRunner().invoke(export, ["--length", "7"], catch_exceptions=False)
