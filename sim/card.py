"""A pynq device whose card is a Verilated fabric, with an AXI DMA and memory that is not coherent.

Host and card see different copies of a buffer until it is flushed (to the card) or invalidated (from the
card), as on a processor whose caches the DMA does not snoop: a driver that forgets either reads old data.
DMA registers: AMD PG021, "AXI DMA", direct register mode.
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path
from typing import Any

import numpy as np
from pynq.buffer import PynqBuffer
from pynq.pl_server.device import Device

from firmware.block_design import DMA, FABRIC, fabric_design
from pyorch.contract.errors import DeviceError
from sim.library import SimulatedFabric

MEMORY_BASE = 0x1000_0000
PAGE = 4096
CONTROL, STATUS, ADDRESS, ADDRESS_HIGH, LENGTH = 0x00, 0x04, 0x18, 0x1C, 0x28
RUN, RESET = 1, 4
HALTED, IDLE, INTERNAL_ERROR, DECODE_ERROR, COMPLETE = 0x1, 0x2, 0x10, 0x40, 0x1000
MM2S, S2MM = 0x00, 0x30
REGION = {region.module: region for region in fabric_design().regions}


class Channel:
    """One direction of the DMA."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """The registers after reset."""
        self.control = 0
        self.status = HALTED
        self.address = 0
        self.length = 0
        self.armed = False

    def read(self, offset: int) -> int:
        """A register."""
        return {
            CONTROL: self.control,
            STATUS: self.status,
            ADDRESS: self.address & 0xFFFFFFFF,
            ADDRESS_HIGH: self.address >> 32,
            LENGTH: self.length,
        }.get(offset, 0)

    def write(self, offset: int, value: int) -> None:
        """A register; a length arms a running channel."""
        if offset == CONTROL:
            self.control = value & 0x1001
            if value & RUN:
                self.status &= ~HALTED
            else:
                self.status = (self.status | HALTED) & ~IDLE
                self.armed = False
        elif offset == STATUS:
            self.status &= ~(value & 0x7000)
        elif offset == ADDRESS:
            self.address = self.address & ~0xFFFFFFFF | value
        elif offset == ADDRESS_HIGH:
            self.address = self.address & 0xFFFFFFFF | value << 32
        elif offset == LENGTH and not self.status & HALTED:
            self.length = value
            self.status &= ~IDLE
            if value == 0:
                self.fail(INTERNAL_ERROR)
            else:
                self.armed = True

    def finish(self, length: int) -> None:
        """A transfer of so many bytes is complete."""
        self.length = length
        self.armed = False
        self.status |= IDLE | COMPLETE

    def fail(self, error: int) -> None:
        """The channel halts with an error bit."""
        self.armed = False
        self.status |= error | HALTED


class SimulatedDevice(Device):  # type: ignore[misc]
    """The device of one simulated card.

    Args:
        fabric: the Verilated project.

    Attributes:
        stuck: the fabric's clock stops at DMA transfers: for tests of timeouts.
    """

    def __init__(self, fabric: SimulatedFabric) -> None:
        super().__init__(f"simulated-{id(fabric):x}")
        self.name = "simulated card"
        self.capabilities = {"REGISTER_RW": True}
        self.fabric = fabric
        self.channels = {MM2S: Channel(), S2MM: Channel()}
        self.memory: dict[int, np.ndarray[Any, Any]] = {}
        self._buffers: dict[int, Any] = {}
        self._next = MEMORY_BASE
        self.stuck = False

    # ---- what pynq asks of a device
    def has_capability(self, cap: str) -> bool:
        """Registers are read and written; nothing is mapped."""
        return bool(self.capabilities.get(cap))

    def get_bitfile_metadata(self, bitfile_name: str, partial: bool = False) -> Any:
        """The handoff beside the bitstream, by pynq's own parser."""
        from pynq.metadata.runtime_metadata_parser import RuntimeMetadataParser
        from pynqmetadata.frontends import Metadata

        handoff = Path(bitfile_name).with_suffix(".hwh")
        parser = RuntimeMetadataParser(Metadata(input=str(handoff)))
        parser.clock_dict = {}  # a simulated card has no processor whose clocks could be set
        return parser

    def download(self, bitstream: Any, parser: Any = None) -> None:
        """Loading the bitstream is a reset."""
        self.fabric.reset()
        for channel in self.channels.values():
            channel.reset()

    def allocate(self, shape: Any, dtype: Any, **_options: Any) -> Any:
        """A buffer that host and card see through different copies."""
        kind = np.dtype(dtype)
        count = int(np.prod(shape)) * kind.itemsize
        pages = max(1, -(-count // PAGE))
        view = mmap.mmap(-1, pages * PAGE)
        buffer = PynqBuffer(
            shape, kind, view, device=self, device_address=self._next, bo=0, coherent=False
        )
        buffer.freed = True  # nothing to give back
        self.memory[self._next] = np.zeros(pages * PAGE, dtype=np.uint8)
        self._buffers[self._next] = view
        self._next += (pages + 1) * PAGE
        return buffer

    def flush(self, _bo: Any, offset: int, address: Any, nbytes: int) -> None:
        """The host's copy becomes the card's."""
        self._copy(address, nbytes, to_card=True)

    def invalidate(self, _bo: Any, offset: int, address: Any, nbytes: int) -> None:
        """The card's copy becomes the host's."""
        self._copy(address, nbytes, to_card=False)

    def _copy(self, host_address: int, nbytes: int, *, to_card: bool) -> None:
        for base, view in self._buffers.items():
            bytes_ = np.frombuffer(view, dtype=np.uint8)
            start = host_address - bytes_.ctypes.data
            if 0 <= start < len(bytes_):
                part = slice(start, start + nbytes)
                if to_card:
                    self.memory[base][part] = bytes_[part]
                else:
                    bytes_[part] = self.memory[base][part]
                return
        raise DeviceError(f"no buffer at host address {host_address:#x}")

    # ---- registers
    def read_registers(self, address: int, length: int) -> bytes:
        """Words from DMA or fabric."""
        return b"".join(struct.pack("<I", self._read(address + k)) for k in range(0, length, 4))

    def write_registers(self, address: int, data: bytes) -> None:
        """Words to DMA or fabric."""
        for k in range(0, len(data), 4):
            self._write(address + k, struct.unpack_from("<I", bytes(data), k)[0])

    def _read(self, address: int) -> int:
        fabric, dma = REGION[FABRIC], REGION[DMA]
        if fabric.base <= address < fabric.base + fabric.size:
            return self.fabric.read(address - fabric.base)
        offset = address - dma.base
        side = S2MM if offset >= S2MM else MM2S
        return self.channels[side].read(offset - side)

    def _write(self, address: int, value: int) -> None:
        fabric, dma = REGION[FABRIC], REGION[DMA]
        if fabric.base <= address < fabric.base + fabric.size:
            self.fabric.write(address - fabric.base, value)
            return
        offset = address - dma.base
        side = S2MM if offset >= S2MM else MM2S
        if offset - side == CONTROL and value & RESET:
            for channel in self.channels.values():  # a reset of one channel resets both
                channel.reset()
            return
        self.channels[side].write(offset - side, value)
        self._transfer()

    # ---- DMA
    def _bytes(self, address: int, length: int) -> np.ndarray[Any, Any] | None:
        for base, copy in self.memory.items():
            if base <= address and address + length <= base + len(copy):
                return copy[address - base : address - base + length]
        return None

    def _transfer(self) -> None:
        """Run once both channels are armed: a frame out, its result frame in."""
        send, receive = self.channels[MM2S], self.channels[S2MM]
        if not (send.armed and receive.armed) or self.stuck:
            return
        source = self._bytes(send.address, send.length)
        target = self._bytes(receive.address, receive.length)
        if source is None or target is None:
            (send if source is None else receive).fail(DECODE_ERROR)
            return
        padded = np.zeros(-(-len(source) // 8) * 8, dtype=np.uint8)
        padded[: len(source)] = source
        try:
            back = self.fabric.stream([padded.view("<u8")], room=len(target) // 8 + 1)
        except DeviceError:
            receive.fail(INTERNAL_ERROR)
            return
        result = back.out.view(np.uint8)
        send.finish(len(source))
        if len(result) > len(target):
            receive.fail(INTERNAL_ERROR)
            return
        target[: len(result)] = result
        receive.finish(len(result))
