"""``python -m sim.vivado vivado|vitis_hls|v++|xclbinutil …``: the tools as programs for scripts."""

from __future__ import annotations

import sys
from pathlib import Path

from sim.vivado.linker import describe, link
from sim.vivado.session import run_vivado
from sim.vivado.synthesis import run_vitis_hls
from sim.vivado.tclsh import CommandError

USAGE = ["-mode", "batch", "-nojournal", "-log", "vivado.log", "-source"]


def main() -> None:
    """Be the tool that the first word names."""
    tool, words = sys.argv[1], sys.argv[2:]
    try:
        if words in (["-version"], ["--version"]):
            print(f"{tool} stand-in 2023.2")
        elif tool == "vivado":
            if words[:-1] != USAGE:
                raise CommandError(f"vivado {' '.join(words)}: not {' '.join(USAGE)} SCRIPT")
            run_vivado(Path(words[-1]))
        elif tool == "vitis_hls":
            if words[:-1] != ["-f"]:
                raise CommandError(f"vitis_hls {' '.join(words)}: not -f SCRIPT")
            run_vitis_hls(Path(words[-1]))
        elif tool == "v++":
            link(words, Path())
        else:
            print(describe(words, Path()), end="")
    except CommandError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
