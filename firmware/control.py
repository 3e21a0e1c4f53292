"""What every way to a fabric shares: registers by name, start, frames, mailbox, weights, state.

A driver derives from `FabricControl` and brings `read`, `write` and `transfer`; one whose every access is a
round trip also `script`. Every wait ends in an answer or in a `DeviceError`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from firmware.register_map import register_map
from pyorch.contract.errors import DeviceError, MismatchError, UsageError
from pyorch.contract.fabric import (
    Beats,
    Code,
    FabricManifest,
    Kind,
    Result,
    WeightImage,
    pack_lanes,
)
from pyorch.contract.fixed import IntArray

TIMEOUT_S = 2.0
NOBODY, STREAM, MAILBOX = 0, 1, 2
FRAME_VECTORS = 512
"""Ticks in one frame where nothing else limits it."""

Access = tuple[int, int | None]
"""An offset, and the value to write there; None: read it."""


class FabricControl:
    """A fabric behind register accesses and frames.

    Attributes:
        manifest: of the project that the card should hold.
        timeout_s: how long anything may take.
        frame_vectors: most ticks in one frame.
        where: what the fabric is reached by, in words.
    """

    manifest: FabricManifest
    timeout_s = TIMEOUT_S
    frame_vectors = FRAME_VECTORS
    where = "this address"
    _map = register_map()

    if TYPE_CHECKING:

        def read(self, offset: int) -> int:
            """A register word."""

        def write(self, offset: int, value: int) -> None:
            """Write a register word."""

        def transfer(self, frame: Beats, result_beats: int) -> Beats:
            """One input frame and its result frame's beats."""

    def script(self, accesses: Sequence[Access]) -> list[int]:
        """Accesses in order; returns what was read."""
        found = []
        for offset, value in accesses:
            if value is None:
                found.append(int(self.read(offset)))
            else:
                self.write(offset, value)
        return found

    def restart(self) -> None:
        """Forget transfers that are under way."""

    # ---- registers
    def get(self, name: str, part: str | None = None) -> int:
        """A register, or one of its fields."""
        register = self._map[name]
        value = int(self.read(register.offset))
        return value if part is None else register.get(value, part)

    def put(self, name: str, value: int | None = None, **fields: int) -> None:
        """Write a register: a value, or fields (the others 0)."""
        register = self._map[name]
        word = register.put(**fields) if value is None else value
        self.write(register.offset, word & 0xFFFFFFFF)

    def wait_for(self, what: str, done: Callable[[], bool]) -> None:
        """Poll until ``done``.

        Raises:
            DeviceError: not within ``timeout_s``.
        """
        deadline = time.monotonic() + self.timeout_s
        while not done():
            if time.monotonic() > deadline:
                raise DeviceError(
                    f"the card did not {what} within {self.timeout_s:g} s (status "
                    f"{self.get('STATUS'):#x}, errors {self.get('ERRORS'):#x}); reset it, or load it anew"
                )

    def check_identity(self) -> None:
        """The fabric that answers must be the manifest's.

        Raises:
            MismatchError: another fabric, or none; the message says what differs.
        """
        manifest = self.manifest
        if self.get("IDENTITY") != self._map.identity:
            raise MismatchError(
                f"identity {self.get('IDENTITY'):#010x} instead of {self._map.identity:#010x}: no fabric at "
                f"{self.where}; load its bitstream"
            )
        if self.get("VERSION") != self._map.version:
            raise MismatchError(
                f"register map {self.get('VERSION')}, this driver speaks {self._map.version}"
            )
        digest = f"{self.get('FORMAT_DIGEST_0'):08x}{self.get('FORMAT_DIGEST_1'):08x}"
        if digest != manifest.format_digest[:16]:
            raise MismatchError(
                f"the card's format digest is {digest}, the project's {manifest.format_digest[:16]}: another "
                "fabric is loaded; load the bitstream of this project"
            )

    def model_digest(self, weight_set: int) -> str:
        """First 16 digits of the model digest of a weight set."""
        first, second = (self.get(f"SET_{weight_set}_MODEL_{k}") for k in (0, 1))
        return f"{first:08x}{second:08x}"

    @property
    def active_set(self) -> int:
        """The weight set in use."""
        return self.get("STATUS", "active_set")

    def start(self) -> None:
        """Reset transfers and fabric, clear the errors, enable, give the lock to the stream."""
        self.restart()
        self.put("COMMAND", reset=1)
        self.put("CONTROL", enable=1)
        self.put("ERRORS", 0x1F)
        self.wait_for("become ready after a reset", lambda: bool(self.get("STATUS", "idle")))
        self.own(STREAM)

    def own(self, who: int) -> None:
        """Take the lock for the stream or the mailbox."""
        if self.get("OWNER") == who:
            return
        self.put("OWNER", NOBODY)

        def taken() -> bool:
            self.put("OWNER", who)
            return self.get("OWNER") == who

        self.wait_for("hand over the lock", taken)

    def settle(self) -> None:
        """Wait until all that can be known before the next tick is known."""
        self.wait_for("become idle", lambda: bool(self.get("STATUS", "idle")))

    def clear(self) -> None:
        """h = c = 0, an empty window."""
        self.put("COMMAND", clear=1)
        self.wait_for("clear its state", lambda: not self.get("STATUS", "pending"))

    # ---- frames
    def ask(self, kind: Kind, vectors: IntArray, sequence: int = 0) -> Result:
        """A frame of vectors [n, F] and its result.

        Raises:
            DeviceError: an answer with another code than OK, or with another sequence number.
        """
        vectors = np.asarray(vectors)
        answers = len(vectors) if kind == Kind.SEQUENCE else 1
        frame = self.manifest.encode(kind, sequence, vectors)
        result = self.manifest.decode(
            self.transfer(frame, answers * self.manifest.answer_beats + 1)
        )
        if result.code != Code.OK or result.stated != answers or result.sequence != sequence:
            raise DeviceError(
                f"frame {sequence} of {len(vectors)} vectors was answered {result.code.name} with "
                f"{result.stated} answers (frame {result.sequence}); errors {self.get('ERRORS'):#x}"
            )
        return result

    def mailbox_step(self, vector: IntArray, sequence: int) -> IntArray:
        """One tick by registers alone: vector [F] → logits [O].

        Raises:
            DeviceError: refused, or no answer in time.
        """
        base = self._map["MAILBOX_FEATURES"].offset
        beats = pack_lanes(np.asarray(vector)[None], self.manifest.input_lane)[0]
        accesses: list[Access] = [
            (base + 4 * number, word) for number, word in enumerate(beats.view("<u4").tolist())
        ]
        self.script([*accesses, (self._map["MAILBOX_DOORBELL"].offset, sequence & 0xFFFFFFFF)])
        self.wait_for(
            f"answer tick {sequence}",
            lambda: (
                self.get("MAILBOX_SEQUENCE") == sequence & 0xFFFFFFFF
                and not self.get("STATUS", "mailbox_busy")
            ),
        )
        base = self._map["MAILBOX_ANSWER"].offset
        words = self.script([(base + 4 * k, None) for k in range(2 * self.manifest.answer_beats)])
        kind = np.int16 if self.manifest.output_lane == 16 else np.int32
        lanes = np.array(words, dtype="<u4").view(kind)
        return lanes[: self.manifest.outputs].astype(np.int64)

    # ---- weights
    def load(self, image: WeightImage) -> None:
        """Write an image into the inactive set and commit it; the card goes on ticking.

        Raises:
            UsageError: the fabric's weights cannot be changed, or the image is another fabric's.
            DeviceError: the card refused the commit.
        """
        if not self.manifest.loadable:
            raise UsageError(f"the style {self.manifest.style} has its weights in the logic")
        if image.format_digest != self.manifest.format_digest:
            raise UsageError(
                f"the image's format digest is {image.format_digest[:16]}, the fabric's "
                f"{self.manifest.format_digest[:16]}; emit the image for this fabric"
            )
        at = {
            name: self._map[f"LOAD_{name}"].offset
            for name in ("START", "ADDRESS", "DATA", "COMMIT")
        }
        accesses: list[Access] = [(at["START"], 1)]
        for name, digest in (("FORMAT", image.format_digest), ("MODEL", image.model_digest)):
            for part in (0, 1):
                word = int(digest[8 * part : 8 * part + 8], 16)
                accesses.append((self._map[f"LOAD_{name}_{part}"].offset, word))
        following = -1
        for place, word in zip(image.addresses.tolist(), image.data.tolist(), strict=True):
            if place != following:
                accesses.append((at["ADDRESS"], place))
            accesses.append((at["DATA"], word))
            following = place + 1 if place & 0xFF != 0xFF else -1
        self.script([*accesses, (at["COMMIT"], image.crc())])
        inactive = 1 - self.active_set
        if not self.get("STATUS", f"set_{inactive}_valid"):
            raise DeviceError(
                f"the card refused the weights: {len(image.data)} words written, errors "
                f"{self.get('ERRORS'):#x}; write the whole image again"
            )

    def swap(self, *, clear: bool = False, load: bool = False) -> None:
        """Use the other weight set from the next tick on; h, c and window are kept, cleared or loaded.

        Args:
            load: take the staged state (`stage_state`, `stage_window`) at the same tick.

        Raises:
            UsageError: both were asked for.
            DeviceError: the other set is not valid, or the swap did not happen.
        """
        if clear and load:
            raise UsageError("a swap clears the state or loads one, not both; choose")
        before, swaps = self.active_set, self.get("SWAPS")
        if not self.get("STATUS", f"set_{1 - before}_valid"):
            raise DeviceError(f"weight set {1 - before} is not valid: load an image first")
        self.put("COMMAND", **{"swap_load" if load else "swap_clear" if clear else "swap_keep": 1})
        self.wait_for("swap its weights", lambda: self.get("SWAPS") != swaps)

    # ---- state
    def _place(self, **place: int) -> Access:
        register = self._map["STATE_ADDRESS"]
        return register.offset, register.put(**place)

    def _row(self, values: IntArray, **place: int) -> list[Access]:
        """Writes of elements in a row, from the first one's place on."""
        data = self._map["STATE_DATA"].offset
        return [self._place(**place), *((data, value & 0xFFFFFFFF) for value in values.tolist())]

    def _elements(self, places: list[dict[str, int]]) -> IntArray:
        data = self._map["STATE_DATA"].offset
        accesses = [a for place in places for a in (self._place(**place), (data, None))]
        return np.array(self.script(accesses), np.uint32).view(np.int32).astype(np.int64)

    def read_state(self) -> tuple[list[IntArray], list[IntArray]]:
        """h and c of every layer [units] of a stateful model; between two ticks."""
        self.settle()
        values = self._elements(
            [
                {"layer": layer, "cell": kind, "unit": unit}
                for layer, (units, _, _) in enumerate(self.manifest.state)
                for kind in (0, 1)
                for unit in range(units)
            ]
        )
        found: tuple[list[IntArray], list[IntArray]] = ([], [])
        for units, _, _ in self.manifest.state:
            for kind in (0, 1):
                found[kind].append(values[:units])
                values = values[units:]
        return found

    def stage_state(self, hidden: list[IntArray], cell: list[IntArray]) -> None:
        """Write h and c of every layer to where `load_state` or `swap` takes them; ticks go on."""
        accesses: list[Access] = []
        for layer, rows in enumerate(zip(hidden, cell, strict=True)):
            for kind, values in enumerate(rows):
                accesses += self._row(values, layer=layer, cell=kind)
        self.script(accesses)

    def read_window(self) -> IntArray:
        """The vectors [at most T - 1, F] that a windowed model keeps, oldest first; between two ticks."""
        self.settle()
        fill, features = self.get("WINDOW_FILL"), self.manifest.features
        stored, oldest = (self._map["WINDOW_FILL"].get(fill, n) for n in ("vectors", "oldest"))
        values = self._elements(
            [
                {"slot": (oldest + k) % (self.manifest.window - 1), "unit": unit}
                for k in range(stored)
                for unit in range(features)
            ]
        )
        return values.reshape(stored, features)

    def stage_window(self, vectors: IntArray) -> None:
        """Write a window's vectors [at most T - 1, F], oldest first, for `load_state` or `swap`.

        Raises:
            UsageError: more vectors than the fabric keeps.
        """
        if len(vectors) > self.manifest.window - 1:
            raise UsageError(
                f"{len(vectors)} vectors for a window of {self.manifest.window}: the fabric keeps "
                f"{self.manifest.window - 1}; give the newest ones"
            )
        accesses = [a for slot, row in enumerate(vectors) for a in self._row(row, slot=slot)]
        self.script([*accesses, (self._map["WINDOW_FILL"].offset, len(vectors))])

    def load_state(self) -> None:
        """Take the staged state between two ticks; a window must be staged anew for each load."""
        self.put("COMMAND", load=1)
        self.wait_for("load its state", lambda: not self.get("STATUS", "pending"))

    def counters(self) -> dict[str, int]:
        """Every counter by name."""
        names = (
            "STEPS", "CYCLES_LAST", "CYCLES_MIN", "CYCLES_MAX", "BAD_FRAMES", "STALLS", "SWAPS",
            "REFUSED_DOORBELLS", "PAUSE_LAST",
        )  # fmt: skip
        words = self.script([(self._map[name].offset, None) for name in names])
        return {name.lower(): word for name, word in zip(names, words, strict=True)}
