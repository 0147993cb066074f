"""The notebooks as they are stored, and the strictness of what tests them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from python_calamine import CalamineWorkbook

from itnio_nb.runbooks.runner import clear_outputs, read_notebook, save_notebook
from tests.support.factories import ROOT

FOLDER = ROOT / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
# Nothing that differs from machine to machine or from run to run may be stored.
VOLATILE = re.compile(r"/(?:home|root|tmp|Users)/|127\.0\.0\.1:|0x[0-9a-f]{6}|widget-view|site-packages|\d{8}T\d{6}Z")


def nbval(path: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--nbval", "--nbval-current-env", path.name]
    return subprocess.run(command, cwd=path.parent, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A short notebook with its conftest, to be spoilt."""
    shutil.copytree(FOLDER, tmp_path / "notebooks", ignore=shutil.ignore_patterns("results", "__pycache__"))
    return tmp_path / "notebooks" / "05-go-live.ipynb"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_stored_executed_and_clean(path: Path) -> None:
    """Every code cell was run, in order, without an error; nothing in it shows where or when."""
    content = json.loads(path.read_text(encoding="utf-8"))
    cells = [cell for cell in content["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert not [output for output in outputs if output["output_type"] == "error" or output.get("name") == "stderr"]
    assert not VOLATILE.findall(json.dumps(outputs))
    assert list(content["metadata"]) == ["kernelspec"]


def test_the_first_notebook_shows_numbers_that_add_up() -> None:
    """Its plan line, its done line and its files agree."""
    text = (FOLDER / "01-first-phones.ipynb").read_text(encoding="utf-8")
    assert "Plan: 42 groups to create (867 phones), 1 already exists, 4 rows invalid, 0 in doubt." in text
    assert "41 created (865 phones), 1 existed, 1 refused, 0 unknown, 0 not sent. Verified: 865 of 865 phones." in text
    assert "Nothing was sent: all 42 groups exist already." in text


def test_the_spreadsheet_is_what_its_script_makes(tmp_path: Path) -> None:
    """At least 40 orders, with every kind of trouble that the notebook speaks of."""
    made = tmp_path / "phones.xlsx"
    subprocess.run([sys.executable, FOLDER / "data" / "make_phones.py", made], check=True)
    books = [CalamineWorkbook.from_path(path) for path in (made, FOLDER / "data" / "phones.xlsx")]
    sheets = [book.get_sheet_by_index(0).to_python() for book in books]
    assert sheets[0] == sheets[1]
    assert len(sheets[1]) > 40


def test_one_altered_word_fails(copied: Path) -> None:
    """And says which: what is stored is really compared."""
    text = copied.read_text(encoding="utf-8")
    stored = text.replace("none is unfinished", "none was unfinished", 1)
    assert stored != text
    copied.write_text(stored, encoding="utf-8")
    done = nbval(copied)
    assert done.returncode == 1
    assert "1 failed" in done.stdout
    assert "none was unfinished" in done.stdout


def test_a_stripped_notebook_is_an_error(copied: Path) -> None:
    """nbval alone would compare nothing and pass."""
    content = read_notebook(copied)
    clear_outputs(content)
    save_notebook(content, copied)
    done = nbval(copied)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "was never run" in done.stdout + done.stderr
