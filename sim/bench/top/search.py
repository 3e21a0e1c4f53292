"""Which moment of an event explains the results: it acts between ticks, nobody knows exactly when."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pyorch.contract.fabric import Beats, Result
from sim.bench.shell.model import Expected, ShellModel


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that happens to the model once.

    Attributes:
        apply: does it; False: it cannot have happened here.
        per_tick: between any two ticks; else between frames.
        not_before: the first frame before which it may happen.
    """

    apply: Callable[[ShellModel], bool]
    per_tick: bool = True
    not_before: int = 0


@dataclass(frozen=True, slots=True)
class History:
    """A course of events that explains all results.

    Attributes:
        model: after them.
        places: before which frame each event happened; number of frames: after all.
    """

    model: ShellModel
    places: tuple[int, ...] = ()


class ImpossibleError(Exception):
    """An event that cannot have happened there."""


def explain(
    models: Sequence[ShellModel],
    frames: Sequence[Beats],
    results: Sequence[Result],
    events: Sequence[Happening] = (),
) -> list[History]:
    """All histories that fit every result, no two with the same future.

    Args:
        models: what the fabric may be, as far as earlier results tell.

    Raises:
        AssertionError: there is none; the message says which frame nothing explains.
    """
    assert len(results) == len(frames), f"{len(results)} result frames for {len(frames)} frames"
    alive = [History(model) for model in models]
    for number, (beats, result) in enumerate(zip(frames, results, strict=True)):
        words = [int(beat) for beat in beats]
        following: dict[tuple[object, ...], History] = {}
        tried: list[Expected] = []
        for history in alive:
            for found, wanted in _continued(history, number, words, events):
                tried.append(wanted)
                if fits(result, wanted):
                    following.setdefault((found.places, found.model.key()), found)
        alive = list(following.values())
        assert alive, (
            f"frame {number} of {len(frames)}: {result} is none of the {len(tried)} results that "
            f"are possible, e.g. {tried[0]}"
        )
    ended = [done for history in alive if (done := _ended(history, len(frames), events))]
    assert ended, f"no moment of the {len(events)} events fits: {[one.places for one in alive]}"
    return list({history.model.key(): history for history in ended}.values())


def fits(result: Result, wanted: Expected) -> bool:
    """Whether a result frame is the expected one."""
    return (
        result.code is wanted.code
        and result.sequence == wanted.sequence
        and result.stated == len(wanted.answers)
        and result.saturated == wanted.saturated
        and (not wanted.answers or result.weight_set == wanted.weight_set)
        and result.logits.tolist() == wanted.answers
    )


def _continued(
    history: History, number: int, beats: list[int], events: Sequence[Happening]
) -> list[tuple[History, Expected]]:
    """All ways in which a frame and the events that are left may meet."""
    found = []
    left = events[len(history.places) :]
    for count in range(len(left) + 1):
        due = left[:count]
        if any(event.not_before > number for event in due):
            break
        ticks = history.model.ticks(beats) if due and all(e.per_tick for e in due) else 1
        for before in range(max(ticks, 1) if due else 1):
            model = history.model.copy()
            try:
                wanted = model.frame(beats, _all(due), before)
            except ImpossibleError:
                continue
            found.append((History(model, history.places + (number,) * count), wanted))
    return found


def _ended(history: History, number: int, events: Sequence[Happening]) -> History | None:
    left, model = events[len(history.places) :], history.model.copy()
    try:
        _all(left)(model)
    except ImpossibleError:
        return None
    return History(model, history.places + (number,) * len(left))


def _all(events: Sequence[Happening]) -> Callable[[ShellModel], None]:
    def apply(model: ShellModel) -> None:
        for event in events:
            if not event.apply(model):
                raise ImpossibleError

    return apply
