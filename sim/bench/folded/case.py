"""The block under test of a bench: shape, formats and seeds, told by the runner through the environment."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass

from hls.emit.folded import plan
from hls.emit.style import Block, StylePlan
from pyorch.contract.bundle import Bundle
from pyorch.contract.fixed import FixedFormat
from pyorch.contract.precision import PRESETS, Precision
from pyorch.inference.sample import random_bundle

VARIABLE = "PYORCH_BENCH_CASE"
_parse = FixedFormat.parse
WIDE = Precision(
    input=_parse("fixed<12,5,RND,SAT>"), kernel=_parse("fixed<9,2,RND,SAT>"),
    bias=_parse("fixed<20,3,RND,SAT>"), hidden=_parse("fixed<10,1,TRN,WRAP>"),
    cell=_parse("fixed<20,6,TRN,WRAP>"), table=_parse("fixed<18,2,RND,SAT>"),
    index="hls4ml", index_bits=9,
)  # fmt: skip
"""More than 32 bits in the tail, all other modes, hls4ml's index rule."""
FORMATS = {**PRESETS, "wide": WIDE}


@dataclass(frozen=True, slots=True)
class Case:
    """One layer of a random model in the folded style; ``layer`` 0 is its LSTM, 1 its dense layer."""

    features: int
    units: int
    multipliers: int
    formats: str = "default"
    chunk: int = 0
    layer: int = 0
    seed: int = 1

    def bundle(self, other: bool = False) -> Bundle:
        """The model whose weights are in the memories; ``other``: the one that is loaded later."""
        return random_bundle(
            self.seed + other, self.features, (self.units,), FORMATS[self.formats], extreme=other
        )

    def plan(self, other: bool = False) -> StylePlan:
        """Its plan."""
        return plan(self.bundle(other), multipliers=self.multipliers, chunk=self.chunk)

    @property
    def block(self) -> Block:
        """The block under test."""
        return self.plan().blocks[self.layer]

    def environment(self) -> dict[str, str]:
        """What `case_of_environment` reads."""
        return {VARIABLE: json.dumps(asdict(self))}


def case_of_environment() -> Case:
    """The case that the runner chose."""
    return Case(**json.loads(os.environ[VARIABLE]))
