"""Jinja templates of this package's pages."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pyorch.app.report.formats import FILTERS


def render_page(template: str, context: Mapping[str, Any], folder: Path | None = None) -> str:
    """A template filled in; the style sheet is its variable ``css``.

    Args:
        folder: of the template; default: this package's.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    here = Path(__file__).parent
    environment = Environment(
        loader=FileSystemLoader(folder or here),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters.update(FILTERS)
    css = (here / "page.css").read_text()
    return environment.get_template(template).render({"css": css, **context})
