"""One process at a time: what several of them may need, the first makes and the others find."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def is_held(path: Path) -> bool:
    """Whether somebody holds a lock file now."""
    try:
        with path.open("r") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


@contextmanager
def exclusively(path: Path) -> Iterator[None]:
    """Hold a lock file, made if it is missing; wait while another process or thread holds it.

    A holder that dies lets go.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
