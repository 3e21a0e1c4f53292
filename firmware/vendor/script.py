"""Tcl text: words quoted, each property on a line of its own with the document that states it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from firmware.vendor.documents import DOCUMENTS, TOOLS, document_of

_PLAIN = re.compile(r"[A-Za-z0-9_./:+=%@-]+|\$\w+")


def word(text: str) -> str:
    """A word that Tcl takes as it stands: bare, or in braces."""
    return text if _PLAIN.fullmatch(text) else "{" + text + "}"


def words(texts: Iterable[str]) -> str:
    """A list of words."""
    return " ".join(word(text) for text in texts)


class Script:
    """A Tcl script under construction.

    Args:
        title: what it does, one line of a comment.
    """

    def __init__(self, title: str) -> None:
        self._lines = [f"# {title} For Vivado {TOOLS}; UG835 states the commands.", ""]

    def part(self, title: str) -> None:
        """Begin a paragraph."""
        if self._lines[-1]:
            self._lines.append("")
        self._lines.append(f"# {title}")

    def run(self, *lines: str) -> None:
        """Lines as they stand."""
        self._lines.extend(lines)

    def set(self, name: str, value: str, target: str) -> None:
        """``set_property``; ``target`` is an expression."""
        document = document_of(name)
        self._lines.append(
            f"set_property {word(name)} {word(value)} {target} ;# {document}, {DOCUMENTS[document]}"
        )

    def configure(self, config: Mapping[str, str], target: str) -> None:
        """``CONFIG`` properties of an object."""
        for name, value in config.items():
            self.set(f"CONFIG.{name}", value, target)

    def text(self) -> str:
        """The script."""
        return "\n".join(self._lines) + "\n"


HERE = "set here [file dirname [file normalize [info script]]]"
"""Scripts find their files beside themselves, wherever they are started."""
