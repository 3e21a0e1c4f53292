"""The native tick loop writes the journal and the FIX bytes of its twin, on whole tapes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import UsageError
from pyorch.contract.events import EVENT_DTYPE, Kind
from pyorch.features.definitions import schema_with_basis, surface_schema
from pyorch.market.clock import insert_timer_ticks
from pyorch.market.simulate import simulate
from pyorch.market.tape import Tape
from pyorch.trading.bench_tick import first_seconds
from pyorch.trading.config import QuotingConfig, default_path, load_config
from pyorch.trading.loop import TickLoop
from pyorch.trading.plan import make_plan
from pyorch.trading.records import JournalBatch, TickFlag, rule_rates, without_clock
from pyorch.trading.sample import random_quoting_bundle
from pyorch.trading.twin import run_twin


def with_reset(tape: Tape, at_s: float) -> Tape:
    """The tape with the book void at ``at_s``, and snapshotted again half a second later."""
    events = tape.events
    local_ns = events["local_ns"]
    cut = int(np.searchsorted(local_ns, local_ns[0] + int(at_s * 1e9)))
    again = int(np.searchsorted(local_ns, local_ns[cut] + 500_000_000))
    reset = np.zeros(1, EVENT_DTYPE)
    reset["kind"], reset["side"], reset["flags"] = Kind.RESET, 2, 3
    reset["local_ns"] = local_ns[cut]
    reset[["exchange_ns", "first_sequence", "sequence", "previous_sequence"]] = (-1, -1, -1, -1)
    snapshot = events[events["kind"] == Kind.SNAPSHOT].copy()
    snapshot["local_ns"] = local_ns[again]
    snapshot["sequence"] = -1
    later = events[again:].copy()
    for name in ("first_sequence", "sequence", "previous_sequence"):
        later[name][later["kind"] == Kind.DEPTH] = -1
    # A level that the old snapshot holds beyond the later best quotes would cross the book at once.
    whole = np.concatenate([events[:cut], reset, events[cut:again], snapshot, later])
    return Tape(whole, tape.instruments, tape.name + "-reset", tape.counts)


def run_native(
    bundle: Bundle, config: QuotingConfig, tape: Tape, simd: str = "auto"
) -> JournalBatch:
    return JournalBatch.join(list(TickLoop(bundle, config, tape, simd=simd).run()))


def assert_same(ours: JournalBatch, definition: JournalBatch) -> None:
    assert len(ours.ticks) == len(definition.ticks)
    for name in definition.ticks.dtype.names or ():
        np.testing.assert_array_equal(
            without_clock(ours.ticks)[name], definition.ticks[name], err_msg=name
        )
    np.testing.assert_array_equal(ours.quotes, definition.quotes)
    assert ours.fix == definition.fix


@pytest.fixture(scope="module")
def market() -> tuple[Tape, Bundle]:
    tape = simulate(5, 40.0)
    return tape, random_quoting_bundle(3, tape)


@pytest.mark.parametrize("reset_at_s", [None, 12.0])
def test_native_loop_equals_its_twin_on_a_simulated_tape(
    market: tuple[Tape, Bundle], reset_at_s: float | None
) -> None:
    tape, bundle = market
    if reset_at_s is not None:
        tape = with_reset(tape, reset_at_s)
    config = load_config()
    ours = run_native(bundle, config, tape)
    assert_same(ours, run_twin(bundle, config, tape))
    assert len(ours.quotes) > 100
    assert {"8=FIX.4.4", "35=i"} <= set(ours.fix.decode().split("\x01"))
    cancelled = np.count_nonzero(ours.ticks["flags"] == TickFlag.CANCELLED)
    assert (cancelled > 0) == (reset_at_s is not None)
    assert all(0 <= fired <= active <= 1 for fired, active in rule_rates(ours.ticks, 4))


def test_a_cold_model_is_quoted_without_and_wider_where_that_is_wanted(
    market: tuple[Tape, Bundle],
) -> None:
    tape, bundle = market
    tape, config = with_reset(first_seconds(tape, 24.0), 12.0), load_config()
    plan = make_plan(config, bundle, insert_timer_ticks(tape))
    wider = replace(plan, cold_bp100=1234)
    ours = JournalBatch.join(list(TickLoop(bundle, config, tape, plan=wider).run()))
    assert_same(ours, run_twin(bundle, config, tape, wider))
    cold = (ours.ticks["flags"] & TickFlag.WARM) == 0
    cold &= (ours.ticks["flags"] & TickFlag.CANCELLED) == 0
    extra = ours.ticks["extra_up_bp100"]
    assert (extra[cold] == 1234).all() and not ours.ticks["active"][cold].any()
    assert (ours.ticks["extra_down_bp100"][cold] == 1234).all()
    assert extra[~cold].min() == 0 and extra[~cold].max() > 0
    of_tick = np.repeat(cold, ours.ticks["quotes"])
    two_sided = (ours.quotes["bid_lots"] > 0) & (ours.quotes["ask_lots"] > 0)
    width = ours.quotes["ask_ticks"] - ours.quotes["bid_ticks"]
    first_warm = int(np.flatnonzero(~cold)[0])
    begins = of_tick & (np.repeat(np.arange(len(cold)), ours.ticks["quotes"]) < first_warm)
    assert (begins & two_sided).sum() >= 20 and (of_tick & ~begins & two_sided).sum() >= 20
    # 2 + 12.34 bp of the underlying a side, in ticks of 0.0001, rounded outward
    assert width[of_tick & two_sided].min() >= 2 * 14 and width[~of_tick & two_sided].min() <= 6
    plain = JournalBatch.join(list(TickLoop(bundle, config, tape, plan=plan).run()))
    still = (plain.ticks["flags"] & TickFlag.WARM) == 0
    still &= (plain.ticks["flags"] & TickFlag.CANCELLED) == 0
    assert still.sum() == cold.sum() and not plain.ticks["quotes"][still].any()


def test_native_loop_equals_its_twin_with_other_terms(
    market: tuple[Tape, Bundle], tmp_path: Path
) -> None:
    text = default_path().read_text()
    for old, new in (
        ("both_rights = true ", "both_rights = false "),
        ("strikes = 5 ", "strikes = 17 "),
        ("coarse_tick_factor = 1 ", "coarse_tick_factor = 5 "),
        ("both_sides = true", "both_sides = false"),
        ("minimum_change_ticks = 1 ", "minimum_change_ticks = 7 "),
        ("minimum_interval_ms = 20 ", "minimum_interval_ms = 400 "),
        ("quotes_burst = 500 ", "quotes_burst = 20 "),
        ("quotes_per_second = 5000 ", "quotes_per_second = 60 "),
        ("warm_up_ticks = 200", "warm_up_ticks = 3"),
        ("widen_bp = 15.0", "widen_bp = 7.77"),
        ('lot_btc = "0.1"', 'lot_btc = "1"'),
        ("delta_limit_btc = 100.0", "delta_limit_btc = 10_000.0"),
        ("gamma_limit_btc = 50.0", "gamma_limit_btc = 5_000.0"),
        ("vega_limit_btc = 2.0", "vega_limit_btc = 200.0"),
    ):
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "other.toml"
    path.write_text(text)
    tape, bundle = market
    config, part = load_config(path), first_seconds(tape, 12.0)
    ours = run_native(bundle, config, part)
    assert_same(ours, run_twin(bundle, config, part))
    assert len(set(ours.quotes["option"])) == 34
    assert ours.ticks["flags"].max() & TickFlag.PENDING
    assert np.any(ours.ticks["extra_down_bp100"] != ours.ticks["extra_up_bp100"])


def test_native_loop_equals_its_twin_with_a_basis_and_a_windowed_model() -> None:
    tape = simulate(11, 12.0, second=True)
    schema = schema_with_basis(*tape.instruments)
    bundle = random_quoting_bundle(4, tape, units=(8,), mode="window", schema=schema)
    config = load_config()
    ours = run_native(bundle, config, tape)
    assert_same(ours, run_twin(bundle, config, tape))
    assert len(ours.quotes) > 20
    with pytest.raises(UsageError, match="give a tape with the second instrument"):
        TickLoop(bundle, config, simulate(11, 2.0))


def test_native_loop_equals_its_twin_with_a_model_of_the_surface() -> None:
    tape = simulate(12, 12.0)
    bundle = random_quoting_bundle(5, tape, units=(8,), schema=surface_schema())
    config = load_config()
    ours = run_native(bundle, config, tape)
    assert_same(ours, run_twin(bundle, config, tape))
    assert len(ours.quotes) > 20


def test_two_runs_write_the_same_bytes(market: tuple[Tape, Bundle]) -> None:
    tape, bundle = market
    first, second = (run_native(bundle, load_config(), tape, simd) for simd in ("auto", "scalar"))
    assert first.fix == second.fix
    np.testing.assert_array_equal(without_clock(first.ticks), without_clock(second.ticks))


def test_the_kill_flag_withdraws_everything(market: tuple[Tape, Bundle]) -> None:
    tape, bundle = market
    loop = TickLoop(bundle, load_config(), tape)
    loop.kill()
    batch = JournalBatch.join(list(loop.run()))
    assert len(batch.quotes) == 0 and batch.ticks["fix_messages"].sum() == 1
    # The flag's effect has a record of its own, before the first tick's.
    assert loop.summary().refusals["killed"] == len(batch.ticks) - 1 == loop.summary().ticks


def test_later_passes_go_on_where_the_first_ended(market: tuple[Tape, Bundle]) -> None:
    tape, bundle = market
    loop = TickLoop(bundle, load_config(), tape, passes=2)
    batch = JournalBatch.join(list(loop.run()))
    assert loop.summary().events == 2 * len(loop.tape.events)
    assert np.all(np.diff(batch.ticks["local_ns"]) >= 0)
    assert list(batch.ticks["tick"]) == list(range(len(batch.ticks)))


def test_a_loop_runs_once_and_a_bundle_needs_its_features(market: tuple[Tape, Bundle]) -> None:
    tape, bundle = market
    loop = TickLoop(bundle, load_config(), tape)
    with pytest.raises(UsageError, match="read all of run"):
        loop.summary()
    list(loop.run())
    with pytest.raises(UsageError, match="make another TickLoop"):
        list(loop.run())
    bare = Bundle(bundle.spec, bundle.weights, bundle.golden)
    with pytest.raises(UsageError, match="no feature schema"):
        TickLoop(bare, load_config(), tape)


@pytest.mark.tape
def test_native_loop_equals_its_twin_on_the_recorded_market(recordings: Path) -> None:
    from pyorch.market.feeds.binance import read_recordings

    whole = read_recordings([recordings / "binance" / "coinm_btcusd_perp_20240808.gz"])
    tape = insert_timer_ticks(first_seconds(whole, 25.0))
    bundle = random_quoting_bundle(7, tape)
    config = load_config()
    chain = recordings / "deribit_chain" / "btc_eth_chain_2025-12-30_2026-01-15.parquet"
    loop = TickLoop(bundle, config, tape, chain=chain)
    assert loop.plan.surface_label.startswith("transplanted from btc_eth_chain")
    ours = JournalBatch.join(list(loop.run()))
    assert_same(ours, run_twin(bundle, config, tape, loop.plan))
    assert len(ours.ticks) > 800 and len(ours.quotes) > 20
    assert ours.ticks["atm_volatility_ppm"][0] == loop.plan.surface_ppm[0][0]
