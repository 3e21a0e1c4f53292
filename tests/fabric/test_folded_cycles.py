"""Predicted cycles of the folded style: what they promise, and what the style refuses."""

from __future__ import annotations

import pytest

from hls.emit.folded import plan
from hls.emit.folded_passes import IDLE, Passes
from hls.emit.shell_cycles import fabric_cycles
from pyorch.contract.errors import ModelError, UsageError
from pyorch.contract.model import Activation
from pyorch.inference.sample import random_bundle


def test_default_model_meets_its_goals_with_the_blocks_of_an_ecp5_85f() -> None:
    bundle = random_bundle(1, 16, (32,))
    made = plan(bundle)
    cycles = fabric_cycles(bundle.spec, made, bundle.spec.input)
    assert cycles["idle_tick"] <= 36
    assert cycles["interval"] <= 50
    # array, tail and head
    assert made.estimates["multipliers"] == 128 + 3 * 2 + 11 * 2 == 156


@pytest.mark.parametrize(
    ("blocks", "inputs", "array"), [(0, [256, 256], 256), (140, [8, 0], 128), (190, [11, 0], 176)]
)
def test_products_beyond_the_blocks_are_in_logic_and_change_no_cycle(
    blocks: int, inputs: list[int], array: int
) -> None:
    bundle = random_bundle(1, 16, (32,))
    made, free = (plan(bundle, multipliers=256, blocks=n) for n in (blocks, 0))
    assert [block.parameters["BLOCKS"] for block in made.blocks] == inputs
    assert made.estimates["array_multipliers"] == array
    assert made.estimates["multipliers"] <= (blocks or 312)
    assert made.estimates["multipliers"] + made.estimates["products_in_logic"] == 312
    wire = bundle.spec.input
    assert fabric_cycles(bundle.spec, made, wire) == fabric_cycles(bundle.spec, free, wire)


def test_fewer_blocks_than_the_tail_takes_are_refused() -> None:
    with pytest.raises(
        UsageError, match=r"5 blocks, the tails alone take 12; give at least 12, or"
    ):
        plan(random_bundle(1, 16, (32,)), multipliers=256, blocks=5)


def test_interval_with_112_multipliers_is_at_most_58() -> None:
    bundle = random_bundle(1, 16, (32,))
    made = plan(bundle, multipliers=112)
    assert fabric_cycles(bundle.spec, made, bundle.spec.input)["interval"] <= 58
    assert made.estimates["array_multipliers"] == 112


@pytest.mark.parametrize(
    ("inputs", "units", "chunk", "spread"),
    [(16, 32, 4, 7), (16, 32, 2, 16), (5, 18, 1, 4), (1, 9, 8, 1), (100, 100, 4, 7), (3, 2, 2, 5)],
)
def test_every_weight_is_issued_once_in_each_operation_that_may_come_second(
    inputs: int, units: int, chunk: int, spread: int
) -> None:
    passes = Passes(inputs, units, chunk, spread)
    words = passes.schedule()
    x_words = passes.count * (passes.own[0] + passes.mixed)
    assert {len(word) for word in words} == {passes.lanes}
    pairs = sorted((unit, place) for unit in range(units) for place in range(inputs + units))
    for second in (words[:x_words], words[x_words:]):
        first = [word for word in words if word not in second]  # a shared word is in both
        issued = [lane for word in first + second for lane in word if lane != IDLE]
        assert sorted(issued) == pairs
    assert passes.words == len(words) - passes.count * passes.mixed


def test_idle_tick_of_a_windowed_model_is_that_of_a_stateful_one() -> None:
    ticks = set()
    for mode in ("window", "stateful"):
        bundle = random_bundle(1, 6, (20,), mode=mode)
        cycles = fabric_cycles(bundle.spec, plan(bundle, multipliers=64), bundle.spec.input)
        ticks.add(cycles["idle_tick"])
    assert len(ticks) == 1


def test_more_multipliers_never_take_more_cycles() -> None:
    bundle = random_bundle(1, 28, (32,))
    ticks = [
        fabric_cycles(bundle.spec, plan(bundle, multipliers=count), bundle.spec.input)["interval"]
        for count in (4, 8, 16, 32, 64, 128, 256)
    ]
    assert ticks == sorted(ticks, reverse=True)


def test_hard_activations_are_refused_by_name() -> None:
    bundle = random_bundle(1, gate=Activation("sigmoid", "hard", slope=1, slope_fraction=1))
    with pytest.raises(ModelError, match="lstm_0"):
        plan(bundle)


@pytest.mark.parametrize(
    ("name", "value"), [("multipliers", 3), ("multipliers", 0), ("chunk", 3), ("chunk", 64)]
)
def test_impossible_parameters_are_refused(name: str, value: int) -> None:
    with pytest.raises(UsageError, match=str(value)):
        plan(random_bundle(1), **{name: value})


def test_words_beyond_the_load_port_are_refused_with_what_fits() -> None:
    with pytest.raises(ModelError, match=r"lstm_0: 1600 multipliers .* at most 1024 multipliers"):
        plan(random_bundle(1, 100, (100,)), multipliers=2048)
    plan(random_bundle(1, 100, (100,)), multipliers=1024)
    with pytest.raises(ModelError, match="dense_1: 11 units on 128 inputs a cycle"):
        plan(random_bundle(1, 16, (32,), hidden_dense=(128,)))
