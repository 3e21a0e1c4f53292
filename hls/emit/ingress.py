"""Events from UDP in front of a feature path: which blocks, what they listen to, how long they take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Literal

from pyorch.contract.errors import UsageError
from pyorch.contract.fabric import IngressPath
from pyorch.market.datagram import Listener
from pyorch.market.wire import HEADER_BEATS, Beats

Phy = Literal["mii", "rgmii"]
SOURCES = (
    "ingress_registers_pkg.sv", "verdict_pkg.sv", "synchroniser.sv", "reset_synchroniser.sv", "async_fifo.sv",
    "crc32_byte.sv", "lut_ram.sv", "small_queue.sv", "mii_receive.sv", "rgmii_receive.sv",
    "ethernet_check.sv", "ipv4_check.sv", "udp_check.sv", "datagram_check.sv", "frame_outline.sv",
    "frame_store.sv", "line_arbiter.sv", "verdict_counters.sv", "ingress_registers.sv", "udp_line.sv",
    "udp_ingress.sv",
)  # fmt: skip
BEAT_BITS = {"mii": 9, "rgmii": 10}
WAIT_CYCLES = 2_500
"""50 us at 50 MHz: more than two lines of one building are apart."""
RECEIVE_CYCLES = 2
"""Of the PHY's clock: from the edge that takes a frame's last bits to the one that writes the verdict."""
DEFAULT_LISTEN = ("239.1.1.1:30001", "239.1.1.2:30001")
CROSSING_CYCLES, STORE_CYCLES = 2, 2
"""From the edge that writes the verdict to its word, at most; from there to the first beat at the decoder."""


@dataclass(frozen=True, slots=True)
class Ingress:
    """What is chosen of an ingress.

    Attributes:
        lines: one listener each; their ``mac`` is the same.
        wait_cycles: for a frame that the other line may bring.
    """

    phy: Phy
    lines: tuple[Listener, ...]
    wait_cycles: int = WAIT_CYCLES

    def __post_init__(self) -> None:
        if not 1 <= len(self.lines) <= 2:
            raise UsageError(f"{len(self.lines)} lines to listen to: give --listen once or twice")

    def described(self) -> IngressPath:
        """For the manifest."""
        listen = tuple(f"{IPv4Address(line.address)}:{line.port}" for line in self.lines)
        return IngressPath(self.phy, listen, f"{self.lines[0].mac:012x}", self.wait_cycles)

    def cycles(self) -> dict[str, int]:
        """Figures of the manifest."""
        return {"receive": RECEIVE_CYCLES, "frame_to_trade": verdict_cycles(1)}

    def parameters(self, instruments: int) -> dict[str, int | str]:
        """Of `udp_ingress`."""
        addresses = sum(line.address << 32 * k for k, line in enumerate(self.lines))
        ports = sum(line.port << 16 * k for k, line in enumerate(self.lines))
        return {
            "LINES": len(self.lines), "RGMII": int(self.phy == "rgmii"), "BEAT_BITS": BEAT_BITS[self.phy],
            "INSTRUMENTS": instruments, "ON": (1 << len(self.lines)) - 1, "WAIT": self.wait_cycles,
            "MAC": self.lines[0].mac, "ADDRESSES": addresses, "PORTS": ports,
        }  # fmt: skip


def verdict_cycles(*rows: int) -> int:
    """Core cycles at most from the verdict's writing to the last beat of events of so many rows."""
    return CROSSING_CYCLES + STORE_CYCLES + sum(HEADER_BEATS + 1 + count for count in rows)


def verdict_to_beat_cycles(beats: Beats, first: bool = False) -> tuple[int, int]:
    """Core cycles from the verdict's writing to the edge that takes the frame's last beat: least and most.

    Idle before, no row held back. The crossing leaves one cycle open.

    Args:
        beats: of the frame, whose events are right and not wide.
        first: of its session: the decoder gives a RESET row for each instrument, here one, before its rows.
    """
    rows, at, words = [], 0, beats.tolist()
    while at < len(words):
        depth, count = words[at] & 15 == 0, words[at] >> 16 & 255
        rows.append(count)
        at += HEADER_BEATS + depth + count
    most = verdict_cycles(*rows) + first
    return most - 1, most


def made_of(phy: Phy | None, listen: Sequence[str], mac: str | None) -> Ingress | None:
    """From the options of a command line.

    Raises:
        UsageError: they do not belong together, or are no addresses.
    """
    if phy is None:
        if listen or mac:
            raise UsageError("--listen and --mac belong to --ingress")
        return None
    try:
        own = int(mac.replace(":", ""), 16) if mac else 0
    except ValueError:
        own = -1
    if not 0 <= own < 1 << 48:
        raise UsageError(f"--mac {mac}: give 12 hex digits, as 02:00:00:12:34:56")
    return Ingress(phy, tuple(Listener.parse(text, own) for text in listen or DEFAULT_LISTEN))
