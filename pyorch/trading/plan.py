"""`QuotingPlan`: configuration, bundle and tape resolved to what the tick thread works with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import DataError, UsageError
from pyorch.contract.events import Flag, Instrument, Side
from pyorch.market.book import Book
from pyorch.market.tape import Tape
from pyorch.trading.arming import arm_rules, arm_shift
from pyorch.trading.config import Caution, QuotingConfig, bp100
from pyorch.trading.fair_shift import ArmedShift, InventorySkew
from pyorch.trading.fix.codec import Decimals, FixCodec
from pyorch.trading.listing import Listed, universe_of
from pyorch.trading.policy import ArmedRule
from pyorch.trading.pricing import Option, Universe
from pyorch.trading.quoting import Terms
from pyorch.trading.records import MAXIMUM_FEATURES, MAXIMUM_OUTPUTS, MAXIMUM_RULES
from pyorch.trading.risk import Limits, Protection
from pyorch.trading.surface import PARAMETERS, ParametersPpm, Surface, arbitrage_at, slices_of
from pyorch.trading.transplant import read_snapshot, transplant

NANO = 1_000_000_000
DAY_S = 86_400
EXPIRY_HOUR_S = 8 * 3600
MINUTE_NS = 60_000_000_000
MILLISECOND_NS = 1_000_000
CAUTION = "caution"
"""Name of the rule that follows the configuration's."""


@dataclass(frozen=True, slots=True)
class QuotingPlan:
    """Everything that turns a tick's scores into quotes, as integers and text.

    Attributes:
        surface_ppm: the surface's `PARAMETERS` per expiry at the start, in 1e-6.
        maximum_surface_age_ns: a surface moved by the tape is stale beyond it.
        surface_label: where those come from; the report prints it.
        probability_outputs: outputs whose scores must lie in 0..32768, or the model is invalid.
        origin_ns: ``local_ns`` of the tape's first row.
        cold_bp100: before warm-up quotes go out without the model, so much wider on both sides (bp of the
            underlying × 100); 0: none do.
    """

    universe: Universe
    surface_ppm: ParametersPpm
    surface_label: str
    maximum_surface_age_ns: int
    rules: tuple[ArmedRule, ...]
    fair_shift: ArmedShift
    inventory: InventorySkew
    base_half_spread_bp100: int
    terms: Terms
    limits: Limits
    codec: FixCodec
    features: int
    outputs: int
    probability_outputs: tuple[int, ...]
    warm_up_ticks: int
    origin_ns: int
    targets: tuple[str, ...] = ()
    """Per venue the TargetCompID; empty: the codec's."""
    cold_bp100: int = 0

    def codec_of(self, venue: int) -> FixCodec:
        """The codec of a venue's session."""
        return replace(self.codec, target=self.targets[venue]) if self.targets else self.codec

    def surface(self) -> Surface:
        """A fresh surface, as it is before the first row."""
        return Surface(
            tuple(list(values) for values in self.surface_ppm),
            self.universe.expiries_s,
            self.origin_ns,
        )

    def with_caution(self, caution: Caution) -> QuotingPlan:
        """The same with one more rule: for loops whose answers can be late, unverified or inexact.

        Raises:
            UsageError: there are as many rules already as a journal record has bits for.
        """
        if len(self.rules) >= MAXIMUM_RULES:
            raise UsageError(
                f"{len(self.rules)} rules leave no room for the one of caution: a journal record has "
                f"{MAXIMUM_RULES} bits; take a rule away"
            )
        rule = ArmedRule(
            name=CAUTION,
            endangered="down",
            outputs=(),
            thresholds=(),
            releases=(),
            widen_bp100=bp100(caution.widen_bp),
            size_percent=100 - caution.size_cut_percent,
            both_sides=True,
            dwell_ns=caution.dwell_ms * 1_000_000,
            armed=True,
            note="the answer is inexact, unverified or late",
            caution=True,
        )
        return replace(self, rules=(*self.rules, rule))

    def with_surface(self, parameters_ppm: ParametersPpm, label: str) -> QuotingPlan:
        """The same plan on another starting surface.

        Raises:
            UsageError: not one value of each for every expiry.
        """
        expiries = len(self.universe.expiries_s)
        if any(len(values) != expiries for values in parameters_ppm):
            raise UsageError(
                f"a surface with {[len(v) for v in parameters_ppm]} values for {expiries} expiries"
            )
        return replace(self, surface_ppm=parameters_ppm, surface_label=label)


@dataclass(frozen=True, slots=True)
class Opening:
    """Where a market begins: all that a plan needs of it.

    Attributes:
        origin_ns: the receiver's time of the first row.
        forward_half_ticks: best bid + best ask at the first valid book, in ticks.
        underlying: instrument 0.
    """

    origin_ns: int
    forward_half_ticks: int
    underlying: Instrument

    @classmethod
    def of(cls, tape: Tape) -> Opening:
        """Of a tape.

        Raises:
            DataError: the tape never has a valid two-sided book.
        """
        first_ns = int(tape.events["local_ns"][0])
        return cls(first_ns, opening_forward_half_ticks(tape), tape.instruments[0])


def opening_forward_half_ticks(tape: Tape) -> int:
    """Best bid + best ask of instrument 0 at its first valid book, in ticks.

    Raises:
        DataError: the tape never has a valid two-sided book.
    """
    book = Book()
    names = tape.events.dtype.names or ()
    instrument, flags = names.index("instrument"), names.index("flags")
    chunk = 4096
    for start in range(0, len(tape.events), chunk):
        for row in tape.events[start : start + chunk].tolist():
            if row[instrument] != 0:
                continue
            book.apply(row)
            if row[flags] & Flag.LAST and book.valid and book.two_sided:
                return book.best(Side.BID)[0] + book.best(Side.ASK)[0]
    raise DataError(
        f"tape {tape.name}: instrument 0 has no valid book with both sides in {len(tape.events)} rows; "
        "a tape begins with a snapshot"
    )


def make_universe(
    config: QuotingConfig, opening: Opening, listed: Sequence[Listed] = ()
) -> Universe:
    """Strikes around the opening forward, expiries at 08:00 UTC of the configured days.

    Args:
        listed: by a venue; the universe is chosen among them. None: it is made.
    """
    half_tick_usd = float(opening.underlying.tick_size) / 2
    forward = opening.forward_half_ticks * half_tick_usd
    shape, underlying = config.universe, opening.underlying.symbol or "BTC"
    origin_ns = opening.origin_ns
    origin_day = origin_ns // (DAY_S * NANO)
    moments_s = [(origin_day + days) * DAY_S + EXPIRY_HOUR_S for days in shape.expiries_days]
    if listed:
        return universe_of(
            config, listed, origin_ns // NANO, moments_s, forward, half_tick_usd, underlying
        )
    centre = int(forward / shape.strike_step_usd + 0.5)
    first = centre - shape.strikes // 2
    if first < 1:
        raise UsageError(
            f"universe.strikes: {shape.strikes} strikes of {shape.strike_step_usd} USD around a forward "
            f"of {forward:.0f} USD begin at or below 0; take a smaller strike_step_usd"
        )
    expiries_s, options = [], []
    for expiry, (days, moment_s) in enumerate(zip(shape.expiries_days, moments_s, strict=True)):
        expiries_s.append((moment_s * NANO - origin_ns) // NANO)
        day = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=origin_day + days)
        for k in range(shape.strikes):
            strike = (first + k) * shape.strike_step_usd
            name = f"BTC-{day.day}{day:%b%y}-{strike}".upper()
            options.append(Option(f"{name}-C", expiry, strike, "call"))
            if shape.both_rights:
                options.append(Option(f"{name}-P", expiry, strike, "put"))
    return Universe(tuple(options), tuple(expiries_s), half_tick_usd, underlying)


def make_plan(
    config: QuotingConfig,
    bundle: Bundle,
    market: Tape | Opening,
    positions_lots: tuple[int, ...] | None = None,
    chain: Path | None = None,
    acknowledged: bool = False,
    listed: Sequence[Listed] = (),
) -> QuotingPlan:
    """Resolve everything.

    Args:
        market: a tape, or where a market begins whose rows come later.
        listed: see `make_universe`.
        acknowledged: venues answer; otherwise a message counts as taken in when it is sent.
        chain: an option chain in Parquet whose first snapshot's surface is transplanted to the tape, for
            tapes without one of their own; None: the configuration's.
        positions_lots: per option, signed, held for the run; none: flat.

    Raises:
        UsageError: the model is too large for a journal record, or a rule cannot be armed.
        DataError: the tape has no valid book, or the chain cannot be read.
    """
    spec = bundle.spec
    outputs = len(spec.outputs)
    fits = spec.input.minimum >= -(1 << 15) and spec.input.maximum < 1 << 15
    if spec.features > MAXIMUM_FEATURES or outputs > MAXIMUM_OUTPUTS or not fits:
        raise UsageError(
            f"the model has {spec.features} features of {spec.input.width} bits and {outputs} outputs; "
            f"a journal record holds {MAXIMUM_FEATURES} of 16 bits with sign and {MAXIMUM_OUTPUTS} outputs"
        )
    opening = market if isinstance(market, Opening) else Opening.of(market)
    universe = make_universe(config, opening, listed)
    count = len(universe.options)
    positions = positions_lots if positions_lots is not None else (0,) * count
    if len(positions) != count:
        raise UsageError(f"{len(positions)} positions for {count} options; give one for each")
    surface, quoting, risk = config.surface, config.quoting, config.risk
    kinds = [head.kind for head in spec.heads for _ in head.outputs]

    parameters = tuple(
        tuple(round(value * 1e6) for value in getattr(surface, name)) for name in PARAMETERS
    )
    plan = QuotingPlan(
        universe=universe,
        surface_ppm=parameters,
        surface_label="SVI (configuration), moved by the tape's surface rows"
        + _verdict(parameters, universe),
        maximum_surface_age_ns=surface.maximum_age_ms * 1_000_000,
        rules=arm_rules(config.rules, bundle, config.universe.expiries_days),
        fair_shift=arm_shift(config.fair_shift, bundle),
        inventory=config.inventory_skew,
        base_half_spread_bp100=config.base_half_spread_bp100,
        terms=Terms(
            tick_nano=config.tick_nano,
            coarse_tick_factor=quoting.coarse_tick_factor,
            coarse_from_nano=config.coarse_from_nano,
            base_half_spread_bp100=config.base_half_spread_bp100,
            minimum_half_spread_ticks=quoting.minimum_half_spread_ticks,
            size_lots=quoting.size_lots,
            minimum_size_lots=quoting.minimum_size_lots,
            minimum_change_ticks=quoting.minimum_change_ticks,
            minimum_interval_ns=quoting.minimum_interval_ms * 1_000_000,
        ),
        limits=Limits(
            price_collar_ticks=risk.price_collar_ticks,
            position_limit_lots=risk.position_limit_lots,
            notional_limit_lots=risk.notional_limit_lots,
            quotes_per_second=risk.quotes_per_second,
            quotes_burst=risk.quotes_burst,
            positions_lots=positions,
            delta=round(config.lots(risk.delta_limit_btc) * 1e6),
            gamma=round(config.lots(risk.gamma_limit_btc) * 1e6),
            vega=round(config.lots(risk.vega_limit_btc) * 1e9),
            venues=tuple(config.venue_of_expiry[option.expiry] for option in universe.options),
            acknowledged=acknowledged,
            acknowledge_ns=risk.acknowledge_ms * MILLISECOND_NS,
            reference_interval_ns=risk.reference_interval_ms * MILLISECOND_NS,
            reference_age_ns=risk.reference_age_ms * MILLISECOND_NS,
            protection=_protection(config),
        ),
        codec=FixCodec(
            sender=config.fix.sender,
            target=config.fix.target,
            account=config.fix.account,
            underlying=universe.underlying,
            symbols=tuple(option.symbol for option in universe.options),
            price=Decimals.of(quoting.option_tick_btc),
            size=Decimals.of(quoting.lot_btc),
        ),
        features=spec.features,
        outputs=outputs,
        probability_outputs=tuple(k for k, kind in enumerate(kinds) if kind != "linear"),
        warm_up_ticks=quoting.warm_up_ticks,
        origin_ns=opening.origin_ns,
        targets=config.targets,
    )
    if chain is None:
        return plan
    carried = transplant(read_snapshot(chain), universe.expiries_s, chain.name)
    verdict = _verdict(carried.parameters_ppm, universe)
    return plan.with_surface(carried.parameters_ppm, carried.label + verdict)


def _protection(config: QuotingConfig) -> Protection:
    given = config.protection
    if given is None:
        return Protection()
    return Protection(
        interval_ns=given.interval_ms * MILLISECOND_NS,
        lots=given.lots,
        delta=round(config.lots(given.delta_btc) * 1e6),
        reset_after_ns=given.reset_after_ms * MILLISECOND_NS,
    )


def _verdict(parameters_ppm: ParametersPpm, universe: Universe) -> str:
    found = arbitrage_at(slices_of(parameters_ppm), universe.expiries_s, 0)
    if not found:
        return "; free of arbitrage"
    return "; not free of arbitrage: " + ", ".join(map(str, found))
