"""What a session says: the half of `pyorch.trading.fix.session` that makes messages and records."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum, auto

from pyorch.trading.fix.codec import sending_time
from pyorch.trading.fix.dictionary import Dictionary, Fault, Reason, dictionary
from pyorch.trading.fix.message import Field, Framer, Message, read_message, write_message
from pyorch.trading.fix.session_terms import (
    SECOND_NS,
    Close,
    Keep,
    Kept,
    Lapsed,
    Output,
    Record,
    RecordKind,
    Send,
    SessionCounts,
    SessionSettings,
    SessionState,
)

TEST_REQUEST_ID = b"TEST"
REVERSED = {115: 128, 116: 129, 144: 145, 128: 115, 129: 116, 145: 144}
"""Routing fields of an answer."""
_OWN_HEADER = frozenset({8, 9, 34, 35, 43, 49, 52, 56, 122})


class Stage(Enum):
    """Where a connection stands."""

    CLOSED = auto()
    LOGON = auto()
    UP = auto()
    LOGOUT = auto()


class Speech:
    """What `pyorch.trading.fix.session.Session` says: messages, records, and when they are due."""

    def __init__(
        self,
        settings: SessionSettings,
        state: SessionState | None = None,
        book: Dictionary | None = None,
    ) -> None:
        self.settings = settings
        self.state = state or SessionState()
        self.book = book or dictionary(settings.begin_string)
        self.counts = SessionCounts()
        self.stage = Stage.CLOSED
        self._framer = Framer()
        self._outputs: list[Output] = []
        self._queued: dict[int, Message | None] = {}
        self._heartbeat_ns = settings.heartbeat_s * SECOND_NS
        self._heard_ns = self._sent_ns = self._since_ns = 0
        self._tested = False
        self._reset_asked = False
        self._asked_to = 0
        self._asked_ns = 0
        self._asked_from = 0

    def _ask(self, last: int, now_ns: int, again: bool = False) -> None:
        """Ask for what is missing, unless that has been done."""
        if self._asked_to >= self.state.next_in and not again:
            return
        self._asked_to, self._asked_ns, self._asked_from = last, now_ns, self.state.next_in
        self.counts.gaps += 1
        self._post_admin("2", [(7, b"%d" % self.state.next_in), (16, b"0")], now_ns)

    def _resend(self, message: Message, now_ns: int) -> Fault | None:
        """Send again what may be; gap fills for the rest."""
        first, last = message.number(7), message.number(16)
        assert first is not None and last is not None
        if first < 1 or first >= self.state.next_out:
            return Fault(Reason.BAD_VALUE, 7)
        if last == 0 or last >= self.state.next_out:
            last = self.state.next_out - 1
        gap = first
        for number in range(first, last + 1):
            kept = self.state.kept.get(number)
            if kept is not None and now_ns - kept.sent_ns >= self.settings.resend_limit_ns:
                self.counts.lapsed += 1
                self._outputs.append(Lapsed(read_message(kept.raw)))
                del self.state.kept[number]
                kept = None
            if kept is None:
                continue
            if gap < number:
                self._fill(gap, number, now_ns)
            self._post(self._again(number, kept, now_ns), now_ns)
            self.counts.resent += 1
            gap = number + 1
        if gap <= last:
            self._fill(gap, last + 1, now_ns)
        return None

    def _again(self, number: int, kept: Kept, now_ns: int) -> bytes:
        message = read_message(kept.raw)
        outer = [one for one in message.fields if self.book.is_outer(one[0])]
        header = [one for one in outer if one[0] not in _OWN_HEADER and one[0] != 10]
        body = [one for one in message.fields if not self.book.is_outer(one[0])]
        header.append((122, message.get(52) or b""))
        return self._write(message.kind, number, now_ns, body, header, duplicate=True)

    def _fill(self, number: int, following: int, now_ns: int) -> None:
        header = [(122, sending_time(now_ns))]
        body = [(36, b"%d" % following), (123, b"Y")]
        self._post(self._write("4", number, now_ns, body, header, duplicate=True), now_ns)

    def _reject(self, message: Message, fault: Fault, now_ns: int) -> None:
        """A session reject; the message counts as taken in if it was due."""
        self.counts.rejected += 1
        if message.number(34) == self.state.next_in and message.kind != "4":
            self._count(now_ns)
        body = [(45, message.get(34) or b"0"), (58, fault.reason.text)]
        if fault.tag is not None:
            body.append((371, b"%d" % fault.tag))
        body.append((372, message.kind.encode("latin-1")))
        if self.settings.begin_string != b"FIX.4.2" or fault.reason <= Reason.MESSAGE_TYPE:
            body.append((373, b"%d" % fault.reason))
        self._post_admin("3", body, now_ns, reversed_route(message))

    def _refuse_low(self, number: int, now_ns: int) -> None:
        expected = self.state.next_in
        self._refuse(
            now_ns, b"MsgSeqNum too low, expecting %d but received %d" % (expected, number)
        )

    def _refuse(self, now_ns: int, text: bytes) -> None:
        """A logout that waits for no answer."""
        self._post_admin("5", [(58, text)], now_ns)
        self._close(text.decode("latin-1"))

    def _log_out(self, now_ns: int, text: bytes = b"") -> None:
        if self.stage is Stage.UP:
            self._post_admin("5", [(58, text)] if text else [], now_ns)
            self.stage, self._since_ns = Stage.LOGOUT, now_ns

    def _send_logon(
        self, now_ns: int, heartbeat_s: int | None = None, reset: bool | None = None
    ) -> None:
        seconds = self.settings.heartbeat_s if heartbeat_s is None else heartbeat_s
        body: list[Field] = [(98, b"0"), (108, b"%d" % seconds)]
        if self.settings.reset_on_logon if reset is None else reset:
            body.append((141, b"Y"))
        if self.settings.initiator:
            body += self.settings.logon_fields(now_ns)
        self._post_admin("A", body, now_ns)

    def _watch(self, now_ns: int) -> None:
        """An open session's clock."""
        if self._asked_to >= self.state.next_in:
            if self.state.next_in != self._asked_from:
                self._asked_from, self._asked_ns = self.state.next_in, now_ns
            elif now_ns - self._asked_ns >= self.settings.gap_patience_ns:
                self._ask(self._asked_to, now_ns, again=True)
        period = self._heartbeat_ns
        if period == 0:
            return
        silent_ns = now_ns - self._heard_ns
        if 10 * silent_ns >= 24 * period:
            self._close("no answer to the test request in time")
        elif 10 * silent_ns >= 12 * period and not self._tested:
            self._tested = True
            self._post_admin("1", [(112, TEST_REQUEST_ID)], now_ns)
        elif now_ns - self._sent_ns >= period and not self._tested:
            self._post_admin("0", [], now_ns)

    def _keep(self, record: Record) -> None:
        self.state.take(record)
        self._outputs.append(Keep(record))

    def _count(self, now_ns: int, raw: bytes = b"") -> None:
        """The message that was due is taken in."""
        self._keep(Record(RecordKind.TAKEN, self.state.next_in + 1, now_ns, raw))

    def _take_up_to(self, following: int, now_ns: int) -> None:
        self._keep(Record(RecordKind.TAKEN, following, now_ns))
        self._queued = {n: one for n, one in self._queued.items() if n >= following}

    def _reset(self, now_ns: int) -> None:
        self._queued.clear()
        self._asked_to = 0
        self._keep(Record(RecordKind.RESET, 1, now_ns))

    def _post_admin(
        self, kind: str, body: list[Field], now_ns: int, header: Iterable[Field] = ()
    ) -> None:
        raw = self._write(kind, self.state.next_out, now_ns, body, header)
        self._keep(Record(RecordKind.NUMBERED, self.state.next_out, now_ns))
        self._post(raw, now_ns)

    def _post_kept(self, kind: str, body: list[Field], now_ns: int) -> None:
        raw = self._write(kind, self.state.next_out, now_ns, body)
        self._keep(Record(RecordKind.SENT, self.state.next_out, now_ns, raw))
        self._post(raw, now_ns)

    def _post(self, raw: bytes, now_ns: int) -> None:
        self._sent_ns = now_ns
        self._outputs.append(Send(raw))

    def _write(
        self,
        kind: str,
        number: int,
        now_ns: int,
        body: Iterable[Field],
        header: Iterable[Field] = (),
        duplicate: bool = False,
    ) -> bytes:
        own: list[Field] = [
            (34, b"%d" % number),
            (49, self.settings.sender.encode()),
            (52, sending_time(now_ns)),
            (56, self.settings.target.encode()),
        ]
        if duplicate:
            own.append((43, b"Y"))
        fields = [(35, kind.encode("latin-1")), *sorted([*own, *header]), *body]
        return write_message(self.settings.begin_string, fields)

    def _close(self, why: str) -> None:
        self.stage = Stage.CLOSED
        self._outputs.append(Close(why))

    def _taken(self) -> list[Output]:
        outputs, self._outputs = self._outputs, []
        return outputs


def reversed_route(message: Message) -> list[Field]:
    """The routing fields of an answer: on whose behalf becomes to whom, and back."""
    return [(REVERSED[tag], value) for tag, value in message.fields if tag in REVERSED and value]
