"""From a tick's scores to journal records and FIX bytes, in plain Python: what `quoting_path.hpp` equals."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pyorch.contract.fixed import IntArray
from pyorch.trading.fair_shift import PROBABILITY_ONE
from pyorch.trading.plan import MINUTE_NS, QuotingPlan
from pyorch.trading.policy import Adjustment, Policy
from pyorch.trading.pricing import JOURNALLED, OptionValue, value_options
from pyorch.trading.quoting import Quoter, Sent
from pyorch.trading.records import QUOTE_DTYPE, TICK_DTYPE, JournalBatch, TickFlag
from pyorch.trading.risk import RiskGate


@dataclass(frozen=True, slots=True)
class TickInput:
    """What the stages before hand over.

    Attributes:
        row, local_ns, sequence: of the tape's row that made the tick.
        forward_half_ticks: best bid + best ask of instrument 0.
        features: [F] int32; logits, scores: [O] int64.
        data_valid: the book is valid and has both sides.
    """

    row: int
    local_ns: int
    sequence: int
    forward_half_ticks: int
    features: IntArray
    logits: IntArray
    scores: IntArray
    data_valid: bool = True


@dataclass(slots=True)
class _Record:
    """Fields of a tick record that are not 0."""

    values: dict[str, Any]
    messages: list[bytes] = field(default_factory=list)


class QuotingPathTwin:
    """Policy, pricing, quoting, risk and encoding of one run.

    Args:
        skip: False evaluates every option at every tick; the bytes are the same, since without a change
            or a waiting quote nothing would be sent.
    """

    def __init__(self, plan: QuotingPlan, skip: bool = True) -> None:
        self.plan = plan
        self.skip = skip
        self.killed = False
        self.gate = RiskGate(plan.limits)
        self._surface = plan.surface()
        self._policy = Policy(plan.rules, plan.fair_shift)
        puts = tuple(option.right == "put" for option in plan.universe.options)
        expiries = tuple(option.expiry for option in plan.universe.options)
        self._quoter = Quoter(plan.terms, puts, self.gate, plan.inventory, plan.rules, expiries)
        self._adjustment = Adjustment()
        self._values: list[OptionValue] = []
        self._priced: tuple[int, int, int] | None = None
        self._tick = self._since_reset = self._sequence = 0
        self._ticks: list[dict[str, Any]] = []
        self._quotes: list[tuple[Any, ...]] = []
        self._fix: list[bytes] = []

    def surface(self, atm_ppm: int, skew_ppm: int, local_ns: int) -> None:
        """Take in a SURFACE row."""
        self._surface.apply(atm_ppm, skew_ppm, local_ns, self._minutes(local_ns))

    @property
    def surfaces_refused(self) -> int:
        """SURFACE rows that would have made arbitrage."""
        return self._surface.refused

    def _minutes(self, local_ns: int) -> int:
        return (local_ns - self.plan.origin_ns) // MINUTE_NS

    def tick(self, given: TickInput) -> None:
        """Take in a tick."""
        plan, gate, quoter = self.plan, self.gate, self._quoter
        record = self._start(given.row, given.local_ns, given.sequence)
        values = record.values
        values["forward_half_ticks"] = given.forward_half_ticks
        values["features"], values["logits"], values["scores"] = (
            given.features,
            given.logits,
            given.scores,
        )
        warm = self._since_reset >= plan.warm_up_ticks
        model_valid = all(0 <= given.scores[o] <= PROBABILITY_ONE for o in plan.probability_outputs)
        data_valid = given.data_valid and given.forward_half_ticks > 0
        stale = self._surface.stale(given.local_ns, plan.maximum_surface_age_ns)
        flags = (
            TickFlag.BOOK_VALID * data_valid
            | TickFlag.MODEL_VALID * model_valid
            | TickFlag.WARM * warm
            | TickFlag.KILLED * self.killed
            | TickFlag.SURFACE_STALE * stale
        )
        adjustment = Adjustment()
        if data_valid and model_valid and warm:
            adjustment = self._policy.decide(given.scores, given.local_ns)
        values |= {k: v for k, v in adjustment._asdict().items() if k != "limited"}
        if gate.admit(self.killed, data_valid, not stale, model_valid, warm) is not None:
            flags |= TickFlag.BLOCKED
            if quoter.live:
                flags |= TickFlag.CANCELLED
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
            if moved or adjusted or quoter.pending or not self.skip:
                self._adjustment = adjustment
                expired = [
                    plan.universe.expiries_s[option.expiry] - 60 * key[1] <= 0
                    for option in plan.universe.options
                ]
                sent = quoter.update(self._values, expired, adjustment, given.local_ns)
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
        self._finish(record)

    def invalidate(self, row: int, local_ns: int, sequence: int) -> None:
        """The book became invalid: withdraw everything, forget dwell and warm-up."""
        if self._quoter.live:
            record = self._start(row, local_ns, sequence)
            record.values["flags"] = int(TickFlag.CANCELLED)
            self._cancel(record)
            self._finish(record)
        self._policy.reset()
        self._since_reset = 0

    def drain(self) -> JournalBatch:
        """Everything recorded since the last call."""
        ticks = np.zeros(len(self._ticks), TICK_DTYPE)
        for index, values in enumerate(self._ticks):
            for name, value in values.items():
                if name in ("features", "logits", "scores"):
                    ticks[name][index, : len(value)] = value
                else:
                    ticks[name][index] = value
        quotes = np.array(self._quotes, QUOTE_DTYPE)
        batch = JournalBatch(ticks, quotes, b"".join(self._fix))
        self._ticks, self._quotes, self._fix = [], [], []
        return batch

    def _start(self, row: int, local_ns: int, sequence: int) -> _Record:
        return _Record(
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

    def _cancel(self, record: _Record) -> None:
        self._sequence += 1
        record.messages.append(
            self.plan.codec.cancel_all(self._sequence, record.values["local_ns"])
        )
        self._quoter.withdraw_all()
        self._priced = None
        self._adjustment = Adjustment()

    def _encode(self, record: _Record, sent: list[Sent]) -> None:
        local_ns = record.values["local_ns"]
        record.values["quotes"] = len(sent)
        for option, reason, quote in sent:
            values = self._values[option][:JOURNALLED]
            self._quotes.append((self._tick, local_ns, option, int(reason), *quote, *values))
        messages = self.plan.codec.mass_quotes(self._sequence + 1, local_ns, sent)
        self._sequence += len(messages)
        record.messages += messages

    def _finish(self, record: _Record) -> None:
        record.values["fix_bytes"] = sum(map(len, record.messages))
        record.values["fix_messages"] = len(record.messages)
        self._ticks.append(record.values)
        self._fix += record.messages
