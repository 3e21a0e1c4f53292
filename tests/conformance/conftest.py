"""Models of the simulated engines in every run; their others, a compilation each, in the full one."""

import pytest

IN_EVERY_RUN = {"card": ("seven units", "default window"), "serial": ("seven units",)}
"""Engine → models; a test that names no model takes a small one."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark before pytest deselects by marks."""
    for item in items:
        given = getattr(item, "callspec", None)
        if given is None or not {"body", "model"} <= given.params.keys():
            continue
        models = IN_EVERY_RUN.get(given.params["body"][0])
        if models is not None and given.params["model"] not in models:
            item.add_marker(pytest.mark.full)
