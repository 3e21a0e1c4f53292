"""`pyorch bench tick-to-quote`: the kernels do the loop's work, and every part has its figures."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from pyorch import _native
from pyorch.market.simulate import simulate
from pyorch.trading.config import load_config
from pyorch.trading.native import native_settings
from pyorch.trading.plan import make_plan
from pyorch.trading.sample import random_quoting_bundle
from sim.tick_to_quote import tick_to_quote


def test_kernels_send_as_many_quotes_as_the_loop() -> None:
    words = ["--seconds", "12", "--ticks", "1", "--twin-seconds", "1", "--json"]
    found = CliRunner().invoke(tick_to_quote, words, catch_exceptions=False)
    assert found.exit_code == 0, found.output
    said = json.loads(found.stdout)
    assert said["ok"] is True
    figures = said["figures"]
    for options in (20, 200):
        assert figures[f"quotes_{options}"] > options
        kernels = [
            figures[f"kernel_{options}_{name}_mean_ns"]
            for name in ("book_and_features", "engine", "policy", "pricing", "encode")
        ]
        assert all(ns > 0 for ns in kernels)
        assert figures[f"kernels_{options}_mean_ns"] == pytest.approx(sum(kernels))
        ratio = figures[f"native_{options}_mean_of_medians_ns"] / sum(kernels)
        assert figures[f"ratio_{options}"] == pytest.approx(ratio)
        assert figures[f"with_decode_{options}_p50_ns"] > 0
        assert said["peers"][f"Python pipeline, {options} options"]["ticks"] > 0
    assert figures["decode_total_p50_ns"] > 0


def test_stages_refuse_arrays_of_other_shapes() -> None:
    tape = simulate(7, 2.0)
    bundle = random_quoting_bundle(1, tape)
    settings = native_settings(make_plan(load_config(), bundle, tape))
    ticks, scores = np.zeros((4, 6), np.int64), np.zeros((4, 3), np.int64)
    with pytest.raises(
        ValueError, match=r"ticks are \[n, 6\], scores \[n, outputs\], took \[3, n\]"
    ):
        _native.time_stages(settings, ticks, scores, np.zeros((3, 4), np.int64))
