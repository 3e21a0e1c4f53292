"""The tick loop: a tape through book, features, model, policy, quotes and risk to FIX bytes, natively.

The tick runs on one native thread (`pyorch/native/tick_loop.hpp`); Python receives the journal through
rings and never stands in the way of a tick, but a full ring holds a replay back, so that nothing is lost.
`pyorch.trading.twin` is the readable definition.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pyorch import _native
from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import BundleError, DeviceError, UsageError
from pyorch.contract.events import event_words
from pyorch.features.streaming import open_stream
from pyorch.inference.cpu import native_engine
from pyorch.inference.model_check import check_model
from pyorch.market.clock import insert_timer_ticks
from pyorch.market.tape import Tape
from pyorch.trading.card_decisions import CardDecisions
from pyorch.trading.config import QuotingConfig
from pyorch.trading.native import batch_of, native_settings
from pyorch.trading.plan import QuotingPlan, make_plan
from pyorch.trading.records import JournalBatch, Refusal

POLL_S = 0.0005
"""How long Python sleeps when the rings are empty."""


@dataclass(frozen=True, slots=True)
class LoopSummary:
    """What a finished loop counted.

    Attributes:
        events: rows of the tape that were taken; ticks: of those, how many made a tick.
        duration_s: on the tick thread, first event to last byte.
        refusals: of the risk gate, by reason.
        surfaces_refused: rows of the tape's surface that would have made arbitrage.
        ring_waits: how often the reader was too slow for the replay.
        involuntary_switches: how often the tick thread lost its core.
    """

    events: int
    ticks: int
    duration_s: float
    refusals: dict[str, int]
    surfaces_refused: int
    ring_waits: int
    involuntary_switches: int

    @property
    def events_per_s(self) -> float:
        """Rows a second, all work counted."""
        return self.events / max(self.duration_s, 1e-9)


class TickLoop:
    """One run of a tape.

    Args:
        bundle: model and feature schema.
        config: what is quoted, and how.
        tape: the market; timer ticks are inserted where it has none. Journal rows index `tape` below.
        chain: an option chain whose surface is transplanted to the tape; see `make_plan`.
        plan: instead of the one made from configuration, bundle, tape and chain.
        passes: replays the tape so many times, each later than the one before (measurements).
        cpu: core that the tick thread is pinned to; None: not pinned.
        simd: kernels of the native engine.
        engine: instead of the native one: a card's client, or a pair (`pyorch.inference.failover.native`).
        decisions: a card that decides on the same events; the loop is its shadow in lockstep.
        caution: quotes widen where the engine's answer is late, unverified or inexact, as configured.

    Attributes:
        tape: what is replayed, timer ticks included.
        plan: universe, rules and terms, resolved.

    Raises:
        UsageError: the bundle has no feature schema, the tape too few instruments, a rule cannot be
            armed.
        BundleError, ModelError: the bundle is no model of the contract.
        DataError: the tape has no valid book.
    """

    def __init__(
        self,
        bundle: Bundle,
        config: QuotingConfig,
        tape: Tape,
        *,
        chain: Path | None = None,
        plan: QuotingPlan | None = None,
        passes: int = 1,
        cpu: int | None = None,
        simd: str = "auto",
        engine: _native.TickEngine | None = None,
        decisions: CardDecisions | None = None,
        caution: bool = False,
        guarded: bool = False,
    ) -> None:
        schema = bundle.schema
        if schema is None:
            raise UsageError(
                f"{bundle.spec.name}: the bundle has no feature schema, so a market cannot be its input; "
                "train one with `pyorch train`"
            )
        if bundle.spec.feature_schema != schema.digest() or len(schema.features) != (
            bundle.spec.features
        ):
            raise BundleError(
                f"{bundle.spec.name}: the feature schema is not the one that the model was trained on"
            )
        if schema.instruments > len(tape.instruments):
            raise UsageError(
                f"the features read {schema.instruments} instruments, the tape {tape.name} has "
                f"{len(tape.instruments)}: give a tape with the second instrument"
            )
        check_model(bundle)
        self.tape = insert_timer_ticks(tape)
        self.plan = plan if plan is not None else make_plan(config, bundle, self.tape, chain=chain)
        if caution:
            self.plan = self.plan.with_caution(config.caution)
        self._loop = _native.TickLoop(
            native_settings(self.plan),
            open_stream(schema),
            engine or _native.LstmTickEngine(native_engine(bundle, simd)),
            event_words(self.tape.events),
            passes,
            -1 if cpu is None else cpu,
            guarded,
            decisions.pair if decisions else None,
        )
        self._decisions = decisions

    def run(self, on_progress: Callable[[int], None] | None = None) -> Iterator[JournalBatch]:
        """Start the tick thread and hand over the journal as it comes.

        Args:
            on_progress: called with the row of the tape that the journal has reached.

        Raises:
            UsageError: the loop has run before.
        """
        try:
            self._loop.start()
        except RuntimeError as error:
            raise UsageError(f"{error}; make another TickLoop") from error
        try:
            while True:
                finished = self._loop.done
                batch = batch_of(*self._loop.drain())
                if self._decisions is not None:
                    self._decisions.drain()
                if len(batch.ticks):
                    if on_progress is not None:
                        on_progress(int(batch.ticks["row"][-1]))
                    yield batch
                elif finished:
                    if self._loop.engine_failed:
                        raise DeviceError(
                            "the engine did not answer a tick in time and the loop ended there; check the "
                            "card, or replay with the engine `cpu`"
                        )
                    break
                else:
                    time.sleep(POLL_S)
        finally:
            self._loop.abandon()
            self._loop.stop()
            self._loop.join()

    def run_unread(self) -> None:
        """Run to the end with nobody reading the journal: for measurements of the tick thread alone."""
        self._loop.abandon()
        self._loop.start()
        self._loop.join()

    def kill(self, up: bool = True) -> None:
        """Raise (or lower) the kill flag: at the next tick everything is withdrawn and nothing quoted."""
        self._loop.kill(up)

    def thread_counts(self) -> tuple[int, int] | None:
        """Allocations (and releases) and lock operations of the tick thread; None: not counted."""
        return (self._loop.allocations, self._loop.locks) if self._loop.counted else None

    def summary(self) -> LoopSummary:
        """The counters of a finished loop.

        Raises:
            UsageError: it has not finished.
        """
        if not self._loop.done:
            raise UsageError("the loop has not finished: read all of run() first")
        return LoopSummary(
            events=self._loop.events,
            ticks=self._loop.ticks,
            duration_s=self._loop.duration_ns / 1e9,
            refusals={
                refusal.name.lower(): count
                for refusal, count in zip(Refusal, self._loop.refusals, strict=True)
            },
            surfaces_refused=self._loop.surfaces_refused,
            ring_waits=self._loop.ring_waits,
            involuntary_switches=self._loop.involuntary_switches,
        )
