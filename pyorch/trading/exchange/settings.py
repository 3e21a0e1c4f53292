"""How a simulated exchange behaves; every key carries its unit."""

from __future__ import annotations

import math
from random import Random
from typing import Annotated

import msgspec
from msgspec import Meta

Microseconds = Annotated[float, Meta(ge=0.0, le=60_000_000.0)]
Share = Annotated[float, Meta(ge=0.0, le=1.0)]
Count = Annotated[int, Meta(ge=0, le=1_000_000_000)]
NORMAL_P99 = 2.3263478740408408
"""The 99th percentile of the normal distribution."""


class Latency(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A lognormal delay by its median and 99th percentile."""

    p50_us: Microseconds
    p99_us: Microseconds

    def draw_ns(self, random: Random) -> int:
        """One delay."""
        if self.p50_us <= 0:
            return 0
        sigma = math.log(max(self.p99_us, self.p50_us) / self.p50_us) / NORMAL_P99
        return round(1000 * self.p50_us * math.exp(sigma * random.gauss(0.0, 1.0)))


class VenueProtection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The venue's market-maker protection: so many lots within an interval, and all quotes are gone."""

    interval_ms: Annotated[int, Meta(ge=1, le=86_400_000)] = 1000
    lots: Annotated[int, Meta(ge=1, le=1_000_000_000)] = 600


class VenueSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One venue.

    Attributes:
        name: the TargetCompID of its session.
        outward, inward: our messages' way there, its reports' way back.
        second_route: the way of a kill that goes round the session.
        reject_share: of entries, refused for no reason of ours.
        entries_per_s, entries_burst: quotes that it accepts; more are refused.
        outages_s: when the session breaks, in seconds after the market's first row; quotes are cancelled.
        outage_ms: how long it stays down.
    """

    name: str
    outward: Latency = Latency(p50_us=1500.0, p99_us=4000.0)
    inward: Latency = Latency(p50_us=1500.0, p99_us=4000.0)
    second_route: Latency = Latency(p50_us=4000.0, p99_us=12_000.0)
    reject_share: Share = 0.001
    entries_per_s: Annotated[int, Meta(ge=1, le=1_000_000_000)] = 20_000
    entries_burst: Annotated[int, Meta(ge=1, le=1_000_000_000)] = 2000
    protection: VenueProtection = VenueProtection()
    outages_s: tuple[float, ...] = ()
    outage_ms: Annotated[int, Meta(ge=1, le=86_400_000)] = 2000


class FlowSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who else is there.

    Attributes:
        market_lead_us: how much earlier than the desk the others see the underlying.
        random_per_s: takers without information, over all options of a venue.
        patience_bp: mean distance from fair value that they pay, exponential, bp of the underlying.
        random_lots: the most that one wants.
        stale_edge_bp: quotes this far beyond fair value are hit ...
        stale_reaction_us: ... this long after the underlying moved.
        stale_lots: wanted by each of them.
        informed_ahead_ms: informed takers know fair values that much ahead; 0: there are none.
        informed_share: of moves that they know.
        informed_edge_bp, informed_lots: like those of stale quotes.
        maker_half_spread_bp: of other makers, around fair value.
        maker_lots: the most that another maker shows.
    """

    market_lead_us: Microseconds = 500.0
    random_per_s: Annotated[float, Meta(ge=0.0, le=1e6)] = 5.0
    patience_bp: Annotated[float, Meta(ge=0.0, le=1e4)] = 3.0
    random_lots: Annotated[int, Meta(ge=1, le=1_000_000)] = 10
    stale_edge_bp: Annotated[float, Meta(ge=0.0, le=1e4)] = 0.0
    stale_reaction_us: Microseconds = 3000.0
    stale_lots: Count = 20
    informed_ahead_ms: Annotated[float, Meta(ge=0.0, le=60_000.0)] = 100.0
    informed_share: Share = 0.5
    informed_edge_bp: Annotated[float, Meta(ge=0.0, le=1e4)] = 0.0
    informed_lots: Count = 20
    maker_half_spread_bp: Annotated[float, Meta(ge=0.0, le=1e4)] = 4.0
    maker_lots: Count = 60


class RequestFlowSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who asks for quotes.

    Attributes:
        per_s: requests, over all options; lots: the most that one is about.
        patience_bp: mean distance from value that is accepted, exponential, bp of the underlying.
        reaction_ms: from an answer to its acceptance.
        informed_shares: per counterparty, of its requests that know the value informed_ahead_ms ahead.
    """

    per_s: Annotated[float, Meta(ge=0.0, le=1e6)] = 0.0
    lots: Annotated[int, Meta(ge=1, le=1_000_000)] = 100
    patience_bp: Annotated[float, Meta(ge=0.0, le=1e4)] = 6.0
    reaction_ms: Annotated[float, Meta(ge=0.0, le=60_000.0)] = 200.0
    informed_ahead_ms: Annotated[float, Meta(ge=0.0, le=60_000.0)] = 1000.0
    informed_shares: Annotated[tuple[Share, ...], Meta(min_length=1, max_length=100)] = (0.0, 0.5)


class ExchangeSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All venues, and the flow that meets them. ``seed`` draws everything."""

    venues: Annotated[tuple[VenueSettings, ...], Meta(min_length=1, max_length=8)]
    flow: FlowSettings = FlowSettings()
    requests: RequestFlowSettings = RequestFlowSettings()
    seed: int = 1
