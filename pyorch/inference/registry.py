"""Engines by name: every package brings its own through the entry-point group ``pyorch.engines``."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Any

from pyorch.contract.bundle import Bundle
from pyorch.contract.engine import Engine
from pyorch.contract.errors import DeviceError, EnvironmentMissingError, UsageError

GROUP = "pyorch.engines"


def engine_names() -> list[str]:
    """Names of all installed engines, whether or not this machine can open them."""
    return sorted(entry.name for entry in _entries())


def engine_class(name: str) -> type[Engine]:
    """The engine's class.

    Raises:
        UsageError: no engine has this name; the message lists those installed.
        EnvironmentMissingError: a package that the engine imports is missing.
    """
    for entry in _entries():
        if entry.name == name:
            try:
                found: type[Engine] = entry.load()
            except ImportError as error:
                raise EnvironmentMissingError(
                    f"engine {name!r} does not import here: {error}; install the extra that brings it"
                ) from error
            return found
    raise UsageError(f"no engine is called {name!r}; installed are {engine_names()}")


def open_engine(name: str, bundle: Bundle, **options: Any) -> Engine:
    """Open a bundle on an engine by name; golden vectors are replayed.

    Raises:
        UsageError: no engine has this name.
        EnvironmentMissingError: this machine cannot run it; the message lists the engines that open here.
        PyorchError: as the engine's own ``open``.
    """
    try:
        return engine_class(name).open(bundle, **options)
    except (EnvironmentMissingError, DeviceError) as error:
        opening, _ = openable_engines(bundle, without=name)
        raise EnvironmentMissingError(
            f"engine {name!r} cannot be opened on this machine: {error}. Engines that open here: {opening}"
        ) from error


def openable_engines(bundle: Bundle, without: str = "") -> tuple[list[str], dict[str, str]]:
    """(names of the engines that open this bundle on this machine, name → reason of the others).

    Errors other than a missing environment or device are not reasons but faults: they pass through.
    """
    opening: list[str] = []
    refused: dict[str, str] = {}
    for name in engine_names():
        if name == without:
            continue
        try:
            engine_class(name).open(bundle).close()
            opening.append(name)
        except (EnvironmentMissingError, DeviceError) as error:
            refused[name] = str(error)
    return opening, refused


def _entries() -> list[EntryPoint]:
    return list(entry_points(group=GROUP))
