"""Journals: what a run of the loop did, enough to explain every quote of it.

A journal is a folder::

    manifest.json   what ran on what (digests, seeds, versions), and size and SHA-256 of the streams
    ticks.bin       records of `pyorch.trading.records.TICK_DTYPE`
    quotes.bin      records of `pyorch.trading.records.QUOTE_DTYPE`
    messages.fix    the FIX bytes, one message after another
    outcomes.bin    int8 [ticks, outputs], where it is known what the market did next: 1 it happened,
                    0 it did not, -1 unknown; for the report alone, the loop never sees it
    decisions.bin   records of `pyorch.trading.card_decisions.DECISION_RECORD_DTYPE`, where a card decided on
                    the same events: its words, and what the loop made of them

`JournalWriter` collects a run in a temporary folder beside the journal, which gets its name when the
run is finished: a journal is there whole or not at all. Stage durations differ from run to run;
`Journal.content_digest` leaves them out, so that equal inputs have equal content digests.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from pyorch.contract.digest import canonical_json, digest_of, digest_of_file
from pyorch.contract.errors import DataError, UsageError
from pyorch.trading.card_decisions import DECISION_RECORD_DTYPE, DecisionRecords
from pyorch.trading.records import (
    QUOTE_DTYPE,
    TICK_DTYPE,
    JournalBatch,
    RecordArray,
    without_clock,
)

FORMAT = 2
"""Version of the folder's layout."""

TICKS, QUOTES, MESSAGES = "ticks.bin", "quotes.bin", "messages.fix"
OUTCOMES, DECISIONS = "outcomes.bin", "decisions.bin"

OutcomeArray = NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class QuotedOption:
    """An option of the run's universe."""

    symbol: str
    right: str
    """``call`` or ``put``."""
    strike_usd: int
    expiry: int
    """Index of the expiry in the configuration."""
    expiry_s: int
    """Whole seconds from the tape's first row to the expiry."""


@dataclass(frozen=True, slots=True)
class RuleInForce:
    """A rule of the policy with the thresholds that the run compared.

    Attributes:
        outputs: indices into the model's outputs, a condition each; all must hold.
        thresholds: per condition, in 15-bit probabilities.
        armed: False: the rule cannot act.
        note: where the thresholds come from, or why it is disarmed.
    """

    name: str
    endangered: str
    outputs: tuple[int, ...]
    thresholds: tuple[int, ...]
    widen_bp: float
    size_percent: int
    armed: bool
    note: str


@dataclass(frozen=True, slots=True)
class RunDescription:
    """What ran on what: everything that the run is a function of, and what a report needs of it.

    Attributes:
        arm: ``model``, ``no-model`` or ``always-widen``.
        digests: ``bundle``, ``config``, ``tape``, ``schema``, ``surface`` → SHA-256; with the arm they
            determine the content.
        seeds: what drew random numbers → its seed.
        versions: of the project, its arithmetic and the interpreter.
        model, schema: JSON of the bundle's specification and feature schema.
        config: the quoting configuration as JSON values, after defaults.
        tape: name, instruments, counts, first and last local time in ns.
        provenance: of the bundle.
        surface_ppm: the surface's `PARAMETERS` per expiry at the start, in 1e-6.
        surface_label: where those come from, in words.
        options: the universe, in the order of the quote records' ``option``.
        rules: in the order of the tick records' bits.
        facts: what the run found out about itself: counters of the risk gate, thresholds in force, ...
    """

    arm: str
    digests: dict[str, str]
    seeds: dict[str, int] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    model: dict[str, Any] = field(default_factory=dict)
    schema: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    tape: dict[str, Any] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)
    surface_ppm: tuple[tuple[int, ...], ...] = ()
    surface_label: str = ""
    options: tuple[QuotedOption, ...] = ()
    rules: tuple[RuleInForce, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Journal:
    """A journal in memory.

    Attributes:
        folder: where it was read from.
        run: what ran on what.
        ticks, quotes: the records.
        fix: the FIX bytes of the whole run.
        outcomes: [ticks, outputs] what happened after each tick (1, 0, -1 unknown); None: not recorded.
        content_digest: of the inputs and of everything but the clock; equal for equal inputs.
        decisions: of a card beside the loop; None: there was none. Not part of the content digest.
    """

    folder: Path
    run: RunDescription
    ticks: RecordArray
    quotes: RecordArray
    fix: bytes
    outcomes: OutcomeArray | None
    content_digest: str
    decisions: DecisionRecords | None = None

    @classmethod
    def load(cls, folder: Path) -> Journal:
        """Read a journal and check every byte of it.

        Raises:
            DataError: not a journal, of another layout, or a stream is missing, truncated or changed.
        """
        manifest = _read_manifest(folder)
        for name, listed in manifest["files"].items():
            _check_stream(folder / name, listed["bytes"], listed["sha256"])
        ticks = np.fromfile(folder / TICKS, TICK_DTYPE)
        quotes = np.fromfile(folder / QUOTES, QUOTE_DTYPE)
        fix = (folder / MESSAGES).read_bytes()
        try:
            run = msgspec.convert(manifest["run"], RunDescription)
        except msgspec.ValidationError as error:
            raise DataError(f"{folder}: the manifest's description of the run: {error}") from error
        outcomes = None
        if OUTCOMES in manifest["files"]:
            outcomes = np.fromfile(folder / OUTCOMES, np.int8).reshape(len(ticks), -1)
        decisions = None
        if DECISIONS in manifest["files"]:
            decisions = np.fromfile(folder / DECISIONS, DECISION_RECORD_DTYPE)
        digest = manifest["content_digest"]
        return cls(folder, run, ticks, quotes, fix, outcomes, digest, decisions)

    def messages_of(self, index: int) -> list[bytes]:
        """The FIX messages that the tick record ``index`` appended, each whole (BeginString to CheckSum)."""
        sizes = self.ticks["fix_bytes"]
        start = int(sizes[:index].sum(dtype=np.int64))
        data = self.fix[start : start + int(sizes[index])]
        return [b"8=FIX" + part for part in data.split(b"8=FIX")[1:]]

    def quotes_of(self, index: int) -> RecordArray:
        """The quote records of the tick record ``index``."""
        sizes = self.ticks["quotes"]
        start = int(sizes[:index].sum(dtype=np.int64))
        return self.quotes[start : start + int(sizes[index])]


class JournalWriter:
    """Writes a journal; as a context manager it leaves nothing behind when the run fails.

    Raises:
        UsageError: the folder exists and is not a journal. An existing journal is replaced at the end.
    """

    def __init__(self, folder: Path) -> None:
        if folder.exists() and not _is_journal(folder):
            raise UsageError(f"{folder} exists and is not a journal: choose another name for --out")
        self._folder = folder
        self._partial = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
        shutil.rmtree(self._partial, ignore_errors=True)
        self._partial.mkdir(parents=True)
        self._streams: dict[str, BinaryIO] = {
            name: (self._partial / name).open("wb") for name in (TICKS, QUOTES, MESSAGES)
        }
        self._content = {name: hashlib.sha256() for name in self._streams}
        self.ticks = 0
        self.quotes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for stream in self._streams.values():
            stream.close()
        shutil.rmtree(self._partial, ignore_errors=True)

    def append(self, batch: JournalBatch) -> None:
        """Add a stretch of the run."""
        self._write(TICKS, batch.ticks.tobytes(), without_clock(batch.ticks).tobytes())
        self._write(QUOTES, batch.quotes.tobytes())
        self._write(MESSAGES, batch.fix)
        self.ticks += len(batch.ticks)
        self.quotes += len(batch.quotes)

    def _write(self, name: str, data: bytes, content: bytes | None = None) -> None:
        self._streams[name].write(data)
        self._content[name].update(data if content is None else content)

    def finish(
        self,
        run: RunDescription,
        outcomes: OutcomeArray | None = None,
        decisions: DecisionRecords | None = None,
    ) -> str:
        """Give the journal its name; returns the content digest."""
        names = list(self._streams)
        if outcomes is not None:
            (self._partial / OUTCOMES).write_bytes(outcomes.astype(np.int8).tobytes())
            names.append(OUTCOMES)
        if decisions is not None:
            (self._partial / DECISIONS).write_bytes(decisions.tobytes())
            names.append(DECISIONS)
        for stream in self._streams.values():
            stream.flush()
            os.fsync(stream.fileno())
            stream.close()
        content = digest_of(
            {
                "arm": run.arm,
                "inputs": run.digests,
                "streams": {name: h.hexdigest() for name, h in self._content.items()},
            }
        )
        manifest: dict[str, Any] = {
            "format": FORMAT,
            "run": msgspec.to_builtins(run),
            "content_digest": content,
            "files": {
                name: {
                    "bytes": (self._partial / name).stat().st_size,
                    "sha256": digest_of_file(self._partial / name),
                }
                for name in names
            },
        }
        manifest["digest"] = digest_of(manifest)
        (self._partial / "manifest.json").write_bytes(canonical_json(manifest) + b"\n")
        if self._folder.exists():
            shutil.rmtree(self._folder)
        self._partial.rename(self._folder)
        return content


def journals_in(folder: Path) -> list[Path]:
    """The journal's folder itself, or the journals that lie in it."""
    inside = sorted(path for path in folder.glob("*") if _is_journal(path))
    return inside if inside and not _is_journal(folder) else [folder]


def _is_journal(folder: Path) -> bool:
    return (folder / TICKS).is_file() and (folder / "manifest.json").is_file()


def _check_stream(path: Path, size: int, sha256: str) -> None:
    if not path.is_file():
        raise DataError(f"{path} is missing; write the journal again with `pyorch replay`")
    actual = path.stat().st_size
    if actual != size:
        raise DataError(
            f"{path} has {actual:,} bytes, the manifest says {size:,}: the journal is truncated or "
            "was changed; write it again with `pyorch replay`"
        )
    if digest_of_file(path) != sha256:
        raise DataError(
            f"{path} does not have the SHA-256 {sha256[:12]}… of the manifest: the journal is damaged; "
            "write it again with `pyorch replay`"
        )


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / "manifest.json"
    if not _is_journal(folder):
        raise DataError(f"{folder} is not a journal; make one with `pyorch replay --out {folder}`")
    data = path.read_bytes()
    try:
        manifest: dict[str, Any] = json.loads(data)
        stated = manifest.pop("digest")
        whole = canonical_json(manifest | {"digest": stated}) + b"\n"
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise DataError(f"{path} is not a readable manifest: {error}") from error
    if whole != data or digest_of(manifest) != stated:
        raise DataError(f"{path} was changed or damaged: its digest does not match")
    if manifest.get("format") != FORMAT:
        raise DataError(
            f"{path}: layout version {manifest.get('format')!r}, this program reads {FORMAT}; "
            "write the journal again with `pyorch replay`"
        )
    return manifest
