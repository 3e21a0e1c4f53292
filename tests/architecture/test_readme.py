"""The README is true: its commands exist with their options, its links lead somewhere."""

import re
from pathlib import Path

import click
import pytest

from pyorch.app import cli

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def commands(text: str) -> list[list[str]]:
    """The words of every ``pyorch VERB ...`` in code."""
    code = re.findall(r"```bash\n(.*?)```", text, re.DOTALL)
    lines = [line.split("#")[0] for block in code for line in block.splitlines()]
    lines += re.findall(r"`(pyorch [^`]+)`", text)
    return [line.split()[1:] for line in lines if line.split()[:1] == ["pyorch"]]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_of_a_page_exists_with_its_options(page: Path) -> None:
    cli._load_commands()
    for words in commands(page.read_text()):
        verb: click.Command | None = cli.cli
        while isinstance(verb, click.Group) and words and words[0].islower():
            verb = verb.commands.get(words.pop(0))
        assert verb is not None, f"{page.name} names a verb that does not exist: {words}"
        known = {name for option in verb.params for name in option.opts} | {"--help"}
        for word in words:
            option = word.strip("[]").split("=")[0]
            assert not option.startswith("--") or option in known, (
                f"{page.name}: {verb.name} {option}"
            )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_of_a_page_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_picture_is_small_enough_for_a_repository() -> None:
    assert (ROOT / "docs" / "report.png").stat().st_size < 300_000
