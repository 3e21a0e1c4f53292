"""A pynq device whose card is a Verilated feature path behind the AXI DMA of `sim.card`."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import numpy as np

from firmware.block_design import DMA, FABRIC, hwh_text
from firmware.engine import BITSTREAM
from firmware.event_driver import EventDriver, events_design
from sim.bench.events.decision_player import DecisionPlayer
from sim.card import MM2S, REGION, S2MM, SimulatedDevice

LOOKS = 64
"""For a word, each some cycles, whenever the host looks at the DMA."""
_BEATS = ctypes.POINTER(ctypes.c_uint64)


class SimulatedEventDevice(SimulatedDevice):
    """The device of one simulated feature path."""

    def __init__(self, player: DecisionPlayer) -> None:
        super().__init__(player)  # type: ignore[arg-type]
        self.player = player
        library = player.library
        library.card_offer.argtypes = [ctypes.c_void_p, _BEATS, ctypes.c_uint64]
        library.card_take.argtypes = [ctypes.c_void_p, _BEATS, ctypes.c_uint64]
        library.card_reset.argtypes = [ctypes.c_void_p]

    def download(self, bitstream: Any, parser: Any = None) -> None:
        """Loading the bitstream is a reset."""
        self.player.library.card_reset(self.player.handle)
        for channel in self.channels.values():
            channel.reset()

    def _read(self, address: int) -> int:
        if address == REGION[DMA].base + S2MM + 4:
            self._receive()
        return super()._read(address)

    def _transfer(self) -> None:
        send = self.channels[MM2S]
        if send.armed and not self.stuck:
            source = self._bytes(send.address, send.length)
            assert source is not None
            beats = np.ascontiguousarray(source).view("<u8")
            self.player.library.card_offer(
                self.player.handle, beats.ctypes.data_as(_BEATS), len(beats)
            )
            send.finish(send.length)

    def _receive(self) -> None:
        channel = self.channels[S2MM]
        if not channel.armed or self.stuck:
            return
        target = self._bytes(channel.address, channel.length)
        assert target is not None
        beats = np.zeros(len(target) // 8, np.uint64)
        for _ in range(LOOKS):
            size = self.player.library.card_take(
                self.player.handle, beats.ctypes.data_as(_BEATS), len(beats)
            )
            if size:
                target[: 8 * size] = beats[:size].view(np.uint8)
                channel.finish(8 * size)
                return


def open_events(project: Path, player: DecisionPlayer) -> tuple[EventDriver, SimulatedEventDevice]:
    """The driver of a simulated card that holds an emitted feature path."""
    from pynq import Overlay

    (project / BITSTREAM).write_bytes(b"simulated")
    (project / BITSTREAM).with_suffix(".hwh").write_text(hwh_text(events_design()))
    device = SimulatedEventDevice(player)
    overlay = Overlay(str(project / BITSTREAM), device=device)
    driver = getattr(overlay, FABRIC)
    driver.connect(player.manifest, getattr(overlay, DMA))
    return driver, device
