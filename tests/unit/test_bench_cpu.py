"""`pyorch bench cpu`: what it measures is the right model, and it says so."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from pyorch.contract.errors import ModelError
from pyorch.contract.model import Activation
from pyorch.inference.bench import CASES, cpu
from pyorch.inference.peers import onnx_model, onnxruntime_call, openvino_call
from pyorch.inference.reference import run_sequence
from pyorch.inference.sample import random_bundle

PARTS = ("pack", "input", "tail", "dense", "scores", "recurrent", "lstm")


def test_bench_reports_latency_throughput_and_equality() -> None:
    result = CliRunner().invoke(cpu, ["--chunks", "2", "--no-peers", "--json"])
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    figures = report["figures"]
    assert report["ok"] and set(report["digests"]) == set(CASES)
    for case in CASES:
        assert figures[f"{case}_mismatches"] == 0
        assert 0 < figures[f"{case}_tick_min_ns"] <= figures[f"{case}_tick_p50_ns"]
        assert figures[f"{case}_throughput_min_ns_per_step"] > 0
        assert 0 < figures[f"{case}_run_min_ns_per_step"] <= figures[f"{case}_run_p50_ns_per_step"]
        parts = {name: figures[f"{case}_part_{name}_min_ns"] for name in PARTS}
        assert min(parts.values()) > 0
    assert figures["f16_u32_default_weight_bytes"] == 4 * 32 * (16 + 32) + 11 * 32


@pytest.mark.parametrize("runtime", [onnxruntime_call, openvino_call])
def test_peers_run_the_same_model(runtime: object) -> None:
    """Two stacked layers in float stay within a few hundredths of the integer logits, step by step."""
    pytest.importorskip("onnxruntime")
    pytest.importorskip("openvino")
    bundle = random_bundle(3, 5, (12, 7))
    call = runtime(onnx_model(bundle))  # type: ignore[operator]
    features = bundle.golden["sequence_features"][:50]
    logits = bundle.spec.logits.to_float(run_sequence(bundle, features)[0])
    carried = {
        f"{name}{k}": np.zeros((1, 1, u), np.float32) for k, u in ((0, 12), (1, 7)) for name in "hc"
    }
    for x, expected in zip(bundle.spec.input.to_float(features), logits, strict=True):
        results = call({"x": x.astype(np.float32)[None, None], **carried})
        carried = {name: np.array(results[f"{name}_next"]) for name in carried}
        assert np.abs(results["logits"][0] - expected).max() < 0.05
    assert np.ptp(logits, axis=0).min() > 0.2


def test_models_that_the_float_export_cannot_say_are_refused() -> None:
    hard = random_bundle(3, 5, (4,), gate=Activation("sigmoid", "hard", slope=1, slope_fraction=1))
    with pytest.raises(ModelError, match="hard activations are not part of this float export"):
        onnx_model(hard)
    with pytest.raises(ModelError, match="relu is not part"):
        onnx_model(random_bundle(3, 5, (4,), hidden_dense=(3,)))
