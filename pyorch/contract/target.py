"""What `pyorch build` builds for: a part, its clocks, and the files around the fabric.

Targets are found by the entry-point group `pyorch.targets`: name → object with this protocol.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Literal, Protocol, runtime_checkable

from pyorch.contract.errors import UsageError
from pyorch.contract.fabric import FabricManifest

GROUP = "pyorch.targets"

Flow = Literal["ecp5", "vivado", "vitis"]
TopKind = Literal["frames", "events"]
"""What goes into a fabric: frames of features, or market events."""


@dataclass(frozen=True, slots=True)
class Part:
    """A chip as its vendor names it.

    Attributes:
        family: ``ecp5``, ``zynq``, …
        device: ``LFE5U-85F``, …
        package: ``CABGA381``, …
        speed: grade, as the tools want it.
    """

    family: str
    device: str
    package: str
    speed: str

    def __str__(self) -> str:
        return f"{self.device} {self.package}, speed {self.speed}"


@dataclass(frozen=True, slots=True)
class HlsProject:
    """C++ for a vendor's high-level synthesis.

    Attributes:
        top: its function, with streams ``s_axis`` and ``m_axis``.
        sources: what is compiled.
        files: all files, relative to the project's folder.
    """

    top: str
    sources: tuple[str, ...]
    files: tuple[str, ...]


class Target(Protocol):
    """A board, or a bare chip, that fabrics are built for."""

    @property
    def name(self) -> str:
        """As in `pyorch build --target`."""
        ...

    @property
    def flow(self) -> Flow:
        """Which tools build it."""
        ...

    @property
    def part(self) -> Part:
        """The chip."""
        ...

    @property
    def clock_mhz(self) -> float:
        """Clock of the core where none is asked for."""
        ...

    @property
    def multipliers(self) -> int:
        """Of a folded layer's array where none are asked for: as many as are known to fit and route."""
        ...

    @property
    def top(self) -> str:
        """Top module of the build; one of `files` has it."""
        ...

    @property
    def tops(self) -> tuple[TopKind, ...]:
        """What may go into the fabrics that it is built around."""
        ...

    @property
    def ran(self) -> bool:
        """Whether the flow runs here; else its figures are "not run with the vendor's tool"."""
        ...

    @property
    def host(self) -> str:
        """The boundary to the host in words, shown beside the core's figures."""
        ...

    def programmed_mhz(self, wanted_mhz: float) -> float:
        """The nearest clock that the board's PLL makes, not above ``wanted_mhz``.

        Raises:
            UsageError: outside its range.
        """
        ...

    def files(self, fabric: FabricManifest, clock_mhz: float) -> dict[str, str]:
        """Name → text of what stands beside the fabric's own sources: top, constraints, scripts.

        ``.sv`` files are compiled after `FabricManifest.sources`, in this order; an ECP5 target has one
        ``.lpf``.

        Args:
            clock_mhz: a result of `programmed_mhz`.
        """
        ...


@runtime_checkable
class VendorTarget(Target, Protocol):
    """A target that a vendor's tools build, by a script among its `files`."""

    @property
    def tools(self) -> tuple[str, ...]:
        """Programs that the script starts."""
        ...

    @property
    def release(self) -> str:
        """Of the tools: ``2023.2``."""
        ...

    @property
    def script(self) -> str:
        """The shell script that runs unattended; what it makes lies in ``vendor`` beside ``target``."""
        ...

    @property
    def products(self) -> tuple[str, ...]:
        """What it makes: bitstream and handoff, or kernel and container."""
        ...

    @property
    def reports(self) -> tuple[str, ...]:
        """What the tools say about it."""
        ...

    @property
    def ordering(self) -> str:
        """The part as the vendor orders it."""
        ...

    def for_hls(self) -> VendorTarget:
        """The same board for hls4ml's C++: with the tools that this takes beside the others."""
        ...

    def hls_files(self, project: HlsProject, clock_mhz: float) -> dict[str, str]:
        """As `files`, for C++ in the folder ``hls4ml`` beside ``target`` instead of a fabric."""
        ...


def target_names() -> list[str]:
    """Names of all installed targets."""
    return sorted(entry.name for entry in entry_points(group=GROUP))


def find_target(name: str) -> Target:
    """A target by name.

    Raises:
        UsageError: there is none of that name; the message lists them.
    """
    for entry in entry_points(group=GROUP):
        if entry.name == name:
            target: Target = entry.load()
            return target
    raise UsageError(f"there is no target {name!r}; choose {', '.join(target_names()) or 'none'}")
