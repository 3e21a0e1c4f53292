"""Random scripts for one LSTM block: everything that may happen between two vectors, and at any time."""

from __future__ import annotations

import numpy as np

from pyorch.contract.model import LstmLayer
from sim.bench.layer.block import Kind, Operation

PACES = ("back to back", "any", "nearly back to back")


def random_script(seed: int, layer: LstmLayer, vectors: int, swaps_from: int) -> list[Operation]:
    """Vectors at three paces, clears, state access and pauses among them; at the end all state is read.

    Args:
        swaps_from: swaps of the weight set only after so many vectors, when the loads are complete;
            ``vectors``: none.
    """
    rng = np.random.default_rng(seed)
    script: list[Operation] = [(Kind.WAIT_IDLE, 0, 0, 0)]
    for number in range(vectors):
        pace = PACES[number // 40 % len(PACES)]
        gap = {"back to back": 0, "any": int(rng.integers(0, 90))}.get(
            pace, int(rng.integers(0, 3))
        )
        flags = int(rng.random() < 0.1) | 2 * int(rng.random() < 0.7)
        script.append((Kind.VECTOR, number, flags, gap))
        if number == swaps_from:
            script.append((Kind.LOADED, 0, 0, 0))
        swap_ok = number >= swaps_from
        event = rng.random()
        if event < 0.03:
            script.append((Kind.CLEAR, 0, 0, 0))
        elif event < 0.08 and swap_ok:
            script.append((Kind.SWAP if event < 0.06 else Kind.CLEAR_SWAP, 0, 0, 0))
        elif event < 0.12:
            script += [_state_write(rng, layer) for _ in range(3)]
        elif event < 0.2:
            address = int(rng.integers(0, 2)) << 12 | int(rng.integers(0, layer.units))
            script.append((Kind.STATE_READ, address, 0, 0))
        elif event < 0.22:
            script.append((Kind.WAIT, int(rng.integers(1, 80)), 0, 0))
    everything = [which << 12 | unit for which in (0, 1) for unit in range(layer.units)]
    script += [(Kind.STATE_READ, address, 0, 0) for address in everything]
    return script


def _state_write(rng: np.random.Generator, layer: LstmLayer) -> Operation:
    which, unit = int(rng.integers(0, 2)), int(rng.integers(0, layer.units))
    form = layer.cell if which else layer.hidden
    anything = int(rng.integers(form.minimum, form.maximum + 1))
    value = int(rng.choice([form.minimum, form.maximum, anything]))
    return Kind.STATE_WRITE, which << 12 | unit, value, 0
