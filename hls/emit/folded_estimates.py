"""What a plan of the folded style should take, counted from the structure of its blocks before synthesis."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from hls.emit.folded_cycles import tables_wait
from hls.emit.style import Block, Memory

BLOCK_BITS = 18
"""Of a factor of a multiplier block (MULT18X18D)."""


def folded_estimates(blocks: Sequence[Block], memories: Sequence[Memory]) -> dict[str, int]:
    """Estimates of a plan.

    - ``products_in_logic``: products that find no block;
    - ``multipliers`` = ``array_multipliers`` + ``tail_multipliers`` + ``dense_multipliers``, in blocks of
      18 × 18 bits;
    - ``block_ram_bits``: bits stored, both weight sets, a copy of a table for each of its readers;
    - ``lut_ram_bits``: c, partial sums of layers with several passes, and tables that are small;
    - ``adder_bits``, ``registers``: bits of adders and registers of the data path.
    """
    total: Counter[str] = Counter()
    by_number = {memory.number: memory for memory in memories}
    for block in blocks:
        total.update(
            _lstm(block, by_number) if block.module == "lstm_folded" else _dense(block, by_number)
        )
    total["multipliers"] = sum(
        total[name] for name in ("array_multipliers", "tail_multipliers", "dense_multipliers")
    )
    return dict(sorted(total.items()))


def dsps(first: int, second: int) -> int:
    """Blocks of 18 × 18 bits that a signed product of factors so wide takes."""
    if max(first, second) <= BLOCK_BITS:
        return 1
    # synthesis splits a factor into parts of one bit less, the sign being apart
    parts = [max(1, -(-(width - 1) // (BLOCK_BITS - 1))) for width in (first, second)]
    return parts[0] * parts[1]


def _stored(memory: Memory, width: int, copies: int = 1) -> int:
    return 2 * copies * len(memory.words) * width


def _lstm(block: Block, memories: dict[int, Memory]) -> dict[str, int]:
    p = {key: int(value) for key, value in block.parameters.items() if isinstance(value, int)}
    units, lanes, chunk = p["UNITS"], p["LANES"], p["CHUNK"]
    spread = lanes // chunk
    rows, table, cell = 4 * lanes, p["T_WIDTH"], p["C_WIDTH"]
    up = abs(p["X_SHIFT"] - p["R_SHIFT"])
    operand = max(p["X_WIDTH"], p["H_WIDTH"]) + up
    product = operand + p["W_WIDTH"]
    sums = p["A_WIDTH"]
    held = -(-units // chunk) * chunk
    number = p["MEMORY"]
    biases = 4 * chunk * p["B_WIDTH"]
    in_blocks = min(spread, p["BLOCKS"])
    bits = _stored(memories[number], rows * p["W_WIDTH"]) + _stored(memories[number + 1], biases)
    tables = _stored(memories[number + 2], table, 3 * chunk)
    tables += _stored(memories[number + 3], table, 2 * chunk)
    late = tables_wait(block)
    sum_bits = product + (spread - 1).bit_length()
    trees = 4 * chunk * (spread - 1) * sum_bits
    accumulators = 4 * chunk
    tail_adders = chunk * (2 * table + cell + max(2 * table, table + cell))
    return {
        "array_multipliers": 4 * chunk * in_blocks * dsps(operand, p["W_WIDTH"]),
        "products_in_logic": 4 * chunk * (spread - in_blocks),
        "tail_multipliers": chunk * (dsps(table, cell) + 2 * dsps(table, table)),
        "block_ram_bits": bits + late * tables,
        "lut_ram_bits": held * cell + (held + 16 * chunk) * 4 * sums + (not late) * tables,
        "adder_bits": accumulators * sums + trees + tail_adders,
        "registers": spread * operand
        + accumulators * sums
        + 4
        * chunk
        * sum_bits
        * sum(-(-spread // 4**level) for level in range(1, 4) if 4**level < spread)
        + 2 * p["INPUTS"] * p["X_WIDTH"]
        + (units + held) * p["H_WIDTH"]
        + biases
        + chunk * ((2 + late) * table + cell + p["H_WIDTH"]),
    }


def _dense(block: Block, memories: dict[int, Memory]) -> dict[str, int]:
    p = {key: int(value) for key, value in block.parameters.items() if isinstance(value, int)}
    multipliers, number = p["UNITS"] * p["CHUNK"], p["MEMORY"]
    in_blocks = p["UNITS"] * min(p["CHUNK"], p["BLOCKS"])
    return {
        "dense_multipliers": in_blocks * dsps(p["H_WIDTH"], p["W_WIDTH"]),
        "products_in_logic": multipliers - in_blocks,
        "block_ram_bits": _stored(memories[number], multipliers * p["W_WIDTH"])
        + _stored(memories[number + 1], p["UNITS"] * p["B_WIDTH"]),
        "adder_bits": multipliers * p["A_WIDTH"],
        "registers": multipliers * p["W_WIDTH"]
        + p["UNITS"] * (p["A_WIDTH"] + p["Y_WIDTH"] + p["B_WIDTH"]),
    }
