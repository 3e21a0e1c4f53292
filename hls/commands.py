"""Verbs that this package adds to the command line; imports happen inside the verbs."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from hls.build.commands import build
from hls.emit.commands import emit

_PATH = click.Path(path_type=Path)


@click.command()
@click.option("--tape", type=_PATH, help="Tape to train on; default: the simulated market.")
@click.option("--minutes", type=click.FloatRange(min=1), default=60.0, show_default=True,
              help="Length of the simulated market.")  # fmt: skip
@click.option("--preset", type=click.Choice(["default", "narrow"]), default="default", show_default=True,
              help="Formats; narrow: 6-bit weights, 8-bit h, for fully parallel hardware.")  # fmt: skip
@click.option("--mode", type=click.Choice(["stateful", "window"]), default="stateful",
              show_default=True, help="Carried state, or windows of 20 vectors.")  # fmt: skip
@click.option("--units", type=click.IntRange(1, 512), default=32, show_default=True)
@click.option("--features", help="Names of the inputs (docs/features.md), in order, with commas between; "
              "default: the sixteen of the default schema.")  # fmt: skip
@click.option("--epochs", type=click.IntRange(1), help="At most so many epochs in float, a third more "
              "in fixed point; default: what early stopping leaves of the schedule.")  # fmt: skip
@click.option("--digit-budget", type=click.IntRange(1), help="At most so many signed digits in a row of "
              "W, and of R: what constants cost as adders (style baked).")  # fmt: skip
@click.option("--table-bits", type=click.IntRange(4, 12), help="Tables of sigmoid and tanh have 2^N entries; "
              "default: the preset's. Fewer are smaller and faster in style baked.")  # fmt: skip
@click.option("--seed", default=1, show_default=True, help="The same seed gives the same weights.")
@click.option("--out", type=_PATH, default=Path("out/training"), show_default=True,
              help="Folder for model.h5, recipe.json and training.json.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def train(
    tape: Path | None,
    minutes: float,
    preset: str,
    mode: Literal["stateful", "window"],
    units: int,
    features: str | None,
    epochs: int | None,
    digit_budget: int | None,
    table_bits: int | None,
    seed: int,
    out: Path,
    as_json: bool,
) -> None:
    """Train a quantised LSTM on a tape, or on the simulated market.

    Float first, then in the contract's arithmetic; majority, logistic and float models are judged on the
    same held-out ticks.
    """
    from hls.train.run import Options, train_to_folder

    names = tuple(name.strip() for name in features.split(",")) if features else ()
    options = Options(
        out, tape, minutes, preset, mode, units, epochs, seed, digit_budget, table_bits, names
    )
    train_to_folder(options).show(as_json)


@click.command()
@click.argument("model", type=_PATH)
@click.option("--recipe", type=_PATH, help="Training's recipe.json; default: the one beside MODEL.")
@click.option("--preset", type=click.Choice(["default", "narrow"]), default="default", show_default=True,
              help="Formats of what a model without a recipe leaves open.")  # fmt: skip
@click.option(
    "--window", type=click.IntRange(1, 10_000), help="Vectors in a window, if MODEL leaves it open."
)
@click.option(
    "--out", type=_PATH, help="The bundle's folder; default: MODEL with the ending .bundle."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def convert(
    model: Path,
    recipe: Path | None,
    preset: str,
    window: int | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Turn a Keras or QKeras MODEL (a file, or a training folder) into a bundle.

    The model goes through hls4ml; g++ compiles its C simulation, which has to return the golden vectors of
    the integer reference bit for bit.
    """
    from rich.console import Console

    from hls.convert.conversion import convert_model
    from hls.recipe import PRESETS
    from pyorch.contract.figures import Figures

    console = Console(stderr=True)
    with console.status("hls4ml and g++ at work …"):
        found = convert_model(model, recipe=recipe, precision=PRESETS[preset], window=window)
    target = out or (
        model.with_name(f"{model.name}.bundle") if model.is_dir() else model.with_suffix(".bundle")
    )
    found.bundle.save(target)
    figures = Figures(f"pyorch convert {model}", digests={"model": found.bundle.digest()})
    spec = found.bundle.spec
    figures.figures = {
        "layers_count": len(spec.layers),
        "weights_count": sum(
            array.size
            for name, array in found.bundle.weights.items()
            if name.endswith((".kernel", ".recurrent", ".bias"))
        ),
        "golden_logits_confirmed_count": found.confirmed,
        "keras_difference_windows_count": found.difference.windows,
        "keras_difference_largest_logit": found.difference.largest,
        "keras_difference_mean_logit": found.difference.mean,
        "keras_class_agreement_ratio": found.difference.agreement,
    }
    for layer in spec.layers:
        figures.figures[f"{layer.name}_accumulator_bits"] = layer.accumulator.width
    figures.show(as_json)
    if not as_json:
        for remark in found.remarks:
            console.print(f"note: {remark}", markup=False, highlight=False)
        console.print(
            f"difference to the Keras model: max |Δlogit| {found.difference.largest:.4g}, "
            f"mean {found.difference.mean:.4g} on {found.difference.windows} random windows"
        )
        console.print(f"bundle written: {target}", markup=False, highlight=False)


@click.command()
@click.argument("bundle", type=_PATH)
@click.option("--windows", type=click.IntRange(1), default=2000, show_default=True,
              help="Windows of real features, reference against C simulation.")  # fmt: skip
@click.option("--steps", type=click.IntRange(0), default=1_000_000, show_default=True,
              help="Steps of reference against native engine for each SIMD path; 0: none.")  # fmt: skip
@click.option("--tape", type=_PATH, help="Where features come from; default: the simulated market.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def check(bundle: Path, windows: int, steps: int, tape: Path | None, as_json: bool) -> None:
    """Compare a BUNDLE's reference with C simulation, stock hls4ml and the native engine, bit for bit."""
    from rich.console import Console
    from rich.progress import Progress

    from hls.check import check_bundle, phases
    from pyorch.contract.bundle import Bundle
    from pyorch.contract.errors import MismatchError
    from pyorch.contract.figures import Figures

    loaded = Bundle.load(bundle)
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=phases(steps))

        def advance(text: str, done: float) -> None:
            bar.update(task, description=text, completed=done)

        found = check_bundle(loaded, windows=windows, steps=steps, tape=tape, progress=advance)
    digests = {"model": loaded.digest(), "simulation_sources": found.simulation_sources}
    figures = Figures(f"pyorch check {bundle}", digests=digests, ok=not found.mismatches)
    for one in found.comparisons:
        figures.figures[f"{one.name}_compared_count"] = one.compared
        figures.figures[f"{one.name}_mismatches_count"] = one.mismatches
    figures.figures["mismatches_count"] = found.mismatches
    if as_json:
        figures.show(as_json)
    else:
        found.show(Console())
    if found.mismatches:
        worst = next(one for one in found.comparisons if one.mismatches)
        raise MismatchError(
            f"{found.mismatches:,} integers differ; first in {worst.name}: {worst.first}; "
            "do not use this bundle"
        )


COMMANDS: list[click.Command] = [train, convert, check, emit, build]
