"""A build that is killed in the middle of a step: nothing half-written counts, the next one goes on."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from hls.build import report
from hls.build.flow import Build
from pyorch.contract import build_record
from pyorch.contract.build_record import BuildRecord
from pyorch.contract.digest import write_atomically
from pyorch.contract.errors import BuildError

Begin = Callable[..., Build]
Settle = Callable[[Build], dict[str, str]]
Contents = Callable[[Path], dict[str, bytes]]


LATER = 90.0
"""Seconds after which a test gives up waiting for a child."""


def killed_in(build: Build, tool: str, marker: Path) -> None:
    """Run a build in a process of its own and kill that, without warning, while ``tool`` is writing."""
    child = os.fork()
    if child == 0:
        os.environ["SLOW"] = tool
        try:
            build.run()
        finally:
            os._exit(1)
    deadline = time.monotonic() + LATER
    while not marker.exists():
        assert time.monotonic() < deadline, f"{tool} never came to write"
        time.sleep(0.02)
    worker = int(marker.read_text())
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    while Path(f"/proc/{worker}").exists():
        if "Z" in Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2][:3]:
            break
        assert time.monotonic() < deadline, f"{tool} works on although its build is gone"
        time.sleep(0.02)
    marker.unlink()


@pytest.mark.parametrize(
    "tool", ["emit", "verilator", "simulate", "yosys", "netlist-check", "nextpnr", "ecppack"]
)
def test_a_build_killed_in_the_middle_goes_on_where_it_was(
    tool: str,
    begin_build: Begin,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    settled: Settle,
    contents: Contents,
) -> None:
    monkeypatch.setenv("PYORCH_CACHE", str(tmp_path / "undisturbed"))
    begin_build(tmp_path / "whole").run()
    monkeypatch.setenv("PYORCH_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "a"
    killed_in(begin_build(folder), tool, tmp_path / "marker")
    with pytest.raises(BuildError, match=r"must not be loaded: unfinished, done so far"):
        BuildRecord.load(folder).verify(folder)
    done = set(BuildRecord.load(folder).steps)
    result = settled(begin_build(folder))
    assert {name for name, how in result.items() if how == "kept"} == done - {"emit"}
    if tool == "nextpnr":
        assert result["place-and-route 1"] == "kept" and result["place-and-route 2"] == "run"
    assert contents(folder) == contents(tmp_path / "whole")
    assert not (folder / ".work").exists()
    assert not list(tmp_path.rglob("*.partial"))
    BuildRecord.load(folder).verify(folder)


@pytest.mark.parametrize(
    ("module", "words"), [(build_record, b'"verdict":"ok"'), (report, b"html")]
)
def test_a_kill_while_the_verdict_or_the_report_is_written_leaves_none_and_the_next_run_writes_it(
    module: ModuleType,
    words: bytes,
    begin_build: Begin,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    settled: Settle,
) -> None:
    folder, marker = tmp_path / "a", tmp_path / "marker"
    begin_build(folder, last="pack").run()

    def dawdle(path: Path, data: bytes) -> None:
        if words not in data:
            write_atomically(path, data)
            return
        path.with_name(f".{path.name}.{2**22}.partial").write_bytes(data[: len(data) // 2])
        marker.write_text("0")
        time.sleep(60)

    child = os.fork()
    if child == 0:
        monkeypatch.setattr(module, "write_atomically", dawdle)
        try:
            begin_build(folder).run()
        finally:
            os._exit(1)
    deadline = time.monotonic() + LATER
    while not marker.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert not (folder / "report.html").exists()
    assert settled(begin_build(folder))["pack"] == "kept"
    assert (folder / "report.html").is_file() and not list(folder.glob(".*.partial"))
    assert BuildRecord.load(folder).verdict == "ok"
