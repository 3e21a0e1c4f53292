"""The trained network's forward values are the integers of the reference, bit for bit."""

import numpy as np
import pytest

from hls.train.assemble import assemble
from hls.train.backend import tensorflow
from hls.train.cell import convert, quantizer_class
from hls.train.network import Network, Weights
from pyorch.contract.errors import UsageError
from pyorch.contract.fixed import FixedFormat
from pyorch.contract.model import Head
from pyorch.contract.precision import PRESETS
from pyorch.inference.reference import run_streams, run_windows

pytestmark = pytest.mark.tensorflow

HEADS = (
    Head("direction", "softmax", ("down", "stable", "up"), "probability"),
    Head("jump", "sigmoid", ("down", "up"), "probability"),
)


def network_with(preset: str, size: float, seed: int) -> Network:
    """Weights of about ``size`` times a fresh network's: large ones saturate gates, c and h."""
    network = Network(16, 32, 5, PRESETS[preset], seed)
    rng = np.random.default_rng(seed)
    arrays = [array + rng.normal(0, size, array.shape) for array in network.weights().arrays]
    network.assign(Weights(*arrays))
    network.clip()
    return network


@pytest.mark.parametrize("preset", ["default", "narrow"])
def test_forward_equals_the_reference_on_streams_with_resets(preset: str) -> None:
    network = network_with(preset, 0.4, seed=3)
    rng = np.random.default_rng(4)
    features = rng.integers(-128, 128, (8, 96, 16))
    features[:4] //= 4  # usual sizes; the others reach the ends of the format
    keep = np.ones((8, 96))
    keep[:, 40] = 0.0
    logits = network.run(features, keep, "contract", chunk=8)
    bundle = assemble("t", "stateful", 32, network.weights(), network.precision, HEADS)
    before, _ = run_streams(bundle, features[:, :40])
    after, _ = run_streams(bundle, features[:, 40:])
    raw = np.concatenate([before, after], axis=1)
    assert np.array_equal(logits, network.precision.logits.to_float(raw))


@pytest.mark.parametrize("preset", ["default", "narrow"])
def test_forward_equals_the_reference_on_windows(preset: str) -> None:
    network = network_with(preset, 0.2, seed=5)
    features = np.random.default_rng(6).integers(-128, 128, (64, 20, 16))
    logits = network.run(features, np.ones((64, 20)), "contract", chunk=10)[:, -1]
    bundle = assemble("t", "window", 20, network.weights(), network.precision, HEADS)
    raw, _ = run_windows(bundle, features)
    assert np.array_equal(logits, network.precision.logits.to_float(raw))


def test_the_cell_works_inside_a_keras_rnn_layer() -> None:
    """It is a QKeras cell like any other: the same values through Keras' own loop."""
    tf = tensorflow()
    network = network_with("default", 0.2, seed=7)
    features = np.random.default_rng(8).integers(-128, 128, (4, 12, 16))
    layer = tf.keras.layers.RNN(network.cell, dtype="float64")
    hidden = layer(features * network.precision.input.lsb)
    ours = network.run(features, np.ones((4, 12)), "contract", chunk=12)[:, -1]
    assert np.array_equal(network.logits(hidden, "contract").numpy(), ours)


def test_gradients_approach_those_of_the_real_functions() -> None:
    """Straight through: with 16-bit tables and states both arithmetics have nearly the same gradient."""
    tf = tensorflow()
    network = network_with("default", 0.1, seed=9)
    features = np.random.default_rng(10).integers(-64, 64, (8, 10, 16))
    zero, keep = tf.zeros((8, 32), "float64"), np.ones((8, 10))
    gradients = []
    for arithmetic in ("contract", "float"):
        with tf.GradientTape() as tape:
            logits, _, _ = network.forward(features, zero, zero, keep, arithmetic)
            loss = tf.reduce_mean(tf.square(logits - 1.0))
        found = tape.gradient(loss, network.variables)
        gradients.append(np.concatenate([g.numpy().ravel() for g in found]))
    contract, real = gradients
    cosine = contract @ real / np.linalg.norm(contract) / np.linalg.norm(real)
    assert cosine > 0.99
    assert abs(np.linalg.norm(contract) / np.linalg.norm(real) - 1.0) < 0.05


def test_a_format_that_training_does_not_round_to_is_refused() -> None:
    with pytest.raises(
        UsageError, match=r"training supports RND and SAT; write fixed<W,I,RND,SAT>"
    ):
        convert(np.zeros(3), FixedFormat.parse("fixed<8,3,TRN,SAT>"))


def test_quantised_values_are_those_of_the_format() -> None:
    """Halves go up, as `FixedFormat.quantise` says, not to the even neighbour as in QKeras."""
    form = FixedFormat.parse("fixed<6,1,RND,SAT>")
    values = np.arange(-90, 90) / 64.0
    found = quantizer_class()(form)(values).numpy()
    assert np.array_equal(found, form.to_float(form.quantise(values)))
    assert found[values == 0.5 / 32].item() == 1 / 32
