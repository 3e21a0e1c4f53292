"""One quote, explained from features to price and to the bytes sent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyorch.app.fair import fair_values, forward_usd
from pyorch.app.journal import Journal, RuleInForce
from pyorch.app.judged import judged
from pyorch.app.report import plots
from pyorch.app.report.fix_fields import FixField, message_about
from pyorch.app.report.rules import output_names
from pyorch.app.resting import resting
from pyorch.contract.model import PROBABILITY, ModelSpec
from pyorch.contract.schema import FeatureSchema
from pyorch.trading.records import Reason, RecordArray, TickFlag

BEFORE_NS, AFTER_NS = 1_000_000_000, 2_000_000_000
"""What the chart shows around the tick."""
ONE = 1 << PROBABILITY.fraction


@dataclass(frozen=True, slots=True)
class FeatureRow:
    """An input of the model. ``raw`` is known to the step of the 8-bit normalisation."""

    name: str
    unit: str
    raw: float
    value: float
    share: float
    """Of the format's range, -1 to 1."""
    saturated: bool


@dataclass(frozen=True, slots=True)
class OutputRow:
    """An output of the model; ``probability`` is calibrated, None for linear heads."""

    head: str
    name: str
    kind: str
    unit: str
    logit: float
    probability: float | None
    threshold: float | None
    """Of the explained rule, if it looks at this output."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition of the explained rule."""

    name: str
    probability: float
    threshold: float
    holds: bool


@dataclass(frozen=True, slots=True)
class Quote:
    """A two-sided quote."""

    bid_btc: float
    ask_btc: float
    bid_contracts: float
    ask_contracts: float

    @property
    def width_bp(self) -> float:
        """Ask minus bid in bp of the underlying."""
        return (self.ask_btc - self.bid_btc) * 1e4


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything that the first panel shows."""

    triggered: bool
    how_chosen: str
    seconds: float
    """Since the first tick."""
    tick: int
    row: int
    forward_usd: float
    mover: str
    features: tuple[FeatureRow, ...]
    outputs: tuple[OutputRow, ...]
    rule: RuleInForce | None
    """None: no rule is armed."""
    conditions: tuple[Condition, ...]
    other_rules: tuple[str, ...]
    symbol: str
    delta: float
    value_btc: float
    base_half_spread_bp: float
    extra_bp: float
    shift_bp: float
    """Move of the underlying, forecast and inventory together, by which fair values were shifted."""
    size_percent: int
    before: Quote | None
    after: Quote | None
    quotes: int
    fix: tuple[FixField, ...]
    fix_other_entries: int
    """Entries of the same message about other options."""
    fix_bytes: int
    total_us: float
    moved_bp: float
    """Of the underlying within the second after the tick."""
    chart: str


def explain(journal: Journal) -> Explanation | None:
    """Explain the run's strongest trigger; None: nothing was ever quoted.

    The strongest trigger is the tick at which a rule began to act, at least one quote widened, and the
    smallest of the rule's conditions exceeded its threshold by the most. What the market did next plays
    no part in the choice. Where nothing fired, it is the quoting tick that came nearest to firing a
    rule; where no rule is armed, the one that sent the most quotes.
    """
    ticks = journal.ticks
    usable = judged(journal)
    quoting = usable & (ticks["flags"] & TickFlag.QUOTED != 0)
    if not quoting.any():
        return None
    found = _strongest(journal, usable) or _nearest(journal, quoting)
    index, number = found if found else (int((ticks["quotes"] * quoting).argmax()), -1)
    rule = journal.run.rules[number] if found else None
    tick = ticks[index]
    triggered = rule is not None and bool(int(tick["active"]) >> number & 1)
    spec = ModelSpec.from_json(journal.run.model)
    names = output_names(spec)
    quotes = journal.quotes_of(index)
    quote = _nearest_to_money(quotes)
    symbol, before, after = "", None, None
    if quote is not None:
        symbol = journal.run.options[int(quote["option"])].symbol
        after = _quote(journal, quote)
        before = _previous(journal, index, int(quote["option"]))
    down = quote is None or quote["delta"] >= 0
    fields, others, size = message_about(journal, index, symbol)
    forward = forward_usd(journal, ticks)
    until = int(np.searchsorted(ticks["local_ns"], tick["local_ns"] + 1_000_000_000, "right")) - 1
    return Explanation(
        triggered=triggered,
        how_chosen=(
            "the run's strongest trigger by score"
            if triggered
            else "the quoting tick that came nearest to a rule"
            if rule is not None
            else "the tick that sent the most quotes"
        ),
        seconds=float(tick["local_ns"] - ticks["local_ns"][0]) * 1e-9,
        tick=int(tick["tick"]),
        row=int(tick["row"]),
        forward_usd=float(forward[index]),
        mover="falling" if rule is not None and rule.endangered == "down" else "rising",
        features=_features(journal, tick["features"]),
        outputs=_outputs(spec, tick, rule),
        rule=rule,
        conditions=tuple(
            Condition(
                names[o],
                float(tick["scores"][o]) / ONE,
                t / ONE,
                bool(tick["scores"][o] >= t),
            )
            for o, t in (zip(rule.outputs, rule.thresholds, strict=True) if rule else ())
        ),
        other_rules=tuple(
            r.name
            for n, r in enumerate(journal.run.rules)
            if n != number and int(tick["fired"]) >> n & 1
        ),
        symbol=symbol,
        delta=float(quote["delta"]) if quote is not None else 0.0,
        value_btc=float(quote["value_btc"]) if quote is not None else 0.0,
        base_half_spread_bp=float(tick["base_half_spread_bp100"]) / 100,
        shift_bp=(int(tick["forecast_bp100"]) + int(tick["inventory_bp100"])) / 100,
        extra_bp=float(tick["extra_down_bp100" if down else "extra_up_bp100"]) / 100,
        size_percent=int(tick["size_down_percent" if down else "size_up_percent"]),
        before=before,
        after=after,
        quotes=len(quotes),
        fix=fields,
        fix_other_entries=others,
        fix_bytes=size,
        total_us=float(tick["total_ns"]) / 1e3,
        moved_bp=float(forward[until] / forward[index] - 1) * 1e4,
        chart=_chart(journal, index, int(quote["option"])) if quote is not None else "",
    )


def _armed(journal: Journal) -> list[int]:
    return [number for number, rule in enumerate(journal.run.rules) if rule.armed]


def _margin(journal: Journal, number: int) -> NDArray[np.int64]:
    rule = journal.run.rules[number]
    scores = journal.ticks["scores"][:, list(rule.outputs)].astype(np.int64)
    margin: NDArray[np.int64] = (scores - np.array(rule.thresholds, np.int64)).min(axis=1)
    return margin


def _strongest(journal: Journal, usable: NDArray[np.bool_]) -> tuple[int, int] | None:
    ticks = journal.ticks
    started = ticks["active"] & ~np.concatenate([[np.uint32(0)], ticks["active"][:-1]])
    widened = np.zeros(len(ticks), np.bool_)
    owner = np.repeat(np.arange(len(ticks)), ticks["quotes"])
    widened[owner[journal.quotes["reason"] == Reason.WIDEN]] = True
    best: tuple[int, int, int] | None = None
    for number in _armed(journal):
        chosen = np.flatnonzero(usable & widened & (started >> number & 1 == 1))
        if not len(chosen):
            continue
        margin = _margin(journal, number)[chosen]
        at = int(margin.argmax())
        if best is None or int(margin[at]) > best[0]:
            best = int(margin[at]), int(chosen[at]), number
    return best[1:] if best else None


def _nearest(journal: Journal, usable: NDArray[np.bool_]) -> tuple[int, int] | None:
    if not _armed(journal):
        return None
    best = (-(1 << 60), 0, 0)
    for number in _armed(journal):
        margin = np.where(usable, _margin(journal, number), -(1 << 59))
        at = int(margin.argmax())
        best = max(best, (int(margin[at]), at, number))
    return best[1:]


def _features(journal: Journal, raw: NDArray[np.int16]) -> tuple[FeatureRow, ...]:
    schema = FeatureSchema.from_json(journal.run.schema)
    rows = []
    for feature, value in zip(schema.features, raw.tolist(), strict=False):
        normalised = (value << feature.shift) / (feature.multiplier or 1)
        rows.append(
            FeatureRow(
                feature.name,
                feature.unit,
                feature.offset + normalised,
                value * schema.format.lsb,
                value / schema.format.maximum,
                value in (schema.format.minimum, schema.format.maximum),
            )
        )
    return tuple(rows)


def _outputs(spec: ModelSpec, tick: np.void, rule: RuleInForce | None) -> tuple[OutputRow, ...]:
    thresholds = dict(zip(rule.outputs, rule.thresholds, strict=True)) if rule else {}
    rows = []
    index = 0
    for head in spec.heads:
        for name in head.outputs:
            probability = float(tick["scores"][index]) / ONE if head.kind != "linear" else None
            threshold = thresholds.get(index)
            rows.append(
                OutputRow(
                    head.name,
                    name,
                    head.kind,
                    head.unit,
                    float(tick["logits"][index]) * spec.logits.lsb,
                    probability,
                    threshold / ONE if threshold is not None else None,
                )
            )
            index += 1
    return tuple(rows)


def _nearest_to_money(quotes: RecordArray) -> np.void | None:
    """Of the widened quotes (else of all) the one whose delta is nearest to a half."""
    if not len(quotes):
        return None
    widened = quotes[quotes["reason"] == Reason.WIDEN]
    some = widened if len(widened) else quotes
    chosen: np.void = some[int(np.abs(np.abs(some["delta"]) - 0.5).argmin())]
    return chosen


def _quote(journal: Journal, record: np.void) -> Quote:
    tick_btc = float(journal.run.config["quoting"]["option_tick_btc"])
    lot_btc = float(journal.run.config["quoting"]["lot_btc"])
    return Quote(
        float(record["bid_ticks"]) * tick_btc,
        float(record["ask_ticks"]) * tick_btc,
        float(record["bid_lots"]) * lot_btc,
        float(record["ask_lots"]) * lot_btc,
    )


def _previous(journal: Journal, index: int, option: int) -> Quote | None:
    """What rested before the tick."""
    earlier = int(journal.ticks["quotes"][:index].sum(dtype=np.int64))
    found = np.flatnonzero(journal.quotes["option"][:earlier] == option)
    if not len(found):
        return None
    cancelled = np.flatnonzero(journal.ticks["flags"][:index] & TickFlag.CANCELLED)
    if len(cancelled):
        gone = int(journal.ticks["quotes"][: cancelled[-1]].sum(dtype=np.int64))
        if found[-1] < gone:
            return None
    record: np.void = journal.quotes[found[-1]]
    return _quote(journal, record)


def _chart(journal: Journal, index: int, option: int) -> str:
    times = journal.ticks["local_ns"]
    now = int(times[index])
    low = int(np.searchsorted(times, now - BEFORE_NS))
    high = int(np.searchsorted(times, now + AFTER_NS, "right"))
    ticks = journal.ticks[low:high]
    rests = resting(journal, low, high)
    fair = fair_values(journal, ticks)[:, option]
    seconds = (ticks["local_ns"] - now) * 1e-9
    return plots.around_trigger(
        seconds,
        fair,
        rests.bid_btc[:, option],
        rests.ask_btc[:, option],
        journal.run.options[option].symbol,
    )
