"""hls4ml's project of a bundle with our corrections, a stream around it, and a test bench."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

import numpy as np

from hls.csim.project import PROJECT, Project, write_project
from hls.csim.readback import check_types
from hls.vitis.stream import TOP, stream_sources
from pyorch.contract.bundle import Bundle
from pyorch.contract.errors import BuildError
from pyorch.contract.fixed import FixedFormat, IntArray
from pyorch.contract.target import HlsProject
from pyorch.inference.reference import run_windows

KEPT = (
    "project.tcl", "build_prj.tcl", "build_opt.tcl", "vivado_synth.tcl", f"{PROJECT}_test.cpp",
    f"firmware/{PROJECT}.cpp", f"firmware/{PROJECT}.h", "firmware/defines.h", "firmware/parameters.h",
    "firmware/nnet_utils", "firmware/weights",
)  # fmt: skip
"""What of hls4ml's folder synthesis needs; the rest is for its own simulation and holds paths and times."""
OPTIONS = {
    "reset": 1, "csim": 1, "synth": 1, "cosim": 0, "validation": 0, "export": 1, "vsynth": 0, "fifo_opt": 0,
}  # fmt: skip
STYLE = "dataflow"
"""hls4ml's default would unroll the steps of a window into one pipeline, T times the multipliers."""
WINDOWS = 32
"""Windows of the test bench."""


def write_vendor_project(bundle: Bundle, folder: Path, part: str, clock_mhz: float) -> HlsProject:
    """Write the project into ``folder``, which must not exist.

    Args:
        part: as the vendor orders it.

    Raises:
        BuildError: hls4ml failed, or a generated type or weight is not the bundle's.
        ModelError: weights wider than hls4ml stores exactly.
    """
    with tempfile.TemporaryDirectory() as temporary:
        options = {"part": part, "clock_period": round(1000 / clock_mhz, 4)}
        project = write_project(bundle, Path(temporary) / "p", options=options, style=STYLE)
        check_types(project)
        _check_style(project)
        for name in KEPT:
            source, target = project.folder / name, folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(source, target) if source.is_dir() else shutil.copyfile(source, target)
        for name, text in stream_sources(project).items():
            (folder / "firmware" / name).write_text(text)
    (folder / "build_opt.tcl").write_text(
        "array set opt {\n" + "".join(f"    {k:<10} {v}\n" for k, v in OPTIONS.items()) + "}\n"
    )
    _write_test_bench(bundle, folder / "tb_data")
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    return HlsProject(TOP, (f"firmware/{PROJECT}.cpp", f"firmware/{TOP}.cpp"), tuple(files))


def _check_style(project: Project) -> None:
    text = (project.folder / "firmware" / f"{PROJECT}.cpp").read_text()
    if not re.search(rf"#pragma HLS {STYLE.upper()}\b", text):
        raise BuildError(
            f"hls4ml did not take PipelineStyle {STYLE}: its top would unroll every step of a window; "
            "docs/vendor.md"
        )


def _write_test_bench(bundle: Bundle, folder: Path) -> None:
    """Features and answers as hls4ml's test bench reads them."""
    spec = bundle.spec
    features = bundle.golden.get("window_features")
    if features is None:
        rng = np.random.default_rng(0)
        shape = (WINDOWS, spec.window, spec.features)
        features = rng.integers(spec.input.minimum, spec.input.maximum + 1, shape)
    features = features[:WINDOWS]
    logits = run_windows(bundle, features)[0]
    folder.mkdir()
    _write_numbers(
        folder / "tb_input_features.dat", features.reshape(len(features), -1), spec.input
    )
    _write_numbers(folder / "tb_output_predictions.dat", logits, spec.logits)


def _write_numbers(path: Path, rows: IntArray, form: FixedFormat) -> None:
    values = form.to_float(rows)
    path.write_text("".join(" ".join(f"{v:.17g}" for v in row) + "\n" for row in values))
