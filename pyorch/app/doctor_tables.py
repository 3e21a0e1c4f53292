"""A diagnosis as aligned tables."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pyorch.app.doctor import Diagnosis


def show(found: Diagnosis, console: Console) -> None:
    """Print what is here, what is missing, and the boards."""
    here = _table("tools that are here", "tool", "version", "where")
    missing = _table("missing", "tool", "without it there is no", "where it comes from")
    for tool in found.tools:
        if tool.found:
            here.add_row(tool.name, tool.version or "does not say", escape(tool.where))
        else:
            missing.add_row(tool.name, tool.prevents, tool.bring)
    for table in (here, missing):
        if table.row_count:
            console.print(table)
    boards = _table("boards and cards", "kind", "name", "where", "detail")
    for board in found.boards:
        boards.add_row(board.kind, escape(board.name), escape(board.where), escape(board.detail))
    if found.boards:
        console.print(boards)
    else:
        console.print("boards and cards: none visible here")
    for problem in found.problems:
        console.print(f"not looked for: {problem}", markup=False)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0))
    for number, column in enumerate(columns):
        table.add_column(column, no_wrap=number == 0)
    return table
