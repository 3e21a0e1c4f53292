"""`pyorch export`; imports happen inside the verb."""

from __future__ import annotations

from pathlib import Path

import click

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("bundle", type=_PATH, required=False)
@click.option(
    "--precision", type=click.Choice(["exact", "fp32", "fp16", "int8"]), default="exact",
    show_default=True, help="exact: the contract's bits in int32; else floating point within a bound.",
)  # fmt: skip
@click.option(
    "--form", type=click.Choice(["cell", "window"]), default="cell", show_default=True,
    help="One step with its state, or a whole window from zero state.",
)  # fmt: skip
@click.option("--length", type=int, help="Vectors of a window; default: the model's.")
@click.option("--batch", type=int, default=1, show_default=True, help="Instruments in one launch.")
@click.option("--out", type=_PATH, help="File; default: out/NAME.FORM.PRECISION.onnx.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def export(
    bundle: Path | None,
    precision: str,
    form: str,
    length: int | None,
    batch: int,
    out: Path | None,
    as_json: bool,
) -> None:
    """Write BUNDLE as a static ONNX graph, without loops, for TensorRT, ONNX Runtime and OpenVINO.

    Default: the bundle that ships.
    """
    from typing import cast

    from gpu_fallback.export.graph import check_static
    from gpu_fallback.export.model import Precision, export_cell, export_window
    from gpu_fallback.tolerance import bound_lsb
    from pyorch.app.shipped import shipped_bundle
    from pyorch.contract.bundle import Bundle
    from pyorch.contract.digest import digest_of_bytes, write_atomically
    from pyorch.contract.errors import UsageError
    from pyorch.contract.figures import Figures

    if form == "cell" and length is not None:
        raise UsageError(f"--length {length}: a cell is one step; add --form window")
    loaded = Bundle.load(bundle or shipped_bundle())
    chosen = cast(Precision, precision)
    steps = 1 if form == "cell" else length or loaded.spec.window
    model = (
        export_cell(loaded, chosen, batch)
        if form == "cell"
        else export_window(loaded, chosen, steps, batch)
    )
    path = out or Path(f"out/{loaded.spec.name}.{form}.{precision}.onnx")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, model)
    counts = check_static(model)
    Figures(
        f"pyorch export --form {form} --precision {precision}",
        {"model": loaded.digest(), "onnx": digest_of_bytes(model)},
        {
            "bytes": len(model),
            "operators": sum(counts.values()),
            "matrix_products": counts["MatMul"],
            "steps": steps,
            "bound_lsb": bound_lsb(loaded, chosen, steps),
        },
    ).show(as_json)


COMMANDS = [export]
