"""The feature path as a project: market events in, decision words out, around the core of any style."""

from __future__ import annotations

from dataclasses import dataclass

from hls.emit.banking import paths_of
from hls.emit.core_cycles import ANSWER, CoreControl
from hls.emit.features import FeaturePlan, plan_features
from hls.emit.stages import predicted_stages
from hls.emit.style import StylePlan
from pyorch.contract.bundle import Bundle
from pyorch.contract.decision import HEAD_BEATS
from pyorch.contract.errors import ModelError, UsageError
from pyorch.contract.fabric import Stage
from pyorch.contract.model import Head, ModelSpec

SOFTMAX_CYCLES, SIGMOID_CYCLES, CALIBRATE_CYCLES, CONDITION_CYCLES = 3, 2, 2, 1
RULES_CYCLES = 1
"""From `decide` to the word: the rules and their effect."""
DIVIDE_BITS = 4
ROW_CYCLES, LISTING_CYCLES = 2, 9
"""From the last beat to the book's answer: of a trade; of a message of levels, besides one for each level."""
DECODER_CYCLES = 1
"""Of them, from the last beat to the row."""
NORMALISE_CYCLES = 4
"""Of the features': from the last raw integer to the vector."""


TURN_CYCLES = 1
"""Of several instruments: from the features to the instrument's turn."""
STATE_READ = {"baked": 2, "folded": 3, "loadable": 3}
"""Cycles from a state's address to the element, by style."""
SWITCH_CYCLES = 4
QUEUE_PLACES = 4
WORD_CYCLES = 4
"""Of a turn: queues, and from a word's last beat to the next tick."""


@dataclass(frozen=True, slots=True)
class EventShape:
    """What is chosen of a feature path.

    Attributes:
        instruments: known to the decoder.
        paths: instruments with a book, features and state of their own: 0 to ``paths`` - 1.
        window_bits: 2^n ticks of prices in the book; levels: of a side, seen by features.
        lanes: arguments of logarithms a cycle.
        rules: room for rules of the policy.
    """

    instruments: int = 1
    paths: int = 1
    window_bits: int = 13
    levels: int = 10
    lanes: int = 4
    rules: int = 8


@dataclass(frozen=True, slots=True)
class EventPlan:
    """A bundle's feature path in a style."""

    bundle: Bundle
    core: StylePlan
    features: FeaturePlan
    shape: EventShape

    @property
    def decide_cycles(self) -> int:
        """From the first cycle of the logits to `decide`."""
        return self.share_cycles + CALIBRATE_CYCLES + CONDITION_CYCLES

    @property
    def share_cycles(self) -> int:
        """From the logits to probabilities before calibration."""
        kinds = {head.kind for head in self.bundle.spec.heads}
        return SOFTMAX_CYCLES + 16 // DIVIDE_BITS if "softmax" in kinds else SIGMOID_CYCLES

    def stages(self, levels: bool) -> tuple[Stage, ...]:
        """Of an event on an idle path: of a message of levels, or of a trade or timer.

        The last one is not awaited: beats of the word after its first.
        """
        book = LISTING_CYCLES + self.shape.levels if levels else ROW_CYCLES
        features = (
            self.features.shown_cycles(self.shape.levels) if levels else self.features.passed_cycles
        )
        turn = (("turn", "", TURN_CYCLES),) if self.shape.paths > 1 else ()
        parts = (
            ("decoder", "", DECODER_CYCLES), ("book", "", book - DECODER_CYCLES),
            ("features", "", features - NORMALISE_CYCLES), ("normalise", "", NORMALISE_CYCLES), *turn,
            *self._core_parts(), ("softmax, sigmoid", "", self.share_cycles),
            ("calibrate", "", CALIBRATE_CYCLES), ("conditions", "", CONDITION_CYCLES),
            ("policy", "", RULES_CYCLES),
        )  # fmt: skip
        stages, now = [], 0
        for name, block, cycles in parts:
            stages.append(Stage(name, block, now, now + cycles, True))
            now += cycles
        beats = HEAD_BEATS + (len(self.bundle.spec.outputs) + 1) // 2
        return (*stages, Stage("rest of the word", "", now, now + beats - 1, False))

    def _core_parts(self) -> list[tuple[str, str, int]]:
        """Name, layer and cycles of what the core does; as one, where the stages of a tick do not say."""
        stages = predicted_stages(self.bundle.spec, self.core, self.bundle.spec.input)
        parts = [(s.name, s.block, s.cycles) for s in stages if s.block and s.awaited]
        whole = self.core_cycles()
        return parts if sum(cycles for *_, cycles in parts) == whole else [("core", "", whole)]

    def cycles(self) -> dict[str, int]:
        """From the last beat of an event to the first beat of its decision word, all else idle."""
        found = {
            "trade_to_decision": self.stages(levels=False)[-1].begin,
            "levels_to_decision": self.stages(levels=True)[-1].begin,
        }
        if self.shape.paths > 1:
            found |= {"state_switch": self.switch_cycles, "turn_wait": self.wait_cycles}
        return found

    @property
    def wait_cycles(self) -> int:
        """Features wait at most so long for their turn, while nothing holds the words back.

        A queue has `QUEUE_PLACES`; between two turns of an instrument each other one has one, and a turn is
        over when the state is there and the word is out.
        """
        beats = HEAD_BEATS + (len(self.bundle.spec.outputs) + 1) // 2
        word = self.core_cycles() + self.decide_cycles + RULES_CYCLES + beats + WORD_CYCLES
        turns = QUEUE_PLACES * self.shape.paths + 1
        return turns * (self.switch_cycles + word)

    @property
    def switch_cycles(self) -> int:
        """From a drained core with one instrument's state to the same with another's."""
        elements = 2 * sum(layer.units for layer in self.bundle.spec.lstm_layers)
        return 2 * elements + STATE_READ[self.core.style] + SWITCH_CYCLES

    def core_cycles(self) -> int:
        """From the cycle in which an idle core takes a vector to the first cycle of its logits."""
        core, waited = CoreControl.of(self.core), 0
        while not core.idle:
            core.step(False)
        while not core.step(True, ANSWER, y_ready=False):
            waited += 1
        taken = core.cycle - 1
        while not core.y_valid:
            core.step(False, y_ready=False)
        return core.cycle - taken + waited


def plan_events(bundle: Bundle, core: StylePlan, shape: EventShape) -> EventPlan:
    """The feature path of a bundle.

    Raises:
        UsageError: no feature schema, one that the fabric cannot compute, or a shape outside its limits.
        ModelError: the model is served from windows, or its input format is not the features'.
    """
    spec, schema = bundle.spec, bundle.schema
    if schema is None:
        raise UsageError(
            f"{spec.name}: the bundle has no feature schema, so market events cannot be its input; train "
            "one with `pyorch train`"
        )
    if spec.mode != "stateful":
        raise ModelError(
            f"{spec.name} is served from windows; the feature path carries stateful models: train with "
            "mode stateful, or emit it with --top frames"
        )
    if schema.format.width != spec.input.width or len(schema.features) != spec.features:
        raise ModelError(
            f"{spec.name} takes {spec.features} features of {spec.input.width} bits, its schema has "
            f"{len(schema.features)} of {schema.format.width}"
        )
    if not 2 <= shape.rules <= 16:
        raise UsageError(f"--rules {shape.rules}: a fabric has room for 2 to 16 rules")
    if not 8 <= shape.window_bits <= 18:
        raise UsageError(f"--window-bits {shape.window_bits}: the book's window has 8 to 18 bits")
    paths_of(shape.paths, shape.instruments)
    features = plan_features(schema, shape.lanes)
    deepest = max([1, *(depth for _, depth in features.terms)])
    if not deepest <= shape.levels <= 32:
        raise UsageError(
            f"--levels {shape.levels}: the features read {deepest} levels, the book shows at most 32"
        )
    if len(spec.outputs) > 16 or spec.logits.width > 32:
        raise ModelError(
            f"{spec.name} has {len(spec.outputs)} outputs of {spec.logits.width} bits; a decision word "
            "holds 16 of 32"
        )
    return EventPlan(bundle, core, features, shape)


def heads_at(spec: ModelSpec) -> list[tuple[int, Head]]:
    """Every head with the index of its first output."""
    found, at = [], 0
    for head in spec.heads:
        found.append((at, head))
        at += len(head.outputs)
    return found
