"""Events through a Kafka topic, on the mock cluster inside the library: no server, real protocol."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from confluent_kafka import Producer

from pyorch.contract.errors import DataError, DeviceError, UsageError
from pyorch.contract.events import EventArray, Flag, Instrument, Kind, event_words
from pyorch.market.feeds import topic as topic_module
from pyorch.market.feeds.topic import TopicReader, TopicWriter, kafka_settings, whole_messages
from pyorch.market.feeds.topic_commands import publish, record_topic
from pyorch.market.simulate import simulate
from pyorch.market.tape import Tape, read_tape, write_tape

QUIET: dict[str, object] = {"log_level": 0}


class Cluster:
    """The mock brokers live as long as the client that made them."""

    def __init__(self) -> None:
        self._owner = Producer({"bootstrap.servers": "mock", "test.mock.num.brokers": 1} | QUIET)
        brokers = self._owner.list_topics(timeout=30).brokers.values()
        self.address = ",".join(f"{broker.host}:{broker.port}" for broker in brokers)
        self.settings = kafka_settings(self.address) | QUIET

    def put(self, topic: str, value: bytes, headers: Any) -> None:
        """A record as somebody else would write it."""
        self._owner.produce(topic, value, partition=0, headers=headers)
        assert self._owner.flush(30) == 0

    def records(self, topic: str) -> list[tuple[bytes, list[tuple[str, bytes]]]]:
        """Everything in a topic: (value, headers)."""
        reader = TopicReader(self.settings, topic)
        found: list[Any] = []
        monkey: Any = reader
        monkey._take = found.append
        ended = False
        while not ended:
            _, ended = reader.read(1.0)
        reader.close()
        return [(message.value(), list(message.headers())) for message in found]


@pytest.fixture(scope="module")
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture(scope="module")
def tape() -> Tape:
    return simulate(5, 4, second=True)


def everything(cluster: Cluster, topic: str) -> tuple[EventArray, TopicReader]:
    reader = TopicReader(cluster.settings, topic)
    parts, ended = [], False
    while not ended:
        events, ended = reader.read(1.0, 100)
        parts.append(events)
    reader.close()
    return np.concatenate(parts), reader


def test_a_topic_gives_the_tape_back_byte_for_byte(
    cluster: Cluster, tape: Tape, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topic_module, "INTRODUCED", 100)  # many introductions in between
    write_tape(tmp_path / "tape.parquet", tape)
    words = ["--brokers", cluster.address, "--topic", "whole"]
    result = CliRunner().invoke(publish, ["--tape", str(tmp_path / "tape.parquet"), *words])
    assert result.exit_code == 0, result.output
    again = str(tmp_path / "again.parquet")
    result = CliRunner().invoke(record_topic, ["--out", again, *words])
    assert result.exit_code == 0, result.output
    found = read_tape(Path(again))
    assert found.digest() == tape.digest()
    assert found.counts["records"] == len(whole_messages(tape.events))
    assert "lost" not in found.counts


def test_what_is_missing_repeated_or_nonsense_is_counted_and_voids_the_books(
    cluster: Cluster, tape: Tape
) -> None:
    messages = whole_messages(tape.events)[:60]
    writer = TopicWriter(cluster.settings, "clean", tape.instruments)
    writer.write(np.concatenate(messages))
    writer.flush()
    records = cluster.records("clean")
    introduction, rest = records[0], records[1:]
    assert len(rest) == 60
    spoilt = [introduction, *rest[:10], rest[9], *rest[13:20], (b"x" * 63, rest[20][1])]
    spoilt += [(b"\xff" * 64, rest[21][1]), (rest[22][0], []), *rest[22:40], *rest[40:]]
    for value, headers in spoilt:
        cluster.put("spoilt", value, headers)
    events, reader = everything(cluster, "spoilt")
    assert reader.counts == {
        "sessions": 1, "records": 55, "rows": sum(len(m) for m in messages)
        - sum(len(messages[k]) for k in (10, 11, 12, 20, 21)), "again": 1, "lost": 3, "unreadable": 3,
    }  # fmt: skip
    resets = events[events["kind"] == Kind.RESET]
    first = int(np.count_nonzero(np.concatenate(messages)["kind"] == Kind.RESET))
    assert len(resets) == first + 4 * len(tape.instruments)  # one loss, three unreadable
    good = [messages[k] for k in range(60) if k not in (10, 11, 12, 20, 21)]
    kept = event_words(events[(events["kind"] != Kind.RESET)])
    wanted = np.concatenate(good)
    assert (kept == event_words(wanted[wanted["kind"] != Kind.RESET])).all()
    assert (np.diff(events["local_ns"]) >= 0).all()


def test_a_second_writer_begins_a_session_and_other_instruments_are_refused(
    cluster: Cluster, tape: Tape
) -> None:
    messages = whole_messages(tape.events)
    for part in (messages[:5], messages[5:9]):
        writer = TopicWriter(cluster.settings, "sessions", tape.instruments)
        writer.write(np.concatenate(part))
        writer.flush()
    events, reader = everything(cluster, "sessions")
    assert reader.counts["sessions"] == 2 and reader.counts["records"] == 9
    cut = sum(len(message) for message in messages[:5])
    between = events[cut : cut + len(tape.instruments)]
    assert (between["kind"] == Kind.RESET).all()
    assert between["instrument"].tolist() == list(range(len(tape.instruments)))
    other = TopicWriter(cluster.settings, "sessions", [Instrument("X", "deribit", "1", "1")])
    other.write(messages[0])
    other.flush()
    with pytest.raises(DataError, match="another session has 1 other instruments; give each list"):
        everything(cluster, "sessions")


def test_a_reader_that_comes_after_the_first_records_are_gone_waits_for_an_introduction(
    cluster: Cluster, tape: Tape, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topic_module, "INTRODUCED", 20)
    messages = whole_messages(tape.events)[:30]
    writer = TopicWriter(cluster.settings, "old", tape.instruments)
    writer.write(np.concatenate(messages))
    writer.flush()
    for value, headers in cluster.records("old")[1:]:
        cluster.put("cut", value, headers)
    events, reader = everything(cluster, "cut")
    assert reader.counts["lost"] == 20 and reader.counts["records"] == 10
    assert (event_words(events) == event_words(np.concatenate(messages[20:]))).all()


def test_what_cannot_be_written_or_reached_is_said(
    cluster: Cluster, tape: Tape, tmp_path: Path
) -> None:
    writer = TopicWriter(cluster.settings, "whatever", tape.instruments)
    cut = next(m for m in whole_messages(tape.events) if len(m) > 1)[:-1]
    assert not int(cut["flags"][-1]) & int(Flag.LAST)
    with pytest.raises(UsageError, match="give whole messages"):
        writer.write(cut)
    nobody = TopicWriter(
        kafka_settings("127.0.0.1:1") | QUIET | {"message.timeout.ms": 300}, "t", tape.instruments
    )
    nobody.write(whole_messages(tape.events)[0])
    with pytest.raises(DeviceError, match=r"2 records of t (were|are) not delivered"):
        nobody.flush(20.0)
    with pytest.raises(UsageError, match=r"Kafka refuses the settings: .*no\.such\.setting"):
        TopicWriter(cluster.settings | {"no.such.setting": 1}, "t", tape.instruments)
    (tmp_path / "kafka.toml").write_text("sasl.username = 'desk'")
    with pytest.raises(UsageError, match="sasl is a table; keys are librdkafka's, in quotes"):
        kafka_settings("x:1", tmp_path / "kafka.toml")
    (tmp_path / "kafka.toml").write_text("'sasl.username' = 'desk'")
    assert kafka_settings("x:1", tmp_path / "kafka.toml") == {
        "sasl.username": "desk", "bootstrap.servers": "x:1",
    }  # fmt: skip
    result = CliRunner().invoke(publish, ["--brokers", "x:1", "--topic", "t"])
    assert isinstance(result.exception, UsageError)
    assert str(result.exception) == "give one of --tape and --ring"


@pytest.fixture
def ring(tape: Tape, tmp_path: Path) -> Iterator[Path]:
    from pyorch.market.feeds.ring import FeedRing

    path = tmp_path / "ring"
    FeedRing(path, "a feed", tape.instruments, 1 << 14).write(tape.events[:64])
    yield path


def test_a_ring_is_published_as_it_comes(cluster: Cluster, ring: Path, tape: Tape) -> None:
    import threading

    from pyorch.market.feeds.ring import FeedRing

    writer = FeedRing(ring, "a feed", tape.instruments, 1 << 14)
    stop = threading.Event()

    def feed() -> None:
        for rows in whole_messages(tape.events[64:]):
            if stop.wait(0.002):
                return
            writer.write(rows)

    feeding = threading.Thread(target=feed)
    feeding.start()
    words = ["--brokers", cluster.address, "--topic", "ring", "--seconds", "1", "--ring", str(ring)]
    result = CliRunner().invoke(publish, words)
    stop.set()
    feeding.join()
    assert result.exit_code == 0, result.output
    events, reader = everything(cluster, "ring")
    assert reader.counts["records"] > 10
    market = event_words(events[events["kind"] != Kind.RESET])
    source = event_words(tape.events)
    at = int(np.flatnonzero((source == market[0]).all(axis=1))[0])
    assert (market == source[at : at + len(market)]).all()
