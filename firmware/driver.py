"""The fabric under pynq: registers by MMIO, frames by DMA; on a card as in simulation.

Import this where pynq is at hand; `firmware.engine` does. Every wait ends in an answer or in a
`DeviceError`.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from pynq import DefaultIP, allocate

from firmware.block_design import FABRIC_VLNV
from firmware.control import FabricControl
from pyorch.contract.errors import DeviceError
from pyorch.contract.fabric import Beats, FabricManifest

DMA_ERRORS = {
    0x10: "internal error (length 0, or a longer result)",
    0x20: "slave error",
    0x40: "decode error",
}


class FabricDriver(FabricControl, DefaultIP):  # type: ignore[misc]
    """A fabric that pynq finds through its VLNV; `connect` gives it manifest and DMA."""

    bindto = [FABRIC_VLNV]  # noqa: RUF012  pynq reads a class attribute of this name

    def connect(self, manifest: FabricManifest, dma: Any) -> None:
        """Check that the card holds this fabric, and make the buffers.

        Raises:
            MismatchError: another fabric; the message says what differs.
        """
        self.manifest, self.dma = manifest, dma
        self.where = f"{self.mmio.base_addr:#x}"
        self.check_identity()
        self._room_in, self._room_out = 64, 64
        self._in = self._out = None
        self._grow(64, 64)

    # ---- frames
    def _grow(self, beats_in: int, beats_out: int) -> None:
        if self._in is None or beats_in > self._room_in:
            self._room_in = max(beats_in, self._room_in)
            self._in = allocate((self._room_in,), dtype="u8", target=self.device)
        if self._out is None or beats_out > self._room_out:
            self._room_out = max(beats_out, self._room_out)
            self._out = allocate((self._room_out,), dtype="u8", target=self.device)

    def transfer(self, frame: Beats, result_beats: int) -> Beats:
        """One frame through the DMA; returns the result frame's beats.

        Raises:
            DeviceError: a DMA error, or no result in time.
        """
        self._grow(len(frame), result_beats)
        assert self._in is not None and self._out is not None
        self._in[: len(frame)] = frame
        send, receive = self.dma.sendchannel, self.dma.recvchannel
        receive.transfer(self._out, nbytes=8 * result_beats)
        send.transfer(self._in, nbytes=8 * len(frame))
        self._wait_channel("result", receive)
        self._wait_channel("feature", send)
        receive.wait()
        send.wait()
        return np.array(self._out[: receive.transferred // 8], dtype=np.uint64)

    def _wait_channel(self, name: str, channel: Any) -> None:
        deadline = time.monotonic() + self.timeout_s
        while True:
            status = int(channel._mmio.read(channel._offset + 4))
            problem = next((text for bit, text in DMA_ERRORS.items() if status & bit), None)
            if problem is not None:
                self.restart()
                raise DeviceError(f"DMA of the {name} channel: {problem}; the channels were reset")
            if status & 2:
                return
            if time.monotonic() > deadline:
                self.restart()
                raise DeviceError(
                    f"DMA of the {name} channel: not done within {self.timeout_s:g} s (status {status:#x}); "
                    "the channels were reset, start the card again"
                )

    def restart(self) -> None:
        """Reset both channels of the DMA."""
        self.dma.sendchannel._mmio.write(0, 4)
        for channel in (self.dma.sendchannel, self.dma.recvchannel):
            channel.start()
