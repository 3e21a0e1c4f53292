"""Settings in TOML files: read once, checked against a type, errors that name file, line and key."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import TypeVar

import msgspec

from pyorch.contract.errors import UsageError

Settings = TypeVar("Settings")


def read_settings(path: Path, kind: type[Settings]) -> tuple[Settings, str]:
    """A file's settings, and its text.

    Raises:
        UsageError: unreadable, not TOML, an unknown key, or a value of another kind or outside its limits.
    """
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read as text: {error}") from error
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: not TOML: {error}") from error
    try:
        return msgspec.convert(values, kind), text
    except msgspec.ValidationError as error:
        raise UsageError(f"{where(path, text, str(error))}: {error}") from error


def where(path: Path, text: str, message: str) -> str:
    """``path:line`` of the key that a msgspec message (``... - at `$.rules[0].name` ``) names."""
    located = re.search(r"at `\$\.?(.*)`$", message)
    unknown = re.search(r"unknown field `(\w+)`", message)
    parts = re.findall(r"(\w+)(?:\[(\d+|\.\.\.)\])?", located[1]) if located else []
    keys = [(name, int(index) if index.isdigit() else 0) for name, index in parts]
    if unknown:
        keys.append((unknown[1], 0))
    return f"{path}:{line_of(text, keys)}" if keys else str(path)


def line_of(text: str, keys: list[tuple[str, int]]) -> int:
    """The line of a key below its tables (the nearest that exists), counted from 1."""
    lines = text.splitlines()
    at = 0
    for depth, (name, index) in enumerate(keys):
        pattern = rf"\s*\[\[?{name}\]\]?" if depth == 0 else rf"(.*[{{,\s]|){name}\s*="
        for _ in range(index + 1 if depth == 0 else 1):
            found = [i for i, line in enumerate(lines) if i >= at and re.match(pattern, line)]
            if not found:
                return max(at, 1)
            at = found[0] + 1
    return at
