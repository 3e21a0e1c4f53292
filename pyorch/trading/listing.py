"""The options that a venue lists, and the universe that a configuration chooses among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, cast

from pyorch.contract.errors import DataError, UsageError
from pyorch.trading.config import QuotingConfig
from pyorch.trading.pricing import Option, Universe


@dataclass(frozen=True, slots=True)
class Listed:
    """An option of a venue.

    Attributes:
        expiry_s: since 1970; tick, lot: the smallest price step and amount, as the venue writes them.
    """

    symbol: str
    strike_usd: int
    expiry_s: int
    right: Literal["call", "put"]
    tick: str
    lot: str


def listed_of(instruments: Sequence[dict[str, Any]]) -> tuple[Listed, ...]:
    """Of the answer to Deribit's ``public/get_instruments``; strikes that are no whole USD are left out.

    Raises:
        DataError: it is no such answer.
    """
    try:
        return tuple(
            Listed(
                str(one["instrument_name"]), int(one["strike"]),
                int(one["expiration_timestamp"]) // 1000, _right(one["option_type"]),
                repr(one["tick_size"]), repr(one["min_trade_amount"]),
            )
            for one in instruments
            if one["strike"] == int(one["strike"])
        )  # fmt: skip
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"this is no list of options: {error!r}") from error


def universe_of(
    config: QuotingConfig,
    listed: Sequence[Listed],
    origin_s: int,
    moments_s: Sequence[int],
    forward_usd: float,
    half_tick_usd: float,
    underlying: str,
) -> Universe:
    """Per wished expiry the nearest listed one, and of its strikes those around the forward.

    Args:
        origin_s: when the market begins; moments_s: the wished expiries; both since 1970.

    Raises:
        UsageError: the venue lists too little, or in other steps.
    """
    shape, options, expiries_s = config.universe, list[Option](), list[int]()
    rights: tuple[Literal["call", "put"], ...] = ("call", "put") if shape.both_rights else ("call",)
    later = sorted({one.expiry_s for one in listed if one.expiry_s > origin_s})
    for number, moment_s in enumerate(moments_s):
        expiry_s = min(later, key=lambda found: abs(found - moment_s), default=0)
        if expiry_s - origin_s in expiries_s or not expiry_s:
            raise UsageError(
                f"the venue lists {len(later)} expiries, none for universe.expiries_days[{number}] that "
                "another day has not taken; give days that it has"
            )
        expiries_s.append(expiry_s - origin_s)
        there = {(one.strike_usd, one.right): one for one in listed if one.expiry_s == expiry_s}
        strikes = sorted(
            strike
            for strike in {strike for strike, _ in there}
            if strike % shape.strike_step_usd == 0 and all((strike, r) in there for r in rights)
        )
        near = sorted(range(len(strikes)), key=lambda k: (abs(strikes[k] - forward_usd), -k))
        first = near[0] - shape.strikes // 2 if near else 0
        chosen = strikes[max(first, 0) : max(first, 0) + shape.strikes]
        if first < 0 or len(chosen) < shape.strikes:
            raise UsageError(
                f"the venue lists {len(strikes)} strikes {shape.strike_step_usd} USD apart for "
                f"universe.expiries_days[{number}], too few around {forward_usd:.0f} USD for "
                f"{shape.strikes}; give universe.strikes less"
            )
        for strike in chosen:
            for right in rights:
                one = there[strike, right]
                _check_sizes(config, one)
                options.append(Option(one.symbol, number, strike, one.right))
    return Universe(tuple(options), tuple(expiries_s), half_tick_usd, underlying)


def _check_sizes(config: QuotingConfig, one: Listed) -> None:
    wanted = config.quoting.option_tick_btc, config.quoting.lot_btc
    if (Decimal(one.tick), Decimal(one.lot)) != (Decimal(wanted[0]), Decimal(wanted[1])):
        raise UsageError(
            f"{one.symbol} has ticks of {one.tick} and lots of {one.lot} at the venue, "
            f"quoting.option_tick_btc is {wanted[0]} and quoting.lot_btc {wanted[1]}; give the venue's"
        )


def _right(text: str) -> Literal["call", "put"]:
    if text not in ("call", "put"):
        raise ValueError(f"{text!r} is no right")
    return cast(Literal["call", "put"], text)
