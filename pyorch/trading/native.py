"""The native quoting path: settings handed over, journal records received."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pyorch import _native
from pyorch.trading.fix.codec import FixCodec
from pyorch.trading.inputs import InputArray
from pyorch.trading.plan import QuotingPlan
from pyorch.trading.records import QUOTE_DTYPE, TICK_DTYPE, JournalBatch
from pyorch.trading.stated_answer import AnswerSource

_LAYOUT = (
    [int(TICK_DTYPE.fields[name][1]) for name in TICK_DTYPE.names or ()],  # type: ignore[index]
    [int(QUOTE_DTYPE.fields[name][1]) for name in QUOTE_DTYPE.names or ()],  # type: ignore[index]
)


def native_settings(
    plan: QuotingPlan, answers: AnswerSource = AnswerSource.ENGINES
) -> _native.QuotingSettings:
    """The plan as the native path takes it."""
    if _native.journal_layout() != _LAYOUT:
        raise ImportError(
            "pyorch._native has another journal layout than pyorch.trading.records: rebuild the "
            "native module (scripts/test does)"
        )
    settings = _native.QuotingSettings()
    settings.answers = int(answers)
    universe, terms, limits, codec = plan.universe, plan.terms, plan.limits, plan.codec
    first = [option for option in universe.options if option.expiry == 0]
    strikes = sorted({option.strike_usd for option in first})
    settings.strikes_usd = strikes
    settings.expiries_s = list(universe.expiries_s)
    settings.rights = len(first) // len(strikes)
    settings.half_tick_usd = universe.half_tick_usd
    settings.set_surface([list(values) for values in plan.surface_ppm], plan.maximum_surface_age_ns)
    for rule in plan.rules:
        settings.add_rule(
            armed=rule.armed,
            endangered_down=rule.endangered == "down",
            both_sides=rule.both_sides,
            outputs=list(rule.outputs),
            thresholds=list(rule.thresholds),
            releases=list(rule.releases),
            widen_bp100=rule.widen_bp100,
            size_percent=rule.size_percent,
            dwell_ns=rule.dwell_ns,
            reach=rule.reach,
            caution=rule.caution,
        )
    shift, skew = plan.fair_shift, plan.inventory
    settings.set_fair_shift(
        up=shift.up,
        down=shift.down,
        move_bp100=shift.move_bp100,
        deadband=shift.deadband,
        maximum_bp100=shift.maximum_bp100,
        step_bp100=shift.step_bp100,
        armed=shift.armed,
    )
    settings.set_inventory(
        delta_skew_bp100=skew.delta_skew_bp100,
        delta_scale_lots=skew.delta_scale_lots,
        position_skew_bp100=skew.position_skew_bp100,
        position_scale_lots=skew.position_scale_lots,
    )
    settings.base_half_spread_bp100 = plan.base_half_spread_bp100
    settings.set_terms(
        tick_nano=terms.tick_nano,
        coarse_tick_factor=terms.coarse_tick_factor,
        coarse_from_nano=terms.coarse_from_nano,
        base_nano=terms.base_nano,
        size_lots=terms.size_lots,
        minimum_size_lots=terms.minimum_size_lots,
        minimum_change_ticks=terms.minimum_change_ticks,
        minimum_interval_ns=terms.minimum_interval_ns,
    )
    protection = limits.protection
    settings.set_limits(
        price_collar_ticks=limits.price_collar_ticks,
        bounds=[
            limits.position_limit_lots,
            limits.delta,
            limits.gamma,
            limits.vega,
            limits.notional_limit_lots,
        ],
        quotes_per_second=limits.quotes_per_second,
        quotes_burst=limits.quotes_burst,
        positions_lots=list(limits.positions_lots),
        venues=list(limits.venue_of),
        acknowledged=limits.acknowledged,
        acknowledge_ns=limits.acknowledge_ns,
        reference_interval_ns=limits.reference_interval_ns,
        reference_age_ns=limits.reference_age_ns,
        protection=[
            protection.interval_ns,
            protection.lots,
            protection.delta,
            protection.reset_after_ns,
        ],
    )
    settings.targets = list(plan.targets)
    settings.set_fix(
        sender=codec.sender,
        target=codec.target,
        account=codec.account,
        underlying=codec.underlying,
        symbols=list(codec.symbols),
        price_units=codec.price.units,
        price_places=codec.price.places,
        size_units=codec.size.units,
        size_places=codec.size.places,
    )
    settings.features, settings.outputs = plan.features, plan.outputs
    settings.probability_outputs = list(plan.probability_outputs)
    settings.warm_up_ticks, settings.cold_bp100 = plan.warm_up_ticks, plan.cold_bp100
    settings.origin_ns = plan.origin_ns
    return settings


def order_templates(codec: FixCodec) -> _native.FixOrderTemplates:
    """The native encoder of a session's orders; its bytes are the codec's."""
    return _native.FixOrderTemplates(
        codec.sender,
        codec.target,
        codec.account,
        codec.symbols,
        (codec.price.units, codec.price.places),
        (codec.size.units, codec.size.places),
    )


def input_words(inputs: InputArray) -> NDArray[np.int64]:
    """Rows of `pyorch.trading.inputs.INPUT_DTYPE` as int64 [rows, 8], as native code receives them."""
    return np.ascontiguousarray(inputs).view(np.int64).reshape(-1, 8)


def batch_of(ticks: bytes, quotes: bytes, fix: bytes) -> JournalBatch:
    """A journal batch from the bytes of the rings."""
    return JournalBatch(np.frombuffer(ticks, TICK_DTYPE), np.frombuffer(quotes, QUOTE_DTYPE), fix)
