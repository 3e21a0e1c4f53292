"""The block under test of a bench: shape, formats and seeds, told by the runner through the environment."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field

from hls.emit.project import style_of
from hls.emit.style import Block, StylePlan
from pyorch.contract.bundle import Bundle
from pyorch.contract.fixed import FixedFormat
from pyorch.contract.model import DenseLayer, LstmLayer
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


@dataclass(frozen=True)
class Case:
    """One layer of a random model; ``layer`` 0 is its LSTM, 1 its dense layer.

    Attributes:
        parameters: of the style.
    """

    style: str
    features: int
    units: int
    formats: str = "default"
    layer: int = 0
    parameters: dict[str, int] = field(default_factory=dict)
    seed: int = 1

    @property
    def name(self) -> str:
        """The bin of the block, as coverage names it."""
        return f"{'dense' if self.layer else 'lstm'}_{self.style}"

    def bundle(self, other: bool = False) -> Bundle:
        """The model whose weights are in the memories; ``other``: the one that is loaded later."""
        return random_bundle(
            self.seed + other, self.features, (self.units,), FORMATS[self.formats], extreme=other
        )

    def plan(self, other: bool = False) -> StylePlan:
        """Its plan."""
        return style_of(self.style).plan(self.bundle(other), **self.parameters)

    @property
    def block(self) -> Block:
        """The block under test."""
        return self.plan().blocks[self.layer]

    @property
    def ports(self) -> dict[str, int]:
        """Sizes of the block's ports: values and widths."""
        layer, chunk = self.bundle().spec.layers[self.layer], self.plan().blocks[0].chunk
        found = {"UNITS": layer.units, "CHUNK": chunk}
        if isinstance(layer, LstmLayer):
            return found | {"X_WIDTH": layer.input.width, "H_WIDTH": layer.hidden.width}
        assert isinstance(layer, DenseLayer)
        return found | {"H_WIDTH": layer.input.width, "Y_WIDTH": layer.output.width}

    def environment(self) -> dict[str, str]:
        """What `case_of_environment` reads."""
        return {VARIABLE: json.dumps(asdict(self))}


def case_of_environment() -> Case:
    """The case that the runner chose."""
    return Case(**json.loads(os.environ[VARIABLE]))
