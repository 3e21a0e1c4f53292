"""Whether a tool's file is complete: Yosys, nextpnr and ecppack end as if all was well on a full disk."""

from __future__ import annotations

from pathlib import Path

import msgspec

BIT_END = bytes.fromhex("5e000000ffffffff")
"""The command that starts the device, and what follows it: Lattice FPGA-TN-02039, "Bitstream Format"."""
CONFIG_END = b"\n\n"
"""Of every section of a routed design."""


VENDOR_BIT_BEGIN = bytes.fromhex("00090ff00ff00ff00ff0000001")
"""What a `.bit` of AMD's tools begins with; fields with their lengths follow, the last is the bitstream."""


def is_whole(path: Path) -> bool:
    """False if the file is cut off, as far as its format tells; files of other formats count as whole."""
    data = path.read_bytes()
    if path.suffix == ".json":
        try:
            msgspec.json.decode(data)
        except msgspec.DecodeError:
            return False
        return True
    if path.suffix == ".bit" and data.startswith(VENDOR_BIT_BEGIN):
        return _vendor_bit_is_whole(data)
    ends = {".config": CONFIG_END, ".bit": BIT_END}
    return data.endswith(ends.get(path.suffix, b""))


def _vendor_bit_is_whole(data: bytes) -> bool:
    """Fields ``a`` to ``d`` have two bytes of length, ``e``, the bitstream, has four."""
    place = len(VENDOR_BIT_BEGIN)
    while place < len(data):
        width = 4 if data[place : place + 1] == b"e" else 2
        begin = place + 1 + width
        place = begin + int.from_bytes(data[place + 1 : begin], "big")
        if width == 4:
            return place == len(data)
    return False
