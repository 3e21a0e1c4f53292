"""Tools as child processes: complete logs, elapsed and processor time, peak memory, errors in a few lines."""

from __future__ import annotations

import ctypes
import os
import re
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hls.build.tools import environment
from pyorch.contract.errors import BuildError, EnvironmentMissingError

FIRST_POLL_S, LAST_POLL_S = 0.01, 0.2
KEPT_LINES = 8
LEAST_FREE = 2**20
"""Bytes; with fewer, a failure is put down to the disk."""
_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl(2)
_TELLING = re.compile(
    r"^(%Error|ERROR\b|Error\b|\w*Error:)|\berror:|no BELs remaining|Out of memory"
    r"|No space left|File too large|MemoryError",
    re.IGNORECASE,
)

Report = Callable[[str], None]
"""Takes the last line of a tool's output, now and then."""


class TimeLimitError(BuildError):
    """A tool took longer than it may."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process took."""

    seconds: float
    cpu_seconds: float
    peak_mib: float


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGKILL)


def run_tool(
    name: str,
    command: Sequence[str],
    folder: Path,
    log: Path,
    report: Report | None = None,
    *,
    answer: Path | None = None,
    limit_s: float | None = None,
) -> Usage:
    """Run a tool in ``folder``; everything it prints goes to the end of ``log``.

    Args:
        answer: takes what it prints to its standard output instead.
        limit_s: it is stopped after so many seconds.

    It dies with this process, however that ends, so that no tool works on for a build that is gone.

    Raises:
        EnvironmentMissingError: it does not start.
        TimeLimitError: it took longer than ``limit_s``.
        BuildError: it fails; the message has the lines that matter and where the rest is.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    begin = time.monotonic()
    with log.open("ab") as out:
        start = out.tell()
        out.write(
            f"$ {name} {' '.join(command[3:] if '-c' in command else command[1:])}\n".encode()
        )
        out.flush()
        try:
            child = subprocess.Popen(
                command, cwd=folder, env=environment(), stdin=subprocess.DEVNULL,
                stdout=out if answer is None else answer.open("wb"), stderr=out,
                preexec_fn=_die_with_parent,
            )  # fmt: skip
        except OSError as error:
            raise EnvironmentMissingError(f"{name} does not start: {error}") from error
        try:
            status, usage = _wait(name, child.pid, log, report, limit_s)
        except BaseException:
            child.kill()
            os.wait4(child.pid, 0)
            raise
        finally:
            child.returncode = 0  # reaped here, not by subprocess
    found = Usage(time.monotonic() - begin, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
    code = os.waitstatus_to_exitcode(status)
    if code:
        with log.open("rb") as written:
            written.seek(start)
            text = written.read().decode(errors="replace")
        raise BuildError(_failure(name, code, text, log) + _room(folder, log))
    return found


def _wait(
    name: str, pid: int, log: Path, report: Report | None, limit_s: float | None
) -> tuple[int, Any]:
    """Exit status of a child and its `resource` usage."""
    begin, pause = time.monotonic(), FIRST_POLL_S
    while True:
        done, status, usage = os.wait4(pid, os.WNOHANG)
        if done:
            return status, usage
        took = time.monotonic() - begin
        if limit_s is not None and took > limit_s:
            raise TimeLimitError(
                f"{name} was stopped after {took / 60:,.1f} minutes, its limit; its last words: "
                f"{last_line(log)!r}; complete log: {log}"
            )
        if report is not None:
            report(last_line(log))
        time.sleep(pause)
        pause = min(LAST_POLL_S, 1.2 * pause)


def last_line(log: Path) -> str:
    """The last whole line of a log that is being written."""
    with log.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - 2000))
        lines = [line for line in file.read().split(b"\n")[:-1] if line.strip()]
    return lines[-1].decode(errors="replace").strip() if lines else ""


def telling_lines(text: str) -> list[str]:
    """The lines of a tool's output that say what went wrong: errors, or else its last words."""
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    errors = list(dict.fromkeys(line for line in lines if _TELLING.search(line)))
    return errors[:KEPT_LINES] or lines[-KEPT_LINES:]


def _failure(name: str, code: int, text: str, log: Path) -> str:
    if code < 0:
        why = f"was ended by {signal.Signals(-code).name}"
        if code == -signal.SIGKILL:
            why += " (the system does this when memory runs out)"
        if code == -signal.SIGXFSZ:
            why += " (a file became larger than this process may write)"
    else:
        why = f"failed with exit status {code}"
    return "\n".join([f"{name} {why}:", *telling_lines(text), f"complete log: {log}"])


def _room(folder: Path, log: Path) -> str:
    """A word on the disk, where it may be the reason for a failure; else nothing."""
    free, most = shutil.disk_usage(folder).free, resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    if most != resource.RLIM_INFINITY and log.stat().st_size >= most:
        return f"\nits log has {most:,} bytes, as many as this process may write into a file"
    if free >= LEAST_FREE:
        return ""
    return (
        f"\nthe disk is full: {free / 2**10:,.0f} KiB are free in {folder}; make room and run the same "
        "command again, finished steps are kept"
    )
