"""The whole way on a tiny simulated market: replay → journal → report."""

import re
from pathlib import Path

import numpy as np
import pytest

from pyorch.app.fair import fair_values, forward_usd
from pyorch.app.journal import Journal
from pyorch.app.replay import ARMS, arm_config, replay
from pyorch.app.report.comparison import EVEN
from pyorch.app.report.explain import explain
from pyorch.app.report.page import simulated, write_report
from pyorch.app.resting import resting
from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import DataError, UsageError
from pyorch.market.simulate import simulate
from pyorch.market.tape import Tape
from pyorch.trading.config import load_config
from pyorch.trading.pricing import Option, Universe, value_options
from pyorch.trading.records import Reason, TickFlag
from pyorch.trading.sample import random_quoting_bundle
from pyorch.trading.surface import Surface

SECONDS = 40.0


@pytest.fixture(scope="module")
def tape() -> Tape:
    return simulate(3, SECONDS)


@pytest.fixture(scope="module")
def bundle(tape: Tape) -> Bundle:
    return random_quoting_bundle(1, tape)


@pytest.fixture(scope="module")
def journals(tape: Tape, bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> list[Journal]:
    folder = tmp_path_factory.mktemp("journals")
    return [replay(bundle, tape, load_config(), arm, folder / arm, seeds={"m": 3}) for arm in ARMS]


def test_equal_inputs_give_equal_journals(
    tape: Tape, bundle: Bundle, journals: list[Journal], tmp_path: Path
) -> None:
    again = replay(bundle, tape, load_config(), "model", tmp_path / "j")
    assert again.content_digest == journals[0].content_digest
    other = replay(bundle, simulate(4, SECONDS), load_config(), "model", tmp_path / "k")
    assert other.content_digest != again.content_digest
    assert len({journal.content_digest for journal in journals}) == len(ARMS)


def test_every_message_belongs_to_a_tick_and_has_its_checksum(journals: list[Journal]) -> None:
    journal = journals[0]
    sizes = journal.ticks["fix_bytes"]
    assert int(sizes.sum()) == len(journal.fix)
    sent = np.flatnonzero(sizes)
    assert len(sent) > 10
    for index in (sent[0], sent[len(sent) // 2], sent[-1]):
        messages = journal.messages_of(int(index))
        assert len(messages) == journal.ticks["fix_messages"][index]
        for message in messages:
            body, check = message.rsplit(b"10=", 1)
            assert int(check.rstrip(b"\x01")) == sum(body) % 256


def test_fair_values_are_those_that_the_loop_quoted_around(journals: list[Journal]) -> None:
    journal = journals[0]
    owner = np.repeat(np.arange(len(journal.ticks)), journal.ticks["quotes"])
    fair = fair_values(journal, journal.ticks[owner])
    mine = fair[np.arange(len(owner)), journal.quotes["option"]]
    assert np.abs(mine - journal.quotes["value_btc"]).max() < 1e-14


def test_fair_values_are_unknown_where_a_record_has_no_forward(journals: list[Journal]) -> None:
    journal = journals[0]
    ticks = journal.ticks[-3:].copy()
    wanted = fair_values(journal, ticks)
    ticks["forward_half_ticks"][1] = 0  # a withdrawal between two ticks
    with np.errstate(divide="raise", invalid="raise"):
        found = fair_values(journal, ticks)
    assert np.isnan(found[1]).all()
    np.testing.assert_array_equal(found[[0, 2]], wanted[[0, 2]])


def test_fair_values_are_those_of_the_readable_pricing(journals: list[Journal]) -> None:
    journal = journals[0]
    run = journal.run
    universe = Universe(
        tuple(Option(o.symbol, o.expiry, o.strike_usd, o.right) for o in run.options),  # type: ignore[arg-type]
        tuple(dict.fromkeys(o.expiry_s for o in run.options)),
        float(run.tape["instruments"][0]["tick_size"]) / 2,
        "BTC",
    )
    for tick in journal.ticks[:: len(journal.ticks) // 5]:
        definition = Surface(run.surface_ppm, universe.expiries_s)
        definition.apply(int(tick["atm_volatility_ppm"]), int(tick["skew_ppm"]), 0, 0)
        wanted = value_options(
            universe, definition, int(tick["forward_half_ticks"]), int(tick["minutes"])
        )
        one = np.array([tick], journal.ticks.dtype)
        np.testing.assert_array_equal(fair_values(journal, one)[0], [v.value_btc for v in wanted])
        assert forward_usd(journal, one)[0] > 0


def test_resting_quotes_are_the_last_ones_sent_until_withdrawn(journals: list[Journal]) -> None:
    journal = journals[0]
    rests = resting(journal)
    live: dict[int, tuple[int, int]] = {}
    position = 0
    tick_btc = float(journal.run.config["quoting"]["option_tick_btc"])
    for index, tick in enumerate(journal.ticks):
        for quote in journal.quotes[position : position + tick["quotes"]]:
            live[int(quote["option"])] = (int(quote["bid_ticks"]), int(quote["ask_ticks"]))
        position += int(tick["quotes"])
        if tick["flags"] & TickFlag.CANCELLED:
            live.clear()
        if index % 97 == 0 or tick["flags"] & TickFlag.CANCELLED:
            for option in range(len(journal.run.options)):
                bid, ask = live.get(option, (0, 0))
                seen = rests.bid_btc[index, option], rests.ask_btc[index, option]
                wanted = (bid * tick_btc or np.nan, ask * tick_btc or np.nan)
                assert np.array_equal(seen, wanted, equal_nan=True)


def test_the_explained_quote_is_the_strongest_trigger(journals: list[Journal]) -> None:
    found = explain(journals[0])
    assert found is not None and found.triggered
    assert all(condition.holds for condition in found.conditions)
    assert found.before is not None and found.after is not None
    assert found.after.width_bp > found.before.width_bp
    assert found.after.bid_contracts < found.before.bid_contracts
    assert found.extra_bp == found.rule.widen_bp
    index = int(np.flatnonzero(journals[0].ticks["tick"] == found.tick)[0])
    assert Reason.WIDEN in journals[0].quotes_of(index)["reason"]
    values = {field.tag: field.value for field in found.fix}
    assert values[55] == found.symbol
    assert float(values[132]) == pytest.approx(found.after.bid_btc)
    assert float(values[133]) == pytest.approx(found.after.ask_btc)


def test_a_run_without_triggers_says_how_near_it_came(
    tape: Tape, bundle: Bundle, tmp_path: Path
) -> None:
    text = Path("pyorch/trading/quoting.toml")
    config = load_config(Path(__file__).parents[2] / text)
    import msgspec

    rules = tuple(
        msgspec.structs.replace(
            rule,
            fires_at_most_percent=None,
            conditions=tuple(msgspec.structs.replace(c, probability=1.0) for c in rule.conditions),
        )
        for rule in config.rules
    )
    journal = replay(
        bundle, tape, msgspec.structs.replace(config, rules=rules), "model", tmp_path / "j"
    )
    found = explain(journal)
    assert found is not None and not found.triggered
    write_report([journal], tmp_path / "r.html")
    assert "No rule fired in this run" in (tmp_path / "r.html").read_text()


def test_the_report_is_one_page_that_needs_nothing_else(
    journals: list[Journal], tmp_path: Path
) -> None:
    comparison = write_report(journals, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert [arm.name for arm in comparison.arms] == [*ARMS, EVEN]
    widths = {arm.name: arm.width_bp for arm in comparison.arms}
    assert widths[EVEN] == pytest.approx(widths["model"])
    assert not re.search(r"""(?:src|href)=["'](?!data:|#)""", page.replace('xlink:href="#', ""))
    assert "url(http" not in page and "@import" not in page and "<script" not in page
    assert not re.search(r">\s*(?:nan|None|inf)\b", page)
    ids = re.findall(r'\sid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    for text in ("Features", "LSTM", "FIX 4.4", "How often the rules fire", "Latency budget",
                 "What was simulated", "Fills: simulated", "Calibration", *ARMS):  # fmt: skip
        assert text in page
    for rule in load_config().rules:
        assert rule.name in page
    for digest in journals[0].run.digests.values():
        assert digest[:10] in page


def test_arms_of_different_tapes_are_refused(
    journals: list[Journal], bundle: Bundle, tmp_path: Path
) -> None:
    other = replay(bundle, simulate(4, SECONDS), load_config(), "no-model", tmp_path / "k")
    with pytest.raises(DataError, match="2 journals are of 2 different tapes"):
        write_report([journals[0], other], tmp_path / "r.html")
    with pytest.raises(UsageError, match="two journals are of the same arm"):
        write_report([journals[0], journals[0]], tmp_path / "r.html")
    assert not (tmp_path / "r.html").exists()


def test_always_widen_is_the_widest_rule_at_all_times() -> None:
    config = load_config()
    wide = arm_config(config, "always-widen")
    assert wide.rules == ()
    assert wide.quoting.base_half_spread_bp == config.quoting.base_half_spread_bp + 15.0
    assert wide.quoting.size_lots == 35
    assert arm_config(config, "no-model").quoting == config.quoting
    with pytest.raises(UsageError, match="there is no arm 'x'"):
        arm_config(config, "x")
    with pytest.raises(UsageError, match="takes its width from the rules"):
        arm_config(arm_config(config, "no-model"), "always-widen")


def test_a_simulated_market_is_called_simulated(journals: list[Journal]) -> None:
    assert simulated(journals[0])[0].startswith("Market: a seeded simulator")
