"""The acceptor over real sockets, and as the command that acceptance suites run against."""

import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest
import simplefix

from pyorch.trading.fix.codec import sending_time
from pyorch.trading.fix.message import write_message


def fix(kind: str, number: int, *body: tuple[int, bytes]) -> bytes:
    import time

    head = [(35, kind.encode()), (34, b"%d" % number), (49, b"TW"), (56, b"ISLD")]
    return write_message(b"FIX.4.4", [*head, (52, sending_time(time.time_ns())), *body])


class Wire:
    """A connection; what comes back is read by an independent decoder."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._parser = simplefix.FixParser()

    def say(self, data: bytes) -> None:
        self._socket.sendall(data)

    def hear(self) -> dict[int, bytes] | None:
        """The next message; None: the connection was closed."""
        while (message := self._parser.get_message()) is None:
            try:
                data = self._socket.recv(4096)
            except ConnectionResetError:
                return None
            if not data:
                return None
            self._parser.append_buffer(data)
        return {int(tag): value for tag, value in message.pairs}


ORDER = ((11, b"id"), (21, b"3"), (40, b"1"), (54, b"1"), (55, b"INTC"), (60, b"20231114-22:13:20"))


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """`pyorch fix-acceptor` as a process."""
    program = "from pyorch.app.cli import main; main()"
    command = [sys.executable, "-c", program, "fix-acceptor", "--begin-string", "FIX.4.4"]
    command += ["--sender", "ISLD", "--target", "TW", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("listening on 127.0.0.1:"), line
        yield int(line.split(":")[1].split()[0])
        process.terminate()


def log_on(wire: Wire) -> None:
    wire.say(fix("A", 1, (98, b"0"), (108, b"30")))
    answer = wire.hear()
    assert answer is not None
    assert (answer[35], answer[34], answer[49], answer[56]) == (b"A", b"1", b"ISLD", b"TW")


def test_an_order_is_echoed_and_each_logon_begins_anew(port: int) -> None:
    for _ in range(2):
        wire = Wire(port)
        log_on(wire)
        wire.say(fix("D", 2, *ORDER))
        answer = wire.hear()
        assert answer is not None
        assert (answer[34], answer[11], answer[60]) == (b"2", b"id", b"20231114-22:13:20")
        wire.say(fix("5", 3))
        farewell = wire.hear()
        assert farewell is not None
        assert (farewell[35], farewell[34]) == (b"5", b"3")
        assert wire.hear() is None


def test_who_is_silent_or_already_there_keeps_nobody_out_and_gets_in_nowhere(port: int) -> None:
    silent, first = Wire(port), Wire(port)
    log_on(first)
    second = Wire(port)
    second.say(fix("A", 1, (98, b"0"), (108, b"30")))
    assert second.hear() is None
    first.say(fix("1", 2, (112, b"still here")))
    answer = first.hear()
    assert answer is not None
    assert answer[112] == b"still here"
    stranger = Wire(port)
    stranger.say(b"GET / HTTP/1.1\r\n\r\n")
    assert stranger.hear() is None
    silent.say(b"8=FIX")
    first.say(fix("5", 3))
    assert first.hear() is not None
