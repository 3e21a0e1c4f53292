"""A block of the shell under test: its parameters and files, told by the runner through the environment."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field

from sim.bench.runner import Design, shell_design

VARIABLE = "PYORCH_SHELL_CASE"


@dataclass(frozen=True)
class ShellCase:
    """One block with its parameters.

    Attributes:
        files: name → text of the memories that it reads.
    """

    block: str
    parameters: dict[str, int | str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    seed: int = 1

    @property
    def module(self) -> str:
        """Its cocotb bench."""
        return f"sim.bench.shell.bench_{self.block}"

    @property
    def design(self) -> Design:
        """What is compiled."""
        return shell_design(self.block, self.files, **self.parameters)

    def number(self, name: str) -> int:
        """An integer parameter."""
        return int(self.parameters[name])

    def environment(self) -> dict[str, str]:
        """What `case_of_environment` reads."""
        return {VARIABLE: json.dumps(asdict(self))}


def case_of_environment() -> ShellCase:
    """The case that the runner chose."""
    return ShellCase(**json.loads(os.environ[VARIABLE]))
