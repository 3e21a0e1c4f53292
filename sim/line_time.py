"""`pyorch bench serial`: the round trip of a tick over a board's serial line, computed and simulated."""

from __future__ import annotations

from pathlib import Path

import click

from hls.emit.options import as_words, given, style_options

_PATH = click.Path(path_type=Path)
NOISY_WAIT_S, NOISY_ATTEMPTS = 0.1, 200
"""Of a request on a damaged line; a busy machine simulates slowly, which is no fault of the line."""


@click.command()
@click.argument("bundle", type=_PATH, required=False)
@style_options
@click.option(
    "--clock", "clock_mhz", type=float, help="Of the board in MHz; default: the target's."
)
@click.option("--baud", type=click.IntRange(9600), default=3_000_000, show_default=True)
@click.option("--ticks", type=click.IntRange(1), default=50, show_default=True)
@click.option("--noise", type=click.IntRange(1), help="Seed of bytes flipped, lost, put in and held back; "
              "times are then those of the last attempts.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def serial(
    bundle: Path | None,
    style: str,
    wire: str | None,
    clock_mhz: float | None,
    baud: int,
    ticks: int,
    noise: int | None,
    as_json: bool,
    **options: int | None,
) -> None:
    """The honest round trip to an ULX3S: time on its serial line, from bytes and baud and as simulated.

    The simulated board runs at the ratio of clock and baud that the real one has; its time is cycles over
    clock. The USB chip, its driver and the host come on top and are not measured. Default: the bundle that
    ships.
    """
    import numpy as np
    from rich.console import Console
    from rich.progress import Progress

    from firmware.serial.engine import SerialEngine
    from firmware.serial.timing import USB_FRAME_US, tick_bytes, tick_wire_us
    from pyorch.app.shipped import shipped_bundle
    from pyorch.contract.bundle import Bundle
    from pyorch.contract.errors import UsageError
    from pyorch.contract.figures import Figures
    from pyorch.inference.complete import random_features
    from pyorch.inference.reference import run_sequence
    from sim.board import Noise, SimulatedBoard

    if wire is not None:
        raise UsageError(
            "--wire: the board's line carries the model's own input format; leave it out"
        )
    model = Bundle.load(bundle or shipped_bundle())
    features = random_features(np.random.default_rng(1), model.spec, (ticks,))
    expected = run_sequence(model, features)[0]
    measured_us, wrong = [], 0
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("the board is emitted and compiled", total=ticks)
        board = SimulatedBoard(
            model, style, baud=baud, clock_mhz=clock_mhz, parameters=given(options)
        )
        bar.update(task, description="ticks over its line")
        try:
            engine = SerialEngine.open(
                model, port=board.port, project=board.project, baud=baud, wait_s=30.0
            )
            link, before = engine.driver.link, engine.driver.bridge_counters()
            if noise is not None:
                link.wait_s, link.attempts = NOISY_WAIT_S, NOISY_ATTEMPTS
                board.disturb(
                    Noise(
                        noise,
                        flip=0.001,
                        drop=0.0005,
                        insert=0.0005,
                        delay=0.01,
                        delay_s=1.5 * NOISY_WAIT_S,
                    )
                )
            for vector, logits in zip(features, expected, strict=True):
                wrong += int((engine.step(vector).logits != logits).any())
                measured_us.append(board.last_exchange_cycles / board.clock_mhz)
                bar.advance(task)
            done, link.wait_s = board.noise.counts, 30.0
            board.quiet()
            after, host = engine.driver.bridge_counters(), link.counts.as_dict()
            engine.close()
        finally:
            board.close()
    request, answer = tick_bytes(board.manifest.vector_beats, board.manifest.answer_beats)
    core_us = board.manifest.cycles["idle_tick"] / board.core_mhz
    figures = Figures(
        f"pyorch bench serial {as_words(style, None, given(options))} --baud {baud} --ticks {ticks}"
        + (f" --noise {noise}" if noise is not None else ""),
        {"model": model.digest(), "format": board.manifest.format_digest},
        {
            "clock_mhz": board.clock_mhz,
            "request_bytes": request,
            "answer_bytes": answer,
            "wire_computed_us": round(tick_wire_us(board.manifest, baud), 3),
            "wire_and_board_simulated_p50_us": round(float(np.median(measured_us)), 3),
            "wire_and_board_simulated_max_us": round(max(measured_us), 3),
            "usb_at_most_each_way_us": USB_FRAME_US,
            "core_idle_tick_us": round(core_us, 3),
            "round_trips_a_second_at_most": round(1e6 / float(np.median(measured_us)), 1),
            "wrong_answers": wrong,
        },
        {
            "faults put in": dict(sorted(done.items())),
            "counted by the bridge": {k: (after[k] - before[k]) % 65536 for k in after},
            "counted by the host": host,
        }
        if noise is not None
        else {},
        ok=wrong == 0,
    )
    figures.show(as_json)
    if not figures.ok:
        raise SystemExit(2)
