"""`QuotingConfig`: what is quoted, how, by which rules and within which limits, read from TOML.

The default lies beside this file (`quoting.toml`). Every key carries its unit; an unknown key, a wrong
type or a value outside its limits is refused with the file, the line, the key and the limit.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from pyorch.contract.digest import digest_of
from pyorch.contract.settings_file import read_settings
from pyorch.trading.config_check import check
from pyorch.trading.fair_shift import InventorySkew
from pyorch.trading.records import MAXIMUM_RULES

Positive = Annotated[int, Meta(ge=1, le=1_000_000_000)]
Count = Annotated[int, Meta(ge=0, le=1_000_000_000)]
Milliseconds = Annotated[int, Meta(ge=0, le=86_400_000)]
Probability = Annotated[float, Meta(ge=0.0, le=1.0)]
BasisPoints = Annotated[float, Meta(ge=0.0, le=10_000.0)]
Coefficient = Annotated[float, Meta(ge=-100.0, le=100.0)]
Wing = Annotated[float, Meta(ge=0.01, le=100.0)]
Amount = Annotated[float, Meta(gt=0.0, le=1_000_000.0)]
Identifier = Annotated[str, Meta(pattern="^[A-Za-z0-9_.-]{1,32}$")]

NANO_BTC = 1_000_000_000
"""1e-9 BTC a bitcoin."""


class Universe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which options: ``strikes`` around the opening forward, for each expiry calls (and puts)."""

    strikes: Annotated[int, Meta(ge=1, le=32)]
    strike_step_usd: Positive
    expiries_days: Annotated[tuple[Annotated[int, Meta(ge=1, le=3650)], ...], Meta(min_length=1)]
    both_rights: bool = True


class SurfaceConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Per expiry an SVI slice over ``y = ln(K/F)/√years``: see `pyorch.trading.surface`.

    Near the money ``volatility = atm + skew y + curvature y²``; in the wings the variance a year rises by
    ``put_wing`` and ``call_wing`` a unit of |y|.

    Attributes:
        maximum_age_ms: a surface that the tape moves is stale when its last row is older: nothing is
            quoted.
    """

    atm_volatility: tuple[Annotated[float, Meta(ge=0.01, le=5.0)], ...]
    skew: tuple[Coefficient, ...]
    curvature: tuple[Coefficient, ...]
    put_wing: tuple[Wing, ...]
    call_wing: tuple[Wing, ...]
    maximum_age_ms: Milliseconds


class QuotingRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ticks, spreads, sizes and throttle. ``coarse_tick_factor`` 1: one tick for all prices."""

    option_tick_btc: str
    coarse_tick_factor: Annotated[int, Meta(ge=1, le=1000)] = 1
    coarse_from_btc: str = "0.005"
    lot_btc: str
    base_half_spread_bp: BasisPoints
    minimum_half_spread_ticks: Count
    size_lots: Positive
    minimum_size_lots: Positive
    minimum_change_ticks: Positive = 1
    minimum_interval_ms: Milliseconds = 0
    warm_up_ticks: Count


class Condition(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``output`` (``head.output``) is at least ``probability``; None: set from the calibration block."""

    output: Annotated[str, Meta(pattern=r"^\w+\.\w+$")]
    probability: Probability | None = None


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All conditions hold → the sides that a move towards ``endangered`` hurts are protected.

    Attributes:
        fires_at_most_percent: sets the conditions without ``probability`` to the quantile of their
            calibrated score that leaves this share of the calibration block's ticks above it.
        both_sides: bid and ask widen; otherwise only the endangered one.
        expires_within_days: only options that expire so many days after the tape's first day, or sooner, are
            affected; None: all.
        release_margin: while acting, conditions need this much less to keep it acting.
    """

    name: Identifier
    endangered: Literal["down", "up"]
    conditions: Annotated[tuple[Condition, ...], Meta(min_length=1, max_length=8)]
    fires_at_most_percent: Annotated[float, Meta(gt=0.0, le=100.0)] | None = None
    widen_bp: BasisPoints
    size_cut_percent: Annotated[int, Meta(ge=0, le=99)]
    both_sides: bool = True
    expires_within_days: Annotated[int, Meta(ge=1, le=3650)] | None = None
    dwell_ms: Milliseconds = 0
    release_margin: Probability = 0.0


class FairShift(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Fair values move by each option's premium-adjusted delta times a forecast move of the underlying.

    Attributes:
        up, down: ``head.output``, probabilities; the forecast is ``move_bp`` times their difference.
        move_bp: in bp of the underlying; 0 disarms.
        deadband: smaller differences forecast nothing.
        maximum_bp: the forecast stays within it.
        step_bp: smaller changes of the forecast are left.
    """

    up: Annotated[str, Meta(pattern=r"^\w+\.\w+$")]
    down: Annotated[str, Meta(pattern=r"^\w+\.\w+$")]
    move_bp: BasisPoints
    deadband: Probability = 0.0
    maximum_bp: BasisPoints
    step_bp: BasisPoints = 0.0


class Inventory(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Quotes lean against what is held.

    Attributes:
        delta_skew_bp: of the underlying, when the portfolio's delta is ``delta_scale_btc``.
        position_skew_bp: of the underlying, when an option's position is ``risk.position_limit_lots``.
    """

    delta_skew_bp: BasisPoints
    delta_scale_btc: Annotated[float, Meta(gt=0.0)]
    position_skew_bp: BasisPoints


class Caution(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is added where the engines' answer is inexact, unverified or late (docs/failover.md)."""

    widen_bp: BasisPoints = 15.0
    size_cut_percent: Annotated[int, Meta(ge=0, le=99)] = 30
    dwell_ms: Milliseconds = 1000


class RiskLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits of the risk gate; every quote passes all of them or is not sent.

    Position, delta, gamma, vega and lots are limited in the worst case: everything that could be filled on
    the bad side is filled.

    Attributes:
        delta_limit_btc: premium-adjusted delta of the portfolio, in BTC, either way.
        gamma_limit_btc: change of that delta for 1 % of the underlying.
        vega_limit_btc: change of the portfolio's value for a volatility point.
        acknowledge_ms: a venue that owes an answer for longer counts as down.
        reference_interval_ms: how often the collar's independent fair values are priced.
        reference_age_ms: without a trade of the underlying for longer there are none, and no quotes.
    """

    price_collar_ticks: Positive
    position_limit_lots: Positive
    notional_limit_lots: Positive
    delta_limit_btc: Amount
    gamma_limit_btc: Amount
    vega_limit_btc: Amount
    quotes_per_second: Positive
    quotes_burst: Positive
    acknowledge_ms: Milliseconds
    reference_interval_ms: Annotated[int, Meta(ge=1, le=86_400_000)]
    reference_age_ms: Annotated[int, Meta(ge=1, le=86_400_000)]


class MarketMakerProtection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Too many fills within an interval withdraw everything.

    Attributes:
        lots: filled within ``interval_ms``, both sides together.
        delta_btc: net delta filled within it.
        reset_after_ms: quoting begins again by itself after it; 0: only when an operator says so.
    """

    interval_ms: Annotated[int, Meta(ge=1, le=86_400_000)]
    lots: Positive
    delta_btc: Amount
    reset_after_ms: Milliseconds


class FurtherVenue(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A venue beside the first: the expiries that are quoted there."""

    target: Identifier
    expiries_days: Annotated[tuple[int, ...], Meta(min_length=1)]


class FixIdentity(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """CompIDs and account of the FIX 4.4 sessions; ``target`` is the venue of all other expiries."""

    sender: Identifier
    target: Identifier
    account: Identifier
    further: Annotated[tuple[FurtherVenue, ...], Meta(max_length=7)] = ()


class QuotingConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of it."""

    universe: Universe
    surface: SurfaceConfig
    quoting: QuotingRules
    rules: Annotated[tuple[Rule, ...], Meta(max_length=MAXIMUM_RULES)]
    fair_shift: FairShift | None = None
    inventory: Inventory | None = None
    caution: Caution = Caution()
    risk: RiskLimits
    protection: MarketMakerProtection | None = None
    fix: FixIdentity

    def digest(self) -> str:
        """SHA-256 of the canonical JSON of all values."""
        return digest_of(msgspec.to_builtins(self))

    @property
    def option_count(self) -> int:
        """How many options are quoted."""
        universe = self.universe
        return universe.strikes * len(universe.expiries_days) * (2 if universe.both_rights else 1)

    @property
    def tick_nano(self) -> int:
        """The option's price tick in 1e-9 BTC."""
        return _nano(self.quoting.option_tick_btc)

    @property
    def coarse_from_nano(self) -> int:
        """Where coarse ticks begin, in 1e-9 BTC."""
        return _nano(self.quoting.coarse_from_btc)

    @property
    def base_half_spread_bp100(self) -> int:
        """The base half spread in bp × 100, rounded up."""
        return bp100(self.quoting.base_half_spread_bp)

    @property
    def inventory_skew(self) -> InventorySkew:
        """The inventory's skew in integers."""
        if self.inventory is None:
            return InventorySkew()
        return InventorySkew(
            delta_skew_bp100=bp100(self.inventory.delta_skew_bp),
            delta_scale_lots=self.delta_scale_lots,
            position_skew_bp100=bp100(self.inventory.position_skew_bp),
            position_scale_lots=self.risk.position_limit_lots,
        )

    @property
    def targets(self) -> tuple[str, ...]:
        """Per venue its TargetCompID."""
        return self.fix.target, *(venue.target for venue in self.fix.further)

    @property
    def venue_of_expiry(self) -> tuple[int, ...]:
        """Per expiry its venue."""
        where = {d: k for k, v in enumerate(self.fix.further, 1) for d in v.expiries_days}
        return tuple(where.get(days, 0) for days in self.universe.expiries_days)

    def lots(self, btc: float) -> float:
        """An amount of the underlying in lots."""
        return btc / float(self.quoting.lot_btc)

    @property
    def delta_scale_lots(self) -> int:
        """The portfolio's delta at which the whole skew holds; 0 without one."""
        scale = self.inventory.delta_scale_btc if self.inventory is not None else 0.0
        return round(scale / float(self.quoting.lot_btc))


def bp100(bp: float) -> int:
    """Basis points → integer hundredths of one, rounded up (outward) beyond 1e-6 of a hundredth."""
    return -int(-(bp * 100 - 1e-6) // 1)


def _nano(text: str) -> int:
    return int(Decimal(text) * NANO_BTC)


def default_path() -> Path:
    """The default configuration's file."""
    return Path(__file__).with_name("quoting.toml")


def load_config(path: Path | None = None) -> QuotingConfig:
    """Read a configuration; the project's default for None.

    Raises:
        UsageError: unreadable, not TOML, an unknown key, a value outside its limits, or parts that
            do not fit together; the message names file, line and key.
    """
    path = path or default_path()
    config, text = read_settings(path, QuotingConfig)
    check(config, path, text)
    return config
