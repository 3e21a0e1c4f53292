"""Constraints of a core: the commands that such a file may have (UG903), and objects that must exist."""

from __future__ import annotations

from pathlib import Path

from sim.vivado.tclsh import CommandError, run_script

COMMANDS = ("get_ports", "get_clocks", "get_property", "set_max_delay")


def check_constraints(path: Path, clocks: list[str]) -> list[tuple[str, str]]:
    """The bounded crossings (from, to) of a file.

    Args:
        clocks: ports of the core that clocks come in by.

    Raises:
        CommandError: another command, a port that is not there, a pair of clocks that nothing bounds.
    """
    bounded: list[tuple[str, str]] = []

    def answer(words: list[str], _place: Path) -> str:
        name, rest = words[0], words[1:]
        if name == "get_ports":
            if rest[0] not in clocks:
                raise CommandError(f"{path.name}: there is no clock port {rest[0]}")
            return f"port:{rest[0]}"
        if name == "get_clocks":
            if rest[:1] != ["-of_objects"] or not rest[1].startswith("port:"):
                raise CommandError(
                    f"{path.name}: get_clocks {' '.join(rest)} names no port's clock"
                )
            return f"clock:{rest[1].removeprefix('port:')}"
        if name == "get_property":
            if rest[0] != "PERIOD" or not rest[1].startswith("clock:"):
                raise CommandError(f"{path.name}: {rest[1]} has no property {rest[0]}")
            return "10.0"
        options = dict(zip(rest[1:5:2], rest[2:5:2], strict=True))
        if (
            rest[:1] != ["-datapath_only"]
            or set(options) != {"-from", "-to"}
            or not float(rest[5]) > 0
        ):
            raise CommandError(f"{path.name}: set_max_delay {' '.join(rest)}")
        bounded.append(
            (options["-from"].removeprefix("clock:"), options["-to"].removeprefix("clock:"))
        )
        return ""

    run_script(path, COMMANDS, answer)
    wanted = {(first, second) for first in clocks for second in clocks if first != second}
    if wanted != set(bounded):
        missing = ", ".join(" to ".join(pair) for pair in sorted(wanted - set(bounded)))
        raise CommandError(f"{path.name}: nothing bounds paths from {missing}")
    return bounded
