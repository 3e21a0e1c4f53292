"""The tick thread makes no system call, allocates nothing, takes no lock; and the proof can fail."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

from pyorch.contract.bundle import Bundle
from pyorch.market.simulate import simulate
from pyorch.market.tape import Tape
from pyorch.trading.bench_tick import corrected_ns, tick, typical_ns
from pyorch.trading.proof import counting_library, prove
from pyorch.trading.sample import random_quoting_bundle


@pytest.fixture(scope="module")
def market() -> tuple[Tape, Bundle]:
    tape = simulate(2, 20.0)
    return tape, random_quoting_bundle(1, tape)


def run_child(program: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"LD_PRELOAD": str(counting_library())}
    return subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_guarded_run_survives_and_counts_nothing(market: tuple[Tape, Bundle]) -> None:
    tape, bundle = market
    proof = prove(bundle, tape, passes=5)
    assert proof.ticks > 5_000
    assert (proof.system_calls, proof.allocations, proof.locks) == (0, 0, 0)


def test_a_single_system_call_would_end_the_guarded_process() -> None:
    result = run_child("from pyorch import _native; _native.break_guard(); print('alive')")
    assert result.returncode == -signal.SIGSYS
    assert "alive" not in result.stdout


def test_the_counters_count_what_a_thread_does() -> None:
    result = run_child("from pyorch import _native; print(_native.count_control())")
    assert result.stdout.strip() == "(10, 5)", result.stderr


def test_bench_tick_prints_one_object_with_stages_peer_and_proof() -> None:
    result = CliRunner().invoke(
        tick, ["--ticks", "20000", "--seconds", "20", "--twin-seconds", "3", "--json"]
    )
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["ok"] is True
    assert set(found["digests"]) == {"model", "tape", "configuration"}
    figures = found["figures"]
    assert figures["ticks"] >= 20_000
    assert figures["system_calls"] == figures["allocations"] == figures["locks"] == 0
    assert figures["events_per_s"] > 0
    assert 0 < figures["engine_p50_ns"] <= figures["tick_p50_ns"] <= figures["tick_p99_ns"]
    assert figures["tick_with_20_quotes_p50_ns"] > 0
    assert found["peers"]["Python twin"]["mean_tick_ns"] > 0


def test_a_slow_tick_delays_those_that_arrive_meanwhile() -> None:
    arrival = np.array([0, 100, 110, 500])
    service = np.array([10, 200, 10, 10], dtype=np.uint32)
    np.testing.assert_array_equal(corrected_ns(arrival, service), [10, 200, 200, 10])


def test_one_disturbed_pass_leaves_a_tick_s_typical_latency_alone() -> None:
    row = np.array([7, 9, 7, 9, 7, 9])
    total = np.array([100, 50, 9_000_000, 40, 110, 60], dtype=np.uint32)
    np.testing.assert_array_equal(typical_ns(row, total), [110, 50])
