"""Journals: whole or not at all, and every changed byte is found."""

from pathlib import Path

import numpy as np
import pytest

from pyorch.app.journal import Journal, JournalWriter, RunDescription
from pyorch.contract.errors import DataError, UsageError
from pyorch.trading.records import QUOTE_DTYPE, TICK_DTYPE, JournalBatch

RUN = RunDescription(
    "model", {"bundle": "b", "config": "c", "tape": "t", "schema": "s"}, {"simulator": 1}
)
FILES = ("manifest.json", "ticks.bin", "quotes.bin", "messages.fix", "outcomes.bin")


def batch(first: int, count: int, engine_ns: int = 5) -> JournalBatch:
    ticks = np.zeros(count, TICK_DTYPE)
    ticks["tick"] = np.arange(first, first + count)
    ticks["engine_ns"] = engine_ns
    ticks["quotes"], ticks["fix_messages"] = 1, 2
    quotes = np.zeros(count, QUOTE_DTYPE)
    quotes["tick"] = ticks["tick"]
    messages = [
        b"8=FIX.4.4\x0134=%d\x0110=000\x01" % n for n in range(2 * first, 2 * (first + count))
    ]
    ticks["fix_bytes"] = [len(messages[2 * n]) + len(messages[2 * n + 1]) for n in range(count)]
    return JournalBatch(ticks, quotes, b"".join(messages))


def write(folder: Path, engine_ns: int = 5) -> str:
    with JournalWriter(folder) as writer:
        writer.append(batch(0, 3, engine_ns))
        writer.append(batch(3, 2, engine_ns))
        return writer.finish(RUN, np.zeros((5, 4), np.int8))


def test_a_journal_is_read_as_it_was_written(tmp_path: Path) -> None:
    digest = write(tmp_path / "j")
    journal = Journal.load(tmp_path / "j")
    assert journal.run == RUN
    assert journal.content_digest == digest
    assert journal.ticks["tick"].tolist() == [0, 1, 2, 3, 4]
    assert journal.outcomes is not None and journal.outcomes.shape == (5, 4)
    assert journal.quotes_of(3)["tick"].tolist() == [3]
    assert journal.messages_of(4) == [
        b"8=FIX.4.4\x0134=8\x0110=000\x01",
        b"8=FIX.4.4\x0134=9\x0110=000\x01",
    ]


def test_durations_do_not_change_the_content_digest_but_anything_else_does(tmp_path: Path) -> None:
    first = write(tmp_path / "a", engine_ns=5)
    assert write(tmp_path / "b", engine_ns=6) == first
    with JournalWriter(tmp_path / "c") as writer:
        writer.append(batch(0, 4))
        assert writer.finish(RUN) != first


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_bit_is_found_in_every_file(tmp_path: Path, name: str) -> None:
    write(tmp_path / "j")
    path = tmp_path / "j" / name
    data = bytearray(path.read_bytes())
    for position in {0, len(data) // 2, len(data) - 1}:
        damaged = data.copy()
        damaged[position] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"damaged|readable|layout"):
            Journal.load(tmp_path / "j")


@pytest.mark.parametrize("name", FILES)
def test_a_truncated_or_missing_file_is_found(tmp_path: Path, name: str) -> None:
    write(tmp_path / "j")
    path = tmp_path / "j" / name
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match=r"truncated|damaged|readable"):
        Journal.load(tmp_path / "j")
    path.unlink()
    with pytest.raises(DataError, match=r"missing|not a journal"):
        Journal.load(tmp_path / "j")


def test_a_truncation_names_both_sizes(tmp_path: Path) -> None:
    write(tmp_path / "j")
    path = tmp_path / "j" / "ticks.bin"
    path.write_bytes(path.read_bytes()[: -TICK_DTYPE.itemsize])
    with pytest.raises(DataError) as error:
        Journal.load(tmp_path / "j")
    assert "has 1,376 bytes, the manifest says 1,720" in str(error.value)
    assert "pyorch replay" in str(error.value)


def test_a_run_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), JournalWriter(tmp_path / "j") as writer:
        writer.append(batch(0, 3))
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_a_failing_run_keeps_the_journal_that_was_there(tmp_path: Path) -> None:
    digest = write(tmp_path / "j")
    with pytest.raises(RuntimeError), JournalWriter(tmp_path / "j") as writer:
        writer.append(batch(0, 1))
        raise RuntimeError
    assert Journal.load(tmp_path / "j").content_digest == digest


def test_a_folder_that_is_no_journal_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    with pytest.raises(UsageError, match="is not a journal: choose another name"):
        JournalWriter(tmp_path / "notes")
