"""The FIX message of the explained quote, field by field."""

from __future__ import annotations

from dataclasses import dataclass

from pyorch.app.journal import Journal

SYMBOL, ENTRY = 55, 299
"""FIX tags: Symbol; QuoteEntryID, which opens an entry of a MassQuote."""


@dataclass(frozen=True, slots=True)
class FixField:
    """A field of the FIX message."""

    tag: int
    name: str
    value: str


def message_about(
    journal: Journal, index: int, symbol: str
) -> tuple[tuple[FixField, ...], int, int]:
    """The message that quotes the option: its fields but other options' entries, those, its bytes."""
    for message in journal.messages_of(index):
        pairs = [part.split(b"=", 1) for part in message.rstrip(b"\x01").split(b"\x01")]
        fields = [FixField(int(t), TAGS.get(int(t), ""), v.decode("ascii")) for t, v in pairs]
        if not any(field.tag == SYMBOL and field.value == symbol for field in fields):
            continue
        starts = [n for n, field in enumerate(fields) if field.tag == ENTRY]
        if not starts:
            return tuple(fields), 0, len(message)
        ends = [*starts[1:], len(fields) - 1]  # the last field is the checksum
        entries = [fields[s:e] for s, e in zip(starts, ends, strict=True)]
        mine = next(e for e in entries if any(f.tag == SYMBOL and f.value == symbol for f in e))
        shown = (*fields[: starts[0]], *mine, fields[-1])
        return shown, len(entries) - 1, len(message)
    return (), 0, 0


TAGS = {
    1: "Account",
    8: "BeginString",
    9: "BodyLength",
    10: "CheckSum",
    22: "SecurityIDSource",
    34: "MsgSeqNum",
    35: "MsgType",
    38: "OrderQty",
    48: "SecurityID",
    49: "SenderCompID",
    52: "SendingTime",
    54: "Side",
    55: "Symbol",
    56: "TargetCompID",
    60: "TransactTime",
    62: "ValidUntilTime",
    110: "MinQty",
    117: "QuoteID",
    131: "QuoteReqID",
    132: "BidPx",
    133: "OfferPx",
    134: "BidSize",
    135: "OfferSize",
    167: "SecurityType",
    200: "MaturityMonthYear",
    201: "PutOrCall",
    202: "StrikePrice",
    207: "SecurityExchange",
    231: "ContractMultiplier",
    295: "NoQuoteEntries",
    296: "NoQuoteSets",
    298: "QuoteCancelType",
    299: "QuoteEntryID",
    301: "QuoteResponseLevel",
    302: "QuoteSetID",
    304: "TotNoQuoteEntries",
    311: "UnderlyingSymbol",
    537: "QuoteType",
    541: "MaturityDate",
}
"""Names of the fields, from the FIX 4.4 dictionary."""
