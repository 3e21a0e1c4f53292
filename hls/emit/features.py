"""A feature schema as hardware: which blocks of `firmware/rtl` compute it, in which order.

Every feature is one or two logarithms (`feature_lane`) and a normalisation (`normalise`). A *job* is one
argument of a logarithm; jobs are issued a step at a time, one in each lane: first the micro-price, which
the first levels give, then windows of time, then what all levels give, then moving averages, which wait for
the micro-price. A message of levels is begun while the book still lists them; a tick that leaves the book
alone begins with the windows and has no steps of levels.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pyorch.contract.errors import UsageError
from pyorch.contract.fixed import Overflow
from pyorch.contract.schema import Feature, FeatureSchema
from pyorch.features.arithmetic import LOG2_TABLE, MICRO_TABLE
from pyorch.features.definitions import check_schema, surface_names

LOG_FILE, MICRO_FILE = "log2.hex", "micro.hex"
SOURCES = (
    "first_set.sv", "constant_table.sv", "window_sum.sv", "edge_average.sv", "level_terms.sv",
    "best_changes.sv", "micro_offset.sv", "feature_lane.sv", "normalise.sv", "feature_control.sv",
)  # fmt: skip
QUANTITY_BITS = 40
LANE_CYCLES, MICRO_CYCLES = 3, 3
JOB_CYCLES = 8
"""From a job's step until its feature is given: lane, `normalise`, and the registers between."""
MODES = ("KEEP", "ALONE", "DIFFERENCE", "SOFT", "DIRECT", "MICRO")
LEVELS, WINDOW, AVERAGE = range(3)
MICRO_STEPS = 2


@dataclass(frozen=True, slots=True)
class Job:
    """One argument: an expression of the generated module, and what becomes of its logarithm."""

    value: str
    mode: str
    addend: int = 0
    knee: int = 0
    feature: int = 0


@dataclass(slots=True)
class FeaturePlan:
    """What a schema needs.

    Attributes:
        steps: [step][lane] the jobs.
        first_window, first_level, first_average: the first step of these phases.
        windows: (source, bucket bits), each once.
        averages: (bucket bits, shift), each once.
        terms: (side, depth) of the levels' sums, each once.
    """

    schema: FeatureSchema
    lanes: int
    steps: list[list[Job | None]] = field(default_factory=list)
    first_window: int = 0
    first_level: int = 0
    first_average: int = 0
    windows: list[tuple[str, int]] = field(default_factory=list)
    averages: list[tuple[int, int]] = field(default_factory=list)
    terms: list[tuple[int, int]] = field(default_factory=list)

    @property
    def shift(self) -> int:
        """Of all features: the largest; multipliers are scaled to it, which changes no bit."""
        return max(feature.shift for feature in self.schema.features)

    def multiplier(self, feature: Feature) -> int:
        """The feature's, for `shift`."""
        return feature.multiplier << (self.shift - feature.shift)

    @property
    def first_passed(self) -> int:
        """Where a tick begins that leaves the book alone; one that would have no step has all."""
        if self.first_window < self.first_level:
            return self.first_window
        return self.first_average if self.first_average < len(self.steps) else 0

    def ends(self, shown: bool) -> int:
        """The last step of a tick, of a message of levels or not."""
        if shown or self.first_average < len(self.steps) or self.first_passed == 0:
            return len(self.steps) - 1
        return self.first_level - 1

    @property
    def passed_cycles(self) -> int:
        """From the book's answer to a trade or timer to the features, where no bucket ends."""
        if self.first_passed == 0:
            return 1 + len(self.steps) + JOB_CYCLES
        windows = self.first_level - self.first_window
        # taken, windows caught up, added
        return 2 + windows + len(self.steps) - self.first_average + JOB_CYCLES

    def shown_cycles(self, levels: int) -> int:
        """From the book's answer to a message, ``levels`` listed on each side, to the features; likewise."""
        taken = -levels  # with the first levels
        issued = taken + 1 + MICRO_STEPS
        if windows := self.first_level - self.first_window:
            issued = max(issued, taken + 5) + windows  # the changes added
        if terms := self.first_average - self.first_level:
            issued = max(issued, 0) + terms
        if averages := len(self.steps) - self.first_average:
            micro = 3 + LANE_CYCLES + MICRO_CYCLES + 2
            issued = max(issued, taken + micro) + averages
        return max(JOB_CYCLES + issued, 2)


def plan_features(schema: FeatureSchema, lanes: int = 2) -> FeaturePlan:
    """The jobs of a schema.

    Raises:
        UsageError: the schema cannot be computed, reads two instruments or the volatility surface, or its
            format does not saturate.
    """
    check_schema(schema)
    if unseen := surface_names(schema):
        raise UsageError(
            f"features {', '.join(unseen)} read the volatility surface, the fabric's features only books, "
            "trades and time; train on others, or let the CPU compute features and send vectors"
        )
    for feature in schema.features:
        if feature.kind == "basis_momentum":
            raise UsageError(
                f"feature {feature.name}: {feature.kind} reads two instruments, the fabric's features "
                "one; train on a schema of one instrument"
            )
        if abs(feature.offset) >= 1 << 31:
            raise UsageError(
                f"feature {feature.name}: the offset {feature.offset} is outside ±2^31"
            )
    if schema.format.overflow is not Overflow.SAT or not schema.format.signed:
        raise UsageError(
            f"the schema's format is {schema.format}; the fabric's features saturate and are signed"
        )
    if not 1 <= lanes <= 4:
        raise UsageError(f"{lanes} lanes: features take 1 to 4")
    plan = FeaturePlan(schema, lanes)
    groups: dict[int, list[list[Job]]] = {LEVELS: [], WINDOW: [], AVERAGE: []}
    for number, feature in enumerate(schema.features):
        phase, jobs = _jobs(plan, number, feature)
        groups[phase].append(jobs)
    plan.steps += _spread([[Job("bid_lots", "KEEP"), Job("ask_lots", "MICRO")]], lanes)
    plan.first_window = len(plan.steps)
    plan.steps += _spread(groups[WINDOW], lanes)
    plan.first_level = len(plan.steps)
    plan.steps += _spread(groups[LEVELS], lanes)
    plan.first_average = len(plan.steps)
    plan.steps += _spread(groups[AVERAGE], lanes)
    return plan


def _jobs(plan: FeaturePlan, number: int, feature: Feature) -> tuple[int, list[Job]]:
    given = feature.parameters

    def window(source: str) -> str:
        return f"window_{_index(plan.windows, (source, given['bucket_bits']))}"

    def average(shift: str) -> str:
        return f"average_{_index(plan.averages, (given['bucket_bits'], given[shift]))}"

    def terms(side: int, what: str) -> str:
        return f"{what}_{_index(plan.terms, (side, given['depth']))}"

    def difference(first: str, second: str, addend: int = 0) -> list[Job]:
        return [Job(first, "KEEP", addend), Job(second, "DIFFERENCE", addend, feature=number)]

    def soft(value: str) -> list[Job]:
        return [Job(value, "SOFT", 1 << given["knee"], given["knee"], number)]

    def alone(value: str, addend: int) -> list[Job]:
        return [Job(value, "ALONE", addend, feature=number)]

    match feature.kind:
        case "micro_offset":
            return AVERAGE, [Job("offset", "DIRECT", feature=number)]
        case "spread":
            return LEVELS, alone("spread", 0)
        case "imbalance":
            return LEVELS, difference(terms(0, "total"), terms(1, "total"))
        case "density":
            side = given["side"]
            return LEVELS, difference(terms(side, "total"), terms(side, "span"))
        case "order_flow" | "trade_flow":
            return WINDOW, soft(window(feature.kind))
        case "trade_intensity":
            return WINDOW, alone(window("trades"), 1)
        case "aggressor_ratio":
            return WINDOW, difference(window("bought"), window("sold"), 1)
        case "volatility":
            return WINDOW, alone(window("squares"), 1)
        case "mid_age":
            return WINDOW, alone("age", 1)
        case "momentum":
            return AVERAGE, soft(f"micro - ({average('shift')} >>> 8)")
        case "ema_difference":
            return AVERAGE, soft(f"({average('fast')} - {average('slow')}) >>> 8")
    raise UsageError(f"feature {feature.name}: no hardware for the kind {feature.kind}")


def _index(found: list[Any], one: Any) -> int:
    if one not in found:
        found.append(one)
    return found.index(one)


def _spread(groups: Iterable[list[Job]], lanes: int) -> list[list[Job | None]]:
    """Groups dealt to lanes in order, the two jobs of a difference one behind the other in one lane."""
    columns: list[list[Job]] = [[] for _ in range(lanes)]
    for jobs in groups:
        min(columns, key=len).extend(jobs)
    length = max(map(len, columns))
    return [[column[k] if k < len(column) else None for column in columns] for k in range(length)]


def tables() -> dict[str, str]:
    """The two tables of `pyorch.features.arithmetic`, as hex files."""
    return {
        LOG_FILE: "".join(f"{value:02x}\n" for value in LOG2_TABLE.tolist()),
        MICRO_FILE: "".join(f"{value:04x}\n" for value in MICRO_TABLE.tolist()),
    }
