"""The reference is the contract: compared with exact rational arithmetic, and with float LSTMs."""

from dataclasses import replace
from fractions import Fraction
from math import exp, floor, tanh

import numpy as np
import pytest

from pyorch.contract.engine import Engine
from pyorch.contract.errors import BundleError, DeviceError, MismatchError, UsageError
from pyorch.contract.fixed import FixedFormat, Overflow, Rounding
from pyorch.contract.model import Activation, Head, LstmLayer
from pyorch.contract.precision import PRESETS
from pyorch.inference.reference import (
    ReferenceEngine,
    calibrate,
    lstm_step,
    run_sequence,
    run_streams,
    run_windows,
    table_index,
)
from pyorch.inference.sample import random_bundle

TWO_HEADS = (
    Head("direction", "softmax", ("down", "stable", "up"), "probability"),
    Head("jump", "sigmoid", ("jump",), "probability"),
)


def converted(value: Fraction, form: FixedFormat) -> Fraction:
    """A real number in a format, by the words of the contract alone."""
    half = Fraction(1, 2) if form.rounding is Rounding.RND else Fraction(0)
    raw = floor(value * 2**form.fraction + half)
    if form.overflow is Overflow.SAT:
        raw = min(max(raw, form.minimum), form.maximum)
    else:
        span = 2**form.width
        raw = (raw - form.minimum) % span + form.minimum
    return Fraction(raw, 2**form.fraction)


def looked_up(
    activation: Activation, table: np.ndarray, form: FixedFormat, v: Fraction
) -> Fraction:
    if activation.kind == "hard":
        half = Fraction(1, 2) if activation.function == "sigmoid" else Fraction(0)
        line = Fraction(activation.slope, 2**activation.slope_fraction) * v + half
        lowest = Fraction(0 if activation.function == "sigmoid" else -1)
        return min(max(converted(line, replace(form, integer=form.integer + 9, width=form.width + 9)),
                       lowest), Fraction(1), Fraction(form.maximum, 2**form.fraction))  # fmt: skip
    size = len(table)
    scaled = v * size / 2**activation.range_bits
    index = floor(scaled) if activation.index == "mid" else int(scaled)
    entry = int(table[min(max(index + size // 2, 0), size - 1)])
    return Fraction(entry, 2**form.fraction)


def rational_step(
    layer: LstmLayer, weights: dict[str, np.ndarray], x: list[Fraction], h: list[Fraction],
    c: list[Fraction],
) -> tuple[list[Fraction], list[Fraction]]:  # fmt: skip
    real = {
        key: weights[f"{layer.name}.{key}"].astype(object) * Fraction(1, 2**form.fraction)
        for key, form in (
            ("kernel", layer.kernel),
            ("recurrent", layer.recurrent),
            ("bias", layer.bias),
        )
    }
    gate_table = weights.get(f"{layer.name}.gate_table", np.zeros(1))
    cell_table = weights.get(f"{layer.name}.cell_table", np.zeros(1))
    n, form = layer.units, layer.table
    a = [
        sum(x[k] * real["kernel"][k, j] for k in range(layer.inputs))
        + sum(h[k] * real["recurrent"][k, j] for k in range(n))
        + real["bias"][j]
        for j in range(4 * n)
    ]
    new_h, new_c = [], []
    for j in range(n):
        i, f, o = (looked_up(layer.gate, gate_table, form, a[j + block * n]) for block in (0, 1, 3))
        g = looked_up(layer.activation, cell_table, form, a[j + 2 * n])
        new_c.append(converted(f * c[j] + i * g, layer.cell))
        squashed = looked_up(layer.activation, cell_table, form, new_c[-1])
        new_h.append(converted(o * squashed, layer.hidden))
    return new_h, new_c


FORMATS = {
    "default": PRESETS["default"],
    "narrow": PRESETS["narrow"],
    "stock table rule": replace(PRESETS["default"], index="hls4ml"),
    "coarse": replace(
        PRESETS["default"],
        hidden=FixedFormat(5, 1, True, Rounding.TRN, Overflow.WRAP),
        cell=FixedFormat(6, 2, True, Rounding.TRN, Overflow.WRAP),
        table=FixedFormat(9, 2, True, Rounding.TRN, Overflow.SAT),
        index_bits=5,
    ),
    "wide": replace(
        PRESETS["default"],
        input=FixedFormat(16, 6),
        hidden=FixedFormat(18, 2),
        cell=FixedFormat(24, 6),
        table=FixedFormat(18, 2),
        index_bits=12,
    ),
}
HARD = {
    "QKeras slope": (
        Activation("sigmoid", "hard", slope=1, slope_fraction=1),
        Activation("tanh", "hard", slope=1),
    ),
    "Keras slope": (Activation("sigmoid", "hard", slope=3277, slope_fraction=14), None),
}


@pytest.mark.parametrize("extreme", [False, True], ids=["normal", "extreme"])
@pytest.mark.parametrize("case", [*FORMATS, *HARD])
def test_step_is_that_of_exact_rational_arithmetic(case: str, extreme: bool) -> None:
    gate, activation = HARD.get(case, (None, None))
    bundle = random_bundle(
        1, 3, (5,), FORMATS.get(case), heads=TWO_HEADS, gate=gate, activation=activation,
        extreme=extreme,
    )  # fmt: skip
    layer = bundle.spec.lstm_layers[0]
    x_one, h_one, c_one = (
        Fraction(1, 2**f.fraction) for f in (layer.input, layer.hidden, layer.cell)
    )
    h = c = np.zeros((1, 5), dtype=np.int64)
    rational_h = rational_c = [Fraction(0)] * 5
    for x in bundle.golden["sequence_features"][:40]:
        h, c = lstm_step(layer, bundle.weights, x[None], h, c)
        rational_h, rational_c = rational_step(
            layer, bundle.weights, [int(v) * x_one for v in x], rational_h, rational_c
        )
        assert [int(v) * h_one for v in h[0]] == rational_h
        assert [int(v) * c_one for v in c[0]] == rational_c
    assert np.abs(h).max() > 0


def test_default_formats_follow_a_float_lstm() -> None:
    bundle = random_bundle(2, 4, (8,))
    layer, weights = bundle.spec.lstm_layers[0], bundle.weights
    kernel = layer.kernel.to_float(weights["lstm_0.kernel"])
    recurrent = layer.recurrent.to_float(weights["lstm_0.recurrent"])
    bias = layer.bias.to_float(weights["lstm_0.bias"])
    h_raw = c_raw = np.zeros((1, 8), dtype=np.int64)
    h = c = np.zeros(8)
    for x in bundle.golden["sequence_features"]:
        h_raw, c_raw = lstm_step(layer, weights, x[None], h_raw, c_raw)
        a = layer.input.to_float(x) @ kernel + h @ recurrent + bias
        i, f, g, o = a[:8], a[8:16], a[16:24], a[24:]
        c = c / (1 + np.exp(-f)) + np.tanh(g) / (1 + np.exp(-i))
        h = np.tanh(c) / (1 + np.exp(-o))
    assert np.abs(layer.hidden.to_float(h_raw[0]) - h).max() < 0.02


def test_scores_are_the_probabilities_that_the_logits_mean() -> None:
    bundle = random_bundle(3, heads=TWO_HEADS)
    identity = np.tile(np.arange(17) << 11, (4, 1))
    bundle = replace(bundle, weights=bundle.weights | {"calibration": identity})
    logits, scores = run_sequence(bundle, bundle.golden["sequence_features"])
    for raw, score in zip(logits / 2**10, scores / 2**15, strict=True):
        exps = [exp(v) for v in raw[:3]]
        expected = [*(e / sum(exps) for e in exps), 1 / (1 + exp(-raw[3]))]
        assert np.abs(np.array(expected) - score).max() < 0.006
    assert np.ptp(scores[:, 0]) > 1000


def test_calibration_interpolates_and_reaches_both_ends() -> None:
    knots = np.concatenate([np.arange(16) ** 2 * 100, [32768]])[None]
    p = np.array([[0], [1024], [2048], [30720], [31744], [32768]])
    assert calibrate(knots, p)[:, 0].tolist() == [0, 50, 100, 22500, 27634, 32768]


def test_stock_rule_has_a_double_bin_at_zero_and_mid_has_not() -> None:
    values = np.arange(-40, 40)
    mid = table_index(Activation("sigmoid", index_bits=8), values, 8)
    stock = table_index(Activation("sigmoid", index="hls4ml", index_bits=8), values, 8)
    assert np.count_nonzero(mid == 128) == 16
    assert np.count_nonzero(stock == 128) == 31
    assert mid[0] == 128 - 3 and stock[0] == 128 - 2


def test_windowed_sequence_equals_windows_of_its_last_vectors() -> None:
    bundle = random_bundle(4, 3, (6,), mode="window", window=5)
    features = bundle.golden["sequence_features"][:12]
    logits, scores = run_sequence(bundle, features)
    for step in range(12):
        window = features[max(0, step - 4) : step + 1]
        expected = run_windows(bundle, window[None])
        assert logits[step].tolist() == expected[0][0].tolist()
        assert scores[step].tolist() == expected[1][0].tolist()


def test_streams_are_independent_of_their_batch() -> None:
    bundle = random_bundle(5, 4, (7, 3))
    features = bundle.golden["sequence_features"].reshape(4, 32, 4)
    logits, scores = run_streams(bundle, features)
    for stream in range(4):
        alone = run_sequence(bundle, features[stream])
        assert logits[stream].tolist() == alone[0].tolist()
        assert scores[stream].tolist() == alone[1].tolist()


def test_reference_engine_is_an_engine_and_carries_its_state() -> None:
    bundle = random_bundle(6, 4, (5,))
    engine = ReferenceEngine.open(bundle)
    assert isinstance(engine, Engine)
    features = bundle.golden["sequence_features"]
    for x in features[:10]:
        engine.step(x)
    state = engine.state()
    expected = [engine.step(x).scores.tolist() for x in features[10:20]]
    engine.reset()
    engine.load_state(state)
    assert [engine.step(x).scores.tolist() for x in features[10:20]] == expected
    engine.close()
    with pytest.raises(DeviceError, match="closed; open it again"):
        engine.step(features[0])


def test_engine_refuses_features_outside_their_format_and_unknown_options() -> None:
    bundle = random_bundle(6, 4, (5,))
    engine = ReferenceEngine.open(bundle)
    with pytest.raises(UsageError, match=r"-129\.\.0 is outside -128\.\.127"):
        engine.step(np.array([0, 0, 0, -129]))
    with pytest.raises(UsageError, match=r"shape \(3,\), the model takes \(4,\)"):
        engine.step(np.zeros(3, dtype=np.int64))
    with pytest.raises(UsageError, match="raw integers"):
        engine.step(np.zeros(4))
    with pytest.raises(UsageError, match="unknown engine options"):
        ReferenceEngine.open(bundle, speed="fast")


def test_wrong_or_missing_golden_vectors_refuse_the_engine() -> None:
    bundle = random_bundle(6, 4, (5,))
    changed = bundle.golden["sequence_scores"].copy()
    changed[17, 0] += 1
    with pytest.raises(MismatchError, match="1 of 128 golden sequence scores differ, first at 17"):
        ReferenceEngine.open(replace(bundle, golden=bundle.golden | {"sequence_scores": changed}))
    with pytest.raises(BundleError, match="no golden vectors"):
        ReferenceEngine.open(replace(bundle, golden={}))


def test_tanh_of_the_cell_uses_the_cell_format() -> None:
    bundle = random_bundle(7, 2, (1,), heads=(Head("x", "linear", ("x",), "one"),))
    layer = bundle.spec.lstm_layers[0]
    state_c = np.array([[4096]])  # 1.0 in fixed<16,4>
    weights = {key: np.zeros_like(value) for key, value in bundle.weights.items()}
    weights |= {k: v for k, v in bundle.weights.items() if k.endswith("_table")}
    weights["lstm_0.bias"] = np.array([0, layer.bias.maximum, 0, layer.bias.maximum])
    h, c = lstm_step(layer, weights, np.array([[0, 0]]), np.array([[0]]), state_c)
    forget = 1 / (1 + exp(-layer.bias.maximum / 2**9))
    assert abs(c[0, 0] / 4096 - forget) < 0.01
    assert abs(h[0, 0] / 2048 - forget * tanh(forget)) < 0.01
