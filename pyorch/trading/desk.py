"""A desk: market, model and quotes on one side, an exchange that answers on the other, the log between them.

`Desk.run` lets the native steps take the market up to the next thing that happens at the exchange or the
first message. A message goes into the log, then out; reports come back as inputs in between two rows of
the market. Time is the market's: the same seeds give the same run, and a log gives the same messages again
(`pyorch.trading.log_replay`).
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, Protocol

import numpy as np

from pyorch import _native
from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import DeviceError, UsageError
from pyorch.contract.events import event_words
from pyorch.features.streaming import open_stream
from pyorch.inference.cpu import native_engine
from pyorch.market.tape import Tape
from pyorch.trading.controls import KillSwitch, Order
from pyorch.trading.exchange.settings import Latency
from pyorch.trading.fix.decode import split_messages
from pyorch.trading.inputs import INPUT_DTYPE, InputArray, InputKind, make_input
from pyorch.trading.log import END, STRETCH, TEXT, LogWriter, Stretch
from pyorch.trading.native import batch_of, input_words, native_settings
from pyorch.trading.plan import QuotingPlan
from pyorch.trading.records import JournalBatch

NEVER = 1 << 62
BLOCK_ROWS = 1024
"""Rows of the market after which a block is written without a message."""
PROPOSAL_NS = 1_000_000_000


class Counterparty(Protocol):
    """What a desk needs of an exchange: `pyorch.trading.exchange.market.Exchange`, or one far away."""

    def submit(self, message: bytes, sent_ns: int) -> None:
        """A message of ours leaves."""

    def next_ns(self) -> int:
        """When something happens next."""

    def advance(self, until_ns: int) -> InputArray:
        """Let time pass; the reports that arrived."""

    def kill(self, now_ns: int) -> int:
        """The second route."""

    def rearm(self, now_ns: int) -> None:
        """Sessions begin anew."""

    def reset_protection(self) -> None:
        """Quotes are taken again."""


@dataclass(frozen=True, slots=True)
class DeskSettings:
    """How a desk runs.

    Attributes:
        decision: from a row's arrival to its messages' departure, beside the wire.
        durable: a message waits until the log is on the disk, not only with the operating system.
        log_patience_s: quoting stops when the log takes longer.
        hedge_delta_btc: a portfolio delta beyond it makes a hedge proposal, at most one a second; it is
            written into the log and never sent.
        seed: draws decision latencies.
    """

    decision: Latency = Latency(p50_us=10.0, p99_us=60.0)
    durable: bool = False
    log_patience_s: float = 5.0
    hedge_delta_btc: float = 1e9
    seed: int = 1


@dataclass
class DeskResult:
    """What a run counted."""

    ticks: int = 0
    messages: int = 0
    refusals: dict[str, int] = field(default_factory=dict)
    positions_lots: list[int] = field(default_factory=list)
    proposals: list[dict[str, Any]] = field(default_factory=list)
    inputs: dict[str, int] = field(default_factory=dict)


class Desk:
    """One run.

    Args:
        tape: with its timer ticks.
        plan: with ``acknowledged`` limits; orders: (seconds after the first row, order), scheduled.
        sequences: of the last message at each venue, for a desk that goes on after a crash.

    Attributes:
        switch: the kill switch; now_ns: local time of the run.
    """

    def __init__(
        self,
        bundle: Bundle,
        plan: QuotingPlan,
        tape: Tape,
        exchange: Counterparty,
        log: LogWriter,
        settings: DeskSettings,
        orders: tuple[tuple[float, Order], ...] = (),
        *,
        lot_btc: float = 0.1,
    ) -> None:
        assert bundle.schema is not None
        if not plan.limits.acknowledged:
            raise UsageError("a desk needs a plan whose venues answer (acknowledged=True)")
        self.plan, self.settings, self.exchange, self.log = plan, settings, exchange, log
        self._events = tape.events
        native = native_settings(plan)
        native.stop_when_full = True
        self.steps = _native.DeskSteps(
            native,
            open_stream(bundle.schema),
            _native.LstmTickEngine(native_engine(bundle, "auto")),
            event_words(tape.events),
        )
        self._first_ns = int(tape.events["local_ns"][0])
        self.now_ns = self._first_ns
        self._orders = deque(
            sorted(((self._first_ns + round(at * 1e9), o) for at, o in orders), key=lambda x: x[0])
        )
        self._asked: deque[Order] = deque()
        self._lock = threading.Lock()
        self._random = Random(settings.seed)
        self._logged_row = 0
        self._inputs: list[InputArray] = []
        self._batches: list[JournalBatch] = []
        self._waiting: deque[tuple[int, list[bytes], int]] = deque()
        self._texts = 0
        self._stalled = False
        self._reset_ns = NEVER
        self._lot_btc = lot_btc
        self._proposed_ns = 0
        self.result = DeskResult()
        self.switch = KillSwitch(self._take_second_route, lambda: self.steps.kill(True))

    def order(self, order: Order) -> None:
        """An operator's order, from any thread; it acts before the next row."""
        if order.kind is InputKind.KILL:
            self.switch.pull()
        self._asked.append(order)

    def run(self, on_progress: Callable[[float], None] | None = None) -> DeskResult:
        """Take the whole tape; the log is ended and closed.

        Raises:
            DeviceError: the engine did not answer.
            EnvironmentMissingError: the log cannot be written.
        """
        try:
            while not self.steps.done:
                self.step()
                if on_progress is not None:
                    on_progress(self.steps.row / len(self._events))
            self._write()
            self._send_written(wait=True)
            self.log.append(END, b"{}")
        finally:
            self.switch.close()
        self.log.close()
        result = self.result
        result.ticks = self.steps.ticks
        result.positions_lots = list(self.steps.positions_lots)
        return result

    def step(self) -> None:
        """Up to the next message, report or order."""
        self._take_orders()
        with self._lock:
            if self.now_ns >= self._reset_ns:
                self.exchange.reset_protection()
                self._reset_ns = NEVER
            due = min(self.exchange.next_ns(), self._reset_ns)
        if self._orders:
            due = min(due, self._orders[0][0])
        self.steps.advance(due, self._logged_row + BLOCK_ROWS)
        if self.steps.engine_failed:
            raise DeviceError("the engine did not answer a tick; the run ended there")
        row = self.steps.row
        if row:
            self.now_ns = max(self.now_ns, int(self._events["local_ns"][row - 1]))
        stops = np.frombuffer(self.steps.take_stops(), INPUT_DTYPE)
        if len(stops):
            self._inputs.append(stops)
        if self._collect():
            return
        reached = self.steps.done or int(self._events["local_ns"][row]) >= due
        if row >= self._logged_row + BLOCK_ROWS and not self._stalled:
            self._write()
        if reached and due < NEVER:
            self._let_happen(due)
        self._propose_hedge()
        self._send_written()

    def _let_happen(self, due_ns: int) -> None:
        with self._lock:
            reports = self.exchange.advance(due_ns)
        self.now_ns = max(self.now_ns, due_ns)
        for at in range(len(reports)):
            self._take(reports[at : at + 1].copy())

    def _take(self, row: InputArray) -> None:
        row["row"] = self.steps.row
        name = InputKind(int(row["kind"][0])).name.lower()
        self.result.inputs[name] = self.result.inputs.get(name, 0) + 1
        self.steps.take(input_words(row))
        self._inputs.append(row)
        after = self.plan.limits.protection.reset_after_ns
        if row["kind"][0] == InputKind.PROTECTION and after > 0:
            # Ours ends by itself then; the venue's is asked to.
            self._reset_ns = self.now_ns + after
        self._collect()

    def _take_orders(self) -> None:
        while self._orders and self._orders[0][0] <= self.now_ns:
            self.order(self._orders.popleft()[1])
        while self._asked:
            order = self._asked.popleft()
            self._text(order.to_json() | {"local_ns": self.now_ns})
            if order.kind is InputKind.REARM:
                self.switch.done.wait(5.0)
                self.switch.rearm(order)
                with self._lock:
                    self.exchange.rearm(self.now_ns)
                self.steps.kill(False)
            if order.kind is InputKind.RESET_PROTECTION:
                with self._lock:
                    self.exchange.reset_protection()
            if order.kind is InputKind.KILL:
                self.switch.done.wait(5.0)
            self._take(order.to_input(self.now_ns, self.steps.row, self._texts))

    def _take_second_route(self) -> None:
        with self._lock:
            self.exchange.kill(self.now_ns)

    def _text(self, fields: dict[str, Any]) -> None:
        import json

        self.log.append(TEXT, json.dumps(fields, sort_keys=True).encode())
        self._texts += 1

    def _collect(self) -> bool:
        """Take what the steps recorded; with a message among it, write and send. Whether there was one."""
        if self._stalled or self.log.full:
            self._stall()
            return False
        batch = batch_of(*self.steps.drain())
        if len(batch.ticks):
            self._batches.append(batch)
        if not batch.fix:
            return False
        number = self._write()
        delay_ns = self.settings.decision.draw_ns(self._random)
        messages = split_messages(batch.fix)
        self._waiting.append((number, messages, self.now_ns + delay_ns))
        if not self.log.wait(number, self.settings.durable, self.settings.log_patience_s):
            self._stall()
        self._send_written()
        return True

    def _stall(self) -> None:
        """The log is too slow: stop quoting; go on when it has caught up."""
        if not self._stalled:
            self._stalled = True
            row = make_input(InputKind.JOURNAL_FULL, self.now_ns, row=self.steps.row)
        elif self._waiting and not self.log.wait(self._waiting[0][0], self.settings.durable, 0.0):
            return
        else:
            self._stalled = False
            row = make_input(InputKind.JOURNAL_READY, self.now_ns, row=self.steps.row)
        self.steps.take(input_words(row))
        self._inputs.append(row)
        name = InputKind(int(row["kind"][0])).name.lower()
        self.result.inputs[name] = self.result.inputs.get(name, 0) + 1

    def _write(self) -> int:
        row = self.steps.row
        inputs = np.concatenate(self._inputs) if self._inputs else np.zeros(0, INPUT_DTYPE)
        batch = JournalBatch.join(self._batches)
        events = self._events[self._logged_row : row]
        number = self.log.append(
            STRETCH, Stretch(self._logged_row, events, inputs, batch).to_bytes()
        )
        self._logged_row, self._inputs, self._batches = row, [], []
        return number

    def _send_written(self, wait: bool = False) -> None:
        """Send what the log holds; ``wait`` for the rest."""
        while self._waiting:
            number, messages, sent_ns = self._waiting[0]
            if not self.log.wait(number, self.settings.durable, None if wait else 0.0):
                return
            self._waiting.popleft()
            self.result.messages += len(messages)
            with self._lock:
                for message in messages:
                    self.exchange.submit(message, max(sent_ns, self.now_ns))

    def _propose_hedge(self) -> None:
        if self.now_ns - self._proposed_ns < PROPOSAL_NS:
            return
        self._proposed_ns = self.now_ns
        pairs = zip(self.steps.positions_lots, self.steps.deltas_ppm, strict=True)
        delta_btc = sum(p * d for p, d in pairs) * 1e-6 * self._lot_btc
        if abs(delta_btc) > self.settings.hedge_delta_btc:
            proposal = {
                "proposal": "sell underlying" if delta_btc > 0 else "buy underlying",
                "btc": round(abs(delta_btc), 4),
                "portfolio_delta_btc": round(delta_btc, 4),
                "local_ns": self.now_ns,
            }
            self._text(proposal)
            self.result.proposals.append(proposal)
