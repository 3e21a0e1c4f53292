"""What the line costs: bytes of a tick, their time at a baud, the clock's share of a bit."""

from __future__ import annotations

from firmware.serial.packets import FLAGS, OVERHEAD
from pyorch.contract.fabric import FabricManifest, beats_of

DEFAULT_BAUD = 3_000_000
"""The most that the FT231X of the ULX3S takes (FTDI DS_FT231X)."""
BITS_A_BYTE = 10
"""Start bit, eight data bits, stop bit."""
FRAME_COMMAND = 4
BEAT = 8
USB_FRAME_US = 1000
"""A full-speed USB chip is asked once a millisecond (USB 2.0, 8.4.3)."""


def bit_64ths(clock_mhz: float, baud: int) -> int:
    """Length of a bit in 1/64 cycles of the bridge's clock."""
    return round(64 * clock_mhz * 1e6 / baud)


def tick_bytes(vector_beats: int, answer_beats: int) -> tuple[int, int]:
    """Bytes of a STEP's request and of its answer on the line, escapes not counted."""
    request = FLAGS + OVERHEAD + FRAME_COMMAND + BEAT * (1 + vector_beats)
    return request, FLAGS + OVERHEAD + BEAT * (answer_beats + 1)


def tick_wire_us(fabric: FabricManifest, baud: int) -> float:
    """Time of a STEP and its answer on the line, one after the other, escapes not counted."""
    return sum(tick_bytes(fabric.vector_beats, fabric.answer_beats)) * BITS_A_BYTE * 1e6 / baud


def host_boundary(baud: int) -> str:
    """The boundary to the host in words, with the figures of 16 inputs of 8 bits and 11 answers of 16."""
    request, answer = tick_bytes(beats_of(16, 8), beats_of(11, 16))
    wire_us = (request + answer) * BITS_A_BYTE * 1e6 / baud
    return (
        f"USB serial port at {baud:,} baud: a tick of 16 inputs and 11 answers is {request} bytes there and "
        f"{answer} back, {wire_us:.0f} us on the wire, and up to {USB_FRAME_US:,} us each way for the USB"
    )
