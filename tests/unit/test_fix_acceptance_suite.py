"""A public acceptance suite against `pyorch fix-acceptor`: QuickFIX's definitions of what a server must do.

They are not ours and not here. ``PYORCH_FIX_DEFINITIONS`` names their folder, ``test/definitions/server`` of
QuickFIX's sources (Debian's source package ``quickfix``). A line of a definition begins with what is done:
``I`` is sent, ``E`` is expected, ``i`` and ``e`` say when a connection is opened or closed by us, and by the
server.
"""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pyorch.trading.fix.message import Framer, Message

SOH = b"\x01"
WAITS_S = 20.0
NAMED = os.environ.get("PYORCH_FIX_DEFINITIONS", "")
VERSIONS = {"fix42": "FIX.4.2", "fix44": "FIX.4.4"}
FILES = sorted(
    path for version in VERSIONS for path in (Path(NAMED) / version).glob("*.def") if NAMED
)
TIMES = {
    42: rb"\d{8}-\d\d:\d\d:\d\d", 52: rb"\d{8}-\d\d:\d\d:\d\d(\.\d{3})?",
    60: rb"\d{8}-\d\d:\d\d:\d\d", 122: rb"\d{8}-\d\d:\d\d:\d\d", 10: rb"\d{3}",
}  # fmt: skip
"""Fields of which only the form is compared."""


@pytest.fixture(scope="module")
def ports() -> Iterator[dict[str, int]]:
    """Where a server listens, by version."""
    program = [sys.executable, "-c", "from pyorch.app.cli import main; main()", "fix-acceptor"]
    program += ["--sender", "ISLD", "--target", "TW", "--port", "0", "--begin-string"]
    found = {}
    with ExitStack() as servers:
        for version in VERSIONS:
            process = servers.enter_context(
                subprocess.Popen([*program, VERSIONS[version]], stdout=subprocess.PIPE, text=True)
            )
            servers.callback(process.terminate)
            assert process.stdout is not None
            found[version] = int(process.stdout.readline().split(":")[1].split()[0])
        yield found


class Connection:
    """One of the connections of a definition."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=WAITS_S)
        self._framer = Framer()

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def next(self) -> bytes:
        """The next message; empty: closed."""
        while (found := self._framer.next()) is None:
            try:
                data = self._socket.recv(4096)
            except ConnectionResetError:
                return b""
            if not data:
                return b""
            self._framer.feed(data)
        assert isinstance(found, Message), found
        return found.raw

    def close(self) -> None:
        self._socket.close()


def filled(text: bytes) -> bytes:
    """A definition's message with times, length and checksum where it leaves them to us."""

    def when(found: re.Match[bytes]) -> bytes:
        moment = datetime.now(UTC) + timedelta(seconds=int(found[1] or b"0"))
        return moment.strftime("%Y%m%d-%H:%M:%S").encode()

    text = re.sub(rb"<TIME([+-]\d+)?>", when, text)
    head, _, rest = text.partition(SOH)
    if not head.startswith(b"8="):
        return text
    ending = re.search(rb"10=[^\x01]*\x01$", rest)  # a checksum that is wrong on purpose
    body = rest[: ending.start()] if ending else rest
    length = b"" if SOH + b"9=" in text else b"9=%d" % len(body) + SOH
    whole = head + SOH + length + body
    return whole + (ending[0] if ending else b"10=%03d" % (sum(whole) % 256) + SOH)


def assert_alike(expected: bytes, found: bytes) -> None:
    """The same fields in the same order."""
    assert found, f"closed instead of {expected!r}"
    ours, theirs = (
        [field.partition(b"=")[::2] for field in one.rstrip(SOH).split(SOH)]
        for one in (found, expected)
    )
    assert [tag for tag, _ in ours] == [tag for tag, _ in theirs], (found, expected)
    for (tag, value), (_, wanted) in zip(ours, theirs, strict=True):
        form = TIMES.get(int(tag))
        if tag != b"9":  # follows from the other fields
            assert re.match(form, value) if form else value == wanted, (tag, found, expected)


def run(definition: bytes, port: int) -> None:
    """One definition, line by line.

    Raises:
        AssertionError: the server does something else.
    """
    connections: dict[bytes, Connection] = {}
    try:
        for line in definition.splitlines():
            what = re.match(rb"([IEie])(?:(\d),)?(.*)", line, re.DOTALL)
            if what is None:
                assert not line.strip() or line.startswith(b"#"), line
                continue
            kind, which, text = what[1], what[2] or b"1", what[3].strip(b" \r")
            if kind == b"i" and text == b"CONNECT":
                connections[which] = Connection(port)
            elif kind == b"i":
                connections.pop(which).close()
            elif kind == b"e":
                assert connections[which].next() == b"", "something else than the end"
            elif kind == b"I":
                connections[which].send(filled(text))
            else:
                assert_alike(filled(text), connections[which].next())
    finally:
        for one in connections.values():
            one.close()


@pytest.mark.skipif(not FILES, reason="needs a public suite's files (PYORCH_FIX_DEFINITIONS)")
@pytest.mark.parametrize(
    "path", FILES or [Path("none")], ids=lambda path: f"{path.parent.name}-{path.stem}"
)
def test_the_server_passes_an_acceptance_definition(ports: dict[str, int], path: Path) -> None:
    run(path.read_bytes(), ports[path.parent.name])
