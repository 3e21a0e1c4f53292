"""What ships with the project: a tiny trained bundle, made by `pyorch train` and `pyorch convert`."""

from __future__ import annotations

from pathlib import Path

from pyorch.contract.errors import BundleError


def shipped_bundle() -> Path:
    """The folder of the bundle that ships with pyorch.

    Raises:
        BundleError: this installation has none.
    """
    folder = Path(__file__).parents[1] / "shipped" / "tiny"
    if not (folder / "manifest.json").is_file():
        raise BundleError(
            f"{folder}: this installation of pyorch has no bundle of its own; give one with --bundle"
        )
    return folder
