"""`pyorch bench gpu` without a GPU: its error, and its figures from a stand-in that computes on the CPU."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import gpu_fallback.kernels.library as library
from gpu_fallback import bench
from pyorch.contract.errors import DeviceError, EnvironmentMissingError, UsageError
from sim.cuda_stand_in import StandInKernel, build_host_model


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> StandInKernel:
    return StandInKernel(build_host_model(tmp_path_factory.mktemp("cuda")))


def run(kernel: Any, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Any:
    monkeypatch.setattr(library.Kernel, "load", classmethod(lambda cls: kernel))
    monkeypatch.setattr(bench, "WINDOWS", 3)
    return CliRunner().invoke(bench.gpu, ["--ticks", "50", "--checked", "40", "--json", *arguments])


@pytest.mark.parametrize(
    "names", [("demo",), pytest.param(("demo", *bench.SHAPES), marks=pytest.mark.full)]
)
def test_every_case_is_compared_and_timed(
    names: tuple[str, ...], kernel: StandInKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = [part for name in names for part in ("--case", name)]
    result = run(kernel, monkeypatch, *named)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["ok"] and found["digests"]["gpu"] == "stand-in, compute capability 9.0"
    assert list(found["peers"]) == list(names)
    assert found["figures"]["ping_pong_p50_ns"] == 1024.5
    for values in found["peers"].values():
        assert values["wrong_logits"] == 0 and values["checked_ticks"] == 40
        assert values["persistent_p50_ns"] == 2024.5 and values["persistent_max_ns"] == 2049
        assert (values["graph_p50_ns"], values["launch_p50_ns"]) == (5024.5, 7024.5)
        assert values["window_p50_ns"] > 0
    if "3x160_t96_f192" in names:
        assert found["peers"]["3x160_t96_f192"]["blocks"] > 1
    assert "demo: tensorrt not measured: " in result.stderr
    assert "demo: torch not measured: " in result.stderr
    assert not kernel.alive


def test_a_kernel_that_computes_something_else_fails(
    kernel: StandInKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Wrong(StandInKernel):
        def _step(self, model: Any, x: Any, logits: Any, timeout: Any) -> None:
            super()._step(model, x, logits, timeout)
            values = np.ctypeslib.as_array((bench.ctypes.c_int32 * 1).from_address(logits.value))
            values[0] ^= 1

    result = run(Wrong(kernel._host), monkeypatch, "--case", "demo")
    assert result.exit_code == 1 and json.loads(result.stdout)["ok"] is False
    assert json.loads(result.stdout)["peers"]["demo"]["wrong_logits"] == 40


def test_a_window_is_the_last_step_of_its_vectors(kernel: StandInKernel) -> None:
    (case,) = bench.cases(None, ("demo",))
    spec = case.bundle.spec
    cell = bench._cell(kernel, case.bundle)
    vectors = np.random.default_rng(1).integers(-99, 99, (case.steps, spec.features))
    whole = cell.window(bench._kind(vectors))
    cell.carry([np.zeros((1, spec.lstm_layers[0].units), np.int32)] * 2)
    steps = [cell.step(vector[None].astype(np.int32)) for vector in vectors]
    np.testing.assert_array_equal(whole, steps[-1])
    with pytest.raises(DeviceError, match="the persistent kernel holds the mailbox"):
        cell.launch_times(1, 4)
    cell.close()


def test_an_unknown_case_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match="no case is called '9x9'; there are demo, 2x96_t64_f128"):
        list(bench.cases(None, ("9x9",)))


def test_without_a_gpu_it_says_what_is_missing() -> None:
    if Path("/dev/nvidiactl").exists():
        pytest.skip("this machine has a GPU")
    result = CliRunner().invoke(bench.gpu, ["--json", "--case", "demo"])
    assert isinstance(result.exception, EnvironmentMissingError) and result.stdout == ""
    assert "no NVIDIA GPU on this machine; the engine `cuda` needs one" in str(result.exception)
