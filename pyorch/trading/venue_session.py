"""What is known of a venue's session; the definition of `native/venue_session.hpp`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Session:
    """What is known of a venue's session.

    Attributes:
        sequence: of the last message sent.
        waiting_ns: since when the venue owes an answer; 0: it owes none.
        late: it has owed one for too long.
        awaited: it must say that it is up before anything is quoted there.
    """

    sequence: int = 0
    waiting_ns: int = 0
    connected: bool = True
    late: bool = False
    awaited: bool = False

    @property
    def down(self) -> bool:
        """Whether nothing may be quoted there."""
        return not self.connected or self.late or self.awaited

    def sent(self, messages: int, local_ns: int) -> None:
        """Messages went out."""
        self.sequence += messages
        if self.waiting_ns == 0:
            self.waiting_ns = local_ns

    def heard(self, sequence: int, local_ns: int) -> None:
        """The venue has taken in a message."""
        self.waiting_ns = 0 if sequence >= self.sequence else local_ns
        self.late = False

    def connect(self, taken_in: int) -> None:
        """The session is up anew, has taken in messages up to one, and owes nothing."""
        self.connected, self.late, self.awaited, self.waiting_ns = True, False, False, 0
        self.sequence = max(self.sequence, taken_in)
