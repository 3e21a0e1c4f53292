"""Requests over a serial port, each run at most once: retries, and counts of all that went wrong."""

from __future__ import annotations

import secrets
import time
from collections import deque
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Protocol

from firmware.serial.packets import BUFFER, OVERHEAD, Deframer, Kind, Packet, Status
from firmware.serial.timing import BITS_A_BYTE
from pyorch.contract.errors import DeviceError, EnvironmentMissingError

WAIT_S = 0.1
"""How long an answer may take beyond its time on the line: USB chip, and the bridge's own time limit."""
ATTEMPTS = 8
SENDS_AN_ATTEMPT = 4
"""A request that came damaged is sent again at once, so often within one attempt."""
MEANINGS = {
    Status.PROGRAM: "it did not understand the program; driver and bitstream belong to different versions",
    Status.BUS: "the fabric refused a register access",
    Status.TIMEOUT: "the fabric did not answer within the bridge's time limit; start the board again",
    Status.LONG_RESULT: "the results are longer than its buffer",
    Status.STRANGER: "it has forgotten this session: the board was reset, or another program has connected; "
    "open the engine again",
    Status.ORDER: "it expects another sequence number; open the engine again",
}


class Port(Protocol):
    """What the link needs of a serial port; `serial.Serial` has it."""

    timeout: float | None

    def read(self, size: int = ...) -> bytes:
        """Up to ``size`` bytes, within ``timeout``."""
        ...

    def write(self, data: bytes, /) -> int | None:
        """Send."""
        ...

    @property
    def in_waiting(self) -> int:
        """Bytes that can be read at once."""
        ...

    def close(self) -> None:
        """Give it back."""
        ...


@dataclass(slots=True)
class LinkCounts:
    """What happened on the host's side of the line.

    Attributes:
        requests: asked of the link.
        sent: packets sent, repeats among them.
        silent: attempts without any answer in time.
        refused: answers saying that a packet came damaged; it is sent again at once.
        stale: whole answers to earlier requests, or of another session, dropped.
        damaged: packets from the board with a wrong CRC, too short or too long; the request is sent again.
    """

    requests: int = 0
    sent: int = 0
    silent: int = 0
    refused: int = 0
    stale: int = 0
    damaged: int = 0

    def as_dict(self) -> dict[str, int]:
        """By name."""
        return asdict(self)


def open_port(name: str, baud: int) -> Port:
    """Open a serial port.

    Raises:
        EnvironmentMissingError: pyserial is not installed.
        DeviceError: the port does not open; the message says why.
    """
    try:
        import serial
    except ImportError as error:
        raise EnvironmentMissingError(
            f"pyserial is missing ({error}); install the extra `board`"
        ) from error
    try:
        port = serial.Serial(name, baud, timeout=0, exclusive=True)
    except (OSError, ValueError) as error:
        raise DeviceError(
            f"serial port {name} at {baud:,} baud: {error}; `pyorch doctor` lists the ports; to open one "
            "needs the group dialout"
        ) from error
    # an FTDI chip otherwise holds answers back for up to 16 ms; a terminal has no such mode, and no delay
    with suppress(ValueError, NotImplementedError, AttributeError):
        port.set_low_latency_mode(True)
    opened: Port = port
    return opened


class SerialLink:
    """One request at a time; an answer counts only with the right CRC, session and sequence number.

    Args:
        port: opened.
        baud: of the line.
        wait_s: how long an answer may take beyond its time on the line.
        attempts: how often a request is sent before the link gives up.
    """

    def __init__(
        self, port: Port, baud: int, *, wait_s: float = WAIT_S, attempts: int = ATTEMPTS
    ) -> None:
        self.port, self.baud, self.wait_s, self.attempts = port, baud, wait_s, attempts
        self.counts = LinkCounts()
        self._deframer = Deframer(BUFFER + OVERHEAD)
        self._arrived: deque[Packet | None] = deque()  # None: one that came damaged
        self._session = self._sequence = 0

    def connect(self) -> None:
        """Begin a session: sequence numbers start anew, and nothing older is answered.

        Raises:
            DeviceError: nobody answers.
        """
        self._session = 1 + secrets.randbelow(0xFFFF)
        self._sequence = 0
        self._exchange(Kind.CONNECT, b"", 0)

    def run(self, program: bytes, result_bytes: int) -> bytes:
        """Run a program once and return its results.

        Args:
            program: commands; see `firmware.serial.driver`.
            result_bytes: how many bytes are expected, for the time they take.

        Raises:
            DeviceError: no valid answer, or an answer that says what went wrong.
        """
        self._sequence = (self._sequence + 1) & 0xFFFF
        answer = self._exchange(Kind.RUN, program, result_bytes)
        if answer.kind != Status.OK:
            status = Status(answer.kind)
            raise DeviceError(
                f"the bridge answered request {answer.sequence} with {status.name}: {MEANINGS[status]}"
            )
        return answer.payload

    def close(self) -> None:
        """Give the port back."""
        self.port.close()

    def _exchange(self, kind: Kind, payload: bytes, result_bytes: int) -> Packet:
        text = Packet(self._session, self._sequence, kind, payload).encode()
        # every byte may be escaped, and a full-speed line may be shared: twice the time
        line_s = 2 * BITS_A_BYTE * (len(text) + result_bytes + 16) / self.baud
        self.counts.requests += 1
        try:
            for _ in range(self.attempts):
                answer = self._attempt(text, time.monotonic() + line_s + self.wait_s)
                if answer is not None:
                    return answer
        except OSError as error:
            raise DeviceError(
                f"the serial port failed: {error}; is the board still plugged in?"
            ) from error
        raise DeviceError(
            f"no valid answer to request {self._sequence} in {self.attempts} attempts of "
            f"{line_s + self.wait_s:.2g} s ({self.describe()}); check cable and baud, load the bitstream "
            "again, or reset the board (FIRE1)"
        )

    def describe(self) -> str:
        """The counts in words."""
        return ", ".join(f"{count} {name}" for name, count in self.counts.as_dict().items())

    def _attempt(self, text: bytes, deadline: float) -> Packet | None:
        self._send(text)
        sends = 1
        while True:
            if not self._wait(deadline):
                self.counts.silent += 1
                return None
            answer = self._arrived.popleft()
            if answer is None or answer.kind == Status.DAMAGED:
                self.counts.refused += answer is not None
                if sends < SENDS_AN_ATTEMPT:
                    self._send(text)
                    sends += 1
            elif answer.session == self._session and answer.sequence == self._sequence:
                return answer
            else:
                self.counts.stale += 1

    def _send(self, text: bytes) -> None:
        self.counts.sent += 1
        self.port.write(text)

    def _wait(self, deadline: float) -> bool:
        """Whether a packet arrived before ``deadline``."""
        while not self._arrived:
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self.port.timeout = left
            data = self.port.read(max(1, self.port.in_waiting))
            before = self._deframer.damaged + self._deframer.too_long
            self._arrived.extend(self._deframer.feed(data))
            damaged = self._deframer.damaged + self._deframer.too_long - before
            self.counts.damaged += damaged
            if damaged and not self._arrived:
                self._arrived.append(None)
        return True
