"""The stages of an idle tick: they follow each other and make up the predicted cycles."""

from pathlib import Path
from typing import Literal

import pytest
from click.testing import CliRunner
from rich.console import Console

from hls.emit.project import emit_bundle
from hls.emit.show import show
from pyorch.contract.fabric import FabricManifest
from pyorch.contract.precision import PRESETS
from pyorch.inference.sample import random_bundle

SHAPES: list[tuple[int, tuple[int, ...], tuple[int, ...], Literal["window", "stateful"]]] = [
    (16, (32,), (), "stateful"),
    (6, (8, 5), (4,), "window"),
    (17, (3, 2, 4), (7, 2), "stateful"),
]


def emit(
    out: Path, features: int, units: tuple[int, ...], dense: tuple[int, ...], mode: Literal["window", "stateful"],
    style: str = "folded",
) -> FabricManifest:  # fmt: skip
    bundle = random_bundle(
        1, features, units, PRESETS["narrow"], hidden_dense=dense, window=5, mode=mode
    )
    return emit_bundle(bundle, style, out / style)


@pytest.mark.parametrize(("features", "units", "dense", "mode"), SHAPES)
def test_awaited_stages_make_up_the_idle_tick(
    features: int, units: tuple[int, ...], dense: tuple[int, ...], mode: Literal["window", "stateful"],
    tmp_path: Path,
) -> None:  # fmt: skip
    manifest = emit(tmp_path, features, units, dense, mode)
    awaited = [stage for stage in manifest.stages if stage.awaited]
    assert awaited[0].begin == 0
    for before, after in zip(awaited, awaited[1:], strict=False):
        assert before.end == after.begin
    assert [stage.name for stage in awaited[-2:]] == ["answer out", "status"]
    assert awaited[-2].begin == manifest.cycles["idle_tick"]
    assert awaited[-2].cycles == manifest.answer_beats
    layers = [f"lstm_{k}" for k in range(len(units))] + [f"dense_{k}" for k in range(len(dense) + 1)]
    assert list(dict.fromkeys(stage.block for stage in awaited if stage.block)) == layers


def test_the_next_tick_is_prepared_after_the_answer() -> None:
    pass
