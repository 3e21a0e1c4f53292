"""Which engine answers soonest on this machine: measured for every engine that opens here."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyorch.contract.bundle import Bundle
from pyorch.contract.engine import Engine, EngineInfo
from pyorch.contract.errors import DeviceError, EnvironmentMissingError, ModelError, PyorchError
from pyorch.contract.fixed import IntArray
from pyorch.inference.complete import random_features
from pyorch.inference.registry import engine_class, engine_names

Nanoseconds = NDArray[np.int64]
HAND_OVERS = 20
WARM_UP_TICKS = 50


@dataclass(frozen=True, slots=True)
class Placed:
    """An engine on this machine.

    Attributes:
        info: name, device, exactness; None: it does not open here.
        basis: how the times came about, in words.
        computed: the times follow from cycles and assumptions; such an engine is shown, not placed.
        ns: [ticks] from the features to the outputs, sorted.
        hand_over_ns: state read, loaded and one step made, median; -1: not measured.
        refused: why it does not open here.
    """

    name: str
    info: EngineInfo | None = None
    basis: str = ""
    computed: bool = False
    ns: Nanoseconds = field(default_factory=lambda: np.empty(0, np.int64))
    hand_over_ns: float = -1
    refused: str = ""

    def percentile(self, share: float) -> float:
        """The time that this share (%) of the ticks does not exceed."""
        return float(np.percentile(self.ns, share, method="higher"))

    def within(self, deadline_ns: float) -> bool:
        """Whether at least 99.9 % of the ticks meet the deadline."""
        return bool(self.ns.size) and self.percentile(99.9) <= deadline_ns


@dataclass(frozen=True, slots=True)
class Placement:
    """All engines, and the order in which a group should ask them.

    Attributes:
        order: exact engines within the deadline, the soonest first (p99.9, then p50); then inexact ones
            within it; then exact ones beyond it, as last resorts.
    """

    engines: tuple[Placed, ...]
    deadline_ns: float
    order: tuple[str, ...]


def place(
    bundle: Bundle,
    deadline_ns: float,
    ticks: int = 20_000,
    names: list[str] | None = None,
    options: dict[str, dict[str, Any]] | None = None,
    begun: Callable[[str], None] = lambda _: None,
) -> Placement:
    """Measure engines one after the other.

    Args:
        bundle: model.
        deadline_ns: from the features to the outputs.
        ticks: for engines that answer in microseconds; slower ones are given about 2 s each.
        names: which engines; None: all that are installed.
        options: engine → options of its ``open``.
        begun: called with each engine's name.

    Raises:
        UsageError: no engine has such a name.
    """
    rng = np.random.default_rng(1)
    features = random_features(rng, bundle.spec, (max(ticks, WARM_UP_TICKS),))
    engines = []
    for name in names if names is not None else engine_names():
        begun(name)
        found = engine_class_or_reason(name)
        if isinstance(found, str):
            engines.append(Placed(name, refused=found))
            continue
        engines.append(_measure(name, found, bundle, features, (options or {}).get(name, {})))
    return Placement(tuple(engines), deadline_ns, recommended(engines, deadline_ns))


def engine_class_or_reason(name: str) -> type[Engine] | str:
    """The class, or why it does not import here."""
    try:
        return engine_class(name)
    except EnvironmentMissingError as error:
        return str(error)


def recommended(engines: list[Placed], deadline_ns: float) -> tuple[str, ...]:
    """The order of `Placement.order`."""
    usable = [one for one in engines if one.info is not None and not one.computed]

    def key(one: Placed) -> tuple[int, float, float]:
        assert one.info is not None
        within = one.within(deadline_ns)
        rank = 0 if within and one.info.exact else 1 if within else 2 if one.info.exact else 3
        return rank, one.percentile(99.9), one.percentile(50)

    return tuple(one.name for one in sorted(usable, key=key) if key(one)[0] < 3)


def _measure(
    name: str, found: type[Engine], bundle: Bundle, features: IntArray, options: dict[str, Any]
) -> Placed:
    try:
        engine = found.open(bundle, **options)
    except (EnvironmentMissingError, DeviceError, ModelError) as error:
        return Placed(name, refused=str(error))
    try:
        ns, basis, computed = engine_times(engine, features)
        hand_over = -1.0 if computed else _hand_over_ns(engine, features)
        return Placed(name, engine.info, basis, computed, np.sort(ns), hand_over)
    except PyorchError as error:
        return Placed(name, refused=f"failed while it was measured: {error}")
    finally:
        engine.close()


def engine_times(engine: Engine, features: IntArray) -> tuple[Nanoseconds, str, bool]:
    """(times [m], how they came about, whether they are computed and not measured)."""
    computed = getattr(engine, "computed_times", None)
    if computed is not None:
        ns, basis = computed()
        return np.asarray(ns, np.int64), basis, True
    native = getattr(engine, "native_times", None)
    if native is not None:
        return np.asarray(native(features), np.int64), "measured, native caller", False
    for vector in features[:WARM_UP_TICKS]:
        engine.step(vector)
    begin = time.perf_counter_ns()
    times = []
    for vector in features:
        start = time.perf_counter_ns()
        engine.step(vector)
        times.append(time.perf_counter_ns() - start)
        if time.perf_counter_ns() - begin > 2e9 and len(times) >= WARM_UP_TICKS:
            break
    return np.array(times, np.int64), "measured, called from Python", False


def _hand_over_ns(engine: Engine, features: IntArray) -> float:
    times = []
    for vector in features[:HAND_OVERS]:
        start = time.perf_counter_ns()
        engine.load_state(engine.state())
        engine.step(vector)
        times.append(time.perf_counter_ns() - start)
    return float(np.median(times))
