"""A FIX 4.2 or 4.4 session as a state machine: bytes and a clock in, bytes and events out.

The core knows no socket, no file and no time of its own. Whoever drives it (`pyorch.trading.fix.link`) feeds
bytes, calls `step` until it has nothing more to say and `tick` as time passes, and carries the outputs out in
their order: a record is kept before the bytes or the message that follow it.

Behaviour: FIX 4.4 specification, volume 2, "FIX Session Protocol" and "Session-level test cases"; numbers in
the tests' names refer to those cases. Two points where the standard leaves a choice: a resend request and a
logout are answered whatever their number; after a logout from the other side this one closes.
"""

from __future__ import annotations

from collections.abc import Iterable

from pyorch.contract.errors import UsageError
from pyorch.trading.fix.dictionary import Fault, Reason
from pyorch.trading.fix.message import Field, Garbled, Message, timestamp_ns
from pyorch.trading.fix.session_speech import Speech, Stage
from pyorch.trading.fix.session_terms import (
    SECOND_NS,
    Deliver,
    LoggedOn,
    Output,
    Record,
    RecordKind,
)

SESSION_TYPES = frozenset("012345A")
"""Administrative messages; they are never sent again."""
MAXIMUM_QUEUED = 10_000
"""Messages behind a gap that are held; those beyond it are asked for again."""


class Session(Speech):
    """One side of a session.

    Args:
        state: what was kept of it before; book: with a dialect's fields; default: the version's.

    Attributes:
        stage: of the connection; counts: of what it has met.
    """

    @property
    def up(self) -> bool:
        """Whether application messages may be sent."""
        return self.stage is Stage.UP

    def connect(self, now_ns: int) -> list[Output]:
        """A connection stands."""
        self._framer.clear()
        self._queued.clear()
        self._asked_to = 0
        self._tested = self._reset_asked = False
        self._heard_ns = self._sent_ns = self._since_ns = now_ns
        self.stage = Stage.LOGON
        if self.settings.reset_on_logon:
            self._reset(now_ns)
        if self.settings.initiator:
            self._reset_asked = self.settings.reset_on_logon
            self._send_logon(now_ns)
        return self._taken()

    def disconnect(self) -> None:
        """The connection is gone."""
        self.stage = Stage.CLOSED

    def feed(self, data: bytes) -> None:
        """Bytes from the other side; `step` looks at them."""
        self._framer.feed(data)

    def step(self, now_ns: int) -> list[Output] | None:
        """Take in one message; None: there is none."""
        if self.stage is Stage.CLOSED:
            return None
        if self.stage is not Stage.LOGON and self.state.next_in in self._queued:
            message = self._queued.pop(self.state.next_in)
            if message is None:
                self._count(now_ns)
            else:
                self._take_next(message, now_ns)
            return self._taken()
        found = self._framer.next()
        if found is None:
            return None
        if isinstance(found, Garbled):
            self.counts.garbled += 1
            self.counts.why = found.why
            if self.stage is Stage.LOGON:
                self._close(f"garbled before the logon: {found.why}")
        else:
            self._take(found, now_ns)
        return self._taken()

    def tick(self, now_ns: int) -> list[Output]:
        """What is due by now: heartbeats, test requests, timeouts, what is still missing."""
        waited = now_ns - self._since_ns
        if self.stage is Stage.LOGON and waited >= self.settings.logon_timeout_ns:
            self._close("no logon in time")
        elif self.stage is Stage.LOGOUT and waited >= self.settings.logout_timeout_ns:
            self._close("no answer to the logout in time")
        elif self.stage is Stage.UP:
            self._watch(now_ns)
        return self._taken()

    def send(
        self, kind: str, body: Iterable[Field], now_ns: int, header: Iterable[Field] = ()
    ) -> list[Output]:
        """An application message; it is kept before it leaves.

        Args:
            body: in the message's order; header: fields beside the session's own.

        Raises:
            UsageError: the session is not up.
        """
        if self.stage is not Stage.UP:
            raise UsageError(
                f"a message {kind} on the session {self.settings.sender} to {self.settings.target}, "
                "which is not logged on: wait for the logon"
            )
        raw = self._write(kind, self.state.next_out, now_ns, body, header)
        self._keep(Record(RecordKind.SENT, self.state.next_out, now_ns, raw))
        self._post(raw, now_ns)
        return self._taken()

    def logout(self, now_ns: int, text: bytes = b"") -> list[Output]:
        """Log out, and wait for the answer."""
        if self.stage is Stage.UP:
            self._log_out(now_ns, text)
        return self._taken()

    def _take(self, message: Message, now_ns: int) -> None:
        self._heard_ns = now_ns
        self._tested = False
        if message.begin_string != self.settings.begin_string:
            if self.stage is Stage.LOGON:
                self._close(f"BeginString is {message.begin_string.decode('latin-1')}")
            elif self.stage is Stage.UP:
                self._log_out(now_ns, b"Incorrect BeginString")
            return
        if self.stage is Stage.LOGON and message.kind != "A":
            self._close(f"the first message is {message.kind}, no logon")
            return
        number = message.number(34)
        if number is None:
            self._refuse(now_ns, b"Received message without MsgSeqNum")
            return
        if message.kind == "A":
            self._take_logon(message, number, now_ns)
            return
        fault = self._identity_fault(message, now_ns)
        if fault is not None:
            self._reject(message, fault, now_ns)
            self._log_out(now_ns)
            return
        if message.kind in ("2", "5") or (message.kind == "4" and not message.flag(123)):
            self._take_out_of_turn(message, number, now_ns)
        elif number > self.state.next_in:
            self._hold(message, number, now_ns)
        elif number < self.state.next_in:
            self._take_old(message, number, now_ns)
        else:
            self._take_next(message, now_ns)

    def _identity_fault(self, message: Message, now_ns: int) -> Fault | None:
        """CompIDs and SendingTime, where they are there at all."""
        ours, theirs = self.settings.sender.encode(), self.settings.target.encode()
        if (message.get(49) or theirs) != theirs or (message.get(56) or ours) != ours:
            return Fault(Reason.COMP_ID)
        sent_ns = timestamp_ns(message.get(52) or b"")
        if sent_ns is not None and abs(now_ns - sent_ns) > self.settings.sending_time_limit_ns:
            return Fault(Reason.SENDING_TIME)
        return None

    def _take_logon(self, message: Message, number: int, now_ns: int) -> None:
        if self._identity_fault(message, now_ns) or not message.get(49) or not message.get(56):
            self._close("CompIDs or SendingTime of a logon")
            return
        heartbeat_s = message.number(108)
        if heartbeat_s is not None and heartbeat_s < 0:
            self._refuse(now_ns, b"HeartBtInt must not be negative")
            return
        fault = self.book.check(message)
        if fault is not None:
            self._refuse(now_ns, fault.reason.text + (b" %d" % fault.tag if fault.tag else b""))
            return
        reset = message.flag(141)
        if reset and number != 1:
            self._refuse(now_ns, b"ResetSeqNumFlag with MsgSeqNum %d, not 1" % number)
            return
        if self.stage is Stage.UP and not reset:
            if number < self.state.next_in and message.flag(43):
                self.counts.duplicates += 1
            else:
                self._refuse(now_ns, b"Logon within a session")
            return
        if self._reset_asked:
            self._reset_asked = False
            answer = False
        else:
            answer = self.stage is Stage.UP or not self.settings.initiator
            if reset:
                self._reset(now_ns)
        if number < self.state.next_in:
            self._refuse_low(number, now_ns)
            return
        assert heartbeat_s is not None
        if not self.settings.initiator:
            self._heartbeat_ns = heartbeat_s * SECOND_NS
        if answer:
            self._send_logon(now_ns, heartbeat_s, reset)
        self.stage = Stage.UP
        if number > self.state.next_in:
            self._queued[number] = None
            self._ask(number - 1, now_ns)
        else:
            self._count(now_ns)
        self._outputs.append(LoggedOn())

    def _take_out_of_turn(self, message: Message, number: int, now_ns: int) -> None:
        """A resend request, a logout, a reset: whatever their number."""
        fault = self.book.check(message)
        if message.kind == "5":
            if number == self.state.next_in:
                self._count(now_ns)
            if self.stage is Stage.UP:
                self._post_admin("5", [], now_ns)
            self._close("logout")
            return
        if message.kind == "2" and self.stage is Stage.UP:
            if fault is None:
                fault = self._resend(message, now_ns)
            if fault is not None:
                self._reject(message, fault, now_ns)
            elif number == self.state.next_in:
                self._count(now_ns)
            elif number > self.state.next_in:
                self._queued[number] = None
                self._ask(number - 1, now_ns)
        elif message.kind == "4":
            following = message.number(36)
            if fault is None and following is not None and following >= self.state.next_in:
                self._take_up_to(following, now_ns)
            else:
                self._reject(message, fault or Fault(Reason.BAD_VALUE), now_ns)

    def _take_old(self, message: Message, number: int, now_ns: int) -> None:
        """A number that was taken in already."""
        if not message.flag(43):
            self._refuse_low(number, now_ns)
            return
        fault = self._duplicate_fault(message)
        if fault is None:
            self.counts.duplicates += 1
            return
        self._reject(message, fault, now_ns)
        if fault.reason is Reason.SENDING_TIME:
            self._log_out(now_ns)

    def _duplicate_fault(self, message: Message) -> Fault | None:
        original = message.get(122)
        if original is None:
            return Fault(Reason.REQUIRED_MISSING, 122)
        original_ns, sent_ns = timestamp_ns(original), timestamp_ns(message.get(52) or b"")
        if original_ns is not None and sent_ns is not None and original_ns > sent_ns:
            return Fault(Reason.SENDING_TIME)
        return None

    def _take_next(self, message: Message, now_ns: int) -> None:
        """The message that is due."""
        kind = message.kind
        fault = self.book.check(message)
        if fault is None and message.flag(43):
            fault = self._duplicate_fault(message)
        if fault is not None:
            self._reject(message, fault, now_ns)
            if fault.reason is Reason.SENDING_TIME:
                self._log_out(now_ns)
            return
        if kind == "4":
            following = message.number(36)
            assert following is not None
            if following > self.state.next_in:
                self._take_up_to(following, now_ns)
            else:
                self._reject(message, Fault(Reason.BAD_VALUE, 36), now_ns)
            return
        application = kind in self.settings.supported or kind in ("3", "j")
        self._count(now_ns, message.raw if application else b"")
        if application:
            self._outputs.append(Deliver(message))
        if kind == "1":
            self._post_admin("0", [(112, message.get(112) or b"")], now_ns)
        elif kind == "3":
            self.counts.refused += 1
        elif not application and kind not in SESSION_TYPES:
            number = b"%d" % (self.state.next_in - 1)
            body = [(45, number), (58, b"Unsupported Message Type"), (372, kind.encode())]
            self._post_kept("j", [*body, (380, b"3")], now_ns)

    def _hold(self, message: Message, number: int, now_ns: int) -> None:
        """A message behind a gap waits."""
        if len(self._queued) < MAXIMUM_QUEUED:
            self._queued.setdefault(number, message)
        self._ask(number - 1, now_ns)
