"""Packets on a serial line: whole ones come through any noise before them, changed ones never."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware.serial.packets import BUFFER, FLAG, OVERHEAD, Deframer, Kind, Packet
from firmware.serial.timing import bit_64ths, host_boundary, tick_bytes

numbers = st.integers(0, 0xFFFF)
payloads = st.binary(max_size=200) | st.lists(st.sampled_from([0x7D, 0x7E, 0x5D, 0x5E])).map(bytes)


@given(st.lists(st.tuples(numbers, numbers, payloads), max_size=4), st.binary(max_size=60))
def test_packets_come_whole_after_any_noise(
    contents: list[tuple[int, int, bytes]], noise: bytes
) -> None:
    packets = [Packet(session, number, Kind.RUN, payload) for session, number, payload in contents]
    deframer = Deframer()
    found = deframer.feed(noise)
    for packet in packets:
        found += deframer.feed(packet.encode())
    # noise may end in the middle of a byte pair, but never swallows the flag that opens a packet
    assert found[-len(packets) :] == packets if packets else found == []
    assert deframer.accepted == len(packets)


@given(numbers, numbers, payloads, st.data())
def test_a_changed_packet_is_never_taken_for_a_whole_one(
    session: int, number: int, payload: bytes, data: st.DataObject
) -> None:
    packet = Packet(session, number, Kind.RUN, payload)
    text = bytearray(packet.encode())
    position = data.draw(st.integers(0, len(text) - 1))
    text[position] ^= 1 << data.draw(st.integers(0, 7))
    deframer = Deframer()
    found = deframer.feed(bytes(text) + bytes([FLAG]))
    assert [other for other in found if other != packet] == []


def test_neighbours_share_a_flag_and_nothing_between_flags_is_nothing() -> None:
    packet = Packet(1, 2, Kind.RUN, b"abc")
    text = packet.encode()
    deframer = Deframer()
    assert deframer.feed(bytes([FLAG]) * 5 + text + text[1:] + bytes([FLAG])) == [packet, packet]
    assert (deframer.accepted, deframer.damaged, deframer.too_long) == (2, 0, 0)


@pytest.mark.parametrize("extra", [0, 1])
def test_the_longest_packet_is_the_buffer(extra: int) -> None:
    deframer = Deframer()
    packet = Packet(1, 2, Kind.RUN, bytes(BUFFER - OVERHEAD + extra))
    assert deframer.feed(packet.encode()) == ([] if extra else [packet])
    assert deframer.too_long == extra


def test_the_bit_is_the_clocks_share_and_the_boundary_states_its_bytes() -> None:
    assert bit_64ths(48.0, 3_000_000) == 16 * 64
    assert tick_bytes(2, 3) == (2 + 9 + 4 + 24, 2 + 9 + 32)
    assert (
        "at 3,000,000 baud: a tick of 16 inputs and 11 answers is 39 bytes there and 43 back, 273 us"
        in (host_boundary(3_000_000))
    )
