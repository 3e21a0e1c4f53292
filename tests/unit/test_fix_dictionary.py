"""Messages against the data dictionaries: cases 14 of the FIX specification's session tests."""

import pytest

from pyorch.trading.fix.codec import Decimals, FixCodec
from pyorch.trading.fix.dictionary import Fault, Reason, dictionary, group_entries
from pyorch.trading.fix.message import Message, parse_fields, read_message, write_message
from pyorch.trading.risk import Quote

TIME = "20231114-22:13:20"
HEAD = f"34=2|49=TW|52={TIME}|56=ISLD"
ORDER = f"11=id|21=3|40=1|54=1|55=INTC|60={TIME}"
VERSIONS = (b"FIX.4.2", b"FIX.4.4")


def message(text: str, version: bytes = b"FIX.4.4") -> Message:
    fields = [one.split("=", 1) for one in text.split("|")]
    return read_message(write_message(version, [(int(tag), v.encode()) for tag, v in fields]))


def check(text: str, version: bytes = b"FIX.4.4") -> Fault | None:
    return dictionary(version).check(message(text, version))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("text", "reason", "tag"),
    [
        (f"35=0|{HEAD}|999=HI", Reason.INVALID_TAG, 999),
        (f"35=0|{HEAD}|0=HI", Reason.INVALID_TAG, 0),
        (f"35=0|{HEAD}|-1=HI", Reason.INVALID_TAG, -1),
        (f"35=0|{HEAD}|5000=HI", Reason.INVALID_TAG, 5000),
        (f"35=0|34=2|49=TW|52={TIME}", Reason.REQUIRED_MISSING, 56),
        (f"35=D|{HEAD}|" + ORDER.replace("|55=INTC", ""), Reason.REQUIRED_MISSING, 55),
        (f"35=0|{HEAD}|55=MSFT", Reason.NOT_OF_MESSAGE, 55),
        (f"35=0|34=2|49=TW|52={TIME}|56=", Reason.NO_VALUE, 56),
        (f"35=D|{HEAD}|{ORDER}|58=", Reason.NO_VALUE, 58),
        (f"35=D|{HEAD}|" + ORDER.replace("21=3", "21=4"), Reason.BAD_VALUE, 21),
        (f"35=D|{HEAD}|" + ORDER.replace("40=1", "40=w"), Reason.BAD_VALUE, 40),
        (f"35=D|{HEAD}|{ORDER}|167=BOO", Reason.BAD_VALUE, 167),
        (f"35=D|{HEAD}|{ORDER}|18=1 x", Reason.BAD_VALUE, 18),
        (f"35=D|{HEAD}|{ORDER}|38=+200.00", Reason.BAD_FORMAT, 38),
        (f"35=D|{HEAD}|{ORDER}|38=2e3", Reason.BAD_FORMAT, 38),
        (f"35=D|{HEAD}|{ORDER}|126=20040415", Reason.BAD_FORMAT, 126),
        (f"35=D|{HEAD}|{ORDER}|126=20040431-00:00:00", Reason.BAD_FORMAT, 126),
        (f"35=D|{HEAD}|{ORDER}|114=1", Reason.BAD_FORMAT, 114),
        (f"35=D|{HEAD}|{ORDER}|432=20041301", Reason.BAD_FORMAT, 432),
        (f"35=D|{HEAD}|{ORDER}|200=2004", Reason.BAD_FORMAT, 200),
        (f"35=*|{HEAD}", Reason.MESSAGE_TYPE, None),
        (f"35=D|11=id|{HEAD}|" + ORDER.replace("11=id|", ""), Reason.OUT_OF_ORDER, 34),
        (f"35=D|{HEAD}|{ORDER}|40=2", Reason.REPEATED, 40),
        (f"35=D|{HEAD}|{ORDER}|386=3|336=PRE-OPEN|336=AFTER", Reason.GROUP_COUNT, 386),
        (f"35=D|{HEAD}|{ORDER}|386=1|336=PRE-OPEN|336=AFTER", Reason.GROUP_COUNT, 386),
        (f"35=D|{HEAD}|{ORDER}|78=2|80=1|79=a|80=2|79=b", Reason.GROUP_ORDER, 80),
        (f"35=D|{HEAD}|{ORDER}|78=1|79=a|80=1|80=2", Reason.REPEATED, 80),
        (f"35=D|{HEAD}|{ORDER}|78=1|79=a|80=x", Reason.BAD_FORMAT, 80),
        (f"35=C|{HEAD}|164=1|94=0|147=x|33=1|354=1|355=x", Reason.GROUP_ORDER, 354),
    ],
)
def test_a_fault_has_the_standards_reason_and_tag(
    version: bytes, text: str, reason: Reason, tag: int | None
) -> None:
    assert check(text, version) == Fault(reason, tag)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "text",
    [
        f"35=D|{HEAD}|{ORDER}|167=CS|38=002000.00|18=1 2|386=2|336=A|336=B|78=0",
        f"35=D|52={TIME}|56=ISLD|49=TW|34=2|" + "|".join(reversed(ORDER.split("|"))),
        f"35=D|{HEAD}|{ORDER}|200=202403|126={TIME}.123|58=seventeen = 17",
        f"35=A|{HEAD}|98=0|108=30|95=3|96=a=b|141=Y|384=1|372=D|385=S",
        f"35=3|{HEAD}|45=1|371=55|372=D|373=5|58=why",
        f"35=9|{HEAD}|37=a|11=b|41=c|39=2|434=1|102=0",
    ],
)
def test_what_the_standard_allows_has_no_fault(version: bytes, text: str) -> None:
    assert check(text, version) is None


def test_the_versions_differ_where_the_standard_does() -> None:
    report = f"35=8|{HEAD}|37=a|17=b|150=0|39=0|55=X|54=1|151=1|14=0|6=0"
    assert check(report, b"FIX.4.2") == Fault(Reason.REQUIRED_MISSING, 20)
    assert check(report, b"FIX.4.4") is None
    assert check(f"{report}|20=0", b"FIX.4.4") == Fault(Reason.INVALID_TAG, 20)
    assert check(f"35=AF|{HEAD}|584=1|585=7", b"FIX.4.2") == Fault(Reason.MESSAGE_TYPE)
    assert check(f"35=AF|{HEAD}|584=1|585=7", b"FIX.4.4") is None
    zero = "320=a|322=b|323=6|55=T|22=8|336=M|58=none"
    assert check(f"35=d|{HEAD}|{zero}|393=0|146=0", b"FIX.4.2") is None
    assert check(f"35=d|{HEAD}|{zero}|454=0", b"FIX.4.4") is None


def test_a_data_field_may_hold_any_byte() -> None:
    fields = [(35, b"D"), (354, b"5"), (355, b"a\x01=b\x01"), (59, b"0")]
    raw = write_message(b"FIX.4.4", fields)
    found = parse_fields(raw)
    assert found is not None
    assert [one for one in found if one[0] not in (8, 9, 10)] == fields


def test_the_desks_own_messages_keep_to_the_dictionary() -> None:
    codec = FixCodec(
        "DESK", "VENUE", "acc", "BTC", ("BTC-A", "BTC-B"), Decimals.of("0.0005"), Decimals.of("0.1")
    )
    sent = [(0, 0, Quote(1, 2, 3, 4)), (1, 0, Quote(5, 6, 7, 8))]
    messages = [
        *codec.mass_quotes(1, 1_700_000_000_000_000_000, sent),
        codec.cancel_all(2, 1_700_000_000_000_000_000),
        codec.order(3, 1_700_000_000_000_000_000, 0, 1, 10, 2, True),
        codec.take_back(4, 1_700_000_000_000_000_000, 0, 1, 3),
    ]
    book = dictionary(b"FIX.4.4")
    assert [book.check(read_message(one)) for one in messages] == [None] * 4
    entries = group_entries(read_message(messages[0]), book, 296, 295)
    assert [dict(one)[55] for one in entries] == [b"BTC-A", b"BTC-B"]


def test_a_dialect_adds_fields_and_types() -> None:
    book = dictionary(b"FIX.4.4").extended({"i": "9019!", "MZ": "20114! 9019"})
    mass = f"35=i|{HEAD}|117=1|296=1|302=1|304=1|295=1|299=1|55=X"
    assert book.check(message(mass)) == Fault(Reason.REQUIRED_MISSING, 9019)
    assert book.check(message(mass.replace("117=1", "117=1|9019=g"))) is None
    assert book.check(message(f"35=MZ|{HEAD}|20114=1")) is None
    assert check(mass.replace("117=1", "117=1|9019=g")) == Fault(Reason.INVALID_TAG, 9019)
