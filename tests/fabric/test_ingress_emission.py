"""`pyorch emit --top events --ingress`: the options, the project and its top."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from hls.emit.events import EventShape
from hls.emit.events_project import emit_events
from hls.emit.ingress import DEFAULT_LISTEN, made_of
from pyorch.contract.errors import UsageError
from pyorch.contract.fabric import FabricManifest
from pyorch.market.simulate import simulate
from pyorch.trading.config import load_config
from pyorch.trading.plan import make_plan
from pyorch.trading.policy_image import policy_image
from pyorch.trading.sample import random_quoting_bundle
from sim.verilator import WARNINGS, find_verilator


@pytest.mark.parametrize(
    ("phy", "listen", "mac", "says"),
    [
        (None, ("239.1.1.1:30001",), None, "--listen and --mac belong to --ingress"),
        (None, (), "020000123456", "--listen and --mac belong to --ingress"),
        ("mii", ("239.1.1.1",), None, "'239.1.1.1' is no address to listen to; give ADDRESS:PORT"),
        ("mii", ("239.1.1.300:1",), None, "'239.1.1.300:1' is no address to listen to"),
        ("mii", ("239.1.1.1:65536",), None, "'239.1.1.1:65536' is no address to listen to"),
        ("mii", (*DEFAULT_LISTEN, "239.1.1.3:1"), None, "3 lines to listen to: give --listen once"),
        ("mii", (), "02:00:00:12:34:5g", "--mac 02:00:00:12:34:5g: give 12 hex digits, as 02:00"),
        ("mii", (), "1020000123456", "--mac 1020000123456: give 12 hex digits"),
    ],
)  # fmt: skip
def test_options_that_make_no_ingress_say_what_does(
    phy: str | None, listen: tuple[str, ...], mac: str | None, says: str
) -> None:
    with pytest.raises(UsageError, match="^" + re.escape(says)):
        made_of(phy, listen, mac)  # type: ignore[arg-type]


def test_a_path_with_an_ingress_is_whole_and_says_what_it_listens_to(tmp_path: Path) -> None:
    tape = simulate(3, 5.0)
    bundle = random_quoting_bundle(5, tape, units=(4,))
    plan = replace(make_plan(load_config(), bundle, tape), warm_up_ticks=20)
    shape = EventShape(window_bits=11)
    image = policy_image(
        bundle.spec, bundle.weights["calibration"], plan.rules, plan.fair_shift, 20, shape.rules
    )
    tool = find_verilator()
    for lines in (1, 2):
        ingress = made_of("mii", DEFAULT_LISTEN[:lines], "02:00:00:12:34:56")
        folder = tmp_path / f"lines-{lines}"
        emit_events(bundle, "baked", folder, image, shape, ingress=ingress)
        manifest = FabricManifest.load(folder)
        assert manifest.events is not None and manifest.events.ingress is not None
        assert manifest.events.ingress.listen == DEFAULT_LISTEN[:lines]
        assert manifest.events.ingress.mac == "020000123456"
        assert (manifest.cycles["receive"], manifest.cycles["frame_to_trade"]) == (2, 10)
        top = (folder / "events_top.sv").read_text()
        assert (
            f"input  wire [{8 * lines - 1}:0] rx_data" in top
            and "input  wire        s_axis" not in top
        )
        sources = (folder / "project.f").read_text().split()
        command = [str(tool.binary), "--lint-only", "-Wno-fatal", *WARNINGS]
        result = subprocess.run(
            [*command, "--top-module", "events_top", *sources],
            cwd=folder, capture_output=True, text=True,
            env={"VERILATOR_ROOT": str(tool.root), "PATH": "/usr/bin:/bin"},
        )  # fmt: skip
        assert result.returncode == 0, result.stderr
        for word in ("PINMISSING", "PINNOTFOUND", "IMPLICIT", "MULTIDRIVEN", "SELRANGE"):
            assert f"%Warning-{word}" not in result.stderr, result.stderr
