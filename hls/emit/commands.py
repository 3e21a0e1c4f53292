"""`pyorch emit`; imports happen inside the verb."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

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
@click.option(
    "--ingress",
    type=click.Choice(("mii", "rgmii")),
    help="events: they come as UDP datagrams, from PHYs with this interface.",
)
@click.option(
    "--listen",
    multiple=True,
    metavar="ADDRESS:PORT",
    help="events, --ingress: what line A listens to, and once more for B.",
)
@click.option("--mac", help="events, --ingress: our own address, for unicast; 12 hex digits.")
@click.option(
    "--image-for", type=_PATH, help="Write only the weight image, for this emitted project."
)
@click.option("--out", type=_PATH, help="Folder (or image file); default: out/fabric-STYLE.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def emit(
    bundle: Path | None,
    style: str,
    wire: str | None,
    top: str,
    config: Path | None,
    ingress: Literal["mii", "rgmii"] | None,
    listen: tuple[str, ...],
    mac: str | None,
    image_for: Path | None,
    out: Path | None,
    as_json: bool,
    **options: int | None,
) -> None:
    """Write BUNDLE as synthesizable SystemVerilog, through hls4ml's ModelGraph.

    The folder holds sources, memories, the weight image and fabric.json with the predicted cycles. Default:
    the bundle that ships.
    """
    from rich.console import Console

    from hls.emit.conversion import convert_to_events, convert_to_rtl
    from hls.emit.events import EventShape
    from hls.emit.ingress import made_of
    from hls.emit.project import image_for as make_image
    from hls.emit.show import show
    from pyorch.app.shipped import shipped_bundle
    from pyorch.contract.bundle import Bundle
    from pyorch.contract.errors import BundleError, UsageError
    from pyorch.contract.fabric import FabricManifest
    from pyorch.contract.figures import Figures
    from pyorch.contract.fixed import FixedFormat
    from pyorch.trading.config import load_config

    loaded = Bundle.load(bundle or shipped_bundle())
    if image_for is not None:
        image = make_image(loaded, FabricManifest.load(image_for))
        path = out or Path(f"out/{loaded.spec.name}.image")
        file = next((parent for parent in path.parents if parent.is_file()), None)
        if file is not None:
            raise BundleError(f"{path} cannot be written: {file} is a file; choose another --out")
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path)
        figures = Figures(
            f"pyorch emit --image-for {image_for}",
            {"model": image.model_digest, "format": image.format_digest},
            {"image_words": len(image.data)},
        )
        figures.show(as_json)
        return
    shape = given({name: options.pop(name) for name in SHAPE})
    parameters = given(options)
    require_frames(top, shape, config, parameters)
    if top == "events":
        if wire:
            raise UsageError("--wire and --clocks belong to --top frames")
        folder = out or Path(f"out/events-{style}")
        manifest = convert_to_events(
            loaded, style, folder, load_config(config), EventShape(**shape),
            made_of(ingress, listen, mac), **parameters,
        )  # fmt: skip
    else:
        if ingress or listen or mac:
            raise UsageError("--ingress, --listen and --mac belong to --top events")
        folder = out or Path(f"out/fabric-{style}")
        form = FixedFormat.parse(wire) if wire else None
        manifest = convert_to_rtl(loaded, style, folder, wire=form, **parameters)
    figures = Figures(
        f"pyorch emit {as_words(style, wire, parameters | shape)}"
        f"{' --top events' if top == 'events' else ''} --out {folder}",
        {"model": manifest.model_digest, "format": manifest.format_digest},
    )
    figures.figures |= {f"{name}_cycles": value for name, value in manifest.cycles.items()}
    figures.figures |= {f"estimated_{name}": value for name, value in manifest.estimates.items()}
    figures.figures["image_words"] = manifest.image_words
    if as_json:
        figures.show(True)
        return
    show(manifest, Console())
    click.echo(f"fabric: {folder.resolve()}")
