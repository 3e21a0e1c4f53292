"""`pyorch bench fabric`: cycles of the simulation are counted, every logit is compared."""

import json
from pathlib import Path

from click.testing import CliRunner

from pyorch.contract.precision import PRESETS
from pyorch.inference.sample import random_bundle
from sim.speed import fabric


def test_every_tick_is_counted_and_compared(tmp_path: Path) -> None:
    # of the shape and formats of other tests' fabrics: one compilation for all
    random_bundle(1, 6, (8,), PRESETS["narrow"]).save(tmp_path / "bundle")
    given = ["--multipliers", "28", "--wire", "fixed<12,4,RND,SAT>", "--ticks", "600", "--json"]
    result = CliRunner().invoke(fabric, [str(tmp_path / "bundle"), *given])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    figures = found["figures"]
    assert found["ok"] and figures["wrong_logits"] == 0
    assert figures["cycles"] > 600 * 10
    assert figures["cycles_a_tick"] == round(figures["cycles"] / 600, 2)
    assert figures["busy_million_cycles_a_cpu_second"] > 0
