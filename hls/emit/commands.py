"""`pyorch emit`; imports happen inside the verb."""

from __future__ import annotations

from pathlib import Path

import click

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("bundle", type=_PATH, required=False)
@click.option("--style", type=click.Choice(["baked", "folded", "loadable"]), default="folded",
              show_default=True, help="Constants; block RAM and multipliers; LUT RAM.")  # fmt: skip
@click.option("--multipliers", type=int, help="folded: multipliers of a layer's array.")
@click.option("--chunk", type=int, help="folded: units a cycle in the tail.")
@click.option("--planes", type=int, help="loadable: bits of h a cycle.")
@click.option("--x-planes", type=int, help="loadable: bits of x a cycle.")
@click.option("--cuts", type=int, help="loadable, baked: registers in the tail, bit by bit.")
@click.option(
    "--wire", help="Format of the features in a frame; default: the model's input format."
)
@click.option(
    "--image-for", type=_PATH, help="Write only the weight image, for this emitted project."
)
@click.option("--out", type=_PATH, help="Folder (or image file); default: out/fabric-STYLE.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def emit(
    bundle: Path | None,
    style: str,
    multipliers: int | None,
    chunk: int | None,
    planes: int | None,
    x_planes: int | None,
    cuts: int | None,
    wire: str | None,
    image_for: Path | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Write BUNDLE as synthesizable SystemVerilog, through hls4ml's ModelGraph.

    The folder holds sources, memories, the weight image and fabric.json with the predicted cycles. Default:
    the bundle that ships.
    """
    from rich.console import Console

    from hls.emit.conversion import convert_to_rtl
    from hls.emit.project import image_for as make_image
    from hls.emit.show import show
    from pyorch.app.shipped import shipped_bundle
    from pyorch.contract.bundle import Bundle
    from pyorch.contract.fabric import FabricManifest
    from pyorch.contract.figures import Figures
    from pyorch.contract.fixed import FixedFormat

    loaded = Bundle.load(bundle or shipped_bundle())
    if image_for is not None:
        image = make_image(loaded, FabricManifest.load(image_for))
        path = out or Path(f"out/{loaded.spec.name}.image")
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path)
        figures = Figures(
            f"pyorch emit --image-for {image_for}",
            {"model": image.model_digest, "format": image.format_digest},
            {"image_words": len(image.data)},
        )
        figures.show(as_json)
        return
    given = {
        "multipliers": multipliers, "chunk": chunk, "planes": planes, "x_planes": x_planes, "cuts": cuts,
    }  # fmt: skip
    parameters = {name: value for name, value in given.items() if value is not None}
    folder = out or Path(f"out/fabric-{style}")
    form = FixedFormat.parse(wire) if wire else None
    manifest = convert_to_rtl(loaded, style, folder, wire=form, **parameters)
    options = "".join(f" --{name.replace('_', '-')} {value}" for name, value in parameters.items())
    figures = Figures(
        f"pyorch emit --style {style}{options} --out {folder}",
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
