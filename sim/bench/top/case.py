"""The fabric under test of a bench, told by the runner through the environment."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from hls.emit.project import emit_bundle, image_for
from pyorch.contract.bundle import Bundle
from pyorch.contract.fabric import FabricManifest
from pyorch.contract.fixed import FixedFormat, IntArray
from pyorch.contract.precision import PRESETS
from pyorch.inference.sample import random_bundle

VARIABLE = "PYORCH_TOP_CASE"
ACLK_PS = 10_000
PROJECT, OTHER_IMAGE, MARKET = "project", "other.image", "market.npy"
WIRE = FixedFormat.parse("fixed<12,4,RND,SAT>")
"""Finer and wider than the models' inputs, so that features are rounded and saturated."""
LOGITS = FixedFormat.parse("fixed<10,3,RND,SAT>")
FORMATS = {**PRESETS, "tiny": replace(PRESETS["narrow"], index_bits=5, logits=LOGITS)}
"""`tiny`: small tables, so that an image is loaded in few writes, and logits that saturate."""


@dataclass(frozen=True)
class TopCase:
    """One fabric of a random model, and how much of what is played.

    Attributes:
        parameters: of the style.
        episodes: stretches of traffic, each with one event.
        clocks: 2: the core has a clock of its own, of period ``core_ps``, its first edge ``phase_ps`` after
            the first one of aclk.
        recorded: the market's features are those of a recorded market, not of a simulated one.
    """

    style: str
    features: int = 3
    units: tuple[int, ...] = (5,)
    formats: str = "tiny"
    serving: str = "stateful"
    window: int = 4
    parameters: dict[str, int] = field(default_factory=dict)
    episodes: int = 14
    seed: int = 1
    recorded: bool = False
    clocks: int = 1
    core_ps: int = ACLK_PS
    phase_ps: int = 0

    @property
    def clocks_bin(self) -> str:
        """The bin of the clocks."""
        if self.clocks == 1:
            return "one"
        faster = "core faster" if self.core_ps < ACLK_PS else "core slower"
        return "core as fast" if self.core_ps == ACLK_PS else faster

    @property
    def absent(self) -> str:
        """The stimulus that this bench has not."""
        return "market" if self.recorded else "recorded"

    @property
    def name(self) -> str:
        """In one word."""
        return f"{self.style}-{self.serving}-{self.formats}-{self.seed}"

    @cached_property
    def bundles(self) -> tuple[Bundle, Bundle]:
        """What is built in (normal weights) and loaded later (weights at the ends of their formats)."""
        mode = "window" if self.serving == "windowed" else "stateful"
        first, second = (
            random_bundle(
                self.seed + extreme, self.features, self.units, FORMATS[self.formats],
                mode=mode, window=self.window, extreme=bool(extreme),  # type: ignore[arg-type]
            )
            for extreme in (0, 1)
        )  # fmt: skip
        return first, second

    @property
    def built_in(self) -> Bundle:
        """What is emitted; baked weights stay, so every other fabric of that style has extreme ones."""
        return self.bundles[self.style == "baked" and self.seed % 2 == 0]

    def write(self, folder: Path, market: IntArray) -> None:
        """Emit the fabric and what its bench needs.

        Args:
            market: features of a market [n, at least F].
        """
        manifest = emit_bundle(
            self.built_in,
            self.style,
            folder / PROJECT,
            wire=WIRE,
            tools=None,
            clocks=self.clocks,
            **self.parameters,
        )
        if manifest.loadable:
            image_for(self.bundles[1], manifest).save(folder / OTHER_IMAGE)
        np.save(folder / MARKET, market[:, : self.features])

    def environment(self, folder: Path) -> dict[str, str]:
        """What `case_of_environment` reads."""
        return {VARIABLE: json.dumps([asdict(self), str(folder)])}


def case_of_environment() -> tuple[TopCase, Path]:
    """The case that the runner chose, and its folder."""
    case, folder = json.loads(os.environ[VARIABLE])
    return TopCase(**{**case, "units": tuple(case["units"])}), Path(folder)


def manifest_of(folder: Path) -> FabricManifest:
    """Of the fabric in the case's folder."""
    return FabricManifest.load(folder / PROJECT)
