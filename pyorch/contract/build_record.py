"""`build.json`: what a build folder holds, which step made it from what, and whether it may be used.

`pyorch build` writes it after each step; whoever loads a bitstream reads it and checks every byte first.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import msgspec

from pyorch.contract.digest import canonical_json, digest_of_file, write_atomically
from pyorch.contract.errors import BuildError

RECORD = "build.json"
BITSTREAM = "fabric.bit"
CONTAINER = ".xclbin"
"""Suffix of what stands in for a bitstream on cards of the vendor's run time."""
LAYOUT = 1


class StepRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A step that is done.

    Attributes:
        key: SHA-256 of all that its result depends on: plan, inputs, tools.
        source: whether it ran here, or its result was kept from an earlier run.
        seconds, cpu_seconds, peak_mib: elapsed and processor time and largest resident memory of the run
            that made it, here or when the cached result was made.
        outputs: file, relative to the build folder → SHA-256.
        log: the complete output of its tools.
    """

    key: str
    source: Literal["run", "cache"]
    seconds: float
    cpu_seconds: float
    peak_mib: float
    outputs: dict[str, str]
    log: str = ""


class BuildRecord(msgspec.Struct, kw_only=True):
    """A build folder.

    Attributes:
        plan: everything that was asked for; ``plan_digest`` is its SHA-256.
        steps: name → record, in the order in which they were done.
        verdict: empty while steps are missing, ``ok``, or why the result must not be used.
    """

    format: int = LAYOUT
    plan: dict[str, Any]
    plan_digest: str
    model_digest: str
    format_digest: str = ""
    target: str
    part: str
    clock_mhz: float
    tools: dict[str, str] = {}
    steps: dict[str, StepRecord] = {}
    verdict: str = ""

    def save(self, folder: Path) -> None:
        """Write `build.json`, whole or not at all."""
        write_atomically(folder / RECORD, canonical_json(msgspec.to_builtins(self)) + b"\n")

    @classmethod
    def load(cls, folder: Path) -> BuildRecord:
        """Read `build.json`.

        Raises:
            BuildError: not a build folder, unreadable, or of another layout.
        """
        path = folder / RECORD
        if not path.is_file():
            raise BuildError(f"{folder} holds no {RECORD}; make a build with `pyorch build`")
        try:
            record = msgspec.json.decode(path.read_bytes(), type=cls)
        except msgspec.DecodeError as error:
            raise BuildError(f"{path}: {error}; build again") from error
        if record.format != LAYOUT:
            raise BuildError(f"{path}: layout {record.format}, this program reads {LAYOUT}")
        return record

    def changed_files(self, folder: Path) -> list[str]:
        """Outputs of the recorded steps that are missing or differ from their SHA-256."""
        listed = {name: sha for step in self.steps.values() for name, sha in step.outputs.items()}
        return [
            name
            for name, sha in listed.items()
            if not (folder / name).is_file() or digest_of_file(folder / name) != sha
        ]

    def verify(self, folder: Path, model_digest: str | None = None) -> Path:
        """The bitstream, once all is in order.

        Args:
            model_digest: of the bundle that it must have been built from; None: any.

        Raises:
            BuildError: unfinished or failed, a file was changed, or built from another model.
        """
        if self.verdict != "ok":
            why = self.verdict or f"unfinished, done so far: {', '.join(self.steps) or 'nothing'}"
            raise BuildError(f"{folder} must not be loaded: {why}; run `pyorch build` again")
        changed = self.changed_files(folder)
        if changed:
            raise BuildError(
                f"{folder}: {changed[0]} is not the file that was built (its SHA-256 differs from "
                f"{RECORD}; {len(changed)} such in all); run `pyorch build` again, it makes only those anew"
            )
        if model_digest is not None and model_digest != self.model_digest:
            raise BuildError(
                f"{folder} was built from the model {self.model_digest[:12]}…, the bundle is "
                f"{model_digest[:12]}…; build this bundle, or give the one it was built from"
            )
        made = [name for step in self.steps.values() for name in step.outputs]
        containers = [name for name in made if name.endswith(CONTAINER)]
        return folder / (containers[0] if containers and BITSTREAM not in made else BITSTREAM)
