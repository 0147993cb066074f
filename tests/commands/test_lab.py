"""The working copy of the notebooks, and the banner in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from itnio_nb import InputError
from itnio_nb.cli.servers import stamp, working_copy
from tests.commands.test_cli import COMMAND
from tests.support.factories import ROOT

NOTEBOOKS = ROOT / "notebooks"
NOTEBOOK = "01-first-phones.ipynb"


def cells(path: Path) -> list[dict[str, Any]]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return [cell for cell in content["cells"] if cell["cell_type"] == "code"]


def test_a_working_copy_has_no_outputs(tmp_path: Path) -> None:
    """Notebooks and their data, nothing that tells of another run, nothing of the tests."""
    assert working_copy(NOTEBOOKS, tmp_path / "mine" / "0.1.0")
    names = {str(path.relative_to(tmp_path / "mine")) for path in (tmp_path / "mine").rglob("*") if path.is_file()}
    data = {f"0.1.0/data/{path.name}" for path in (NOTEBOOKS / "data").glob("phones*")}
    assert names == {f"0.1.0/{path.name}" for path in NOTEBOOKS.glob("*.ipynb")} | data
    made = cells(tmp_path / "mine" / "0.1.0" / NOTEBOOK)
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in made)
    assert [cell["source"] for cell in made] == [cell["source"] for cell in cells(NOTEBOOKS / NOTEBOOK)]


def test_what_is_the_users_is_never_overwritten(tmp_path: Path) -> None:
    """Neither by the same version nor, since each version has a folder of its own, by an upgrade."""
    mine = tmp_path / "0.1.0"
    working_copy(NOTEBOOKS, mine)
    (mine / NOTEBOOK).write_text("changed")
    (mine / "data" / "phones.xlsx").unlink()
    assert not working_copy(NOTEBOOKS, mine)
    assert working_copy(NOTEBOOKS, tmp_path / "0.2.0")
    assert (mine / NOTEBOOK).read_text() == "changed"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.1.0", "0.2.0"]


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    """In words."""
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cannot be copied to .*choose another --folder"):
        working_copy(NOTEBOOKS, tmp_path / "file" / "0.1.0")


def test_the_banner_is_stamped_where_it_belongs(tmp_path: Path) -> None:
    """Into the first cell, again when it has changed; other cells and other files stay as they are."""
    working_copy(NOTEBOOKS, tmp_path / "mine")
    path = tmp_path / "mine" / NOTEBOOK
    (tmp_path / "mine" / "other.ipynb").write_text("not a notebook")
    for text in ("SANDBOX", "LIVE ACCOUNT"):
        stamp(tmp_path / "mine", lambda _: (text, f"<b>{text}</b>"))  # noqa: B023 - called at once
        first, *rest = cells(path)
        assert first["metadata"]["tags"] == ["banner"]
        assert "".join(first["outputs"][0]["data"]["text/plain"]) == text
        assert not [cell for cell in rest if cell["outputs"]]
    before = path.stat().st_mtime_ns
    stamp(tmp_path / "mine", lambda _: ("LIVE ACCOUNT", "<b>LIVE ACCOUNT</b>"))
    assert path.stat().st_mtime_ns == before
    assert (tmp_path / "mine" / "other.ipynb").read_text() == "not a notebook"


@pytest.mark.slow
def test_lab_without_jupyterlab_says_what_to_install(tmp_path: Path) -> None:
    """One line; nothing is copied."""
    script = "import sys; sys.modules['jupyterlab'] = None; from itnio_nb.cli.main import main; main(['lab'])"
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == 'Error: JupyterLab is not installed: pip install "itnio-nb[lab]", then start this again.\n'
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_lab_with_half_an_account_does_not_start(tmp_path: Path) -> None:
    """Nor does it fall back to the sandbox."""
    settings = os.environ | {"ITNIO_API_KEY": "key"}
    done = subprocess.run([*COMMAND, "lab"], cwd=tmp_path, env=settings, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: ITNIO_API_SECRET is not set")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "words", "first"),
    [
        ({}, [], "SANDBOX at http://127.0.0.1:"),
        ({"ITNIO_API_KEY": "bDqJFiq9", "ITNIO_API_SECRET": "7bz1lzh9"}, [], "LIVE ACCOUNT …Fiq9 at https://api."),
        ({"ITNIO_API_KEY": "bDqJFiq9", "ITNIO_API_SECRET": "7bz1lzh9"}, ["--sandbox"], "SANDBOX at http://127.0.0.1:"),
    ],
)
def test_lab_says_where_one_works(settings: dict[str, str], words: list[str], first: str, tmp_path: Path) -> None:
    """On the terminal and in the notebook, before anything is run; JupyterLab's own options reach it."""
    done = subprocess.run(
        [*COMMAND, "lab", *words, "--version"],
        cwd=tmp_path,
        env=os.environ | settings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    banner, copy, *_, version = done.stdout.splitlines()
    assert banner.startswith(first)
    assert copy == "Your working copy of the notebooks: itnio-notebooks/0.1.0 (new)"
    assert version[0].isdigit()
    shown = cells(tmp_path / "itnio-notebooks" / "0.1.0" / NOTEBOOK)[0]["outputs"][0]["data"]["text/plain"]
    assert "".join(shown) == banner


@pytest.mark.parametrize(
    "content",
    [
        "[]",
        "null",
        "{}",
        '{"cells": 1}',
        '{"cells": [1, {}, {"cell_type": "code"}]}',
        '{"cells": [{"cell_type": "code", "metadata": {"tags": null}}]}',
        '{"cells": [{"cell_type": "markdown", "metadata": {"tags": ["banner"]}}]}',
        "[" * 100_000,
        "\x00",
    ],
)
def test_what_is_no_notebook_stays_as_it_is(content: str, tmp_path: Path) -> None:
    """The folder is the user's: anything may lie in it."""
    path = tmp_path / "odd.ipynb"
    path.write_text(content)
    stamp(tmp_path, lambda _: ("SANDBOX", "<b>SANDBOX</b>"))
    assert path.read_text() == content


def test_each_folder_has_its_own_banner(tmp_path: Path) -> None:
    """A `.env` file below may name another account."""
    for name in ("one", "two"):
        working_copy(NOTEBOOKS, tmp_path / name)
    stamp(tmp_path, lambda folder: (folder.name, folder.name))
    for name in ("one", "two"):
        assert cells(tmp_path / name / NOTEBOOK)[0]["outputs"][0]["data"]["text/plain"] == [name]


def test_read_only_notebooks_can_be_copied(tmp_path: Path) -> None:
    """As a package manager may install them; the copy is for writing."""
    installed = tmp_path / "installed"
    working_copy(NOTEBOOKS, installed)
    for path in sorted(installed.rglob("*"), reverse=True):
        path.chmod(0o444 if path.is_file() else 0o555)
    installed.chmod(0o555)
    assert working_copy(installed, tmp_path / "mine")
    assert all(path.stat().st_mode & 0o200 for path in (tmp_path / "mine").rglob("*"))
