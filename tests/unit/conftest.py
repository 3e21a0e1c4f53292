"""What several unit tests begin with."""

import pytest

from sim.venues.fix_by_hand import Peer


@pytest.fixture(params=["FIX.4.2", "FIX.4.4"])
def peer(request: pytest.FixtureRequest) -> Peer:
    """Logged on."""
    one = Peer(request.param)
    one.log_on()
    return one
