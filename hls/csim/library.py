"""A compiled C simulation, driven with raw integers."""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from hls.csim.bridge import bridge_cpp
from hls.csim.project import Project, write_project
from hls.csim.readback import check_types, read_weights
from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import BuildError, EnvironmentMissingError, UsageError
from pyorch.contract.exclusive import exclusively
from pyorch.contract.fixed import IntArray
from pyorch.contract.model import LstmLayer

FLAGS = (
    "-O1",
    "-std=c++17",
    "-fPIC",
    "-shared",
    "-fno-gnu-unique",
    "-w",
    "-I.",
    "-Ifirmware/ap_types",
)
"""Integer arithmetic: the level of optimisation changes the time, not the result."""

LIBRARY = "csim.so"


@dataclass(frozen=True, slots=True)
class Trace:
    """Every step of a sequence: per LSTM layer h and c [m, units]; logits [m, O]."""

    hidden: tuple[IntArray, ...]
    cell: tuple[IntArray, ...]
    logits: IntArray


def cache_folder() -> Path:
    """Where compiled simulations are kept: ``PYORCH_CACHE``, or ``pyorch`` in the user's cache folder."""
    if stated := os.environ.get("PYORCH_CACHE"):
        return Path(stated) / "csim"
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "pyorch" / "csim"


class Simulation:
    """hls4ml's C++ of one bundle, compiled.

    Attributes:
        project: in its place in the cache; the folder's name is the digest of sources, bridge and compiler.
        digest: of sources, bridge and compiler.
        length: vectors a call of the top function.
    """

    def __init__(self, project: Project, digest: str) -> None:
        self.project = project
        self.digest = digest
        self.length = project.length
        folder = project.folder
        self._library = ctypes.CDLL(str(folder / LIBRARY))
        self._library.csim_weights.restype = ctypes.c_long
        self._library.csim_open(str(folder / "firmware" / "weights").encode())

    @classmethod
    def build(
        cls,
        bundle: Bundle,
        *,
        stock: bool = False,
        length: int | None = None,
        sequences: bool = False,
        cache: Path | None = None,
    ) -> Simulation:
        """Write the project, read its types and weights back, compile it unless the cache holds it.

        Raises:
            BuildError: hls4ml or g++ failed, or a type or weight is not what the bundle says.
            EnvironmentMissingError: no g++.
        """
        cache = cache_folder() if cache is None else cache
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix=".building-") as temporary:
            folder = Path(temporary) / "project"
            project = write_project(bundle, folder, stock=stock, length=length, sequences=sequences)
            check_types(project)
            bridge = bridge_cpp(project)
            parts = (project.digest(), bridge, _compiler_version(), *FLAGS)
            digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()
            target = cache / digest[:32]
            with exclusively(cache / f"{target.name}.lock"):
                if not (target / LIBRARY).is_file():
                    (folder / "bridge.cpp").write_text(bridge)
                    _compile(folder)
                    shutil.rmtree(target, ignore_errors=True)
                    folder.rename(target)
        project = replace(project, folder=target)
        simulation = cls(project, digest)
        read_weights(project, simulation.weights)
        return simulation

    @cached_property
    def outputs(self) -> int:
        """Integers that the top function returns."""
        return int(self.project.graph.get_output_variables()[0].size())

    def windows(self, features: IntArray) -> IntArray:
        """The project's top function: features [n, T, F] → its outputs [n, …].

        ``…`` is [O], or [T, units] of the last LSTM layer for a project of sequences.
        """
        shape = (self.length, self.project.bundle.spec.features)
        if features.shape[1:] != shape:
            raise UsageError(f"windows of {features.shape[1:]}; this simulation takes {shape}")
        source = np.ascontiguousarray(features, dtype=np.int64)
        result = np.empty((len(source), self.outputs), dtype=np.int64)
        self._library.csim_windows(ctypes.c_long(len(source)), _pointer(source), _pointer(result))
        if self.project.sequences:
            return result.reshape(len(source), self.length, -1)
        return result

    def steps(
        self,
        features: IntArray,
        hidden: Sequence[IntArray] | None = None,
        cell: Sequence[IntArray] | None = None,
    ) -> Trace:
        """Any number of steps, h and c carried: features [m, F] → every state and logit.

        The stack and the dense layers of the project, called with its own types and weights.

        Args:
            hidden, cell: per LSTM layer [units], what to start from; default: zero.
        """
        if self.project.stock or self.project.sequences:
            raise UsageError(
                "this simulation has no step function: only projects with our header have"
            )
        spec = self.project.bundle.spec
        if features.ndim != 2 or features.shape[1] != spec.features:
            raise UsageError(
                f"steps of {features.shape}; this simulation takes [m, {spec.features}]"
            )
        source = np.ascontiguousarray(features, dtype=np.int64)
        units = [layer.units for layer in spec.lstm_layers]
        states = np.empty((len(source), 2 * sum(units)), dtype=np.int64)
        logits = np.empty((len(source), self.outputs), dtype=np.int64)
        first = None
        if hidden is not None and cell is not None:
            pairs = [part for pair in zip(hidden, cell, strict=True) for part in pair]
            first = np.ascontiguousarray(np.concatenate(pairs), dtype=np.int64)
        self._library.csim_steps(
            ctypes.c_long(len(source)),
            None if first is None else _pointer(first),
            _pointer(source),
            _pointer(states),
            _pointer(logits),
        )
        edges = np.cumsum([size for unit in units for size in (unit, unit)])[:-1]
        parts = np.split(states, edges, axis=1)
        return Trace(tuple(parts[::2]), tuple(parts[1::2]), logits)

    def weights(self, name: str) -> IntArray:
        """A weight array of the compiled program, flat: raw integers."""
        size = self._library.csim_weights(name.encode(), None)
        values = np.empty(max(size, 0), dtype=np.int64)
        self._library.csim_weights(name.encode(), _pointer(values))
        return values

    def stock_tables(self) -> dict[str, IntArray]:
        """The tables that stock hls4ml builds with libm, under the bundle's names."""
        tables = {}
        for number, layer in enumerate(self.project.bundle.spec.layers):
            if isinstance(layer, LstmLayer):
                for kind, sigmoid in (("gate", 1), ("cell", 0)):
                    values = np.empty(1 << layer.gate.index_bits, dtype=np.int64)
                    self._library.csim_table(
                        ctypes.c_long(number), ctypes.c_long(sigmoid), _pointer(values)
                    )
                    tables[f"{layer.name}.{kind}_table"] = values
        return tables


def _pointer(array: IntArray) -> Any:
    return array.ctypes.data_as(ctypes.POINTER(ctypes.c_longlong))


def _compiler_version() -> str:
    if shutil.which("g++") is None:
        raise EnvironmentMissingError(
            "the C simulation needs g++, which is not installed: sudo apt-get install -y g++"
        )
    return subprocess.run(
        ["g++", "-dumpfullversion", "-dumpmachine"], capture_output=True, text=True, check=True
    ).stdout


def _compile(folder: Path) -> None:
    command = ["g++", *FLAGS, "bridge.cpp", "-o", LIBRARY]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if result.returncode:
        errors = [line for line in result.stderr.splitlines() if "error" in line][:4]
        raise BuildError(
            "the C simulation did not compile: "
            + "; ".join(errors or result.stderr.splitlines()[-4:])
        )
