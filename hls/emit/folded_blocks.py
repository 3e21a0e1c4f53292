"""Which products of a `folded` fabric take multiplier blocks, and which are made in logic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hls.emit.folded_estimates import dsps
from hls.emit.style import Block
from pyorch.contract.errors import UsageError


def share_blocks(chain: Sequence[Block], limit: int) -> list[Block]:
    """Give a fabric's multiplier blocks to its layers.

    The tails come first, then the arrays and the dense layers in their order; each takes whole inputs of a
    cycle with all their rows, as many as still find blocks.

    Args:
        limit: blocks that the fabric may take; 0: as many as it has products.

    Raises:
        UsageError: fewer than the tails need.
    """
    if limit == 0:
        return list(chain)
    tails = sum(_tail(block) for block in chain)
    if limit < tails:
        raise UsageError(
            f"folded: {limit} blocks, the tails alone take {tails}; give at least {tails}, or 0 for no limit"
        )
    left, shared = limit - tails, []
    for block in chain:
        rows, inputs, each = _products(block)
        inside = min(inputs, left // (rows * each))
        left -= inside * rows * each
        shared.append(replace(block, parameters={**block.parameters, "BLOCKS": inside}))
    return shared


def _tail(block: Block) -> int:
    if block.kind != "lstm":
        return 0
    table, cell = int(block.parameters["T_WIDTH"]), int(block.parameters["C_WIDTH"])
    return block.chunk * (dsps(table, cell) + 2 * dsps(table, table))


def _products(block: Block) -> tuple[int, int, int]:
    """Rows, inputs a cycle, blocks of a product."""
    p = block.parameters
    weight = int(p["W_WIDTH"])
    if block.kind != "lstm":
        return int(p["UNITS"]), int(p["CHUNK"]), dsps(int(p["H_WIDTH"]), weight)
    up = abs(int(p["X_SHIFT"]) - int(p["R_SHIFT"]))
    operand = max(int(p["X_WIDTH"]), int(p["H_WIDTH"])) + up
    return 4 * block.chunk, int(p["LANES"]) // block.chunk, dsps(operand, weight)
