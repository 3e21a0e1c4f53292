"""Built engines on disk, under a key of all that they depend on."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gpu_fallback.trt.api import Api
from gpu_fallback.trt.builder import Settings, build_engine
from pyorch.contract.digest import digest_of, digest_of_bytes, write_atomically
from pyorch.contract.errors import MismatchError


def cache_folder() -> Path:
    """Where engines are kept: ``$PYORCH_CACHE/tensorrt`` or ``~/.cache/pyorch/tensorrt``."""
    if stated := os.environ.get("PYORCH_CACHE"):
        return Path(stated) / "tensorrt"
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "pyorch" / "tensorrt"


def cached_engine(
    api: Api,
    model: bytes,
    settings: Settings,
    device: str,
    folder: Path | None = None,
    build: Callable[[Api, bytes, Settings], bytes] = build_engine,
) -> bytes:
    """The engine of a model, from the cache or built and kept.

    An entry is two files, ``KEY.engine`` and ``KEY.json``, the second written last: an engine without
    it does not count.

    Args:
        api: the library.
        model: the ONNX model.
        settings: of the build.
        device: compute capability and name of the GPU on which it is built.
        folder: of the cache.
        build: what builds a missing one.

    Raises:
        MismatchError: the entry says another key or its engine has another digest than was written;
            nothing is deleted, the message names the file.
        BuildError, ModelError, UsageError: as `build_engine`.
    """
    folder = folder or cache_folder()
    facts: dict[str, Any] = {
        "model": digest_of_bytes(model),
        "api": api.name,
        "version": api.version,
        "device": device,
        "settings": settings.to_json(),
    }
    key = digest_of(facts)[:32]
    engine_path, facts_path = folder / f"{key}.engine", folder / f"{key}.json"
    if facts_path.is_file():
        return _read(engine_path, facts_path, facts)
    engine = build(api, model, settings)
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(engine_path, engine)
    record = facts | {"engine": digest_of_bytes(engine)}
    write_atomically(facts_path, (json.dumps(record, indent=1, sort_keys=True) + "\n").encode())
    return engine


def _read(engine_path: Path, facts_path: Path, facts: dict[str, Any]) -> bytes:
    try:
        record = json.loads(facts_path.read_text())
        engine = engine_path.read_bytes()
    except (OSError, ValueError) as error:
        raise MismatchError(
            f"{facts_path}: {error}; delete it and its .engine, they are built anew"
        ) from error
    stated = record.pop("engine", None) if isinstance(record, dict) else None
    if record != facts:
        names = sorted(name for name in {*facts, *record} if facts.get(name) != record.get(name))
        raise MismatchError(
            f"{facts_path}: {', '.join(names)} differ from those of its key; delete it, it is built anew"
        )
    actual = digest_of_bytes(engine)
    if stated != actual:
        raise MismatchError(
            f"{engine_path}: digest {actual[:16]}, written was {str(stated)[:16]}; delete it, it is "
            "built anew"
        )
    return engine
