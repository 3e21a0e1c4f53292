"""What is known of a running desk, folded from what it shows: counters, latest values, figures for alerts.

The desk's thread calls `View.observe`, which only keeps the observation; everything else happens on the
watcher's thread. Observations that wait too long are dropped and counted, the desk never waits.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pyorch.app.watch.drift import Drift
from pyorch.contract.bundle import Bundle
from pyorch.trading.arming import output_index
from pyorch.trading.desk_observer import Observation
from pyorch.trading.inputs import InputKind
from pyorch.trading.plan import QuotingPlan
from pyorch.trading.records import STAGES, AnsweredBy, RecordArray, Refusal, TickFlag

FIGURES = {
    "tick_p50_us": "us", "tick_p99_us": "us", "tick_max_us": "us",
    "drift_psi": "", "gaps_per_min": "1/min", "book_invalid_s": "s", "silence_s": "s",
    "unheard_s": "s", "failovers_per_min": "1/min", "late_share": "", "fills_per_min": "1/min",
    "rejects_per_min": "1/min", "refused_share": "", "sessions_down": "", "killed": "",
    "log_stalled": "", "unsent_messages": "", "unseen_observations": "", "delta_btc": "BTC",
}  # fmt: skip
"""Figures that alerts may look at, with their units. Rates and shares are of the last minute, or the last
`WINDOW_TICKS`, of the market's clock; ``unheard_s`` is of the wall's."""
WINDOW_TICKS = 4096
MINUTE_NS = 60_000_000_000
KEPT_OBSERVATIONS = 4096
LAST = 60
"""So many fills and texts are kept for the page."""
EDGES_US = (0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 10_000)
"""Upper edges of the histograms of stages."""
MEASURED = (*STAGES, "total")


@dataclass(frozen=True, slots=True)
class Names:
    """What the numbers of records mean, for one run."""

    title: str
    engine: str
    options: tuple[str, ...]
    venues: tuple[str, ...]
    venue_of: tuple[int, ...]
    rules: tuple[str, ...]
    outputs: tuple[str, ...]
    linear: tuple[bool, ...]
    """Per output: a raw number, no probability."""
    thresholds: tuple[int, ...]
    """Per output the lowest threshold of a rule on it, 1/32768; 0: none."""
    features: tuple[str, ...]
    tick_btc: float
    lot_btc: float

    @classmethod
    def of(
        cls, title: str, engine: str, bundle: Bundle, plan: QuotingPlan, lot_btc: float
    ) -> Names:
        """Of a run's bundle and plan."""
        assert bundle.schema is not None
        outputs = tuple(output_index(bundle.spec))
        linear = tuple(head.kind == "linear" for head in bundle.spec.heads for _ in head.outputs)
        lowest = [0] * len(outputs)
        for rule in plan.rules:
            for output, threshold in zip(rule.outputs, rule.thresholds, strict=True):
                lowest[output] = min(lowest[output] or threshold, threshold)
        return cls(
            title, engine, tuple(option.symbol for option in plan.universe.options),
            plan.targets or (plan.codec.target,), plan.limits.venue_of,
            tuple(rule.name for rule in plan.rules), outputs, linear, tuple(lowest),
            tuple(feature.name for feature in bundle.schema.features),
            plan.terms.tick_nano * 1e-9, lot_btc,
        )  # fmt: skip


class View:
    """Everything that page, metrics and alerts show of one run.

    Attributes:
        counts: totals since the run began, by name.
        stage_counts: [stages, edges + 1] ticks by duration; stage_sums_ns: [stages].
        quotes: option → its last quote record; refusals, positions_lots: as in `Observation`.
        texts, fills: the last ones, newest first.
    """

    def __init__(self, names: Names, drift: Drift | None = None) -> None:
        self.names = names
        self.drift = drift or Drift(len(names.features))
        self.counts: Counter[str] = Counter()
        self.inputs: Counter[str] = Counter()
        self.fired: Counter[int] = Counter()
        self.answers: Counter[str] = Counter()
        self.stage_counts = np.zeros((len(MEASURED), len(EDGES_US) + 1), np.int64)
        self.stage_sums_ns = np.zeros(len(MEASURED), np.int64)
        self.quotes: dict[int, Any] = {}
        self.texts: deque[dict[str, Any]] = deque(maxlen=LAST)
        self.fills: deque[dict[str, Any]] = deque(maxlen=LAST)
        self.scores: deque[tuple[int, list[int]]] = deque(maxlen=240)
        self.down: set[int] = set(range(len(names.venues)))
        self.latest: Observation | None = None
        self.last_tick: Any = None
        self.first_ns = self.now_ns = 0
        self._waiting: deque[Observation] = deque(maxlen=KEPT_OBSERVATIONS)
        self._shown = self._folded = 0
        self._heard_s = time.monotonic()
        self._window = np.zeros((0, len(MEASURED)), np.int64)
        self._late = np.zeros(0, bool)
        self._refused = np.zeros((0, 2), np.int64)
        self._minute: dict[str, deque[int]] = {
            name: deque() for name in ("gaps", "failovers", "fills", "rejects")
        }
        self._invalid_ns: int | None = None
        self._answered_by = -1
        self.psi = [0.0] * len(names.features)
        self._judged_ticks = 0

    def observe(self, observation: Observation) -> None:
        """On the desk's thread; never waits."""
        self._shown += 1
        self._waiting.append(observation)

    def fold(self) -> None:
        """Take in what waits."""
        while self._waiting:
            self._take(self._waiting.popleft())
        if self.counts["ticks"] >= self._judged_ticks + 100:
            self._judged_ticks = self.counts["ticks"]
            self.psi = self.drift.indices()

    def _take(self, seen: Observation) -> None:
        self._folded += 1
        self._heard_s = time.monotonic()
        before, self.latest = self.latest, seen
        self.now_ns = max(self.now_ns, seen.now_ns)
        self.first_ns = self.first_ns or seen.now_ns
        ticks = seen.batch.ticks
        self._take_validity(seen, before)
        self._take_ticks(ticks)
        self._take_quotes(seen)
        self._take_inputs(seen)
        for text in seen.texts:
            if "fix" not in text:  # orders' own messages; people read the others
                self.texts.appendleft(text)

    def _take_validity(self, seen: Observation, before: Observation | None) -> None:
        """The gate counts each time that it withdrew everything for want of a valid book."""
        had = before.refusals[Refusal.INVALID_DATA] if before is not None else 0
        lost = seen.refusals[Refusal.INVALID_DATA] - had
        flags = seen.batch.ticks["flags"]
        valid = seen.batch.ticks["local_ns"][(flags & TickFlag.BOOK_VALID) != 0]
        if self._invalid_ns is not None and len(valid) and valid[-1] > self._invalid_ns:
            self._invalid_ns = None
        if lost:
            self.counts["gaps"] += lost
            self._minute["gaps"].extend([seen.now_ns] * lost)
            self._invalid_ns = seen.now_ns

    def _take_ticks(self, ticks: RecordArray) -> None:
        cancelled = (ticks["flags"] & TickFlag.CANCELLED) != 0
        self.counts["withdrawals"] += int(cancelled.sum())
        self.counts["messages"] += int(ticks["fix_messages"].sum())
        self.counts["fix_bytes"] += int(ticks["fix_bytes"].sum())
        real = ticks[~cancelled]
        if not len(real):
            return
        self.counts["ticks"] += len(real)
        self.last_tick = real[-1]
        ns = np.stack([real[f"{name}_ns"] for name in MEASURED], axis=1).astype(np.int64)
        for k in range(len(MEASURED)):
            ran = ns[:, k][ns[:, k] > 0]
            edges = np.searchsorted(np.array(EDGES_US) * 1000, ran)
            self.stage_counts[k] += np.bincount(edges, minlength=len(EDGES_US) + 1)
            self.stage_sums_ns[k] += int(ran.sum())
        self._window = np.concatenate([self._window, ns])[-WINDOW_TICKS:]
        self._late = np.concatenate([self._late, real["late"] != 0])[-WINDOW_TICKS:]
        tried = np.stack([real["refused"], real["quotes"]], axis=1).astype(np.int64)
        self._refused = np.concatenate([self._refused, tried])[-WINDOW_TICKS:]
        self.counts["late"] += int(np.count_nonzero(real["late"]))
        self.counts["inexact"] += int(np.count_nonzero(real["inexact"]))
        warm = real[(real["flags"] & TickFlag.WARM) != 0]
        for k in range(len(self.names.rules)):
            self.fired[k] += int(np.count_nonzero(warm["fired"] >> k & 1))
        self.drift.take(warm["features"][:, : len(self.names.features)])
        for by, at_ns in zip(real["answered_by"].tolist(), real["local_ns"].tolist(), strict=True):
            if self._answered_by not in (-1, by):
                self._minute["failovers"].append(at_ns)
                self.counts["failovers"] += 1
            self._answered_by = by
            self.answers[AnsweredBy(by).name.lower()] += 1
        row = real[-1]
        outputs = len(self.names.outputs)
        self.scores.append((int(row["local_ns"]), row["scores"][:outputs].tolist()))

    def _take_quotes(self, seen: Observation) -> None:
        withdrawn = seen.batch.ticks[(seen.batch.ticks["flags"] & TickFlag.CANCELLED) != 0]
        last = int(withdrawn["local_ns"][-1]) if len(withdrawn) else -1
        if last >= 0:
            self.quotes.clear()
        for quote in seen.batch.quotes:
            if int(quote["local_ns"]) >= last:
                self.quotes[int(quote["option"])] = quote
        self.counts["quotes"] += len(seen.batch.quotes)

    def _take_inputs(self, seen: Observation) -> None:
        for row in seen.inputs:
            kind, at_ns = InputKind(int(row["kind"])), int(row["local_ns"])
            self.inputs[kind.name.lower()] += 1
            if kind is InputKind.CONNECTED:
                self.down.discard(int(row["venue"]))
            elif kind is InputKind.DISCONNECTED:
                self.down.add(int(row["venue"]))
            elif kind in (InputKind.REJECTED, InputKind.ORDER_REJECTED):
                self._minute["rejects"].append(at_ns)
            elif kind is InputKind.FILLED:
                self._minute["fills"].append(at_ns)
                self.fills.appendleft(
                    {
                        "at_s": self.seconds(at_ns),
                        "option": self.names.options[int(row["option"])],
                        "venue": self.names.venues[int(row["venue"])],
                        "side": "sold" if row["side"] else "bought",
                        "lots": int(row["lots"]),
                        "price_btc": int(row["price_ticks"]) * self.names.tick_btc,
                    }
                )

    def seconds(self, at_ns: int) -> float:
        """Of the run, by the market's clock."""
        return round((at_ns - self.first_ns) * 1e-9, 3)

    def stages_us(self) -> dict[str, dict[str, float]]:
        """Per stage p50, p99 and maximum of the last ticks in which it ran."""
        found = {}
        for k, name in enumerate(MEASURED):
            ran = self._window[:, k][self._window[:, k] > 0]
            p50, p99, top = np.percentile(ran, [50, 99, 100]) / 1000 if len(ran) else (0, 0, 0)
            found[name] = {"p50_us": float(p50), "p99_us": float(p99), "max_us": float(top)}
        return found

    def delta_btc(self) -> float:
        """Of the portfolio."""
        if self.latest is None or not self.latest.deltas_ppm:
            return 0.0
        pairs: Iterable[tuple[int, int]] = zip(
            self.latest.positions_lots, self.latest.deltas_ppm, strict=True
        )
        return sum(lots * ppm for lots, ppm in pairs) * 1e-6 * self.names.lot_btc

    def figures(self) -> dict[str, float]:
        """Everything in `FIGURES`."""
        for times in self._minute.values():
            while times and times[0] < self.now_ns - MINUTE_NS:
                times.popleft()
        total = self.stages_us()["total"]
        tried = int(self._refused.sum())
        tick_ns = int(self.last_tick["local_ns"]) if self.last_tick is not None else self.now_ns
        invalid_ns = self.now_ns - self._invalid_ns if self._invalid_ns is not None else 0
        seen = self.latest
        return {
            "tick_p50_us": total["p50_us"],
            "tick_p99_us": total["p99_us"],
            "tick_max_us": total["max_us"],
            "drift_psi": max(self.psi, default=0.0),
            "gaps_per_min": len(self._minute["gaps"]),
            "book_invalid_s": invalid_ns * 1e-9,
            "silence_s": max(0, self.now_ns - tick_ns) * 1e-9,
            "unheard_s": 0.0 if self.ended else time.monotonic() - self._heard_s,
            "failovers_per_min": len(self._minute["failovers"]),
            "late_share": float(np.mean(self._late)) if len(self._late) else 0.0,
            "fills_per_min": len(self._minute["fills"]),
            "rejects_per_min": len(self._minute["rejects"]),
            "refused_share": int(self._refused[:, 0].sum()) / tried if tried else 0.0,
            "sessions_down": len(self.down),
            "killed": float(seen is not None and seen.killed),
            "log_stalled": float(seen is not None and seen.stalled),
            "unsent_messages": seen.unsent if seen is not None else 0,
            "unseen_observations": self._shown - self._folded - len(self._waiting),
            "delta_btc": self.delta_btc(),
        }

    @property
    def ended(self) -> bool:
        """The run is over."""
        return self.latest is not None and self.latest.ended

    def refusals(self) -> dict[str, int]:
        """By reason, since the run began."""
        if self.latest is None:
            return {}
        pairs = zip(Refusal, self.latest.refusals, strict=True)
        return {reason.name.lower(): count for reason, count in pairs}
