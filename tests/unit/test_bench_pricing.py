"""`pyorch bench pricing` measures us and QuantLib in one run, and says whether they agree."""

import json

import pytest
from click.testing import CliRunner

from pyorch.trading.bench_pricing import pricing


def test_bench_measures_a_chain_of_600_and_quantlib_beside_it() -> None:
    result = CliRunner().invoke(pricing, ["--json", "--repeats", "300"])
    assert result.exit_code == 0, result.output
    measured = json.loads(result.output)
    figures, peers = measured["figures"], measured["peers"]
    assert figures["options"] == 600
    assert figures["points_compared"] == 6 * 6 * 13 * 2 * 5
    assert 0 < figures["largest_difference_to_quantlib"] < 1e-9
    assert 0 < figures["chain_min_us"] <= figures["chain_p50_us"]
    assert peers["QuantLib through its Python binding"]["chain_min_us"] > 0
    assert measured["ok"] is (figures["chain_p50_us"] < 60)


def test_bench_says_when_quantlib_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "QuantLib", None)
    result = CliRunner().invoke(pricing, ["--repeats", "3"])
    assert "not compared: QuantLib is not installed (extra `peers`)" in result.output
    assert "largest_difference" not in result.output
