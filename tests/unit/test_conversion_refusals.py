"""What the contract does not carry is refused with layer, class and what is supported; nothing is written."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hls.convert.outline import SUPPORTED, read_outline
from pyorch.contract.errors import ModelError, UsageError

pytestmark = pytest.mark.tensorflow

INPUT = {"class_name": "InputLayer", "config": {"name": "in", "batch_input_shape": [None, 8, 4]}}


def layer(kind: str, name: str, **config: Any) -> dict[str, Any]:
    return {"class_name": kind, "config": {"name": name, **config}}


def lstm(name: str = "lstm", sequences: bool = False, **config: Any) -> dict[str, Any]:
    return layer("LSTM", name, units=3, return_sequences=sequences, **config)


def dense(name: str = "dense") -> dict[str, Any]:
    return layer("Dense", name, units=2, activation="linear")


def write_model(
    path: Path, layers: list[dict[str, Any]], kind: str = "Sequential", **more: Any
) -> Path:
    """An HDF5 file with a configuration and no weights: refusals come before anything is loaded."""
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        config = {"class_name": kind, "config": {"name": "m", "layers": layers, **more}}
        file.attrs["model_config"] = json.dumps(config)
        file.attrs["keras_version"] = "2.20.1"
    return path


@pytest.mark.parametrize(
    ("layers", "text"),
    [
        (
            [INPUT, lstm(), layer("RepeatVector", "again", n=8), dense()],
            "layer 'again' (RepeatVector) is not supported (a model answers once a tick: end at the last "
            "LSTM's h)",
        ),
        (
            [INPUT, lstm(sequences=True), layer("TimeDistributed", "each"), dense()],
            "layer 'each' (TimeDistributed) is not supported (a model answers once a tick: use "
            "return_sequences=False and a plain Dense)",
        ),
        ([INPUT, layer("GRU", "g", units=3), dense()], "layer 'g' (GRU) is not supported (its arithmetic"),
        ([INPUT, layer("QGRU", "g", units=3), dense()], "layer 'g' (QGRU) is not supported (its arithmetic"),
        ([INPUT, layer("Bidirectional", "b"), dense()], "layer 'b' (Bidirectional) is not supported (it"),
        ([INPUT, layer("Masking", "mask"), lstm()], "layer 'mask' (Masking) is not supported (every vector"),
        ([INPUT, layer("Mine", "own"), lstm()], "layer 'own' (Mine) is not supported;"),
        ([INPUT, lstm(go_backwards=True)], "layer 'lstm' (LSTM) has go_backwards=True (windows are read"),
        ([INPUT, lstm(stateful=True)], "layer 'lstm' (LSTM) has stateful=True (train with stateful=False"),
        ([INPUT, lstm(return_state=True)], "layer 'lstm' (LSTM) has return_state=True"),
        (
            [INPUT, lstm(sequences=True), dense()],
            "layer 'lstm' (LSTM) has return_sequences=True, which belongs to LSTM layers before another one",
        ),
        (
            [INPUT, lstm("a"), lstm("b")],
            "layer 'a' (LSTM) has return_sequences=False, which belongs to the last LSTM alone",
        ),
        ([INPUT, dense(), lstm()], "layer 'dense' (Dense) stands before an LSTM layer"),
    ],
)  # fmt: skip
def test_layer_is_refused_by_name_and_class(
    tmp_path: Path, layers: list[dict[str, Any]], text: str
) -> None:
    with pytest.raises(ModelError) as caught:
        read_outline(write_model(tmp_path / "m.h5", layers))
    assert text in str(caught.value)
    assert SUPPORTED in str(caught.value)


def test_five_lstm_layers_are_one_too_many(tmp_path: Path) -> None:
    layers = [INPUT, *(lstm(f"l{k}", sequences=k < 4) for k in range(5))]
    with pytest.raises(ModelError, match="has 5 LSTM layers, the contract carries 1 to 4"):
        read_outline(write_model(tmp_path / "m.h5", layers))


def test_model_without_lstm_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="has 0 LSTM layers"):
        read_outline(write_model(tmp_path / "m.h5", [INPUT, dense()]))


def _node(entry: dict[str, Any], *sources: str) -> dict[str, Any]:
    nodes = [[[source, 0, 0, {}] for source in sources]] if sources else []
    return entry | {"name": entry["config"]["name"], "inbound_nodes": nodes}


def test_second_branch_is_refused(tmp_path: Path) -> None:
    layers = [
        _node(INPUT),
        _node(lstm(), "in"),
        _node(dense("a"), "lstm"),
        _node(dense("b"), "lstm"),
    ]
    path = write_model(tmp_path / "m.h5", layers, "Functional", output_layers=[["a", 0, 0]])
    with pytest.raises(ModelError, match=r"layer 'b' \(Dense\) is a second branch after 'lstm'"):
        read_outline(path)


def test_two_inputs_are_refused(tmp_path: Path) -> None:
    other = layer("InputLayer", "other", batch_input_shape=[None, 8, 4])
    layers = [_node(INPUT), _node(other), _node(layer("Concatenate", "both"), "in", "other")]
    with pytest.raises(ModelError, match=r"layer 'both' \(Concatenate\) has 2 inputs"):
        read_outline(write_model(tmp_path / "m.h5", layers, "Functional"))


def test_output_inside_the_chain_is_refused(tmp_path: Path) -> None:
    layers = [_node(INPUT), _node(lstm(), "in"), _node(dense(), "lstm")]
    path = write_model(tmp_path / "m.h5", layers, "Functional", output_layers=[["lstm", 0, 0]])
    with pytest.raises(ModelError, match="outputs \\['lstm'\\]; the contract carries one"):
        read_outline(path)


def test_images_are_refused(tmp_path: Path) -> None:
    source = layer("InputLayer", "in", batch_input_shape=[None, 28, 28, 3])
    with pytest.raises(ModelError, match=r"the contract carries \[time, features\]"):
        read_outline(write_model(tmp_path / "m.h5", [source, lstm()]))


def test_missing_file_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no such file; give a \.h5 or \.keras model"):
        read_outline(tmp_path / "none.h5")


def test_garbled_file_is_not_a_model(tmp_path: Path) -> None:
    path = tmp_path / "m.h5"
    path.write_bytes(np.random.default_rng(0).bytes(4000))
    with pytest.raises(ModelError, match="not a readable Keras model"):
        read_outline(path)


def test_truncated_file_is_not_a_model(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.h5", [INPUT, lstm(), dense()])
    path.write_bytes(path.read_bytes()[:-700])
    with pytest.raises(ModelError, match="not a readable Keras model"):
        read_outline(path)


def test_chain_of_a_functional_model_is_read_in_order(tmp_path: Path) -> None:
    layers = [
        _node(dense(), "drop"), _node(layer("Dropout", "drop"), "lstm"), _node(lstm(), "in"), _node(INPUT),
    ]  # fmt: skip
    path = write_model(tmp_path / "m.h5", layers, "Functional", output_layers=[["dense", 0, 0]])
    outline = read_outline(path)
    assert [one.name for one in outline.layers] == ["lstm", "dense"]
    assert (outline.window, outline.features, outline.keras_3) == (8, 4, False)
