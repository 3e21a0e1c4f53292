"""The C simulation equals the reference, stock hls4ml too; every planted difference is found and named."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import hls.check
import hls.csim.project
from hls.check import Comparison, compare_states, compare_stock, compare_windows
from hls.commands import check, convert
from hls.csim.library import Simulation
from hls.csim.readback import check_types, written_types
from hls.csim.stock import CONFIGURATIONS, stock_bundle, stock_features, stock_simulation
from hls.csim.workarounds import WORKAROUNDS
from hls.recipe import PRESETS, Recipe
from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import BuildError, MismatchError, ModelError
from pyorch.contract.fixed import FixedFormat, Overflow
from pyorch.contract.model import Activation, DenseLayer, Head, LstmLayer
from pyorch.features.definitions import default_schema
from pyorch.inference.complete import random_features
from pyorch.inference.reference import run_streams, run_windows
from pyorch.inference.sample import random_bundle
from pyorch.market.clock import insert_timer_ticks
from pyorch.market.simulate import simulate
from pyorch.market.tape import write_tape

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
HEADS = (Head("direction", "softmax", ("down", "stable", "up"), "probability"),)


@pytest.fixture(scope="module")
def small() -> Bundle:
    """A mixed model: a table and a hard activation, h and c of different formats."""
    precision = replace(PRESETS["narrow"], cell=FixedFormat.parse("fixed<11,3,RND,SAT>"))
    hard = Activation("sigmoid", "hard", slope=13107, slope_fraction=16)
    return random_bundle(11, 3, (4,), precision, window=6, heads=HEADS, gate=hard)


@pytest.fixture(scope="module")
def simulation(small: Bundle) -> Simulation:
    return Simulation.build(small)


@pytest.mark.parametrize("number", range(len(CONFIGURATIONS)))
def test_stock_hls4ml_returns_the_bits_of_the_reference(number: int) -> None:
    comparison = compare_stock(number)
    assert (comparison.mismatches, comparison.first) == (0, "")
    assert comparison.compared >= 1000


def test_stock_header_is_the_one_that_hls4ml_ships() -> None:
    import hls4ml

    _, program = stock_simulation(CONFIGURATIONS[0])
    shipped = Path(hls4ml.__file__).parent / "templates" / "vivado" / "nnet_utils"
    for name in ("nnet_recurrent.h", "nnet_activation.h", "nnet_dense_latency.h"):
        used = program.project.folder / "firmware" / "nnet_utils" / name
        assert used.read_bytes() == (shipped / name).read_bytes()


def test_another_table_rule_would_not_pass_as_stock() -> None:
    configuration = CONFIGURATIONS[0]
    bundle, program = stock_simulation(configuration)
    layer = bundle.spec.layers[0]
    assert isinstance(layer, LstmLayer)
    wrong = replace_layer(bundle, gate=replace(layer.gate, index="mid"))
    features = stock_features(configuration, 50)
    expected, _ = run_windows(wrong, features)
    assert np.count_nonzero(program.windows(features) != expected) > 50


def replace_layer(bundle: Bundle, **changes: Any) -> Bundle:
    import msgspec

    first = msgspec.structs.replace(bundle.spec.layers[0], **changes)
    return replace(bundle, spec=replace(bundle.spec, layers=(first, *bundle.spec.layers[1:])))


def test_stock_model_whose_sums_could_leave_their_type_is_refused() -> None:
    narrow = replace(CONFIGURATIONS[0], one=FixedFormat(18, 4))
    with pytest.raises(ModelError, match="is the limit"):
        stock_bundle(narrow)


def test_thousand_steps_through_the_loop_that_hls4ml_writes(small: Bundle) -> None:
    """`return_sequences` over 1,000 steps in one call of the project's top function: every h."""
    program = Simulation.build(small, length=1000, sequences=True)
    features = random_features(np.random.default_rng(0), small.spec, (3, 1000))
    hidden = program.windows(features)
    headless = replace(
        small,
        spec=replace(
            small.spec,
            layers=small.spec.layers[:1],
            heads=(Head("h", "linear", ("a", "b", "c", "d"), "value"),),
        ),
    )
    expected, _ = run_streams(headless, features)
    np.testing.assert_array_equal(hidden, expected)


def test_step_function_and_top_function_are_one_program(
    small: Bundle, simulation: Simulation
) -> None:
    features = random_features(np.random.default_rng(1), small.spec, (20, small.spec.window))
    stepped = np.stack([simulation.steps(window).logits[-1] for window in features])
    np.testing.assert_array_equal(stepped, simulation.windows(features))


def test_digest_of_the_sources_covers_weights_and_tables(
    small: Bundle, simulation: Simulation, tmp_path: Path
) -> None:
    again = hls.csim.project.write_project(small, tmp_path / "again")
    assert again.digest() == simulation.project.digest()
    bias = small.weights["dense_0.bias"].copy()
    bias[0] -= 1
    other = replace(small, weights=small.weights | {"dense_0.bias": bias})
    changed = hls.csim.project.write_project(other, tmp_path / "other")
    assert changed.digest() != again.digest()
    with pytest.raises(BuildError, match="no project there; build it again"):
        replace(again, folder=tmp_path / "gone").digest()


def test_simulation_is_built_once_for_equal_sources(small: Bundle, simulation: Simulation) -> None:
    library = simulation.project.folder / "csim.so"
    before = library.stat().st_mtime_ns
    again = Simulation.build(small)
    assert again.project.folder == simulation.project.folder
    assert library.stat().st_mtime_ns == before


def test_accumulator_of_one_bit_less_is_found(small: Bundle, simulation: Simulation) -> None:
    """The proven width is needed, and the adversarial states reach it."""
    import msgspec

    assert compare_states(small, simulation, 20).mismatches == 0
    layer = small.spec.layers[0]
    proven = layer.accumulator
    narrow = replace(proven, width=proven.width - 1, integer=proven.integer - 1)
    wraps = msgspec.structs.replace(layer, accumulator=narrow)
    spec = replace(small.spec, layers=(wraps, *small.spec.layers[1:]))
    program = Simulation.build(replace(small, spec=spec))
    assert compare_states(small, program, 0).mismatches > 0


def test_wrong_table_entry_is_found_and_named(small: Bundle, simulation: Simulation) -> None:
    table = small.weights["lstm_0.cell_table"].copy()
    table[len(table) // 2] += 1
    wrong = replace(small, weights=small.weights | {"lstm_0.cell_table": table})
    features = random_features(np.random.default_rng(2), small.spec, (200, small.spec.window))
    comparison = compare_windows("windows", wrong, simulation, features)
    assert comparison.mismatches > 0
    assert comparison.first.startswith(("lstm_0.c, window ", "lstm_0.h, window "))
    assert ", step " in comparison.first and "the reference says" in comparison.first


def test_earliest_stage_of_the_earliest_step_is_named() -> None:
    comparison = Comparison("x")
    actual, expected = np.zeros((3, 2), dtype=np.int64), np.zeros((3, 2), dtype=np.int64)
    actual[1, 1] = 5
    comparison.add(actual, expected, lambda at: f"row {at[0]}, unit {at[1]}")
    assert comparison.first == "row 1, unit 1: 5, the reference says 0"
    assert (comparison.mismatches, comparison.compared) == (1, 6)


@pytest.mark.parametrize(
    ("asked", "ignored", "text"),
    [
        ("TableT", "Precision.table", "lstm_0: table_t was written as fixed<18,8,TRN,WRAP>, meant"),
        ("CellT", "CellType", "could not convert random_11: KeyError: 'cell_t'"),
    ],
)
def test_type_that_hls4ml_ignores_is_an_error(
    small: Bundle,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    asked: str,
    ignored: str,
    text: str,
) -> None:
    original = hls.csim.project.graph_configuration

    def misspelt(*arguments: Any) -> dict[str, Any]:
        configuration = original(*arguments)
        entry = configuration["LayerName"]["lstm_0"]
        entry[ignored] = entry.pop(asked)
        return configuration

    monkeypatch.setattr(hls.csim.project, "graph_configuration", misspelt)
    with pytest.raises(BuildError, match=re.escape(text)):
        check_types(hls.csim.project.write_project(small, tmp_path / "p"))


def test_types_are_read_from_the_generated_header(small: Bundle, simulation: Simulation) -> None:
    layer = small.spec.layers[0]
    assert isinstance(layer, LstmLayer)
    types = written_types(simulation.project)
    assert types["lstm_0_cell_t"] == layer.cell
    assert types["lstm_0_accum_t"] == layer.accumulator
    assert types["lstm_0_accum_t"].overflow is Overflow.WRAP
    assert types["layer2_t"] == layer.hidden != layer.cell


def test_weight_formats_beyond_float32_are_refused(small: Bundle, tmp_path: Path) -> None:
    dense = small.spec.layers[1]
    assert isinstance(dense, DenseLayer)
    import msgspec

    wide = msgspec.structs.replace(dense, bias=FixedFormat(30, 3))
    spec = replace(small.spec, layers=(small.spec.layers[0], wide))
    with pytest.raises(ModelError, match="holds 24 bits exactly"):
        hls.csim.project.write_project(replace(small, spec=spec), tmp_path / "p")
    assert not (tmp_path / "p").exists()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as training writes it: a QLSTM on 16 features, a recipe with heads and calibration."""
    from hls.csim.workarounds import keras, quiet

    keras()
    from qkeras import QLSTM, QDense
    from tf_keras import Sequential
    from tf_keras.layers import Input

    keras().utils.set_random_seed(1)
    bits8, bits12 = "quantized_bits(8,0,alpha=1)", "quantized_bits(12,2,alpha=1)"
    quantizers = {"kernel_quantizer": bits8, "bias_quantizer": bits12}
    lstm = QLSTM(
        5,
        activation="tanh",
        recurrent_activation="sigmoid",
        recurrent_quantizer=bits8,
        name="lstm_0",
        **quantizers,
    )
    model = Sequential([Input((10, 16)), lstm, QDense(3, name="dense", **quantizers)])
    folder = tmp_path_factory.mktemp("trained")
    with quiet():
        model.save(folder / "model.h5")
    knots = tuple(min(32768, k * 1500) for k in range(17))
    recipe = Recipe(
        "toy", "stateful", 10, PRESETS["default"], HEADS, (knots,) * 3, default_schema(), {"seed": 1}
    )  # fmt: skip
    recipe.save(folder / "recipe.json")
    return folder


def test_training_folder_becomes_a_checked_bundle(trained: Path) -> None:
    runner = CliRunner()
    written = runner.invoke(convert, [str(trained), "--out", str(trained / "b"), "--json"])
    assert written.exit_code == 0, written.output
    bundle = Bundle.load(trained / "b")
    assert (bundle.spec.mode, bundle.spec.window, bundle.spec.heads) == ("stateful", 10, HEADS)
    assert bundle.weights["calibration"][0, 1] == 1500
    assert bundle.schema == default_schema()
    assert bundle.provenance["seed"] == 1
    conversion = bundle.provenance["conversion"]
    assert conversion["tools"]["hls4ml"] == "1.3.0"

    result = runner.invoke(
        check, [str(trained / "b"), "--windows", "50", "--steps", "3000", "--json"]
    )
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["ok"] is True
    assert found["digests"]["model"] == bundle.digest()
    # the project built again from the bundle alone has the very sources of the conversion
    assert found["digests"]["simulation_sources"] == conversion["simulation_sources_sha256"]
    figures = found["figures"]
    names = [name for name in figures if name.endswith("_compared_count")]
    assert {
        "real_windows_compared_count",
        "sequences_compared_count",
        "stock_1_compared_count",
    } <= {*names}
    assert any(name.startswith("native_") for name in names)
    assert all(figures[name] > 0 for name in names)
    assert figures["mismatches_count"] == 0


def test_mismatch_ends_with_its_own_exit_code(
    trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = trained / "b2"
    runner = CliRunner()
    assert runner.invoke(convert, [str(trained), "--out", str(target)]).exit_code == 0
    original = hls.check.advance

    def one_off(bundle: Bundle, state: Any, features: Any) -> None:
        original(bundle, state, features)
        state.hidden[0][0, 2] ^= 1

    monkeypatch.setattr(hls.check, "advance", one_off)
    write_tape(trained / "market.parquet", insert_timer_ticks(simulate(3, 90.0)))
    tape = ["--tape", str(trained / "market.parquet")]
    result = runner.invoke(check, [str(target), "--windows", "5", "--steps", "0", *tape])
    assert isinstance(result.exception, MismatchError)
    assert result.exception.exit_code == 8
    assert "integers differ; first in adversarial_states: lstm_0.h, state 0, unit 2" in str(
        result.exception
    )
    assert "NOT ok" in result.stdout
    rows = [line.split() for line in result.stdout.splitlines()]
    assert ["real_windows", "15", "0"] in [row[:3] for row in rows]


def test_documentation_lists_every_workaround() -> None:
    text = (ROOT / "docs" / "conversion.md").read_text()
    for workaround in WORKAROUNDS:
        assert f"| {workaround.package} | {workaround.defect} |" in text
