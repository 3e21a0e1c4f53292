"""A synthesised netlist against the golden vectors of its bundle: frames in, result frames out, every bit."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import BuildError, DeviceError, UsageError
from pyorch.contract.fabric import Code, FabricManifest, Kind
from sim.library import SimulatedFabric
from sim.measure import command, cycles_of, load_image, own_image, settle, start
from sim.netlist import Fault, Netlist
from sim.netlist_library import interpreter, verilated
from sim.verify import Comparison, Progress

NETLIST = "netlist.json"
FABRIC = "fabric"
Simulator = Literal["interpreter", "verilator"]


@dataclass(slots=True)
class NetlistCheck:
    """What came of it.

    Attributes:
        cells: type → how many.
        cycles: measured on a netlist of one clock; compared with the manifest's prediction.
    """

    manifest: FabricManifest
    simulator: Simulator
    cells: dict[str, int] = field(default_factory=dict)
    comparisons: list[Comparison] = field(default_factory=list)
    cycles: dict[str, int] = field(default_factory=dict)

    @property
    def compared(self) -> int:
        """Integers compared."""
        return sum(one.compared for one in self.comparisons)

    @property
    def mismatches(self) -> int:
        """Of those, how many differ."""
        return sum(one.mismatches for one in self.comparisons)

    @property
    def wrong_cycles(self) -> list[str]:
        """Figures of cycles that are not as the manifest predicts them."""
        return [
            name for name, value in self.cycles.items() if self.manifest.cycles.get(name) != value
        ]

    @property
    def ok(self) -> bool:
        """Whether the netlist computes what the reference does, when the manifest says."""
        return self.compared > 0 and not self.mismatches and not self.wrong_cycles


def check_netlist(
    build: Path,
    bundle: Bundle,
    *,
    simulator: Simulator = "interpreter",
    fault: Fault | None = None,
    progress: Progress = lambda _text, _share: None,
) -> NetlistCheck:
    """Simulate ``netlist.json`` of a build folder with the golden vectors.

    Args:
        build: holds ``fabric`` (the emitted project) and ``netlist.json`` (from the synthesis).
        bundle: the model that the fabric was emitted from.
        simulator: our interpreter of netlists, or Verilator with the models in Verilog: slow to compile.
        fault: planted before the simulation.

    Raises:
        BuildError: no netlist, the fabric dissolved in it, or a cell without a model.
        UsageError: another model.
        EnvironmentMissingError: a tool is missing.
    """
    manifest = FabricManifest.load(build / FABRIC)
    if bundle.digest() != manifest.model_digest:
        raise UsageError(
            f"{build} was made of the model {manifest.model_digest[:12]}…, the bundle is "
            f"{bundle.digest()[:12]}…; give the bundle that it was made of"
        )
    if not bundle.golden:
        raise BuildError("the bundle holds no golden vectors: complete it (`pyorch convert`)")
    progress("reading the netlist", 0)
    netlist = Netlist(build / NETLIST)
    if fault is not None:
        netlist.plant(fault)
    found = NetlistCheck(manifest, simulator, dict(netlist.cells(manifest.top)))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        progress(f"preparing ({simulator})", 0.1)
        make = interpreter if simulator == "interpreter" else verilated
        library = make(netlist, manifest.top, folder)
        fabric = SimulatedFabric(build / FABRIC, library=library, started_in=folder)
        try:
            progress("golden vectors", 0.5)
            _play(fabric, bundle, found)
        finally:
            fabric.close()
    return found


def _play(fabric: SimulatedFabric, bundle: Bundle, found: NetlistCheck) -> None:
    """Golden sequence and windows, if loadable once more from the other set; then the cycles."""
    try:
        start(fabric)
        _golden(fabric, bundle, found, "weights of the bitstream")
        if found.manifest.loadable:
            load_image(fabric, *own_image(fabric))
            command(fabric, swap_clear=1)
            _golden(fabric, bundle, found, "weights loaded")
        if not found.mismatches and found.manifest.clocks == 1:
            length = 3 * bundle.spec.window + 8
            found.cycles = cycles_of(
                fabric, bundle.golden["window_features"].reshape(-1, bundle.spec.features)[:length]
            )
    except DeviceError as error:  # a netlist may be so wrong that it does not answer
        lost = Comparison("answers", "stream", compared=1, mismatches=1, first=str(error))
        found.comparisons.append(lost)


def _golden(fabric: SimulatedFabric, bundle: Bundle, found: NetlistCheck, name: str) -> None:
    manifest, golden = found.manifest, bundle.golden
    command(fabric, clear=1)
    settle(fabric)
    windows = golden["window_features"]
    parts = [
        ("sequence", Kind.SEQUENCE, [golden["sequence_features"]], [golden["sequence_logits"]]),
        ("windows", Kind.WINDOW, list(windows), [row[None] for row in golden["window_logits"]]),
    ]
    for serving, kind, inputs, expected in parts:
        one = Comparison(name, serving)
        found.comparisons.append(one)
        frames = [manifest.encode(kind, k, vectors) for k, vectors in enumerate(inputs)]
        back = fabric.stream(frames, gap_percent=20, stall_percent=20, seed=7)
        one.steps = sum(len(vectors) for vectors in inputs)
        for k, (frame, logits) in enumerate(zip(back.frames, expected, strict=True)):
            result = manifest.decode(frame)
            if result.code != Code.OK or result.sequence != k:
                one.mismatches += 1
                one.first = one.first or f"{name}, {serving}, frame {k}: status {result.code.name}"
            one.add(result.logits, logits, f"{name}, {serving}, frame {k}")
