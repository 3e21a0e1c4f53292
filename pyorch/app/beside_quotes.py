"""What a desk of a configuration does beside its quotes: parent orders, requests for quotes."""

from __future__ import annotations

from pyorch.app.desk_config import DeskConfig
from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import UsageError
from pyorch.trading.desk_activity import ForecastReader
from pyorch.trading.executor import Executor
from pyorch.trading.plan import QuotingPlan
from pyorch.trading.request_quotes import RequestDesk


def beside_quotes(
    config: DeskConfig, plan: QuotingPlan, bundle: Bundle, arm: str, lot_btc: float, first_ns: int
) -> tuple[Executor, RequestDesk]:
    """Both, at the beginning of a market.

    Args:
        arm: one of `pyorch.app.replay.ARMS`; first_ns: when the market began.

    Raises:
        UsageError: a parent order of no option, or a second one of an option.
    """
    options = [one.option for one in config.parents]
    for number, option in enumerate(options):
        if option >= len(plan.universe.options):
            raise UsageError(
                f"parents[{number}].option is {option}; the universe has {len(plan.universe.options)} "
                "options, numbered from 0"
            )
        if option in options[:number]:
            raise UsageError(
                f"parents[{number}].option is {option}, as parents[{options.index(option)}]'s; a "
                "venue holds one order of ours an option beside the quotes: give each option one parent order"
            )
    reader = ForecastReader.of(bundle) if arm == "model" else None
    executor = Executor(
        config.execution, config.parents, reader, plan.limits.venue_of, lot_btc, first_ns
    )
    asked = RequestDesk(
        config.requests,
        reader,
        frozenset(options),
        plan.terms.tick_nano,
        plan.universe.half_tick_usd,
    )
    return executor, asked
