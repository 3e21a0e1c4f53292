"""A feature path under pynq: events out by DMA, decisions in, policy and audit by registers.

Import this where pynq is at hand. Registers and frames: docs/wire_events.md. Every wait ends in an answer or
in a `DeviceError`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pynq import DefaultIP, allocate

from firmware.block_design import FABRIC, BlockDesign, fabric_design
from pyorch.contract.decision import (
    FREEZE,
    HEAD_BEATS,
    MAXIMUM_OUTPUTS,
    SWAP_POLICY,
    SWAP_WEIGHTS,
    Decisions,
    EventRegister,
    PolicyImage,
    decode_decisions,
)
from pyorch.contract.errors import DeviceError, MismatchError, UsageError
from pyorch.contract.fabric import Beats, FabricManifest

EVENTS_VLNV = "pyorch:fabric:events:1.0"
IDENTITY, VERSION = 0x50594556, 1
FRAME_BEATS, WORD_BEATS = 184, HEAD_BEATS + MAXIMUM_OUTPUTS // 2
TIMEOUT_S = 2.0
COUNTERS = (
    "events", "duplicates", "gaps", "lost", "sessions", "malformed", "truncated", "stale", "escapes", "thin",
)  # fmt: skip
PENDING, RECORDED = 0x001, 0x100
ERRORS = {1: "weights", 2: "policy", 4: "a swap"}


def events_design() -> BlockDesign:
    """The block design of `firmware.block_design` around a feature path."""
    design = fabric_design()
    modules = tuple(
        replace(module, vlnv=EVENTS_VLNV) if module.name == FABRIC else module
        for module in design.modules
    )
    return replace(design, modules=modules)


@dataclass(frozen=True, slots=True)
class Audit:
    """A decision that was kept with what led to it.

    Attributes:
        decision: the word; features, logits: raw integers, packed from bit 0 in 32-bit words.
    """

    decision: Decisions
    features: NDArray[np.uint32]
    logits: NDArray[np.uint32]


class EventDriver(DefaultIP):  # type: ignore[misc]
    """A feature path that pynq finds through its VLNV; `connect` gives it manifest and DMA."""

    bindto = [EVENTS_VLNV]  # noqa: RUF012  pynq reads a class attribute of this name
    timeout_s = TIMEOUT_S

    def connect(self, manifest: FabricManifest, dma: Any) -> None:
        """Check that the card holds this feature path, and make the buffers.

        Raises:
            MismatchError: another fabric, or none; the message says what differs.
        """
        if manifest.events is None:
            raise MismatchError(
                f"{manifest.name} was emitted with --top frames: it takes no events"
            )
        self.manifest, self.dma = manifest, dma
        register = EventRegister
        wanted = (
            ("identity", register.IDENTITY, IDENTITY),
            ("version of the registers", register.VERSION, VERSION),
            ("format digest", register.FORMAT, int(manifest.format_digest[:8], 16)),
            ("policy format", register.POLICY_FORMAT, int(manifest.events.policy_format[:8], 16)),
        )
        for name, offset, value in wanted:
            found = int(self.read(offset))
            if found != value:
                raise MismatchError(
                    f"{name} {found:#010x} instead of {value:#010x}: another fabric is loaded; load the "
                    "bitstream of this project"
                )
        self._frame = allocate((FRAME_BEATS,), dtype="u8", target=self.device)
        self._word = allocate((WORD_BEATS,), dtype="u8", target=self.device)
        self._listening = False

    # ---- events and decisions
    def send(self, frame: Beats) -> None:
        """One frame of events.

        Raises:
            UsageError: it is empty or longer than a frame may be.
            DeviceError: the DMA did not take it in time.
        """
        if not 1 <= len(frame) <= FRAME_BEATS:
            raise UsageError(f"a frame of {len(frame)} beats; it has 1 to {FRAME_BEATS}")
        self._listen()
        self._frame[: len(frame)] = frame
        self.dma.sendchannel.transfer(self._frame, nbytes=8 * len(frame))
        self._wait("take a frame of events", lambda: self._idle(self.dma.sendchannel))

    def take(self) -> Decisions:
        """The decision that has come since, or none: of length 1 or 0.

        Raises:
            DataError: it is no decision word.
        """
        self._listen()
        channel = self.dma.recvchannel
        if not self._idle(channel):
            return decode_decisions(np.empty(0, np.uint64), np.empty(0, bool))
        channel.wait()
        beats = np.array(self._word[: channel.transferred // 8], np.uint64)
        self._listening = False
        self._listen()
        return decode_decisions(beats, np.arange(len(beats)) == len(beats) - 1)

    def _listen(self) -> None:
        if not self._listening:
            self.dma.recvchannel.transfer(self._word, nbytes=8 * WORD_BEATS)
            self._listening = True

    @staticmethod
    def _idle(channel: Any) -> bool:
        return bool(int(channel._mmio.read(channel._offset + 4)) & 2)

    # ---- policy and audit
    def load_policy(self, image: PolicyImage) -> None:
        """Write a policy into the set that does not decide.

        Raises:
            DeviceError: the card refused it; the message says so.
        """
        assert self.manifest.events is not None
        self.write(EventRegister.ERRORS, 7)
        for offset, value in image.writes(self.manifest.events.policy_format):
            self.write(offset, value)
        self._refuse_errors(f"a policy of {len(image.addresses)} registers")

    def swap(self, *, policy: bool = False, weights: bool = False) -> None:
        """Change the sets, both between the same two ticks.

        Raises:
            DeviceError: a set is not valid, or the swap did not happen in time.
        """
        self.write(EventRegister.ERRORS, 7)
        self.write(EventRegister.COMMAND, SWAP_POLICY * policy | SWAP_WEIGHTS * weights)
        self._refuse_errors("the swap: load the set that is to decide")
        self._wait("swap", lambda: not self.read(EventRegister.STATUS) & PENDING)

    def freeze(self) -> None:
        """Keep the next decision with what led to it."""
        self.write(EventRegister.COMMAND, FREEZE)

    def audit(self) -> Audit | None:
        """What was kept; None: nothing yet."""
        if not self.read(EventRegister.STATUS) & RECORDED:
            return None
        words = np.array([self.read(EventRegister.RECORD + 4 * k) for k in range(64)], np.uint32)
        beats = words[:32].view(np.uint64)
        size = HEAD_BEATS + (int(beats[1]) >> 48 & 255) // 2 + (int(beats[1]) >> 48 & 1)
        decision = decode_decisions(beats[:size], np.arange(size) == size - 1)
        return Audit(decision, words[32:48], words[48:])

    def counters(self) -> dict[str, int]:
        """What the decoder and the book counted, by name."""
        base = EventRegister.COUNTERS
        return {name: int(self.read(base + 4 * k)) for k, name in enumerate(COUNTERS)}

    def _refuse_errors(self, what: str) -> None:
        errors = int(self.read(EventRegister.ERRORS))
        if errors:
            found = ", ".join(text for bit, text in ERRORS.items() if errors & bit)
            raise DeviceError(f"the card refused {what} (errors: {found}); it decides as before")

    def _wait(self, what: str, done: Any) -> None:
        deadline = time.monotonic() + self.timeout_s
        while not done():
            if time.monotonic() > deadline:
                raise DeviceError(
                    f"the card did not {what} within {self.timeout_s:g} s; load it anew"
                )
