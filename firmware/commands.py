"""Verbs that this package adds to the command line; imports happen inside the verbs."""

from __future__ import annotations

from pathlib import Path

import click

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("build", type=_PATH)
@click.option("--bundle", type=_PATH,
              help="Refuse a bitstream that was not built from this bundle.")  # fmt: skip
@click.option("--flash", is_flag=True, help="Into the flash memory, so that it outlasts the power.")
@click.option(
    "--port", help="Serial port of the board: then also open it and replay BUNDLE's golden vectors."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def load(build: Path, bundle: Path | None, flash: bool, port: str | None, as_json: bool) -> None:
    """Program the board of BUILD, a folder of `pyorch build`, with its bitstream, by openFPGALoader.

    Every file of the build is compared with its SHA-256 first; one that was changed, or another bundle's,
    is refused.
    """
    from rich.console import Console

    from firmware.load import program_board
    from pyorch.contract.bundle import Bundle
    from pyorch.contract.errors import UsageError
    from pyorch.contract.figures import Figures
    from pyorch.inference.registry import engine_class

    if port is not None and bundle is None:
        raise UsageError("--port replays the golden vectors of a bundle: give --bundle, too")
    model = Bundle.load(bundle) if bundle is not None else None
    with Console(stderr=True).status(f"programming from {build}"):
        done = program_board(build, model.digest() if model else None, flash=flash)
    figures = Figures(
        f"pyorch load {build}",
        {"model": done.record.model_digest, "bitstream": done.sha256},
        {"bitstream_bytes": done.size_bytes, "seconds": round(done.seconds, 3)},
    )
    if port is not None and model is not None:
        engine = engine_class("serial").open(model, port=port, project=build)
        figures.figures["golden_vectors"] = sum(
            len(values) for name, values in model.golden.items() if name.endswith("_features")
        )
        engine.close()
    figures.show(as_json)
    if not as_json:
        click.echo(f"{done.record.target}: {' '.join(done.command)}")


COMMANDS: list[click.Command] = [load]
