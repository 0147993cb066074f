"""The code, names and paths that README, CONTRIBUTING and docs show, as they stand."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import itnio_nb
from itnio_nb import Client, Ledger, Workspace
from tests.support.factories import ROOT

DOCUMENTS = [ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "CHANGELOG", "SECURITY")]
DOCUMENTS += sorted((ROOT / "docs").glob("*.md"))


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def first_block(name: str) -> str:
    return text_of(ROOT / name).split("```python\n")[1].split("```")[0]


def run_script(script: str, folder: Path) -> str:
    done = subprocess.run([sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_readmes_line_runs(tmp_path: Path) -> None:
    """On the notebook's spreadsheet, to the result files and the hand-over file."""
    (tmp_path / "phones.xlsx").write_bytes((ROOT / "notebooks" / "data" / "phones.xlsx").read_bytes())
    shown = run_script(first_block("README.md") + "print(run.summary)\n", tmp_path)
    assert shown.startswith("Done. Groups: 43 created (868 phones)")
    assert len(list((tmp_path / "results").glob("*.csv"))) == 6
    [path] = (tmp_path / "results").glob("*-phones.zip")
    with zipfile.ZipFile(path) as archive:
        assert len(archive.namelist()) == 3


def test_the_forms_open(tmp_path: Path) -> None:
    """As docs/forms.md opens them, on a workspace."""
    run_script(first_block("docs/forms.md") + "ws.close()\n", tmp_path)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_what_is_named_is_there(path: Path, client: Client, ledger: Ledger) -> None:
    """Every method of a workspace, every name that is imported, every file that is linked or named with its folder."""
    text, workspace = text_of(path), Workspace(client, ledger)
    assert {name for name in re.findall(r"\bws\.(\w+)", text) if not hasattr(workspace, name)} == set()
    imported = re.findall(r"from itnio_nb import ([\w, ]+)", text)
    assert {name.strip() for names in imported for name in names.split(",")} <= set(itnio_nb.__all__)
    links = [path.parent / link for link in re.findall(r"\]\(([\w/.-]+)\)", text)]
    tops = "api|orders|ledger|runs|sandbox|forms|runbooks|cli"
    named = [ROOT / "itnio_nb" / name for name in re.findall(rf"`((?:{tops})/[\w/]+\.\w+)`", text)]
    named += [ROOT / name for name in re.findall(r"`((?:tests|docs|notebooks|benchmarks|tools)/[\w/.-]+)`", text)]
    assert [str(each) for each in (*links, *named) if not each.exists()] == []


def test_what_contributing_names_is_in_the_file_that_it_names() -> None:
    """`NAME` in `folder/file.py`: a newcomer who looks there finds it."""
    pairs = re.findall(r"`(\w+)`\s+in\s+`([\w/]+\.py)`", text_of(ROOT / "CONTRIBUTING.md"))
    assert len(pairs) > 10
    for name, file in pairs:
        text = text_of(ROOT / file if file.startswith(("tests/", "tools/")) else ROOT / "itnio_nb" / file)
        assert re.search(rf"^ *(?:def |class )?{name}(?:\(|:| = )", text, re.MULTILINE), f"{file} defines no {name}"
