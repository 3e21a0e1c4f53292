"""MassQuote (35=i), QuoteCancel (35=Z) in FIX 4.4, the definition of `native/fix.hpp`; orders (D, F).

Fields and groups follow the FIX 4.4 specification (volume 3, "Mass Quote", "Quote Cancel"); a message
holds one quote set of at most 16 entries, as Deribit's gateway accepts. SendingTime is the event's local
time, so that a replay writes the same bytes. A side without a quote is price 0, size 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from pyorch.trading.quoting import MAXIMUM_ENTRIES, Sent

SOH = b"\x01"
MILLISECOND_NS = 1_000_000


@dataclass(frozen=True, slots=True)
class Decimals:
    """Multiples of a decimal step as text: ``units`` of the last of ``places`` decimal places."""

    units: int
    places: int

    @classmethod
    def of(cls, step: str) -> Decimals:
        """From the step's decimal text, ``"0.0005"``."""
        value = Decimal(step)
        places = max(0, -int(value.as_tuple().exponent))
        return cls(int(value.scaleb(places)), places)

    def text(self, multiple: int) -> bytes:
        """``multiple`` steps, with exactly ``places`` decimal places."""
        digits = str(multiple * self.units).rjust(self.places + 1, "0")
        if self.places == 0:
            return digits.encode()
        return f"{digits[: -self.places]}.{digits[-self.places :]}".encode()


@dataclass(frozen=True, slots=True)
class FixCodec:
    """Encodes for one session.

    Attributes:
        symbols: per option.
        price, size: an option tick, a lot.
    """

    sender: str
    target: str
    account: str
    underlying: str
    symbols: tuple[str, ...]
    price: Decimals
    size: Decimals

    def mass_quotes(self, first_sequence: int, local_ns: int, sent: Sequence[Sent]) -> list[bytes]:
        """The messages for a tick's quotes, at most 16 entries each, numbered upwards."""
        messages: list[bytes] = []
        for start in range(0, len(sent), MAXIMUM_ENTRIES):
            sequence = first_sequence + len(messages)
            part = sent[start : start + MAXIMUM_ENTRIES]
            count = len(part)
            fields = [
                *self._opening(sequence),
                b"301=0",  # no acknowledgement asked for
                b"296=1",
                b"302=1",
                f"311={self.underlying}".encode(),
                b"304=%d" % count,
                b"295=%d" % count,
            ]
            for option, _, quote in part:
                fields += [
                    b"299=%d" % option,
                    f"55={self.symbols[option]}".encode(),
                    b"132=" + self.price.text(quote.bid_ticks),
                    b"133=" + self.price.text(quote.ask_ticks),
                    b"134=" + self.size.text(quote.bid_lots),
                    b"135=" + self.size.text(quote.ask_lots),
                ]
            messages.append(self._message(b"i", sequence, local_ns, fields))
        return messages

    def cancel_all(self, sequence: int, local_ns: int) -> bytes:
        """Withdraw every quote (298=4)."""
        return self._message(b"Z", sequence, local_ns, [*self._opening(sequence), b"298=4"])

    def order(
        self,
        sequence: int,
        local_ns: int,
        option: int,
        side: int,
        price: int,
        lots: int,
        rests: bool,
        minimum: int = 0,
    ) -> bytes:
        """NewOrderSingle (35=D) at a limit: good for the day, or filled at once or not at all (59=3).

        Args:
            minimum: lots, MinQty; 0: none.
        """
        fields = [
            b"11=%d-%d" % (option, sequence),
            f"1={self.account}".encode(),
            f"55={self.symbols[option]}".encode(),
            b"54=%d" % (side + 1),
            b"60=" + sending_time(local_ns),
            b"38=" + self.size.text(lots),
            b"40=2",
            b"44=" + self.price.text(price),
            b"59=%d" % (0 if rests else 3),
        ]
        if minimum > 0:
            fields.append(b"110=" + self.size.text(minimum))
        return self._message(b"D", sequence, local_ns, fields)

    def take_back(self, sequence: int, local_ns: int, option: int, side: int, of: int) -> bytes:
        """OrderCancelRequest (35=F) of the option's order, sent as message ``of``."""
        fields = [
            b"11=%d-%d" % (option, sequence),
            b"41=%d-%d" % (option, of),
            f"55={self.symbols[option]}".encode(),
            b"54=%d" % (side + 1),
            b"60=" + sending_time(local_ns),
        ]
        return self._message(b"F", sequence, local_ns, fields)

    def replace(
        self,
        sequence: int,
        local_ns: int,
        option: int,
        side: int,
        of: int,
        price: int,
        lots: int,
    ) -> bytes:
        """OrderCancelReplaceRequest (35=G) of the option's order, sent as message ``of``."""
        fields = [
            b"11=%d-%d" % (option, sequence),
            b"41=%d-%d" % (option, of),
            f"55={self.symbols[option]}".encode(),
            b"54=%d" % (side + 1),
            b"60=" + sending_time(local_ns),
            b"38=" + self.size.text(lots),
            b"40=2",
            b"44=" + self.price.text(price),
            b"59=0",
        ]
        return self._message(b"G", sequence, local_ns, fields)

    def quote(
        self,
        sequence: int,
        local_ns: int,
        request: int,
        option: int,
        side: int,
        price: int,
        lots: int,
        until_ns: int,
    ) -> bytes:
        """Quote (35=S), the answer to a request: a bid for side 0, an offer for side 1."""
        fields = [
            b"131=%d" % request,
            b"117=%d" % sequence,
            f"55={self.symbols[option]}".encode(),
            b"%d=" % (132 + side) + self.price.text(price),
            b"%d=" % (134 + side) + self.size.text(lots),
            b"62=" + sending_time(until_ns),
        ]
        return self._message(b"S", sequence, local_ns, fields)

    def mass_status(self, sequence: int, local_ns: int) -> bytes:
        """OrderMassStatusRequest (35=AF) for all orders (585=7)."""
        return self._message(b"AF", sequence, local_ns, [b"584=%d" % sequence, b"585=7"])

    def _opening(self, sequence: int) -> list[bytes]:
        return [b"117=%d" % sequence, f"1={self.account}".encode()]

    def _message(self, kind: bytes, sequence: int, local_ns: int, fields: list[bytes]) -> bytes:
        header = [
            b"35=" + kind,
            f"49={self.sender}".encode(),
            f"56={self.target}".encode(),
            b"34=%d" % sequence,
            b"52=" + sending_time(local_ns),
        ]
        body = SOH.join(header + fields) + SOH
        message = b"8=FIX.4.4" + SOH + b"9=%d" % len(body) + SOH + body
        return message + b"10=%03d" % (sum(message) & 0xFF) + SOH


def sending_time(local_ns: int) -> bytes:
    """``YYYYMMDD-HH:MM:SS.sss`` in UTC, milliseconds rounded down."""
    milliseconds = local_ns // MILLISECOND_NS
    moment = datetime.fromtimestamp(milliseconds // 1000, UTC)
    return f"{moment:%Y%m%d-%H:%M:%S}.{milliseconds % 1000:03d}".encode()
