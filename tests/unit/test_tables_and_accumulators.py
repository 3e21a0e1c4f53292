"""Frozen tables, proven accumulators, and what `complete_bundle` refuses."""

from dataclasses import replace

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyorch.contract.digest import digest_of_bytes
from pyorch.contract.errors import ModelError
from pyorch.contract.fixed import FixedFormat
from pyorch.contract.model import Activation, DenseLayer
from pyorch.contract.precision import PRESETS
from pyorch.inference import tables
from pyorch.inference.accumulate import (
    Term,
    accumulator_for_limits,
    proven_accumulator,
    refuse_beyond_limit,
)
from pyorch.inference.complete import complete_bundle
from pyorch.inference.model_check import check_model
from pyorch.inference.sample import random_bundle

LOGITS = PRESETS["default"].logits
FROZEN = ["57ff9ecef57c1b61", "29ddfd98514d36c8", "c5e6522a69762d9e", "e239093727821196"]


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("function", ["sigmoid", "tanh"])
@pytest.mark.parametrize("index", ["mid", "hls4ml"])
def test_table_entries_are_the_rounded_function(name: str, function: str, index: str) -> None:
    p = PRESETS[name]
    activation = Activation(function, "table", index, p.index_bits)
    entries = tables.activation_table(activation, p.table)
    size, span = 1 << p.index_bits, 1 << activation.range_bits
    at = (np.arange(size) - size / 2 + (0.5 if index == "mid" else 0.0)) * span / size
    exact = 1 / (1 + np.exp(-at)) if function == "sigmoid" else np.tanh(at)
    raw = exact * 2.0**p.table.fraction
    assert (np.abs(np.minimum(raw, p.table.maximum) - entries) <= 0.5 + 1e-9).all()


def test_default_tables_are_frozen() -> None:
    """Any machine builds the same integers; a change of them is a change of every model."""
    p = PRESETS["default"]
    built = [
        tables.activation_table(Activation("sigmoid"), p.table),
        tables.activation_table(Activation("tanh"), p.table),
        tables.exp_table(LOGITS, 4),
        tables.sigmoid_table(LOGITS, 4),
    ]
    digests = [digest_of_bytes(table.astype("<i4").tobytes())[:16] for table in built]
    assert digests == FROZEN


def test_probability_tables_span_what_matters() -> None:
    assert tables.probability_shifts(LOGITS) == (4, 4)
    assert tables.probability_shifts(FixedFormat(8, 6)) == (0, 0)
    exp = tables.exp_table(LOGITS, 4)
    assert exp[0] == round(65535 * np.exp(-7.5 / 1024)) and exp[-1] == 0
    sigmoid = tables.sigmoid_table(LOGITS, 4)
    # bins hold 0..15 and -16..-1, so the mirror is off by one logit step: a quarter of 2**15 / 2**10
    assert (np.abs(sigmoid + sigmoid[::-1] - 32768) <= 9).all()
    assert (np.diff(sigmoid) >= 0).all()


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_accumulator_holds_every_partial_sum_and_no_narrower_one_does(data: st.DataObject) -> None:
    values = FixedFormat(data.draw(st.integers(1, 6)), 3, data.draw(st.booleans()))
    weights = FixedFormat(5, 1)
    bias_format = FixedFormat(6, data.draw(st.integers(-2, 3)))
    column = data.draw(st.lists(st.integers(-16, 15), min_size=1, max_size=4))
    bias = data.draw(st.integers(-32, 31))
    matrix = np.array(column, dtype=np.int64)[:, None]
    proven = proven_accumulator((Term(values, weights, matrix),), np.array([bias]), bias_format)
    fraction = proven.fraction
    assert fraction == max(bias_format.fraction, values.fraction + weights.fraction)
    reached = {0}
    for weight in column:
        shift = fraction - values.fraction - weights.fraction
        ends = [weight * values.minimum << shift, weight * values.maximum << shift]
        reached |= {total + end for total in reached for end in ends}
    reached |= {total + (bias << (fraction - bias_format.fraction)) for total in reached}
    assert proven.minimum <= min(reached) and max(reached) <= proven.maximum
    if proven.width > 2:
        half = 1 << (proven.width - 2)
        assert min(reached) < -half or max(reached) >= half


def test_accumulator_for_limits_covers_all_weights_within_them() -> None:
    rng = np.random.default_rng(0)
    values, weights, bias = FixedFormat(8, 3), FixedFormat(8, 1), FixedFormat(12, 3)
    matrix = rng.integers(-128, 128, (20, 30))
    limit = int(np.abs(matrix).sum(axis=0).max())
    declared = accumulator_for_limits(((values, weights, limit),), bias)
    actual = proven_accumulator((Term(values, weights, matrix),), np.full(30, bias.minimum), bias)
    assert declared.fraction == actual.fraction and declared.width >= actual.width
    refuse_beyond_limit("kernel", matrix, limit)
    with pytest.raises(
        ModelError, match=rf"sum of {limit}, the accumulator was declared for {limit - 1}"
    ):
        refuse_beyond_limit("kernel", matrix, limit - 1)


def test_out_of_range_float_missing_and_misshapen_weights_are_refused() -> None:
    good = random_bundle(0, 4, (3,))
    names = ("lstm_0.kernel", "lstm_0.recurrent", "lstm_0.bias", "dense_0.kernel", "dense_0.bias")
    weights = {name: good.weights[name] for name in names}
    assert complete_bundle(good.spec, weights).spec == good.spec
    outside = weights["lstm_0.kernel"].copy()
    outside[0, 0] = 128
    with pytest.raises(ModelError, match=r"kernel: 1 of 48 integers are outside -128\.\.127"):
        complete_bundle(good.spec, weights | {"lstm_0.kernel": outside})
    with pytest.raises(ModelError, match="float64 values"):
        complete_bundle(good.spec, weights | {"lstm_0.kernel": np.full((4, 12), np.nan)})
    with pytest.raises(ModelError, match=r"has shape \(11,\), the specification says \(12,\)"):
        complete_bundle(good.spec, weights | {"lstm_0.bias": weights["lstm_0.bias"][1:]})
    del weights["dense_0.bias"]
    with pytest.raises(ModelError, match=r"dense_0\.bias is missing"):
        complete_bundle(good.spec, weights)


def test_accumulator_that_the_weights_outgrew_is_refused() -> None:
    good = random_bundle(0, 4, (3,))
    larger = replace(good, weights=random_bundle(0, 4, (3,), extreme=True).weights)
    with pytest.raises(ModelError, match="cannot hold its weights exactly"):
        check_model(larger)


def test_chains_that_do_not_fit_are_refused() -> None:
    spec = random_bundle(0, 4, (3,)).spec
    lstm, dense = spec.layers
    weights = random_bundle(0, 4, (3,)).weights
    wide = msgspec.structs.replace(dense, inputs=4)
    with pytest.raises(ModelError, match="takes 4 inputs"):
        complete_bundle(replace(spec, layers=(lstm, wide)), weights)
    with pytest.raises(ModelError, match="no LSTM layer"):
        complete_bundle(replace(spec, layers=(dense,)), weights)
    assert isinstance(dense, DenseLayer)
    with pytest.raises(ModelError, match="an LSTM layer after a dense one"):
        second = msgspec.structs.replace(lstm, name="lstm_1")
        complete_bundle(replace(spec, layers=(lstm, dense, second)), weights)
    with pytest.raises(ModelError, match="heads name 8 outputs, the last layer has 11"):
        complete_bundle(replace(spec, heads=spec.heads[1:]), weights)


def test_formats_too_wide_for_exact_arithmetic_are_refused() -> None:
    wide = replace(PRESETS["default"], input=FixedFormat(32, 6), kernel=FixedFormat(20, 1))
    with pytest.raises(ModelError, match="has 52 bits, the limit is 48"):
        random_bundle(0, 4, (3,), wide)
    tail = replace(PRESETS["default"], cell=FixedFormat(48, 8), table=FixedFormat(30, 1))
    with pytest.raises(ModelError, match=r"f\*c \+ i\*g takes"):
        random_bundle(0, 4, (3,), tail)
