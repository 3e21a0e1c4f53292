"""`pyorch build` with stand-ins for its tools: what is kept, what is made anew."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from hls.build.flow import Build, store
from hls.build.plan import make_plan
from hls.build.tools import Tool
from pyorch.contract.build_record import BuildRecord
from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import PyorchError, UsageError
from pyorch.contract.target import find_target

Begin = Callable[..., Build]
Settle = Callable[[Build], dict[str, str]]
Contents = Callable[[Path], dict[str, bytes]]


@pytest.mark.parametrize(
    ("target", "given", "taken"),
    [
        ("ulx3s", {}, {"multipliers": 16}),
        ("ecp5-85k", {"blocks": 140}, {"multipliers": 16, "blocks": 140}),
        ("pynq-z2", {}, {"multipliers": 128}),
        ("ulx3s", {"multipliers": 64}, {"multipliers": 64}),
    ],
)
def test_a_folded_array_is_as_large_as_the_target_carries_unless_asked_for(
    tiny_model: Bundle, target: str, given: dict[str, int], taken: dict[str, int]
) -> None:
    plan = make_plan(tiny_model, find_target(target), "folded", given)
    assert plan.parameters == taken
    assert make_plan(tiny_model, find_target(target), "baked", {}).parameters == {}


def test_a_feature_path_is_planned_for_targets_that_carry_it_and_plans_of_frames_stay(
    tiny_model: Bundle,
) -> None:
    target = find_target("ecp5-85k-6")
    plan = make_plan(tiny_model, target, "baked", {}, shape={"rules": 4}, quoting_digest="ab")
    said = plan.to_json()
    assert (said["top"], said["shape"], said["quoting_digest"]) == ("events", {"rules": 4}, "ab")
    assert (
        not {"top", "shape", "quoting_digest"}
        & make_plan(tiny_model, target, "baked", {}).to_json().keys()
    )
    for name in ("ulx3s", "pynq-z2"):
        with pytest.raises(
            UsageError, match=rf"target {name} carries --top frames alone: .*ecp5-85k"
        ):
            make_plan(tiny_model, find_target(name), "baked", {}, quoting_digest="ab")
    with pytest.raises(UsageError, match=r"hls4ml and --wire belong to --top frames"):
        make_plan(tiny_model, target, "baked", {}, wire="fixed<8,3>", quoting_digest="ab")


def test_results_are_kept_and_restored_and_equal_in_another_folder(
    begin_build: Begin, tmp_path: Path, settled: Settle, contents: Contents
) -> None:
    first = settled(begin_build(tmp_path / "a"))
    assert set(first.values()) == {"run"}
    assert list(first) == [
        "emit", "lint", "simulate", "synthesise", "netlist check", "place-and-route 1", "place-and-route 2",
        "pack",
    ]  # fmt: skip
    again = settled(begin_build(tmp_path / "a"))
    assert again == {name: "run" if name == "emit" else "kept" for name in first}
    elsewhere = settled(begin_build(tmp_path / "deep" / "er" / "b"))
    assert elsewhere == {name: "run" if name == "emit" else "cache" for name in first}
    assert contents(tmp_path / "a") == contents(tmp_path / "deep" / "er" / "b")
    record = BuildRecord.load(tmp_path / "a")
    assert record.verify(tmp_path / "a", record.model_digest) == tmp_path / "a" / "fabric.bit"
    for step in record.steps.values():
        assert step.seconds > 0 and step.peak_mib > 1 and (tmp_path / "a" / step.log).is_file()


def test_equal_bytes_without_the_cache_too(
    begin_build: Begin,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    settled: Settle,
    contents: Contents,
) -> None:
    begin_build(tmp_path / "a").run()
    monkeypatch.setenv("PYORCH_CACHE", str(tmp_path / "other"))
    assert set(settled(begin_build(tmp_path / "b")).values()) == {"run"}
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_another_tool_or_clock_is_another_build(
    begin_build: Begin, tiny_model: Bundle, tmp_path: Path, settled: Settle
) -> None:
    begin_build(tmp_path / "a").run()
    ours = begin_build(tmp_path / "a")
    assert ours.tools is not None
    ours.tools = replace(ours.tools, nextpnr=Tool("nextpnr-ecp5", ("x",), "2", "nextpnr-2"))
    result = settled(ours)
    assert (result["synthesise"], result["place-and-route 1"]) == ("kept", "run")


def test_a_later_step_needs_the_earlier_ones(
    begin_build: Begin, tmp_path: Path, settled: Settle
) -> None:
    begin_build(tmp_path / "a").run()
    result = settled(begin_build(tmp_path / "a", first="pack"))
    assert (result["place-and-route 2"], result["pack"]) == ("kept", "run")
    with pytest.raises(PyorchError, match="--from pack lies behind --to synthesise"):
        begin_build(tmp_path / "a", first="pack", last="synthesise").run()


def test_the_bundle_takes_the_results_and_stays_whole(
    begin_build: Begin, tiny_bundle: Path, tmp_path: Path
) -> None:
    mine = tmp_path / "mine"
    shutil.copytree(tiny_bundle, mine)
    record = begin_build(tmp_path / "a").run()
    place = store(record, tmp_path / "a", mine)
    assert Bundle.load(mine).digest() == record.model_digest
    assert (place / "fabric.bit").read_bytes() == (tmp_path / "a" / "fabric.bit").read_bytes()
    assert store(record, tmp_path / "a", mine) == place
    assert [path.name for path in (mine / "artifacts").iterdir()] == [place.name]
    (place / "fabric.bit").write_bytes(b"no")
    with pytest.raises(PyorchError, match=r"fabric\.bit has SHA-256"):
        Bundle.load(mine)


def test_steps_of_an_earlier_plan_do_not_stay_in_the_record(
    begin_build: Begin, tiny_model: Bundle, tmp_path: Path
) -> None:
    begin_build(tmp_path / "a").run()
    one_seed = replace_plan(begin_build(tmp_path / "a"), seeds=(1,))
    assert "place-and-route 2" not in one_seed.run().steps


def replace_plan(build: Build, **changes: object) -> Build:
    build.plan = msgspec.structs.replace(build.plan, **changes)
    return build
