"""What a venue reads out of our FIX bytes: the counterpart of `pyorch.trading.fix.codec`."""

from __future__ import annotations

from dataclasses import dataclass

from pyorch.contract.errors import DataError
from pyorch.trading.fix.codec import SOH, Decimals
from pyorch.trading.risk import Quote

_BEGIN = b"8=FIX.4.4" + SOH


@dataclass(frozen=True, slots=True)
class Decoded:
    """A message.

    Attributes:
        kind: ``i`` quotes, ``Z`` withdraws all, ``D`` an order, ``F`` takes the option's order back.
        target: TargetCompID.
        entries: (option, quote) of a mass quote.
        order: (option, side, price in ticks, lots, whether it may rest) of an order.
    """

    kind: str
    target: str
    sequence: int
    entries: tuple[tuple[int, Quote], ...] = ()
    order: tuple[int, int, int, int, bool] | None = None


def split_messages(stream: bytes) -> list[bytes]:
    """Whole messages, in order; the stream holds nothing else."""
    return [_BEGIN + part for part in stream.split(_BEGIN)[1:]]


def steps_of(text: bytes, decimals: Decimals) -> int:
    """A decimal text in steps; the inverse of `Decimals.text`."""
    return int(text.replace(b".", b"")) // decimals.units


def decode(message: bytes, price: Decimals, size: Decimals) -> Decoded:
    """Read a message.

    Raises:
        DataError: BodyLength or CheckSum are wrong, or a field is missing.
    """
    head, _, rest = message[len(_BEGIN) :].partition(SOH)
    body, mark, check = rest[:-4].rpartition(b"10=")
    if head != b"9=%d" % len(body) or not mark or not message.endswith(SOH):
        raise DataError(f"a FIX message of {len(message)} bytes: BodyLength is not {len(body)}")
    if int(rest[-4:-1]) != sum(message[: -len(b"10=000" + SOH)]) & 0xFF:
        raise DataError(f"a FIX message of {len(message)} bytes: CheckSum {check!r} is wrong")
    fields = [field.split(b"=", 1) for field in body.split(SOH)[:-1]]
    first = {tag: value for tag, value in reversed(fields)}
    kind, target = first[b"35"].decode(), first[b"56"].decode()
    sequence = int(first[b"34"])
    if kind == "i":
        columns = {
            tag: [value for name, value in fields if name == tag]
            for tag in (b"299", b"132", b"133", b"134", b"135")
        }
        entries = tuple(
            (
                int(option),
                Quote(
                    steps_of(bid, price),
                    steps_of(ask, price),
                    steps_of(bid_size, size),
                    steps_of(ask_size, size),
                ),
            )
            for option, bid, ask, bid_size, ask_size in zip(*columns.values(), strict=True)
        )
        return Decoded(kind, target, sequence, entries)
    order = None
    if kind in ("D", "F"):
        order = (
            int(first[b"11"].split(b"-")[0]),
            int(first[b"54"]) - 1,
            steps_of(first.get(b"44", b"0"), price),
            steps_of(first.get(b"38", b"0"), size),
            first.get(b"59") == b"0",
        )
    return Decoded(kind, target, sequence, order=order)
