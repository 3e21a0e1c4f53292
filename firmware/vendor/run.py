"""How scripts start: the shell script that runs unattended, and the core's IP at the head of a build."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from firmware.block_design import Core
from firmware.vendor.documents import TOOLS
from firmware.vendor.ip import PACKAGE
from firmware.vendor.script import HERE, Script
from firmware.vendor.synthesis import IP_FOLDER

VIVADO = "vivado"


def vivado_command(script: str) -> str:
    """Vivado without its window, at the script's end or first error."""
    return f"{VIVADO} -mode batch -nojournal -log vivado.log -source {script}"


def run_text(tools: Sequence[str], commands: Iterable[str]) -> str:
    """A shell script that says which tool is missing, then runs the commands beside itself."""
    return (
        "#!/usr/bin/env bash\n"
        f"# Runs unattended where {', '.join(tools)} of {TOOLS} are on the path; results: ../vendor.\n"
        'set -euo pipefail\ncd "$(dirname "$0")"\n'
        f"for tool in {' '.join(tools)}; do\n"
        '    command -v "$tool" >/dev/null || { echo "ERROR: $tool is not on the path; source settings64.sh '
        f'of {TOOLS} first" >&2; exit 5; }}\n'
        "done\nmkdir -p ../vendor\n" + "".join(f"{command}\n" for command in commands)
    )


def core_ip(script: Script, core: Core) -> None:
    """Set ``$here``, ``$out`` and ``$ip``, where the core's IP is: packaged now, or synthesised before."""
    if core == "fabric":
        script.run(HERE, f"source [file join $here {PACKAGE}]", "set ip [file join $out ip]")
    else:
        script.run(HERE, "set out [file join [file dirname $here] vendor]")
        script.run(f"set ip [file join $out {IP_FOLDER}]")
