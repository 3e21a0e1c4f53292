"""Whether a tool's file is complete: Yosys, nextpnr and ecppack end as if all was well on a full disk."""

from __future__ import annotations

from pathlib import Path

import msgspec

BIT_END = bytes.fromhex("5e000000ffffffff")
"""The command that starts the device, and what follows it: Lattice FPGA-TN-02039, "Bitstream Format"."""
CONFIG_END = b"\n\n"
"""Of every section of a routed design."""


def is_whole(path: Path) -> bool:
    """False if the file is cut off, as far as its format tells; files of other formats count as whole."""
    data = path.read_bytes()
    if path.suffix == ".json":
        try:
            msgspec.json.decode(data)
        except msgspec.DecodeError:
            return False
        return True
    ends = {".config": CONFIG_END, ".bit": BIT_END}
    return data.endswith(ends.get(path.suffix, b""))
