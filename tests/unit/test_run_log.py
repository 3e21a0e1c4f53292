"""The run log is readable to its last good block, whatever happened to what came after."""

import threading
from pathlib import Path

import numpy as np
import pytest

from pyorch.contract.errors import DataError, EnvironmentMissingError, UsageError
from pyorch.contract.events import EVENT_DTYPE
from pyorch.trading.controls import KillSwitch, Order
from pyorch.trading.inputs import InputKind, make_input
from pyorch.trading.log import END, STRETCH, TEXT, DiskFile, LogWriter, Stretch, parse_log, read_log
from pyorch.trading.records import QUOTE_DTYPE, TICK_DTYPE, JournalBatch


def stretch(number: int) -> Stretch:
    ticks = np.zeros(number % 3, TICK_DTYPE)
    ticks["tick"] = number
    batch = JournalBatch(ticks, np.zeros(number % 2, QUOTE_DTYPE), b"8=FIX" * number)
    events = np.zeros(3, EVENT_DTYPE)
    return Stretch(3 * number, events, make_input(InputKind.PAUSE, number), batch)


def write(path: Path, blocks: int) -> list[int]:
    """A log; the file's size after each block."""
    log = LogWriter(DiskFile(path), {"what": "a test"})
    sizes = []
    for number in range(blocks):
        at = log.append(STRETCH, stretch(number).to_bytes())
        assert log.wait(at, synced=number % 2 == 0)
        sizes.append(path.stat().st_size)
    log.append(TEXT, b'{"who": "me"}')
    log.append(END, b"{}")
    log.close()
    return sizes


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    write(tmp_path / "run.log", 5)
    log = read_log(tmp_path / "run.log")
    assert log.ended and log.lost == 0 and log.blocks == 8
    assert log.begin == {"what": "a test"} and log.texts == [{"who": "me"}]
    assert [s.to_bytes() for s in log.stretches] == [stretch(n).to_bytes() for n in range(5)]
    assert len(log.events) == 15 and log.inputs["local_ns"].tolist() == [0, 1, 2, 3, 4]
    assert log.batch.fix == b"8=FIX" * 10


def test_a_log_cut_anywhere_is_read_to_the_block_before(tmp_path: Path) -> None:
    path = tmp_path / "run.log"
    sizes = write(path, 5)
    data = path.read_bytes()
    for cut in range(sizes[0], len(data), 37):
        log = parse_log(data[:cut])
        assert len(log.stretches) == sum(size <= cut for size in sizes)
        assert log.size + log.lost == cut and not log.ended


def test_a_changed_byte_ends_the_log_before_its_block(tmp_path: Path) -> None:
    path = tmp_path / "run.log"
    sizes = write(path, 5)
    data = bytearray(path.read_bytes())
    for at in range(sizes[1], sizes[2], 11):
        data[at] ^= 0x40
        log = parse_log(bytes(data))
        assert len(log.stretches) == 2 and log.lost == len(data) - sizes[1]
        data[at] ^= 0x40


def test_blocks_of_another_log_or_out_of_order_end_it(tmp_path: Path) -> None:
    path = tmp_path / "run.log"
    sizes = write(path, 5)
    data = path.read_bytes()
    assert len(parse_log(data[: sizes[1]] + data[sizes[2] :]).stretches) == 2
    with pytest.raises(DataError, match="without a good first block; this is no run log"):
        parse_log(data[sizes[1] :])


class FailingSync(DiskFile):
    """Its disk is gone when it is closed."""

    def sync(self) -> None:
        raise OSError(5, "Input/output error")


def test_a_log_s_file_is_closed_even_when_its_last_sync_fails(tmp_path: Path) -> None:
    file = FailingSync(tmp_path / "run.log")
    log = LogWriter(file, {"what": "a test"}, sync_every=1000)
    with pytest.raises(EnvironmentMissingError, match=r"could not be written.*Input/output error"):
        log.close()
    with pytest.raises(ValueError, match="closed file"):
        file.write(b"more")


def test_a_log_that_hangs_is_said_so_when_it_is_closed() -> None:
    file = StuckFile(fails=False)
    log = LogWriter(file, {"what": "stuck"})
    with pytest.raises(
        EnvironmentMissingError, match="hangs after block 0; 1 blocks are not written"
    ):
        log.close(0.01)
    file.go.set()
    log.close()


class StuckFile:
    """A disk that takes nothing until it is let go, and then fails or not."""

    def __init__(self, fails: bool) -> None:
        self.go = threading.Event()
        self.fails = fails
        self.data = b""

    def write(self, data: bytes) -> None:
        self.go.wait(10)
        if self.fails:
            raise OSError(28, "No space left on device")
        self.data += data

    def sync(self) -> None:
        pass

    def close(self) -> None:
        pass


def test_a_slow_disk_makes_the_writer_full_but_nothing_is_dropped() -> None:
    file = StuckFile(fails=False)
    log = LogWriter(file, {"what": "slow"}, capacity=4)
    number = 0
    while not log.full:
        number = log.append(TEXT, b"{}")
    assert not log.wait(number, synced=False, timeout_s=0.01)
    file.go.set()
    assert log.wait(number, synced=True) and not log.full
    log.close()
    assert parse_log(file.data).blocks == number


def test_a_full_disk_is_said_to_whoever_writes_next() -> None:
    file = StuckFile(fails=True)
    log = LogWriter(file, {"what": "full"})
    file.go.set()
    with pytest.raises(EnvironmentMissingError, match=r"after block 0: .*No space left.*new run"):
        log.wait(1, synced=False)
    with pytest.raises(EnvironmentMissingError, match="quoting has stopped"):
        log.append(TEXT, b"{}")


def test_a_log_is_never_written_over(tmp_path: Path) -> None:
    write(tmp_path / "run.log", 1)
    with pytest.raises(EnvironmentMissingError, match="the log cannot be written"):
        DiskFile(tmp_path / "run.log")


@pytest.mark.parametrize(
    ("kind", "who", "why", "value", "message"),
    [
        (InputKind.KILL, " ", "fire", 0, "needs a person's name and a reason"),
        (InputKind.REARM, "A. Trader", "", 0, "needs a person's name and a reason"),
        (
            InputKind.FILLED,
            "A. Trader",
            "fun",
            0,
            "filled is not an operator's to order; choose kill",
        ),
        (InputKind.WIDEN, "A. Trader", "news", -5, "the value -5 is negative"),
        (InputKind.WIDEN, "A. Trader", "news", 1_000_001, "1,000,001 is above 1,000,000, the most"),
        (InputKind.LIMIT, "A. Trader", "news", 2**63, "is above 1,152,921,504,606,846,976"),
        (InputKind.PAUSE, "A. Trader", "news", 1, "the value 1 is above 0"),
    ],
)
def test_orders_without_name_reason_or_sense_are_refused(
    kind: InputKind, who: str, why: str, value: int, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        Order(kind, who, why, value)


def test_the_kill_switch_works_alone_and_stays_down_until_it_is_re_armed() -> None:
    calls: list[str] = []
    switch = KillSwitch(lambda: calls.append("route"), lambda: calls.append("flag"))
    switch.pull()
    assert switch.wait(10) and calls == ["flag", "route"] and switch.down
    with pytest.raises(UsageError, match="pause does not re-arm"):
        switch.rearm(Order(InputKind.PAUSE, "A", "b"), calls.clear, calls.clear)
    assert calls == ["flag", "route"]
    switch.rearm(REARM, calls.clear, calls.clear)
    assert not switch.down and calls == []
    with pytest.raises(UsageError, match="is not down"):
        switch.rearm(REARM, calls.clear, calls.clear)
    switch.close()


REARM = Order(InputKind.REARM, "A", "b")


def test_each_pull_of_the_kill_switch_is_taken_even_while_it_is_at_work() -> None:
    taken: list[int] = []
    first, go = threading.Event(), threading.Event()

    def route() -> None:
        taken.append(switch.pulls)
        first.set()
        go.wait(10)

    switch = KillSwitch(route, lambda: None)
    switch.pull()
    assert first.wait(10) and not switch.wait(0)
    with pytest.raises(UsageError, match="still at work"):
        switch.rearm(REARM, taken.clear, taken.clear)
    switch.pull()  # the route of the first one has not ended
    go.set()
    assert switch.wait(10) and taken == [1, 2]
    with pytest.raises(UsageError, match=r"pulled again \(pull 2, the order is about pull 1\)"):
        switch.rearm(REARM, taken.clear, taken.clear, pull=1)
    assert switch.down and taken == [1, 2]
    switch.rearm(REARM, taken.clear, taken.clear, pull=2)
    assert not switch.down
    switch.close()


def test_a_pull_during_a_re_arm_that_hangs_is_taken_at_once_and_again_after_it() -> None:
    calls: list[str] = []
    switch = KillSwitch(lambda: calls.append("route"), lambda: calls.append("flag"))
    switch.pull()
    assert switch.wait(10)

    def release() -> None:
        """Hangs until the pull's second route was taken, then opens the sessions."""
        switch.pull()
        assert switch.wait(10)
        calls.append("release")

    with pytest.raises(UsageError, match=r"pulled again \(pull 2\) while it was re-armed"):
        switch.rearm(REARM, release, lambda: calls.append("lower"))
    assert switch.wait(10) and switch.down
    assert calls == ["flag", "route", "flag", "route", "release", "flag", "route"]
    switch.rearm(REARM, lambda: calls.append("release"), lambda: calls.append("lower"))
    assert not switch.down and calls[-2:] == ["release", "lower"]
    switch.close()


def test_a_second_route_that_fails_is_said_and_keeps_the_switch_down() -> None:
    failing = [OSError(101, "Network is unreachable")]

    def route() -> None:
        if failing:
            raise failing.pop()

    switch = KillSwitch(route, lambda: None)
    switch.pull()
    assert switch.wait(10) and isinstance(switch.error, OSError)
    with pytest.raises(
        UsageError, match=r"unreachable.*quotes may be live; cancel them at the venues"
    ):
        switch.rearm(REARM, failing.clear, failing.clear)
    switch.pull()
    assert switch.wait(10) and switch.error is None
    switch.rearm(REARM, failing.clear, failing.clear)
    switch.close()
