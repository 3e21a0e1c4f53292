"""Whether a synthesised design fits its part, by how much not, and what would fit."""

from __future__ import annotations

from collections.abc import Mapping

from hls.build.plan import BuildPlan
from hls.emit.project import style_of
from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import BuildError, PyorchError
from pyorch.contract.target import Target

KINDS = ("logic", "registers", "multipliers", "block RAMs", "LUT RAMs")
CAPACITY = {
    "LFE5U-85F": dict(zip(KINDS, (83640, 83640, 156, 208, 10455), strict=True)),
    "LFE5U-45F": dict(zip(KINDS, (43848, 43848, 72, 108, 5481), strict=True)),
    "LFE5U-25F": dict(zip(KINDS, (24288, 24288, 28, 56, 3036), strict=True)),
}
"""Device → what it has, as nextpnr counts it: cells of logic (half slices), registers, MULT18X18D, DP16KD,
slices of distributed RAM. Source: Lattice FPGA-DS-02012, table 1.1, and nextpnr's utilisation."""


def demand(cells: Mapping[str, int]) -> dict[str, int]:
    """What a netlist takes, in the kinds of `CAPACITY`; packing adds a little."""
    rams = cells.get("TRELLIS_DPR16X4", 0)
    return {
        "logic": cells.get("LUT4", 0) + 2 * cells.get("CCU2C", 0) + 4 * rams,
        "registers": cells.get("TRELLIS_FF", 0),
        "multipliers": cells.get("MULT18X18D", 0) + cells.get("MULT9X9D", 0),
        "block RAMs": cells.get("DP16KD", 0) + cells.get("PDPW16KD", 0),
        "LUT RAMs": rams,
    }


def require_fit(
    plan: BuildPlan, target: Target, bundle: Bundle, cells: Mapping[str, int], estimated: int
) -> None:
    """Refuse a design that is larger than its part.

    Args:
        estimated: multipliers that the emitter counted.

    Raises:
        BuildError: says what is over, by how much, and what to try.
    """
    there = CAPACITY.get(target.part.device)
    if there is None:
        return
    needed = demand(cells)
    over = {kind: needed[kind] - limit for kind, limit in there.items() if needed[kind] > limit}
    if not over:
        return
    stated = "; ".join(
        f"{kind} {needed[kind]:,} of {there[kind]:,}, over by {excess:,}"
        for kind, excess in over.items()
    )
    advice = "choose fewer bits or units when training, or a larger part"
    if plan.style == "folded":
        if "multipliers" in over:
            advice = (
                f"{_fewer_multipliers(plan, bundle, estimated - over['multipliers'])}, or --blocks "
                f"{there['multipliers'] * 9 // 10}, which makes the other products in logic"
            )
        else:
            advice = "--multipliers with fewer of them needs less logic"
    elif plan.style == "loadable":
        advice = "fewer --planes need less logic; --style folded needs the least"
    elif plan.style == "baked":
        advice = (
            "a model trained with a smaller --digit-budget needs fewer adders; --style loadable and --style "
            "folded need less logic"
        )
    raise BuildError(f"{plan.style} does not fit {target.part}: {stated}; what to try: {advice}")


def _fewer_multipliers(plan: BuildPlan, bundle: Bundle, limit: int) -> str:
    """The largest array whose estimate stays within ``limit`` multipliers."""
    given = plan.parameters.get("multipliers", 0)
    about = ("multipliers", "clocks")
    other = {name: value for name, value in plan.parameters.items() if name not in about}
    style = style_of(plan.style)
    for number in range((given or 512) - 4, 0, -4):
        try:
            estimate = style.plan(bundle, multipliers=number, **other).estimates["multipliers"]
        except PyorchError:
            continue
        if estimate <= limit:
            return f"--multipliers {number} (the emitter counts {estimate} of them in all)"
    return "a smaller --chunk, or --style loadable"
