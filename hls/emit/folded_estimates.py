"""What a plan of the folded style should take, counted from the structure of its blocks before synthesis."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from hls.emit.style import Block, Memory

LANE_BITS = 32


def folded_estimates(blocks: Sequence[Block], memories: Sequence[Memory]) -> dict[str, int]:
    """Estimates of a plan.

    - ``multipliers`` = ``array_multipliers`` + ``tail_multipliers`` + ``dense_multipliers``;
    - ``block_ram_bits``: bits stored, both weight sets, a copy of a table for each of its readers;
    - ``lut_ram_bits``: c, and partial sums of layers with several passes;
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


def _stored(memory: Memory, width: int, copies: int = 1) -> int:
    return 2 * copies * len(memory.words) * width


def _lstm(block: Block, memories: dict[int, Memory]) -> dict[str, int]:
    p = {key: int(value) for key, value in block.parameters.items() if isinstance(value, int)}
    units, lanes, chunk = p["UNITS"], p["LANES"], p["CHUNK"]
    full, rest = divmod(units, lanes)
    spread = lanes // rest if rest else 0
    rows, table, cell = 4 * lanes, p["T_WIDTH"], p["C_WIDTH"]
    up = abs(p["X_SHIFT"] - p["R_SHIFT"])
    operand = max(p["X_WIDTH"], p["H_WIDTH"]) + up
    product = operand + p["W_WIDTH"]
    sums = p["A_WIDTH"] - min(p["X_SHIFT"], p["R_SHIFT"])
    held = -(-units // chunk) * chunk
    number = p["MEMORY"]
    biases = 4 * chunk * p["B_WIDTH"]
    bits = (
        _stored(memories[number], rows * p["W_WIDTH"])
        + _stored(memories[number + 1], biases)
        + _stored(memories[number + 2], table, 3 * chunk)
        + _stored(memories[number + 3], table, 2 * chunk)
    )
    trees = 4 * rest * max(spread - 1, 0) * product
    accumulators = (rows if full else 0) + 4 * rest
    tail_adders = chunk * (4 * p["A_WIDTH"] + 2 * table + cell + max(2 * table, table + cell))
    return {
        "array_multipliers": rows,
        "tail_multipliers": 3 * chunk,
        "block_ram_bits": bits,
        "lut_ram_bits": held * cell + (rows * full * sums if full > 1 else 0),
        "adder_bits": accumulators * sums + trees + tail_adders,
        "registers": rows * (2 * p["W_WIDTH"] + product)
        + max(spread, 1) * operand
        + (rows * sums * (2 if full == 1 else 1) if full else 0)
        + 4 * rest * sums * 2
        + trees // 3
        + p["INPUTS"] * p["X_WIDTH"]
        + (units + held) * p["H_WIDTH"]
        + 2 * biases
        + chunk * (14 * table + 3 * cell + 4 * p["GATE_INDEX_BITS"]),
    }


def _dense(block: Block, memories: dict[int, Memory]) -> dict[str, int]:
    p = {key: int(value) for key, value in block.parameters.items() if isinstance(value, int)}
    multipliers, number = p["UNITS"] * p["CHUNK"], p["MEMORY"]
    return {
        "dense_multipliers": multipliers,
        "block_ram_bits": _stored(memories[number], multipliers * p["W_WIDTH"])
        + _stored(memories[number + 1], p["UNITS"] * p["B_WIDTH"]),
        "adder_bits": multipliers * p["A_WIDTH"],
        "registers": multipliers * (p["H_WIDTH"] + 3 * p["W_WIDTH"])
        + p["UNITS"] * (p["A_WIDTH"] + p["Y_WIDTH"] + p["B_WIDTH"]),
    }
