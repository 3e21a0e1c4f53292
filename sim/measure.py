"""Cycles of a simulated fabric, measured at its ports; names as in `FabricManifest.cycles`.

docs/fabric.md, "Latency", says what each spans.
"""

from __future__ import annotations

import numpy as np

from firmware.register_map import register_map
from pyorch.contract.fabric import Kind
from pyorch.contract.fixed import IntArray
from sim.library import SimulatedFabric, Streamed

SETTLE_CYCLES = 20_000
"""More than any refresh, replay or swap of the shapes that are simulated."""


def address(name: str) -> int:
    """Byte offset of a register."""
    return register_map()[name].offset


def start(fabric: SimulatedFabric) -> None:
    """Enable the fabric for the stream."""
    fabric.write(address("CONTROL"), register_map()["CONTROL"].put(enable=1))
    fabric.write(address("OWNER"), 1)


def command(fabric: SimulatedFabric, **bits: int) -> None:
    """Write COMMAND."""
    fabric.write(address("COMMAND"), register_map()["COMMAND"].put(**bits))


def settle(fabric: SimulatedFabric, limit: int = SETTLE_CYCLES) -> None:
    """Wait until nothing is in flight and all is prepared."""
    status = register_map()["STATUS"]
    for _ in range(limit // 10):
        if status.get(fabric.read(status.offset), "idle"):
            return
        fabric.run(10)


def cycles_of(fabric: SimulatedFabric, vectors: IntArray) -> dict[str, int]:
    """The cycles that the manifest predicts, measured with ``vectors`` [at least 3 T + 8, F]."""
    manifest, length = fabric.manifest, fabric.manifest.window
    found: dict[str, int] = {}

    def steps(number: int, write: tuple[int, int, int] | None = None) -> Streamed:
        frames = [manifest.encode(Kind.STEP, k, vectors[k : k + 1]) for k in range(number)]
        return fabric.stream(frames, write=write)

    found |= _pauses(fabric, vectors)
    command(fabric, clear=1)
    steps(length + 1)  # the window is full
    settle(fabric)
    alone = steps(1)
    if manifest.clocks == 2:  # the ports are in another clock: what the core's counters say
        settle(fabric)
        found["idle_tick"] = fabric.read(address("CYCLES_LAST"))
        return found | _swap_pauses(fabric, vectors)
    found["idle_tick"] = int(alone.out_cycles[0] - alone.in_cycles[-1])
    settle(fabric)
    many = steps(length + 8)
    starts = many.out_cycles.reshape(-1, manifest.answer_beats + 1)[:, 0].astype(np.int64)
    found["interval"] = int(np.diff(starts)[-3:].max())
    settle(fabric)
    together = fabric.stream([manifest.encode(Kind.SEQUENCE, 0, vectors[: length + 8])])
    starts = together.out_cycles[:-1].reshape(-1, manifest.answer_beats)[:, 0].astype(np.int64)
    found["interval_in_sequence"] = int(np.diff(starts)[-3:].max())
    settle(fabric)
    cold = fabric.stream([manifest.encode(Kind.WINDOW, 0, vectors[:length])])
    found["cold_window"] = int(cold.out_cycles[0] - cold.in_cycles[1])
    settle(fabric)
    found |= _swap_pauses(fabric, vectors)
    if manifest.loadable:
        load_image(fabric, *own_image(fabric))
        ask = (address("COMMAND"), register_map()["COMMAND"].put(swap_keep=1))
        # in the middle between two ticks: beside one, a cycle more or less on the way there decides
        middle = found["interval"] * (length + 9 - length % 2) // 2
        swapped = steps(length + 8, write=(middle, *ask))
        starts = swapped.out_cycles.reshape(-1, manifest.answer_beats + 1)[:, 0].astype(np.int64)
        found["swap_in_stream"] = int(np.diff(starts).max())
    return found


def _pauses(fabric: SimulatedFabric, vectors: IntArray) -> dict[str, int]:
    settle(fabric)
    command(fabric, clear=1)
    settle(fabric)
    clear = fabric.read(address("PAUSE_LAST"))
    return {"clear": clear, "state_load": load_kept(fabric, vectors, load=1)}


def _swap_pauses(fabric: SimulatedFabric, vectors: IntArray) -> dict[str, int]:
    if not fabric.manifest.loadable:
        return {}
    load_image(fabric, *own_image(fabric))
    command(fabric, swap_keep=1)
    settle(fabric)
    swap = fabric.read(address("PAUSE_LAST"))
    load_image(fabric, *own_image(fabric))
    return {"swap": swap, "swap_load": load_kept(fabric, vectors, swap_load=1)}


def load_kept(fabric: SimulatedFabric, vectors: IntArray, **bits: int) -> int:
    """`PAUSE_LAST` of a load of the staged state; a windowed model's is made of T - 1 of the vectors."""
    if fabric.manifest.mode == "window":
        stage_vectors(fabric, vectors[: fabric.manifest.window - 1])
    command(fabric, **bits)
    settle(fabric)
    return fabric.read(address("PAUSE_LAST"))


def stage_vectors(fabric: SimulatedFabric, vectors: IntArray) -> None:
    """Write the vectors [n, F] of a window, oldest first, for a load."""
    for slot, vector in enumerate(vectors.tolist()):
        fabric.write(address("STATE_ADDRESS"), register_map()["STATE_ADDRESS"].put(slot=slot))
        for value in vector:
            fabric.write(address("STATE_DATA"), value)
    fabric.write(address("WINDOW_FILL"), len(vectors))


def own_image(fabric: SimulatedFabric) -> tuple[IntArray, IntArray, int, str, str]:
    """What `load_image` takes, of the project's own weight image."""
    from pyorch.contract.fabric import IMAGE, WeightImage

    image = WeightImage.load(fabric.project / IMAGE)
    return (
        image.addresses.astype(np.int64),
        image.data.astype(np.int64),
        image.crc(),
        image.format_digest,
        image.model_digest,
    )


def load_image(
    fabric: SimulatedFabric,
    addresses: IntArray,
    data: IntArray,
    crc: int,
    format_digest: str,
    model_digest: str,
) -> None:
    """Write a weight image into the inactive set and commit it."""
    fabric.write(address("LOAD_START"), 1)
    for name, digest in (("FORMAT", format_digest), ("MODEL", model_digest)):
        fabric.write(address(f"LOAD_{name}_0"), int(digest[:8], 16))
        fabric.write(address(f"LOAD_{name}_1"), int(digest[8:16], 16))
    expected = -1
    for place, word in zip(addresses.tolist(), data.tolist(), strict=True):
        if place != expected:
            fabric.write(address("LOAD_ADDRESS"), place)
        fabric.write(address("LOAD_DATA"), word)
        expected = place + 1 if place & 0xFF != 0xFF else -1
    fabric.write(address("LOAD_COMMIT"), crc)
