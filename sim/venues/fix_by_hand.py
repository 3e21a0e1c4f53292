"""The other side of a FIX session by hand: every byte is the caller's, time passes when told to."""

from dataclasses import replace

from pyorch.trading.fix.codec import sending_time
from pyorch.trading.fix.echo import ECHOED, Echo
from pyorch.trading.fix.link import Link
from pyorch.trading.fix.message import Framer, Message, write_message
from pyorch.trading.fix.session import Session
from pyorch.trading.fix.session_terms import SECOND_NS, SessionSettings
from pyorch.trading.fix.store import MemoryStore

NOON = 1_700_000_000 * SECOND_NS
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
            self.now_ns += SECOND_NS // 10
            self.link.tick(self.now_ns)
        return self.heard()

    def log_on(self, more: str = "", heartbeat_s: int = 30) -> None:
        """The first message, which is answered alike."""
        answer = self.say(f"35=A|34=1|98=0|108={heartbeat_s}{more}")
        assert answer == [f"35=A|34=1|98=0|108={heartbeat_s}{more}"]
