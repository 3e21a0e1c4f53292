"""Mutations of a venue's texts, guided by what they reach: a text that runs new lines is mutated again."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any

_FEEDS = str(Path("pyorch") / "market" / "feeds")
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?")
_STRING = re.compile(rb'"[^"]*"')
_WORDS = (
    b'null true -1 0 1e400 9223372036854775808 -9223372036854775809 1e-4 0.00005 NaN "" [] {} [[[[ 0.1 '
    b"18446744073709551616 \xff".split()
)
_WORDS += [b"1" * 50, b'"\\ud800"']


class Mutator:
    """Makes texts from texts; the same seed makes the same.

    Args:
        seed: of all choices.
        kept: texts that reached something new and are mutated again.
    """

    def __init__(self, seed: int, kept: int = 256) -> None:
        self._random = Random(seed)
        self._kept = kept
        self.corpus: list[bytes] = []
        self.reached: set[tuple[str, int, int]] = set()

    def choose(self, one_of: Sequence[int]) -> int:
        """One of these."""
        return self._random.choice(one_of)

    def mutant(self, text: bytes) -> bytes:
        """A text made from this one, or from one of the corpus."""
        random = self._random
        if self.corpus and random.random() < 0.3:
            text = random.choice(self.corpus)
        for _ in range(random.choice((1, 1, 1, 2, 4))):
            text = random.choice(
                (self._number, self._number, self._bytes, self._slice, self._value, self._splice)
            )(text)
        return text

    def watched(self, text: bytes, call: Callable[[], None]) -> None:
        """Run a call that takes the text, and keep the text if it ran lines in an order that is new."""
        before, last = len(self.reached), [0]

        def line(frame: FrameType, event: str, _: Any) -> Any:
            if event == "line":
                self.reached.add((frame.f_code.co_name, last[0], frame.f_lineno))
                last[0] = frame.f_lineno
            return line

        def entered(frame: FrameType, _event: str, _: Any) -> Any:
            return line if _FEEDS in frame.f_code.co_filename else None

        sys.settrace(entered)
        try:
            call()
        finally:
            sys.settrace(None)
        if len(self.reached) > before:
            if len(self.corpus) == self._kept:
                self.corpus.pop(self._random.randrange(self._kept))
            self.corpus.append(text)

    def _number(self, text: bytes) -> bytes:
        return self._replaced(text, _NUMBER, self._other_number)

    def _value(self, text: bytes) -> bytes:
        return self._replaced(text, _STRING, lambda _: self._random.choice(_WORDS))

    def _other_number(self, number: bytes) -> bytes:
        random = self._random
        choice = random.randrange(5)
        if choice == 0:
            return random.choice(_WORDS)
        if choice == 1 and number.isdigit():
            return b"%d" % (int(number) + random.choice((-1000, -2, -1, 1, 2, 1000, 1 << 40)))
        if choice == 2:
            return b"-" + number
        at = random.randrange(len(number))
        return number[:at] + b"%d" % random.randrange(10) + number[at + 1 :]

    def _replaced(
        self, text: bytes, pattern: re.Pattern[bytes], other: Callable[[bytes], bytes]
    ) -> bytes:
        found = list(pattern.finditer(text))
        if not found:
            return text
        one = self._random.choice(found)
        return text[: one.start()] + other(one[0]) + text[one.end() :]

    def _bytes(self, text: bytes) -> bytes:
        at = self._random.randrange(len(text) + 1)
        end = at + self._random.choice((0, 0, 1, 1, 2, 8))
        return text[:at] + self._random.randbytes(self._random.choice((0, 1, 1, 2))) + text[end:]

    def _slice(self, text: bytes) -> bytes:
        """A part of the text once more, or not at all."""
        at, end = sorted(self._random.randrange(len(text) + 1) for _ in range(2))
        return text[:end] + text[at:] if self._random.random() < 0.5 else text[:at] + text[end:]

    def _splice(self, text: bytes) -> bytes:
        """Up to a comma of this text, on from a comma of another."""
        other = self._random.choice(self.corpus) if self.corpus else text
        commas, others = ([m.start() for m in re.finditer(b",", one)] for one in (text, other))
        if not commas or not others:
            return text
        return text[: self._random.choice(commas)] + other[self._random.choice(others) :]
