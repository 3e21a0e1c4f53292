"""Verbs that this package adds to the command line; imports happen inside the verbs."""

from __future__ import annotations

from pathlib import Path

import click

from hls.emit.options import (
    SHAPE,
    as_words,
    given,
    require_frames,
    shape_options,
    style_options,
    top_option,
)

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("bundle", type=_PATH, required=False)
@style_options
@top_option
@shape_options
@click.option("--config", type=_PATH, help="events: quoting TOML whose rules are built in.")
@click.option("--steps", type=click.IntRange(1), default=10_000, show_default=True,
              help="LSTM steps of each stimulus in each way of serving.")  # fmt: skip
@click.option("--tape", type=_PATH, help="Market of the features; default: the simulated market.")
@click.option("--aclk-mhz", type=float, help="With --clocks 2: the AXI side's clock; default 100.")
@click.option(
    "--core-mhz",
    type=float,
    help="With --clocks 2: the core's clock; default 100. events: of the burst; default 50.",
)
@click.option("--phases", type=click.IntRange(2), default=9, show_default=True,
              help="With --clocks 2: phases that are measured, both ends among them.")  # fmt: skip
@click.option("--wave", is_flag=True,
              help="Also write a step as waveform (VCD) and timing diagram (HTML).")  # fmt: skip
@click.option(
    "--page", type=_PATH, help="events: also write cycles, waits and decisions as an HTML page."
)
@click.option("--out", type=_PATH, help="The project's folder; default: out/fabric-STYLE.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def simulate(
    bundle: Path | None,
    style: str,
    wire: str | None,
    top: str,
    config: Path | None,
    steps: int,
    tape: Path | None,
    aclk_mhz: float | None,
    core_mhz: float | None,
    phases: int,
    wave: bool,
    page: Path | None,
    out: Path | None,
    as_json: bool,
    **options: int | None,
) -> None:
    """Emit BUNDLE as RTL and compare the simulated hardware with the reference, bit for bit.

    Random, market and adversarial features, with idle and back-pressure, as a stream of ticks and as cold
    windows; states at the ends of their formats; every predicted figure of cycles. With --top events: every
    decision against the CPU loop's, on a market, on a spoilt line and in the market's busiest stretch as it
    was received; where the cycles go, idle and in that burst. Default: the bundle that ships.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from hls.emit.clocks import Clocks
    from hls.emit.events import EventShape
    from pyorch.app.shipped import shipped_bundle
    from pyorch.contract.bundle import Bundle
    from pyorch.contract.errors import UsageError
    from pyorch.contract.figures import Figures
    from pyorch.contract.fixed import FixedFormat
    from pyorch.trading.config import load_config
    from sim.event_burst import STEPS
    from sim.event_check import BURST_MHZ, verify_events
    from sim.event_page import write_event_page
    from sim.show import show
    from sim.verify import verify
    from sim.wave import record_step

    loaded = Bundle.load(bundle or shipped_bundle())
    shape = given({name: options.pop(name) for name in SHAPE})
    parameters = given(options)
    require_frames(top, shape, config, parameters)
    if top == "events" and (wire or wave):
        raise UsageError("--wire and --wave belong to --top frames")
    if page and top != "events":
        raise UsageError("--page belongs to --top events; --wave draws a fabric of frames")
    form = FixedFormat.parse(wire) if wire else None
    two = parameters.get("clocks") == 2
    if not two and (aclk_mhz or (core_mhz and top == "frames")):
        raise UsageError(
            "--aclk-mhz and --core-mhz are those of a fabric of two clocks: --clocks 2"
        )
    if two and wave:
        raise UsageError(
            "--wave draws a fabric of one clock: leave out --clocks, the stages are the same"
        )
    periods = Clocks.of_mhz(aclk_mhz or 100, core_mhz or 100) if two else None
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description:<34}"), BarColumn(), TimeElapsedColumn(), console=console,
        transient=True,
    ) as bar:  # fmt: skip
        task = bar.add_task("", total=1.0)
        project = out or Path(f"out/fabric-{style}")

        def progress(text: str, share: float) -> None:
            bar.update(task, description=text, completed=share)

        if top == "events":
            found = verify_events(
                loaded, style, project, config=load_config(config), shape=EventShape(**shape),
                steps=steps, tape=tape, mhz=core_mhz or BURST_MHZ, progress=progress, **parameters,
            )  # fmt: skip
        else:
            found = verify(
                loaded, style, project, steps=steps, tape=tape, wire=form, periods=periods,
                phases=phases, progress=progress, **parameters,
            )  # fmt: skip
        pictures = record_step(loaded, project) if wave else None
        if page:
            write_event_page(found, page)
    figures = Figures(
        f"pyorch simulate {as_words(style, wire, parameters | shape)} --steps {steps}"
        f"{' --top events' if top == 'events' else ''}",
        {"model": loaded.digest(), "format": found.manifest.format_digest},
    )
    for one in found.comparisons:
        key = f"{one.stimulus}_{one.serving}".replace(" ", "_")
        figures.figures |= {f"{key}_steps": one.steps, f"{key}_mismatches": one.mismatches}
    for name, value in found.cycles.items():
        figures.figures[f"{name}_cycles"] = value
        if name in found.manifest.cycles:
            figures.figures[f"{name}_predicted_cycles"] = found.manifest.cycles[name]
    for fall in found.waterfalls:
        key = fall.name.replace(", ", "_")
        figures.figures |= {f"{key}_events": fall.events, f"{key}_events_lost": fall.lost}
        for quantile, word in ((0.5, "median"), (0.99, "p99"), (1.0, "worst")):
            names = [step.replace(", ", "_").replace(" ", "_") for step in STEPS] + ["to_decision"]
            for name, value in zip(names, fall.at(quantile), strict=True):
                figures.figures[f"{key}_{word}_{name}_cycles"] = value
    if found.clocks is not None:
        figures.figures |= {"aclk_ps": found.clocks.aclk_ps, "core_ps": found.clocks.core_ps}
    for crossing in found.crossings:
        name, simulated, predicted = crossing.name, crossing.simulated, crossing.predicted
        figures.figures |= {
            f"{name}_aclk_cycles_min": min(simulated),
            f"{name}_aclk_predicted_cycles_min": min(predicted),
            f"{name}_aclk_cycles_max": max(simulated),
            f"{name}_aclk_predicted_cycles_max": max(predicted),
            f"{name}_phases_with_wrong_beats": crossing.wrong_beats,
        }
    figures.ok = found.ok and not (pictures and pictures.differences)
    if as_json:
        figures.show(True)
    else:
        show(found, Console())
        if pictures:
            for line in pictures.differences:
                Console().print(f"[red]{line}[/]")
            click.echo(f"timing diagram: {pictures.page.resolve()}")
            click.echo(f"waveform: {pictures.vcd.resolve()}")
        if page:
            click.echo(f"page: {page.resolve()}")
    if not figures.ok:
        raise SystemExit(2)


@click.command(name="netlist-check")
@click.argument("build", type=_PATH)
@click.argument("bundle", type=_PATH, required=False)
@click.option("--simulator", type=click.Choice(["interpreter", "verilator"]), default="interpreter",
              show_default=True,
              help="Verilator takes the models in Verilog; it is slow to compile.")  # fmt: skip
@click.option("--config", type=_PATH,
              help="Of a feature path: the quoting TOML whose rules are built in.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def netlist_check(
    build: Path, bundle: Path | None, simulator: str, config: Path | None, as_json: bool
) -> None:
    """Simulate the synthesised netlist of the build folder BUILD with the golden vectors of BUNDLE.

    Every logit of the golden sequence and windows, with the weights of the bitstream and with loaded ones;
    every predicted figure of cycles. Of a feature path: every decision on a stretch of the simulated market.
    Default: the bundle that ships.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from pyorch.app.shipped import shipped_bundle
    from pyorch.contract.bundle import Bundle
    from pyorch.contract.fabric import FabricManifest
    from pyorch.contract.figures import Figures
    from pyorch.trading.config import load_config
    from sim.event_check import check_event_netlist
    from sim.netlist_check import FABRIC, Simulator, check_netlist
    from sim.show import show_netlist

    chosen: Simulator = "verilator" if simulator == "verilator" else "interpreter"

    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description:<34}"), BarColumn(), TimeElapsedColumn(), console=console,
        transient=True,
    ) as bar:  # fmt: skip
        task = bar.add_task("", total=1.0)

        def progress(text: str, share: float) -> None:
            bar.update(task, description=text, completed=share)

        model = Bundle.load(bundle or shipped_bundle())
        if FabricManifest.load(build / FABRIC).events is not None:
            found = check_event_netlist(build, model, load_config(config), progress=progress)
        else:
            found = check_netlist(build, model, simulator=chosen, progress=progress)
    figures = Figures(
        f"pyorch netlist-check --simulator {simulator}",
        {"model": found.manifest.model_digest, "format": found.manifest.format_digest},
    )
    steps = sum(one.steps for one in found.comparisons)
    figures.figures = {"steps": steps, "compared": found.compared, "mismatches": found.mismatches}
    figures.figures |= {f"{name}_cycles": value for name, value in found.cycles.items()}
    figures.figures |= {f"cells_{name}": count for name, count in found.cells.items()}
    figures.ok = found.ok
    if as_json:
        figures.show(True)
    else:
        show_netlist(found, Console())
    if not found.ok:
        raise SystemExit(2)


@click.command("serve-venues")
@click.argument("config", type=_PATH)
@click.option("--bundle", type=_PATH, help="Model; default: the bundle that ships with pyorch.")
@click.option("--folder", type=_PATH, required=True, help="Where it says where the venues are.")
@click.option("--seconds", type=float, help="Stop after so long; by default when it is told to.")
@click.option("--faults", type=float, default=0.0, show_default=True,
              help="Share of feed messages lost, doubled, swapped, spoilt, each.")  # fmt: skip
@click.option("--seed", default=1, show_default=True, help="Of the faults.")
@click.option("--to-the-end", is_flag=True, help="Stop half a minute after the market's last row.")
def serve_venues(
    config: Path, bundle: Path | None, folder: Path, seconds: float | None, faults: float, seed: int,
    to_the_end: bool,
) -> None:  # fmt: skip
    """Serve the market and the exchange of a desk's CONFIG on the loopback, for `pyorch run --venues`.

    Binance's and Deribit's websockets speak the configured market, FIX 4.4 sessions take orders in Deribit's
    dialect and ask for quotes, JSON-RPC is the second route. The market begins when somebody listens to both
    feeds, and then goes on whether a desk is there or not.
    """
    from pyorch.app.desk_config import load_desk
    from pyorch.app.live_place import LivePlace
    from pyorch.app.shipped import shipped_bundle
    from pyorch.contract.bundle import Bundle
    from sim.feeds.faults import FaultRates
    from sim.venues.world import World, serve_world

    def ready(place: LivePlace) -> None:
        click.echo(
            f"websockets {place.binance} and {place.deribit}, FIX {', '.join(map(str, place.fix))}, "
            f"JSON-RPC {place.rpc} on {place.host}"
        )

    rates = FaultRates(faults, faults, faults, faults, close=faults / 10)
    model = Bundle.load(bundle or shipped_bundle())
    world = World(load_desk(config), config.parent, model, folder, rates, seed, ends=to_the_end)
    serve_world(world, seconds, ready)


COMMANDS = [serve_venues, simulate, netlist_check]
