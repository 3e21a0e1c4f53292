"""TensorRT's two Python packages behind one name: `tensorrt` (10, 11) and `tensorrt_rtx`."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

from pyorch.contract.errors import EnvironmentMissingError, UsageError

PACKAGES = ("tensorrt", "tensorrt_rtx")


@dataclass(frozen=True, slots=True)
class Api:
    """One of the packages, imported.

    Attributes:
        name: ``tensorrt`` or ``tensorrt_rtx``.
        version: of the library; serialised engines belong to exactly one.
        module: the package.
    """

    name: str
    version: str
    module: Any

    def logger(self) -> Any:
        """A logger that passes on errors."""
        return self.module.Logger(self.module.Logger.ERROR)


def load_api(name: str | None = None) -> Api:
    """The named package, or the first of `PACKAGES` that imports.

    Raises:
        UsageError: another name.
        EnvironmentMissingError: it does not import; the message says what to install.
    """
    if name is not None and name not in PACKAGES:
        raise UsageError(f"there is no TensorRT package {name!r}; choose {' or '.join(PACKAGES)}")
    failures = []
    for package in (name,) if name is not None else PACKAGES:
        try:
            module = import_module(package)
        except (ImportError, OSError) as error:
            failures.append(f"{package}: {error}")
            continue
        return Api(package, module.__version__, module)
    raise EnvironmentMissingError(
        "; ".join(failures) + "; install the extra `gpu` (tensorrt_rtx) or `tensorrt`"
    )
