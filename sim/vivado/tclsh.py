"""A script under `tclsh`: every command of the vendor's tools is asked of a Python model."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

from pyorch.contract.errors import BuildError, EnvironmentMissingError

PRELUDE = Path(__file__).with_name("prelude.tcl")
LIMIT_S = 60.0

Answer = Callable[[list[str], Path], str]
"""Takes the words of a command and the working directory, returns its result; raises `CommandError`."""


class CommandError(BuildError):
    """A command that the tool would refuse."""


def interpreter() -> str:
    """`tclsh`.

    Raises:
        EnvironmentMissingError: there is none.
    """
    found = shutil.which("tclsh")
    if found is None:
        raise EnvironmentMissingError("tclsh is not installed; install it: apt-get install tcl")
    return found


def run_script(
    script: Path, names: Iterable[str], answer: Answer, arguments: Iterable[str] = ()
) -> None:
    """Run a script in its folder until it ends.

    Args:
        names: of the commands that are passed on.

    Raises:
        CommandError: it fails; the message has Tcl's own account of where.
    """
    from_script, to_us = os.pipe()
    from_us, to_script = os.pipe()
    given = {
        "STAND_IN_QUESTIONS": str(to_us),
        "STAND_IN_ANSWERS": str(from_us),
        "STAND_IN_COMMANDS": ",".join(names),
    }
    child = subprocess.Popen(
        [interpreter(), str(PRELUDE), str(script), *arguments],
        cwd=script.parent, env={**os.environ, **given}, pass_fds=(to_us, from_us),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    os.close(to_us)
    os.close(from_us)
    with os.fdopen(from_script) as questions, os.fdopen(to_script, "w") as answers:
        for line in questions:
            words = [bytes.fromhex(word).decode() for word in line.rstrip("\n").split(",")]
            try:
                outcome, text = "ok", answer(words[1:], Path(words[0]))
            except CommandError as error:
                outcome, text = "error", str(error)
            answers.write(f"{outcome},{text.encode().hex()}\n")
            answers.flush()
    output, _ = child.communicate(timeout=LIMIT_S)
    if child.returncode:
        raise CommandError(output.decode().strip())


def split_list(text: str) -> list[str]:
    """The elements of a Tcl list: words, in braces if they have spaces."""
    found: list[str] = []
    word, depth, braced = "", 0, False
    for character in text:
        if character == "{":
            depth += 1
            if depth == 1 and not word:
                braced = True
                continue
        elif character == "}":
            depth -= 1
            if depth == 0 and braced:
                continue
        elif character.isspace() and depth == 0:
            if word or braced:
                found.append(word)
            word, braced = "", False
            continue
        word += character
    return [*found, word] if word or braced else found


def join_list(words: Iterable[str]) -> str:
    """A Tcl list of words."""
    return " ".join(
        word if word and not set(word) & set(" \t\n{}") else f"{{{word}}}" for word in words
    )
