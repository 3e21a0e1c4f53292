"""A desk with the exchange in the loop: what it sends is in its log, and the log sends it again."""

import json
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from pyorch.app.audit import export_parquet
from pyorch.app.commands import report
from pyorch.app.desk_commands import audit, export_log, run
from pyorch.app.desk_config import load_desk
from pyorch.app.journal import Journal
from pyorch.contract.errors import MismatchError, UsageError
from pyorch.trading.config import load_config
from pyorch.trading.executor import check_execution
from pyorch.trading.inputs import InputKind
from pyorch.trading.log import RunLog, read_log
from pyorch.trading.log_replay import check_replay
from pyorch.trading.records import JournalBatch, TickFlag

CONFIG = """
[market]
seconds = 16
seed = 7
[desk]
hedge_delta_btc = 0.2
[exchange]
seed = 3
[exchange.flow]
random_per_s = 20.0
[exchange.requests]
per_s = 4.0
informed_shares = [0.0, 1.0]
[requests]
scores = [1.0, 0.2]
[execution]
halt_volatility_percent = 1000.0
pause_spread_ticks = 100
wide_spread_ticks = 90
slippage_cap_ticks = 60
[[parents]]
at_s = 4.0
over_s = 6.0
option = 4
side = "buy"
contracts = 20.0
[[parents]]
at_s = 5.0
over_s = 6.0
option = 15
side = "sell"
contracts = 20.0
schedule = "impact"
[[exchange.venues]]
name = "VENUE"
outages_s = [9.0]
outage_ms = 700
[[orders]]
at_s = 6.0
order = "widen"
value = 300
who = "A. Trader"
why = "news"
[[orders]]
at_s = 12.0
order = "kill"
who = "R. Officer"
why = "drill"
[[orders]]
at_s = 13.0
order = "rearm"
who = "R. Officer"
why = "drill over"
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("desk")
    (home / "desk.toml").write_text(CONFIG)
    result = CliRunner().invoke(
        run, [str(home / "desk.toml"), "--out", str(home / "run"), "--json"]
    )
    assert result.exit_code == 0, result.output
    return home


def test_a_run_answers_for_every_message_and_its_positions_are_the_venue_s(folder: Path) -> None:
    journal = Journal.load(folder / "run")
    facts = journal.run.facts["desk"]
    assert facts["inputs"].keys() >= {
        "acknowledged", "filled", "disconnected", "connected", "widen", "kill", "rearm",
    }  # fmt: skip
    assert [v["duplicates"] for v in facts["venues"]] == [0]
    assert facts["inputs"]["filled"] == len(facts["fills"]) > 5
    assert [t["who"] for t in facts["texts"] if "order" in t] == [
        "A. Trader", "R. Officer", "R. Officer",
    ]  # fmt: skip
    assert facts["proposals"] > 0
    killed = journal.ticks["flags"] & TickFlag.KILLED != 0
    assert killed.any() and not journal.ticks["quotes"][killed].any()


def test_parent_orders_are_worked_and_requests_answered_with_a_last_look(folder: Path) -> None:
    facts = Journal.load(folder / "run").run.facts["desk"]
    log = read_log(folder / "run" / "run.log")
    buys, sells = facts["parents"]
    for parent in (buys, sells):
        assert parent["children"] > 0 and parent["done_lots"] > 0
        assert parent["shortfall_ticks"] is not None and parent["baseline_ticks"] > 0
    done = [
        sum(row["lots"] for row in facts["fills"] if (row["option"], row["by"]) == (k, "own order"))
        for k in (4, 15)
    ]
    resting = [
        sum(f["lots"] for f in facts["fills"] if f["sequence"] in sent and f["by"] != "own order")
        for sent in (sequences(log, 0), sequences(log, 1))
    ]
    assert [buys["done_lots"], sells["done_lots"]] == [
        a + b for a, b in zip(done, resting, strict=True)
    ]
    counts = facts["requests"]
    assert counts["requests"] > counts["answered"] >= counts["accepted"] > 0
    deals = [row for row in facts["fills"] if row["by"] == "request"]
    assert len(deals) == counts["dealt"]
    answers = {t["request"]["number"]: t["answer"] for t in log.texts if "request" in t}
    looks = [t for t in log.texts if "last_look" in t]
    assert len(looks) == counts["accepted"] and all(
        isinstance(answers[t["last_look"]], int) for t in looks
    )
    # Every order's bytes were in the log before they left, and its decision can be made again.
    settings = load_desk(folder / "desk.toml").execution
    decisions = check_execution(log.texts, settings, 0.1)
    assert decisions == buys["children"] + sells["children"]
    assert all(b"35=D" in t["fix"].encode() for t in log.texts if "parent" in t)
    changed = [t | {"decision": t["decision"] | {"lots": 999}} for t in log.texts if "parent" in t]
    with pytest.raises(MismatchError, match="decision 1 of parent"):
        check_execution(changed, settings, 0.1)


def sequences(log: RunLog, parent: int) -> set[int]:
    """Of a parent's children."""
    sent = [text["fix"] for text in log.texts if text.get("parent") == parent]
    return {int(fix.split("\x0134=")[1].split("\x01")[0]) for fix in sent}


def test_the_same_seeds_give_the_same_run(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "again"
    result = CliRunner().invoke(run, [str(folder / "desk.toml"), "--out", str(out), "--json"])
    assert result.exit_code == 0
    ours, again = Journal.load(folder / "run"), Journal.load(out)
    assert ours.content_digest == again.content_digest and ours.fix == again.fix
    assert ours.run.facts["desk"]["fills"] == again.run.facts["desk"]["fills"]


def test_a_log_that_says_something_else_is_a_mismatch(folder: Path) -> None:
    log = read_log(folder / "run" / "run.log")
    batch = log.batch
    check_replay(log, batch)
    other = JournalBatch(batch.ticks, batch.quotes, batch.fix.replace(b"132=0.0", b"132=0.1", 1))
    with pytest.raises(MismatchError, match=r"message \d+ of \d+ differs: the log has"):
        check_replay(log, other)


def test_an_audit_leads_from_a_price_to_features_and_fills(folder: Path) -> None:
    log = read_log(folder / "run" / "run.log")
    of_quotes = (log.inputs["kind"] == InputKind.FILLED) & (log.inputs["value"] == 0)
    fill = log.inputs[of_quotes][0]
    journal = Journal.load(folder / "run")
    ours = np.flatnonzero(journal.quotes["option"] == fill["option"])
    found = None
    for number in ours.tolist():
        text = CliRunner().invoke(audit, [str(folder / "run"), "--quote", str(number), "--json"])
        one = json.loads(text.output)
        if one["message"]["sequence"] == fill["sequence"]:
            found = one
    assert found is not None
    assert found["quote"]["option"] in found["message"]["fix"]
    reports = [row["report"] for row in found["afterwards"]]
    assert reports[0] == "ACKNOWLEDGED" and "FILLED" in reports
    assert len(found["features"]) == 16 and "direction.up" in found["scores"]
    result = CliRunner().invoke(audit, [str(folder / "run"), "--quote", "99999999"])
    assert isinstance(result.exception, UsageError) and "there is no 99999999" in str(
        result.exception
    )


def test_a_journal_becomes_tables_and_a_report(folder: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(
        export_log, [str(folder / "run"), "--out", str(tmp_path / "tables")]
    )
    assert result.exit_code == 0, result.output
    journal = Journal.load(folder / "run")
    tables = {path.stem: pq.read_table(path) for path in (tmp_path / "tables").glob("*.parquet")}
    assert tables["quotes"].num_rows == len(journal.quotes)
    assert tables["messages"].num_rows == journal.ticks["fix_messages"].sum()
    assert b"".join(tables["messages"]["fix"].to_pylist()) == journal.fix
    assert tables["ticks"]["features"].to_pylist()[5] == journal.ticks["features"][5].tolist()
    page = tmp_path / "report.html"
    result = CliRunner().invoke(report, [str(folder / "run"), "--out", str(page)])
    assert result.exit_code == 0, result.output
    text = page.read_text()
    assert "The desk" in text and "R. Officer" in text and "drill over" in text


def test_duckdb_answers_the_documented_queries_from_an_exported_journal(
    folder: Path, tmp_path: Path
) -> None:
    result = CliRunner().invoke(export_log, [str(folder / "run"), "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    text = (Path(__file__).parents[2] / "docs" / "desk.md").read_text()
    of_takers, of_widths, of_rules = text.split("```sql\n")[1].split("```")[0].split(";")[:3]
    journal = Journal.load(folder / "run")
    fills = journal.run.facts["desk"]["fills"]
    with duckdb.connect() as base:
        base.execute(f"SET file_search_path = '{tmp_path}'")
        takers = base.sql(of_takers).fetchall()
        widths = base.sql(of_widths).fetchall()
        rules = base.sql(of_rules).fetchall()
    for by, count, lots, markout in takers:
        mine = [f for f in fills if f["by"] == by and f["markout_1000_bp"] is not None]
        assert (count, lots) == (len(mine), sum(f["lots"] for f in mine))
        gain = sum(f["lots"] * f["markout_1000_bp"] for f in mine)
        assert markout == pytest.approx(gain / lots)
    assert {row[0] for row in takers} == {
        f["by"] for f in fills if f["markout_1000_bp"] is not None
    }
    quotes = journal.quotes[(journal.quotes["bid_lots"] > 0) & (journal.quotes["ask_lots"] > 0)]
    width = quotes["ask_ticks"] - quotes["bid_ticks"]
    assert [row[:2] for row in widths] == sorted(
        (journal.run.options[k].symbol, int(width[quotes["option"] == k].max()))
        for k in np.unique(quotes["option"]).tolist()
    )
    extra: dict[str, list[int]] = {}
    ticks, starts = journal.ticks, np.cumsum(journal.ticks["quotes"], dtype=np.int64)
    for fill in fills:
        if fill["by"] in ("random", "stale", "informed"):
            earlier = (journal.quotes["option"] == fill["option"]) & (
                journal.quotes["local_ns"] <= fill["local_ns"]
            )
            at = np.searchsorted(starts, np.flatnonzero(earlier)[-1], side="right")
            both = int(ticks["extra_down_bp100"][at]) + int(ticks["extra_up_bp100"][at])
            extra.setdefault(fill["by"], []).append(both)
    assert rules == [
        (by, pytest.approx(sum(of) / len(of) / 100), len(of)) for by, of in sorted(extra.items())
    ]
    assert len(rules) > 1


def test_tables_of_a_run_without_fills_have_their_columns(folder: Path, tmp_path: Path) -> None:
    journal = Journal.load(folder / "run")
    desk = {**journal.run.facts["desk"], "fills": []}
    idle = replace(journal, run=replace(journal.run, facts={**journal.run.facts, "desk": desk}))
    export_parquet(idle, tmp_path)
    with duckdb.connect() as base:
        found = base.sql(
            f"SELECT sum(lots * markout_10000_bp), max(\"by\") FROM '{tmp_path}/fills.parquet'"
        )
        assert found.fetchall() == [(None, None)]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('who = "A. Trader"', 'who = ""', "needs a person's name and a reason"),
        ('name = "VENUE"', 'nome = "VENUE"', "Object contains unknown field `nome`"),
        ('order = "widen"', 'order = "buy"', "Invalid enum value 'buy'"),
        ("seconds = 16", "seconds = -1", "Expected `float` > 0.0"),
    ],
)
def test_a_desk_s_configuration_is_checked_before_it_runs(
    old: str, new: str, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "desk.toml"
    path.write_text(CONFIG.replace(old, new, 1))
    with pytest.raises(UsageError, match=message):
        load_desk(path)


def test_two_parent_orders_of_one_option_are_refused(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "desk.toml"
    path.write_text(CONFIG.replace("option = 15", "option = 4", 1))
    result = CliRunner().invoke(run, [str(path), "--out", str(tmp_path / "out")])
    assert isinstance(result.exception, UsageError)
    assert (
        "parents[1].option is 4, as parents[0]'s; a venue holds one order of ours an option"
        in str(result.exception)
    )
    assert not (tmp_path / "out").exists()


def test_venues_of_exchange_and_quotes_must_agree(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "desk.toml"
    path.write_text(CONFIG.replace('name = "VENUE"', 'name = "ELSEWHERE"'))
    result = CliRunner().invoke(run, [str(path), "--out", str(tmp_path / "out")])
    assert isinstance(result.exception, UsageError)
    assert "venues ['ELSEWHERE'], quotes go to ['VENUE']" in str(result.exception)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["desk.toml", "desk-recorded.toml"])
def test_the_examples_can_be_read(name: str) -> None:
    example = Path(__file__).parents[2] / "examples" / name
    config = load_desk(example)
    quoting = load_config(example.parent / str(config.desk.quoting))
    assert quoting.option_count == 200
    assert tuple(venue.name for venue in config.exchange.venues) == quoting.targets
