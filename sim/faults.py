"""Engines that fail on purpose, lanes that take simulated time, and a clock that only they move."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from pyorch.contract.bundle import Bundle
from pyorch.contract.engine import Engine, EngineInfo, Outputs, State
from pyorch.contract.errors import DeviceError, MismatchError
from pyorch.contract.fixed import IntArray
from pyorch.inference.failover.lane import Call, Opener, Ticket

NEVER = 1 << 62


class Fault(Enum):
    """What can go wrong with an engine."""

    KILL = "kill"
    """The process behind it is gone: every call fails until it is opened anew."""
    HANG = "hang"
    """A call does not return."""
    SLOW = "slow"
    """Answers take ten deadlines."""
    WEIGHT = "flipped weight bit"
    STATE = "flipped state bit"
    ANSWER = "corrupted answer"
    """One bit of one answer."""
    UNPLUG = "card unplugged"
    """Every call fails, and opening too, for a while."""
    IDENTITY = "another model"
    """The device holds another bundle."""
    STUCK = "stuck counter"
    SILENT = "no heartbeat"
    """Steps are answered, pulses are not."""


class ManualClock:
    """Time that passes only when it is waited for."""

    def __init__(self) -> None:
        self._now_ns = 0
        self._events: list[int] = []

    def now_ns(self) -> int:
        """The simulated time."""
        return self._now_ns

    def schedule(self, at_ns: int) -> None:
        """Something will happen then."""
        if at_ns < NEVER:
            self._events.append(at_ns)

    def advance(self, ns: int) -> None:
        """Let time pass."""
        self._now_ns += ns

    def wait(self, done: Callable[[], bool], until_ns: int) -> bool:
        """Go from event to event until ``done()``, at most to ``until_ns``."""
        while not done():
            ahead = [at for at in self._events if at > self._now_ns]
            self._events = ahead
            if not ahead or min(ahead) > until_ns:
                self._now_ns = max(self._now_ns, until_ns)
                return done()
            self._now_ns = min(ahead)
        return True

    def notify(self) -> None:
        """Nothing: one thread moves everything."""


class SimulatedLane:
    """Calls run at once, and are over after the latency that the engine is given."""

    def __init__(self, opener: Opener, clock: ManualClock, latency: Callable[[], int]) -> None:
        self._opener, self._clock, self._latency = opener, clock, latency
        self._engine: Engine | None = None
        self._free_ns = 0

    def submit(self, call: Call) -> Ticket:
        """Run it; the ticket is ready later."""
        ticket = Ticket()
        try:
            if self._engine is None:
                self._engine = self._opener()
            ticket.value = call(self._engine)
        except Exception as error:
            ticket.error = error
        begin = max(self._clock.now_ns(), self._free_ns)
        self._free_ns = min(begin + self._latency(), NEVER)
        ticket.done_ns = self._free_ns
        self._clock.schedule(self._free_ns)
        return ticket

    def abandon(self) -> None:
        """Close the engine."""
        if self._engine is not None:
            with suppress(Exception):
                self._engine.close()


@dataclass(slots=True)
class FaultPlan:
    """What is wrong with a device from now on; shared by every engine opened on it.

    Attributes:
        fault: None: nothing.
        latency_ns: of a call.
        deadline_ns: what ``SLOW`` is ten times of.
        openings: how many openings fail while it is unplugged.
    """

    latency_ns: int = 20_000
    deadline_ns: int = 1_000_000
    fault: Fault | None = None
    openings: int = 0

    def latency(self) -> int:
        """Of the next call."""
        if self.fault is Fault.HANG:
            return NEVER
        return 10 * self.deadline_ns if self.fault is Fault.SLOW else self.latency_ns


class FaultyEngine:
    """An engine on a device that a plan breaks; opened anew it is whole, unless the plan says otherwise."""

    def __init__(self, bundle: Bundle, opener: Callable[[Bundle], Engine], plan: FaultPlan) -> None:
        if plan.fault is Fault.UNPLUG and plan.openings > 0:
            plan.openings -= 1
            raise DeviceError("no card in the slot")
        plan.fault = None  # a device that is opened is loaded anew
        self._bundle, self._open, self._plan = bundle, opener, plan
        self._engine = opener(bundle)
        self._gone: Fault | None = None
        self._beyond = 0

    @property
    def info(self) -> EngineInfo:
        """The engine's."""
        return self._engine.info

    def step(self, features: IntArray) -> Outputs:
        """The engine's, unless it is broken."""
        fault = self._break()
        outputs = self._engine.step(features)
        if fault is Fault.ANSWER:
            self._plan.fault = None
            logits = outputs.logits.copy()
            logits[0] ^= 1
            return replace(outputs, logits=logits)
        if fault is Fault.STUCK:
            self._beyond += 1
        return outputs

    def window(self, features: IntArray) -> Outputs:
        """The engine's."""
        self._break()
        return self._engine.window(features)

    def state(self) -> State:
        """The engine's."""
        self._break()
        return self._engine.state()

    def load_state(self, state: State) -> None:
        """The engine's."""
        self._break()
        self._engine.load_state(state)

    def reset(self) -> None:
        """The engine's."""
        self._break()
        self._engine.reset()

    def pulse(self) -> int:
        """The engine's, unless identity, counter or heartbeat are broken."""
        self._break()
        if self._plan.fault is Fault.IDENTITY:
            raise MismatchError("the card holds model 0123456789abcdef, not the bundle")
        if self._plan.fault is Fault.SILENT:
            raise DeviceError("no heartbeat")
        return self._engine.pulse() - self._beyond

    def close(self) -> None:
        """The engine's."""
        self._engine.close()

    def _break(self) -> Fault | None:
        fault = self._plan.fault
        if fault in (Fault.KILL, Fault.UNPLUG):
            self._gone = fault
        if self._gone is not None:
            raise DeviceError(f"the device is gone ({self._gone.value})")
        if fault is Fault.WEIGHT:
            self._swap(flipped_weight(self._bundle))
            self._plan.fault = None
        if fault is Fault.STATE:
            self._engine.load_state(flipped_state(self._engine.state()))
            self._plan.fault = None
        return fault

    def _swap(self, bundle: Bundle) -> None:
        state = self._engine.state()
        self._beyond -= self._engine.pulse()
        self._engine.close()
        self._engine = self._open(bundle)
        self._engine.load_state(state)


def flipped_weight(bundle: Bundle) -> Bundle:
    """The bundle with one bit of one recurrent weight flipped, and golden vectors of its own."""
    from pyorch.inference.complete import complete_bundle

    name = f"{bundle.spec.lstm_layers[0].name}.recurrent"
    weight = bundle.weights[name].copy()
    weight[0, 0] ^= 1 << (bundle.spec.lstm_layers[0].recurrent.width - 2)
    return complete_bundle(bundle.spec, bundle.weights | {name: weight})


def flipped_state(state: State) -> State:
    """A state with one bit of h, or of the last vector, flipped."""
    if len(state.vectors):
        vectors = state.vectors.copy()
        vectors[-1, 0] ^= 1
        return replace(state, vectors=vectors)
    if not state.hidden:
        return state
    hidden = state.hidden[0].copy()
    hidden[0] ^= 1
    return replace(state, hidden=(hidden, *state.hidden[1:]))


def faulty_lanes(clock: ManualClock, plans: dict[str, FaultPlan]) -> Callable[[str, Opener], Any]:
    """Lanes whose latency is that of each engine's plan."""
    return lambda name, opener: SimulatedLane(opener, clock, plans[name].latency)
