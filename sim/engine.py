"""The engine `card`: the bundle's fabric under Verilator, driven by pynq and the driver of a real card."""

from __future__ import annotations

import ctypes
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from firmware.block_design import fabric_design, hwh_text
from firmware.engine import BITSTREAM, FabricEngine, open_overlay
from hls.emit.project import emit_bundle
from pyorch import _native
from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import EnvironmentMissingError, UsageError
from pyorch.inference.flat import flat_model
from pyorch.inference.model_check import check_model
from sim.faults import Fault
from sim.native_faults import INSIDE, numbered, planted

POLLS = 10_000
"""Reads of the mailbox after which the card counts as dead; one takes about ten cycles."""
PATIENCE_S = 60.0
"""Of the driver with a simulated card, whose pace is that of a machine that may be busy."""
OPTIONS = (
    "style", "mailbox", "multipliers", "chunk", "planes", "cuts", "copies", "clock_mhz", "host_ns",
    "gap_us", "faults",
)  # fmt: skip
ASSUMED_MHZ = 50.0
"""Of the core, where nothing was routed: the default of the target ``ecp5-85k``."""
STYLE_PARAMETERS = ("multipliers", "chunk", "planes", "cuts", "copies")
DEFAULT_GAP_US = 20.0
SLOW_NS = 10_000_000
"""Of an answer with the fault `slow`, on top of its own time."""
FAILING_RESETS = 2
"""Openings that fail after the fault `unplug`."""
ASSUMED_HOST_NS = 1500.0
"""Of a tick's register writes and reads over a card's bus; to be measured on the card."""


class CardEngine(FabricEngine):
    """The simulated card."""

    @classmethod
    def open(cls, bundle: Bundle, **options: Any) -> CardEngine:
        """Emit the bundle, compile it, load it on a simulated pynq device, replay the golden vectors.

        Args:
            bundle: the model.
            options: ``style`` (default folded) and its parameters; ``mailbox``: ticks by registers (default)
                or by DMA frames; ``clock_mhz``, ``host_ns``: of the card that `computed_times` is about;
                ``gap_us``: how long the card runs between two ticks of the tick loop (default 20);
                ``faults``: strike the tick loop's bus, as ``["hang@400"]``, see `sim.native_faults`.

        Raises:
            ModelError, UsageError: the style does not carry the model.
            EnvironmentMissingError: no pynq or no Verilator here.
            MismatchError: the golden vectors did not come out.
        """
        cls.refuse_options(options, *OPTIONS)
        check_model(bundle)
        faults = planted(options.get("faults", ()))
        if inside := [fault for _, fault in faults if fault in INSIDE]:
            raise UsageError(
                f"the fault {inside[0].name.lower()!r} strikes inside a card, and a simulated one is "
                "broken at its bus only; `pyorch bench failover` strikes there"
            )
        try:
            from sim.card import SimulatedDevice
        except ImportError as error:
            raise EnvironmentMissingError(
                f"pynq is missing ({error}); install the extra `board`"
            ) from error
        from sim.library import SimulatedFabric

        style = str(options.get("style", "folded"))
        parameters = {
            name: int(value) for name, value in options.items() if name in STYLE_PARAMETERS
        }
        folder = tempfile.TemporaryDirectory(prefix="pyorch-card-")
        project = Path(folder.name) / "project"
        emit_bundle(bundle, style, project, wire=None, tools=None, **parameters)
        # what a build would put there; a simulated card is its RTL
        (project / BITSTREAM).write_bytes(b"simulated")
        (project / BITSTREAM).with_suffix(".hwh").write_text(hwh_text(fabric_design()))
        fabric = SimulatedFabric(project)
        device = SimulatedDevice(fabric)
        driver, _ = open_overlay(bundle, project, device)
        driver.timeout_s = PATIENCE_S
        engine = cls(
            bundle,
            driver,
            mailbox=bool(options.get("mailbox", True)),
            name="card",
            device=f"simulated card, {style}",
        )
        engine.fabric, engine.pynq_device, engine.folder = fabric, device, folder
        engine.clock_mhz = float(options.get("clock_mhz", ASSUMED_MHZ))
        engine.host_ns = float(options.get("host_ns", ASSUMED_HOST_NS))
        engine.gap_us = float(options.get("gap_us", DEFAULT_GAP_US))
        engine.faults = faults
        engine.replay_golden()
        return engine

    fabric: Any
    pynq_device: Any
    folder: Any
    clock_mhz: float
    host_ns: float
    gap_us: float
    faults: list[tuple[int, Fault]]

    def computed_times(self) -> tuple[list[int], str]:
        """(ns of an idle tick, how it came about): simulated cycles and two assumptions."""
        cycles = self.driver.manifest.cycles["idle_tick"]
        ns = round(cycles * 1000 / self.clock_mhz + self.host_ns)
        return [ns], (
            f"{cycles} simulated cycles at an assumed {self.clock_mhz:g} MHz, and an assumed "
            f"{self.host_ns:,.0f} ns of bus"
        )

    def tick_engine(self) -> _native.Card:
        """The mailbox as the native tick loop drives it; this engine must stay open meanwhile."""
        self.driver.own(2)
        manifest = self.driver.manifest
        return _native.SimulatedFabricClient(
            model=np.ascontiguousarray(flat_model(self.bundle)),
            fabric=self.fabric.handle or 0,
            write=self._address("write"),
            read=self._address("read"),
            input_lane=manifest.input_lane,
            output_lane=manifest.output_lane,
            polls=POLLS,
            format_digest=int(manifest.format_digest[:16], 16),
            model_digest=int(self.bundle.digest()[:16], 16),
            clock=self.tick_clock(),
            faults=numbered(self.faults),
            slow_ns=SLOW_NS,
            failing_resets=FAILING_RESETS,
        )

    def tick_clock(self) -> _native.TickClock:
        """Simulated cycles as time, for deadlines; `gap_us` of them pass between ticks."""
        return _native.SimulatedClock(
            fabric=self.fabric.handle or 0,
            cycles=self._address("cycles"),
            run=self._address("run"),
            cycle_ns=1000 / self.clock_mhz,
            gap_cycles=round(self.gap_us * self.clock_mhz),
        )

    def _address(self, name: str) -> int:
        function = getattr(self.fabric.library, f"fabric_{name}")
        return ctypes.cast(function, ctypes.c_void_p).value or 0

    def _release(self) -> None:
        super()._release()
        self.fabric.close()
        self.folder.cleanup()
