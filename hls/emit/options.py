"""Options of every command that emits: a style and its parameters."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from pyorch.contract.errors import UsageError

Command = TypeVar("Command", bound=Callable[..., Any])

PARAMETERS = {
    "multipliers": "folded: multipliers of a layer's array.",
    "chunk": "folded: units whose sums are computed at once; 0: the best.",
    "blocks": "folded: multiplier blocks of the chip at most, further products in logic; 0: all in blocks.",
    "planes": "loadable: bits of x and h a cycle.",
    "cuts": "baked: registers in the recurrent loop, bit by bit.",
    "copies": "baked: copies of h, each for its share of the rows.",
    "clocks": "1: all in aclk (default); 2: AXI in aclk, the rest in core_clk.",
}
"""Parameter of a style, and what every style has → help."""


STYLES = ("baked", "folded", "loadable")


def style_options(command: Command, styles: tuple[str, ...] = STYLES) -> Command:
    """``--style``, ``--wire`` and an option for each of `PARAMETERS`; those not given are None."""
    for name, text in reversed(PARAMETERS.items()):
        command = click.option(f"--{name.replace('_', '-')}", type=int, help=text)(command)
    command = click.option(
        "--wire", help="Format of the features in a frame; default: the model's input format."
    )(command)
    return click.option(
        "--style",
        type=click.Choice(styles),
        default="folded",
        show_default=True,
        help="Constants; block RAM and multipliers; LUT RAM.",
    )(command)


SHAPE = {
    "instruments": "events: instruments on the line.",
    "paths": "events: of them so many, the first ones, with book, features and state of their own.",
    "window_bits": "events: the book holds 2^N ticks of prices.",
    "levels": "events: levels of a side that features see.",
    "lanes": "events: arguments of logarithms a cycle, 1 to 4.",
    "rules": "events: rules of the policy that there is room for, 2 to 16.",
}
"""Parameter of a feature path → help; defaults: `hls.emit.events.EventShape`."""


def top_option(command: Command) -> Command:
    """``--top``: what goes in."""
    return click.option(
        "--top",
        type=click.Choice(("frames", "events")),
        default="frames",
        show_default=True,
        help="What goes in: frames of features, or market events (out come decision words).",
    )(command)


def require_frames(
    top: str, shape: dict[str, int], config: Path | None, parameters: dict[str, int]
) -> None:
    """Refuse options of the other top.

    Raises:
        UsageError: one of them was given.
    """
    if top == "frames" and (shape or config):
        raise UsageError("--config and the options of events belong to --top events")
    if top == "events" and "clocks" in parameters:
        raise UsageError("--wire and --clocks belong to --top frames")


def shape_options(command: Command) -> Command:
    """An option for each of `SHAPE`; those not given are None."""
    for name, text in reversed(SHAPE.items()):
        command = click.option(f"--{name.replace('_', '-')}", type=int, help=text)(command)
    return command


def given(parameters: dict[str, int | None]) -> dict[str, int]:
    """Those that were given."""
    return {name: value for name, value in parameters.items() if value is not None}


def as_words(style: str, wire: str | None, parameters: dict[str, int]) -> str:
    """The same as words of a command line."""
    words = [f"--style {style}", *([f'--wire "{wire}"'] if wire else [])]
    return " ".join(words + [f"--{k.replace('_', '-')} {v}" for k, v in parameters.items()])
