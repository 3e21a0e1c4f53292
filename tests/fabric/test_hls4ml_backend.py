"""hls4ml finds the backend `PyorchRTL`, and what it writes from a ModelGraph is the bundle's fabric."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hls.emit.graph import read_graph
from hls.emit.project import MODEL_FILE, emit_bundle, image_for
from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import ModelError, UsageError
from pyorch.contract.fabric import FabricManifest, WeightImage
from pyorch.contract.model import Activation
from pyorch.contract.precision import PRESETS
from pyorch.inference.sample import random_bundle

SCRIPT = """
import sys
from pathlib import Path
from hls.csim.project import graph_configuration, keras_model
from hls.csim.workarounds import hls4ml
from pyorch.contract.bundle import Bundle
bundle = Bundle.load(Path(sys.argv[1]))
model = hls4ml().converters.convert_from_keras_model(
    keras_model(bundle, bundle.spec.window), backend="PyorchRTL", output_dir=sys.argv[2],
    hls_config=graph_configuration(bundle, stock=False, sequences=False), project_name=bundle.spec.name,
    style="folded", mode=bundle.spec.mode, style_parameters={"multipliers": 28})
model.write()
"""


@pytest.fixture(scope="module")
def small() -> Bundle:
    return random_bundle(1, 6, (8, 5), hidden_dense=(4,), window=5)


@pytest.mark.tensorflow
def test_hls4ml_writes_the_same_fabric_as_the_bundle(small: Bundle, tmp_path: Path) -> None:
    pytest.importorskip("tensorflow", reason="needs the extra `train`")
    small.save(tmp_path / "bundle")
    subprocess.run(
        [sys.executable, "-c", SCRIPT, tmp_path / "bundle", tmp_path / "written"], check=True
    )
    direct = emit_bundle(small, "folded", tmp_path / "direct", multipliers=28)
    written = FabricManifest.load(tmp_path / "written")
    assert written.format_digest == direct.format_digest
    ours, theirs = (WeightImage.load(tmp_path / n / "image.bin") for n in ("direct", "written"))
    assert np.array_equal(ours.data, theirs.data)
    # a graph says nothing of scores and schema, so its model is named otherwise
    for name in set(direct.memories) - {MODEL_FILE}:
        one, other = ((tmp_path / n / name).read_text() for n in ("direct", "written"))
        assert one == other, name


def test_an_image_fits_only_a_fabric_of_its_format(small: Bundle, tmp_path: Path) -> None:
    fabric = emit_bundle(small, "folded", tmp_path / "a", multipliers=28)
    other = random_bundle(2, 6, (8, 5), hidden_dense=(4,), window=5)
    image = image_for(other, fabric)
    assert image.format_digest == fabric.format_digest
    assert image.model_digest == other.digest() != small.digest()
    assert len(image.data) == fabric.image_words
    wider = random_bundle(2, 6, (9, 5), hidden_dense=(4,), window=5)
    with pytest.raises(ModelError, match=r"lstm_0 6 to 9.* instead of .*lstm_0 6 to 8"):
        image_for(wider, fabric)


def test_hard_activations_are_refused_by_name(tmp_path: Path) -> None:
    hard = Activation("sigmoid", "hard", slope=1, slope_fraction=1)
    bundle = random_bundle(1, 4, (4,), gate=hard)
    with pytest.raises(ModelError, match="lstm_0: a hard sigmoid as its gate; the fabric looks"):
        emit_bundle(bundle, "folded", tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_five_lstm_layers_are_refused(tmp_path: Path) -> None:
    bundle = random_bundle(1, 2, (2, 2, 2, 2, 2))
    with pytest.raises(ModelError, match="5 LSTM layers; the fabric takes 1 to 4"):
        emit_bundle(bundle, "folded", tmp_path / "a")


@pytest.mark.parametrize(
    ("style", "parameters", "message"),
    [
        ("folded", {"multipliers": 30}, "30 multipliers; give a multiple of 4"),
        ("folded", {"chunk": 3}, "chunk 3 with 128 multipliers; give a power of two"),
        ("folded", {"planes": 2}, "unknown parameters"),
        ("loadable", {"planes": 9}, "planes 9; give 1 to 8 bits a cycle"),
        ("loadable", {"cuts": 5}, "loadable: unknown parameters .*; it takes planes"),
        ("dreamt", {}, "there is no style 'dreamt'; choose baked, folded, loadable"),
    ],
)
def test_wrong_parameters_are_refused(
    style: str, parameters: dict[str, int], message: str, tmp_path: Path
) -> None:
    bundle = random_bundle(1, 4, (4,), PRESETS["narrow"])
    with pytest.raises(UsageError, match=message):
        emit_bundle(bundle, style, tmp_path / "a", **parameters)


def _node(**attributes: Any) -> SimpleNamespace:
    return SimpleNamespace(
        name=attributes.get("name", "layer"),
        class_name=attributes["class_name"],
        get_attr=lambda key, default=None: attributes.get(key, default),
    )


def test_other_layers_of_a_graph_are_refused_by_name() -> None:
    source = SimpleNamespace(
        type=SimpleNamespace(precision="ap_fixed<8,3,AP_RND,AP_SAT>"), shape=[5, 6]
    )
    graph = SimpleNamespace(
        get_layers=lambda: [_node(class_name="GRU", name="gru_1")],
        get_input_variables=lambda: [source],
    )
    with pytest.raises(
        ModelError, match="gru_1: the fabric does not carry GRU layers; it takes LSTM"
    ):
        read_graph(graph)
