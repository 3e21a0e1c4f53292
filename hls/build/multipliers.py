"""What Yosys is told about multipliers: how long before the end of a cycle their factors must stand.

Its models of the ECP5 have no timing for them. Logic in front of a multiplier without registers of its own
then seems to have a whole cycle, and is made small instead of fast.
"""

from __future__ import annotations

import re
from pathlib import Path

SETUP_PS = 3500
"""In the units of technology mapping, which counts a wire as 0.3 ns; routed, they take some 5 ns."""
_PINS = [f"{factor}{bit}" for factor in "AB" for bit in range(18)]


def timed_multipliers(models: Path) -> str:
    """The multiplier's model of Yosys with the times of its factors.

    Args:
        models: Yosys' black boxes of the ECP5, ``cells_bb.v``.
    """
    found = re.search(
        r"\(\* blackbox \*\)\s*module MULT18X18D\b.*?endmodule", models.read_text(), re.S
    )
    if found is None:
        raise ValueError(f"{models}: no MULT18X18D")
    times = "".join(f"        $setup({pin}, posedge CLK0, {SETUP_PS});\n" for pin in _PINS)
    return found.group().replace("endmodule", f"    specify\n{times}    endspecify\nendmodule\n")
