"""The anchor: the reference against hls4ml exactly as it ships, no header of ours.

Stock `nnet::lstm` compiles only where input, accumulator and result have one type, and its dot products are
exact (contract rule 1) only where weights add no fractional bits. Both hold here: one type T for input,
accumulator, h and c, integer weights, the table rule ``index: hls4ml``. Nothing may leave T's range inside a
sum either, so values are drawn, and `proof` shows it, within what T holds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hls.csim.library import Simulation
from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import ModelError
from pyorch.contract.fixed import FixedFormat, IntArray
from pyorch.contract.model import Activation, DenseLayer, Head, LstmLayer, ModelSpec

INTEGERS = FixedFormat.parse("fixed<4,4,RND,SAT>")


@dataclass(frozen=True, slots=True)
class StockConfiguration:
    """One model in which stock hls4ml compiles.

    Attributes:
        one: T, the type of input, accumulator, h and c.
        amplitude: largest absolute input, in units.
        sequences: the last LSTM answers every step (`return_sequences`, state not static); otherwise
            windows end in a dense layer.
    """

    name: str
    one: FixedFormat
    table: FixedFormat
    index_bits: int
    units: tuple[int, ...]
    inputs: int
    length: int
    amplitude: float
    sequences: bool


CONFIGURATIONS = (
    StockConfiguration(
        "RND SAT, windows",
        FixedFormat.parse("fixed<24,8,RND,SAT>"),
        FixedFormat.parse("fixed<18,2,RND,SAT>"),
        10,
        (7,),
        5,
        8,
        3.9,
        sequences=False,
    ),
    StockConfiguration(
        "TRN WRAP, 2 layers, sequences",
        FixedFormat.parse("fixed<18,8,TRN,WRAP>"),
        FixedFormat.parse("fixed<11,2,TRN,WRAP>"),
        8,
        (6, 5),
        4,
        1000,
        3.9,
        sequences=True,
    ),
)


def stock_bundle(configuration: StockConfiguration, seed: int = 0) -> Bundle:
    """The configuration's model with seeded integer weights; tables come from the stock program."""
    one, rng = configuration.one, np.random.default_rng(seed)
    layers: list[LstmLayer | DenseLayer] = []
    weights: dict[str, IntArray] = {}
    size = configuration.inputs
    for number, units in enumerate(configuration.units):
        name = f"lstm_{number}"
        layers.append(
            LstmLayer(
                name=name,
                inputs=size,
                units=units,
                input=one,
                kernel=INTEGERS,
                recurrent=INTEGERS,
                bias=one,
                accumulator=one,
                table=configuration.table,
                cell=one,
                hidden=one,
                gate=Activation("sigmoid", "table", "hls4ml", configuration.index_bits),
                activation=Activation("tanh", "table", "hls4ml", configuration.index_bits),
            )
        )
        weights[f"{name}.kernel"] = rng.integers(-2, 3, (size, 4 * units))
        weights[f"{name}.recurrent"] = rng.integers(-2, 3, (units, 4 * units))
        weights[f"{name}.bias"] = rng.integers(-one.maximum // 64, one.maximum // 64, 4 * units)
        size = units
    outputs = size
    if not configuration.sequences:
        layers.append(DenseLayer("dense", size, 3, one, INTEGERS, one, one, one))
        weights["dense.kernel"] = rng.integers(-7, 8, (size, 3))
        weights["dense.bias"] = rng.integers(-one.maximum // 64, one.maximum // 64, 3)
        outputs = 3
    names = tuple(f"output_{k}" for k in range(outputs))
    spec = ModelSpec(
        "stock",
        "window",
        configuration.length,
        tuple(layers),
        (Head("linear", "linear", names, "value"),),
    )
    bundle = Bundle(spec, weights)
    proof(bundle, configuration.amplitude)
    return bundle


def proof(bundle: Bundle, amplitude: float) -> None:
    """Show that no partial sum leaves T: |x| is at most ``amplitude``, |h| at most 1.

    Raises:
        ModelError: the weights of the configuration are too large for its type.
    """
    largest = amplitude
    for layer in bundle.spec.layers:
        bound = np.abs(bundle.weights[f"{layer.name}.kernel"]).sum(axis=0) * largest
        if isinstance(layer, LstmLayer):
            bound = bound + np.abs(bundle.weights[f"{layer.name}.recurrent"]).sum(axis=0)
        bound = bound + np.abs(layer.bias.to_float(bundle.weights[f"{layer.name}.bias"]))
        limit = layer.accumulator.maximum * layer.accumulator.lsb
        if float(bound.max()) > limit:
            raise ModelError(
                f"{layer.name}: sums reach {bound.max():.4g}, {limit:.4g} is the limit"
            )
        largest = 1.0


def stock_simulation(
    configuration: StockConfiguration, cache: Path | None = None
) -> tuple[Bundle, Simulation]:
    """The stock program, compiled, and the bundle with the tables that it built with libm."""
    bundle = stock_bundle(configuration)
    simulation = Simulation.build(
        bundle,
        stock=True,
        length=configuration.length,
        sequences=configuration.sequences,
        cache=cache,
    )
    return replace(bundle, weights=bundle.weights | simulation.stock_tables()), simulation


def stock_features(configuration: StockConfiguration, windows: int, seed: int = 0) -> IntArray:
    """Raw inputs [windows, T, F] over the whole amplitude, every eighth vector at its ends."""
    rng, one = np.random.default_rng(seed), configuration.one
    limit = int(configuration.amplitude * 2.0**one.fraction)
    shape = (windows, configuration.length, configuration.inputs)
    values = np.clip(np.rint(rng.normal(0, limit / 3, shape)), -limit, limit).astype(np.int64)
    ends = rng.choice(np.array([-limit, limit, 0, 1, -1]), shape)
    return np.where(rng.random((*shape[:2], 1)) < 0.125, ends, values)
