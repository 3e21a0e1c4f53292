"""Recorded websocket sessions as times and texts."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from pyorch.contract.errors import DataError


@dataclass(frozen=True, slots=True)
class Recorded:
    """A text of the venue and the recorder's time."""

    local_ns: int
    text: bytes


def read_session(path: Path, most: int | None = None) -> list[Recorded]:
    """What a venue sent in a recorded session.

    Two formats: lines ``<seconds>: <JSON>`` between lines ``<address> <- …`` of what was sent to it, and
    lines ``<ns or us> <JSON>``, usually gzipped, in which a line without a stream is a snapshot by REST.

    Args:
        path: the recording.
        most: stop after so many texts.

    Raises:
        DataError: the file is missing, or a line is of neither format.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such recording")
    return list(islice(_texts(path), most))


def _texts(path: Path) -> Iterator[Recorded]:
    with path.open("rb") as probe:
        packed = probe.read(2) == b"\x1f\x8b"
    with gzip.open(path, "rb") if packed else path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip() or line.startswith((b"wss://", b"https://")):
                continue
            stamp, _, text = line.strip().partition(b" ")
            seconds, _, fraction = stamp.removesuffix(b":").partition(b".")
            if not (seconds.isdigit() and text.startswith(b"{")):
                raise DataError(
                    f"{path}: line {number:,} begins {line[:40]!r}; a line is a time, a space, JSON"
                )
            if stamp.endswith(b":"):
                yield Recorded(
                    int(seconds) * 10**9 + int(fraction.ljust(9, b"0")[:9] or b"0"), text
                )
            else:
                yield Recorded(int(seconds) * (1 if len(seconds) > 17 else 1_000), text)
