"""From a tick's scores to journal records and FIX bytes, in plain Python: what `quoting_path.hpp` equals."""

from __future__ import annotations

import math
from typing import Any

from pyorch.trading.fair_shift import PROBABILITY_ONE
from pyorch.trading.inputs import InputArray, InputKind, LimitName, make_input
from pyorch.trading.path_records import PathRecord, TickInput, batch_from
from pyorch.trading.plan import MINUTE_NS, QuotingPlan
from pyorch.trading.policy import Adjustment, Policy
from pyorch.trading.pricing import JOURNALLED, OptionValue, value_options
from pyorch.trading.quoting import Quoter, Sent
from pyorch.trading.records import Answer, JournalBatch, Refusal, TickFlag
from pyorch.trading.reference_value import ReferenceValues
from pyorch.trading.risk import Quote, RiskGate
from pyorch.trading.stated_answer import AnswerSource, StatedAnswer
from pyorch.trading.venue_session import Session

NO_SEQUENCE = 1 << 62
"""Of no message: an order's fill leaves the quotes as they are."""


class QuotingPathTwin:
    """Policy, pricing, quoting, risk and encoding of one run.

    Args:
        skip: False evaluates every option at every tick; the bytes are the same, since without a change
            or a waiting quote nothing would be sent.

    Attributes:
        killed: the kill flag; noted: what it and the engines do, as inputs.
    """

    def __init__(
        self, plan: QuotingPlan, skip: bool = True, answers: AnswerSource = AnswerSource.ENGINES
    ) -> None:
        self.plan = plan
        self._answers_from, self._answers = answers, StatedAnswer()
        self.skip = skip
        self.killed = False
        self.gate = RiskGate(plan.limits)
        self._surface = plan.surface()
        limits = plan.limits
        self._reference = ReferenceValues(
            plan.universe, plan.surface(), limits.reference_interval_ns, limits.reference_age_ns
        )
        self._policy = Policy(plan.rules, plan.fair_shift)
        puts = tuple(option.right == "put" for option in plan.universe.options)
        expiries = tuple(option.expiry for option in plan.universe.options)
        self.quoter = Quoter(plan.terms, puts, self.gate, plan.inventory, plan.rules, expiries)
        venues = len(self.quoter.down)
        self._sessions = [Session() for _ in range(venues)]
        self.noted: list[InputArray] = []
        self._await_venues()
        self._update_down()
        self._adjustment = Adjustment()
        self._values: list[OptionValue] = []
        self._priced: tuple[int, int, int] | None = None
        self._tick = self._since_reset = 0
        self._stopped = self._by_flag = self._paused = self._model_off = self._dirty = False
        self._full_of = [False, False]
        self._references: list[int | None] | None = None
        self._ticks: list[dict[str, Any]] = []
        self._quotes: list[tuple[Any, ...]] = []
        self._fix: list[bytes] = []

    def surface(self, atm_ppm: int, skew_ppm: int, local_ns: int) -> None:
        """Take in a SURFACE row."""
        self._surface.apply(atm_ppm, skew_ppm, local_ns, self._minutes(local_ns))

    def trade(self, price_ticks: int, local_ns: int) -> None:
        """Take in a TRADE row of instrument 0."""
        self._reference.trade(price_ticks, local_ns)

    @property
    def surfaces_refused(self) -> int:
        """SURFACE rows that would have made arbitrage."""
        return self._surface.refused

    def _minutes(self, local_ns: int) -> int:
        return (local_ns - self.plan.origin_ns) // MINUTE_NS

    @property
    def _full(self) -> bool:
        """The log or the rings can take no more."""
        return any(self._full_of)

    def _await_venues(self) -> None:
        """Until a venue says that it is up, nothing goes there but withdrawals."""
        for session in self._sessions:
            session.awaited = self.plan.limits.acknowledged

    def _watch_flag(self, row: int, local_ns: int) -> None:
        """The flag's first effect is an input, so that a log replays it at this row."""
        if self._stopped if self.killed else not (self._stopped and self._by_flag):
            return
        kind = InputKind.KILL if self.killed else InputKind.REARM
        self._note(make_input(kind, local_ns, row=row))
        self._by_flag = self.killed

    def _note(self, row: InputArray) -> None:
        self.noted.append(row)
        self.take(row[0])

    def _answer_of(self, given: TickInput) -> Answer:
        """Who answered: what the engines say, or what inputs have said."""
        if self._answers_from is AnswerSource.ENGINES:
            return given.answer
        if self._answers_from is AnswerSource.NOTED:
            for row in self._answers.inputs_of(given.answer, given.row, given.local_ns):
                self._note(row)
        return self._answers.use(given.answer.ns)

    def tick(self, given: TickInput) -> None:
        """Take in a tick."""
        self._watch_flag(given.row, given.local_ns)
        answer = self._answer_of(given)
        plan, gate, quoter = self.plan, self.gate, self.quoter
        record = self._start(given.row, given.local_ns, given.sequence)
        values = record.values
        values["forward_half_ticks"] = given.forward_half_ticks
        values["features"], values["logits"], values["scores"] = (
            given.features,
            given.logits,
            given.scores,
        )
        values["answered_by"], values["assurance"] = answer.by, answer.assurance
        values["late"], values["inexact"] = answer.late, answer.inexact
        values["answer_ns"] = answer.ns
        warm = self._since_reset >= plan.warm_up_ticks
        model_valid = all(0 <= given.scores[o] <= PROBABILITY_ONE for o in plan.probability_outputs)
        data_valid = given.data_valid and given.forward_half_ticks > 0
        stale = self._surface.stale(given.local_ns, plan.maximum_surface_age_ns)
        self._watch(record)
        session_down = all(quoter.down)
        frozen = gate.frozen(given.local_ns)
        flags = (
            TickFlag.BOOK_VALID * data_valid
            | TickFlag.MODEL_VALID * model_valid
            | TickFlag.WARM * warm
            | TickFlag.KILLED * self._stopped
            | TickFlag.SURFACE_STALE * stale
            | TickFlag.PAUSED * self._paused
            | TickFlag.FROZEN * frozen
            | TickFlag.MODEL_OFF * self._model_off
            | TickFlag.SESSION_DOWN * session_down
        )
        adjustment = Adjustment()
        if data_valid and model_valid and warm and not self._model_off:
            adjustment = self._policy.decide(given.scores, given.local_ns, answer.cautious)
        if not warm:
            cold = plan.cold_bp100
            adjustment = adjustment._replace(extra_down_bp100=cold, extra_up_bp100=cold)
        values |= {k: v for k, v in adjustment._asdict().items() if k != "limited"}
        refused = gate.admit(
            given.local_ns,
            self._stopped,
            self._paused,
            self._full,
            session_down,
            not data_valid,
            stale,
            not model_valid and not self._model_off,
            not warm and plan.cold_bp100 == 0,
        )
        if refused is not None:
            flags |= TickFlag.BLOCKED
            if quoter.live:
                self._cancel(record)
        else:
            key = (given.forward_half_ticks, values["minutes"], self._surface.version)
            moved = key != self._priced
            adjusted = adjustment[2:] != self._adjustment[2:]
            if moved:
                self._values = value_options(plan.universe, self._surface, key[0], key[1])
                self._priced = key
            if moved or adjusted:
                flags |= TickFlag.PRICED
            sent: list[Sent] = []
            reference, judged_anew = None, False
            if plan.limits.reference_interval_ns > 0:
                reference = self._reference.values_nano(given.local_ns, key[1], self._surface)
                judged_anew = reference != self._references
                self._references = reference
            changed = moved or adjusted or judged_anew or self._dirty
            if changed or quoter.pending or not self.skip:
                self._adjustment, self._dirty = adjustment, False
                expired = [
                    plan.universe.expiries_s[option.expiry] - 60 * key[1] <= 0
                    for option in plan.universe.options
                ]
                forward = key[0] * plan.universe.half_tick_usd
                quoter.next_sequence = [session.sequence + 1 for session in self._sessions]
                sent = quoter.update(
                    self._values, expired, adjustment, given.local_ns, forward, reference
                )
                values["refused"] = quoter.refused
            values["inventory_bp100"] = quoter.inventory_bp100
            if sent:
                flags |= TickFlag.QUOTED
                self._encode(record, sent)
            if quoter.pending:
                flags |= TickFlag.PENDING
            if values["refused"] > 0:
                flags |= TickFlag.BLOCKED
        values["flags"] |= int(flags)
        self._tick += 1
        self._since_reset += 1
        if not self._full:
            self._finish(record)

    def invalidate(self, row: int, local_ns: int, sequence: int) -> None:
        """The book became invalid: withdraw everything, forget dwell and warm-up."""
        if self.quoter.live:
            self._cancel_between(row, local_ns, sequence)
        self._policy.reset()
        self._since_reset = 0

    def take(self, given: Any) -> None:
        """Take in a row of `pyorch.trading.inputs.INPUT_DTYPE`."""
        kind, gate, quoter = InputKind(int(given["kind"])), self.gate, self.quoter
        local_ns, sequence, value = (int(given[k]) for k in ("local_ns", "sequence", "value"))
        venue, option, side, lots = (int(given[k]) for k in ("venue", "option", "side", "lots"))
        if kind >= InputKind.ENGINE:
            self._answers.take(kind, value)
            return
        self._dirty = True
        withdraw, only = False, None
        if kind in (InputKind.ACKNOWLEDGED, InputKind.CANCELLED, InputKind.PROTECTION):
            self._sessions[venue].heard(sequence, local_ns)
            if kind is InputKind.ACKNOWLEDGED:
                gate.exposures.taken_in(venue, sequence)
            else:
                gate.exposures.cancelled(venue, sequence)
            if kind is InputKind.PROTECTION:
                gate.freeze(local_ns)
                withdraw = True
        elif kind is InputKind.REJECTED:
            gate.exposures.rejected(option, sequence)
            quoter.rejected(option, sequence)
        elif kind is InputKind.FILLED:
            was = gate.frozen(local_ns)
            of = sequence if value == 0 else NO_SEQUENCE
            gate.filled(option, side, lots, of, local_ns)
            quoter.filled(option, side, lots, of)
            withdraw = gate.frozen(local_ns) and not was
        elif kind is InputKind.OWN_ORDER:
            gate.exposures.orders[option, side] = (int(given["price_ticks"]), lots)
        elif kind is InputKind.DISCONNECTED:
            self._sessions[venue].connected = False
            quoter.withdraw(venue)
        elif kind is InputKind.CONNECTED:
            # Messages that it has not taken in may still arrive: a withdrawal follows them.
            if sequence < self._sessions[venue].sequence:
                withdraw, only = True, venue
            self._sessions[venue].connect(sequence)
            gate.exposures.cancelled(venue, sequence)
            quoter.withdraw(venue)
        elif kind is InputKind.SEQUENCE:
            self._sessions[venue].sequence = max(self._sessions[venue].sequence, sequence)
        elif kind is InputKind.POSITION:
            gate.positions_lots[option] = value
        elif kind in (InputKind.KILL, InputKind.REARM):
            self._stopped = withdraw = kind is InputKind.KILL
            self._by_flag = False
            self._await_venues()
        elif kind in (InputKind.PAUSE, InputKind.RESUME):
            self._paused = withdraw = kind is InputKind.PAUSE
        elif kind in (InputKind.MODEL_OFF, InputKind.MODEL_ON):
            self._model_off = kind is InputKind.MODEL_OFF
        elif kind is InputKind.WIDEN:
            quoter.widen_bp100 = value
        elif kind is InputKind.SIZE_CAP:
            quoter.size_cap_lots = value
        elif kind is InputKind.LIMIT:
            gate.bounds[LimitName(option)] = value
        elif kind is InputKind.RESET_PROTECTION:
            gate.frozen_ns = -1
        elif kind in (InputKind.JOURNAL_FULL, InputKind.JOURNAL_READY):
            withdraw = kind is InputKind.JOURNAL_FULL
        full = kind is InputKind.JOURNAL_FULL
        if withdraw:
            self._cancel_between(int(given["row"]), local_ns, 0, full, only)
        if kind in (InputKind.JOURNAL_FULL, InputKind.JOURNAL_READY):
            self._full_of[value] = full
        self._update_down()

    def check_order(
        self, option: int, side: int, price_ticks: int, lots: int, local_ns: int
    ) -> Refusal | None:
        """Why an order of ours beside the quotes may not go out."""
        gate = self.gate
        for refusal, holds in (
            (Refusal.KILLED, self._stopped or self.killed),
            (Refusal.PAUSED, self._paused),
            (Refusal.JOURNAL_FULL, self._full),
            (Refusal.SESSION_DOWN, self.quoter.down[self.quoter.venues[option]]),
            (Refusal.PROTECTED, gate.frozen(local_ns)),
            (Refusal.INVALID_DATA, self._priced is None),
        ):
            if holds:
                return refusal
        around = self._references
        reference = math.floor(self._values[option].value_btc * 1e9)
        order = Quote(price_ticks, 0, lots, 0) if side == 0 else Quote(0, price_ticks, 0, lots)
        tick_nano = self.plan.terms.tick_nano
        if gate.outside(order, reference if around is None else around[option], tick_nano):
            return Refusal.PRICE_COLLAR
        shown = self.quoter.shown(option)
        if (side == 0 and shown.ask_lots > 0 and price_ticks >= shown.ask_ticks) or (
            side == 1 and shown.bid_lots > 0 and price_ticks <= shown.bid_ticks
        ):
            return Refusal.SELF_CROSS
        return gate.check_order(option, side, lots)

    def _update_down(self) -> None:
        self.quoter.down = [session.down for session in self._sessions]

    def _watch(self, record: PathRecord) -> None:
        """A venue that has been silent about our messages for too long counts as down."""
        patience = self.plan.limits.acknowledge_ns
        local_ns = record.values["local_ns"]
        for venue, session in enumerate(self._sessions):
            if not self.plan.limits.acknowledged or patience == 0 or session.late or self._full:
                continue
            if session.waiting_ns > 0 and local_ns - session.waiting_ns > patience:
                session.late = True
                self._cancel(record, venue)
        self._update_down()

    def drain(self) -> JournalBatch:
        """Everything recorded since the last call."""
        batch = batch_from(self._ticks, self._quotes, self._fix)
        self._ticks, self._quotes, self._fix = [], [], []
        return batch

    def _start(self, row: int, local_ns: int, sequence: int) -> PathRecord:
        return PathRecord(
            {
                "tick": self._tick,
                "row": row,
                "local_ns": local_ns,
                "sequence": sequence,
                "minutes": self._minutes(local_ns),
                "flags": 0,
                "surface": self._surface.version,
                "atm_volatility_ppm": self._surface.atm_ppm,
                "skew_ppm": self._surface.skew_ppm,
                "base_half_spread_bp100": self.plan.base_half_spread_bp100,
                "size_down_percent": 100,
                "size_up_percent": 100,
                "refused": 0,
            }
        )

    def _cancel_between(
        self, row: int, local_ns: int, sequence: int, full: bool = False, only: int | None = None
    ) -> None:
        if self._full:  # nothing is live, and nothing more can be recorded
            return
        record = self._start(row, local_ns, sequence)
        self._cancel(record, only)
        record.values["flags"] |= int(TickFlag.JOURNAL_FULL) * full
        if record.messages:
            self._finish(record)

    def _cancel(self, record: PathRecord, only: int | None = None) -> None:
        """Withdraw everything (at one venue), where a session is up."""
        local_ns = record.values["local_ns"]
        for venue, session in enumerate(self._sessions):
            if not session.connected or only not in (None, venue):
                continue
            session.sent(1, local_ns)
            codec = self.plan.codec_of(venue)
            record.messages.append(codec.cancel_all(session.sequence, local_ns))
            record.values["flags"] |= int(TickFlag.CANCELLED)
        self.quoter.withdraw(only)
        self._priced = None
        self._adjustment = Adjustment()

    def _encode(self, record: PathRecord, sent: list[Sent]) -> None:
        local_ns = record.values["local_ns"]
        record.values["quotes"] = len(sent)
        for option, reason, quote in sent:
            values = self._values[option][:JOURNALLED]
            self._quotes.append((self._tick, local_ns, option, int(reason), *quote, *values))
        for venue, session in enumerate(self._sessions):
            there = [one for one in sent if self.quoter.venues[one.option] == venue]
            codec = self.plan.codec_of(venue)
            messages = codec.mass_quotes(session.sequence + 1, local_ns, there)
            if messages:
                session.sent(len(messages), local_ns)
            record.messages += messages

    def _finish(self, record: PathRecord) -> None:
        record.values["fix_bytes"] = sum(map(len, record.messages))
        record.values["fix_messages"] = len(record.messages)
        self._ticks.append(record.values)
        self._fix += record.messages
