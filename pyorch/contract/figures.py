"""One object for every command that measures: machine, digests, figures with units, peers, verdict."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(slots=True)
class Figures:
    """What a command found.

    Attributes:
        command: the command line that reproduces it.
        digests: model, schema, tape: what was measured.
        figures: name with unit (``step_p50_ns``) → number.
        peers: peer → its figures, measured in the same run.
        ok: whether every equality that the command checks held.
        notes: what follows from the figures, and what does not, in sentences.
    """

    command: str
    digests: dict[str, str] = field(default_factory=dict)
    figures: dict[str, float] = field(default_factory=dict)
    peers: dict[str, dict[str, float]] = field(default_factory=dict)
    ok: bool = True
    notes: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, with the machine and the date."""
        return {
            "command": self.command,
            "machine": machine(),
            "digests": self.digests,
            "figures": self.figures,
            "peers": self.peers,
            "ok": self.ok,
        } | ({"notes": self.notes} if self.notes else {})

    def show(self, as_json: bool) -> None:
        """Print as one JSON object, or as aligned tables."""
        if as_json:
            print(json.dumps(self.to_json(), indent=1))
            return
        console = Console()
        where = machine()
        console.print(f"[bold]{self.command}[/]  {where['cpu']}, {where['date']}")
        for title, values in [("figures", self.figures), *self.peers.items()]:
            table = Table(title=title, title_justify="left", box=None, show_header=False)
            table.add_column(no_wrap=True)
            table.add_column(justify="right")
            for name, value in values.items():
                table.add_row(name, f"{value:,.6g}" if isinstance(value, float) else f"{value:,}")
            console.print(table)
        for note in self.notes:
            console.print(note, markup=False, highlight=False)
        console.print("[green]ok[/]" if self.ok else "[bold red]NOT ok[/]")


def machine() -> dict[str, Any]:
    """CPU, cores, SIMD, load and date of this machine."""
    cpu, flags = platform.processor() or platform.machine(), set[str]()
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                cpu = value.strip()
            elif name.strip() in ("flags", "Features"):
                flags = set(value.split())
    known = ["avx2", "avx512f", "avx512_vnni", "avx512vbmi", "avx_vnni", "asimd", "asimddp"]
    return {
        "cpu": cpu,
        "architecture": platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "simd": [name for name in known if name in flags],
        "load_1min": round(os.getloadavg()[0], 2),
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }
