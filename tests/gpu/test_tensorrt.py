"""TensorRT: engines build without a GPU, the cache refuses what does not belong, the runner keeps the
API's contract.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import gpu_fallback.trt.engine as engine_module
from gpu_fallback.bench import SHAPES, cases
from gpu_fallback.cuda import Cuda
from gpu_fallback.export.model import PRECISIONS, Precision, export_cell, export_window
from gpu_fallback.trt.api import Api, load_api
from gpu_fallback.trt.builder import Settings, build_engine
from gpu_fallback.trt.cache import cached_engine
from gpu_fallback.trt.engine import TensorRtEngine
from gpu_fallback.trt.runner import TensorRtCell
from pyorch.contract.errors import (
    BuildError,
    DeviceError,
    EnvironmentMissingError,
    MismatchError,
    ModelError,
    UsageError,
)
from pyorch.contract.precision import PRESETS
from pyorch.inference.complete import random_features
from pyorch.inference.reference import ReferenceEngine, run_sequence
from pyorch.inference.sample import random_bundle
from sim.tensorrt_stand_in import ContractBroken, StandInDriver, stand_in_tensorrt

pytest.importorskip("onnxruntime", reason="needs the extra `gpu`")

BUNDLE = random_bundle(1, 6, (9, 5))
WINDOWED = random_bundle(2, 4, (5,), mode="window", window=4)


def stand_in(version: str = "10.9.0") -> tuple[Api, StandInDriver]:
    driver = StandInDriver()
    return Api("tensorrt", version, stand_in_tensorrt(driver, version)), driver


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> StandInDriver:
    """The engine's library and driver are the stand-in; its cache is empty."""
    api, driver = stand_in()
    monkeypatch.setenv("PYORCH_CACHE", str(tmp_path))
    monkeypatch.setattr(engine_module, "load_api", lambda: api)
    monkeypatch.setattr(Cuda, "open", classmethod(lambda cls: cls(driver)))
    return driver


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("form", ["cell", "window"])
def test_tensorrt_rtx_builds_every_form_without_a_gpu(form: str, precision: Precision) -> None:
    pytest.importorskip("tensorrt_rtx", reason="needs the extra `gpu`")
    bundle = random_bundle(3, 16, (32,), PRESETS["narrow"])
    export = (
        export_cell(bundle, precision) if form == "cell" else export_window(bundle, precision, 4)
    )
    assert len(build_engine(load_api("tensorrt_rtx"), export)) > len(export) // 2


@pytest.mark.parametrize("case", ["demo", *SHAPES])
def test_tensorrt_rtx_builds_the_shipped_model_and_the_larger_shapes(case: str) -> None:
    pytest.importorskip("tensorrt_rtx", reason="needs the extra `gpu`")
    (found,) = cases(None, (case,))
    for precision in ("fp32", "fp16", "int8"):
        export = export_cell(found.bundle, precision)
        assert len(build_engine(load_api("tensorrt_rtx"), export)) > len(export) // 8


def test_tensorrt_rtx_names_what_it_cannot_build() -> None:
    pytest.importorskip("tensorrt_rtx", reason="needs the extra `gpu`")
    api = load_api("tensorrt_rtx")
    model = export_cell(BUNDLE, "fp32")
    with pytest.raises(UsageError, match="does not build for 'sm10' from afar; it names SM"):
        build_engine(api, model, Settings(compute_capability="sm10"))
    onnx = pytest.importorskip("onnx")
    broken = onnx.load_from_string(model)
    broken.graph.node[0].op_type = "Unheard"
    with pytest.raises(BuildError, match=r"tensorrt_rtx .* does not parse the graph: .*Unheard"):
        build_engine(api, broken.SerializeToString())


def test_every_tick_is_the_references_and_one_graph_launch(driver: StandInDriver) -> None:
    engine = TensorRtEngine.open(BUNDLE)
    assert engine.info.exact and engine.info.device == "stand-in, tensorrt 10.9.0"
    features = random_features(np.random.default_rng(1), BUNDLE.spec, (40,))
    logits, scores = run_sequence(BUNDLE, features)
    before = driver.launches
    for step, vector in enumerate(features):
        outputs = engine.step(vector)
        np.testing.assert_array_equal(outputs.logits, logits[step])
        np.testing.assert_array_equal(outputs.scores, scores[step])
    assert driver.launches == before + len(features)
    engine.close()
    engine.close()
    assert driver.leaks() == []


def test_state_goes_to_the_reference_and_back_in_mid_stream(driver: StandInDriver) -> None:
    engine, reference = TensorRtEngine.open(BUNDLE), ReferenceEngine.open(BUNDLE)
    features = random_features(np.random.default_rng(2), BUNDLE.spec, (21,))
    for cut in (0, 1, 8):
        for vector in features[:cut]:
            engine.step(vector)
        reference.load_state(engine.state())
        engine.window(features[:3])
        for vector in features[cut:]:
            left, right = engine.step(vector), reference.step(vector)
            np.testing.assert_array_equal(left.logits, right.logits)
        engine.load_state(reference.state())
        engine.reset()
    engine.close()
    assert driver.leaks() == []


def test_windows_slide_on_the_gpu(driver: StandInDriver) -> None:
    engine = TensorRtEngine.open(WINDOWED)
    features = random_features(np.random.default_rng(3), WINDOWED.spec, (12,))
    expected, _ = run_sequence(WINDOWED, features)
    for step, vector in enumerate(features):
        np.testing.assert_array_equal(engine.step(vector).logits, expected[step])


@pytest.mark.parametrize("version", ["10.9.0", "11.0.0"])
def test_both_versions_build_strongly_typed_networks(version: str) -> None:
    api, _ = stand_in(version)
    assert build_engine(api, export_cell(BUNDLE, "fp16")).startswith(b"stand-in")
    with pytest.raises(ModelError, match="Loop makes a loop"):
        onnx = pytest.importorskip("onnx")
        node = onnx.helper.make_node("Loop", ["", ""], ["y"], name="again")
        graph = onnx.helper.make_graph([node], "g", [], [])
        build_engine(api, onnx.helper.make_model(graph).SerializeToString())


def test_many_instruments_step_in_one_launch() -> None:
    api, driver = stand_in()
    cell = TensorRtCell(api, build_engine(api, export_cell(BUNDLE, "exact", batch=5)), Cuda(driver))
    features = random_features(np.random.default_rng(4), BUNDLE.spec, (9, 5))
    cell.carry([np.zeros((5, n), np.int32) for n in (9, 9, 5, 5)])
    answers = np.stack([cell.step(vectors.astype(np.int32)) for vectors in features])
    assert driver.launches == 9
    for instrument in range(5):
        expected, _ = run_sequence(BUNDLE, features[:, instrument])
        np.testing.assert_array_equal(answers[:, instrument], expected)


def test_the_cache_keeps_one_engine_a_key_and_refuses_damaged_ones(tmp_path: Path) -> None:
    api, _ = stand_in()
    model, settings, builds = export_cell(BUNDLE, "fp32"), Settings(), []

    def build(api: Api, model: bytes, settings: Settings) -> bytes:
        builds.append(settings)
        return b"stand-in" + model

    def get(settings: Settings = settings, device: str = "sm90 H", api: Api = api) -> bytes:
        return cached_engine(api, model, settings, device, tmp_path, build)

    assert get() == get() and len(builds) == 1
    get(Settings(optimisation=5))
    get(device="sm120 B")
    get(api=Api("tensorrt", "10.9.1", api.module))
    assert len(builds) == 4 and not list(tmp_path.glob("*.tmp*"))
    facts = next(
        p for p in tmp_path.glob("*.json") if json.loads(p.read_text())["device"] == "sm120 B"
    )
    engine = facts.with_suffix(".engine")
    engine.write_bytes(engine.read_bytes()[:-1] + b"?")
    with pytest.raises(MismatchError, match=r"\.engine: digest .* delete it, it is built anew"):
        get(device="sm120 B")
    record = json.loads(facts.read_text())
    facts.write_text(json.dumps(record | {"version": "9", "device": "other"}))
    with pytest.raises(
        MismatchError, match=r"\.json: device, version differ from those of its key"
    ):
        get(device="sm120 B")
    facts.unlink()
    assert get(device="sm120 B").startswith(b"stand-in") and len(builds) == 5


def test_engines_of_another_library_and_missing_ones_are_errors(
    driver: StandInDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    api, other = stand_in()
    with pytest.raises(DeviceError, match="does not take the engine on stand-in; delete it"):
        TensorRtCell(api, b"of another version", Cuda(other))
    with pytest.raises(MismatchError, match=r"ports .* are not those of an exported cell"):
        TensorRtCell(api, build_engine(api, export_window(BUNDLE, "fp32", 2)), Cuda(other))
    with pytest.raises(UsageError, match="no TensorRT package 'tensorflow'"):
        load_api("tensorflow")
    monkeypatch.setattr("gpu_fallback.trt.api.import_module", _absent)
    with pytest.raises(
        EnvironmentMissingError, match="tensorrt: not here; tensorrt_rtx: not here; "
    ):
        load_api()


def _absent(name: str) -> None:
    raise ImportError("not here")


def test_a_machine_without_gpus_says_so() -> None:
    with pytest.raises(DeviceError, match="GPU 0 of 0"):
        Cuda(StandInDriver(devices=0))


def test_the_stand_in_notices_what_the_apis_forbid() -> None:
    api, driver = stand_in()
    cuda = Cuda(driver)
    stream, host, device = cuda.stream(), cuda.pinned_memory(8), cuda.device_memory(8)
    with pytest.raises(ContractBroken, match="is pinned memory, device memory is needed"):
        cuda.to_device(host, device, 8, stream)
    with pytest.raises(ContractBroken, match="16 bytes of an allocation of 8"):
        cuda.to_host(host, device, 16, stream)
    cuda.to_host(host, device, 8, stream)
    assert driver.view(host, 8, "pinned").any(), "nothing is copied before the stream is waited for"
    cuda.wait(stream)
    assert not driver.view(host, 8, "pinned").any()
    cuda.begin_capture(stream)
    with pytest.raises(ContractBroken, match="a wait inside a capture"):
        cuda.wait(stream)
    cell = api.module.Runtime(None).deserialize_cuda_engine(
        b"stand-in" + export_cell(BUNDLE, "exact")
    )
    with pytest.raises(ContractBroken, match="a tensor without an address"):
        cell.create_execution_context().execute_async_v3(int(stream))
    assert set(driver.leaks()) == {"pinned memory", "device memory", "stream", "context"}
