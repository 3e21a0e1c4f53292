"""The native encoder of orders and quotes on request, byte for byte beside its definition."""

from random import Random

import pytest
import simplefix

from pyorch import _native
from pyorch.trading.fix.codec import Decimals, FixCodec
from pyorch.trading.fix.dictionary import dictionary
from pyorch.trading.fix.message import read_message
from pyorch.trading.native import order_templates

SYMBOLS = ["BTC-15AUG24-62000-C", "X"]


@pytest.mark.parametrize(("tick", "lot"), [("0.0005", "0.1"), ("5", "10"), ("0.01", "1")])
def test_native_bytes_are_the_definitions(tick: str, lot: str) -> None:
    price, size = Decimals.of(tick), Decimals.of(lot)
    codec = FixCodec("DESK", "VENUE", "account", "BTC", tuple(SYMBOLS), price, size)
    native = order_templates(codec)
    random, book = Random(3), dictionary(b"FIX.4.4")
    for _ in range(200):
        number, of = random.randint(1, 10**9), random.randint(1, 10**9)
        at = (number, random.randint(0, 4 * 10**18))
        option, side = random.randrange(2), random.randrange(2)
        ticks, lots, minimum = (random.randrange(10**6) for _ in range(3))
        rests, until_ns = random.random() < 0.5, random.randint(0, 4 * 10**18)
        pairs = [
            (
                native.order(*at, option, side, ticks, lots, rests, minimum),
                codec.order(*at, option, side, ticks, lots, rests, minimum),
            ),
            (
                native.order(*at, option, side, ticks, lots, rests),
                codec.order(*at, option, side, ticks, lots, rests),
            ),
            (
                native.replace(*at, option, side, of, ticks, lots),
                codec.replace(*at, option, side, of, ticks, lots),
            ),
            (native.take_back(*at, option, side, of), codec.take_back(*at, option, side, of)),
            (
                native.quote(*at, of, option, side, ticks, lots, until_ns),
                codec.quote(*at, of, option, side, ticks, lots, until_ns),
            ),
            (native.mass_status(*at), codec.mass_status(*at)),
        ]
        for found, wanted in pairs:
            assert found == wanted
            fault = book.check(read_message(found))
            assert fault is None, (fault, found)


@pytest.mark.parametrize(("units", "places"), [(1, 0), (25, 2), (1, 7), (1, 8), (5, 9)])
def test_numbers_of_every_length_are_the_definitions(units: int, places: int) -> None:
    codec = FixCodec("D", "V", "a", "", tuple(SYMBOLS), Decimals(units, places), Decimals(1, 0))
    native, random = order_templates(codec), Random(4)
    edges = [edge for k in range(1, 17) for edge in (10**k - 1, 10**k, 10**k + 1)]
    for number in [0, 1, 9, *edges, *(random.randrange(10 ** (1 + k % 16)) for k in range(500))]:
        at = (number + 1, 1_700_000_000_000_000_000)
        found = native.replace(*at, 1, 0, number, number, number)
        assert found == codec.replace(*at, 1, 0, number, number, number)


def test_an_independent_decoder_reads_price_size_and_minimum() -> None:
    native = _native.FixOrderTemplates("A", "B", "a", SYMBOLS, (5, 4), (1, 1))
    parser = simplefix.FixParser()
    parser.append_buffer(native.order(7, 1_700_000_000_000_000_000, 0, 1, 90, 25, True, 5))
    message = parser.get_message()
    assert [message.get(tag) for tag in (35, 34, 11, 44, 38, 110, 54)] == [
        b"D", b"7", b"0-7", b"0.0450", b"2.5", b"0.5", b"2",
    ]  # fmt: skip
    with pytest.raises(IndexError):
        native.take_back(1, 0, 2, 0, 1)
