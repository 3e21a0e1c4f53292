"""A desk: market, model and quotes on one side, an exchange that answers on the other, the log between them.

`Desk.run` lets the native steps take the market up to the next thing that happens at the exchange or the
first message. A message goes into the log, then out; reports come back as inputs in between two rows of
the market. Time is the market's: the same seeds give the same run, and a log gives the same messages again
(`pyorch.trading.log_replay`). The kill switch shares no lock with the steps: it works while they hang.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pyorch import _native
from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import DeviceError, PyorchError, UsageError
from pyorch.contract.events import event_words
from pyorch.features.streaming import open_stream
from pyorch.inference.cpu import native_engine
from pyorch.trading.controls import KillSwitch, Order
from pyorch.trading.desk_activity import Activity
from pyorch.trading.desk_hands import Lent
from pyorch.trading.desk_observer import Observation, Observer
from pyorch.trading.desk_settings import NEVER, Counterparty, DeskResult, DeskSettings, Market
from pyorch.trading.fix.decode import split_messages
from pyorch.trading.inputs import INPUT_DTYPE, InputArray, InputKind, make_input
from pyorch.trading.log import END, STRETCH, TEXT, LogWriter, Stretch
from pyorch.trading.native import batch_of, input_words, native_settings, order_templates
from pyorch.trading.outbox import Outbox
from pyorch.trading.plan import QuotingPlan
from pyorch.trading.records import JournalBatch
from pyorch.trading.recovery import Recovery
from pyorch.trading.stated_answer import AnswerSource

BLOCK_ROWS = 1024
"""Rows of the market after which a block is written without a message."""
PROPOSAL_NS = 1_000_000_000
SCHEDULED = "scheduled"
"""In the text of an order that the run began with: a desk that goes on counts them."""
SECOND_ROUTE_S = 5.0
"""How long a kill waits for its second route before it says that it may have failed."""


class Desk(Lent):
    """One run.

    Args:
        tape: with its timer ticks.
        plan: with ``acknowledged`` limits; orders: (seconds after ``first_ns``, order), scheduled.
        first_ns: when the market began; None: with the first row.
        activities: what works beside the quotes (`pyorch.trading.desk_activity`).
        engine: answers the ticks; None: the native engine. Who answers, and what is late, is in the log.
        recovery: of the desk that this one goes on after, by `pyorch.trading.recovery.recover`.

    Attributes:
        switch: the kill switch; now_ns: local time of the run.
        observer: is shown what goes into the log, as it goes.
        activities: as given.
    """

    def __init__(
        self,
        bundle: Bundle,
        plan: QuotingPlan,
        tape: Market,
        exchange: Counterparty,
        log: LogWriter,
        settings: DeskSettings,
        orders: Sequence[tuple[float, Order]] = (),
        *,
        first_ns: int | None = None,
        lot_btc: float = 0.1,
        recovery: Recovery | None = None,
        activities: tuple[Activity, ...] = (),
        engine: _native.TickEngine | None = None,
    ) -> None:
        assert bundle.schema is not None
        if not plan.limits.acknowledged:
            raise UsageError("a desk needs a plan whose venues answer (acknowledged=True)")
        self.plan, self.settings, self.exchange, self.log = plan, settings, exchange, log
        self._events = tape.events
        native = native_settings(plan, AnswerSource.NOTED)
        native.stop_when_full = True
        self.steps = _native.DeskSteps(
            native,
            open_stream(bundle.schema),
            engine or _native.LstmTickEngine(native_engine(bundle, "auto")),
            event_words(tape.events),
        )
        venues = range(max(1, len(plan.targets)))
        self.templates = [order_templates(plan.codec_of(venue)) for venue in venues]
        self.now_ns = int(tape.events["local_ns"][0])
        begun_ns = self.now_ns if first_ns is None else first_ns
        self._orders = deque(
            sorted(((begun_ns + round(at * 1e9), o) for at, o in orders), key=lambda x: x[0])
        )
        self._asked: deque[tuple[Order, int, bool]] = deque()
        self._recovery = recovery
        self._logged_row = 0
        self._inputs: list[InputArray] = []
        self._batches: list[JournalBatch] = []
        self._outbox = Outbox(
            log, lambda message, at_ns: self.exchange.submit(message, at_ns), settings
        )
        self._texts = 0
        self.observer: Observer | None = None
        self._said: list[dict[str, Any]] = []
        self._stalled = False
        self._reset_ns = NEVER
        self.lot_btc = lot_btc
        self.last_tick: Any = None
        self.activities = activities
        self._proposed_ns = 0
        self.result = DeskResult()
        self.switch = KillSwitch(
            lambda: self.exchange.kill(self.now_ns), lambda: self.steps.kill(True)
        )

    def order(self, order: Order, scheduled: bool = False) -> None:
        """An operator's order, from any thread; it acts before the next row, a kill at once.

        Args:
            scheduled: it is one of those that the run began with; the log says so (`SCHEDULED`).
        """
        if order.kind is InputKind.KILL:
            self.switch.pull()
        self._asked.append((order, self.switch.pulls, scheduled))

    def run(self, on_progress: Callable[[float], None] | None = None) -> DeskResult:
        """Take the whole tape; the log is ended and closed.

        Whatever is raised, the second route has withdrawn everything before, or a note says that it has not.

        Raises:
            DeviceError: the engine did not answer.
            EnvironmentMissingError: the log cannot be written.
        """
        try:
            self._begin()
            while self._goes_on():
                self.step()
                if on_progress is not None:
                    on_progress(self.steps.row / len(self._events))
            self._collect()
            self._write()
            self._send_written(wait=True)
            self.log.append(END, b"{}")
            self.log.close()
        except BaseException as error:
            self._give_up(error)
            raise
        finally:
            self.switch.close()
            self._show(JournalBatch.join([]), np.zeros(0, INPUT_DTYPE), ended=True)
        result = self.result
        result.ticks = self.steps.ticks
        result.positions_lots = list(self.steps.positions_lots)
        return result

    def _goes_on(self) -> bool:
        return not self.steps.done

    def _begin(self) -> None:
        if self._recovery is not None:
            for venue, sequence in enumerate(self._recovery.sequences):
                self._note(InputKind.SEQUENCE, venue=venue, sequence=sequence)
            for option, lots in enumerate(self._recovery.positions_lots):
                if lots != self.plan.limits.positions_lots[option]:
                    self._note(InputKind.POSITION, option=option, value=lots)
            self._carry_over(self._recovery)
        self.exchange.logon(self.now_ns)

    def _carry_over(self, before: Recovery) -> None:
        """What was ordered of the desk before this one stays in force; down is down."""
        kinds = [InputKind(kind).name for kind in before.orders["kind"].tolist()]
        if before.killed:
            kinds.append(InputKind.KILL.name)
        if kinds:
            self.say({"carried_over": kinds, "local_ns": self.now_ns})
        for row in before.orders:
            kind = InputKind(int(row["kind"]))
            sequence = before.sequences[0] if kind is InputKind.PROTECTION else 0
            option, value = int(row["option"]), int(row["value"])
            self._note(kind, option=option, value=value, sequence=sequence)
            if kind is InputKind.PROTECTION:
                self._reset_later()
        if before.killed:
            self._note(InputKind.KILL)
            self.switch.pull()
            self._await_switch()

    def _give_up(self, error: BaseException) -> None:
        """Nothing may stay live when a run ends in the middle."""
        self.switch.pull()
        try:
            self._await_switch(error)
            self.say({"ended_by": f"{type(error).__name__}: {error}", "local_ns": self.now_ns})
            self.log.close(SECOND_ROUTE_S)
        except PyorchError as second:
            error.add_note(str(second))

    def step(self) -> None:
        """Up to the next message, report or order."""
        self._take_orders()
        self._reset_protection()
        due = min(self.exchange.next_ns(), self._reset_ns)
        if self._orders:
            due = min(due, self._orders[0][0])
        due = min([due, *(activity.due_ns() for activity in self.activities)])
        if self._advance(due, self.steps.row + BLOCK_ROWS):
            return
        row = self.steps.row
        reached = self.steps.done or int(self._events["local_ns"][row]) >= due
        if row >= self._logged_row + BLOCK_ROWS and not self._stalled:
            self._write()
        if reached and due < NEVER:
            self._let_happen(due)
        self._act()
        self._propose_hedge()
        self._send_written()
        self._catch_up()

    def _act(self) -> None:
        for activity in self.activities:
            if activity.due_ns() <= self.now_ns:
                activity.act(self)

    def _advance(self, until_ns: int, until_row: int) -> bool:
        """Rows of the market, up to the first message; whether there was one, written and sent."""
        self.steps.advance(until_ns, until_row)
        if self.steps.engine_failed:
            raise DeviceError("the engine did not answer a tick; the run ended there")
        row = self.steps.row
        if row:
            self.now_ns = max(self.now_ns, int(self._events["local_ns"][row - 1]))
        noted = np.frombuffer(self.steps.take_noted(), INPUT_DTYPE)
        if len(noted):
            self._inputs.append(noted)
            for kind in noted["kind"].tolist():
                self._count(InputKind(kind))
        return self._collect()

    def _reset_protection(self) -> None:
        if self.now_ns >= self._reset_ns:
            self.exchange.reset_protection()
            self._reset_ns = NEVER

    def _catch_up(self) -> None:
        """Quoting begins again when the log has caught up."""
        if self._stalled and not self._outbox and not self.log.full:
            self._stalled = False
            self._note(InputKind.JOURNAL_READY)

    def _let_happen(self, due_ns: int) -> None:
        reports = self.exchange.advance(due_ns)
        self.now_ns = max(self.now_ns, due_ns)
        for at in range(len(reports)):
            self._take(reports[at : at + 1].copy())

    def _count(self, kind: InputKind) -> None:
        name = kind.name.lower()
        self.result.inputs[name] = self.result.inputs.get(name, 0) + 1

    def _note(self, kind: InputKind, **fields: int) -> None:
        """An input of the desk's own, without looking at what the path makes of it."""
        row = make_input(kind, self.now_ns, row=self.steps.row, **fields)
        self.steps.take(input_words(row))
        self._inputs.append(row)
        self._count(kind)

    def _take(self, row: InputArray) -> None:
        row["row"] = self.steps.row
        self._count(InputKind(int(row["kind"][0])))
        self.steps.take(input_words(row))
        self._inputs.append(row)
        if row["kind"][0] == InputKind.PROTECTION:
            self._reset_later()
        self._collect()
        for activity in self.activities:
            activity.hear(row, self)

    def _reset_later(self) -> None:
        """Where protection ends by a stated policy: ours does by itself then, the venue's is asked to."""
        after = self.plan.limits.protection.reset_after_ns
        if after > 0:
            self._reset_ns = self.now_ns + after

    def _take_orders(self) -> None:
        while self._orders and self._orders[0][0] <= self.now_ns:
            self.order(self._orders.popleft()[1], scheduled=True)
        asked = bool(self._asked)
        while self._asked:
            order, pull, scheduled = self._asked.popleft()
            mark = {SCHEDULED: True} if scheduled else {}
            self.say(order.to_json() | mark | {"local_ns": self.now_ns})
            if order.kind is InputKind.REARM:
                self._await_switch()
                try:
                    self.switch.rearm(
                        order,
                        lambda: self.exchange.rearm(self.now_ns),
                        lambda: self.steps.kill(False),
                        pull,
                    )
                except UsageError as error:
                    self.say({"refused": str(error), "local_ns": self.now_ns})
                    self.result.refused_orders.append(str(error))
                    continue
            if order.kind is InputKind.RESET_PROTECTION:
                self.exchange.reset_protection()
            if order.kind is InputKind.KILL:
                self._await_switch()
            self._take(order.to_input(self.now_ns, self.steps.row, self._texts))
        if asked:  # who ordered it and that it acts are on the disk together
            self._write()

    def _await_switch(self, error: BaseException | None = None) -> None:
        """Until the second route was taken; one that was not goes into the log, and into ``error``."""
        if not self.switch.wait(SECOND_ROUTE_S):
            said = f"the second route has not answered within {SECOND_ROUTE_S:g} s"
        elif self.switch.error is not None:
            said = f"the second route failed ({self.switch.error})"
        else:
            return
        said += ": quotes may be live, cancel them at the venues"
        if error is not None:
            error.add_note(said)
        self.say({"kill_switch": said, "local_ns": self.now_ns})

    def say(self, fields: dict[str, Any]) -> None:
        """Into the log, as a text."""
        self.log.append(TEXT, json.dumps(fields, sort_keys=True).encode())
        self._texts += 1
        if self.observer is not None:
            self._said.append(fields)

    def _collect(self) -> bool:
        """Take what the steps recorded; with a message among it, write and send. Whether there was one."""
        if self.log.full:
            self._stall()
        number = self._drain()
        if number == 0:
            return False
        self._send(number)
        return True

    def _send(self, number: int) -> None:
        """Send what waits for a block; the log's patience decides, not when its thread gets to work."""
        patience_s = self.settings.log_patience_s
        if not self._stalled and not self.log.wait(number, self.settings.durable, patience_s):
            self._stall()
        self._send_written()

    def _drain(self) -> int:
        """The rings' content; messages are written and wait for the log. The block's number, or 0."""
        batch = batch_of(*self.steps.drain())
        if len(batch.ticks):
            self._batches.append(batch)
            self.last_tick = batch.ticks[-1]
        return self._queue(split_messages(batch.fix)) if batch.fix else 0

    def _queue(self, messages: list[bytes]) -> int:
        """Messages wait for the block that they are in; its number."""
        number = self._write()
        self._outbox.put(number, messages, self.now_ns)
        return number

    def _stall(self) -> None:
        """The log is too slow: withdraw by the second route, send nothing that waits but a withdrawal."""
        if self._stalled:
            return
        self._stalled = True
        self.exchange.withdraw(self.now_ns)
        self._drain()
        unsent = self._outbox.forget()
        self.result.unsent += unsent
        self.say({"log_too_slow": f"{unsent} messages are not sent", "local_ns": self.now_ns})
        self._note(InputKind.JOURNAL_FULL)
        self._drain()

    def _write(self) -> int:
        row = self.steps.row
        inputs = np.concatenate(self._inputs) if self._inputs else np.zeros(0, INPUT_DTYPE)
        batch = JournalBatch.join(self._batches)
        events = self._events[self._logged_row : row]
        number = self.log.append(
            STRETCH, Stretch(self._logged_row, events, inputs, batch).to_bytes()
        )
        self._logged_row, self._inputs, self._batches = row, [], []
        self._show(batch, inputs)
        return number

    def _show(self, batch: JournalBatch, inputs: InputArray, ended: bool = False) -> None:
        if self.observer is None:
            return
        steps = self.steps
        self.observer(
            Observation(
                self.now_ns, batch, inputs, tuple(self._said), tuple(steps.positions_lots),
                tuple(steps.deltas_ppm), tuple(steps.refusals), self.result.unsent, self.switch.down,
                self._stalled, ended,
            )
        )  # fmt: skip
        self._said = []

    def _send_written(self, wait: bool = False) -> None:
        self.result.messages += self._outbox.send(self.now_ns, wait)

    def _propose_hedge(self) -> None:
        if self.now_ns - self._proposed_ns < PROPOSAL_NS:
            return
        self._proposed_ns = self.now_ns
        pairs = zip(self.steps.positions_lots, self.steps.deltas_ppm, strict=True)
        delta_btc = sum(p * d for p, d in pairs) * 1e-6 * self.lot_btc
        if abs(delta_btc) > self.settings.hedge_delta_btc:
            proposal = {
                "proposal": "sell underlying" if delta_btc > 0 else "buy underlying",
                "btc": round(abs(delta_btc), 4),
                "portfolio_delta_btc": round(delta_btc, 4),
                "local_ns": self.now_ns,
            }
            self.say(proposal)
            self.result.proposals.append(proposal)
