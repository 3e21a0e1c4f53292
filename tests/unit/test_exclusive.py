"""What one process makes, another waits for and finds."""

import fcntl
from pathlib import Path

import pytest

from pyorch.contract.exclusive import exclusively


def taken(path: Path) -> bool:
    """Whether somebody else's handle on the file has the lock."""
    with path.open() as other:
        try:
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_nobody_else_has_the_lock_until_its_holder_ends_or_fails(tmp_path: Path) -> None:
    path = tmp_path / "made" / "on the way" / "lock"
    with exclusively(path):
        assert taken(path)
    assert not taken(path)
    with pytest.raises(ValueError, match="no library"), exclusively(path):
        raise ValueError("no library")
    assert not taken(path)
