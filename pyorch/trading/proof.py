"""Proof that the tick thread makes no system call, allocates nothing and takes no lock.

Run as a process of its own (``python -m pyorch.trading.proof``), with the counting library preloaded: the
tick thread installs a seccomp filter that ends the process with SIGSYS at any system call, then runs the
loop while nobody reads; what remains to report are the counters of that thread. A process that survives
has made no system call.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from pyorch import _native
from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import EnvironmentMissingError
from pyorch.market.tape import Tape, read_tape, write_tape
from pyorch.trading.config import load_config
from pyorch.trading.loop import TickLoop

NO_FILTER = 97
"""Exit code of a process whose kernel refuses the filter."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What the guarded run found.

    Attributes:
        system_calls: 0, or 1 where the first one ended the run (then the other figures are 0).
        allocations: allocations and releases; locks: lock operations; both of the tick thread.
    """

    ticks: int
    events: int
    system_calls: int
    allocations: int
    locks: int
    events_per_s: float


def counting_library() -> Path:
    """The library to preload, installed with the native module."""
    return Path(str(_native.__file__)).parent / "preload" / "libpyorch_thread_counts.so"


def prove(bundle: Bundle, tape: Tape, passes: int, config: Path | None = None) -> Proof:
    """Run ``passes`` of the tape in a guarded process of its own.

    Raises:
        EnvironmentMissingError: the kernel refuses the filter, the library cannot be preloaded, or the
            process fails for another reason; the message carries its output.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_tape(folder / "tape.parquet", tape)
        bundle.save(folder / "bundle")
        arguments = [str(folder / "tape.parquet"), str(folder / "bundle"), str(passes)]
        result = subprocess.run(
            [sys.executable, "-m", "pyorch.trading.proof", *arguments, str(config or "")],
            env=os.environ | {"LD_PRELOAD": str(counting_library())},
            capture_output=True,
            text=True,
            check=False,
        )
    if result.returncode == -signal.SIGSYS:
        return Proof(0, 0, 1, 0, 0, 0.0)
    if result.returncode == NO_FILTER:
        raise EnvironmentMissingError(
            "the kernel refuses a seccomp filter (prctl PR_SET_SECCOMP), so system calls of the tick "
            "thread cannot be ruled out here; run it outside this container"
        )
    if result.returncode != 0:
        raise EnvironmentMissingError(
            f"the guarded process ended with {result.returncode}: {result.stderr.strip()[-800:]}"
        )
    return Proof(**json.loads(result.stdout))


def main(arguments: list[str]) -> None:
    """Load tape and bundle, run guarded, print the counters as JSON."""
    tape, folder, passes, config = arguments
    loop = TickLoop(
        Bundle.load(Path(folder)),
        load_config(Path(config) if config else None),
        read_tape(Path(tape)),
        passes=int(passes),
        guarded=True,
    )
    loop.run_unread()
    counts = loop.thread_counts()
    if counts is None:
        raise EnvironmentMissingError(f"{counting_library()} is not preloaded")
    summary = loop.summary()
    print(
        json.dumps(
            {
                "ticks": summary.ticks,
                "events": summary.events,
                "system_calls": 0,
                "allocations": counts[0],
                "locks": counts[1],
                "events_per_s": summary.events_per_s,
            }
        ),
        flush=True,
    )
    # The tick thread ended by a bare exit call: skip the interpreter's own teardown.
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
