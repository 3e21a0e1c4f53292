"""Formats and bundles hold what they promise."""

from pathlib import Path

import numpy as np
import pytest

from hls.recipe import PRESETS, Recipe
from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import BundleError, UsageError
from pyorch.contract.fixed import FixedFormat
from pyorch.contract.model import DenseLayer, Head, LstmLayer, ModelSpec

ACCUMULATOR = FixedFormat.parse("fixed<26,8,RND,SAT>")


def small_bundle() -> Bundle:
    p = PRESETS["default"]
    lstm = LstmLayer(
        "lstm_0",
        3,
        2,
        p.input,
        p.kernel,
        p.recurrent,
        p.bias,
        ACCUMULATOR,
        p.table,
        p.cell,
        p.hidden,
    )
    dense = DenseLayer("dense", 2, 3, p.hidden, p.dense_kernel, p.dense_bias, ACCUMULATOR, p.logits)
    head = Head("direction", "softmax", ("down", "stable", "up"), "probability")
    spec = ModelSpec("small", "stateful", 20, (lstm, dense), (head,))
    rng = np.random.default_rng(0)
    return Bundle(spec, {"lstm_0.kernel": rng.integers(-128, 128, (3, 8))})


def test_bundle_round_trip(tmp_path: Path) -> None:
    bundle = small_bundle()
    bundle.save(tmp_path / "b")
    loaded = Bundle.load(tmp_path / "b")
    assert loaded.spec == bundle.spec
    assert loaded.digest() == bundle.digest()
    np.testing.assert_array_equal(loaded.weights["lstm_0.kernel"], bundle.weights["lstm_0.kernel"])


def test_any_flipped_byte_is_found(tmp_path: Path) -> None:
    small_bundle().save(tmp_path / "b")
    for path in sorted((tmp_path / "b").rglob("*")):
        if not path.is_file():
            continue
        original = path.read_bytes()
        for position in range(0, len(original), max(1, len(original) // 97)):
            path.write_bytes(
                original[:position] + bytes([original[position] ^ 0x20]) + original[position + 1 :]
            )
            with pytest.raises(BundleError):
                Bundle.load(tmp_path / "b")
        path.write_bytes(original)
    Bundle.load(tmp_path / "b")


def test_conversion_rounds_half_up_and_saturates() -> None:
    fmt = FixedFormat.parse("fixed<4,2,RND,SAT>")
    np.testing.assert_array_equal(
        fmt.convert([1, 2, 3, -1, -2, -3, 99, -99], 3), [1, 1, 2, 0, -1, -1, 7, -8]
    )


def test_unknown_type_says_what_to_write() -> None:
    with pytest.raises(UsageError, match="write fixed<16,4,RND,SAT>"):
        FixedFormat.parse("float")


def test_recipe_round_trip(tmp_path: Path) -> None:
    recipe = Recipe("r", "window", 20, PRESETS["narrow"])
    recipe.save(tmp_path / "recipe.json")
    assert Recipe.load(tmp_path / "recipe.json") == recipe
