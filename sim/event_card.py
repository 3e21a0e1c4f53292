"""The card `events`: a bundle's feature path under Verilator, fed with market events by the tick thread."""

from __future__ import annotations

import ctypes
import tempfile
from pathlib import Path
from typing import Any

from hls.emit.events import EventShape
from hls.emit.events_project import emit_configured
from hls.emit.options import SHAPE
from pyorch import _native
from pyorch.contract.bundle import Bundle
from pyorch.contract.engine import EngineInfo
from pyorch.contract.errors import UsageError
from pyorch.trading.config import QuotingConfig
from sim.bench.events.decision_player import DecisionPlayer
from sim.engine import ASSUMED_MHZ, DEFAULT_GAP_US, SLOW_NS, STYLE_PARAMETERS
from sim.event_faults import planted

OPTIONS = ("style", *STYLE_PARAMETERS, *SHAPE, "clock_mhz", "gap_us", "slow_ns", "faults")


class SimulatedEventPath:
    """A Verilated feature path; the tick thread is the only one that moves it.

    Args:
        project: an emitted feature path.
        clock_mhz: of the path; gap_us: how long it runs between two ticks of the loop.
        slow_ns: of a word with the fault `slow`, on top of its own time.
        faults: strike its frames and words, as ``["hang@400"]``, see `sim.event_faults`.
    """

    def __init__(
        self,
        project: Path,
        *,
        clock_mhz: float = ASSUMED_MHZ,
        gap_us: float = DEFAULT_GAP_US,
        slow_ns: int = SLOW_NS,
        faults: list[str] | tuple[str, ...] = (),
    ) -> None:
        self.faults = planted(faults)
        self.player = DecisionPlayer(project)
        self.manifest = self.player.manifest
        path = self.manifest.events
        assert path is not None
        self.policy_digest, self.instruments = int(path.policy_digest, 16), path.instruments
        self.clock_mhz, self.gap_us, self.slow_ns = clock_mhz, gap_us, slow_ns
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._clock: _native.TickClock | None = None

    @classmethod
    def open(cls, bundle: Bundle, config: QuotingConfig, **options: Any) -> SimulatedEventPath:
        """Emit the bundle with the policy of a configuration, and compile it.

        Args:
            options: ``style`` (default folded) and its parameters, those of `EventShape`, ``clock_mhz``,
                ``gap_us``, ``slow_ns``, ``faults``.

        Raises:
            ModelError, UsageError: the style or the path does not carry the model, or an unknown option.
            EnvironmentMissingError, BuildError: no Verilator here.
        """
        if unknown := sorted(set(options) - set(OPTIONS)):
            raise UsageError(
                f"the card events has no option {unknown[0]!r}; it has {', '.join(OPTIONS)}"
            )
        shape = EventShape(**{name: int(options[name]) for name in SHAPE if name in options})
        style: dict[str, Any] = {
            name: int(options[name]) for name in STYLE_PARAMETERS if name in options
        }
        planted(options.get("faults", ()))
        folder = tempfile.TemporaryDirectory(prefix="pyorch-events-")
        project = Path(folder.name) / "project"
        emit_configured(
            bundle, str(options.get("style", "folded")), project, config, shape, **style
        )
        kept = {name: options[name] for name in OPTIONS[-4:] if name in options}
        opened = cls(project, **kept)
        opened._folder = folder
        return opened

    @property
    def info(self) -> EngineInfo:
        """Name, device, exactness."""
        return EngineInfo("events", f"simulated feature path, {self.manifest.style}", exact=True)

    def native_clock(self) -> _native.TickClock:
        """Simulated cycles as time; `gap_us` of them pass between ticks."""
        if self._clock is None:
            self._clock = _native.SimulatedClock(
                fabric=self.player.handle or 0,
                cycles=self._address("card_cycles"),
                run=self._address("card_run"),
                cycle_ns=1000 / self.clock_mhz,
                gap_cycles=round(self.gap_us * self.clock_mhz),
            )
        return self._clock

    def native_card(self) -> _native.SimulatedEventCard:
        """Frames in, words out."""
        return _native.SimulatedEventCard(
            path=self.player.handle or 0,
            offer=self._address("card_offer"),
            take=self._address("card_take"),
            reset=self._address("card_reset"),
            read=self._address("player_read"),
            format_digest=int(self.manifest.format_digest[:16], 16),
            clock=self.native_clock(),
            faults=[(frame, int(fault)) for frame, fault in self.faults],
            slow_ns=self.slow_ns,
        )

    def _address(self, name: str) -> int:
        return ctypes.cast(getattr(self.player.library, name), ctypes.c_void_p).value or 0

    def close(self) -> None:
        """Release it."""
        self.player.close()
        if self._folder is not None:
            self._folder.cleanup()
