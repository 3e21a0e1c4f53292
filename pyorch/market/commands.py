"""Verbs that this package adds to the command line; imports happen inside the verbs."""

from __future__ import annotations

import click

COMMANDS: list[click.Command] = []
