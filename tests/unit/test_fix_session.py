"""Session-level cases of the FIX specification (4.4, volume 2); the numbers in brackets are its own."""

from dataclasses import replace

import pytest

from pyorch.contract.errors import UsageError
from pyorch.trading.fix.codec import sending_time
from pyorch.trading.fix.echo import ECHOED, Echo
from pyorch.trading.fix.link import Link
from pyorch.trading.fix.message import Framer, Message, write_message
from pyorch.trading.fix.session import Session
from pyorch.trading.fix.session_terms import SessionSettings
from pyorch.trading.fix.store import MemoryStore

SECOND = 1_000_000_000
NOON = 1_700_000_000 * SECOND
ORDER = "11=id|21=3|40=1|54=1|55=INTC|60=20231114-22:13:20"
HEARD_ORDER = f"35=D|34={{}}|{ORDER}"


class Peer:
    """The other side, by hand: says fields, and reads what comes back without what is always the same."""

    def __init__(self, version: str = "FIX.4.4", **settings: object) -> None:
        base = SessionSettings(
            version.encode(), "ISLD", "TW", False, reset_on_logon=True, supported=ECHOED
        )
        self.version = version
        self.now_ns = NOON
        self.closed: list[str] = []
        self._out = b""
        self.store = MemoryStore()
        self.session = Session(replace(base, **settings))  # type: ignore[arg-type]
        self.link = Link(self.session, self.store, Echo(), self._write, self.closed.append)
        self.link.connected(self.now_ns)

    def _write(self, data: bytes) -> None:
        self._out += data

    def raw(self, data: bytes) -> list[str]:
        """Bytes as they are."""
        self.link.receive(data, self.now_ns)
        return self.heard()

    def bytes_of(self, text: str, **changed: str) -> bytes:
        """``35=..|34=..|more``, with the header's other fields behind the number."""
        given = [one.split("=", 1) for one in text.split("|")]
        fields = [(int(tag), value.encode()) for tag, value in given]
        header = {49: "TW", 52: sending_time(self.now_ns).decode(), 56: "ISLD"}
        header = {
            tag: changed.get(f"tag{tag}", value)
            for tag, value in header.items()
            if tag not in dict(fields)
        }
        place = 2 if fields[1][0] == 34 else 1
        fields[place:place] = [
            (tag, value.encode()) for tag, value in header.items() if value != "-"
        ]
        return write_message(changed.get("version", self.version).encode(), fields)

    def say(self, text: str, **changed: str) -> list[str]:
        """A message; what comes back."""
        return self.raw(self.bytes_of(text, **changed))

    def heard(self) -> list[str]:
        """What came back so far."""
        framer = Framer()
        framer.feed(self._out)
        self._out = b""
        texts = []
        while (found := framer.next()) is not None:
            assert isinstance(found, Message)
            assert (found.get(49), found.get(56)) == (b"ISLD", b"TW")
            kept = [one for one in found.fields if one[0] not in (8, 9, 10, 49, 52, 56)]
            texts.append("|".join(f"{tag}={value.decode()}" for tag, value in kept))
        return texts

    def wait(self, seconds: float) -> list[str]:
        """Time passes, looked at every tenth of a second."""
        for _ in range(round(seconds * 10)):
            self.now_ns += SECOND // 10
            self.link.tick(self.now_ns)
        return self.heard()

    def log_on(self, more: str = "", heartbeat_s: int = 30) -> None:
        answer = self.say(f"35=A|34=1|98=0|108={heartbeat_s}{more}")
        assert answer == [f"35=A|34=1|98=0|108={heartbeat_s}{more}"]


@pytest.fixture(params=["FIX.4.2", "FIX.4.4"])
def peer(request: pytest.FixtureRequest) -> Peer:
    """Logged on."""
    one = Peer(request.param)
    one.log_on()
    return one


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
    later = sending_time(NOON + 10 * SECOND).decode()
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
        changed = {"tag52": sending_time(NOON + int(changed["tag52"]) * SECOND).decode()}
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


def test_what_is_asked_for_again_comes_with_its_first_time_and_gap_fills(peer: Peer) -> None:
    """[8]"""
    for number in (2, 3):
        peer.say(f"35=1|34={number}|112=HELLO")
    for number in (4, 5):
        peer.say(f"35=D|34={number}|{ORDER}")
    peer.say("35=1|34=6|112=HELLO")
    first = sending_time(NOON).decode()
    peer.now_ns += SECOND
    fills = [f"35=4|34=1|43=Y|122={sending_time(peer.now_ns).decode()}|36=4|123=Y"]
    orders = [f"35=D|34={n}|43=Y|122={first}|{ORDER}" for n in (4, 5)]
    last = f"35=4|34=6|43=Y|122={sending_time(peer.now_ns).decode()}|36=7|123=Y"
    assert peer.say("35=2|34=7|7=1|16=3") == fills
    assert peer.say("35=2|34=8|7=1|16=5") == [*fills, *orders]
    assert peer.say("35=2|34=9|7=1|16=0") == [*fills, *orders, last]
    assert peer.say("35=2|34=3|7=1|16=0") == [*fills, *orders, last]  # whatever its number
    assert peer.say("35=1|34=10|112=HELLO") == ["35=0|34=7|112=HELLO"]


def test_orders_older_than_the_limit_are_never_sent_again() -> None:
    peer = Peer(resend_limit_ns=5 * SECOND)
    peer.log_on()
    peer.say(f"35=D|34=2|{ORDER}")
    peer.wait(4)
    peer.say(f"35=D|34=3|{ORDER}")
    peer.wait(2)
    now = sending_time(peer.now_ns).decode()
    first = sending_time(NOON + 4 * SECOND).decode()
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
        link.now_ns += SECOND
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
    first = sending_time(NOON - SECOND).decode()
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
