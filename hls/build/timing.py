"""What routing achieved: read from the reports of place and route."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyorch.contract.errors import BuildError


@dataclass(frozen=True, slots=True)
class Hop:
    """A piece of a path.

    Attributes:
        kind: ``clk-to-q``, ``logic``, ``routing`` or ``setup``.
        name: net or cell, as the design calls it.
    """

    kind: str
    name: str
    delay_ns: float


@dataclass(frozen=True, slots=True)
class TimingPath:
    """A path between two clocks, or to or from a pin (``async``)."""

    begin: str
    end: str
    hops: tuple[Hop, ...]

    @property
    def delay_ns(self) -> float:
        """Of the whole path."""
        return sum(hop.delay_ns for hop in self.hops)

    @property
    def routing_share(self) -> float:
        """Part of the delay that lies in wires."""
        wires = sum(hop.delay_ns for hop in self.hops if hop.kind == "routing")
        return wires / self.delay_ns if self.delay_ns else 0.0


@dataclass(frozen=True, slots=True)
class Timing:
    """A routed design.

    Attributes:
        clocks: net → (achieved, asked for) in MHz.
        paths: the worst one of each pair of clocks.
        resources: kind → (used, available).
    """

    clocks: dict[str, tuple[float, float]]
    paths: tuple[TimingPath, ...]
    resources: dict[str, tuple[int, int]]

    def core(self, clock_mhz: float) -> tuple[str, float]:
        """Net and achieved MHz of the core's clock: the slowest of those asked to run at ``clock_mhz``.

        Raises:
            BuildError: no clock of the design was.
        """
        near = {
            net: achieved
            for net, (achieved, asked) in self.clocks.items()
            if abs(asked - clock_mhz) < 0.01 * clock_mhz
        }
        if not near:
            stated = ", ".join(f"{net} {asked:g} MHz" for net, (_, asked) in self.clocks.items())
            raise BuildError(
                f"no clock of the routed design was asked to run at {clock_mhz:g} MHz (there are: "
                f"{stated or 'none'}); the target's constraints do not reach the core"
            )
        net = min(near, key=lambda name: near[name])
        return net, near[net]

    def critical(self, net: str) -> TimingPath:
        """The longest path inside a clock."""
        inside = [path for path in self.paths if path.begin == path.end == net]
        return max(inside, key=lambda path: path.delay_ns)

    def crossings(self) -> list[TimingPath]:
        """Paths between different clocks, which no tool judges: their handshakes must bear these delays."""
        return [p for p in self.paths if p.begin != p.end and "async" not in (p.begin, p.end)]


def read_timing(path: Path) -> Timing:
    """Read the report of a seed."""
    text = json.loads(path.read_text())
    return Timing(
        {net: (entry["achieved"], entry["constraint"]) for net, entry in text["fmax"].items()},
        tuple(_path(entry) for entry in text["critical_paths"]),
        {kind: (e["used"], e["available"]) for kind, e in text["utilization"].items()},
    )


def _path(entry: dict[str, Any]) -> TimingPath:
    hops = []
    for hop in entry["path"]:
        cell = f"{hop['to']['cell']}.{hop['to']['port']}"
        hops.append(Hop(hop["type"], hop.get("net", cell), hop["delay"]))
    return TimingPath(_clock(entry["from"]), _clock(entry["to"]), tuple(hops))


def _clock(text: str) -> str:
    return text.removeprefix("posedge ").removeprefix("negedge ").strip("<>")
