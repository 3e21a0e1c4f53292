"""Bundles: the one thing that engines load.

A bundle is a folder::

    manifest.json            specification, digests, tool versions, SHA-256 of every file
    weights/NAME.npy         raw integers: weights, tables, calibration
    golden/NAME.npy          golden vectors: features, logits and scores of windows and of a long sequence
    features.json            the feature schema (absent for models that are not on features)
    artifacts/...            whatever was built from it

`manifest.json` is canonical JSON followed by a newline and holds the digest of the rest of itself, so any
changed byte of any file is found when the bundle is opened.
"""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyorch.contract.digest import (
    canonical_json,
    digest_of,
    digest_of_bytes,
    digest_of_file,
    write_atomically,
)
from pyorch.contract.errors import BundleError
from pyorch.contract.fixed import IntArray
from pyorch.contract.model import ModelSpec
from pyorch.contract.schema import FeatureSchema

FORMAT = 1
"""Version of the folder's layout."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A model with its integers, golden vectors and provenance, in memory.

    Attributes:
        spec: layers, formats and heads.
        weights: name → int64 array of raw integers: ``{layer}.kernel`` and so on, ``exp_table``,
            ``sigmoid_table`` (uint16 range), ``calibration`` [outputs, 17].
        golden: ``window_features`` [n, T, F], ``window_logits`` [n, O], ``window_scores`` [n, O],
            ``sequence_features`` [m, F], ``sequence_logits`` [m, O], ``sequence_scores`` [m, O].
        schema: the feature schema, or None.
        provenance: free-form JSON: tool versions, training figures, digests of inputs, seeds.
    """

    spec: ModelSpec
    weights: dict[str, IntArray]
    golden: dict[str, IntArray] = field(default_factory=dict)
    schema: FeatureSchema | None = None
    provenance: dict[str, Any] = field(default_factory=dict)

    def digest(self) -> str:
        """The model digest: specification, weights, tables, calibration; not golden vectors, provenance."""
        return digest_of(
            {
                "spec": self.spec.to_json(),
                "weights": {n: digest_of_bytes(_npy(a)) for n, a in self.weights.items()},
            }
        )

    def save(self, folder: Path) -> None:
        """Write the folder whole or not at all (a temporary folder beside it, then a rename).

        An existing bundle of that name is replaced.

        Raises:
            BundleError: ``folder`` exists and is not a bundle.
        """
        if folder.exists() and not (folder / "manifest.json").exists():
            raise BundleError(
                f"{folder} exists and is not a bundle (no manifest.json): choose another name"
            )
        temporary = folder.with_name(f".{folder.name}.partial")
        shutil.rmtree(temporary, ignore_errors=True)
        files: dict[str, bytes] = {}
        for group, arrays in (("weights", self.weights), ("golden", self.golden)):
            for name, array in arrays.items():
                files[f"{group}/{name}.npy"] = _npy(array)
        if self.schema is not None:
            files["features.json"] = canonical_json(self.schema.to_json()) + b"\n"
        manifest: dict[str, Any] = {
            "format": FORMAT,
            "model": self.spec.to_json(),
            "model_digest": self.digest(),
            "feature_schema": self.schema.digest() if self.schema is not None else "",
            "files": {name: digest_of_bytes(data) for name, data in files.items()},
            "provenance": self.provenance,
        }
        manifest["digest"] = digest_of(manifest)
        files["manifest.json"] = canonical_json(manifest) + b"\n"
        try:
            for name, data in files.items():
                path = temporary / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
            if folder.exists():
                shutil.rmtree(folder)
            temporary.rename(folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    @classmethod
    def load(cls, folder: Path) -> Bundle:
        """Read a bundle and check every byte of it.

        Raises:
            BundleError: not a bundle, another format, a missing, extra or changed file.
        """
        manifest = read_manifest(folder)
        listed: dict[str, str] = manifest["files"]
        for name, expected in listed.items():
            path = folder / name
            if not path.is_file():
                raise BundleError(f"{folder}: {name} is missing; build the bundle again")
            actual = digest_of_file(path)
            if actual != expected:
                raise BundleError(
                    f"{folder}: {name} has SHA-256 {actual[:12]}…, the manifest says {expected[:12]}…; "
                    "the file was changed or damaged, build the bundle again"
                )
        spec = ModelSpec.from_json(manifest["model"])
        arrays: dict[str, dict[str, IntArray]] = {"weights": {}, "golden": {}}
        for name in listed:
            group = name.split("/")[0]
            if group in arrays:
                array = np.load(folder / name, allow_pickle=False)
                arrays[group][Path(name).stem] = array.astype(np.int64)
        schema = None
        if "features.json" in listed:
            schema = FeatureSchema.from_json(json.loads((folder / "features.json").read_bytes()))
            if (
                schema.digest() != manifest["feature_schema"]
                or schema.digest() != spec.feature_schema
            ):
                raise BundleError(
                    f"{folder}: the feature schema's digest {schema.digest()[:12]}… is not the model's "
                    f"{spec.feature_schema[:12]}…; model and features do not belong together"
                )
        bundle = cls(spec, arrays["weights"], arrays["golden"], schema, manifest["provenance"])
        if bundle.digest() != manifest["model_digest"]:
            raise BundleError(
                f"{folder}: the model digest does not match its weights; build the bundle again"
            )
        return bundle


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest alone, its own digest and layout version checked.

    Raises:
        BundleError: no manifest, unreadable, changed, or of another layout version.
    """
    path = folder / "manifest.json"
    if not path.is_file():
        raise BundleError(
            f"{folder} is not a bundle: it has no manifest.json; make one with `pyorch convert`"
        )
    data = path.read_bytes()
    try:
        manifest: dict[str, Any] = json.loads(data)
        stated = manifest.pop("digest")
        whole = canonical_json(manifest | {"digest": stated}) + b"\n"
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise BundleError(
            f"{path}: not a readable manifest ({error}); build the bundle again"
        ) from error
    if whole != data or digest_of(manifest) != stated:
        raise BundleError(
            f"{path}: the manifest was changed or damaged (its digest does not match)"
        )
    if manifest.get("format") != FORMAT:
        raise BundleError(
            f"{path}: layout version {manifest.get('format')!r}, this program reads {FORMAT}; "
            "convert the model again"
        )
    return manifest


def add_artifact(
    folder: Path, name: str, sources: Mapping[str, Path], facts: Mapping[str, Any]
) -> Path:
    """Store what was built from a bundle in it, as ``artifacts/NAME-…``, with its SHA-256 in the manifest.

    An artifact of that name is replaced. At every moment the bundle is whole: the new files come first, then
    the manifest that lists them, then the old files go.

    Args:
        sources: name of a file → where it is now.
        facts: JSON about them; the manifest's ``artifacts`` → NAME, with ``folder`` added.

    Returns:
        The artifact's folder.

    Raises:
        BundleError: not a bundle.
    """
    manifest = read_manifest(folder)
    data = {file: path.read_bytes() for file, path in sources.items()}
    digests = {file: digest_of_bytes(content) for file, content in data.items()}
    place = f"artifacts/{name}-{digest_of({'files': digests, 'facts': dict(facts)})[:12]}"
    artifacts: dict[str, Any] = manifest.get("artifacts", {})
    old = artifacts.get(name, {}).get("folder", "")
    for file, content in data.items():
        write_atomically(folder / place / file, content)
    listed = {
        file: sha
        for file, sha in manifest["files"].items()
        if not old or not file.startswith(f"{old}/")
    }
    manifest["files"] = listed | {f"{place}/{file}": sha for file, sha in digests.items()}
    manifest["artifacts"] = artifacts | {name: {**facts, "folder": place}}
    manifest["digest"] = digest_of(manifest)
    write_atomically(folder / "manifest.json", canonical_json(manifest) + b"\n")
    if old and old != place:
        shutil.rmtree(folder / old, ignore_errors=True)
    return folder / place


def _npy(array: NDArray[Any]) -> bytes:
    """A `.npy` file of the smallest signed type that holds the integers."""
    values = np.asarray(array, dtype=np.int64)
    low, high = (int(values.min()), int(values.max())) if values.size else (0, 0)
    for kind in (np.int8, np.int16, np.int32, np.int64):
        if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max:
            break
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(values.astype(kind)), allow_pickle=False)
    return buffer.getvalue()
