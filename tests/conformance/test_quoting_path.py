"""Native quoting path and Python twin write the same records and bytes, tick by tick."""

from dataclasses import replace

import numpy as np
import pytest

from pyorch import _native
from pyorch.contract.errors import UsageError
from pyorch.trading.config import Caution, load_config
from pyorch.trading.fair_shift import ArmedShift, InventorySkew
from pyorch.trading.fix.codec import Decimals, FixCodec
from pyorch.trading.inputs import InputKind
from pyorch.trading.native import batch_of, input_words, native_settings
from pyorch.trading.path_records import TickInput
from pyorch.trading.path_twin import QuotingPathTwin
from pyorch.trading.plan import QuotingPlan
from pyorch.trading.policy import ArmedRule
from pyorch.trading.pricing import Option, Universe
from pyorch.trading.quoting import Terms
from pyorch.trading.records import (
    ANSWER_FIELDS,
    Answer,
    AnswerAssurance,
    AnsweredBy,
    JournalBatch,
    Reason,
    Refusal,
    TickFlag,
    without_clock,
)
from pyorch.trading.risk import Limits
from pyorch.trading.risk import Protection as RiskProtection
from pyorch.trading.stated_answer import AnswerSource
from sim.venues.random_inputs import RandomInputs

HOUR_NS = 3_600_000_000_000
ORIGIN_NS = 1_723_100_000_123_456_789


def plan_with(**changes: object) -> QuotingPlan:
    """Two expiries x five strikes x two rights; rules on outputs 0 (down) and 1 (up)."""
    config = load_config()
    options = tuple(
        Option(f"BTC-{expiry}-{strike}-{right[0].upper()}", expiry, strike, right)
        for expiry in range(2)
        for strike in range(58_000, 63_000, 1000)
        for right in ("call", "put")
    )
    down = ArmedRule(
        "down", "down", (0,), (20_000,), (16_000,), 1500, 70, True, 5_000_000, True, ""
    )
    up = ArmedRule("up", "up", (1, 0), (25_000, 10), (25_000, 0), 730, 45, False, 0, True, "", 1)
    quoting = config.quoting
    plan = QuotingPlan(
        universe=Universe(options, (2 * 86_400, 28 * 86_400), 0.05, "BTCUSD"),
        surface_ppm=(
            (550_000, 580_000),
            (-50_000, -40_000),
            (100_000, 90_000),
            (900_000, 900_000),
            (700_000, 700_000),
        ),
        surface_label="test",
        maximum_surface_age_ns=2_000_000_000,
        rules=(down, up, replace(down, name="off", armed=False)),
        fair_shift=ArmedShift(1, 0, 400, 2000, 250, 20, True),
        inventory=InventorySkew(300, 40, 200, 50),
        base_half_spread_bp100=500,
        terms=Terms(100_000, 5, 5_000_000, 500, 1, quoting.size_lots, 1, 2, 20_000_000),
        limits=Limits(200, 500, 4000, 2000, 300, tuple(range(-10, 10))),
        codec=FixCodec(
            "ME",
            "YOU",
            "ACC",
            "BTCUSD",
            tuple(option.symbol for option in options),
            Decimals.of("0.0001"),
            Decimals.of("0.1"),
        ),
        features=5,
        outputs=3,
        probability_outputs=(0, 1),
        warm_up_ticks=10,
        origin_ns=ORIGIN_NS,
    )
    return replace(plan, **changes)  # type: ignore[arg-type]


def run_both(
    plan: QuotingPlan,
    ticks: int,
    seed: int,
    inputs: bool = False,
    answers: AnswerSource = AnswerSource.ENGINES,
    kernel: str = "",
) -> tuple[JournalBatch, QuotingPathTwin]:
    """A random market through native path and twin; their equality; the journal."""
    rng = np.random.default_rng(seed)
    said = RandomInputs(np.random.default_rng(seed + 1), plan)
    answering = np.random.default_rng(seed + 2)
    settings = native_settings(plan, answers)
    settings.kernel = kernel
    native = _native.QuotingPath(settings)
    twin = QuotingPathTwin(plan, answers=answers)
    never_skips = QuotingPathTwin(plan, skip=False, answers=answers)
    paths = (native, twin, never_skips)
    forward, local_ns = 1_200_000, ORIGIN_NS
    parts, unskipped = [], []
    refused: set[Refusal | None] = set()
    for row in range(ticks):
        local_ns += int(rng.exponential(3e6)) + (20_000_000_000 if rng.random() < 0.01 else 0)
        forward += int(rng.integers(-40, 41)) if rng.random() < 0.3 else 0
        if rng.random() < 0.02:
            atm, skew = int(rng.integers(400_000, 700_000)), int(rng.integers(-90_000, 10_000))
            if rng.random() < 0.2:
                skew = 2_000_000  # makes arbitrage: not taken
            for path in paths:
                path.surface(atm, skew, local_ns)
        if rng.random() < 0.3:
            price = forward // 2 + int(rng.integers(-30, 31))
            for path in paths:
                path.trade(price, local_ns)
        if rng.random() < 0.01:
            for path in paths:
                path.invalidate(row, local_ns, row * 7)
        answer = RandomInputs.answer(answering, row)
        given_inputs = list(said.draw(row, local_ns, twin)) if inputs else []
        if answers is AnswerSource.INPUTS:
            given_inputs += twin._answers.inputs_of(answer, row, local_ns)
            answer = Answer(ns=row)  # who replays a log has an engine of its own
        for one in given_inputs:
            native.take(input_words(one))
            twin.take(one[0])
            never_skips.take(one[0])
        stopped = rng.random() < 0.01
        native.kill(stopped)
        twin.killed = never_skips.killed = stopped
        features = rng.integers(-128, 128, 5).astype(np.int32)
        logits = rng.integers(-30_000, 30_000, 3)
        scores = np.array([*rng.integers(0, 32_769, 2), logits[2]])
        if rng.random() < 0.8:
            scores[:2] //= 2
        if rng.random() < 0.01:
            scores[1] = 32_769  # not a probability: the model is invalid
        valid = bool(rng.random() > 0.01)
        late = rng.random() < 0.01
        if answers is AnswerSource.ENGINES:
            answer = Answer(AnsweredBy.SHADOW, AnswerAssurance.ALONE, late=late, ns=row)
        given = TickInput(row, local_ns, row * 7, forward, features, logits, scores, valid, answer)
        native.tick(
            row, local_ns, row * 7, forward, features, logits, scores, valid,
            int(answer.by), int(answer.assurance), answer.late, answer.inexact, answer.ns,
        )  # fmt: skip
        for path in (twin, never_skips):
            path.tick(given)
        near = round(1e4 * twin._values[row % 20].value_btc) if twin._values else 500
        price, lots = max(1, near + int(rng.integers(-30, 31))), int(rng.integers(1, 90))
        order = (row % 20, row // 20 % 2, price, lots, local_ns)
        refusal = twin.check_order(*order)
        refused.add(refusal)
        assert native.check_order(*order) == (len(Refusal) if refusal is None else refusal)
        if row % 500 == 499 or row == ticks - 1:
            parts.append((batch_of(*native.drain()), twin.drain()))
            unskipped.append(never_skips.drain())
    ours, definition = (JournalBatch.join([p[k] for p in parts]) for k in range(2))
    for name in definition.ticks.dtype.names or ():
        kept = ours.ticks if name in ANSWER_FIELDS else without_clock(ours.ticks)
        np.testing.assert_array_equal(kept[name], definition.ticks[name], err_msg=name)
    np.testing.assert_array_equal(ours.quotes, definition.quotes)
    assert ours.fix == definition.fix
    assert list(native.refusals()) == twin.gate.counts
    assert native.positions_lots == twin.gate.positions_lots
    assert native.open_lots == [twin.gate.exposures.open_lots(option) for option in range(20)]
    assert None in refused and len(refused) > 2
    assert native.surfaces_refused == twin.surfaces_refused
    assert JournalBatch.join(unskipped).fix == ours.fix
    return ours, twin


@pytest.fixture(scope="module")
def journal() -> tuple[JournalBatch, QuotingPathTwin]:
    return run_both(plan_with(), 2500, seed=1)


def test_native_path_and_twin_write_the_same_records_and_bytes(
    journal: tuple[JournalBatch, QuotingPathTwin],
) -> None:
    batch, twin = journal
    assert len(batch.quotes) > 1000
    assert (
        batch.ticks["forecast_bp100"].min() == -250 and batch.ticks["forecast_bp100"].max() == 250
    )
    assert len(np.unique(batch.ticks["inventory_bp100"])) > 2
    # The rule "up" alone reaches the first expiry only.
    ticks = dict(zip(batch.ticks["tick"].tolist(), batch.ticks["active"].tolist(), strict=True))
    alone = [q for q in batch.quotes if ticks[q["tick"]] == 2 and q["reason"] == Reason.WIDEN]
    assert alone and {int(q["option"]) // 10 for q in alone} == {0}
    assert set(batch.quotes["reason"]) >= {Reason.FIRST, Reason.WIDEN, Reason.NARROW, Reason.MOVE}
    flags = np.bitwise_or.reduce(batch.ticks["flags"])
    by_operators = TickFlag.PAUSED | TickFlag.FROZEN | TickFlag.MODEL_OFF | TickFlag.JOURNAL_FULL
    assert flags == sum(TickFlag) - by_operators - TickFlag.SESSION_DOWN
    assert twin.surfaces_refused > 0
    reached = (
        Refusal.KILLED,
        Refusal.INVALID_DATA,
        Refusal.STALE_SURFACE,
        Refusal.INVALID_MODEL,
        Refusal.WARMING_UP,
    )
    assert all(twin.gate.counts[refusal] > 0 for refusal in reached)


WITH_VENUES = Limits(
    200, 80, 1300, 20_000, 2000, tuple(range(-10, 10)),
    delta=250_000_000, gamma=25_000_000, vega=700_000_000,
    venues=(0,) * 10 + (1,) * 10, acknowledged=True, acknowledge_ns=40_000_000,
    reference_interval_ns=1_000_000_000, reference_age_ns=15_000_000_000,
    protection=RiskProtection(30_000_000, 150, 60_000_000, 500_000_000),
)  # fmt: skip


@pytest.mark.parametrize(("acknowledged", "seed"), [(True, 10), (False, 11)])
def test_reports_of_venues_and_orders_of_operators_change_both_alike(
    acknowledged: bool, seed: int
) -> None:
    limits = replace(WITH_VENUES, acknowledged=acknowledged)
    plan = plan_with(limits=limits, targets=("YOU", "THEM"), maximum_surface_age_ns=9_000_000_000)
    batch, twin = run_both(plan, 1500, seed, inputs=True)
    counts = {refusal.name: twin.gate.counts[refusal] for refusal in Refusal}
    expected = set(counts) - {"MESSAGE_RATE", "NOTIONAL_LIMIT", "VEGA_LIMIT"}
    if not acknowledged:
        expected -= {"SESSION_DOWN", "SELF_CROSS"}
    assert {name for name, count in counts.items() if count} >= expected, counts
    assert set(batch.quotes["reason"]) == set(Reason) and len(batch.quotes) > 500
    flags = np.bitwise_or.reduce(batch.ticks["flags"])
    assert flags | (0 if acknowledged else TickFlag.SESSION_DOWN) == sum(TickFlag)
    assert b"\x0156=YOU\x01" in batch.fix and b"\x0156=THEM\x01" in batch.fix


@pytest.mark.parametrize("kernel", ["generic", "avx2", "avx512"])
def test_every_kernel_writes_the_twin_s_bytes(kernel: str) -> None:
    kernels = ["generic", "avx2", "avx512"]
    if kernels.index(kernel) > kernels.index(_native.pricing_kernel()):
        pytest.skip(f"this processor has no {kernel}")
    plan = plan_with(limits=WITH_VENUES, targets=("YOU", "THEM"))
    batch, _ = run_both(plan, 700, 31, inputs=True, kernel=kernel)
    assert len(batch.quotes) > 200
    with pytest.raises(ValueError, match="no kernel avx1024 on this processor"):
        run_both(plan, 1, 31, kernel="avx1024")


def test_calls_alone_are_quoted_alike() -> None:
    options = tuple(
        Option(f"BTC-{expiry}-{strike}-C", expiry, strike, "call")
        for expiry in range(2)
        for strike in range(57_500, 62_500, 500)
    )
    universe = replace(plan_with().universe, options=options)
    batch, _ = run_both(plan_with(universe=universe), 400, 43)
    assert len(batch.quotes) > 200


@pytest.mark.parametrize("what", ["values", "spread"])
def test_numbers_that_no_kernel_carries_are_quoted_alike(what: str) -> None:
    """Beyond 2^44 (settings) or 2^50 (values) the kernels leave everything to the scalar code."""
    plan = plan_with()
    if what == "values":  # puts worth two million bitcoins, in ticks of one
        options = tuple(
            replace(one, strike_usd=one.strike_usd * 2_000_000 if one.strike_usd > 61_000 else one.strike_usd)
            for one in plan.universe.options
        )  # fmt: skip
        plan = replace(
            plan,
            universe=replace(plan.universe, options=options),
            terms=replace(plan.terms, tick_nano=1_000_000_000),
            limits=replace(plan.limits, delta=1 << 60, gamma=1 << 60, vega=1 << 60),
        )
    else:  # no bid is left
        terms = replace(plan.terms, base_half_spread_bp100=1 << 36, tick_nano=1 << 20)
        plan = replace(plan, terms=terms, limits=replace(plan.limits, price_collar_ticks=1 << 27))
    batch, twin = run_both(plan, 400, 41)
    assert len(batch.quotes) > 20
    if what == "values":
        assert max(abs(value.value_btc) for value in twin._values) > 1.9e6


@pytest.mark.parametrize("answers", [AnswerSource.NOTED, AnswerSource.INPUTS])
def test_who_answers_is_what_inputs_say_alike_in_both(answers: AnswerSource) -> None:
    plan = plan_with(limits=WITH_VENUES, targets=("YOU", "THEM")).with_caution(Caution())
    batch, twin = run_both(plan, 800, 21, inputs=True, answers=answers)
    ticks = batch.ticks
    assert set(ticks["answered_by"]) == set(AnsweredBy) and set(ticks["assurance"]) == set(
        AnswerAssurance
    )
    assert ticks["late"].sum() > 20 and ticks["inexact"].sum() > 20
    caution = ticks["fired"] >> len(plan.rules) - 1 & 1 != 0
    cautious = (ticks["late"] | ticks["inexact"]) != 0
    cautious |= ticks["assurance"] == AnswerAssurance.UNVERIFIED
    assert caution.sum() > 20 and not (caution & ~cautious).any()
    noted = {InputKind(int(row["kind"][0])) for row in twin.noted}
    wanted = {InputKind.ENGINE, InputKind.DEADLINE_MISS} if answers is AnswerSource.NOTED else set()
    assert noted >= wanted and (wanted or InputKind.ENGINE not in noted)


@pytest.mark.parametrize(
    ("limits", "refusal"),
    [
        (Limits(15, 500, 4000, 2000, 300, (0,) * 20), Refusal.PRICE_COLLAR),
        (Limits(200, 55, 4000, 2000, 300, tuple(range(-10, 10))), Refusal.POSITION_LIMIT),
        (Limits(200, 500, 1500, 2000, 300, (0,) * 20), Refusal.NOTIONAL_LIMIT),
        (Limits(200, 500, 4000, 40, 30, (0,) * 20), Refusal.MESSAGE_RATE),
        (Limits(200, 500, 4000, 2000, 300, (0,) * 20, delta=150_000_000), Refusal.DELTA_LIMIT),
        (Limits(200, 500, 4000, 2000, 300, (0,) * 20, gamma=15_000_000), Refusal.GAMMA_LIMIT),
        (Limits(200, 500, 4000, 2000, 300, (9,) * 20, vega=250_000_000), Refusal.VEGA_LIMIT),
    ],
)
def test_each_limit_refuses_alike_in_both_and_is_counted(limits: Limits, refusal: Refusal) -> None:
    _, twin = run_both(plan_with(limits=limits), 300, seed=2)
    assert twin.gate.counts[refusal] > 0


def test_expired_options_are_withdrawn_alike_in_both() -> None:
    universe = replace(plan_with().universe, expiries_s=(180, 86_400))
    plan = plan_with(universe=universe, maximum_surface_age_ns=HOUR_NS)
    batch, _ = run_both(plan, 1200, seed=4)
    gone = batch.quotes[batch.quotes["reason"] == Reason.WITHDRAW]
    assert set(gone["option"]) == set(range(10))
    assert not gone["bid_lots"].any() and not gone["ask_ticks"].any()


def test_no_quote_before_warm_up_and_none_left_after_an_invalid_book(
    journal: tuple[JournalBatch, QuotingPathTwin],
) -> None:
    ticks = journal[0].ticks
    cold = (ticks["flags"] & TickFlag.WARM) == 0
    assert cold.any() and not ticks["quotes"][cold].any()
    # Withdrawals between two ticks that a row of the market made, not the kill flag.
    between = (ticks["flags"] == TickFlag.CANCELLED) & (ticks["sequence"] != 0)
    assert between.any()
    for index in np.flatnonzero(between):
        assert not ticks["quotes"][index + 1 : index + 1 + 10].any()


def test_full_rings_are_an_error_where_one_thread_fills_and_drains() -> None:
    plan = plan_with()
    native = _native.QuotingPath(native_settings(plan))
    zeros = np.zeros(3, np.int64)
    with pytest.raises(RuntimeError, match="drain first"):
        for row in range(10_000):
            native.tick(row, ORIGIN_NS, 0, 1_200_000, np.zeros(5, np.int32), zeros, zeros, True)


def test_late_answers_alone_make_the_rule_of_caution_act() -> None:
    plan = plan_with(rules=(), fair_shift=ArmedShift()).with_caution(load_config().caution)
    ours, _ = run_both(plan, 500, seed=4)
    warm = ours.ticks[(ours.ticks["flags"] & TickFlag.WARM) != 0]
    fired = warm["fired"] != 0
    decided = (warm["flags"] & TickFlag.MODEL_VALID != 0) & (
        warm["flags"] & TickFlag.BOOK_VALID != 0
    )
    np.testing.assert_array_equal(fired[decided], warm["late"][decided] != 0)
    assert 0 < np.count_nonzero(fired) < len(fired)
    assert set(warm["extra_down_bp100"][fired]) == {1500} == set(warm["extra_up_bp100"][fired])
    assert set(warm["size_down_percent"][fired]) == {70}


def test_no_rule_of_caution_where_every_bit_is_taken() -> None:
    (rule, *_) = plan_with().rules
    with pytest.raises(UsageError, match="32 rules leave no room for the one of caution"):
        plan_with(rules=32 * (rule,)).with_caution(load_config().caution)
