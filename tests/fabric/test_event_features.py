"""The fabric's features, Verilated behind decoder and book, against the streaming definition: every bit."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hls.emit.features import plan_features
from hls.emit.features_text import market_features
from pyorch.contract.errors import UsageError
from pyorch.contract.events import EVENT_DTYPE, EventArray, Flag, Kind, Side
from pyorch.contract.fixed import FixedFormat
from pyorch.contract.schema import Feature, FeatureSchema
from pyorch.features.definitions import (
    DEFAULT_FEATURES,
    FURTHER_FEATURES,
    default_schema,
    surface_schema,
)
from pyorch.market.feeds.binance import read_recordings
from pyorch.market.simulate import simulate
from pyorch.market.wire import FRAME_BEATS, Frames, encode
from pyorch.market.wire_decoder import WireDecoder
from sim.bench.events.feature_player import COLUMNS, FeaturePlayer, FeatureShape, Table, defined
from sim.bench.events.line import joined, spoilt, with_snapshots
from sim.bench.events.player import STALE_NS

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(os.environ.get("PYORCH_DATA", ROOT.parent / "shared" / "data")) / "binance"
CYCLES = COLUMNS.index("cycles")
SEED_SCHEMA = 7


def fitted(features: tuple[Feature, ...], width: int = 8) -> FeatureSchema:
    """Features with knees and a normalisation of any size, in a format of ``width`` bits."""
    rng = np.random.default_rng(SEED_SCHEMA)
    result = []
    for feature in features:
        given = dict(feature.parameters)
        if "knee" in given:
            given["knee"] = int(rng.integers(0, 14))
        shift = int(rng.integers(0, 18))
        multiplier = int(rng.integers(1, 1 << shift >> 2)) if shift > 3 else 1
        result.append(
            replace(
                feature, parameters=given, offset=int(rng.integers(-3000, 3000)), shift=shift,
                multiplier=multiplier,
            )
        )  # fmt: skip
    return FeatureSchema(tuple(result), FixedFormat(width, 3))


SCHEMA = fitted(
    (
        *DEFAULT_FEATURES, *FURTHER_FEATURES,
        Feature("density_ask_3", "density", "octave/256", {"side": 1, "depth": 3}),
        Feature("imbalance_2", "imbalance", "octave/256", {"depth": 2}),
        Feature("momentum_16us", "momentum", "octave/256", {"bucket_bits": 16, "shift": 12, "knee": 40}),
    )
)  # fmt: skip
SHAPE = FeatureShape(SCHEMA, lanes=2, instruments=2, window_bits=10, levels=10)


def play(
    shape: FeatureShape, frames: Frames, *, gap: int = 0, idle: float = 0.0, stall: float = 0.0
) -> Table:
    """Through the fabric; every tick must be the definition's."""
    player = FeaturePlayer(shape)
    try:
        ticks = player.play(frames, gap=gap, idle=idle, stall=stall)
    finally:
        player.close()
    decoded = WireDecoder(shape.instruments, STALE_NS).push(frames.beats, frames.ends)
    expected = defined(decoded.events, decoded.numbers, decoded.stale, shape)
    assert len(ticks) == len(expected)
    different = (np.delete(ticks, CYCLES, 1) != np.delete(expected, CYCLES, 1)).any(1)
    at = np.flatnonzero(different)[:1]
    assert not different.any(), (ticks[at].tolist(), expected[at].tolist())
    return ticks


def test_features_of_spoilt_streams_are_the_definitions() -> None:
    """Bad frames, silences of many buckets, books that leave the window."""
    ticks = segments = 0
    for seed in range(5):
        part = with_snapshots(simulate(seed, 8.0, second=True).events[:3500], 40)
        own = (part["instrument"] == 0) & (part["kind"] <= Kind.SNAPSHOT)
        if seed > 2:  # levels farther apart than a window of 1,024 ticks
            part["price_ticks"] += np.where(
                own, (part["price_ticks"] - 618_000) * (4 * seed - 6), 0
            )
        silences = np.zeros(len(part), np.int64)
        starts = np.flatnonzero(part["flags"] & Flag.FIRST)
        pauses = 10 ** np.random.default_rng(seed).uniform(4, 10.5, 30)
        silences[starts[:: len(starts) // 30][:30]] = pauses.astype(np.int64)
        part["local_ns"] += np.cumsum(silences)
        frames = encode(part, session=seed, beats_a_frame=(0, FRAME_BEATS)[seed & 1]).split()
        line = joined(spoilt(frames, np.random.default_rng(seed), 0.02 * (seed > 0)))
        found = play(SHAPE, line, idle=0.1 * (seed & 1), stall=0.3 * (seed & 1))
        ticks, segments = ticks + len(found), segments + int(found[:, 3].sum())
    assert ticks > 1000 and segments > 20, (ticks, segments)


def any_rows(seed: int) -> EventArray:
    """Any sizes, time that stands still or goes back, prices beyond their limit."""
    rng = np.random.default_rng(seed)
    rows = np.zeros(3000, EVENT_DTYPE)
    steps = rng.choice(
        [0, 1, 1 << 20, 1 << 27, -(1 << 25)], len(rows), p=[0.4, 0.3, 0.2, 0.05, 0.05]
    )
    rows["local_ns"] = (1 << 50) + np.cumsum(steps)
    rows["kind"] = rng.choice(
        [0, 1, 2, 3, 4, 5, 6], len(rows), p=[0.5, 0.1, 0.05, 0.25, 0.05, 0.04, 0.01]
    )
    rows["flags"] = rng.choice([0, 1, 2, 3], len(rows), p=[0.1, 0.2, 0.1, 0.6])
    rows["sequence"], rows["previous_sequence"] = -1, -1
    rows["side"] = rng.choice([0, 1, 2], len(rows), p=[0.48, 0.48, 0.04])
    away = rng.integers(1, 300, len(rows))
    around = ((1 << 40) - 100, 5000, -(1 << 40) - 100)[seed % 3]
    rows["price_ticks"] = around + np.where(rows["side"] == 0, -away, away)
    sizes = 2 ** rng.uniform(0, 45, len(rows))
    rows["quantity_lots"] = np.where(
        rng.random(len(rows)) < 0.2, rng.integers(-2, 3, len(rows)), sizes
    )
    rows["instrument"] = rng.random(len(rows)) < 0.02
    return rows


@pytest.mark.parametrize("seed", range(3))
def test_features_of_any_rows_are_the_definitions(seed: int) -> None:
    assert len(play(SHAPE, encode(any_rows(seed), beats_a_frame=60), stall=0.1)) > 500


def test_an_event_on_an_idle_path_takes_the_stated_cycles() -> None:
    ticks = play(SHAPE, encode(simulate(4, 6.0).events), gap=4000)  # averages catch up within
    plan = plan_features(SCHEMA, SHAPE.lanes)
    trades = ticks[ticks[:, 0] == Kind.TRADE, CYCLES]
    # two cycles to the book's answer, more behind another row of the event; then more where buckets end
    assert trades.min() == 2 + plan.passed_cycles
    levels = ticks[ticks[:, 0] == Kind.DEPTH, CYCLES]
    assert levels.min() == 9 + SHAPE.levels + plan.shown_cycles(SHAPE.levels)
    print("DEPTH: cycles from the last beat", np.unique(levels, return_counts=True))
    print("TRADE: cycles from the last beat", np.unique(trades, return_counts=True))


@pytest.mark.full
@pytest.mark.parametrize("lanes", [1, 3, 4])
def test_any_number_of_lanes_computes_the_same(lanes: int) -> None:
    schema = fitted((*DEFAULT_FEATURES, *FURTHER_FEATURES), width=10)
    play(FeatureShape(schema, lanes=lanes), encode(simulate(lanes, 20.0).events))


@pytest.mark.full
@pytest.mark.parametrize("kind", ["spread", "micro_offset", "mid_age", "trade_intensity"])
def test_a_schema_of_one_feature(kind: str) -> None:
    chosen = tuple(f for f in (*DEFAULT_FEATURES, *FURTHER_FEATURES) if f.kind == kind)[:1]
    play(FeatureShape(fitted(chosen)), encode(simulate(5, 10.0).events))


RECORDINGS = {
    "coinm_btcusd_perp_2024": (
        13,
        ["coinm_btcusd_perp_20240808.gz", "coinm_btcusd_perp_20240809.gz"],
    ),
    "usdm_btcusdt_2024": (13, ["usdm_btcusdt_20240808.gz"]),
    "spot_btcusdt_2024": (16, ["spot_btcusdt_20240808.gz", "spot_btcusdt_20240809.gz"]),
    "usdm_btcusdt_2023": (13, ["usdm_btcusdt_20230404.gz", "usdm_btcusdt_20230405.gz"]),
}


@pytest.mark.tape
@pytest.mark.full
@pytest.mark.parametrize("name", RECORDINGS)
def test_features_are_the_definitions_on_every_recording_complete(name: str) -> None:
    bits, files = RECORDINGS[name]
    paths = [FOLDER / file for file in files]
    if not all(path.is_file() for path in paths):
        pytest.skip(f"no recordings in {FOLDER}; PYORCH_DATA names their folder's parent")
    schema = fitted((*DEFAULT_FEATURES, *FURTHER_FEATURES))
    events = read_recordings(paths).events
    shape = FeatureShape(schema, window_bits=bits)
    ticks = play(shape, encode(events, beats_a_frame=FRAME_BEATS))
    assert len(ticks) > 1000
    print(
        f"{name}: {len(events):,} rows, {len(ticks):,} ticks, {ticks.size - len(ticks):,} integers equal"
    )


def test_what_the_fabric_cannot_compute_is_refused() -> None:
    two = replace(
        default_schema(),
        features=(
            Feature(
                "basis", "basis_momentum", "octave/256",
                {"scale_0": 1, "scale_1": 1, "bucket_bits": 24, "shift": 4, "knee": 0},
            ),
        ),
        instruments=2,
    )  # fmt: skip
    with pytest.raises(UsageError, match=r"feature basis: basis_momentum reads two instruments"):
        plan_features(two)
    with pytest.raises(UsageError) as surface:
        plan_features(surface_schema())
    assert str(surface.value) == (
        "features atm_volatility_change_1s, atm_volatility_change_8s, skew_change_1s, skew_change_8s, "
        "surface_age read the volatility surface, the fabric's features only books, trades and time; train "
        "on others, or let the CPU compute features and send vectors"
    )
    with pytest.raises(UsageError, match=r"5 lanes: features take 1 to 4"):
        plan_features(default_schema(), 5)
    far = replace(DEFAULT_FEATURES[0], offset=1 << 31)
    with pytest.raises(UsageError, match=r"feature micro_offset: the offset 2147483648 is outside"):
        plan_features(FeatureSchema((far,)))


def test_windows_averages_and_level_sums_are_shared() -> None:
    plan = plan_features(SCHEMA)
    assert len(plan.windows) == len(set(plan.windows)) == 11
    assert ("order_flow", 24) in plan.windows and (24, 4) in plan.averages
    text = market_features(plan)
    assert text.count("window_sum #(") == 11 and text.count("edge_average #(") == 3
    assert Side.BID == 0 and text.count("level_terms #(") == len(plan.terms)
