"""Venues of a run's own: `pyorch serve-venues` in a process that outlives a desk which is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pyorch.app.live_place import live_place_path, read_live_place, venues_lock
from pyorch.contract.errors import DeviceError
from pyorch.contract.exclusive import is_held

OPENS_S = 120.0
"""For the venues to listen: they make their market first."""
ENDS_S = 10.0


@contextmanager
def venues_of_own(config: Path, bundle: Path | None, folder: Path) -> Iterator[Path]:
    """The folder of venues that serve a configuration; those that are there already, or new ones.

    They end on the way out, and by themselves some time after the market's end where nobody is left to end
    them.

    Raises:
        DeviceError: they do not begin.
    """
    if not is_held(venues_lock(folder)):
        _start(config, bundle, folder)
    try:
        yield folder
    finally:
        if is_held(venues_lock(folder)):
            os.kill(read_live_place(folder).process, signal.SIGTERM)
            until_s = time.monotonic() + ENDS_S
            while is_held(venues_lock(folder)) and time.monotonic() < until_s:
                time.sleep(0.02)


def _start(config: Path, bundle: Path | None, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    live_place_path(folder).unlink(missing_ok=True)
    words = ["serve-venues", str(config), "--folder", str(folder), "--to-the-end"]
    words += ["--bundle", str(bundle)] if bundle is not None else []
    said = folder / "venues.log"
    with said.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", "from pyorch.app.cli import main; main()", *words],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    until_s = time.monotonic() + OPENS_S
    while not live_place_path(folder).exists():
        ended = process.poll()
        if ended is not None or time.monotonic() > until_s:
            process.kill()
            tail = said.read_text(errors="replace").strip().splitlines()[-1:]
            what = f"ended with code {ended}" if ended is not None else "do not listen yet"
            raise DeviceError(
                f"the venues of {config} {what} after {OPENS_S - (until_s - time.monotonic()):.0f} s: "
                f"{tail[0] if tail else 'they said nothing'}; all of it is in {said}"
            )
        time.sleep(0.02)
