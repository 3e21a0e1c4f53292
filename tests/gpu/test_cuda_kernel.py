"""The CUDA kernel's arithmetic on the CPU: the same functions, the same packed arrays; nvcc compiles it."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import gpu_fallback.kernels.library as library
from gpu_fallback.kernels.engine import CudaEngine
from gpu_fallback.kernels.program import SHARED_BYTES, pack
from pyorch.app.shipped import shipped_bundle
from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import BuildError, EnvironmentMissingError, ModelError
from pyorch.contract.fixed import FixedFormat, IntArray, Overflow
from pyorch.contract.model import Activation
from pyorch.contract.precision import PRESETS
from pyorch.inference.complete import random_features
from pyorch.inference.cpu import native_engine
from pyorch.inference.reference import ReferenceEngine, run_sequence
from pyorch.inference.sample import random_bundle
from sim.cuda_stand_in import build_host_model

pytestmark = pytest.mark.slow
DEFAULT, NARROW = PRESETS["default"], PRESETS["narrow"]
BYTE_H = replace(DEFAULT, hidden=FixedFormat(8, 1))
MODELS: dict[str, Callable[[], Bundle]] = {
    "shipped": lambda: Bundle.load(shipped_bundle()),
    "narrow": lambda: random_bundle(1, 6, (20,), NARROW),
    "odd sizes, relu layer wider than its input": lambda: random_bundle(
        2, 3, (5, 7), hidden_dense=(19, 2)
    ),
    "extreme weights": lambda: random_bundle(3, 16, (33,), extreme=True),
    "stock table rule": lambda: random_bundle(4, 6, (8,), replace(DEFAULT, index="hls4ml")),
    "small, 2 x 96": lambda: random_bundle(5, 128, (96, 96), BYTE_H),
    "medium, 3 x 160": lambda: random_bundle(6, 192, (160, 160, 160), BYTE_H),
    "2 x 100": lambda: random_bundle(7, 100, (100, 100), DEFAULT),
}


@pytest.fixture(scope="session")
def host_model(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    return build_host_model(tmp_path_factory.mktemp("cuda"))


class HostModel:
    """A packed model stepped on the CPU."""

    def __init__(self, loaded: ctypes.CDLL, bundle: Bundle, blocks: int | None = None) -> None:
        self.packed = pack(bundle, blocks)
        self._outputs = len(bundle.spec.outputs)
        self._library = loaded
        self._model = ctypes.c_void_p(loaded.host_model_new(self.packed.data))

    def steps(self, features: IntArray) -> IntArray:
        values = np.ascontiguousarray(features, np.int32)
        logits = np.empty((len(values), self._outputs), np.int32)
        self._library.host_model_steps(
            self._model, values.ctypes.data_as(ctypes.c_void_p),
            logits.ctypes.data_as(ctypes.c_void_p), len(values),
        )  # fmt: skip
        return logits.astype(np.int64)

    def state(self, values: IntArray | None = None) -> IntArray:
        state = np.zeros(self.packed.state_values, np.int32)
        if values is not None:
            state[:] = values
        pointer = state.ctypes.data_as(ctypes.c_void_p)
        self._library.host_model_state(self._model, pointer, int(values is not None))
        return state.astype(np.int64)

    def close(self) -> None:
        self._library.host_model_delete(self._model)


def streams(bundle: Bundle, steps: int) -> IntArray:
    features = random_features(np.random.default_rng(1), bundle.spec, (steps,))
    features[steps // 3 : steps // 2] = bundle.spec.input.maximum
    features[steps // 2 : 2 * steps // 3] = bundle.spec.input.minimum
    return features


@pytest.mark.parametrize("model", MODELS)
def test_the_cell_is_the_references(host_model: ctypes.CDLL, model: str) -> None:
    bundle = MODELS[model]()
    features = streams(bundle, 120)
    body = HostModel(host_model, bundle)
    np.testing.assert_array_equal(body.steps(features), run_sequence(bundle, features)[0])
    assert body.packed.shared_bytes <= SHARED_BYTES
    body.close()


@pytest.mark.parametrize("blocks", [1, 2, 4, 8])
def test_every_number_of_blocks_gives_the_same_bits(host_model: ctypes.CDLL, blocks: int) -> None:
    bundle = random_bundle(8, 10, (16, 8), hidden_dense=(5,))
    features = streams(bundle, 60)
    body = HostModel(host_model, bundle, blocks)
    assert body.packed.geometry.blocks == blocks
    np.testing.assert_array_equal(body.steps(features), run_sequence(bundle, features)[0])


def compared_with_native(host_model: ctypes.CDLL, bundle: Bundle, steps: int) -> int:
    """Logits that differ from the native engine's, which other tests hold to the reference."""
    native, body = native_engine(bundle), HostModel(host_model, bundle)
    wrong, rng = 0, np.random.default_rng(2)
    for _ in range(steps // 10_000):
        features = random_features(rng, bundle.spec, (10_000,))
        expected = native.run(features.astype(np.int32))[0]
        wrong += int((np.asarray(expected) != body.steps(features)).sum())
    return wrong


def test_long_streams_are_equal(host_model: ctypes.CDLL) -> None:
    assert compared_with_native(host_model, MODELS["shipped"](), 20_000) == 0


@pytest.mark.full
@pytest.mark.parametrize("preset", PRESETS)
def test_a_million_steps_are_equal(host_model: ctypes.CDLL, preset: str) -> None:
    assert (
        compared_with_native(host_model, random_bundle(9, 16, (32,), PRESETS[preset]), 1_000_000)
        == 0
    )


def test_a_changed_weight_changes_answers(host_model: ctypes.CDLL) -> None:
    bundle = MODELS["narrow"]()
    kernel = bundle.weights["lstm_0.kernel"].copy()
    kernel[0, 0] += 1 if kernel[0, 0] < 0 else -1
    altered = replace(bundle, weights=bundle.weights | {"lstm_0.kernel": kernel})
    assert compared_with_native(host_model, bundle, 10_000) == 0
    features = streams(bundle, 500)
    answers = HostModel(host_model, altered).steps(features)
    assert (answers != run_sequence(bundle, features)[0]).sum() > 50


def test_state_is_h_and_c_of_every_layer(host_model: ctypes.CDLL) -> None:
    bundle = random_bundle(10, 4, (6, 3))
    features = streams(bundle, 30)
    first, second = HostModel(host_model, bundle), HostModel(host_model, bundle)
    first.steps(features[:11])
    reference = ReferenceEngine.open(bundle)
    for vector in features[:11]:
        reference.step(vector)
    state = reference.state()
    parts = [part for pair in zip(state.hidden, state.cell, strict=True) for part in pair]
    np.testing.assert_array_equal(first.state(), np.concatenate(parts))
    second.state(first.state())
    np.testing.assert_array_equal(
        second.steps(features[11:]), run_sequence(bundle, features)[0][11:]
    )


def test_what_the_kernel_does_not_carry_is_refused_by_layer_and_limit() -> None:
    wide = replace(DEFAULT, kernel=FixedFormat(12, 1))
    with pytest.raises(
        ModelError, match=r"lstm_0: weights fixed<12.*signed weights of at most 8 bits"
    ):
        pack(random_bundle(1, 3, (4,), wide))
    with pytest.raises(ModelError, match="lstm_0: WRAP is not carried by the CUDA kernel; use SAT"):
        wrap = FixedFormat(9, 2, overflow=Overflow.WRAP)
        pack(random_bundle(1, 3, (4,), replace(DEFAULT, cell=wrap)))
    with pytest.raises(ModelError, match="lstm_0: hard activations"):
        pack(random_bundle(1, 3, (4,), activation=Activation("tanh", "hard", slope=1)))
    with pytest.raises(ModelError, match=r"more than 32 bits .* the fast class only"):
        pack(
            random_bundle(
                1, 3, (4,), replace(DEFAULT, cell=FixedFormat(24, 6), table=FixedFormat(16, 2))
            )
        )
    with pytest.raises(ModelError, match=r"6 layers, the CUDA kernel carries 5"):
        pack(random_bundle(1, 3, (4, 4, 4), hidden_dense=(3, 3)))
    with pytest.raises(
        ModelError, match="7 units do not divide among 2 blocks; use the CPU engine"
    ):
        pack(random_bundle(1, 3, (7,)), 2)
    with pytest.raises(
        ModelError, match=r"bytes of shared memory in each of 8 blocks, the limit is 232448"
    ):
        pack(random_bundle(1, 16, (736,), BYTE_H))


@pytest.fixture(scope="session")
def assembler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    try:
        library.cuda_folder()
    except EnvironmentMissingError as error:
        pytest.skip(f"the kernel is not compiled for a GPU: {error}")
    yield library.compile_kernel(tmp_path_factory.mktemp("nvcc") / "kernel.so")


def test_nvcc_compiles_the_kernel_without_spills(assembler: str) -> None:
    entries = re.findall(r"Compiling entry function '(\w+)'", assembler)
    assert len(entries) == 5, (
        "persistent and single-launch, each with and without a cluster; ping-pong"
    )
    spills = re.findall(r"(\d+) bytes spill stores, (\d+) bytes spill loads", assembler)
    assert spills == [("0", "0")] * 5
    registers = [int(count) for count in re.findall(r"Used (\d+) registers", assembler)]
    assert max(registers) <= 64, "1,024 threads share 65,536 registers"


def test_missing_tools_and_compile_errors_say_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    fake = tmp_path / "bin" / "nvcc"
    fake.write_text("#!/bin/sh\necho 'x.cu(3): error: nothing fits' >&2; exit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("CUDA_HOME", str(tmp_path))
    with pytest.raises(BuildError, match=r"nvcc sm_90a: x\.cu\(3\): error: nothing fits"):
        library.compile_kernel(tmp_path / "k.so")
    assert not list(tmp_path.glob("k.so*"))
    monkeypatch.delenv("CUDA_HOME")
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(library.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        EnvironmentMissingError, match="no nvcc: install the extra `cuda`, or set CUDA_HOME"
    ):
        library.cuda_folder()


def test_without_a_gpu_the_engine_says_so() -> None:
    if Path("/dev/nvidiactl").exists():
        pytest.skip("this machine has a GPU: the conformance suite runs the engine")
    with pytest.raises(EnvironmentMissingError, match="no NVIDIA GPU on this machine"):
        CudaEngine.open(MODELS["narrow"]())
