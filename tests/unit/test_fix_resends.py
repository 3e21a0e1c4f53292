"""Session-level cases of the FIX specification (4.4, volume 2): what is sent again, and resets of numbers."""

import pytest

from pyorch.trading.fix.codec import sending_time
from pyorch.trading.fix.echo import Echo
from pyorch.trading.fix.link import Link
from pyorch.trading.fix.message import Message
from pyorch.trading.fix.session_terms import SECOND_NS
from sim.venues.fix_by_hand import NOON, ORDER, Peer


def test_what_is_asked_for_again_comes_with_its_first_time_and_gap_fills(peer: Peer) -> None:
    """[8]"""
    for number in (2, 3):
        peer.say(f"35=1|34={number}|112=HELLO")
    for number in (4, 5):
        peer.say(f"35=D|34={number}|{ORDER}")
    peer.say("35=1|34=6|112=HELLO")
    first = sending_time(NOON).decode()
    peer.now_ns += SECOND_NS
    fills = [f"35=4|34=1|43=Y|122={sending_time(peer.now_ns).decode()}|36=4|123=Y"]
    orders = [f"35=D|34={n}|43=Y|122={first}|{ORDER}" for n in (4, 5)]
    last = f"35=4|34=6|43=Y|122={sending_time(peer.now_ns).decode()}|36=7|123=Y"
    assert peer.say("35=2|34=7|7=1|16=3") == fills
    assert peer.say("35=2|34=8|7=1|16=5") == [*fills, *orders]
    assert peer.say("35=2|34=9|7=1|16=0") == [*fills, *orders, last]
    assert peer.say("35=2|34=3|7=1|16=0") == [*fills, *orders, last]  # whatever its number
    assert peer.say("35=1|34=10|112=HELLO") == ["35=0|34=7|112=HELLO"]


def test_orders_older_than_the_limit_are_never_sent_again() -> None:
    peer = Peer(resend_limit_ns=5 * SECOND_NS)
    peer.log_on()
    peer.say(f"35=D|34=2|{ORDER}")
    peer.wait(4)
    peer.say(f"35=D|34=3|{ORDER}")
    peer.wait(2)
    now = sending_time(peer.now_ns).decode()
    first = sending_time(NOON + 4 * SECOND_NS).decode()
    wanted = [
        f"35=4|34=1|43=Y|122={now}|36=3|123=Y",
        f"35=D|34=3|43=Y|122={first}|{ORDER}",
    ]
    assert peer.say("35=2|34=4|7=1|16=0") == wanted
    peer.wait(4)
    answers = peer.say("35=2|34=5|7=1|16=0")
    assert [one.split("|")[0] for one in answers] == ["35=4"]
    assert (peer.session.counts.lapsed, peer.session.counts.resent) == (2, 1)


def test_with_a_limit_of_nothing_nothing_is_sent_again_not_even_what_left_a_moment_ago() -> None:
    peer = Peer(resend_limit_ns=0)
    peer.log_on()
    application = peer.link.application

    def hear(message: Message, link: Link) -> None:  # its clock is ahead of the bytes' arrival
        link.now_ns += SECOND_NS
        Echo().hear(message, link)

    application.hear = hear  # type: ignore[method-assign]
    order, ask = peer.bytes_of(f"35=D|34=2|{ORDER}"), peer.bytes_of("35=2|34=3|7=2|16=0")
    answers = peer.raw(order + ask)
    assert [one.split("|")[0] for one in answers] == ["35=D", "35=4"]
    assert (peer.session.counts.lapsed, peer.session.counts.resent) == (1, 0)


def test_a_resend_request_for_what_was_never_sent_is_rejected(peer: Peer) -> None:
    wanted = "58=Value is incorrect (out of range) for this tag|371=7|372=2|373=5"
    assert peer.say("35=2|34=2|7=9|16=0") == [f"35=3|34=2|45=2|{wanted}"]
    assert peer.say("35=2|34=3|7=0|16=0") == [f"35=3|34=3|45=3|{wanted}"]


def test_both_sides_may_ask_at_the_same_time(peer: Peer) -> None:
    """[20]"""
    first = sending_time(NOON).decode()
    for number in (2, 3):
        peer.say(f"35=D|34={number}|{ORDER}")
    assert peer.say("35=0|34=7") == ["35=2|34=4|7=4|16=0"]
    assert peer.say("35=2|34=8|7=2|16=3") == [
        f"35=D|34={number}|43=Y|122={first}|{ORDER}" for number in (2, 3)
    ]
    for number in (4, 5, 6):
        assert peer.say(f"35=0|34={number}|43=Y|122={first}") == []
    assert peer.session.state.next_in == 9
    assert peer.say("35=5|34=7") == ["35=5|34=5"]


def test_a_gap_that_is_not_closed_is_asked_for_again(peer: Peer) -> None:
    assert peer.say("35=0|34=4") == ["35=2|34=2|7=2|16=0"]
    assert peer.wait(4.9) == []
    assert peer.wait(0.1) == ["35=2|34=3|7=2|16=0"]


@pytest.mark.parametrize(("flag", "number"), [("", 0), ("|123=N", 0), ("|123=N", 77)])
def test_a_reset_of_numbers_goes_forward_only(peer: Peer, flag: str, number: int) -> None:
    """[11]"""
    assert peer.say(f"35=4|34={number}|36=25{flag}") == []
    assert peer.say("35=1|34=25|112=HELLO") == ["35=0|34=2|112=HELLO"]
    assert peer.say(f"35=4|34={number}|36=26{flag}") == []
    assert peer.say("35=1|34=26|112=HELLO") == ["35=0|34=3|112=HELLO"]
    text = "58=Value is incorrect (out of range) for this tag|372=4|373=5"
    assert peer.say(f"35=4|34={number}|36=1{flag}") == [f"35=3|34=4|45={number}|{text}"]
    assert peer.say("35=1|34=27|112=HELLO") == ["35=0|34=5|112=HELLO"]


def test_a_gap_fill_moves_the_number_that_is_due(peer: Peer) -> None:
    """[10]"""
    assert peer.say("35=4|34=2|36=20|123=Y") == []
    assert peer.say("35=1|34=20|112=HELLO") == ["35=0|34=2|112=HELLO"]


def test_a_gap_fill_behind_a_gap_waits(peer: Peer) -> None:
    """[10]"""
    assert peer.say("35=4|34=4|36=20|123=Y") == ["35=2|34=2|7=2|16=0"]
    assert peer.say("35=1|34=20|112=HELLO") == []
    assert peer.say("35=0|34=2") == []
    assert peer.say("35=0|34=3") == ["35=0|34=3|112=HELLO"]


def test_an_old_gap_fill_is_ignored_as_a_duplicate_and_ends_the_session_otherwise(
    peer: Peer,
) -> None:
    """[10]"""
    first = sending_time(NOON - SECOND_NS).decode()
    assert peer.say(f"35=4|34=1|43=Y|122={first}|36=20|123=Y") == []
    assert peer.say("35=1|34=2|112=HELLO") == ["35=0|34=2|112=HELLO"]
    text = "MsgSeqNum too low, expecting 3 but received 1"
    assert peer.say("35=4|34=1|36=20|123=Y") == [f"35=5|34=3|58={text}"]
    assert peer.closed == [text]


def test_a_rejected_message_counts_and_those_behind_it_are_taken_in_order(peer: Peer) -> None:
    assert peer.say("35=1|34=3|112=HELLO1") == ["35=2|34=2|7=2|16=0"]
    first = sending_time(NOON).decode()
    assert peer.say(f"35=D|34=2|43=Y|122={first}|{ORDER}|126=20040415") == [
        "35=3|34=3|45=2|58=Incorrect data format for value|371=126|372=D|373=6",
        "35=0|34=4|112=HELLO1",
    ]
    assert peer.say("35=1|34=4|112=HELLO2") == ["35=0|34=5|112=HELLO2"]
