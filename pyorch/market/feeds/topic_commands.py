"""`pyorch publish` and `pyorch record-topic`: events to a Kafka topic, and from there onto a tape."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from pyorch.contract.errors import UsageError
from pyorch.contract.events import EventArray, Instrument

_PATH = click.Path(path_type=Path)


def _topic_options(verb: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(
        [
            click.option("--brokers", required=True, help="HOST:PORT, with commas between."),
            click.option("--topic", required=True),
            click.option(
                "--settings",
                type=_PATH,
                help="TOML of librdkafka's settings; users and passwords belong there.",
            ),
            click.option("--json", "as_json", is_flag=True, help="Print one JSON object."),
        ]
    ):
        verb = option(verb)
    return verb


@click.command()
@click.option("--tape", type=_PATH, help="A tape, as fast as the brokers take it.")
@click.option("--ring", type=_PATH, help="The ring of a feed (`pyorch feed`), as it comes.")
@click.option("--seconds", type=float, help="With --ring: stop after so long.")
@_topic_options
def publish(
    tape: Path | None, ring: Path | None, seconds: float | None, brokers: str, topic: str,
    settings: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Write market events to a Kafka topic, for other machines; a tick never waits for it."""
    from pyorch.contract.figures import Figures
    from pyorch.market.feeds.topic import TopicWriter, kafka_settings

    if (tape is None) == (ring is None):
        raise UsageError("give one of --tape and --ring")
    instruments, pieces = _of_tape(tape) if tape is not None else _of_ring(ring, seconds)
    writer = TopicWriter(kafka_settings(brokers, settings), topic, instruments)
    began, rows = time.perf_counter(), 0
    for events in pieces:
        writer.write(events)
        rows += len(events)
    writer.flush()
    took_s = round(time.perf_counter() - began, 3)
    figures = {"records": writer.records, "rows": rows, "took_s": took_s}
    source = f"--tape {tape}" if tape is not None else f"--ring {ring}"
    Figures(f"pyorch publish {source} --topic {topic}", figures=figures).show(as_json)


@click.command("record-topic")
@click.option("--seconds", type=float, help="Go on for so long; default: up to what is there now.")
@click.option("--out", required=True, type=_PATH, help="Tape to write (Parquet).")
@_topic_options
def record_topic(
    seconds: float | None, out: Path, brokers: str, topic: str, settings: Path | None, as_json: bool
) -> None:
    """Write a Kafka topic's market events to a tape, from its oldest record on."""
    from pyorch.contract.figures import Figures
    from pyorch.market.feeds.record import tape_of
    from pyorch.market.feeds.topic import TopicReader, kafka_settings
    from pyorch.market.tape import write_tape

    reader = TopicReader(kafka_settings(brokers, settings), topic)
    parts: list[EventArray] = []
    began = time.monotonic()
    try:
        ended = False
        while time.monotonic() - began < seconds if seconds is not None else not ended:
            events, ended = reader.read(0.5)
            parts.append(events)
    finally:
        reader.close()
    tape = tape_of(parts, reader.instruments, topic, dict(reader.counts))
    write_tape(out, tape)
    Figures(
        f"pyorch record-topic --topic {topic} --out {out}",
        {"tape": tape.digest()},
        {"duration_s": tape.duration_s} | tape.counts,
    ).show(as_json)


def _of_tape(path: Path) -> tuple[tuple[Instrument, ...], Iterator[EventArray]]:
    from rich.console import Console
    from rich.progress import track

    from pyorch.market.feeds.topic import whole_messages
    from pyorch.market.tape import read_tape

    tape = read_tape(path)
    pieces = whole_messages(tape.events)
    console = Console(stderr=True)
    return tape.instruments, iter(track(pieces, "publishing", console=console, transient=True))


def _of_ring(
    ring: Path | None, seconds: float | None
) -> tuple[tuple[Instrument, ...], Iterator[EventArray]]:
    from pyorch.contract.events import Flag
    from pyorch.market.feeds.record import IDLE_S
    from pyorch.market.feeds.ring import FeedRingReader

    assert ring is not None
    reader = FeedRingReader(ring)

    def pieces() -> Iterator[EventArray]:
        import numpy as np

        began = time.monotonic()
        kept = reader.read(0)
        while seconds is None or time.monotonic() - began < seconds:
            kept = np.concatenate([kept, reader.read()])
            ends = np.flatnonzero(kept["flags"] & int(Flag.LAST))
            if not len(ends):
                time.sleep(IDLE_S)
                continue
            whole, kept = kept[: int(ends[-1]) + 1], kept[int(ends[-1]) + 1 :]
            yield whole

    return reader.instruments, pieces()


COMMANDS: list[click.Command] = [publish, record_topic]
