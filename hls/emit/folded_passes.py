"""An array of multipliers takes an LSTM layer: a few units a pass, a few inputs a word (`lstm_folded.sv`)."""

from __future__ import annotations

from dataclasses import dataclass

IDLE = (-1, -1)
"""A lane without a weight."""


@dataclass(frozen=True, slots=True)
class Passes:
    """``chunk`` units a pass, ``spread`` inputs of each a word."""

    inputs: int
    units: int
    chunk: int
    spread: int

    @property
    def lanes(self) -> int:
        """Lanes of four multipliers."""
        return self.chunk * self.spread

    @property
    def count(self) -> int:
        """Passes of an operation: chunks of h."""
        return -(-self.units // self.chunk)

    @property
    def mixed(self) -> bool:
        """Whether what is left of x and of h shares a word, issued with the operation that comes second."""
        rest_x, rest_h = self.inputs % self.spread, self.units % self.spread
        whole = min(self.inputs, self.units) >= self.spread
        return whole and rest_x > 0 and rest_h > 0 and rest_x + rest_h <= self.spread

    @property
    def own(self) -> tuple[int, int]:
        """Words of a pass that are of x alone, and of h alone."""
        up = 0 if self.mixed else self.spread - 1
        return (self.inputs + up) // self.spread, (self.units + up) // self.spread

    @property
    def words(self) -> int:
        """Words that a step issues, which is the cycles of the array."""
        return self.count * (sum(self.own) + self.mixed)

    def schedule(self) -> list[list[tuple[int, int]]]:
        """The words in memory: for each, lane → (unit, place in x followed by h); `IDLE` for an idle lane.

        First x·W, then R·h; in each, pass by pass, the shared word at the end.
        """
        x_words, h_words = self.own
        shared = [x_words * self.spread + k for k in range(self.inputs % self.spread)]
        first_h = self.inputs + h_words * self.spread
        shared += [first_h + k for k in range(self.units % self.spread)]
        words = []
        for start, limit, own in (
            (0, self.inputs, x_words),
            (self.inputs, self.inputs + self.units, h_words),
        ):
            contents = [
                [place for place in range(first, first + self.spread) if place < limit]
                for first in range(start, start + own * self.spread, self.spread)
            ]
            contents += [shared] if self.mixed else []
            for number in range(self.count):
                units = range(number * self.chunk, (number + 1) * self.chunk)
                words += [self._word(units, places) for places in contents]
        return words

    def _word(self, units: range, places: list[int]) -> list[tuple[int, int]]:
        idle = [IDLE] * (self.spread - len(places))
        return [
            lane
            for unit in units
            for lane in [(unit, place) if unit < self.units else IDLE for place in places] + idle
        ]
