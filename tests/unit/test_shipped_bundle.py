"""The bundle that ships with pyorch is whole, small, says where it comes from, and beats its baselines."""

import json
from pathlib import Path

import pytest

import pyorch
from pyorch.app.shipped import shipped_bundle
from pyorch.contract.bundle import Bundle
from pyorch.inference.cpu import CpuEngine
from pyorch.inference.reference import ReferenceEngine

SHIPPED = Path(pyorch.__file__).parent / "shipped"
LARGEST_BYTES = 200_000


def test_it_opens_on_the_reference_and_the_cpu_and_replays_its_golden_vectors() -> None:
    bundle = Bundle.load(shipped_bundle())
    assert ReferenceEngine.open(bundle).info.exact
    assert CpuEngine.open(bundle).info.exact
    assert bundle.spec.mode == "stateful" and bundle.spec.features == 16


def test_it_is_small_and_names_the_command_that_makes_it() -> None:
    size = sum(path.stat().st_size for path in SHIPPED.rglob("*") if path.is_file())
    assert size < LARGEST_BYTES
    bundle = Bundle.load(shipped_bundle())
    assert bundle.provenance["command"] == (
        "pyorch train --minutes 60 --preset default --mode stateful --units 32 --seed 1 --out tiny"
    )
    record = json.loads((SHIPPED / "training.json").read_text())
    assert record["figures"] == bundle.provenance["training"]


def test_its_recorded_figures_meet_what_the_project_promises() -> None:
    figures = Bundle.load(shipped_bundle()).provenance["training"]
    assert figures["gain"]["majority"]["low"] > 0.0
    assert figures["gain"]["logistic"]["low"] > 0.0
    assert min(figures["direction"]["quantised"]["recall"]) > 0.0
    same = figures["fidelity"]["float_same_weights"]
    assert same["agreement"] >= 0.99
    assert same["delta_macro_f1"] == pytest.approx(0.0, abs=0.005)
    assert figures["equal_to_reference"]["mismatches"] == 0
