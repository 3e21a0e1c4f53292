"""The codec's orders, replacements and quotes on request, read by an independent decoder."""

import simplefix

from pyorch.trading.fix.codec import Decimals, FixCodec
from pyorch.trading.fix.dictionary import dictionary
from pyorch.trading.fix.message import read_message

CODEC = FixCodec(
    "DESK", "VENUE", "account", "BTC", ("BTC-A", "X"), Decimals.of("0.0005"), Decimals.of("0.1")
)
NOON = 1_700_000_000_000_000_000


def test_each_message_says_what_it_was_given_and_keeps_to_the_dictionary() -> None:
    cases = [
        (CODEC.order(7, NOON, 0, 1, 90, 25, True, 5),
         {35: "D", 34: "7", 11: "0-7", 55: "BTC-A", 54: "2", 44: "0.0450", 38: "2.5", 110: "0.5", 59: "0"}),
        (CODEC.order(7, NOON, 0, 1, 90, 25, False), {110: None, 59: "3"}),
        (CODEC.replace(8, NOON, 1, 0, 7, 91, 20),
         {35: "G", 11: "1-8", 41: "1-7", 55: "X", 54: "1", 44: "0.0455", 38: "2.0"}),
        (CODEC.take_back(9, NOON, 1, 0, 7), {35: "F", 11: "1-9", 41: "1-7"}),
        (CODEC.quote(10, NOON, 3, 0, 0, 90, 25, NOON),
         {35: "S", 131: "3", 117: "10", 132: "0.0450", 134: "2.5", 133: None, 62: "20231114-22:13:20.000"}),
        (CODEC.quote(10, NOON, 3, 0, 1, 90, 25, NOON), {133: "0.0450", 135: "2.5", 132: None}),
        (CODEC.mass_status(11, NOON), {35: "AF", 584: "11", 585: "7"}),
    ]  # fmt: skip
    for raw, wanted in cases:
        assert dictionary(b"FIX.4.4").check(read_message(raw)) is None, raw
        parser = simplefix.FixParser()
        parser.append_buffer(raw)
        message = parser.get_message()
        for tag, value in wanted.items():
            assert message.get(tag) == (None if value is None else value.encode()), (raw, tag)
