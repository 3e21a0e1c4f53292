"""Declarations of features: complete, checked, documented; the shared arithmetic."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pyorch.contract.digest import digest_of
from pyorch.contract.errors import UsageError
from pyorch.contract.events import Instrument
from pyorch.contract.schema import Feature, FeatureSchema
from pyorch.features import normalise
from pyorch.features.arithmetic import (
    LOG2_TABLE,
    LOG_LIMIT,
    MICRO_TABLE,
    log2_256,
    micro_offset,
    soft_log,
)
from pyorch.features.batch import normalise as apply_normalisation
from pyorch.features.definitions import (
    KINDS,
    check_schema,
    default_schema,
    extended_schema,
    markdown_table,
    schema_with_basis,
    surface_schema,
)

ROOT = Path(__file__).resolve().parents[2]


def test_tables_are_frozen() -> None:
    """Another machine's mathematics must not change an entry: the native code and hardware share them."""
    assert (
        digest_of([LOG2_TABLE.tolist(), MICRO_TABLE.tolist()])
        == "819d9428cec5bb06a5ab9d375469685e9ef35fd70b549ef86a4033005bc319f8"
    )


def test_logarithm_is_within_two_steps_of_the_real_one() -> None:
    values = np.unique(np.geomspace(1, LOG_LIMIT, 20_000).astype(np.int64))
    exact = 256.0 * np.log2(values.astype(np.float64))
    assert np.abs(log2_256(values) - exact).max() < 2.0
    assert log2_256(np.array([-5, 0, 1])).tolist() == [0, 0, 0]
    assert np.all(np.diff(log2_256(values)) >= 0)


@pytest.mark.parametrize("knee", [0, 8, 40])
def test_compression_is_odd_and_keeps_the_order(knee: int) -> None:
    values = np.unique(np.geomspace(1, LOG_LIMIT, 2_000).astype(np.int64))
    positive, negative = soft_log(values, knee), soft_log(-values, knee)
    np.testing.assert_array_equal(positive, -negative)
    assert np.all(np.diff(positive) >= 0)
    assert soft_log(np.int64(0), knee) == 0


def test_micro_price_leans_to_the_thin_side_by_the_share_of_quantities() -> None:
    rng = np.random.default_rng(0)
    bid, ask = rng.integers(1, 100_000, (2, 5_000))
    exact = 256.0 * 3 * (bid - ask) / (bid + ask)
    inside = np.abs(np.log2(bid / ask)) < 7.9
    assert np.abs(micro_offset(3, bid, ask) - exact)[inside].max() < 4.0
    assert micro_offset(3, 7, 7) == 0


@pytest.mark.parametrize(
    "schema", [default_schema(), extended_schema(), surface_schema()], ids=["16", "20", "surface"]
)
def test_schemas_check_and_survive_json(schema: FeatureSchema) -> None:
    check_schema(schema)
    assert FeatureSchema.from_json(schema.to_json()) == schema
    assert {one.unit for one in schema.features} <= {kind.unit for kind in KINDS.values()}


def test_the_default_schema_is_the_one_that_models_were_trained_on() -> None:
    """A change of it is a change of every bundle: choose other features by name instead."""
    assert default_schema().digest() == (
        "857a910ac274cefb34709bab94db48ba25b4dea4899635486c428c32fb2920bd"
    )


def test_the_default_schema_has_sixteen_features_and_the_basis_adds_two() -> None:
    coarse = Instrument("A", "x", "0.1", "1")
    schema = schema_with_basis(coarse, Instrument("B", "x", "0.01", "1"))
    assert len(default_schema().features) == 16
    assert len(schema.features) == 18
    assert schema.features[-1].parameters["scale_0"] == 10
    assert schema.features[-1].parameters["scale_1"] == 1
    check_schema(schema)


def test_ticks_without_a_common_unit_are_refused() -> None:
    with pytest.raises(UsageError, match="ticks that divide each other"):
        schema_with_basis(
            Instrument("A", "x", "0.1", "1"), Instrument("B", "x", "0.0000000123", "1")
        )


@pytest.mark.parametrize(
    ("feature", "message"),
    [
        (Feature("x", "nonsense", ""), "no kind 'nonsense'; there are micro_offset, spread"),
        (Feature("x", "imbalance", ""), r"imbalance takes the parameters \(depth\), not \(\)"),
        (Feature("x", "imbalance", "", {"depth": 99}), "depth = 99 is outside 1…32"),
        (Feature("x", "spread", "", shift=31), "shift 31"),
        (
            Feature(
                "x",
                "basis_momentum",
                "",
                {"scale_0": 1, "scale_1": 1, "bucket_bits": 24, "shift": 4, "knee": 0},
            ),
            "reads 2 instruments, the schema 1",
        ),
    ],
)
def test_a_wrong_feature_is_refused_by_name(feature: Feature, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check_schema(FeatureSchema((feature,)))


def test_two_features_of_one_name_are_refused() -> None:
    twice = default_schema().features[:1] * 2
    with pytest.raises(UsageError, match="micro_offset occurs twice"):
        check_schema(FeatureSchema(twice))


def test_documentation_shows_every_feature_as_declared() -> None:
    text = (ROOT / "docs" / "features.md").read_text()
    coarse = Instrument("A", "x", "0.1", "1")
    schema = schema_with_basis(coarse, replace(coarse, tick_size="0.01"))
    for line in (
        markdown_table(extended_schema())
        + markdown_table(schema)
        + markdown_table(surface_schema())
    ).splitlines():
        assert line in text, f"docs/features.md lacks: {line}"


def test_fitting_maps_the_median_to_zero_and_a_deviation_to_one() -> None:
    rng = np.random.default_rng(5)
    schema = FeatureSchema(
        (Feature("a", "spread", ""), Feature("b", "volatility", "", {"bucket_bits": 24}))
    )
    raw = np.stack([rng.normal(1_000, 300, 50_000), rng.normal(-7, 20_000, 50_000)], axis=1).astype(
        np.int64
    )
    values = apply_normalisation(raw, normalise.fit(schema, raw)) / 32.0
    assert np.abs(np.median(values, axis=0)).max() <= 1 / 32
    assert np.abs(values.std(axis=0) - 1.0).max() < 0.03


def test_signed_features_keep_their_zero() -> None:
    schema = FeatureSchema((Feature("a", "imbalance", "", {"depth": 1}),))
    raw = np.arange(500, 1_500, dtype=np.int64)[:, None]
    fitted = normalise.fit(schema, raw)
    assert fitted.features[0].offset == 0
    assert apply_normalisation(np.zeros((1, 1), np.int64), fitted) == 0


@pytest.mark.parametrize("values", [[7] * 100, [0] * 99 + [1], [0] * 90 + [1 << 40] * 10])
def test_degenerate_columns_still_fit(values: list[int]) -> None:
    schema = FeatureSchema((Feature("a", "spread", ""),))
    raw = np.array(values, dtype=np.int64)[:, None]
    fitted = normalise.fit(schema, raw)
    check_schema(fitted)
    result = apply_normalisation(raw, fitted)
    assert result.min() == 0
    assert len(np.unique(result)) == len(set(values))


def test_too_few_ticks_are_refused() -> None:
    with pytest.raises(UsageError, match="3 ticks are too few to fit a normalisation; at least 16"):
        normalise.fit(default_schema(), np.zeros((3, 16), np.int64))


def test_a_knee_lies_at_the_median_size() -> None:
    schema = FeatureSchema((Feature("a", "trade_flow", "", {"bucket_bits": 24, "knee": 0}),))
    flows = np.array([0, -1_000, 1_000, 1_100, 900_000], dtype=np.int64)
    fitted = normalise.fit_knees(schema, soft_log(flows)[:, None])
    assert fitted.features[0].parameters["knee"] == round(math.log2(1_000))
    with pytest.raises(UsageError, match="fitted from a schema with knee 0"):
        normalise.fit_knees(fitted, soft_log(flows)[:, None])
