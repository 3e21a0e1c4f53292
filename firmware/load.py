"""A built bitstream onto a board, by openFPGALoader, after every byte was compared with its record."""

from __future__ import annotations

import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from pyorch.contract.build_record import BuildRecord
from pyorch.contract.digest import digest_of_file
from pyorch.contract.errors import DeviceError, EnvironmentMissingError, UsageError
from pyorch.contract.target import find_target, target_names

LOADER = "openFPGALoader"
TIMEOUT_S = 300.0
KEPT_LINES = 6


@dataclass(frozen=True, slots=True)
class Loaded:
    """A board that was programmed.

    Attributes:
        command: what was run.
        sha256: of the bitstream.
    """

    record: BuildRecord
    command: tuple[str, ...]
    sha256: str
    size_bytes: int
    seconds: float


def program_board(
    build: Path,
    model_digest: str | None = None,
    *,
    flash: bool = False,
    timeout_s: float = TIMEOUT_S,
) -> Loaded:
    """Program the board that a build is for.

    Args:
        build: folder of `pyorch build`.
        model_digest: of the bundle that it must have been built from; None: any.
        flash: into the flash memory instead of the configuration memory.

    Raises:
        BuildError: the build is unfinished, changed, or another model's.
        UsageError: its target is not a board that openFPGALoader knows.
        EnvironmentMissingError: openFPGALoader is not installed.
        DeviceError: openFPGALoader failed; the message shows its last lines.
    """
    record = BuildRecord.load(build)
    bitstream = record.verify(build, model_digest)
    board = getattr(find_target(record.target), "openfpgaloader_board", None)
    if board is None:
        known = [n for n in target_names() if hasattr(find_target(n), "openfpgaloader_board")]
        raise UsageError(
            f"{build} was built for {record.target}, which openFPGALoader does not program; boards that it "
            f"does: {', '.join(known)}"
        )
    tool = shutil.which(LOADER)
    if tool is None:
        raise EnvironmentMissingError(
            f"{LOADER} is missing: sudo apt-get install -y openfpgaloader; the bitstream is {bitstream}"
        )
    command = [LOADER, "-b", board, *(["-f"] if flash else []), str(bitstream)]
    began = time.monotonic()
    try:
        done = subprocess.run(
            [tool, *command[1:]],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
        )
    except subprocess.TimeoutExpired as error:
        raise DeviceError(
            f"{' '.join(command)} was not done within {timeout_s:g} s; unplug the board and try again"
        ) from error
    except OSError as error:
        raise EnvironmentMissingError(
            f"{tool} does not start: {error}; install it again"
        ) from error
    if done.returncode:
        lines = (done.stdout + done.stderr).splitlines()[-KEPT_LINES:]
        raise DeviceError(
            f"{' '.join(command)} failed (exit status {done.returncode}); is the board plugged in, and may "
            "you open it (`pyorch doctor`)?\n" + "\n".join(lines)
        )
    return Loaded(
        record, tuple(command), digest_of_file(bitstream), bitstream.stat().st_size,
        time.monotonic() - began,
    )  # fmt: skip
