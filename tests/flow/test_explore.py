"""`pyorch build --explore`: what is compared, what is routed, what is drawn."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from hls.build import explore, tools
from hls.build.commands import build
from hls.build.depth import longest_path_ns
from hls.build.explore import FRONTIER, Exploration, Point, mark_front
from hls.build.flow import Build
from hls.build.frontier import name_points, write_frontier
from pyorch.contract.target import find_target

Begin = Callable[..., Build]
SMALL = (("folded", {"multipliers": 4}), ("folded", {"multipliers": 6}))


def point(idle: int, interval: int, used: int, f1: float | None = None) -> Point:
    cycles = {"idle_tick": idle, "interval": interval, "cold_window": 9}
    return Point(
        Path("m"), "folded", {}, f1, cycles=cycles, path_ns=10.0, resources={"logic": (used, 100)}
    )


def test_the_front_is_what_nothing_beats_in_every_aim() -> None:
    fast, small, between, worse = (
        point(5, 5, 90), point(50, 50, 10), point(20, 20, 50), point(21, 20, 51),
    )  # fmt: skip
    accurate, refused = point(60, 60, 95, f1=0.6), point(1, 1, 1)
    refused.refused = "does not fit"
    everything = [fast, small, between, worse, accurate, refused]
    mark_front(everything)
    assert [one.front for one in everything] == [True, True, True, False, True, False]


def test_a_point_counts_with_what_routing_may_make_of_it_then_with_its_programmed_clock() -> None:
    one = point(5, 10, 90)
    assert one.aims() == (40.0, 80.0, 0.9, 1.0)
    one.programmed_mhz = 50.0
    assert one.aims() == (100.0, 200.0, 0.9, 1.0)


def test_the_longest_path_is_that_of_cells_and_wires(tmp_path: Path) -> None:
    def cell(kind: str, **pins: list[object]) -> dict[str, object]:
        ways = {pin: "output" if pin in ("Q", "Z", "COUT", "S0") else "input" for pin in pins}
        return {"type": kind, "parameters": {}, "port_directions": ways, "connections": pins}

    cells = {
        "from": cell("TRELLIS_FF", DI=[9], Q=[2]),
        "lut": cell("LUT4", A=[2], B=["1"], Z=[3]),
        "low": cell("CCU2C", A0=[3], COUT=[4], S0=[8]),
        "high": cell("CCU2C", CIN=[4], A0=[2], S0=[5], COUT=[6]),
        "to": cell("TRELLIS_FF", DI=[5], Q=[7]),
    }
    path = tmp_path / "netlist.json"
    path.write_text(json.dumps({"modules": {"top": {"cells": cells}}}))
    # register, wire, table, wire, into the chain, its last sum, wire
    assert longest_path_ns(path) == pytest.approx(0.4 + 0.9 + 0.18 + 0.9 + 0.35 + 0.35 + 0.9)


def test_registers_inside_a_multiplier_end_a_path(tmp_path: Path) -> None:
    def cells(factors: str, product: str) -> dict[str, object]:
        multiplier = {
            "type": "MULT18X18D",
            "parameters": {"REG_INPUTA_CLK": factors, "REG_OUTPUT_CLK": product},
            "port_directions": {"A0": "input", "P0": "output"},
            "connections": {"A0": [2], "P0": [3]},
        }
        ways = {"DI": "input", "Q": "output"}
        one = {"type": "TRELLIS_FF", "parameters": {}, "port_directions": ways}
        return {
            "from": one | {"connections": {"DI": [9], "Q": [2]}},
            "product": multiplier,
            "to": one | {"connections": {"DI": [3], "Q": [7]}},
        }

    found = []
    for registers in (("NONE", "NONE"), ("CLK0", "NONE"), ("CLK0", "CLK0")):
        path = tmp_path / "netlist.json"
        path.write_text(json.dumps({"modules": {"top": {"cells": cells(*registers)}}}))
        found.append(longest_path_ns(path))
    assert found == pytest.approx([0.4 + 0.9 + 3.9 + 0.9, 2.7 + 0.9, 0.4 + 0.9])


def test_an_exploration_routes_the_front_and_goes_on_where_it_stopped(
    begin_build: Begin, tmp_path: Path
) -> None:
    ours = begin_build(tmp_path / "x")
    assert ours.tools is not None
    settled: list[tuple[str, str]] = []

    def run() -> list[Point]:
        settled.clear()
        return Exploration(
            find_target("ecp5-85k"), [(ours.bundle, ours.model)], tmp_path / "out", ours.tools, SMALL,
            announce=lambda job, how, record: settled.append((job.name, how)),
        ).run()  # fmt: skip

    first, odd = run()
    assert "6" in odd.refused and not odd.front
    assert first.front and first.achieved_mhz == pytest.approx(61.0)
    assert first.programmed_mhz == pytest.approx(61.0, rel=0.01)
    assert ("place-and-route 1", "run") in settled
    run()
    assert {how for name, how in settled if name != "emit"} == {"kept"}
    found = json.loads((tmp_path / "out" / FRONTIER).read_text())
    assert [entry.get("basis") for entry in found["points"]] == ["routed", None]
    page = write_frontier(tmp_path / "out", found).read_text()
    assert "Left out" in page and "multipliers 4" in page and "not stated" in page


def test_a_point_that_joins_the_front_once_others_are_routed_is_routed_too(
    begin_build: Begin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = begin_build(tmp_path / "x")
    assert ours.tools is not None
    routed: list[int] = []

    def synthesise(_: Exploration, one: Point, model: object) -> None:
        number = one.parameters["multipliers"]
        one.cycles = {"idle_tick": number, "interval": number, "cold_window": number}
        one.path_ns, one.resources = 10.0, {"logic": (50, 100)}

    def route(_: Exploration, one: Point, model: object) -> None:
        routed.append(one.parameters["multipliers"])
        one.programmed_mhz = {5: 50.0, 6: 66.0, 11: 90.0, 12: 90.0}[routed[-1]]

    monkeypatch.setattr(Exploration, "_synthesise", synthesise)
    monkeypatch.setattr(Exploration, "_route", route)
    grid = [("folded", {"multipliers": number}) for number in (12, 11, 6, 5)]
    found = Exploration(
        find_target("ecp5-85k"), [(ours.bundle, ours.model)], tmp_path / "out", ours.tools, grid
    ).run()
    # Hoped for 40, 48, 88 and 96 ns; routed 100, 91 and 122. By the netlist alone 11 would be left at 110.
    assert routed == [5, 6, 11]
    assert [point.front for point in found] == [False, False, True, False]


def test_one_style_is_explored_without_routing(
    begin_build: Begin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = begin_build(tmp_path / "x")
    monkeypatch.setattr(explore, "GRID", (*SMALL, ("baked", {"cuts": 0})))
    monkeypatch.setattr(tools, "ecp5_tools", lambda: ours.tools)
    words = [
        "--explore",
        "--style",
        "folded",
        "--to",
        "synthesise",
        "--out",
        str(tmp_path / "out"),
        "--json",
    ]
    done = CliRunner().invoke(build, [str(ours.bundle), *words])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)["points"]
    assert [(point["style"], point["parameters"]) for point in found] == list(SMALL)
    assert found[0]["front"] and found[0]["basis"] == "netlist, before routing"
    assert not list((tmp_path / "out").rglob("seeds"))
    assert "not routed" in (tmp_path / "out" / "frontier.html").read_text()


def test_names_in_the_plot_meet_neither_points_nor_each_other() -> None:
    from pyorch.app.report.plots import figure

    close = [(50.0, 527.0, "multipliers 64"), (67.0, 465.0, "planes 1")]
    close += [
        (86.0, 442.0, "blocks 140, multipliers 128"),
        (90.0, 309.0, "blocks 140, multipliers 256"),
    ]
    with figure(430, 320, margins=(58, 14, 26, 44)) as (_, (axes,)):
        axes.set_xlim(10, 102)
        axes.set_yscale("log")
        axes.set_ylim(250, 2000)
        name_points(axes, close)
        boxes = [text.get_window_extent() for text in axes.texts]
        dots = [axes.transData.transform((x, y)) for x, y, _ in close]
    assert [text.get_text() for text in axes.texts] == [name for *_, name in close]
    for k, box in enumerate(boxes):
        assert box.count_overlaps(boxes[:k] + boxes[k + 1 :]) == 0
        assert not any(box.contains(*dot) for dot in dots)
        assert axes.bbox.x0 <= box.x0 and box.x1 <= axes.bbox.x1
