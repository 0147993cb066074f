"""Executing a notebook and telling what it shows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from itnio_nb.runbooks.narrate import execute

pytestmark = pytest.mark.slow


def notebook(path: Path, *cells: str) -> Path:
    """Write a notebook; a cell that begins with # and a blank is text."""
    made: list[dict[str, Any]] = []
    for at, source in enumerate(cells):
        common: dict[str, Any] = {"id": f"c{at}", "metadata": {}, "source": source}
        if source.startswith("# "):
            made.append({"cell_type": "markdown", **common})
        else:
            made.append({"cell_type": "code", "execution_count": None, "outputs": [], **common})
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    content = {"cells": made, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_outputs_are_told_in_order_and_saved(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Headings, printed text and values; stderr goes to stderr; it works in the notebook's folder."""
    (tmp_path / "data.txt").write_text("from beside it")
    path = notebook(
        tmp_path / "a.ipynb",
        "# A heading\nand text",
        "print(open('data.txt').read())\n6 * 7",
        "import sys, os; sys.stderr.write('bar'); os.environ['ITNIO_PROGRESS']",
    )
    told: list[str] = []
    assert execute(path, told.append, {}) == ""
    assert told == ["\nA heading", "from beside it", "42", "'text'"]
    assert capfd.readouterr().err == "bar"
    saved = json.loads(path.read_text(encoding="utf-8"))["cells"]
    assert saved[1]["outputs"][-1]["data"]["text/plain"] in ("42", ["42"])


def test_a_failing_cell_is_one_line_and_saved_as_far_as_it_came(tmp_path: Path) -> None:
    """The cells before it keep their outputs, those behind it are not run."""
    path = notebook(tmp_path / "a.ipynb", "1 + 1", "1 / 0", "print('never')")
    told: list[str] = []
    assert execute(path, told.append, {}) == "A cell failed with ZeroDivisionError: division by zero"
    assert told == ["2"]
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    assert [cell["execution_count"] for cell in cells] == [1, 2, None]


def test_a_kernel_that_dies_is_one_line(tmp_path: Path) -> None:
    """Not a traceback."""
    path = notebook(tmp_path / "a.ipynb", "import os; os._exit(1)")
    assert "did not finish" in execute(path, print, {})
