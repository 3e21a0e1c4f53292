"""A bundle becomes a project folder: sources, memories, weight image, manifest."""

from __future__ import annotations

import shutil
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

from hls.emit.shell_cycles import predicted_cycles
from hls.emit.stages import predicted_stages
from hls.emit.style import Style, StylePlan
from hls.emit.text import core_text, package_text, top_text
from pyorch.contract.bundle import Bundle
from pyorch.contract.digest import digest_of, digest_of_bytes
from pyorch.contract.errors import BundleError, ModelError, UsageError
from pyorch.contract.fabric import (
    IMAGE,
    MANIFEST,
    FabricManifest,
    WeightImage,
    beats_of,
    input_lane,
    output_lane,
    rtl_folder,
)
from pyorch.contract.fixed import FixedFormat
from pyorch.contract.model import LstmLayer
from pyorch.inference.model_check import check_model

STYLES = ("baked", "folded", "loadable")
SHELL = (
    "registers_pkg.sv",
    "convert.sv",
    "quantise_input.sv",
    "axil_port.sv",
    "loader.sv",
    "axis_frame_in.sv",
    "axis_frame_out.sv",
    "kept_window.sv",
    "sequencer.sv",
    "staged_state.sv",
    "tick_counters.sv",
    "mailbox.sv",
    "copies.sv",
    "fabric_shell.sv",
)
CROSSING = (
    "synchroniser.sv",
    "reset_synchroniser.sv",
    "async_fifo.sv",
    "handshake_crossing.sv",
    "axil_crossing.sv",
    "stream_crossing.sv",
)
"""What two clocks take besides."""
MODEL_FILE = "model_digest.hex"
"""What `loader` names the built-in weights: a memory, so that models of one format share sources."""
MAILBOX_VECTOR_BEATS, MAILBOX_ANSWER_BEATS = 64, 128


def style_of(name: str) -> Style:
    """A style by name.

    Raises:
        UsageError: there is no such style; the message lists them.
    """
    if name not in STYLES:
        raise UsageError(f"there is no style {name!r}; choose {', '.join(STYLES)}")
    style: Style = import_module(f"hls.emit.{name}")
    return style


def emit_bundle(
    bundle: Bundle,
    style: str,
    out: Path,
    *,
    wire: FixedFormat | None = None,
    tools: dict[str, str] | None = None,
    clocks: int = 1,
    **parameters: int,
) -> FabricManifest:
    """Write the project ``out``, whole or not at all.

    Args:
        style: one of `STYLES`.
        wire: format of the features in a frame; default: the model's input format.
        tools: versions of what the bundle has come through, besides pyorch itself.
        clocks: 1, or 2: AXI in ``aclk``, shell and core in ``core_clk``.
        parameters: of the style.

    Raises:
        ModelError: a layer or format that the style does not carry.
        UsageError: unknown parameters or values outside their range.
        BundleError: ``out`` exists and is not an emitted project.
    """
    require_place(out)
    if clocks not in (1, 2):
        raise UsageError(f"a fabric of {clocks} clocks: choose 1 (aclk) or 2 (aclk and core_clk)")
    check_model(bundle)
    plan = style_of(style).plan(bundle, **parameters)
    wire = wire or bundle.spec.input
    _check_frames(bundle, wire)
    manifest, files = render(bundle, plan, wire, tools, clocks)
    write_project(out, manifest, files, image_of(bundle, plan, manifest.format_digest))
    return manifest


def write_project(
    out: Path, manifest: FabricManifest, files: dict[str, str], image: WeightImage
) -> None:
    """Write a project folder, whole or not at all.

    Raises:
        BundleError: ``out`` exists and is not an emitted project.
    """
    require_place(out)
    temporary = out.with_name(f".{out.name}.partial")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        for name, text in files.items():
            (temporary / name).write_text(text)
        image.save(temporary / IMAGE)
        (temporary / "project.f").write_text("".join(f"{name}\n" for name in manifest.sources))
        manifest.save(temporary)
        shutil.rmtree(out, ignore_errors=True)
        temporary.rename(out)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def require_place(out: Path) -> None:
    """Refuse a folder that no project can be written to.

    Raises:
        BundleError: ``out`` exists and is not an emitted project, or a file stands where a folder must be.
    """
    file = next((parent for parent in out.parents if parent.is_file()), None)
    if file is not None:
        raise BundleError(f"{out} cannot be a folder: {file} is a file; choose another --out")
    if out.exists() and not (out / MANIFEST).exists():
        raise BundleError(f"{out} exists and is not an emitted fabric: choose another folder")


def image_for(bundle: Bundle, fabric: FabricManifest) -> WeightImage:
    """The weight image of another bundle for an emitted fabric.

    Raises:
        ModelError: the fabric's weights cannot be changed, or shapes, formats or baked integers differ.
    """
    if not fabric.loadable:
        raise ModelError(
            f"{fabric.name}: the style {fabric.style} has its weights in the logic; emit and build it anew"
        )
    check_model(bundle)
    plan = style_of(fabric.style).plan(bundle, **fabric.parameters)
    digest = format_digest(bundle, plan, FixedFormat.parse(fabric.wire))
    if fabric.events is not None:
        digest = path_digest(bundle, digest)
    if digest != fabric.format_digest:
        ours, theirs = [str(layer) for layer in _layers(bundle)], list(fabric.layers)
        different = [f"{a} instead of {b}" for a, b in zip(ours, theirs, strict=False) if a != b]
        raise ModelError(
            f"{bundle.spec.name} does not fit the fabric {fabric.name}: format digest {digest[:16]}, the "
            f"fabric has {fabric.format_digest[:16]}"
            + (f" ({'; '.join(different)})" if different else "")
            + (_BUILT_IN if fabric.events is not None and not different else "")
            + "; emit a fabric for it"
        )
    return image_of(bundle, plan, digest)


def image_of(bundle: Bundle, plan: StylePlan, digest: str) -> WeightImage:
    """The weight image of a planned bundle."""
    addresses, data = plan.image()
    return WeightImage(digest, bundle.digest(), addresses, data)


def format_digest(bundle: Bundle, plan: StylePlan, wire: FixedFormat) -> str:
    """SHA-256 of all that weight images of one fabric share."""
    spec = bundle.spec
    return digest_of(
        {
            "style": plan.style,
            "parameters": plan.parameters,
            "layers": _layers(bundle),
            "mode": spec.mode,
            "window": spec.window,
            "wire": str(wire),
            "baked": plan.baked,
        }
    )


def path_digest(bundle: Bundle, digest: str) -> str:
    """The same of a feature path, which has scores and features built in.

    Args:
        digest: `format_digest` of its core.
    """
    spec, schema = bundle.spec, bundle.schema
    tables = {
        name: digest_of([int(value) for value in bundle.weights[name]])
        for name in ("exp_table", "sigmoid_table")
        if name in bundle.weights
    }
    return digest_of(
        {
            "core": digest,
            "tables": tables,
            "shifts": [spec.exp_shift, spec.sigmoid_shift],
            "heads": [[head.kind, len(head.outputs)] for head in spec.heads],
            "schema": schema.digest() if schema else "",
        }
    )


_BUILT_IN = (
    " (the feature path has tables of scores, heads, features and their normalisation built in: one of these "
    "is another)"
)


def _layers(bundle: Bundle) -> list[str]:
    """Each layer with its shape and formats in words; widths of accumulators are the fabric's own."""
    texts = []
    for layer in bundle.spec.layers:
        shape = f"{layer.name} {layer.inputs} to {layer.units}"
        if isinstance(layer, LstmLayer):
            forms = (
                f"x {layer.input}, kernel {layer.kernel}, recurrent {layer.recurrent}, bias {layer.bias}, "
                f"table {layer.table}, c {layer.cell}, h {layer.hidden}, gate {layer.gate.index} "
                f"2^{layer.gate.index_bits}, activation {layer.activation.index} "
                f"2^{layer.activation.index_bits}"
            )
            texts.append(f"lstm {shape}: {forms}")
        else:
            texts.append(
                f"dense {shape}: x {layer.input}, kernel {layer.kernel}, bias {layer.bias}, "
                f"output {layer.output} {layer.activation}"
            )
    return texts


def _check_frames(bundle: Bundle, wire: FixedFormat) -> None:
    spec = bundle.spec
    if not wire.signed or wire.width > 16:
        raise UsageError(f"wire format {wire}: a lane is signed and has at most 16 bits")
    vector = beats_of(spec.features, input_lane(wire))
    answer = beats_of(len(spec.outputs), output_lane(spec.logits))
    if vector > MAILBOX_VECTOR_BEATS or answer > MAILBOX_ANSWER_BEATS:
        raise ModelError(
            f"{spec.name}: a vector of {vector} beats and an answer of {answer}; the mailbox holds "
            f"{MAILBOX_VECTOR_BEATS} and {MAILBOX_ANSWER_BEATS}"
        )


def render(
    bundle: Bundle,
    plan: StylePlan,
    wire: FixedFormat,
    tools: dict[str, str] | None = None,
    clocks: int = 1,
) -> tuple[FabricManifest, dict[str, str]]:
    """The manifest and all text files of a project."""
    spec = bundle.spec
    digest = format_digest(bundle, plan, wire)
    addresses, _ = plan.image()
    shell: dict[str, Any] = {
        "FEATURES": spec.features,
        "OUTPUTS": len(spec.outputs),
        "X_WIDTH": spec.input.width,
        "X_FRACTION": spec.input.fraction,
        "X_ROUND": int(spec.input.rounding.value == "RND"),
        "WIRE_FRACTION": wire.fraction,
        "INPUT_LANE": input_lane(wire),
        "Y_WIDTH": spec.logits.width,
        "OUTPUT_LANE": output_lane(spec.logits),
        "WINDOW": spec.window,
        "WINDOWED": int(spec.mode == "window"),
        "LAYERS": len(spec.lstm_layers),
        "UNITS": f"64'h{sum(x.units << 16 * k for k, x in enumerate(spec.lstm_layers)):016x}",
        "STATE_WIDTH": max(max(x.hidden.width, x.cell.width) for x in spec.lstm_layers),
        "LOADABLE": int(plan.loadable),
        "IMAGE_WORDS": len(addresses),
        "FORMAT_DIGEST": f"64'h{digest[:16]}",
    }
    texts: dict[str, str] = {"model_pkg.sv": package_text(shell)}
    names = ["model_pkg.sv"]
    for name in dict.fromkeys([*SHELL, *(CROSSING if clocks == 2 else ()), *plan.rtl]):
        texts[name] = (rtl_folder() / name).read_text()
        names.append(name)
    texts.update(plan.generated)
    names += list(plan.generated)
    texts["fabric_core.sv"] = core_text(spec, plan)
    texts["fabric_top.sv"] = top_text(shell, clocks)
    names += ["fabric_core.sv", "fabric_top.sv"]
    memories = {memory.file: memory.hex() for memory in plan.memories} | plan.constants
    memories[MODEL_FILE] = f"{bundle.digest()[:16]}\n"
    manifest = FabricManifest(
        name=spec.name,
        style=plan.style,
        parameters=plan.parameters,
        clocks=clocks,
        model_digest=bundle.digest(),
        format_digest=digest,
        mode=spec.mode,
        window=spec.window,
        features=spec.features,
        outputs=len(spec.outputs),
        input=str(spec.input),
        wire=str(wire),
        logits=str(spec.logits),
        input_lane=input_lane(wire),
        output_lane=output_lane(spec.logits),
        layers=tuple(_layers(bundle)),
        state=tuple((x.units, str(x.hidden), str(x.cell)) for x in spec.lstm_layers),
        loadable=plan.loadable,
        image_words=len(addresses),
        cycles=predicted_cycles(spec, plan, wire),
        estimates=plan.estimates,
        top="fabric_top",
        sources={name: digest_of_bytes(texts[name].encode()) for name in names},
        memories={name: digest_of_bytes(text.encode()) for name, text in memories.items()},
        stages=predicted_stages(spec, plan, wire),
        tools={"pyorch": version("pyorch")} | (tools or {}),
    )
    return manifest, texts | memories
