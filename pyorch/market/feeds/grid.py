"""Number grids: decimal text → integer ticks or lots, exactly."""

from __future__ import annotations

import re


class Grid(dict[str, int]):
    """Decimal text → number of steps, exactly; a text that was seen before costs one look-up."""

    _NUMBER = re.compile(r"(\d{1,40})(?:\.(\d+))?", re.ASCII)
    _DECIMALS = 18
    _KEPT = 1 << 20

    def __init__(self, step: str) -> None:
        super().__init__()
        self.step = step
        self._scaled_step = self._scaled(step)

    def __missing__(self, text: str) -> int:
        """Steps in ``text``.

        Raises:
            ValueError: it is not a decimal number, or not a multiple of the step.
        """
        count, rest = divmod(self._scaled(text), self._scaled_step)
        if rest:
            raise ValueError(f"{text} is not a multiple of {self.step}")
        if len(self) >= self._KEPT:
            self.clear()
        self[text] = count
        return count

    def nearest(self, text: str) -> int:
        """Steps nearest to ``text``, half a step upwards."""
        return (2 * self._scaled(text) + self._scaled_step) // (2 * self._scaled_step)

    def _scaled(self, text: str) -> int:
        sign = -1 if text.startswith("-") else 1
        match = self._NUMBER.fullmatch(text[1:] if sign < 0 else text)
        if match is None or len(match[2] or "") > self._DECIMALS:
            raise ValueError(f"{text[:40]!r} is not a decimal number of at most 18 places")
        return sign * int(match[1] + (match[2] or "").ljust(self._DECIMALS, "0"))


class JsonGrid(Grid):
    """The same for JSON's numbers, which may carry an exponent: ``1e-4``."""

    _WITH_EXPONENT = re.compile(r"(-?)(\d{1,20})(?:\.(\d{1,20}))?[eE]([+-]?\d{1,2})", re.ASCII)

    def _scaled(self, text: str) -> int:
        match = self._WITH_EXPONENT.fullmatch(text)
        return super()._scaled(text if match is None else _plain(*match.groups(default="")))


def _plain(sign: str, whole: str, fraction: str, exponent: str) -> str:
    """The same number without an exponent."""
    digits, point = whole + fraction, len(whole) + int(exponent)
    digits = "0" * max(1 - point, 0) + digits
    point = max(point, 1)
    digits = digits.ljust(point, "0")
    rest = digits[point:].rstrip("0")
    return sign + digits[:point] + (f".{rest}" if rest else "")
