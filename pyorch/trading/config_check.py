"""What a quoting configuration must satisfy beyond its types, with the line of the key at fault."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from pyorch.contract.errors import UsageError
from pyorch.contract.settings_file import line_of
from pyorch.trading.surface import PARAMETERS, Kind, arbitrage_at, slices_of

if TYPE_CHECKING:
    from pyorch.trading.config import QuotingConfig

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


def check(config: QuotingConfig, path: Path, text: str) -> None:
    """What one key's type cannot say: keys that must fit each other."""

    def fail(table: str, key: str, message: str) -> None:
        line = line_of(text, [(table, 0), (key, 0)])
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
    if config.inventory is not None and not 1 <= config.delta_scale_lots <= MAXIMUM_SCALE_LOTS:
        fail(
            "inventory",
            "delta_scale_btc",
            f"is {config.delta_scale_lots} lots of {config.quoting.lot_btc} BTC; "
            f"1 to {MAXIMUM_SCALE_LOTS} are possible",
        )
    elsewhere = [days for venue in config.fix.further for days in venue.expiries_days]
    for day in elsewhere:
        if day not in config.universe.expiries_days or elsewhere.count(day) > 1:
            fail(
                "fix",
                "further",
                f"expiry of {day} days is not quoted, or at two venues; "
                f"universe.expiries_days has {list(config.universe.expiries_days)}",
            )
    if len(set(config.targets)) < len(config.targets):
        fail("fix", "further", f"two venues have the same target of {list(config.targets)}")
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
        line = line_of(text, [("rules", index)])
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
