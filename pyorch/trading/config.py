"""`QuotingConfig`: what is quoted, how, by which rules and within which limits, read from TOML.

The default lies beside this file (`quoting.toml`). Every key carries its unit; an unknown key, a wrong
type or a value outside its limits is refused with the file, the line, the key and the limit.
"""

from __future__ import annotations

import re
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from pyorch.contract.digest import digest_of
from pyorch.contract.errors import UsageError
from pyorch.trading.fair_shift import InventorySkew
from pyorch.trading.records import MAXIMUM_RULES
from pyorch.trading.surface import PARAMETERS, Kind, arbitrage_at, slices_of

Positive = Annotated[int, Meta(ge=1, le=1_000_000_000)]
Count = Annotated[int, Meta(ge=0, le=1_000_000_000)]
Milliseconds = Annotated[int, Meta(ge=0, le=86_400_000)]
Probability = Annotated[float, Meta(ge=0.0, le=1.0)]
BasisPoints = Annotated[float, Meta(ge=0.0, le=10_000.0)]
Coefficient = Annotated[float, Meta(ge=-100.0, le=100.0)]
Wing = Annotated[float, Meta(ge=0.01, le=100.0)]
Identifier = Annotated[str, Meta(pattern="^[A-Za-z0-9_.-]{1,32}$")]

ADVICE: dict[Kind, tuple[str, str]] = {
    "skew": ("skew", "take less skew, or raise put_wing (call_wing for a rising one)"),
    "negative variance": ("atm_volatility", "raise it, or take less skew"),
    "wing": ("put_wing", "lower it and call_wing"),
    "butterfly": ("curvature", "raise the wings, or take less curvature or skew"),
    "calendar": ("atm_volatility", "raise the later expiry, or its wings"),
}
"""Kind of arbitrage → the key that the message points to, and what to try."""
MAXIMUM_OPTIONS = 256
MAXIMUM_SCALE_LOTS = 1_000_000
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


class RiskLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits of the risk gate; every quote passes all of them or is not sent."""

    price_collar_ticks: Positive
    position_limit_lots: Positive
    notional_limit_lots: Positive
    quotes_per_second: Positive
    quotes_burst: Positive


class FixIdentity(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """CompIDs and account of the FIX 4.4 session."""

    sender: Identifier
    target: Identifier
    account: Identifier


class QuotingConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of it."""

    universe: Universe
    surface: SurfaceConfig
    quoting: QuotingRules
    rules: Annotated[tuple[Rule, ...], Meta(max_length=MAXIMUM_RULES)]
    fair_shift: FairShift | None = None
    inventory: Inventory | None = None
    risk: RiskLimits
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
            delta_scale_lots=self._delta_scale_lots,
            position_skew_bp100=bp100(self.inventory.position_skew_bp),
            position_scale_lots=self.risk.position_limit_lots,
        )

    @property
    def _delta_scale_lots(self) -> int:
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
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read as text: {error}") from error
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: not TOML: {error}") from error
    try:
        config = msgspec.convert(values, QuotingConfig)
    except msgspec.ValidationError as error:
        raise UsageError(f"{_where(path, text, str(error))}: {error}") from error
    _check(config, path, text)
    return config


def _where(path: Path, text: str, message: str) -> str:
    """``path:line`` of the key that a msgspec message (``... - at `$.rules[0].name` ``) names."""
    located = re.search(r"at `\$\.?(.*)`$", message)
    unknown = re.search(r"unknown field `(\w+)`", message)
    parts = re.findall(r"(\w+)(?:\[(\d+|\.\.\.)\])?", located[1]) if located else []
    keys = [(name, int(index) if index.isdigit() else 0) for name, index in parts]
    if unknown:
        keys.append((unknown[1], 0))
    return f"{path}:{_line_of(text, keys)}" if keys else str(path)


def _line_of(text: str, keys: list[tuple[str, int]]) -> int:
    """The line of a key below its tables (the nearest that exists), counted from 1."""
    lines = text.splitlines()
    at = 0
    for depth, (name, index) in enumerate(keys):
        pattern = rf"\s*\[\[?{name}\]\]?" if depth == 0 else rf"(.*[{{,\s]|){name}\s*="
        for _ in range(index + 1 if depth == 0 else 1):
            found = [i for i, line in enumerate(lines) if i >= at and re.match(pattern, line)]
            if not found:
                return max(at, 1)
            at = found[0] + 1
    return at


def _check(config: QuotingConfig, path: Path, text: str) -> None:
    """What one key's type cannot say: keys that must fit each other."""

    def fail(table: str, key: str, message: str) -> None:
        line = _line_of(text, [(table, 0), (key, 0)])
        raise UsageError(f"{path}:{line}: {table}.{key}: {message}")

    expiries = len(config.universe.expiries_days)
    for key in PARAMETERS:
        count = len(getattr(config.surface, key))
        if count != expiries:
            fail("surface", key, f"has {count} values for {expiries} expiries; give one for each")
    if config.option_count > MAXIMUM_OPTIONS:
        fail(
            "universe",
            "strikes",
            f"makes {config.option_count} options, the limit is {MAXIMUM_OPTIONS}; take fewer",
        )
    if list(config.universe.expiries_days) != sorted(set(config.universe.expiries_days)):
        fail("universe", "expiries_days", "must rise, each day once")
    slices = slices_of(
        [[round(v * 1e6) for v in getattr(config.surface, name)] for name in PARAMETERS]
    )
    seconds = [86_400 * days for days in config.universe.expiries_days]
    for violation in arbitrage_at(slices, seconds, 0)[:1]:
        fail("surface", ADVICE[violation.kind][0], f"{violation}; {ADVICE[violation.kind][1]}")
    for key in ("option_tick_btc", "coarse_from_btc", "lot_btc"):
        value = getattr(config.quoting, key)
        if not re.fullmatch(r"\d{1,4}(\.\d{1,8})?", value) or Decimal(value) <= 0:
            fail("quoting", key, f'{value!r} is not a positive decimal such as "0.0001"')
    if config.coarse_from_nano % (config.tick_nano * config.quoting.coarse_tick_factor):
        fail("quoting", "coarse_from_btc", "is not a multiple of the coarse tick that begins there")
    if config.quoting.minimum_size_lots > config.quoting.size_lots:
        fail(
            "quoting",
            "minimum_size_lots",
            f"{config.quoting.minimum_size_lots} is above size_lots = {config.quoting.size_lots}",
        )
    if config.inventory is not None and not 1 <= config._delta_scale_lots <= MAXIMUM_SCALE_LOTS:
        fail(
            "inventory",
            "delta_scale_btc",
            f"is {config._delta_scale_lots} lots of {config.quoting.lot_btc} BTC; "
            f"1 to {MAXIMUM_SCALE_LOTS} are possible",
        )
    shift = config.fair_shift
    if shift is not None and shift.up == shift.down:
        fail("fair_shift", "up", f"is {shift.up} like down: the difference is always 0")
    if shift is not None and shift.step_bp > shift.maximum_bp:
        fail(
            "fair_shift",
            "step_bp",
            f"{shift.step_bp:g} is above maximum_bp = {shift.maximum_bp:g}: no forecast would be taken",
        )
    names = [rule.name for rule in config.rules]
    for index, rule in enumerate(config.rules):
        line = _line_of(text, [("rules", index)])
        where = f"{path}:{line}: rules[{index}] ({rule.name})"
        if names.count(rule.name) > 1:
            raise UsageError(f"{where}: the name is used twice; rules are reported by name")
        days = rule.expires_within_days
        if days is not None and days < config.universe.expiries_days[0]:
            raise UsageError(
                f"{where}: expires_within_days = {days} leaves no option, the nearest expiry is "
                f"{config.universe.expiries_days[0]} days off; raise it, or remove it for all"
            )
        literal = [c.probability is not None for c in rule.conditions]
        if rule.fires_at_most_percent is None and not all(literal):
            raise UsageError(
                f"{where}: a condition has no probability; "
                "give one, or fires_at_most_percent for the rule"
            )
        if rule.fires_at_most_percent is not None and all(literal):
            raise UsageError(
                f"{where}: fires_at_most_percent sets conditions without probability, all have one; "
                "remove it, or remove a probability"
            )
