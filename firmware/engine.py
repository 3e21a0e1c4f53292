"""The fabric behind the engine protocol; `board` is the engine on a real card."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pyorch.contract.bundle import Bundle
from pyorch.contract.engine import EngineInfo, Outputs, State
from pyorch.contract.errors import DeviceError, EnvironmentMissingError, MismatchError
from pyorch.contract.fabric import FabricManifest, Kind
from pyorch.contract.fixed import IntArray
from pyorch.inference.model_check import check_model
from pyorch.inference.reference import scores_of
from pyorch.inference.stream import StreamEngine

BITSTREAM = "fabric.bit"


class FabricEngine(StreamEngine):
    """An opened fabric: logits from the card, scores from them on the host.

    Args:
        driver: connected.
        mailbox: ticks go through the registers instead of DMA frames.
        name, device: for `info`.
    """

    def __init__(
        self, bundle: Bundle, driver: Any, *, mailbox: bool, name: str, device: str
    ) -> None:
        super().__init__(bundle)
        self.driver = driver
        self._mailbox, self._name, self._device = mailbox, name, device
        self._steps = 0
        self._sequence = 0

    @property
    def info(self) -> EngineInfo:
        """Name, device, exactness."""
        return EngineInfo(self._name, self._device, exact=True)

    def run(self, features: IntArray) -> tuple[IntArray, IntArray]:
        """Many ticks from the present state, several a frame: [m, F] → logits, scores [m, O].

        Raises:
            UsageError: another shape, or integers outside the input format.
            DeviceError: the card did not answer.
        """
        with self._calls:
            features = self._checked(features, (len(features), self.spec.features))
            self._own_stream()
            logits = self._answers(features)
            self._steps += len(features)
        return logits, scores_of(self.spec, self.bundle.weights, logits)

    def pulse(self) -> int:
        """The card's counter of answers, once its identity and its model are found to be right.

        Raises:
            MismatchError: another fabric or another model is on the card.
            DeviceError: the card does not answer, or the engine is closed.
        """
        with self._calls:
            self._refuse_closed()
            self.driver.check_identity()
            digest = self.driver.model_digest(self.driver.active_set)
            steps = int(self.driver.get("STEPS"))
        if digest != self.bundle.digest()[:16]:
            raise MismatchError(
                f"the card holds model {digest}, the bundle is {self.bundle.digest()[:16]}; load the bundle"
            )
        return steps

    def _answers(self, features: IntArray) -> IntArray:
        count = self.driver.frame_vectors
        parts = [
            self.driver.ask(Kind.SEQUENCE, features[k : k + count], self._next()).logits
            for k in range(0, len(features), count)
        ]
        return np.concatenate(parts)

    def _release(self) -> None:
        self.driver.put("CONTROL", 0)

    def _next(self) -> int:
        self._sequence = (self._sequence + 1) & 0xFFFFFFFF
        return self._sequence

    def _own_stream(self) -> None:
        self.driver.own(1)

    def _outputs(self, logits: IntArray) -> Outputs:
        return Outputs(logits, scores_of(self.spec, self.bundle.weights, logits[None])[0])

    def _step(self, features: IntArray) -> Outputs:
        if self._mailbox:
            self.driver.own(2)
            logits = self.driver.mailbox_step(features, self._next())
        else:
            self._own_stream()
            logits = self.driver.ask(Kind.STEP, features[None], self._next()).logits[0]
        self._steps += 1
        return self._outputs(logits)

    def _window(self, features: IntArray) -> Outputs:
        self._own_stream()
        kept = self.driver.read_state() if self.spec.mode == "stateful" else None
        logits = self.driver.ask(Kind.WINDOW, features, self._next()).logits[0]
        if kept is not None:
            self.driver.stage_state(*kept)
            self.driver.load_state()
        return self._outputs(logits)

    def _stream_state(self) -> State:
        if self.spec.mode == "window":
            return State((), (), self.driver.read_window(), self._steps)
        hidden, cell = self.driver.read_state()
        empty = np.zeros((0, self.spec.features), np.int64)
        return State(tuple(hidden), tuple(cell), empty, self._steps)

    def _load_stream(self, state: State) -> None:
        if self.spec.mode == "window":
            self.driver.stage_window(state.vectors)
        else:
            self.driver.stage_state(list(state.hidden), list(state.cell))
        self.driver.load_state()
        self._steps = state.steps

    def _reset_stream(self) -> None:
        self.driver.clear()
        self.driver.settle()
        self._steps = 0


def open_overlay(bundle: Bundle, project: Path, device: Any) -> tuple[Any, FabricManifest]:
    """Load a project's bitstream on a pynq device and connect the driver.

    Raises:
        EnvironmentMissingError: pynq is not installed.
        MismatchError: bundle, project and card do not belong together.
        DeviceError: the overlay has no fabric or no DMA.
    """
    try:
        from pynq import Overlay

        import firmware.driver  # noqa: F401  binds the driver to its VLNV
    except ImportError as error:
        raise EnvironmentMissingError(
            f"pynq is missing ({error}); install the extra `board`"
        ) from error
    from firmware.block_design import DMA, FABRIC

    manifest = FabricManifest.load(project)
    if manifest.model_digest != bundle.digest():
        raise MismatchError(
            f"{project} was emitted from model {manifest.model_digest[:16]}, the bundle is "
            f"{bundle.digest()[:16]}: emit the bundle, or load its image"
        )
    overlay = Overlay(str(project / BITSTREAM), device=device)
    if not {FABRIC, DMA} <= set(overlay.ip_dict):
        raise DeviceError(
            f"{project / BITSTREAM}: the design has {sorted(overlay.ip_dict)}, not {FABRIC} and {DMA}"
        )
    driver = getattr(overlay, FABRIC)
    driver.connect(manifest, getattr(overlay, DMA))
    driver.start()
    return driver, manifest


class BoardEngine(FabricEngine):
    """The fabric on a card that pynq finds."""

    @classmethod
    def open(cls, bundle: Bundle, **options: Any) -> BoardEngine:
        """Load the bundle's bitstream and replay the golden vectors.

        Args:
            bundle: the model.
            options: ``project``: folder with ``fabric.bit``, ``fabric.hwh`` and ``fabric.json``; ``mailbox``:
                ticks by registers (default) or by DMA frames.

        Raises:
            EnvironmentMissingError: no pynq, no card, or no project.
            MismatchError: another fabric on the card, or the golden vectors did not come out.
        """
        cls.refuse_options(options, "project", "mailbox")
        check_model(bundle)
        project = options.get("project")
        if project is None:
            raise EnvironmentMissingError(
                "the engine `board` needs the folder of a built fabric (option project); "
                "without a card use the engine `card`"
            )
        try:
            from pynq import Device

            device = Device.active_device
        except ImportError as error:
            raise EnvironmentMissingError(
                f"pynq is missing ({error}); install the extra `board`"
            ) from error
        except RuntimeError as error:
            raise EnvironmentMissingError(f"pynq finds no card here: {error}") from error
        driver, _ = open_overlay(bundle, Path(project), device)
        mailbox = bool(options.get("mailbox", True))
        engine = cls(bundle, driver, mailbox=mailbox, name="board", device=str(device.name))
        engine.replay_golden()
        return engine
