"""What a session of the stand-in holds: projects, files, designs, cores, and names of objects."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from sim.vivado.catalogue import Ip
from sim.vivado.diagram import Diagram
from sim.vivado.packager import Core
from sim.vivado.tclsh import CommandError


@dataclass(slots=True)
class Run:
    """A synthesis or implementation run."""

    name: str
    folder: Path
    done: bool = False
    awaited: bool = False


@dataclass(slots=True)
class Project:
    """A project.

    Attributes:
        files: of all filesets → their properties.
        constraints: those of the constraint set.
    """

    name: str
    folder: Path
    part: str
    files: dict[Path, dict[str, str]] = field(default_factory=dict)
    constraints: list[Path] = field(default_factory=list)
    top: str = ""
    repositories: list[Path] = field(default_factory=list)
    catalogue: dict[str, Ip] = field(default_factory=dict)
    designs: dict[str, Diagram] = field(default_factory=dict)
    runs: dict[str, Run] = field(default_factory=dict)


@dataclass(slots=True)
class State:
    """A session.

    Attributes:
        base: the working directory; relative paths begin there.
        project: the open one.
        closed: those that were.
        values: object → properties that were set.
        cores: those that were saved, by folder.
        slack_ns: what timing paths of this session say.
        log: every command with its words.
    """

    base: Path
    project: Project | None = None
    closed: list[Project] = field(default_factory=list)
    core: Core | None = None
    cores: dict[Path, Core] = field(default_factory=dict)
    slack_ns: tuple[float, float] = (0.5, 0.1)
    log: list[list[str]] = field(default_factory=list)
    opened: str = ""

    def need_project(self) -> Project:
        """The open project.

        Raises:
            CommandError: none is open.
        """
        if self.project is None:
            raise CommandError("no project is open")
        return self.project

    def need_design(self) -> Diagram:
        """The present block design.

        Raises:
            CommandError: there is none.
        """
        designs = self.need_project().designs
        if not designs:
            raise CommandError("the project has no block design")
        return list(designs.values())[-1]

    def need_core(self, token: str = "") -> Core:
        """The core under the packager; its token stays good when name or version are set.

        Raises:
            CommandError: there is none, or something else is meant.
        """
        if self.core is None or not (token or "core:").startswith("core:"):
            raise CommandError(f"there is no core {token or '(none is open)'}")
        return self.core

    def path(self, text: str) -> Path:
        """A path as the tool sees it."""
        return (self.base / text).resolve()
