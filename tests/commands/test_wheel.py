"""The wheel, installed into a new environment in another folder, as a stranger gets it."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from itnio_nb import read_orders
from tests.support.browser import a_lab, a_page, run_all_from_the_menu
from tests.support.factories import ROOT

SCHEDULING = (ROOT / "docs" / "scheduling.md").read_text(encoding="utf-8")


def uv(*words: str | Path) -> None:
    """Run uv, which installs as pip does, in a tenth of the time."""
    subprocess.run([Path(sys.executable).with_name("uv"), "--quiet", *words], check=True)


@dataclass
class Installed:
    """An installation with everything of its own: environment, home, folder for temporary files."""

    folder: Path
    wheel: Path

    @property
    def command(self) -> Path:
        return self.folder / "venv" / "bin" / "itnio-nb"

    @property
    def settings(self) -> dict[str, str]:
        home = self.folder / "home"
        places = {"HOME": home, "XDG_DATA_HOME": home / "share", "TMPDIR": self.folder / "tmp", "PYTHONPATH": ""}
        return {name: str(place) for name, place in places.items()}

    def install(self, extra: str) -> None:
        python = self.command.with_name("python")
        uv("pip", "install", "--python", python, "--constraint", ROOT / "constraints.txt", f"{self.wheel}{extra}")

    def run(self, *words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        command = [str(self.command), *words]
        environment = {**os.environ, **self.settings}
        return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel with what it needs, and no more."""
    folder = tmp_path_factory.mktemp("elsewhere")
    for name in ("home", "tmp"):
        (folder / name).mkdir()
    uv("build", "--wheel", "--out-dir", folder, ROOT)
    [wheel] = folder.glob("*.whl")
    uv("venv", "--python", sys.executable, folder / "venv")
    made = Installed(folder, wheel)
    made.install("")
    return made


@pytest.fixture(scope="module")
def demo(installed: Installed) -> tuple[Path, subprocess.CompletedProcess[str]]:
    folder = installed.folder / "somewhere"
    folder.mkdir()
    return folder, installed.run("demo", cwd=folder)


def test_every_notebook_and_its_data_travel(installed: Installed) -> None:
    """All that git has of them but what makes and tests them; nothing that lies about in the folder."""
    listed = subprocess.run(["git", "ls-files", "notebooks"], cwd=ROOT, capture_output=True, text=True, check=True)
    kept = {name for name in listed.stdout.split() if not re.search(r"conftest\.py$|make_\w+\.py$", name)}
    inside = {name.removeprefix("itnio_nb/") for name in zipfile.ZipFile(installed.wheel).namelist()}
    assert {name for name in inside if name.startswith("notebooks/")} == kept


def test_demo_shows_plan_progress_and_result(demo: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    """Exit 0; plan line, progress and done line; every number adds up."""
    _, done = demo
    assert (done.returncode, done.stderr) == (0, "")
    n = r"(\d+)"
    plan = re.findall(f"Plan: {n} groups to create .{n} phones.*, {n} already", done.stdout)
    line = re.findall(f"Groups: {n} created .{n} phones., {n} existed, {n} refused", done.stdout)
    to_create, planned_phones, exist = map(int, plan[0])
    created, phones, existed, refused = map(int, line[0])
    assert (created + refused, existed) == (to_create, exist)
    assert phones == planned_phones - 2 == 865  # the refused group has two
    assert f"Verified: {phones} of {phones} phones." in done.stdout
    assert f"Verify: {to_create + exist} of {to_create + exist} groups (created {created}, " in done.stdout
    assert "Nothing was sent: all" in done.stdout
    total, parts = re.findall(r"6 files in results/ with (\d+) orders: (.*)\.", done.stdout)[0]
    orders = {kind: int(number) for kind, number in re.findall(r"(\w+) (\d+)", parts)}
    assert (len(orders), sum(orders.values())) == (6, int(total)) == (6, 44)
    assert f", {orders['invalid']} rows invalid, 0 in doubt." in done.stdout


def test_demo_leaves_notebook_ledger_and_results(demo: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    """All where it says, the notebook executed, the files with every order once."""
    folder, done = demo
    notebook = folder / str(re.search(r"Executed notebook: (.*)", done.stdout)[1])  # type: ignore[index] # it is there
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    assert all(cell["execution_count"] for cell in cells if cell["cell_type"] == "code")
    files = [folder / name for name in re.findall(r"^  (.*\.csv)$", done.stdout, re.MULTILINE)]
    assert len(files) == 6
    rows = [row for path in files for row in pd.read_csv(path)["itnio_row"]]
    assert sorted(rows) == list(range(2, 46))
    assert (notebook.parent / "results" / "ledger.sqlite").exists()


def test_the_demos_hand_over(installed: Installed, demo: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    """Each phone of each created group once, for its owner alone; no password in any other file, wherever."""
    folder, done = demo
    files = [folder / name for name in re.findall(r"^  (.*-phones\.zip)$", done.stdout, re.MULTILINE)]
    assert [path.stat().st_mode & 0o777 for path in files] == [0o600]
    with zipfile.ZipFile(files[0]) as archive:
        tables = [pd.read_excel(archive.open(name), dtype=str, engine="calamine") for name in archive.namelist()]
    assert len(tables) == 3
    phones = pd.concat(tables)
    [created] = [read_orders(path) for path in folder.glob("**/*-created.csv")]
    assert len(phones) == created["quantity"].astype(int).sum() == 865
    assert not phones.duplicated(["appId", "account"]).any()
    assert not phones.duplicated(["appId", "phoneName"]).any()
    assert phones["password"].str.fullmatch(r"\w{8}").all()
    passwords = re.compile("|".join(phones["password"]).encode())
    places = [folder, installed.folder / "home", installed.folder / "tmp"]
    others = [path for place in places for path in place.rglob("*") if path.is_file() and path not in files]
    assert len(others) >= 8
    assert not [path for path in others if passwords.search(path.read_bytes())]


def test_scheduling_begins_as_its_page_says(installed: Installed) -> None:
    """The lines of docs/scheduling.md for a new machine, with this wheel for the index's; then the command plans."""
    folder = installed.folder / "job"
    folder.mkdir()
    [lines] = re.findall(r"^```sh\n(python3 -m venv .*?)^```", SCHEDULING, re.MULTILINE | re.DOTALL)
    found = {"PIP_FIND_LINKS": str(installed.folder), "PIP_CONSTRAINT": str(ROOT / "constraints.txt")}
    environment = {**os.environ, **installed.settings, **found}
    subprocess.run(["bash", "-e", "-c", lines], cwd=folder, env=environment, check=True, timeout=300)
    words = ["venv/bin/itnio-nb", "run", "--orders", str(ROOT / "notebooks" / "data" / "phones.xlsx")]
    for code in (2, 3):  # the second time what the first one's last line says
        done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        words = shlex.split(done.stdout.splitlines()[-1])


def test_lab_opens_and_the_first_notebook_runs(installed: Installed, demo: object) -> None:
    """In a real browser, from the menu: the banner first, the result at the end, no error, no other host asked."""
    installed.install("[lab]")  # after the demo, which does without
    folder = installed.folder / "lab"
    folder.mkdir()
    with a_page() as (page, wrong), a_lab([installed.command], folder, installed.settings) as url:
        page.goto(url)
        first = page.locator(".jp-NotebookPanel .jp-CodeCell").first
        first.wait_for(timeout=60_000)
        assert page.get_by_text("a stand-in for the API on this machine").count() == 0
        assert page.get_by_text("Verified: 865 of 865").count() == 0
        run_all_from_the_menu(page)
        first.get_by_text("a stand-in for the API on this machine").wait_for(timeout=60_000)
        page.get_by_text("Verified: 865 of 865 phones.").first.wait_for(timeout=60_000)
        page.get_by_text("Nothing was sent: all 42 groups exist already.").first.wait_for(timeout=60_000)
        assert page.locator("[data-mime-type='application/vnd.jupyter.stderr']").count() == 0
        output = (folder / "lab.log").read_text()
        page.goto(str(re.search(r"http://127\.0\.0\.1:\d+/(?= shows)", output)[0]))  # type: ignore[index] # it is there
        assert page.get_by_text("phones").count() >= 3
    assert output.startswith("SANDBOX at http://127.0.0.1:")
    assert "Your working copy of the notebooks: itnio-notebooks/0.1.0 (new)" in output
    assert wrong == []
