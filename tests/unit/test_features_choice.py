"""Inputs of a model chosen by name."""

from pathlib import Path

import pytest

from hls.train.run import Options
from pyorch.contract.errors import UsageError
from pyorch.features.definitions import extended_schema, schema_of


def test_features_are_those_named_in_the_order_given() -> None:
    schema = schema_of(["mid_age", "micro_offset"])
    known = {feature.name: feature for feature in extended_schema().features}
    assert schema.features == (known["mid_age"], known["micro_offset"])


def test_a_name_that_does_not_exist_or_comes_twice_is_refused() -> None:
    with pytest.raises(UsageError, match="unknown features phase, moon; there are micro_offset, "):
        schema_of(["phase", "spread", "moon"])
    with pytest.raises(UsageError, match="spread"):
        schema_of(["spread", "spread"])


def test_the_command_of_a_training_names_its_features() -> None:
    options = Options(
        Path("out/six"), features=("spread", "mid_age"), digit_budget=16, table_bits=6
    )
    assert "--digit-budget 16 --table-bits 6 --features spread,mid_age --seed 1" in options.command
