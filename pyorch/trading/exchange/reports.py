"""A venue's reports as FIX 4.4 messages, and back to the desk's inputs.

| input | message |
|---|---|
| ACKNOWLEDGED of quotes, orders, orders taken back | b 297=0; 8 150=0; 8 150=4 |
| REJECTED | b 297=5 with the entry and its QuoteEntryRejectReason (368) |
| ORDER_REJECTED | 8 150=8 with OrdRejReason (103) |
| FILLED | 8 150=F; ClOrdID ``Q-number`` of a quote, ``option-number`` of an order |
| CANCELLED, PROTECTION | b 297=4, 297=6 |
| CONNECTED | 8 150=I, the end of an order mass status; SecondaryOrderID (198) is the last message taken in |
| REQUEST, ACCEPTANCE | R, AJ 694=1 |

Prices are option ticks and sizes lots, as decimal texts of the session's codec.
"""

from __future__ import annotations

from pyorch.contract.errors import DataError
from pyorch.trading.fix.codec import FixCodec
from pyorch.trading.fix.decode import steps_of
from pyorch.trading.fix.message import Field, Message
from pyorch.trading.inputs import InputArray, InputKind, Rejection, make_input

ENTRY_REASONS = {
    Rejection.CHANCE: b"99", Rejection.RATE: b"3", Rejection.PROTECTED: b"9",
    Rejection.UNKNOWN: b"1", Rejection.CROSSED: b"8",
}  # fmt: skip
"""QuoteEntryRejectReason."""
ORDER_REASONS = {
    Rejection.CHANCE: b"99", Rejection.RATE: b"3", Rejection.PROTECTED: b"0",
    Rejection.UNKNOWN: b"1", Rejection.CROSSED: b"11",
}  # fmt: skip
"""OrdRejReason."""
_STATES = {
    InputKind.ACKNOWLEDGED: b"0",
    InputKind.CANCELLED: b"4",
    InputKind.REJECTED: b"5",
    InputKind.PROTECTION: b"6",
}
NOBODY: list[Field] = [(55, b"NONE"), (54, b"1")]


def report_message(
    row: InputArray, kinds: dict[int, str], codec: FixCodec, report: int
) -> tuple[str, list[Field]]:
    """A report's type and body.

    Args:
        kinds: MsgType of our messages, by number; an order's is ``D option`` or ``F option``.
        report: number of this report.
    """
    kind, sequence = InputKind(int(row["kind"][0])), int(row["sequence"][0])
    option, value = int(row["option"][0]), int(row["value"][0])
    side, lots = int(row["side"][0]), int(row["lots"][0])
    symbol = codec.symbols[option].encode()
    number = b"%d" % sequence
    said = kinds.get(sequence, "i")
    if kind is InputKind.REQUEST:
        entry: list[Field] = [(146, b"1"), (55, symbol), (54, b"%d" % (side + 1))]
        entry += [
            (38, codec.size.text(lots)),
            (453, b"1"),
            (448, b"%d" % value),
            (447, b"D"),
            (452, b"1"),
        ]
        return "R", [(131, number), *entry]
    if kind is InputKind.ACCEPTANCE:
        return "AJ", [(693, number), (117, number), (694, b"1"), (55, symbol)]
    if kind is InputKind.CONNECTED:
        return "8", _execution(report, b"I", b"8", b"NONE", [(198, number), *NOBODY])
    if kind is InputKind.ORDER_REJECTED:
        order: list[Field] = [(11, b"%d-%d" % (option, sequence)), (55, symbol), (54, b"1")]
        reason = (103, ORDER_REASONS[Rejection(value)])
        return "8", _execution(report, b"8", b"8", b"NONE", [*order, reason])
    if kind is InputKind.FILLED:
        name = b"%d-%d" % (option, sequence) if value else b"Q-%d" % sequence
        price, size = codec.price.text(int(row["price_ticks"][0])), codec.size.text(lots)
        trade: list[Field] = [
            (11, name),
            (55, symbol),
            (54, b"%d" % (side + 1)),
            (31, price),
            (32, size),
        ]
        return "8", _execution(report, b"F", b"1", name, trade)
    if kind is InputKind.ACKNOWLEDGED and said[0] in "DF":
        state = b"0" if said[0] == "D" else b"4"
        name = b"%s-%d" % (said[2:].encode(), sequence)
        return "8", _execution(report, state, state, name, [(11, name), *NOBODY])
    body: list[Field] = [(117, number), (297, _STATES[kind])]
    if kind is InputKind.REJECTED:
        body += [(296, b"1"), (302, b"1"), (304, b"1"), (295, b"1"), (299, b"%d" % option)]
        body += [(55, symbol), (368, ENTRY_REASONS[Rejection(value)])]
    return "b", body


def _execution(
    report: int, kind: bytes, status: bytes, order: bytes, more: list[Field]
) -> list[Field]:
    own: list[Field] = [(37, order), (17, b"%d" % report), (150, kind), (39, status)]
    return [*own, *more, (151, b"0"), (14, b"0"), (6, b"0")]


def read_report(message: Message, venue: int, codec: FixCodec, local_ns: int) -> InputArray:
    """The desk's input that a report stands for.

    Raises:
        DataError: it is none of the reports above.
    """
    number = message.number(117) or 0
    if message.kind == "b":
        state = message.get(297)
        kind = next((k for k, text in _STATES.items() if text == state), None)
        if kind is None:
            raise DataError(
                f"a mass quote acknowledgement with QuoteStatus {state!r}: expected 0, 4, 5 or 6"
            )
        if kind is not InputKind.REJECTED:
            return make_input(kind, local_ns, venue=venue, sequence=number)
        why = _reason(ENTRY_REASONS, message.get(368))
        option = message.number(299) or 0
        return make_input(
            kind, local_ns, venue=venue, sequence=number, option=option, value=int(why)
        )
    if message.kind == "R":
        return make_input(
            InputKind.REQUEST, local_ns, venue=venue, sequence=message.number(131) or 0,
            option=_option(message, codec), side=(message.number(54) or 1) - 1,
            lots=_steps(message, 38, codec), value=message.number(448) or 0,
        )  # fmt: skip
    if message.kind == "AJ":
        return make_input(
            InputKind.ACCEPTANCE, local_ns, venue=venue, sequence=message.number(693) or 0
        )
    if message.kind != "8":
        raise DataError(f"a message {message.kind} is no report: expected 8, b, R or AJ")
    what = message.get(150)
    if what == b"I":
        taken_in = message.number(198) or 0
        return make_input(InputKind.CONNECTED, local_ns, venue=venue, sequence=taken_in)
    name, _, rest = (message.get(11) or b"").partition(b"-")
    sequence = int(rest)
    if what == b"8":
        why = _reason(ORDER_REASONS, message.get(103))
        return make_input(
            InputKind.ORDER_REJECTED, local_ns, venue=venue, sequence=sequence, option=int(name),
            value=int(why),
        )  # fmt: skip
    if what != b"F":
        return make_input(InputKind.ACKNOWLEDGED, local_ns, venue=venue, sequence=sequence)
    return make_input(
        InputKind.FILLED, local_ns, venue=venue, sequence=sequence, option=_option(message, codec),
        side=(message.number(54) or 1) - 1, lots=_steps(message, 32, codec),
        price_ticks=steps_of(message.get(31) or b"0", codec.price), value=int(name != b"Q"),
    )  # fmt: skip


def _reason(reasons: dict[Rejection, bytes], text: bytes | None) -> Rejection:
    return next((why for why, one in reasons.items() if one == text), Rejection.UNKNOWN)


def _steps(message: Message, tag: int, codec: FixCodec) -> int:
    return steps_of(message.get(tag) or b"0", codec.size)


def _option(message: Message, codec: FixCodec) -> int:
    return codec.symbols.index((message.get(55) or b"").decode())
