"""Who is right: the reference, replayed from the last state that engines agreed on."""

from __future__ import annotations

from collections import deque
from typing import TypeAlias

import numpy as np

from pyorch.contract.bundle import Bundle
from pyorch.contract.engine import Outputs, State
from pyorch.contract.fixed import IntArray
from pyorch.inference.reference import ReferenceEngine

Entry: TypeAlias = tuple[int, IntArray | None]
"""Sequence number of a tick and its features; None: the stream was reset before the next tick."""


class Arbiter:
    """The last agreed state, everything that came in since, and the reference to run it again.

    Args:
        bundle: model.

    Attributes:
        agreed: the state before the first of `entries`.
        entries: ticks and resets since then.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._reference = ReferenceEngine.open(bundle)
        self.agreed = self._reference.state()
        self.entries: deque[Entry] = deque()
        self._replayed = 0  # how many entries the reference has run
        self._answers: dict[int, Outputs] = {}

    def record(self, sequence: int, features: IntArray | None) -> None:
        """A tick, or a reset (None)."""
        self.entries.append((sequence, features))

    def answer(self, sequence: int) -> Outputs:
        """The right outputs of a tick since the agreed state.

        Raises:
            KeyError: the tick is not among them.
        """
        self._replay()
        return self._answers[sequence]

    def state(self) -> State:
        """The right state after everything recorded."""
        self._replay()
        return self._reference.state()

    def agree(self, state: State) -> None:
        """Take a state, after everything recorded, as right; what led to it is forgotten."""
        self.agreed = state
        self.entries.clear()
        self._answers.clear()
        self._replayed = 0
        self._reference.load_state(state)

    def _replay(self) -> None:
        for at in range(self._replayed, len(self.entries)):
            sequence, features = self.entries[at]
            if features is None:
                self._reference.reset()
            else:
                self._answers[sequence] = self._reference.step(features)
        self._replayed = len(self.entries)


def equal_states(one: State, other: State) -> bool:
    """Whether two states are the same bits."""
    pairs = [(one.vectors, other.vectors)]
    pairs += list(zip(one.hidden, other.hidden, strict=True))
    pairs += list(zip(one.cell, other.cell, strict=True))
    return one.steps == other.steps and all(np.array_equal(a, b) for a, b in pairs)


def equal_outputs(one: Outputs, other: Outputs) -> bool:
    """Whether two answers are the same bits."""
    return np.array_equal(one.logits, other.logits) and np.array_equal(one.scores, other.scores)
