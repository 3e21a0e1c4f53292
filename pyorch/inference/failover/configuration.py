"""The order of engines and the settings of a group as a TOML file, which `pyorch place` writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from pyorch.contract.bundle import Bundle
from pyorch.contract.digest import write_atomically
from pyorch.contract.errors import UsageError
from pyorch.contract.settings_file import read_settings
from pyorch.inference.failover.group import EngineGroup
from pyorch.inference.failover.settings import FailoverSettings, Mode

INLINE = ("cpu", "reference")
"""Engines that cannot hang: they run on the caller's thread."""


class EnginesConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which engines answer, in which order, and by when.

    Attributes:
        order: engines by name, the preferred one first.
        mode, every: as in `FailoverSettings`.
        deadline_us: from the features to the answer; engines are waited for half of it.
        checkpoint_ticks, probation_ticks: as in `FailoverSettings`.
        retry_ms: before the first attempt to open a failed engine again.
        options: engine → options of its ``open``.
    """

    order: tuple[str, ...]
    deadline_us: float = 1000.0
    mode: Mode = "passive"
    every: int = 1
    checkpoint_ticks: int = 64
    probation_ticks: int = 256
    retry_ms: float = 1000.0
    options: dict[str, dict[str, Any]] = {}

    def settings(self) -> FailoverSettings:
        """The settings of the group.

        Raises:
            UsageError: values that exclude each other.
        """
        deadline_ns = int(1000 * self.deadline_us)
        return FailoverSettings(
            mode=self.mode,
            every=self.every,
            deadline_ns=deadline_ns,
            patience_ns=deadline_ns // 2,
            hung_ns=20 * deadline_ns,
            checkpoint_ticks=self.checkpoint_ticks,
            probation_ticks=self.probation_ticks,
            retry_ns=int(1_000_000 * self.retry_ms),
        )


def load_engines(path: Path) -> EnginesConfig:
    """Read a configuration.

    Raises:
        UsageError: unreadable, not TOML, an unknown key or a value of another kind; the message names
            file, line and key.
    """
    config, _ = read_settings(path, EnginesConfig)
    if not config.order or len(set(config.order)) != len(config.order):
        raise UsageError(f"{path}: order = {list(config.order)}: one or more engines, each once")
    return config


def save_engines(config: EnginesConfig, path: Path, note: str) -> None:
    """Write a configuration, ``note`` as its first line."""
    import tomli_w

    text = tomli_w.dumps(msgspec.to_builtins(config))
    write_atomically(path, f"# {note}\n{text}".encode())


def open_group(bundle: Bundle, config: EnginesConfig) -> EngineGroup:
    """Open the engines of a configuration as a group.

    Raises:
        UsageError: an engine has no such name, or the settings exclude each other.
        DeviceError: none opens.
    """
    from functools import partial

    from pyorch.inference.registry import engine_names

    if unknown := [name for name in config.order if name not in engine_names()]:
        raise UsageError(f"no engine is called {unknown[0]!r}; installed are {engine_names()}")
    openers = {
        name: partial(_open, name, bundle, config.options.get(name, {})) for name in config.order
    }
    inline = tuple(name for name in config.order if name in INLINE)
    return EngineGroup(bundle, openers, config.settings(), inline=inline)


def _open(name: str, bundle: Bundle, options: dict[str, Any]) -> Any:
    from pyorch.inference.registry import engine_class

    return engine_class(name).open(bundle, **options)
