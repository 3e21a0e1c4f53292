"""`pyorch build`; imports happen inside the verb."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import click

from hls.build.plan import STEPS
from hls.emit.options import (
    SHAPE,
    STYLES,
    as_words,
    given,
    require_frames,
    shape_options,
    style_options,
    top_option,
)
from pyorch.contract.errors import UsageError
from pyorch.contract.target import Target

_PATH = click.Path(path_type=Path)
_STEP = click.Choice(STEPS)


@click.command()
@click.argument("bundle", type=_PATH, required=False)
@click.option("--target", "target_name", default="ecp5-85k", show_default=True,
              help="Board or chip.")  # fmt: skip
@partial(style_options, styles=(*STYLES, "hls4ml"))
@top_option
@shape_options
@click.option("--config", type=_PATH, help="events: quoting TOML whose rules are built in.")
@click.option("--clock", type=float, help="Clock of the core in MHz; default: the target's.")
@click.option("--seeds", default="1", show_default=True,
              help="Of place and route: how many (3), or which (4,9); the best is packed.")  # fmt: skip
@click.option("--simulate", "simulated_steps", type=click.IntRange(0), default=1000, show_default=True,
              help="LSTM steps of each stimulus of the simulation; 0: not simulated.")  # fmt: skip
@click.option("--from", "first", type=_STEP, help="Run this step and later ones in any case.")
@click.option("--to", "last", type=_STEP, default=STEPS[-1], help="Stop after this step.")
@click.option("--limit", "limit_minutes", type=click.FloatRange(min=0, min_open=True), default=180.0,
              show_default=True, help="Minutes until a seed's place and route is given up.")  # fmt: skip
@click.option("--verify", is_flag=True, help="Build nothing; check every file of the folder, and that it "
              "was built from BUNDLE.")  # fmt: skip
@click.option("--explore", "exploring", is_flag=True, help="Synthesise every style (or one: --style) with "
              "several parameters, route the best (unless --to synthesise), draw latency, area "
              "and F1.")  # fmt: skip
@click.option("--with", "others", type=_PATH, multiple=True,
              help="With --explore: further bundles beside BUNDLE.")  # fmt: skip
@click.option("--out", type=_PATH, help="The build's folder; default: out/build-TARGET-STYLE.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def build(
    bundle: Path | None,
    target_name: str,
    style: str,
    wire: str | None,
    top: str,
    config: Path | None,
    clock: float | None,
    seeds: str,
    simulated_steps: int,
    first: str | None,
    last: str,
    limit_minutes: float,
    verify: bool,
    exploring: bool,
    others: tuple[Path, ...],
    out: Path | None,
    as_json: bool,
    **options: int | None,
) -> None:
    """Make a bitstream of BUNDLE, with a report of its latency, clock and resources.

    Steps: emit, lint, simulate, synthesise, netlist check, place-and-route, pack, time, report. Each result
    is kept; after a failure or a kill the same command goes on from there. Default: the bundle that ships.
    """
    from hls.build.flow import Build, store
    from hls.build.hls4ml import STYLE, HlsBuild, hls_target
    from hls.build.plan import make_plan, parse_seeds
    from hls.build.show import Screen
    from hls.build.tools import ecp5_tools
    from pyorch.app.shipped import shipped_bundle
    from pyorch.contract.build_record import BuildRecord
    from pyorch.contract.bundle import Bundle
    from pyorch.contract.target import find_target
    from pyorch.trading.config import load_config

    path = bundle or shipped_bundle()
    target = find_target(target_name)
    if exploring and target.flow != "ecp5":
        raise UsageError(
            f"--explore synthesises and routes with the open tools, which have no {target.part}; choose "
            "--target ecp5-85k or ulx3s"
        )
    if exploring and top == "events":
        raise UsageError("--explore compares fabrics of --top frames; build events style by style")
    if exploring:
        chosen = style if _is_given("style") else ""
        _explore(target, [path, *others], chosen, last, out, limit_minutes, as_json)
        return
    model = Bundle.load(path)
    shape = given({name: options.pop(name) for name in SHAPE})
    parameters = given(options)
    require_frames(top, shape, config, parameters)
    if style == STYLE:
        target = hls_target(target, parameters, wire)
    plan = make_plan(
        model, target, style, parameters, wire=wire or "", clock_mhz=clock, seeds=parse_seeds(seeds),
        simulated_steps=simulated_steps, shape=shape,
        quoting_digest=load_config(config).digest() if top == "events" else "",
    )  # fmt: skip
    folder = out or Path(f"out/build-{target_name}-{style}{'-events' if top == 'events' else ''}")
    if verify:
        bitstream = BuildRecord.load(folder).verify(folder, model.digest())
        click.echo(f"{bitstream}: as it was built, from this bundle")
        return
    tools = ecp5_tools() if target.flow == "ecp5" else None
    words = f"--target {target_name} {as_words(style, wire, parameters | shape)} --seeds {seeds}"
    words += " --top events" if top == "events" else ""
    with Screen(as_json) as screen:
        work = (HlsBuild if style == STYLE else Build)(
            plan, target, path, model, folder, tools, first or "", last,
            limit_minutes * 60, screen.line, screen.done, config,
        )  # fmt: skip
        try:
            record = work.run()
            if bundle is not None and record.verdict == "ok":
                store(record, folder, bundle)
        finally:
            screen.close()
            screen.summary(folder, f"pyorch build {words}")


def _is_given(option: str) -> bool:
    """Whether an option stands on the command line."""
    source = click.get_current_context().get_parameter_source(option)
    return source is not None and source.name == "COMMANDLINE"


def _explore(
    target: Target,
    bundles: list[Path],
    style: str,
    last: str,
    out: Path | None,
    limit_minutes: float,
    as_json: bool,
) -> None:
    from hls.build.explore import FRONTIER, GRID, Exploration
    from hls.build.frontier import write_frontier
    from hls.build.show import Screen
    from hls.build.tools import ecp5_tools
    from pyorch.contract.bundle import Bundle

    folder = out or Path(f"out/explore-{target.name}")
    models = [(path, Bundle.load(path)) for path in bundles]
    with Screen(as_json) as screen:
        Exploration(
            target, models, folder, ecp5_tools(), [one for one in GRID if style in ("", one[0])],
            routing=STEPS.index(last) >= STEPS.index("place-and-route"), limit_s=limit_minutes * 60,
            report=screen.line, announce=screen.done, remark=screen.remark,
        ).run()  # fmt: skip
    text = (folder / FRONTIER).read_text()
    page = write_frontier(folder, json.loads(text))
    if as_json:
        click.echo(text, nl=False)
    else:
        click.echo(f"frontier: {page.resolve()}")


COMMANDS: list[click.Command] = [build]
