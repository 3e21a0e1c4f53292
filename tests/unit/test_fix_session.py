"""Session-level cases of the FIX specification (4.4, volume 2); the numbers in brackets are its own."""

import pytest

from pyorch.contract.errors import UsageError
from pyorch.trading.fix.codec import sending_time
from pyorch.trading.fix.session_terms import SECOND_NS
from sim.venues.fix_by_hand import HEARD_ORDER, NOON, ORDER, Peer


def test_a_logon_is_answered_and_a_logout_too(peer: Peer) -> None:
    """[1S, 13b]"""
    assert peer.say("35=5|34=2") == ["35=5|34=2"]
    assert peer.closed == ["logout"]


def test_a_logon_ahead_of_its_number_is_answered_before_the_gap_is_asked_for() -> None:
    """[1S-c]"""
    peer = Peer()
    assert peer.say("35=A|34=5|98=0|108=30") == ["35=A|34=1|98=0|108=30", "35=2|34=2|7=1|16=0"]
    assert peer.say("35=5|34=6") == ["35=5|34=3"]


@pytest.mark.parametrize(
    ("text", "changed", "why"),
    [
        ("35=A|34=1|98=0|108=30", {"tag49": "WT"}, "CompIDs or SendingTime of a logon"),
        ("35=A|34=1|98=0|108=30", {"tag56": "DLSI"}, "CompIDs or SendingTime of a logon"),
        (
            "35=A|34=1|98=0|108=30",
            {"tag52": "20010101-00:00:00"},
            "CompIDs or SendingTime of a logon",
        ),
        ("35=A|34=1|98=0|108=30", {"version": "FIX.3.9"}, "BeginString is FIX.3.9"),
        ("35=0|34=1", {}, "the first message is 0, no logon"),
    ],
)
def test_who_is_not_expected_is_cut_off_without_a_word(
    text: str, changed: dict[str, str], why: str
) -> None:
    """[1S-b, 1S-d]"""
    peer = Peer()
    assert peer.say(text, **changed) == []
    assert peer.closed == [why]


def test_a_garbled_logon_ends_the_connection() -> None:
    """[1S-d]"""
    peer = Peer()
    raw = peer.bytes_of("35=A|34=1|98=0|108=30")
    assert peer.raw(raw.replace(b"9=61", b"9=40")) == []
    assert peer.closed == ["garbled before the logon: BodyLength is 40, not 61"]


def test_a_negative_heartbeat_is_refused() -> None:
    peer = Peer()
    assert peer.say("35=A|34=1|98=0|108=-10") == ["35=5|34=1|58=HeartBtInt must not be negative"]
    assert peer.closed == ["HeartBtInt must not be negative"]


def test_a_reset_within_a_session_begins_both_numbers_anew(peer: Peer) -> None:
    for number in range(2, 10):
        assert peer.say(f"35=0|34={number}") == []
    peer.log_on("|141=Y")
    assert peer.say("35=1|34=2|112=1") == ["35=0|34=2|112=1"]


def test_a_second_logon_that_resets_nothing_ends_the_session(peer: Peer) -> None:
    assert peer.say("35=A|34=2|98=0|108=30") == ["35=5|34=2|58=Logon within a session"]
    assert peer.closed == ["Logon within a session"]


def test_a_number_that_is_too_high_is_asked_for_once_and_taken_in_order(peer: Peer) -> None:
    """[2b]"""
    assert peer.say("35=0|34=2") == []
    assert peer.say(f"35=D|34=6|{ORDER}") == ["35=2|34=2|7=3|16=0"]
    assert peer.say("35=0|34=7") == []
    assert [peer.say(f"35=0|34={number}") for number in (3, 4)] == [[], []]
    assert peer.say("35=0|34=5") == [HEARD_ORDER.format(3)]
    assert peer.session.state.next_in == 8


def test_a_number_that_is_too_low_ends_the_session(peer: Peer) -> None:
    """[2c]"""
    peer.say("35=0|34=2")
    peer.say("35=0|34=3")
    text = "MsgSeqNum too low, expecting 4 but received 2"
    assert peer.say("35=0|34=2") == [f"35=5|34=2|58={text}"]
    assert peer.closed == [text]


def test_a_message_without_a_number_ends_the_session(peer: Peer) -> None:
    """[2a]"""
    assert peer.say("35=1|112=TEST") == ["35=5|34=2|58=Received message without MsgSeqNum"]
    assert peer.closed == ["Received message without MsgSeqNum"]


@pytest.mark.parametrize(
    "harm", ["checksum", "field", "length short", "third field", "first field"]
)
def test_a_garbled_message_is_ignored_and_found_as_a_gap(peer: Peer, harm: str) -> None:
    """[2d, 2m, 2t, 3b, 3c]"""
    good = peer.bytes_of("35=0|34=2")
    bad = {
        "checksum": good[:-4] + b"256\x01",
        "field": good.replace(b"34=2\x01", b"34=2\x014garbled"),
        "length short": good.replace(b"9=", b"9=1\x01", 1),
        "third field": peer.bytes_of("35=0|34=2").replace(b"35=0\x0134=2", b"34=2\x0135=0"),
        "first field": b"35=0\x01" + peer.bytes_of("34=2|112=x"),
    }[harm]
    assert peer.raw(bad) == []
    assert peer.session.counts.garbled >= 1
    assert peer.say("35=0|34=3") == ["35=2|34=2|7=2|16=0"]
    assert peer.raw(good) == []
    assert peer.session.state.next_in == 4


def test_a_length_that_is_too_large_takes_the_next_message_with_it(peer: Peer) -> None:
    """[2m]"""
    first, second = (peer.bytes_of(f"35=D|34={number}|{ORDER}") for number in (2, 3))
    length = int(first.split(b"\x01")[1][2:])
    assert peer.raw(first.replace(b"9=%d" % length, b"9=%d" % (length + 14))) == []
    assert peer.raw(second) == []
    assert peer.session.counts.garbled == 1
    assert peer.raw(first) == [HEARD_ORDER.format(2)]
    assert peer.raw(second) == [HEARD_ORDER.format(3)]


def test_a_message_in_pieces_is_whole_when_its_last_byte_is_there(peer: Peer) -> None:
    raw = peer.bytes_of(f"35=D|34=2|{ORDER}")
    assert [peer.raw(raw[at : at + 1]) for at in range(len(raw) - 1)] == [[]] * (len(raw) - 1)
    assert peer.raw(raw[-1:]) == [HEARD_ORDER.format(2)]


def test_a_known_duplicate_is_ignored_and_a_new_one_is_taken(peer: Peer) -> None:
    """[2e]"""
    original = sending_time(NOON).decode()
    assert peer.say(f"35=D|34=2|{ORDER}") == [HEARD_ORDER.format(2)]
    assert peer.say(f"35=D|34=2|43=Y|122={original}|{ORDER}") == []
    assert peer.session.counts.duplicates == 1
    assert peer.say(f"35=D|34=3|43=Y|122={original}|{ORDER}") == [HEARD_ORDER.format(3)]


def test_a_duplicate_from_the_future_is_rejected_and_logged_out(peer: Peer) -> None:
    """[2f]"""
    peer.say(f"35=D|34=2|{ORDER}")
    later = sending_time(NOON + 10 * SECOND_NS).decode()
    assert peer.say(f"35=D|34=2|43=Y|122={later}|{ORDER}") == [
        "35=3|34=3|45=2|58=SendingTime accuracy problem|372=D|373=10",
        "35=5|34=4",
    ]
    assert peer.closed == []
    assert peer.say("35=5|34=3") == []
    assert peer.closed == ["logout"]


def test_a_duplicate_without_its_first_time_is_rejected_and_not_counted(peer: Peer) -> None:
    """[2g]"""
    peer.say(f"35=D|34=2|{ORDER}")
    assert peer.say(f"35=D|34=2|43=Y|{ORDER}") == [
        "35=3|34=3|45=2|58=Required tag missing|371=122|372=D|373=1"
    ]
    assert peer.say("35=1|34=3|112=HELLO") == ["35=0|34=4|112=HELLO"]


def test_another_version_within_a_session_is_logged_out(peer: Peer) -> None:
    """[2i]"""
    assert peer.say("35=1|34=2|112=id", version="FIX.4.1") == ["35=5|34=2|58=Incorrect BeginString"]
    assert peer.closed == []
    assert peer.wait(1.9) == []
    assert peer.closed == []
    peer.wait(0.2)
    assert peer.closed == ["no answer to the logout in time"]


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"tag49": "WT"}, "58=CompID problem|372=D|373=9"),
        ({"tag56": "DLSI"}, "58=CompID problem|372=D|373=9"),
        ({"tag52": "-121"}, "58=SendingTime accuracy problem|372=D|373=10"),
        ({"tag52": "121"}, "58=SendingTime accuracy problem|372=D|373=10"),
    ],
)
def test_wrong_names_and_times_are_rejected_and_logged_out(
    peer: Peer, changed: dict[str, str], text: str
) -> None:
    """[2k, 2o]"""
    if "tag52" in changed:
        changed = {"tag52": sending_time(NOON + int(changed["tag52"]) * SECOND_NS).decode()}
    assert peer.say(f"35=D|34=2|{ORDER}", **changed) == [f"35=3|34=2|45=2|{text}", "35=5|34=3"]
    assert peer.say("35=5|34=3") == []
    assert peer.closed == ["logout"]


def test_a_type_of_no_version_and_one_that_nobody_handles(peer: Peer) -> None:
    """[2q, 2r]"""
    assert peer.say("35=*|34=2") == ["35=3|34=2|45=2|58=Invalid MsgType|372=*|373=11"]
    report = "37=id|17=id|150=0|39=0|55=WLRI|54=1|151=100|14=0|6=0.0"
    if peer.version == "FIX.4.2":
        report += "|20=0"
    assert peer.say(f"35=8|34=3|{report}") == [
        "35=j|34=3|45=3|58=Unsupported Message Type|372=8|380=3"
    ]
    assert peer.say("35=V|34=4|262=x") == ["35=j|34=4|45=4|58=Unsupported Message Type|372=V|380=3"]


def test_silence_is_broken_by_heartbeats_and_a_test_request_asks_after_the_other_side() -> None:
    """[4a, 6]"""
    peer = Peer()
    peer.log_on(heartbeat_s=3)
    assert peer.wait(2.9) == []
    assert peer.wait(0.1) == ["35=0|34=2"]
    peer.say("35=0|34=2")
    assert peer.wait(3.0) == ["35=0|34=3"]
    assert peer.wait(0.6) == ["35=1|34=4|112=TEST"]
    assert peer.say("35=0|34=3|112=TEST") == []
    assert peer.wait(3.0) == ["35=0|34=5"]
    assert peer.wait(0.6) == ["35=1|34=6|112=TEST"]
    assert peer.wait(3.5) == []
    assert peer.closed == []
    peer.wait(0.1)
    assert peer.closed == ["no answer to the test request in time"]


def test_a_connection_without_a_logon_is_closed_in_time() -> None:
    peer = Peer()
    assert peer.wait(9.9) == []
    assert peer.closed == []
    peer.wait(0.1)
    assert peer.closed == ["no logon in time"]


def test_a_test_request_is_answered_and_a_reject_is_counted(peer: Peer) -> None:
    """[4b, 7]"""
    assert peer.say("35=1|34=2|112=HELLO") == ["35=0|34=2|112=HELLO"]
    assert peer.say("35=3|34=3|45=1") == []
    assert (peer.session.counts.refused, peer.session.state.next_in) == (1, 4)


def test_a_possible_resend_is_echoed_once(peer: Peer) -> None:
    """[19]"""
    assert peer.say(f"35=D|34=2|97=Y|{ORDER}") == [f"35=D|34=2|97=Y|{ORDER}"]
    assert peer.say(f"35=D|34=3|97=Y|{ORDER}") == []
    assert peer.say(f"35=D|34=4|{ORDER}") == [HEARD_ORDER.format(3)]
    assert peer.session.state.next_in == 5


def test_fields_in_another_order_are_echoed_by_rising_tag(peer: Peer) -> None:
    """[15]"""
    backwards = "|".join(reversed(ORDER.split("|")))
    assert peer.say(f"35=D|34=2|{backwards}") == [HEARD_ORDER.format(2)]


def test_an_answer_goes_back_along_the_route(peer: Peer) -> None:
    reject = "58=Value is incorrect (out of range) for this tag|371=40|372=D|373=5"
    bad = ORDER.replace("40=1", "40=w")
    assert peer.say(f"35=D|34=2|115=JCD|116=CS|144=CHI|{bad}") == [
        f"35=3|34=2|128=JCD|129=CS|145=CHI|45=2|{reject}"
    ]
    assert peer.say(f"35=D|34=3|128=JCD|129=CS|{bad}") == [
        f"35=3|34=3|115=JCD|116=CS|45=3|{reject}"
    ]
    assert peer.say(f"35=D|34=4|115=JCD|116=|{bad}") == [
        "35=3|34=4|128=JCD|45=4|58=Tag specified without a value|371=116|372=D|373=4"
    ]


def test_nothing_is_sent_before_the_logon() -> None:
    peer = Peer()
    with pytest.raises(
        UsageError, match="a message D on the session ISLD to TW, which is not logged"
    ):
        peer.link.send("D", [])
