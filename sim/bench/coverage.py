"""Functional coverage: what the benches of one run have met, as declared points and crosses.

A bench samples what it checked, never what it merely sent. Each bench process writes its counts into the
folder that the environment names; a test session merges them, prints the table, and names the holes.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from itertools import product
from pathlib import Path
from tempfile import mkstemp

from pyorch.contract.errors import DataError

VARIABLE = "PYORCH_COVERAGE"
SEPARATOR = " × "
HOLES_SHOWN = 6

POINTS: dict[str, tuple[str, ...]] = {
    # the fabric
    "style": ("folded", "loadable", "baked"),
    "serving": ("stateful", "windowed"),
    "simulator": ("icarus", "verilator"),
    "clocks": ("one", "core as fast", "core faster", "core slower"),
    # traffic at the ports of a fabric
    "stimulus": ("random", "market", "recorded", "extremes", "alternating", "held"),
    "gaps": ("none", "some", "long"),
    "pressure": ("none", "some", "long"),
    "kind": ("STEP", "WINDOW", "SEQUENCE", "other"),
    "code": ("OK", "SHORT", "LONG", "KIND", "COUNT", "OWNER", "NOT_READY"),
    "event": (
        "none", "hard reset", "soft reset", "clear", "swap_keep", "swap_clear", "swap_load", "take", "state",
        "hold", "disable", "release", "load", "bad load", "registers", "mailbox",
    ),
    "acted": ("before", "amid", "after"),
    "extreme": (
        "input saturated", "c low", "c high", "h low", "h high", "logit low", "logit high",
    ),  # h: within 2 of the end, more its tables cannot give
    "refused": ("bit flipped", "half", "word missing", "word twice", "wrong CRC", "other format"),
    # blocks
    "block": (
        "axil_port", "quantise_input", "loader", "sequencer", "axis_frame_in", "axis_frame_out",
        "lstm_folded", "dense_folded", "lstm_loadable", "dense_loadable", "lstm_baked", "dense_baked",
        "datagram_check", "line_arbiter", "udp_ingress",
    ),
    # the ingress
    "phy": ("mii", "rgmii"),
    "carrier": (
        "ACCEPTED", "NO_START", "BAD_SYMBOL", "TRUNCATED", "OVERSIZE", "BAD_FCS", "OTHER_MAC", "OTHER_TYPE",
        "BAD_HEADER", "FRAGMENT", "OTHER_PROTOCOL", "OTHER_ADDRESS", "HEADER_CHECKSUM", "OTHER_PORT",
        "BAD_LENGTH", "BAD_CHECKSUM",
    ),
    "line": (
        "A lost", "B lost", "both lost", "filled", "unfilled", "duplicate", "late", "overflow",
        "waited in vain", "both ahead", "foreign", "one line", "crowded",
    ),
    # the policy of a feature path: what a rule does at a tick, or its conditions hold and it may not act
    "rule": ("article-down", "article-up", "calibrated-down", "calibrated-up"),
    "rule_did": (
        "fires", "prolonged", "dwells", "ends", "quiet", "alone", "with others", "withdrawn", "cold",
        "model invalid", "disarmed",
    ),
}  # fmt: skip
"""Point → its bins, all of which a full run must meet."""

SWAPS = ("swap_keep", "swap_clear", "swap_load")


@dataclass(frozen=True, slots=True)
class Cross:
    """Bins of several points at once.

    Attributes:
        never: combinations that cannot be, a pair (or more) of bins each.
    """

    points: tuple[str, ...]
    never: frozenset[tuple[str, ...]] = frozenset()

    @property
    def name(self) -> str:
        """The points' names in one."""
        return SEPARATOR.join(self.points)

    def bins(self) -> list[tuple[str, ...]]:
        """Every combination that can be."""
        return [
            bins for bins in product(*(POINTS[p] for p in self.points)) if bins not in self.never
        ]


def _pairs(firsts: Iterable[str], seconds: Iterable[str]) -> frozenset[tuple[str, ...]]:
    return frozenset(product(firsts, seconds))


CROSSES = (
    Cross(("style", "simulator")),
    Cross(("style", "serving")),
    Cross(("style", "event"), _pairs(["baked"], [*SWAPS, "load", "bad load"])),
    Cross(("serving", "event")),
    Cross(("clocks", "event")),
    Cross(("clocks", "style")),
    Cross(("clocks", "pressure")),
    Cross(("style", "stimulus")),
    Cross(("stimulus", "pressure")),
    Cross(("gaps", "pressure")),
    Cross(("event", "pressure")),
    Cross(("event", "acted"), _pairs(
        ["none", "hard reset", "soft reset", "hold", "load", "bad load", "registers", "mailbox"],
        POINTS["acted"],
    )),
    Cross(("serving", "kind")),
    Cross(("code", "pressure")),
    Cross(("kind", "code"), _pairs(["STEP", "WINDOW", "SEQUENCE"], ["KIND"])
          | _pairs(["other"], ["OK", "SHORT", "LONG", "COUNT"])),
    Cross(("block", "simulator")),
    Cross(("phy", "carrier")),
    Cross(("rule", "rule_did")),
)  # fmt: skip
"""Crosses of points; each full run must meet every combination that can be."""


@dataclass(slots=True)
class Coverage:
    """Counts of one bench, or of a whole run."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)

    def sample(self, **bins: str) -> None:
        """Count a bin of each named point, and of every cross of the points that are named.

        Raises:
            DataError: a point or bin that is not declared, or a combination declared as impossible.
        """
        for point, bin_ in bins.items():
            if bin_ not in POINTS.get(point, ()):
                raise DataError(
                    f"coverage: {bin_!r} is no declared bin of {point!r}; declare it in POINTS, "
                    f"which has {', '.join(POINTS.get(point, ())) or 'no such point'}"
                )
            self.counts[point, bin_] += 1
        for cross in CROSSES:
            if all(point in bins for point in cross.points):
                found = tuple(bins[point] for point in cross.points)
                if found in cross.never:
                    raise DataError(
                        f"coverage: {SEPARATOR.join(found)} was met, which {cross.name} declares "
                        "impossible; correct the declaration"
                    )
                self.counts[cross.name, SEPARATOR.join(found)] += 1

    def save(self) -> None:
        """Write the counts into the folder that the environment names; nothing without one."""
        folder = os.environ.get(VARIABLE)
        if folder:
            handle, path = mkstemp(suffix=".partial", dir=folder)
            with os.fdopen(handle, "w") as file:
                json.dump([[*key, count] for key, count in sorted(self.counts.items())], file)
            Path(path).rename(Path(path).with_suffix(".json"))

    @classmethod
    def merged(cls, folder: Path) -> Coverage:
        """All counts that were written into ``folder``."""
        found = cls()
        for path in sorted(folder.glob("*.json")):
            for name, bin_, count in json.loads(path.read_text()):
                found.counts[name, bin_] += count
        return found


def declared() -> dict[str, list[str]]:
    """Point or cross → its bins."""
    bins = {point: list(names) for point, names in POINTS.items()}
    return bins | {c.name: [SEPARATOR.join(found) for found in c.bins()] for c in CROSSES}


def holes(coverage: Coverage) -> dict[str, list[str]]:
    """Point or cross → bins that were not met; only those that have some."""
    empty = {
        name: [bin_ for bin_ in bins if not coverage.counts[name, bin_]]
        for name, bins in declared().items()
    }
    return {name: bins for name, bins in empty.items() if bins}


def table(coverage: Coverage) -> list[str]:
    """Lines: name, bins met of bins declared, samples, holes by name."""
    empty, bins = holes(coverage), declared()
    width = max(map(len, bins))
    lines = [f"{'point or cross':<{width}}  {'bins':>9}  {'samples':>9}  holes"]
    for name, names in bins.items():
        missing = empty.get(name, [])
        met = f"{len(names) - len(missing)} of {len(names)}"
        samples = sum(coverage.counts[name, bin_] for bin_ in names)
        shown = ", ".join(missing[:HOLES_SHOWN])
        if len(missing) > HOLES_SHOWN:
            shown += f", and {len(missing) - HOLES_SHOWN} more"
        lines.append(f"{name:<{width}}  {met:>9}  {samples:>9,}  {shown}".rstrip())
    total, met_bins = sum(map(len, bins.values())), sum(map(len, empty.values()))
    lines.append(f"{'all':<{width}}  {f'{total - met_bins} of {total}':>9}")
    return lines


def page(coverage: Coverage, today: date) -> str:
    """The table as a page of the measurements."""
    text = (
        "What the cocotb benches of fabrics and blocks have met and compared, written by `./scripts/test "
        "--full`. Points and crosses are declared in `sim/bench/coverage.py`; a hole fails that run. One "
        "sample of `kind`, `code`, `event` and their crosses is a result frame, one of `block` a test."
    )
    heading = f"# Functional coverage of the fabric's benches\n\n{text}\n\n{today:%Y-%m-%d}\n"
    return "\n".join([heading, "```", *table(coverage), "```", ""])


def required(coverage: Coverage, waived: Mapping[str, str]) -> dict[str, list[str]]:
    """Holes that a full run must not have.

    Args:
        waived: bin → why this run cannot meet it; crosses with it are waived too.
    """
    kept = {
        name: [bin_ for bin_ in bins if not waived.keys() & set(bin_.split(SEPARATOR))]
        for name, bins in holes(coverage).items()
    }
    return {name: bins for name, bins in kept.items() if bins}


def sample_block(block: str) -> None:
    """A bench of a block has compared all that it sent, in the simulator that runs it."""
    coverage = Coverage()
    coverage.sample(block=block, simulator=os.environ["PYORCH_SIMULATOR"])
    coverage.save()
