"""Placement: what is measured, in which order engines come, and the file that keeps it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from pyorch.app.place import engines, place, write_placement_page
from pyorch.contract.engine import EngineInfo
from pyorch.contract.errors import UsageError
from pyorch.inference.failover.configuration import (
    EnginesConfig,
    load_engines,
    open_group,
    save_engines,
)
from pyorch.inference.placement import Placed, Placement, recommended
from pyorch.inference.placement import place as measure
from pyorch.inference.reference import run_sequence
from pyorch.inference.sample import random_bundle


def placed(name: str, ns: list[int], exact: bool = True, computed: bool = False) -> Placed:
    info = EngineInfo(name, "a device", exact, 0 if exact else 9)
    return Placed(name, info, "measured", computed, np.sort(np.array(ns, np.int64)), 5.0)


def test_exact_engines_in_time_come_first_and_computed_ones_are_not_placed() -> None:
    found = [
        placed("slow", [900] * 100),
        placed("quick but inexact", [10] * 100, exact=False),
        placed("quick on most ticks", [20] * 99 + [2000]),
        placed("steady", [50] * 100),
        placed("card", [30], computed=True),
        placed("inexact and late", [2000] * 100, exact=False),
        Placed("absent", refused="no such device"),
    ]
    order = ("steady", "slow", "quick but inexact", "quick on most ticks")
    assert recommended(found, 1000) == order
    assert found[2].percentile(99.9) == 2000 and not found[2].within(1000)


def test_every_engine_is_measured_or_says_why_not() -> None:
    begun: list[str] = []
    found = measure(
        random_bundle(1, 4, (8,)), 1e9, 60, ["cpu", "reference", "tensorrt", "cuda"],
        {"cpu": {"simd": "scalar"}}, begun.append,
    )  # fmt: skip
    assert begun == ["cpu", "reference", "tensorrt", "cuda"]
    by_name = {one.name: one for one in found.engines}
    cpu, reference = by_name["cpu"], by_name["reference"]
    assert cpu.info is not None and cpu.info.device == "scalar, 64-bit"
    assert cpu.basis == "measured, native caller" and len(cpu.ns) == 60
    assert reference.basis == "measured, called from Python" and len(reference.ns) >= 50
    assert cpu.hand_over_ns > 0 and (np.diff(cpu.ns) >= 0).all()
    assert {"cpu", "reference"} <= set(found.order)
    for one in (by_name["tensorrt"], by_name["cuda"]):
        assert (one.info is None) == bool(one.refused)
    with pytest.raises(UsageError, match="no engine is called 'fast'"):
        measure(random_bundle(1, 4, (8,)), 1e9, 60, ["fast"])


def test_the_verb_prints_writes_and_draws(tmp_path: Path) -> None:
    random_bundle(1, 4, (8,)).save(tmp_path / "bundle")
    run = ["--engine", "cpu", "--engine", "reference", "--engine", "cuda", "--ticks", "60"]
    target, page = tmp_path / "engines.toml", tmp_path / "place.html"
    done = CliRunner().invoke(
        place, [str(tmp_path / "bundle"), *run, "--write", str(target), "--page", str(page)]
    )
    assert done.exit_code == 0, done.output
    assert "order: cpu" in done.output and "cuda: " in done.output
    config = load_engines(target)
    assert set(config.order) == {"cpu", "reference"} and config.deadline_us == 100
    assert target.read_text().startswith("# pyorch place --engine cpu")
    text = page.read_text()
    assert "<svg" in text and "http" not in text.split("<svg")[0].replace("http-equiv", "")
    done = CliRunner().invoke(place, [str(tmp_path / "bundle"), *run, "--json"])
    found = json.loads(done.output)
    assert found["peers"]["cpu"]["exact"] == 1 and found["peers"]["cpu"]["order"] >= 1
    assert found["peers"]["cpu"]["p50_ns"] <= found["peers"]["cpu"]["p999_ns"]


def test_a_computed_engine_is_drawn_as_a_line(tmp_path: Path) -> None:
    found = Placement(
        (placed("card", [2600], computed=True), placed("cpu", [9, 10])), 100.0, ("cpu",)
    )
    write_placement_page(random_bundle(1, 4, (8,)), found, "pyorch place", tmp_path / "p.html")
    text = (tmp_path / "p.html").read_text()
    assert "card" in text and "2.60" in text


def test_the_benchmark_has_peers_and_many_instruments() -> None:
    done = CliRunner().invoke(
        engines, ["--engine", "cpu", "--engine", "onnxruntime", "--ticks", "400", "--json"]
    )
    assert done.exit_code == 0, done.output
    found = json.loads(done.output[done.output.index("{") :])
    assert found["figures"]["instruments_200_ticks_per_s"] > 0
    assert found["figures"]["process_memory_mb"] > 0
    assert found["figures"]["onnxruntime_over_cpu_p50"] > 0


def test_a_configuration_opens_a_group_that_answers_right(tmp_path: Path) -> None:
    bundle = random_bundle(1, 4, (8,))
    path = tmp_path / "engines.toml"
    config = EnginesConfig(
        order=("cpu", "reference"), deadline_us=1e6, options={"cpu": {"simd": "scalar"}}
    )
    save_engines(config, path, "by hand")
    assert load_engines(path) == config
    group = open_group(bundle, load_engines(path))
    features = np.zeros((3, 4), np.int64)
    answers = [group.predict(vector) for vector in features]
    np.testing.assert_array_equal(
        [one.outputs.logits for one in answers], run_sequence(bundle, features)[0]
    )
    assert {one.engine for one in answers} == {"cpu"}
    with pytest.raises(UsageError, match="no engine is called 'fast'"):
        open_group(bundle, EnginesConfig(order=("fast",)))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("order = 3", r"engines.toml:1: Expected `array`, got `int` - at `\$.order`"),
        ("order = []", r"engines.toml: order = \[\]: one or more engines, each once"),
        ('order = ["cpu", "cpu"]', "each once"),
        ('order = ["cpu"]\ndeadline_ms = 1', "unknown field `deadline_ms`"),
        ('order = ["cpu"', "engines.toml: not TOML"),
    ],
)
def test_a_wrong_configuration_says_what_and_where(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "engines.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=words):
        load_engines(path)
