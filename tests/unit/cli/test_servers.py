"""The working copy of the notebooks: the user's own, never overwritten."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from itnio_nb import InputError
from itnio_nb.cli.servers import find_notebooks, working_copy

NOTEBOOKS = find_notebooks()
NOTEBOOK = "01-first-phones.ipynb"


def cells(path: Path) -> list[dict[str, Any]]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return [cell for cell in content["cells"] if cell["cell_type"] == "code"]


def test_a_working_copy_has_no_outputs(tmp_path: Path) -> None:
    """Notebooks and their data, nothing that tells of another run, nothing of the tests."""
    assert working_copy(NOTEBOOKS, tmp_path / "mine" / "0.1.0")
    names = {str(path.relative_to(tmp_path / "mine")) for path in (tmp_path / "mine").rglob("*") if path.is_file()}
    files = [path for path in (NOTEBOOKS / "data").iterdir() if path.is_file() and not path.name.startswith("make_")]
    data = {f"0.1.0/data/{path.name}" for path in files}
    assert names == {f"0.1.0/{path.name}" for path in NOTEBOOKS.glob("*.ipynb")} | data
    made = cells(tmp_path / "mine" / "0.1.0" / NOTEBOOK)
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in made)
    assert [cell["source"] for cell in made] == [cell["source"] for cell in cells(NOTEBOOKS / NOTEBOOK)]


def test_what_is_the_users_is_never_overwritten(tmp_path: Path) -> None:
    """Neither by the same version nor, since each has a folder of its own, by an upgrade; an impossible one is said."""
    mine = tmp_path / "0.1.0"
    working_copy(NOTEBOOKS, mine)
    (mine / NOTEBOOK).write_text("changed")
    (mine / "data" / "phones.xlsx").unlink()
    assert not working_copy(NOTEBOOKS, mine)
    assert working_copy(NOTEBOOKS, tmp_path / "0.2.0")
    assert (mine / NOTEBOOK).read_text() == "changed"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.1.0", "0.2.0"]
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cannot be copied to .*choose another --folder"):
        working_copy(NOTEBOOKS, tmp_path / "file" / "0.1.0")


def test_read_only_notebooks_can_be_copied(tmp_path: Path) -> None:
    """As a package manager may install them; the copy is for writing."""
    installed = tmp_path / "installed"
    working_copy(NOTEBOOKS, installed)
    for path in sorted(installed.rglob("*"), reverse=True):
        path.chmod(0o444 if path.is_file() else 0o555)
    installed.chmod(0o555)
    assert working_copy(installed, tmp_path / "mine")
    assert all(path.stat().st_mode & 0o200 for path in (tmp_path / "mine").rglob("*"))
