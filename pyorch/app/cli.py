"""``pyorch VERB``: the verbs of every installed package, found by entry point."""

from __future__ import annotations

import sys
from importlib.metadata import entry_points

import click
from rich.console import Console

import pyorch
from pyorch.contract.errors import PyorchError

INTERRUPTED = 130


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(pyorch.__version__)
def cli() -> None:
    """Quantised LSTMs from a recorded market to a quote, the same bits on every engine."""


@cli.group()
def bench() -> None:
    """Measure us and our peers in one run."""


def _load_commands() -> None:
    for entry in sorted(entry_points(group="pyorch.benchmarks"), key=lambda e: e.name):
        bench.add_command(entry.load(), entry.name)
    for entry in sorted(entry_points(group="pyorch.commands"), key=lambda e: e.name):
        for command in entry.load():
            cli.add_command(command)


def main() -> None:
    """Run the command line; a `PyorchError` becomes its message and exit code."""
    _load_commands()
    try:
        cli(standalone_mode=False)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.exceptions.Abort, KeyboardInterrupt):
        sys.exit(INTERRUPTED)
    except PyorchError as error:
        console = Console(stderr=True, soft_wrap=True)
        console.print(f"[bold red]{type(error).__name__}[/]", end=": ")
        console.print(str(error), markup=False, highlight=False)
        sys.exit(error.exit_code)
