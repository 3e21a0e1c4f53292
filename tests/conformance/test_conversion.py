"""Users' models become bundles whose C simulation returns the reference's bits.

One small model a case; each is converted and compiled once, and used by several tests.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hls.check import adversarial_windows, compare_windows
from hls.convert.conversion import Conversion, convert_model, difference_to_keras
from hls.convert.reading import read_model
from hls.convert.source import load_source
from hls.csim.library import Simulation
from hls.recipe import PRESETS, Precision
from pyorch.contract.errors import ModelError
from pyorch.contract.fixed import FixedFormat
from pyorch.contract.model import DenseLayer
from pyorch.inference.complete import complete_bundle, random_features
from pyorch.inference.reference import run_streams

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]

BITS8 = "quantized_bits(8,0,alpha=1)"

FINE = Precision(
    input=PRESETS["default"].input,
    kernel=FixedFormat(16, 2),
    recurrent=FixedFormat(16, 2),
    bias=FixedFormat(16, 3),
    hidden=FixedFormat(18, 1),
    cell=FixedFormat(22, 4),
    table=FixedFormat(18, 1),
    index_bits=14,
    dense_kernel=FixedFormat(16, 2),
    dense_bias=FixedFormat(16, 3),
    logits=FixedFormat(22, 6),
)
"""Formats so fine that what is left between bundle and Keras is what they compute, not how finely."""


@dataclass
class Case:
    """One model: how it is built, and what it is converted with."""

    build: Callable[[Any], Any]
    file: str
    precision: Precision = PRESETS["default"]


def functional_qlstm(layers: Any) -> Any:
    from qkeras import QLSTM, QActivation, QDense, quantized_bits
    from tf_keras import Model

    start = x = layers.Input((8, 4), name="input")
    x = QActivation(quantized_bits(9, 3, alpha=1), name="rounded")(x)
    x = QLSTM(
        6,
        activation="tanh",
        recurrent_activation="sigmoid",
        kernel_quantizer=BITS8,
        recurrent_quantizer=BITS8,
        bias_quantizer=BITS8,
        name="my/lstm-1",
    )(x)
    x = QDense(3, kernel_quantizer=BITS8, bias_quantizer=BITS8, name="head")(x)
    return Model(start, layers.Activation("softmax", name="out")(x))


def hard_qlstm(layers: Any) -> Any:
    """QKeras' own defaults: quantized_tanh, hard_sigmoid of slope 0.5; scales, states and relu quantised."""
    from qkeras import QLSTM, QActivation, QDense
    from tf_keras import Model

    start = layers.Input((8, 4), name="in")
    x = QLSTM(
        6,
        kernel_quantizer="quantized_bits(6,1,alpha='auto_po2')",
        recurrent_quantizer=BITS8,
        bias_quantizer="quantized_po2(4)",
        state_quantizer="quantized_bits(10,2,alpha=1)",
        name="lstm",
    )(start)
    x = QDense(4, kernel_quantizer="quantized_bits(4,0,alpha=1)", use_bias=False, name="hidden")(x)
    x = QActivation("quantized_relu(8,2)", name="act")(x)
    return Model(start, layers.Dense(2, name="out")(x))


def four_lstms(layers: Any) -> Any:
    """Keras' hard_sigmoid of slope 0.2 in two of four layers; dropout, no bias, a relu stack, sigmoid."""
    from tf_keras import Sequential

    return Sequential(
        [
            layers.Input((8, 4)),
            layers.LSTM(5, return_sequences=True, recurrent_activation="hard_sigmoid"),
            layers.Dropout(0.1),
            layers.LSTM(4, return_sequences=True, use_bias=False),
            layers.LSTM(4, return_sequences=True, recurrent_activation="hard_sigmoid"),
            layers.LSTM(4),
            layers.Dense(7, activation="relu"),
            layers.Dense(4),
            layers.ReLU(),
            layers.Dense(2, activation="sigmoid"),
        ]
    )


CASES = {
    "QLSTM to softmax": Case(functional_qlstm, "qlstm.h5"),
    "QLSTM, hard": Case(hard_qlstm, "hard.h5"),
    "4 LSTM, hard, relu, sigmoid": Case(four_lstms, "four.keras", PRESETS["narrow"]),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cases' model files; biases are random, so that they matter."""
    from hls.csim.workarounds import keras, quiet

    target = tmp_path_factory.mktemp("models")
    layers = keras().layers
    rng = np.random.default_rng(5)
    for case in CASES.values():
        keras().utils.set_random_seed(7)
        model = case.build(layers)
        for layer in model.layers:
            drawn = [rng.normal(0, 0.3, w.shape) if w.ndim == 1 else w for w in layer.get_weights()]
            layer.set_weights(drawn)
        with quiet():
            model.save(target / case.file)
    return target


@pytest.fixture(scope="module", params=list(CASES))
def converted(request: pytest.FixtureRequest, folder: Path) -> tuple[Case, Conversion, Simulation]:
    case = CASES[request.param]
    conversion = convert_model(folder / case.file, precision=case.precision)
    return case, conversion, conversion.simulation


def test_windows_are_equal_bit_for_bit(converted: tuple[Case, Conversion, Simulation]) -> None:
    _, conversion, simulation = converted
    bundle = conversion.bundle
    drawn = random_features(np.random.default_rng(0), bundle.spec, (300, bundle.spec.window))
    for features in (drawn, adversarial_windows(bundle)):
        comparison = compare_windows("windows", bundle, simulation, features)
        assert (comparison.mismatches, comparison.first) == (0, "")
        assert comparison.compared == len(features) * len(bundle.spec.outputs)


def test_a_thousand_steps_are_equal_bit_for_bit(
    converted: tuple[Case, Conversion, Simulation],
) -> None:
    _, conversion, simulation = converted
    features = random_features(np.random.default_rng(1), conversion.bundle.spec, (1000,))
    expected, _ = run_streams(conversion.bundle, features[None])
    np.testing.assert_array_equal(simulation.steps(features).logits, expected[0])


# (the quantizers of the hard QLSTM fix h, c and the activations at 8 to 10 bits: nothing gets finer)
@pytest.mark.parametrize(
    "converted", [name for name in CASES if name != "QLSTM, hard"], indirect=True
)
def test_difference_to_keras_vanishes_with_finer_formats(
    converted: tuple[Case, Conversion, Simulation], folder: Path
) -> None:
    """What remains at fine formats would be another function: a wrong slope, gate order or table."""
    case, conversion, _ = converted
    if case.build is hard_qlstm:
        pytest.skip(
            "its quantizers fix h, c and the activations at 8 to 10 bits: nothing gets finer"
        )
    source = load_source(folder / case.file)
    draft = read_model(source, None, FINE, None)
    fine = difference_to_keras(source, complete_bundle(draft.spec, draft.weights))
    assert conversion.difference.largest < 0.25
    assert fine.largest < conversion.difference.largest / 8
    assert fine.agreement > 0.98


def test_hard_qlstm_stays_within_its_own_steps(folder: Path) -> None:
    source = load_source(folder / CASES["QLSTM, hard"].file)
    draft = read_model(source, None, PRESETS["default"], None)
    first = draft.spec.lstm_layers[0]
    assert (first.gate.kind, first.gate.slope, first.gate.slope_fraction) == ("hard", 1, 1)
    assert (first.activation.kind, first.activation.slope) == ("hard", 1)
    assert str(first.hidden) == str(first.cell) == "fixed<10,3,RND,SAT>"
    assert str(first.table) == "fixed<13,1,RND,SAT>"
    hidden, last = (layer for layer in draft.spec.layers if isinstance(layer, DenseLayer))
    assert (hidden.activation, str(hidden.output)) == ("relu", "fixed<9,3,RND,SAT>")
    assert last.activation == "linear"
    assert any("halves to even, on entry to the next step" in text for text in draft.remarks)
    found = difference_to_keras(source, complete_bundle(draft.spec, draft.weights))
    steps = 2.0**-7  # one LSB of h and c in QKeras
    assert found.mean < steps


def test_slope_of_hard_sigmoid_is_a_stated_constant(folder: Path) -> None:
    source = load_source(folder / CASES["4 LSTM, hard, relu, sigmoid"].file)
    draft = read_model(source, None, PRESETS["default"], None)
    gate = draft.spec.lstm_layers[0].gate
    assert gate.slope / 2.0**gate.slope_fraction == pytest.approx(0.2, abs=2.0**-17)
    assert "recurrent_activation is hard_sigmoid (slope 0.2), as 13107/2**16" in draft.remarks[0]
    assert [head.kind for head in draft.spec.heads] == ["sigmoid"]


KERAS_3 = """
import sys
import keras
from keras import layers
keras.utils.set_random_seed(3)
model = keras.Sequential([
    layers.Input((8, 4)),
    layers.LSTM(5, return_sequences=True, recurrent_activation="hard_sigmoid", name="first"),
    layers.LSTM(4, name="lstm"),
    layers.Dense(3, activation="relu", name="other"),
    layers.Dense(2, name="dense"),
])
model.save(sys.argv[1])
import numpy
numpy.save(sys.argv[2], model.predict(numpy.ones((1, 8, 4)), verbose=0))
"""


def test_file_of_keras_3_is_read(tmp_path: Path) -> None:
    """Its hard_sigmoid has slope 1/6; its archive names weights by class and number, not by layer."""
    path, expected = tmp_path / "three.keras", tmp_path / "expected.npy"
    environment = {"PATH": "/usr/bin:/bin", "TF_CPP_MIN_LOG_LEVEL": "3", "HOME": str(tmp_path)}
    subprocess.run(
        [sys.executable, "-c", KERAS_3, str(path), str(expected)], check=True, env=environment
    )
    source = load_source(path)
    predicted = source.model.predict(np.ones((1, 8, 4)), verbose=0)
    np.testing.assert_allclose(predicted, np.load(expected), rtol=1e-6)
    draft = read_model(source, None, PRESETS["default"], None)
    assert draft.spec.lstm_layers[0].gate.slope == round(2**16 / 6)
    assert draft.spec.lstm_layers[1].gate.kind == "table"


def test_nan_weights_are_refused_with_layer_and_count(folder: Path, tmp_path: Path) -> None:
    from hls.csim.workarounds import quiet

    source = load_source(folder / "qlstm.h5")
    head = source.model.get_layer("head")
    kernel, bias = head.get_weights()
    kernel[0, :2] = np.nan
    kernel[1, 0] = np.inf
    head.set_weights([kernel, bias])
    with quiet():
        source.model.save(tmp_path / "broken.h5")
    with pytest.raises(ModelError, match=r"layer 'head' \(QDense\): 3 of 18 values of head/kernel"):
        convert_model(tmp_path / "broken.h5")
    assert [path.name for path in tmp_path.iterdir()] == ["broken.h5"]


def _ends_in(*layers: Any) -> Callable[[Any], list[Any]]:
    return lambda of: [of.LSTM(3, name="lstm"), *(make(of) for make in layers)]


def _qlstm(**change: Any) -> Callable[[Any], list[Any]]:
    def build(_: Any) -> list[Any]:
        from qkeras import QLSTM

        return [
            QLSTM(3, name="x", **{"activation": "tanh", "recurrent_activation": "sigmoid"} | change)
        ]

    return build


def _rounded(text: str) -> Callable[[Any], Any]:
    def build(_: Any) -> Any:
        from qkeras import QActivation

        return QActivation(text, name="act")

    return build


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (
            _qlstm(activation="relu"),
            r"layer 'x' \(QLSTM\) has activation='relu'; supported are tanh",
        ),
        (
            _qlstm(kernel_quantizer="quantized_bits(8,0,alpha='auto')"),
            r"layer 'x' \(QLSTM\) has a kernel whose quantizer .* on no grid of powers of two",
        ),
        (
            _ends_in(lambda of: of.Dense(2, activation="tanh", name="d")),
            r"layer 'd' \(Dense\) applies 'tanh' here; supported are",
        ),
        (
            _ends_in(lambda of: of.Dense(2), lambda of: of.ReLU(max_value=6, name="r")),
            r"layer 'r' \(ReLU\) has max_value=6",
        ),
        (
            _ends_in(lambda of: of.Dense(2), _rounded("quantized_relu(8,2,negative_slope=0.25)")),
            r"layer 'act' \(QActivation\) rounds by quantized_relu\(negative_slope=0.25\)",
        ),
        (
            _ends_in(_rounded("quantized_bits(8,0,alpha=1)")),
            r"layer 'act' \(QActivation\) applies 'quantized_bits' here",
        ),
        (
            _ends_in(
                lambda of: of.Dense(2, activation="softmax"), lambda of: of.Dense(2, name="d")
            ),
            r"layer 'd' \(Dense\) stands after the final softmax",
        ),
    ],
)
def test_arithmetic_that_is_not_carried_is_refused(
    tmp_path: Path, build: Callable[[Any], list[Any]], text: str
) -> None:
    from hls.csim.workarounds import keras, quiet

    layers = keras().layers
    model = keras().Sequential([layers.Input((4, 2)), *build(layers)])
    with quiet():
        model.save(tmp_path / "m.h5")
    with pytest.raises(ModelError, match=text):
        read_model(load_source(tmp_path / "m.h5"), None, PRESETS["default"], None)


def test_weights_beyond_the_preset_widen_its_format(folder: Path) -> None:
    source = load_source(folder / "four.keras")
    layer = source.layers[0]
    weights = layer.get_weights()
    weights[0][0, 0] = 5.3
    layer.set_weights(weights)
    draft = read_model(source, None, PRESETS["default"], None)
    assert str(draft.spec.lstm_layers[0].kernel) == "fixed<11,4,RND,SAT>"
    assert (
        "kernel reaches 5.3, so fixed<11,4,RND,SAT> instead of fixed<8,1,RND,SAT>"
        in (draft.remarks[0])
    )


def test_recipe_that_contradicts_the_quantizers_is_refused(folder: Path) -> None:
    from hls.recipe import Recipe

    source = load_source(folder / "qlstm.h5")
    recipe = Recipe("r", "stateful", 8, replace(PRESETS["default"], kernel=FixedFormat(6, 1)))
    with pytest.raises(ModelError, match=r"kernel values, quantised by its own .* not on the grid"):
        read_model(source, recipe, PRESETS["default"], None)
