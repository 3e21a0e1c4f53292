"""A fabric behind the serial bridge: accesses and frames as programs, many in one request."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

import numpy as np

from firmware.control import NOBODY, Access, FabricControl
from firmware.register_map import BRIDGE_BASE, bridge_register_map
from firmware.serial.link import SerialLink
from firmware.serial.packets import BUFFER, OVERHEAD, Command
from firmware.serial.timing import BEAT, FRAME_COMMAND
from pyorch.contract.errors import DeviceError, MismatchError
from pyorch.contract.fabric import Beats, FabricManifest

WORD = 4
PROGRAM_BYTES = BUFFER - OVERHEAD
"""Room for commands in one request."""
RESULT_BYTES = BUFFER - BEAT
"""Room for results, so that a beat that is under way always fits."""
_WRITE = struct.Struct("<BHI")
_READ = struct.Struct("<BH")
_FRAME = struct.Struct("<BHB")


class SerialDriver(FabricControl):
    """The fabric of ``manifest`` behind an opened link."""

    def __init__(self, link: SerialLink, manifest: FabricManifest, where: str) -> None:
        self.link, self.manifest, self.where = link, manifest, where
        self._owner = NOBODY
        part = PROGRAM_BYTES - FRAME_COMMAND - BEAT
        answers = RESULT_BYTES // BEAT - 1
        self.frame_vectors = min(
            part // (BEAT * manifest.vector_beats), answers // manifest.answer_beats
        )

    def connect(self) -> None:
        """Begin a session, and check bridge and fabric.

        Raises:
            DeviceError: nobody answers.
            MismatchError: another bridge or fabric; the message says what differs.
        """
        self.link.connect()
        bridge = bridge_register_map()
        identity, version, buffer = self.script(
            [
                (BRIDGE_BASE + bridge[f"BRIDGE_{name}"].offset, None)
                for name in ("IDENTITY", "VERSION", "BUFFER")
            ]
        )
        if (identity, version, buffer) != (bridge.identity, bridge.version, BUFFER):
            raise MismatchError(
                f"{self.where}: a bridge {identity:#010x}, version {version}, with {buffer} bytes; this "
                f"driver speaks {bridge.identity:#010x}, version {bridge.version}, with {BUFFER}: load the "
                "bitstream of this project"
            )
        self.check_identity()

    def start(self) -> None:
        """See `FabricControl.start`."""
        self._owner = NOBODY
        super().start()

    def own(self, who: int) -> None:
        """See `FabricControl.own`; the port is ours alone, so a lock that was taken is still held."""
        if self._owner != who:
            super().own(who)
            self._owner = who

    # ---- registers
    def read(self, offset: int) -> int:
        """A register word."""
        return self.script([(offset, None)])[0]

    def write(self, offset: int, value: int) -> None:
        """Write a register word."""
        self.script([(offset, value)])

    def script(self, accesses: Sequence[Access]) -> list[int]:
        """See `FabricControl.script`; as many as fit go in one request."""
        found: list[int] = []
        for program, reads in _programs(accesses):
            results = self.link.run(program, WORD * reads)
            if len(results) != WORD * reads:
                raise DeviceError(
                    f"{self.where}: {len(results)} bytes of results for {reads} reads, not {WORD * reads}"
                )
            found += np.frombuffer(results, dtype="<u4").tolist()
        return found

    def bridge_counters(self) -> dict[str, int]:
        """The bridge's counters by name, each modulo 65536."""
        registers = bridge_register_map().registers
        names = [name for name in registers if not name.startswith("BRIDGE_")]
        words = self.script([(BRIDGE_BASE + registers[name].offset, None) for name in names])
        return {name.lower(): word for name, word in zip(names, words, strict=True)}

    # ---- frames
    def transfer(self, frame: Beats, result_beats: int) -> Beats:
        """One input frame and its result frame; a long one goes in parts.

        Raises:
            DeviceError: as `SerialLink.run`, or a result of another length.
        """
        room = (PROGRAM_BYTES - FRAME_COMMAND) // BEAT
        results = b""
        for begin in range(0, len(frame), room):
            part = np.asarray(frame[begin : begin + room], dtype="<u8")
            last = begin + room >= len(frame)
            program = _FRAME.pack(Command.FRAME, len(part), int(last)) + part.tobytes()
            results += self.link.run(program, BEAT * result_beats if last else 0)
        if len(results) % BEAT or not BEAT <= len(results) <= BEAT * result_beats:
            raise DeviceError(
                f"{self.where}: a result frame of {len(results)} bytes, not {BEAT} to {BEAT * result_beats}"
            )
        return np.frombuffer(results, dtype="<u8").astype(np.uint64)


def _programs(accesses: Sequence[Access]) -> Iterator[tuple[bytes, int]]:
    """Programs of register accesses, each with the number of its reads."""
    program, reads = bytearray(), 0
    for offset, value in accesses:
        if value is None:
            command = _READ.pack(Command.READ, offset)
        else:
            command = _WRITE.pack(Command.WRITE, offset, value & 0xFFFFFFFF)
        if len(program) + len(command) > PROGRAM_BYTES or (reads + 1) * WORD > RESULT_BYTES:
            yield bytes(program), reads
            program, reads = bytearray(), 0
        program += command
        reads += value is None
    if program:
        yield bytes(program), reads
