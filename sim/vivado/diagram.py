"""A block design as the scripts make it, and what would be wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypeVar

from sim.vivado.catalogue import MM, STREAM, Block, Interface, Ip, Signal
from sim.vivado.tclsh import CommandError

PORT_PROPERTIES = {
    "FREQ_HZ", "ASSOCIATED_BUSIF", "ASSOCIATED_RESET", "POLARITY", "PROTOCOL", "DATA_WIDTH", "ADDR_WIDTH",
    "HAS_BURST", "SUPPORTS_NARROW_BURST",
}  # fmt: skip
T = TypeVar("T")
Place = tuple[str, str]
"""Cell and pin; the cell of a port is empty."""


@dataclass(slots=True)
class Cell:
    """An IP in the design."""

    ip: Ip
    config: dict[str, str]

    @property
    def block(self) -> Block:
        """Its interfaces and pins with its present properties."""
        return self.ip.build({n: d for n, (d, _) in self.ip.properties.items()} | self.config)


@dataclass(frozen=True, slots=True)
class Assignment:
    """A segment in an address space."""

    space: str
    segment: str
    base: int
    size: int


@dataclass(slots=True)
class Diagram:
    """A block design.

    Attributes:
        ports, bus_ports: of the design, seen from inside: an input drives.
        wires, buses: name → places.
        validated, saved: since the last change.
    """

    name: str
    cells: dict[str, Cell] = field(default_factory=dict)
    ports: dict[str, Signal] = field(default_factory=dict)
    bus_ports: dict[str, Interface] = field(default_factory=dict)
    port_config: dict[str, dict[str, str]] = field(default_factory=dict)
    wires: dict[str, list[Place]] = field(default_factory=dict)
    buses: dict[str, list[Place]] = field(default_factory=dict)
    assigned: list[Assignment] = field(default_factory=list)
    validated: bool = False
    saved: bool = False
    generated: bool = False

    # ---- looking up
    def signal(self, place: Place) -> Signal:
        """A clock or reset pin.

        Raises:
            CommandError: there is none of that name.
        """
        cell, name = place
        known = self.ports if not cell else {s.name: s for s in self._cell(cell).block.signals}
        return _pick(known, name, cell or self.name, "pin")

    def interface(self, place: Place) -> Interface:
        """A bus.

        Raises:
            CommandError: there is none of that name.
        """
        cell, name = place
        known = (
            self.bus_ports if not cell else {i.name: i for i in self._cell(cell).block.interfaces}
        )
        return _pick(known, name, cell or self.name, "bus")

    def _cell(self, name: str) -> Cell:
        return _pick(self.cells, name, self.name, "cell")

    def spaces(self) -> dict[str, list[Place]]:
        """Address space → the buses that look into it."""
        found = {
            f"{name}/{space}": [(name, bus) for bus in buses]
            for name, cell in self.cells.items()
            for space, buses in cell.block.spaces.items()
        }
        inward = {n: [("", n)] for n, bus in self.bus_ports.items() if bus.side == "Master"}
        return found | {n: p for n, p in inward.items() if bus_kind(self, p[0]) == MM}

    def segments(self) -> dict[str, Place]:
        """Segment → the bus behind which it lies."""
        found = {
            f"{name}/{bus.segment}": (name, bus.name)
            for name, cell in self.cells.items()
            for bus in cell.block.interfaces
            if bus.segment
        }
        return found | {bus.segment: ("", n) for n, bus in self.bus_ports.items() if bus.segment}

    # ---- changing
    def connect(self, kind: str, name: str, places: list[Place]) -> None:
        """Put pins on a net; a bus has two ends, and each bus one net.

        Raises:
            CommandError: one of them is on another net.
        """
        nets = self.wires if kind == "wire" else self.buses
        for place in places:
            other = next((net for net, found in nets.items() if place in found), None)
            if other is not None and other != name:
                raise CommandError(
                    f"{'/'.join(place)} is already on {other}, it cannot be on {name} too"
                )
        ends = nets.setdefault(name, [])
        ends += [place for place in places if place not in ends]
        if kind == "bus" and len(ends) != 2:
            raise CommandError(f"{name}: a bus net has two ends, not {len(ends)}: {_names(ends)}")
        self.validated = self.saved = False

    def assign(self, wanted: Assignment) -> None:
        """Give a segment its address.

        Raises:
            CommandError: size or base cannot be.
        """
        size = wanted.size
        if size < 4096 or size & (size - 1):
            raise CommandError(
                f"{wanted.segment}: range {size:#x} is no power of two of at least 4096"
            )
        if wanted.base % size:
            raise CommandError(
                f"{wanted.segment}: {wanted.base:#x} is no multiple of its range {size:#x}"
            )
        self.assigned.append(wanted)
        self.validated = self.saved = False

    # ---- judging
    def problems(self) -> list[str]:
        """All that is open, driven twice, in the wrong clock or without an address."""
        return [*self._bus_problems(), *self._wire_problems(), *self._address_problems()]

    def _bus_problems(self) -> Iterator[str]:
        joined = {place for ends in self.buses.values() for place in ends}
        known = [(n, bus) for n, cell in self.cells.items() for bus in cell.block.interfaces]
        known += [("", bus) for bus in self.bus_ports.values()]
        for cell, bus in known:
            if (cell, bus.name) not in joined:
                yield f"bus {cell}/{bus.name} is not connected"
        for net, ends in self.buses.items():
            first, second = (self.interface(place) for place in ends)
            if first.kind != second.kind:
                yield f"bus {net} joins {first.kind} and {second.kind}: {_names(ends)}"
            if {first.side, second.side} != {"Master", "Slave"}:
                yield f"bus {net} joins two {first.side.lower()}s: {_names(ends)}"
            clocks = {self._clock_net(place) for place in ends} - {None}
            if len(clocks) > 1:
                yield f"bus {net} crosses from clock to clock: {', '.join(sorted(map(str, clocks)))}"

    def _clock_net(self, place: Place) -> str | None:
        """The net of the clock that a bus runs in; None: it has none."""
        cell, name = place
        bus = self.interface(place)
        clock = bus.clock or next(
            (p for p, c in self.port_config.items() if name in _associated(c)), ""
        )
        if (cell and not clock) or bus.kind not in (MM, STREAM):
            return None
        wanted = (cell, clock)
        return next(
            (net for net, places in self.wires.items() if wanted in places), f"none for {name}"
        )

    def _wire_problems(self) -> Iterator[str]:
        joined = {place for places in self.wires.values() for place in places}
        for name, cell in self.cells.items():
            for signal in cell.block.signals:
                if (name, signal.name) not in joined and not signal.optional and not signal.output:
                    yield f"{signal.kind} {name}/{signal.name} is not driven"
        for port, signal in self.ports.items():
            if ("", port) not in joined:
                yield f"{signal.kind} port {port} drives nothing"
        for net, places in self.wires.items():
            drivers = [place for place in places if self.signal(place).output]
            if not drivers:
                yield f"net {net} has no driver: {_names(places)}"
            elif len(drivers) > 1:
                yield f"net {net} has {len(drivers)} drivers: {_names(drivers)}"
            signals = [self.signal(place) for place in places]
            if len({signal.kind for signal in signals}) > 1:
                yield f"net {net} joins a clock and a reset: {_names(places)}"
            senses = {s.active_high for s in signals if s.kind == "reset"} - {None}
            if len(senses) > 1:
                yield f"reset net {net} joins pins of both polarities: {_names(places)}"

    def reached(self, place: Place, seen: frozenset[Place] = frozenset()) -> set[str]:
        """Segments that a master can address."""
        ends = next((ends for ends in self.buses.values() if place in ends), [])
        found: set[str] = set()
        for other in ends:
            if other == place or other in seen:
                continue
            bus = self.interface(other)
            cell = other[0]
            if bus.segment:
                found.add(f"{cell}/{bus.segment}" if cell else bus.segment)
            for onward in bus.passes:
                found |= self.reached((cell, onward), seen | {other})
        return found

    def _address_problems(self) -> Iterator[str]:
        for space, buses in self.spaces().items():
            reached = {segment for bus in buses for segment in self.reached(bus)}
            given = [entry for entry in self.assigned if entry.space == space]
            counts = {s: sum(entry.segment == s for entry in given) for s in reached}
            for segment, count in sorted(counts.items()):
                if count != 1:
                    yield f"{segment} has {count} addresses in {space}"
            for entry in given:
                if entry.segment not in reached:
                    yield f"{entry.segment} has an address in {space}, which does not reach it"
            ordered = sorted(given, key=lambda entry: entry.base)
            for low, high in pairwise(ordered):
                if low.base + low.size > high.base:
                    yield f"{low.segment} and {high.segment} overlap in {space} at {high.base:#x}"


def _associated(config: dict[str, str]) -> list[str]:
    return config.get("ASSOCIATED_BUSIF", "").split(":")


def bus_kind(diagram: Diagram, place: Place) -> str:
    """What a bus is: the last but one part of its VLNV."""
    return diagram.interface(place).kind


def _pick(known: dict[str, T], name: str, owner: str, what: str) -> T:
    if name not in known:
        raise CommandError(f"{owner} has no {what} {name}; it has {', '.join(known) or 'none'}")
    return known[name]


def _names(places: list[Place]) -> str:
    return ", ".join("/".join(place) if place[0] else place[1] for place in places)
