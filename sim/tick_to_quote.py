"""``pyorch bench tick-to-quote``: from a venue's frame to FIX bytes, beside the stages' bare kernels."""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress

from pyorch import _native
from pyorch.contract.bundle import Bundle
from pyorch.contract.events import Flag, Instrument, Kind, event_words
from pyorch.contract.figures import Figures
from pyorch.features.streaming import compute as compute_features
from pyorch.features.streaming import open_stream
from pyorch.inference.cpu import native_engine
from pyorch.market.clock import insert_timer_ticks
from pyorch.market.feeds.feed_actions import Fetch
from pyorch.market.feeds.live import Feed
from pyorch.market.feeds.live_binance import BinanceDialect
from pyorch.market.feeds.ring import FeedRing, FeedRingReader
from pyorch.market.simulate import simulate
from pyorch.market.tape import Tape
from pyorch.trading.bench_decide import with_options
from pyorch.trading.bench_tick import (
    SIMULATED_SEED,
    distribution,
    measure_twin,
    typical_ns,
)
from pyorch.trading.config import QuotingConfig, load_config
from pyorch.trading.loop import TickLoop
from pyorch.trading.native import native_settings
from pyorch.trading.records import TickFlag
from pyorch.trading.sample import random_quoting_bundle
from sim.feeds.spoken import spoken

COINM = Instrument("BTCUSD_PERP", "binance-coinm", "0.1", "1", 100.0)
OPTIONS = (20, 200)
REPETITIONS = 7
PIECE_ROWS = 200
"""Rows that are timed together: fewer than what other processes take away at a time."""
_QUOTABLE = int(TickFlag.BOOK_VALID | TickFlag.MODEL_VALID | TickFlag.WARM)


@dataclass(frozen=True, slots=True)
class Decoded:
    """Per message: its last row of the tape, and ns from the frame's bytes to rows read from the ring."""

    row: NDArray[np.int64]
    frame_ns: NDArray[np.int64]
    feed_ns: NDArray[np.int64]
    ring_ns: NDArray[np.int64]

    @property
    def total_ns(self) -> NDArray[np.int64]:
        """All of it."""
        return self.frame_ns + self.feed_ns + self.ring_ns


def measure_decode(tape: Tape, progress: Progress) -> Decoded:
    """The tape in Binance's words through websockets' parser, the feed and the ring, a message at a time.

    Args:
        tape: up to its first reset after the beginning, with its timer rows, which nobody speaks.
    """
    from websockets.client import ClientProtocol
    from websockets.frames import Frame, Opcode
    from websockets.protocol import State
    from websockets.uri import parse_uri

    texts = spoken(tape, 0, COINM)
    rows = np.flatnonzero(
        (tape.events["flags"] & int(Flag.LAST) > 0)
        & np.isin(tape.events["kind"], (Kind.DEPTH, Kind.SNAPSHOT, Kind.BEST, Kind.TRADE))
    )[: len(texts)]
    socket = ClientProtocol(parse_uri("ws://127.0.0.1/"), state=State.OPEN)
    feed = Feed(BinanceDialect((COINM,), url="ws://127.0.0.1/", rest="http://127.0.0.1"))
    now_ns = texts[0].local_ns
    feed.start(now_ns)
    actions = feed.opened(now_ns).actions
    feed.received(now_ns, b'{"result":null,"id":1}')
    fetch = next(one for one in actions if isinstance(one, Fetch))
    task = progress.add_task("decoding", total=len(texts))
    times = np.zeros((len(texts), 3), np.int64)
    clock = time.perf_counter_ns
    with tempfile.TemporaryDirectory(dir=_memory()) as folder:
        ring = FeedRing(Path(folder) / "ring", "bench", (COINM,))
        reader = FeedRingReader(Path(folder) / "ring")
        ring.write(feed.fetched(now_ns, fetch, texts[0].text).events)
        reader.read()
        for at, one in enumerate(texts[1:], 1):
            bytes_ = Frame(Opcode.TEXT, one.text).serialize(mask=False)
            begin = clock()
            socket.receive_data(bytes_)
            (frame,) = socket.events_received()
            text = bytes(getattr(frame, "data", b""))
            framed = clock()
            step = feed.received(one.local_ns, text)
            fed = clock()
            ring.write(step.events)
            reader.read()
            times[at] = framed - begin, fed - framed, clock() - fed
            if at % 1000 == 0:
                progress.update(task, completed=at)
        if feed.counts["gaps"] or feed.counts["garbled"] or not feed.synchronised(0):
            raise AssertionError(f"the feed lost its book: {feed.counts}")
    progress.update(task, completed=len(texts))
    return Decoded(rows[1:], *times[1:].T)


def _memory() -> str | None:
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


def measure_native(
    bundle: Bundle, config: QuotingConfig, tape: Tape, ticks: int, progress: Progress
) -> tuple[NDArray[Any], NDArray[Any], float]:
    """Journal of the first pass, its ticks' median ns over all passes, quotes a tick."""
    probe = TickLoop(bundle, config, tape)
    probe.run_unread()
    per_pass = max(1, probe.summary().ticks)
    passes = max(3, -(-ticks // per_pass))
    cores = sorted(os.sched_getaffinity(0))
    loop = TickLoop(bundle, config, tape, passes=passes, cpu=cores[-1])
    task = progress.add_task(f"{config.option_count} options", total=passes * per_pass)
    parts = []
    for batch in loop.run():
        parts.append(batch.ticks.copy())
        progress.advance(task, len(batch.ticks))
    journal = np.concatenate(parts)
    journal = journal[(journal["flags"] & TickFlag.BOOK_VALID) != 0]
    return journal, typical_ns(journal["row"], journal["total_ns"]), float(passes)


def kernels_ns(
    bundle: Bundle, plan_loop: TickLoop, first: NDArray[Any]
) -> tuple[dict[str, float], int]:
    """Mean ns a tick of each stage by itself, medians over repetitions; quotes that were sent.

    Args:
        first: the journal of one pass.
    """
    schema = bundle.schema
    assert schema is not None
    tape = plan_loop.tape
    words = event_words(tape.events)
    table = compute_features(tape, schema)
    features = np.ascontiguousarray(table.features, np.int32)
    quotable = first[(first["flags"] & _QUOTABLE) == _QUOTABLE]
    trades = np.flatnonzero((tape.events["kind"] == Kind.TRADE) & (tape.events["instrument"] == 0))
    last = np.searchsorted(trades, quotable["row"], side="right") - 1
    prices = np.where(last >= 0, tape.events["price_ticks"][trades[np.maximum(last, 0)]], 0)
    names = ("local_ns", "forward_half_ticks", "minutes", "atm_volatility_ppm", "skew_ppm")
    ticks = np.stack([*(quotable[name].astype(np.int64) for name in names), prices], axis=1)
    outputs = (
        bundle.spec.outputs if isinstance(bundle.spec.outputs, int) else len(bundle.spec.outputs)
    )
    scores = np.ascontiguousarray(quotable["scores"][:, :outputs], np.int64)
    settings = native_settings(plan_loop.plan)
    pieces = [words[at : at + PIECE_ROWS] for at in range(0, len(words), PIECE_ROWS)]
    streamed = np.zeros((REPETITIONS, len(pieces)))
    steps = np.zeros((REPETITIONS, len(features)), np.int64)
    stages = np.zeros((REPETITIONS, 3, len(ticks)), np.int64)
    made = quotes = 0
    for repetition in range(REPETITIONS):
        stream, made = open_stream(schema), 0
        for at, piece in enumerate(pieces):
            streamed[repetition, at], came = stream.time_events(piece)
            made += came
        steps[repetition] = native_engine(bundle, "auto").time_ticks(features)[0]
        quotes, _ = _native.time_stages(settings, ticks, scores, stages[repetition])
    # Medians over the repetitions, as the loop's over its passes; a clock reading is in the engine's.
    found = {
        "book_and_features": float(np.median(streamed, axis=0).sum()) / made,
        "engine": float(np.median(steps, axis=0).mean()),
    }
    for name, ns in zip(("policy", "pricing", "encode"), np.median(stages, axis=0), strict=True):
        found[name] = float(ns.sum()) / len(first)
    return found, quotes


@click.command("tick-to-quote")
@click.option("--seconds", default=300.0, show_default=True, help="Of the simulated market.")
@click.option("--ticks", default=300_000, show_default=True, help="Ticks to measure, at least.")
@click.option("--twin-seconds", default=8.0, show_default=True, help="Of the tape, in Python.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def tick_to_quote(seconds: float, ticks: int, twin_seconds: float, as_json: bool) -> None:
    """A venue's frame to FIX bytes with 20 and 200 options; each stage's bare kernel beside it."""
    market = insert_timer_ticks(simulate(SIMULATED_SEED, seconds))
    model = random_quoting_bundle(1, market)
    figures: dict[str, float] = {}
    peers: dict[str, dict[str, float]] = {}
    digests = {"model": model.digest(), "tape": market.digest()}
    ok = True
    with Progress(console=Console(stderr=True), transient=True) as progress:
        decoded = measure_decode(market, progress)
        for name in ("frame", "feed", "ring", "total"):
            figures |= distribution(f"decode_{name}", getattr(decoded, f"{name}_ns"))
        for options in OPTIONS:
            config = with_options(load_config(), options)
            digests[f"configuration, {options} options"] = config.digest()
            journal, typical, passes = measure_native(model, config, market, ticks, progress)
            first = journal[: _first_pass(journal["row"])]
            native = f"native_{options}"
            figures |= {f"{native}_ticks": float(len(journal)), f"{native}_passes": passes}
            figures |= distribution(native, journal["total_ns"])
            figures |= distribution(f"{native}_median_of_passes", typical)
            figures |= distribution(
                f"{native}_when_quoting", journal["total_ns"][journal["quotes"] > 0]
            )
            kernels, quotes = kernels_ns(model, TickLoop(model, config, market), first)
            total = sum(kernels.values())
            mean = float(np.mean(typical))
            figures |= {f"kernel_{options}_{name}_mean_ns": ns for name, ns in kernels.items()}
            figures[f"kernels_{options}_mean_ns"] = total
            figures[f"{native}_mean_of_medians_ns"] = mean
            figures[f"ratio_{options}"] = mean / total
            figures[f"quotes_{options}"] = int(first["quotes"].sum())
            ok &= quotes == int(first["quotes"].sum())
            figures |= distribution(
                f"with_decode_{options}", _joined(decoded, first["row"], typical)
            )
            twin, same = measure_twin(model, config, market, twin_seconds)
            peers[f"Python pipeline, {options} options"] = twin
            ok &= same
    Figures("pyorch bench tick-to-quote", digests, figures, peers, ok=ok).show(as_json)


def _first_pass(row: NDArray[Any]) -> int:
    """How many ticks of a journal of several passes belong to the first one."""
    back = np.flatnonzero(np.diff(row) < 0)
    return int(back[0]) + 1 if len(back) else len(row)


def _joined(decoded: Decoded, row: NDArray[Any], tick_ns: NDArray[Any]) -> NDArray[np.int64]:
    """Decoding of the message that made a tick, plus the tick; ticks of no message are left out."""
    _, ours, theirs = np.intersect1d(row, decoded.row, assume_unique=True, return_indices=True)
    return np.asarray(tick_ns[ours] + decoded.total_ns[theirs], np.int64)
