"""What a build is: a value with a digest."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from pyorch.contract.bundle import Bundle
from pyorch.contract.digest import digest_of
from pyorch.contract.errors import UsageError
from pyorch.contract.target import Target

STEPS = (
    "emit",
    "lint",
    "simulate",
    "synthesise",
    "netlist check",
    "place-and-route",
    "pack",
    "time",
    "report",
)
"""Names of the steps in their order."""


class BuildPlan(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All that a bitstream depends on, besides the tools.

    Attributes:
        parameters: of the style, those that were given; `folded` takes the target's `multipliers` otherwise.
        wire: format of the features in a frame; empty: the model's input format.
        clock_mhz: programmed clock of the core.
        seeds: of place and route; the best one is packed.
        simulated_steps: LSTM steps of each stimulus in the step `simulate`.
        top: what goes in: frames of features, or market events.
        shape: events: what was chosen of `hls.emit.events.EventShape`.
        quoting_digest: events: of the configuration whose policy is built in.
    """

    model_digest: str
    style: str
    parameters: dict[str, int]
    wire: str
    target: str
    part: str
    clock_mhz: float
    seeds: tuple[int, ...]
    simulated_steps: int
    top: Literal["frames", "events"] = "frames"
    shape: dict[str, int] = {}
    quoting_digest: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        values: dict[str, Any] = msgspec.to_builtins(self)
        return values

    def digest(self) -> str:
        """SHA-256 of the plan."""
        return digest_of(self.to_json())


def make_plan(
    bundle: Bundle,
    target: Target,
    style: str,
    parameters: dict[str, int],
    *,
    wire: str = "",
    clock_mhz: float | None = None,
    seeds: tuple[int, ...] = (1,),
    simulated_steps: int = 1000,
    shape: dict[str, int] | None = None,
    quoting_digest: str = "",
) -> BuildPlan:
    """A plan with the clock that the target's PLL makes.

    Args:
        quoting_digest: of a configuration: then the top takes events, in this ``shape``.

    Raises:
        UsageError: no seed, a seed twice, a clock out of range, or a target that carries no events.
    """
    if not seeds or len(set(seeds)) != len(seeds):
        raise UsageError(f"seeds {list(seeds)}: give at least one, and none twice")
    if quoting_digest:
        _require_events(target, style, wire)
    if style == "folded":
        parameters = {"multipliers": target.multipliers, **parameters}
    return BuildPlan(
        model_digest=bundle.digest(),
        style=style,
        parameters=parameters,
        wire=wire,
        target=target.name,
        part=str(target.part),
        clock_mhz=target.programmed_mhz(clock_mhz or target.clock_mhz),
        seeds=seeds,
        simulated_steps=simulated_steps,
        top="events" if quoting_digest else "frames",
        shape=shape or {},
        quoting_digest=quoting_digest,
    )


def _require_events(target: Target, style: str, wire: str) -> None:
    """Refuse what a feature path is not built for."""
    if "events" not in target.tops:
        raise UsageError(
            f"target {target.name} carries --top {' and '.join(target.tops)} alone: {target.host}; choose "
            "--target ecp5-85k (speed 8) or ecp5-85k-6 (speed 6)"
        )
    if style == "hls4ml" or wire:
        raise UsageError("--style hls4ml and --wire belong to --top frames")


def parse_seeds(text: str) -> tuple[int, ...]:
    """``3``: seeds 1 to 3; ``4,9``: these; ``7,``: seed 7 alone.

    Raises:
        UsageError: neither.
    """
    try:
        numbers = tuple(int(part) for part in text.removesuffix(",").split(","))
    except ValueError as error:
        raise UsageError(
            f"--seeds {text}: give how many (3), or which, with commas (4,9)"
        ) from error
    if len(numbers) == 1 and "," not in text:
        if not 1 <= numbers[0] <= 100:
            raise UsageError(f"--seeds {text}: 1 to 100 of them; name a single one as `{text},`")
        return tuple(range(1, numbers[0] + 1))
    return numbers
