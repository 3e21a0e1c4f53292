"""A desk and the simulated exchange that speak FIX: the run is the same, and every message is by the book."""

from pathlib import Path

import numpy as np
import pytest
import simplefix

from pyorch.app.desk_config import load_desk
from pyorch.app.desk_run import desk_figures, run_desk
from pyorch.app.journal import Journal
from pyorch.market.clock import insert_timer_ticks
from pyorch.market.simulate import simulate
from pyorch.trading.exchange.over_fix import VenueRoute
from pyorch.trading.sample import random_quoting_bundle

CONFIG = """
[market]
seconds = 10
seed = 7
[desk]
route = "{route}"
[exchange]
seed = 3
[exchange.flow]
random_per_s = 20.0
[exchange.requests]
per_s = 4.0
informed_shares = [0.0, 1.0]
[requests]
scores = [1.0, 0.2]
[execution]
halt_volatility_percent = 1000.0
pause_spread_ticks = 100
wide_spread_ticks = 90
slippage_cap_ticks = 60
[[parents]]
at_s = 3.0
over_s = 4.0
option = 4
side = "buy"
contracts = 20.0
[[exchange.venues]]
name = "VENUE"
outages_s = [6.0]
outage_ms = 700
[[orders]]
at_s = 8.0
order = "kill"
who = "R. Officer"
why = "drill"
[[orders]]
at_s = 8.5
order = "rearm"
who = "R. Officer"
why = "drill over"
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Journal, Journal, bytes]:
    """The same desk without and with sessions, and every byte of the latter."""
    folder = tmp_path_factory.mktemp("desks")
    bundle = random_quoting_bundle(5, insert_timer_ticks(simulate(7, 10.0)))
    said = bytearray()
    journals = []
    original = VenueRoute._pump

    def overheard(self: VenueRoute, now_ns: int) -> None:
        while self._wire.bytes_:
            said.extend(self._wire.bytes_[0][1])
            to_venue, data = self._wire.bytes_.popleft()
            (self.venue if to_venue else self.desk).receive(data, now_ns)

    for route in ("direct", "fix"):
        path = folder / f"{route}.toml"
        path.write_text(CONFIG.format(route=route))
        VenueRoute._pump = overheard  # type: ignore[method-assign]
        try:
            journals.append(run_desk(load_desk(path), Path(), bundle, folder / route))
        finally:
            VenueRoute._pump = original  # type: ignore[method-assign]
    return journals[0], journals[1], bytes(said)


def test_sessions_change_nothing_in_a_run(runs: tuple[Journal, Journal, bytes]) -> None:
    direct, over_fix, _ = runs
    assert np.array_equal(direct.quotes, over_fix.quotes)
    assert direct.fix == over_fix.fix
    for name in ("fills", "inputs", "parents", "requests", "positions_lots"):
        assert direct.run.facts["desk"][name] == over_fix.run.facts["desk"][name], name
    facts = over_fix.run.facts["desk"]
    assert facts["fills"]
    assert facts["inputs"]["disconnected"] == 1
    assert facts["requests"]["answered"] > 0
    session, asked = facts["sessions"]
    assert session["logons"] == 2  # at the start, and after the outage
    assert (asked["name"], asked["logons"], asked["unsent"]) == ("REQUESTS", 1, 0)
    figures = desk_figures(over_fix)
    assert figures["fix_VENUE_sent"] == session["sent"] > 50
    assert figures["fix_VENUE_heard"] == session["heard"] > 50


def test_an_independent_decoder_reads_both_directions(runs: tuple[Journal, Journal, bytes]) -> None:
    parser = simplefix.FixParser()
    parser.append_buffer(runs[2])
    kinds: dict[tuple[bytes, bytes], int] = {}
    numbers: dict[tuple[bytes, bytes], int] = {}
    while (message := parser.get_message()) is not None:
        sender, kind = message.get(49), message.get(35)
        kinds[sender, kind] = kinds.get((sender, kind), 0) + 1
        session = (sender, message.get(56))
        assert int(message.get(34)) == numbers.get(session, 0) + 1
        numbers[session] = int(message.get(34))
        assert kind not in (b"3", b"j", b"2")
        if kind == b"i":
            assert 0 < int(message.get(295)) <= 16
            assert message.get(9019) == b"desk"
        if kind == b"A" and message.get(56) == b"VENUE":
            assert message.get(9001) == b"Y"
    desk = next(sender for sender, target in numbers if target == b"VENUE")
    assert {kind for sender, kind in kinds if sender == desk} >= {b"A", b"AF", b"i", b"D", b"S"}
    assert {kind for sender, kind in kinds if sender == b"VENUE"} >= {b"A", b"8", b"b"}
    assert {kind for sender, kind in kinds if sender == b"REQUESTS"} >= {b"A", b"R", b"AJ"}
