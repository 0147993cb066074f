"""Make `pytest --nbval` strict: what nbval would pass silently is an error here.

A notebook whose cells were never run is compared with nothing, which nbval passes. Text on stderr and SVG
pictures differ by nature and are not compared.
"""

from __future__ import annotations

import os

import pytest

os.environ["ITNIO_SANDBOX"] = "1"  # for the kernels: no test reaches an account, whatever is configured
os.environ["ITNIO_WIDGETS"] = "off"  # forms show their state as text, as they are stored
os.environ.update(ITNIO_OPERATOR="anna", ITNIO_MACHINE="ops1")  # who is said to work here, as it is stored

_NOT_COMPARED = ("stderr", "image/svg+xml")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Compare no more and no less than what is stored, and refuse a notebook that was never run."""
    if not config.getoption("nbval", default=False):
        return
    for item in items:
        if type(item).__name__ != "IPyNbCell":
            continue
        notebook, cell = item.parent, item.cell  # type: ignore[attr-defined] # nbval's own attributes
        notebook.skip_compare = (*notebook.skip_compare, *_NOT_COMPARED)
        if cell.source.strip() and cell.execution_count is None:
            raise pytest.UsageError(f"{notebook.path.name} has a cell that was never run: `make notebooks` runs it.")
