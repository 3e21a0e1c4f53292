"""Jobs: pieces of work whose outputs are kept under the digest of all that they depend on.

A job runs in a folder of its own that mirrors the build folder's layout, so that every path a tool sees is
relative and the same wherever the build lies. Its outputs are moved into the build folder when it is done.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from hls.build.process import Report, Usage
from hls.build.whole import is_whole
from pyorch.contract.build_record import BuildRecord, StepRecord
from pyorch.contract.digest import canonical_json, digest_of, digest_of_file, write_atomically
from pyorch.contract.errors import BuildError

META = "meta.json"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
FLOW_VERSION = 2
"""Part of every key: raise it when a recipe changes in a way that keys do not see."""


@dataclass(frozen=True, slots=True)
class Job:
    """A piece of work.

    Attributes:
        name: step, or step and seed.
        settings: JSON that its result depends on: arguments, scripts, tools' hashes.
        inputs: files and folders of the build folder that it reads.
        outputs: files and folders that it writes, replaced as a whole.
        work: called with the mirror folder, the log and a progress report.
        cached: whether its result is kept for other build folders.
    """

    name: str
    settings: dict[str, object]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    work: Callable[[Path, Path, Report], Usage]
    cached: bool = True

    @property
    def log(self) -> str:
        """Its log, relative to the build folder."""
        return f"logs/{self.name.replace(' ', '-')}.log"


class CacheEntry(msgspec.Struct, frozen=True):
    """What is kept beside cached outputs."""

    outputs: dict[str, str]
    seconds: float
    cpu_seconds: float
    peak_mib: float


def cache_folder() -> Path:
    """Where results are kept: ``$PYORCH_CACHE/build`` or ``~/.cache/pyorch/build``."""
    base = os.environ.get("PYORCH_CACHE")
    return (Path(base) if base else Path.home() / ".cache" / "pyorch") / "build"


@dataclass(slots=True)
class Workshop:
    """Does jobs for one build folder.

    Attributes:
        announce: called with a job and how it was settled: ``run``, ``cache`` or ``kept``.
        settled: names of the jobs that were.
    """

    folder: Path
    record: BuildRecord
    cache: Path = field(default_factory=cache_folder)
    report: Report = lambda line: None
    announce: Callable[[Job, str, StepRecord], None] = lambda job, how, record: None
    settled: list[str] = field(default_factory=list)

    def do(self, job: Job, *, anew: bool = False) -> StepRecord:
        """Settle a job: kept where its outputs are unchanged, else from the cache, else run.

        Args:
            anew: run it in any case.

        Raises:
            BuildError: it fails, or an input is missing.
        """
        key = self._key(job)
        old = self.record.steps.get(job.name)
        if not anew and old is not None and old.key == key and self._intact(old):
            self.settled.append(job.name)
            self.announce(job, "kept", old)
            return old
        self._forget(job.name)
        try:
            entry = None if anew or not job.cached else self._restore(job, key)
            how = "cache" if entry else "run"
            if entry is None:
                entry = self._run(job, key)
        except OSError as error:
            if error.errno not in _FULL:
                raise
            free = shutil.disk_usage(self.folder).free / 2**20
            raise BuildError(
                f"{job.name}: no room to write {error.filename or self.folder} ({error.strerror}; "
                f"{free:,.0f} MiB are free there); make room and run the same command again, finished steps "
                "are kept"
            ) from error
        done = StepRecord(
            key=key,
            source="cache" if how == "cache" else "run",
            seconds=entry.seconds,
            cpu_seconds=entry.cpu_seconds,
            peak_mib=entry.peak_mib,
            outputs=entry.outputs,
            log=job.log,
        )
        self.record.steps[job.name] = done
        self.record.save(self.folder)
        self.settled.append(job.name)
        self.announce(job, how, done)
        return done

    def _key(self, job: Job) -> str:
        files: dict[str, str] = {}
        for name in job.inputs:
            found = list(files_of(self.folder, name))
            if not found:
                raise BuildError(
                    f"{self.folder}: {job.name} needs {name}, which is not there; build without --from, or "
                    "from an earlier step"
                )
            files |= {path: digest_of_file(self.folder / path) for path in found}
        return digest_of(
            {"flow": FLOW_VERSION, "job": job.name, "settings": job.settings, "files": files}
        )

    def _intact(self, record: StepRecord) -> bool:
        return bool(record.outputs) and all(
            (self.folder / name).is_file() and digest_of_file(self.folder / name) == sha
            for name, sha in record.outputs.items()
        )

    def _forget(self, name: str) -> None:
        """Before anything of a step is replaced, the record stops vouching for it."""
        if name in self.record.steps or self.record.verdict:
            self.record.steps.pop(name, None)
            self.record.verdict = ""
            self.record.save(self.folder)

    def _restore(self, job: Job, key: str) -> CacheEntry | None:
        kept = self.cache / key
        try:
            entry = msgspec.json.decode((kept / META).read_bytes(), type=CacheEntry)
        except (OSError, msgspec.DecodeError):
            return None
        stage = self._stage(job.name)
        for name, sha in entry.outputs.items():
            target = stage / name
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                shutil.copyfile(kept / name, target)
            except OSError:
                return None
            if digest_of_file(target) != sha:  # damaged in the cache: made anew
                return None
        if (kept / "log").is_file():
            (self.folder / job.log).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(kept / "log", self.folder / job.log)
        self._deliver(job, stage)
        return entry

    def _run(self, job: Job, key: str) -> CacheEntry:
        stage = self._stage(job.name)
        for name in job.inputs:
            for path in files_of(self.folder, name):
                target = stage / path
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(self.folder / path, target)
        log = self.folder / job.log
        log.parent.mkdir(parents=True, exist_ok=True)
        log.unlink(missing_ok=True)
        begin = time.monotonic()
        usage = job.work(stage, log, self.report)
        made: dict[str, str] = {}
        for name in job.outputs:
            found = list(files_of(stage, name))
            if not found:
                raise BuildError(f"{job.name} ended well but wrote no {name}; see {log}")
            self._require_whole(job, stage, found)
            made |= {path: digest_of_file(stage / path) for path in found}
        entry = CacheEntry(made, time.monotonic() - begin, usage.cpu_seconds, usage.peak_mib)
        if job.cached:
            self._keep(key, entry, stage, log)
        self._deliver(job, stage)
        return entry

    def _require_whole(self, job: Job, stage: Path, names: list[str]) -> None:
        for name in names:
            if not is_whole(stage / name):
                size = (stage / name).stat().st_size
                free = shutil.disk_usage(stage).free / 2**20
                raise BuildError(
                    f"{job.name}: {name} is cut off after {size:,} bytes, although its tool ended as if all "
                    f"was well; the disk may be full ({free:,.1f} MiB are free there): make room and run the "
                    "same command again, finished steps are kept"
                )

    def _keep(self, key: str, entry: CacheEntry, stage: Path, log: Path) -> None:
        kept = self.cache / key
        sweep(self.cache)
        partial = self.cache / f".{key}.{os.getpid()}.partial"
        try:
            for name in entry.outputs:
                target = partial / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(stage / name, target)
            if log.is_file():
                shutil.copyfile(log, partial / "log")
            write_atomically(partial / META, canonical_json(msgspec.to_builtins(entry)))
            shutil.rmtree(kept, ignore_errors=True)
            with suppress(FileExistsError):  # another build was faster
                partial.rename(kept)
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def _stage(self, name: str) -> Path:
        stage = self.folder / ".work" / name.replace(" ", "-")
        shutil.rmtree(stage, ignore_errors=True)
        stage.mkdir(parents=True)
        return stage

    def _deliver(self, job: Job, stage: Path) -> None:
        for name in job.outputs:
            target = self.folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.is_dir():
                shutil.rmtree(target)
            (stage / name).replace(target)
        shutil.rmtree(self.folder / ".work", ignore_errors=True)


def sweep(folder: Path) -> None:
    """Remove what processes that are gone have left half-written: ``.NAME.PID.partial``."""
    for path in folder.glob(".*.partial"):
        number = path.name.split(".")[-2]
        if not number.isdigit() or not Path(f"/proc/{number}").exists():
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def files_of(folder: Path, name: str) -> Iterator[str]:
    """The files at or below ``name``, relative to ``folder``, sorted."""
    path = folder / name
    if path.is_file():
        yield name
    elif path.is_dir():
        for file in sorted(path.rglob("*")):
            if file.is_file():
                yield str(file.relative_to(folder))


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the build folder for this process.

    Raises:
        BuildError: another build is at work in it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BuildError(
                f"another build is at work in {folder}; wait for it, or choose another --out"
            ) from None
        sweep(folder)
        yield
