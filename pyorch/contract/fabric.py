"""What an emitted fabric is, and how one talks to it: manifest, weight image, frames.

The emitter (`hls.emit`) writes a project folder: RTL, `fabric.json` (`FabricManifest`), `image.bin`
(`WeightImage`); the driver (`firmware`) and the simulator (`sim`) read them. `docs/fabric.md` states the
frames in words.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from enum import IntEnum
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from pyorch.contract.digest import canonical_json
from pyorch.contract.errors import BundleError
from pyorch.contract.fixed import FixedFormat, IntArray

MANIFEST = "fabric.json"
IMAGE = "image.bin"
BEAT_BITS = 64

CYCLE_FIGURES = {
    "idle_tick": "last beat of a tick to first of its answer, all else idle",
    "interval": "between ticks back to back, a frame each",
    "interval_in_sequence": "between ticks back to back in one frame",
    "cold_window": "first beat of T vectors to the answer, from zero state",
    "clear": "h = c = 0, an empty window: from the change to ready",
    "state_load": "a staged state is taken: from the change to ready",
    "swap": "idle: from the change of the weight sets to ready",
    "swap_load": "the same, and a staged state is taken with it",
    "swap_in_stream": "between the two answers around a swap, ticks back to back",
    "receive": "last bits of a frame to its verdict, in cycles of the PHY's clock",
    "frame_to_trade": "verdict to the last beat of a trade, alone in its frame, at most",
    "trade_to_decision": "last beat of a trade or timer to first of its decision word, all else idle",
    "levels_to_decision": "the same of a message of levels",
}
"""Figures of `FabricManifest.cycles` and what each spans; docs/fabric.md, "Latency", says it exactly."""

Beats = NDArray[np.uint64]
Words = NDArray[np.uint32]


def rtl_folder() -> Path:
    """The folder of the hand-written RTL."""
    return Path(str(files("firmware") / "rtl"))


class Kind(IntEnum):
    """Kinds of input frames."""

    STEP = 1
    WINDOW = 2
    SEQUENCE = 3


class Code(IntEnum):
    """What the status beat of a result frame says."""

    OK = 0
    SHORT = 1
    LONG = 2
    KIND = 3
    COUNT = 4
    OWNER = 5
    NOT_READY = 6


class Stage(msgspec.Struct, frozen=True):
    """What a fabric does from cycle ``begin`` to before ``end``; the tick's last beat is taken in cycle 0.

    Attributes:
        name: what is done.
        block: layer that does it; empty: what is around the core.
        awaited: the answer waits for it; else it prepares the next tick.
    """

    name: str
    block: str
    begin: int
    end: int
    awaited: bool

    @property
    def cycles(self) -> int:
        """How long it takes."""
        return self.end - self.begin

    @property
    def title(self) -> str:
        """What is done, and by which layer."""
        return f"{self.name} {self.block}".strip()


class IngressPath(msgspec.Struct, frozen=True):
    """Where a feature path's events come from: UDP; see `hls.emit.ingress.Ingress`.

    Attributes:
        phy: mii or rgmii.
        listen: ADDRESS:PORT of each line. mac: our own address, 12 hex digits.
        wait_cycles: how long a frame that is ahead waits for the other line.
    """

    phy: str
    listen: tuple[str, ...]
    mac: str
    wait_cycles: int


class EventPath(msgspec.Struct, frozen=True, kw_only=True):
    """What a feature path has besides its core; see `hls.emit.events.EventShape`.

    Attributes:
        rules: of the policy, for which there is room.
        policy_words: registers of a policy set.
        policy_format: what policy images for it share; policy_digest: of the built-in set.
        schema: digest of the features.
        ingress: in front of it; None: a stream of beats.
        paths: instruments with a book, features and state of their own.
    """

    instruments: int
    window_bits: int
    levels: int
    lanes: int
    rules: int
    policy_words: int
    policy_format: str
    policy_digest: str
    schema: str
    ingress: IngressPath | None = None
    paths: int = 1


class FabricManifest(msgspec.Struct, frozen=True, kw_only=True):
    """An emitted fabric: what it computes, how one talks to it, how many cycles it takes.

    Attributes:
        parameters: of the style, as given or chosen.
        clocks: 1: all in ``aclk``; 2: AXI in ``aclk``, the rest in ``core_clk``, in whose cycles ``cycles``
            then are.
        model_digest: of the bundle it was emitted from.
        format_digest: SHA-256 of everything that a weight image must agree with.
        wire: format of the features in a frame.
        state: per LSTM layer (units, format of h, format of c).
        cycles: name → predicted cycles; see docs/fabric.md, "Latency".
        stages: of an idle tick; those that are awaited follow each other and make up ``cycles["idle_tick"]``,
            then the answer's beats and the status beat.
        estimates: name → what the design should take, before synthesis.
        sources: files in the order of compilation → SHA-256.
        memories: files that `$readmemh` reads → SHA-256.
        tools: versions of what wrote it.
        events: of a feature path, whose top takes market events and gives decision words; ``stages`` are
            then those of a message of levels.
    """

    format: int = 1
    name: str
    style: str
    parameters: dict[str, int]
    model_digest: str
    format_digest: str
    mode: Literal["window", "stateful"]
    window: int
    features: int
    outputs: int
    input: str
    wire: str
    logits: str
    input_lane: int
    output_lane: int
    layers: tuple[str, ...]
    state: tuple[tuple[int, str, str], ...]
    loadable: bool
    image_words: int
    cycles: dict[str, int]
    estimates: dict[str, int]
    top: str
    sources: dict[str, str]
    memories: dict[str, str]
    stages: tuple[Stage, ...] = ()
    tools: dict[str, str] = {}
    clocks: int = 1
    events: EventPath | None = None

    @property
    def vector_beats(self) -> int:
        """Beats of a feature vector."""
        return beats_of(self.features, self.input_lane)

    @property
    def answer_beats(self) -> int:
        """Beats of an answer."""
        return beats_of(self.outputs, self.output_lane)

    def save(self, folder: Path) -> None:
        """Write `fabric.json`."""
        (folder / MANIFEST).write_bytes(canonical_json(msgspec.to_builtins(self)) + b"\n")

    @classmethod
    def load(cls, folder: Path) -> FabricManifest:
        """Read `fabric.json`.

        Raises:
            BundleError: not the folder of an emitted fabric, or another layout.
        """
        path = folder / MANIFEST
        if not path.is_file():
            raise BundleError(f"{folder} holds no {MANIFEST}; make one with `pyorch emit`")
        try:
            manifest = msgspec.json.decode(path.read_bytes(), type=cls)
        except msgspec.DecodeError as error:
            raise BundleError(f"{path}: {error}; emit the fabric again") from error
        if manifest.format != 1:
            raise BundleError(f"{path}: layout {manifest.format}, this program reads 1")
        return manifest

    def encode(self, kind: Kind, sequence: int, vectors: IntArray) -> Beats:
        """An input frame: vectors [n, F] of raw integers in ``wire`` → beats."""
        header = np.uint64((sequence & 0xFFFFFFFF) << 32 | len(vectors) << 16 | kind)
        return np.concatenate([[header], pack_lanes(vectors, self.input_lane).reshape(-1)])

    def decode(self, beats: Beats) -> Result:
        """A result frame."""
        answers = (len(beats) - 1) // self.answer_beats
        body = beats[: answers * self.answer_beats].reshape(answers, self.answer_beats)
        status = int(beats[-1])
        return Result(
            unpack_lanes(body, self.output_lane, self.outputs),
            Code(status & 0xFF),
            status >> 8 & 1,
            bool(status >> 9 & 1),
            status >> 16 & 0xFFFF,
            status >> 32,
        )


@dataclass(frozen=True, slots=True)
class Result:
    """A decoded result frame.

    Attributes:
        logits: [answers, O] raw integers.
        stated: how many answers the status beat says there are.
        weight_set: the set that computed the last of them.
        saturated: an input did not fit and was saturated.
    """

    logits: IntArray
    code: Code
    weight_set: int
    saturated: bool
    stated: int
    sequence: int


def input_lane(wire: FixedFormat) -> int:
    """Bits of a lane of input frames."""
    return 8 if wire.width <= 8 else 16


def output_lane(logits: FixedFormat) -> int:
    """Bits of a lane of result frames."""
    return 16 if logits.width <= 16 else 32


def beats_of(values: int, lane: int) -> int:
    """Beats that ``values`` lanes fill."""
    return -(-values * lane // BEAT_BITS)


def pack_lanes(values: IntArray, lane: int) -> Beats:
    """[n, k] integers → [n, beats]: lanes from bit 0 of each beat, two's complement."""
    values = np.asarray(values, dtype=np.int64)
    count = values.shape[1]
    whole = np.zeros((len(values), beats_of(count, lane) * BEAT_BITS // lane), dtype=np.int64)
    whole[:, :count] = values
    kind = {8: np.int8, 16: np.int16, 32: np.int32}[lane]
    return np.ascontiguousarray(whole.astype(kind)).view("<u8")


def unpack_lanes(beats: Beats, lane: int, count: int) -> IntArray:
    """[n, beats] → [n, count] integers; the inverse of `pack_lanes`."""
    kind = {8: np.int8, 16: np.int16, 32: np.int32}[lane]
    lanes = np.ascontiguousarray(beats, dtype="<u8").view(kind)
    return lanes[:, :count].astype(np.int64)


@dataclass(frozen=True, slots=True)
class WeightImage:
    """All words of a weight set, in the order in which they are written.

    Attributes:
        addresses: uint32 [n]: memory (bits 31 to 24), word (23 to 8), 32-bit lane (7 to 0).
        data: uint32 [n].
    """

    format_digest: str
    model_digest: str
    addresses: Words
    data: Words

    def crc(self) -> int:
        """CRC-32 of all (address, data) pairs, little-endian, as the loader computes it."""
        pairs = np.stack([self.addresses, self.data], axis=1).astype("<u4")
        return zlib.crc32(pairs.tobytes())

    def save(self, path: Path) -> None:
        """Write the image: a line of JSON, then addresses and data, little-endian."""
        head: dict[str, Any] = {
            "format_digest": self.format_digest,
            "model_digest": self.model_digest,
            "words": len(self.data),
            "crc": self.crc(),
        }
        body = self.addresses.astype("<u4").tobytes() + self.data.astype("<u4").tobytes()
        path.write_bytes(canonical_json(head) + b"\n" + body)

    @classmethod
    def load(cls, path: Path) -> WeightImage:
        """Read an image.

        Raises:
            BundleError: not an image, cut short, or its CRC does not match.
        """
        try:
            line, body = path.read_bytes().split(b"\n", 1)
            head = msgspec.json.decode(line)
            words = np.frombuffer(body, dtype="<u4")
            count = int(head["words"])
            image = cls(head["format_digest"], head["model_digest"], words[:count], words[count:])
            whole = len(words) == 2 * count and image.crc() == head["crc"]
        except (ValueError, KeyError, TypeError, msgspec.DecodeError, OSError) as error:
            raise BundleError(f"{path}: not a weight image ({error}); emit it again") from error
        if not whole:
            raise BundleError(f"{path}: cut short or changed; emit it again")
        return image
