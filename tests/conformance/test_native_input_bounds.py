"""The native steps refuse an operator's value that they could not carry, whoever checked it before."""

import pytest

from pyorch import _native
from pyorch.contract.events import event_words
from pyorch.features.streaming import open_stream
from pyorch.inference.cpu import native_engine
from pyorch.market.clock import insert_timer_ticks
from pyorch.market.simulate import simulate
from pyorch.trading.config import load_config
from pyorch.trading.inputs import (
    MAXIMUM_LIMIT,
    MAXIMUM_LOTS,
    MAXIMUM_WIDENING_BP100,
    InputKind,
    make_input,
)
from pyorch.trading.native import batch_of, input_words, native_settings
from pyorch.trading.plan import make_plan
from pyorch.trading.records import AnswerAssurance, AnsweredBy
from pyorch.trading.sample import random_quoting_bundle


@pytest.fixture(scope="module")
def steps() -> _native.DeskSteps:
    tape = insert_timer_ticks(simulate(5, 3.0))
    bundle = random_quoting_bundle(5, tape)
    assert bundle.schema is not None
    return _native.DeskSteps(
        native_settings(make_plan(load_config(), bundle, tape)),
        open_stream(bundle.schema),
        _native.LstmTickEngine(native_engine(bundle, "auto")),
        event_words(tape.events),
    )


@pytest.mark.parametrize(
    ("kind", "most"),
    [
        (InputKind.WIDEN, MAXIMUM_WIDENING_BP100),
        (InputKind.SIZE_CAP, MAXIMUM_LOTS),
        (InputKind.LIMIT, MAXIMUM_LIMIT),
        (InputKind.ENGINE, 1 << 16 | AnswerAssurance.UNVERIFIED << 8 | AnsweredBy.ARBITER),
        (InputKind.DEADLINE_MISS, 2**32 - 1),
    ],
)
def test_a_value_beyond_its_bound_is_refused(
    steps: _native.DeskSteps, kind: InputKind, most: int
) -> None:
    for value in (most + 1, 2**63 - 1, -1):
        with pytest.raises(ValueError, match="an input's value is out of range"):
            steps.take(input_words(make_input(kind, 0, value=value)))
    steps.take(input_words(make_input(kind, 0, value=0 if kind is InputKind.SIZE_CAP else most)))


def test_answers_come_from_somewhere_that_exists() -> None:
    with pytest.raises(ValueError, match="answers come from 0 engines, 1 engines and are noted, 2"):
        _native.QuotingSettings().answers = 3


def test_the_widest_widening_leaves_no_price_that_wraps_round() -> None:
    tape = insert_timer_ticks(simulate(5, 3.0))
    bundle = random_quoting_bundle(5, tape)
    assert bundle.schema is not None
    plan = make_plan(load_config(), bundle, tape)
    steps = _native.DeskSteps(
        native_settings(plan),
        open_stream(bundle.schema),
        _native.LstmTickEngine(native_engine(bundle, "auto")),
        event_words(tape.events),
    )
    parts = []
    while not steps.done:
        steps.advance(1 << 62, steps.row + 500)
        if steps.ticks > 0:
            wide = make_input(InputKind.WIDEN, 0, row=steps.row, value=MAXIMUM_WIDENING_BP100)
            steps.take(input_words(wide))
        parts.append(batch_of(*steps.drain()))
    quotes = parts[-1].quotes
    # 100 % of the underlying outward: no bid is left, and no ask is within reach of the collar.
    assert all(int(lots) == 0 for lots in quotes["bid_lots"])
    assert all(
        int(lots) == 0 or int(price) > 0
        for price, lots in zip(quotes["ask_ticks"], quotes["ask_lots"], strict=True)
    )
