"""Engine latencies of paired arms: read, drawn, and applied to when quotes rest."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from pyorch.app.arms import Quotes
from pyorch.app.bench_latency import latency
from pyorch.app.latency_tables import SHIPPED, LatencyTable, choose, delayed, load_tables
from pyorch.contract.errors import DataError, UsageError

TABLE = LatencyTable(
    engine="cpu", options=20, ticks=3, shares=(0.0, 0.5, 1.0), nanoseconds=(10.0, 20.0, 40.0),
    how="", machine="", load=0.0, date="", command="",
)  # fmt: skip


def test_draws_follow_the_quantiles_and_the_seed() -> None:
    drawn = TABLE.draw_ns(20_000, 3)
    assert drawn.min() >= 10 and drawn.max() <= 40
    assert np.quantile(drawn, [0.25, 0.5, 0.75]) == pytest.approx([15, 20, 30], abs=0.5)
    assert (TABLE.draw_ns(5, 3) == drawn[:5]).all() and (TABLE.draw_ns(5, 4) != drawn[:5]).any()


def test_the_shipped_tables_are_of_both_engines_and_say_what_was_measured() -> None:
    tables = load_tables(SHIPPED)
    assert {(one.engine, one.options) for one in tables} == {
        (engine, options) for engine in ("cpu", "card") for options in (20, 200)
    }
    for one in tables:
        assert one.command.startswith("pyorch bench latency ") and one.machine and one.date
        assert one.ticks >= 100 and one.nanoseconds[0] > 0
        assert (one.fabric_ns > 0) == (one.engine == "card")
    assert choose(tables, "card", 150).options == 200 and choose(tables, "cpu", 5).options == 20


def test_another_fabric_changes_the_card_s_tables_by_its_time_and_no_other(tmp_path: Path) -> None:
    out = tmp_path / "tables.json"
    options = [
        "--around",
        str(SHIPPED),
        "--card-cycles",
        "300",
        "--card-mhz",
        "40",
        "--out",
        str(out),
    ]
    result = CliRunner().invoke(latency, options)
    assert result.exit_code == 0, result.output
    for old, new in zip(load_tables(SHIPPED), load_tables(out), strict=True):
        more = 7_500 - old.fabric_ns if old.engine == "card" else 0
        assert new.nanoseconds == pytest.approx([ns + more for ns in old.nanoseconds])
        assert (new.engine, new.date, new.command) == (old.engine, old.date, old.command)
        assert ("300 cycles at 40 MHz" in new.how) == (old.engine == "card")
    with pytest.raises(UsageError, match="latency of cpu, 20 options, has no fabric in it"):
        TABLE.with_fabric(300, 40.0)


def test_an_engine_that_was_not_measured_is_refused() -> None:
    with pytest.raises(UsageError, match="no latency of 'gpu' was measured; choose cpu, or none"):
        choose((TABLE,), "gpu", 20)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"[{", "holds no latency tables .*write them with: pyorch bench latency --out"),
        (
            b'[{"engine":"cpu","options":20,"ticks":1,"shares":[0,1],"nanoseconds":[2,1],'
            b'"how":"","machine":"","load":0,"date":"","command":""}]',
            r"nanoseconds of cpu, 20 options, are 2 numbers that must rise, as many as shares \(2\)",
        ),
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path: Path, text: bytes, said: str) -> None:
    path = tmp_path / "tables.json"
    path.write_bytes(text)
    with pytest.raises(DataError, match=said):
        load_tables(path)


def test_quotes_rest_later_and_in_order_while_their_value_does_not_wait() -> None:
    times = np.array([0, 100, 200, 300], np.int64)
    column = np.array([1.0, 2.0, 2.0, 4.0])[:, None]
    lots = np.full((4, 1), 5)
    quotes = Quotes(times, column - 0.5, column + 0.5, lots, lots, column, 0.1)
    late = delayed(quotes, np.array([30, 150, 10, 20]))
    # The second tick's quote comes at 250, after the third tick; the last one after the run.
    assert late.local_ns.tolist() == [0, 30, 100, 200, 250, 300]
    assert late.fair[:, 0].tolist() == [1, 1, 2, 2, 2, 4]
    assert late.bid[1:, 0].tolist() == [0.5, 0.5, 0.5, 1.5, 1.5] and np.isnan(late.bid[0, 0])
    assert late.ask_lots[:, 0].tolist() == [0, 5, 5, 5, 5, 5]
    same = delayed(quotes, np.zeros(4, np.int64))
    assert same.local_ns.tolist() == times.tolist() and (same.ask == quotes.ask).all()
