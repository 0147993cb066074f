"""The secret through everything that runs with it: it is found nowhere but in the environment that it was given in.

The places: what commands print, every file that they write, notebooks that crash with variables shown and with all logs
on, `pytest -l`, rich's tracebacks, arguments of all processes, environments of those that send nothing. Forms in a
browser with their state saved are in `tests/browser/test_forms.py`, ways of writing a secret in `tests/unit/runbooks`.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from itnio_nb import Sandbox
from itnio_nb.runbooks.runner import save_notebook
from tests.support.factories import DATA, many_orders
from tests.support.kernel import notebook_of
from tests.support.processes import COMMAND, run, settings_of, start

SECRET = "c4n4ry-S3cr3t-Zx9"
FORMS = {SECRET, SECRET[::-1], base64.b64encode(SECRET.encode()).decode().rstrip("="), SECRET.encode().hex()}
CRASH = """
import http.client, logging, sys
from itnio_nb import Client, ServiceError, open_workspace, read_orders

{before}
logging.basicConfig(level=logging.DEBUG, stream=sys.stdout)
http.client.HTTPConnection.debuglevel = 1
ws = open_workspace()
account, client = ws.client.account, ws.client
from itnio_nb.api.models import PhoneGroup
group = PhoneGroup("sales", "desk", 3, "8610850001", "4luaKsL2")
client.create_phones(group)
try:
    client.list_phones("4luaKsL2")
    client._transport.post(7, 8, 9, 10, 11)
finally:
    print(account, client, ws, vars(client))
"""


@pytest.fixture
def settings() -> Iterator[dict[str, str]]:
    with Sandbox(api_key="sandbox-canary", api_secret=SECRET) as sandbox:
        yield settings_of(sandbox)


def assert_clean(place: str, text: str) -> None:
    """No form of the secret is in a text, which is none without any."""
    assert text, place
    assert not [form for form in FORMS if form in text], place


def assert_folder_is_clean(folder: Path, least: int) -> None:
    """No form of it is in any file, of which there are some."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) >= least
    for path in files:
        assert not [form for form in FORMS if form.encode() in path.read_bytes()], path


def test_a_runbook_and_all_that_it_leaves(settings: dict[str, str], tmp_path: Path) -> None:
    """A run that sends, hands over and is recorded; one again; one that is refused."""
    many_orders(3).to_csv("orders.csv", index=False)
    for words in (["--apply", "--confirm", "9"], [], ["--apply", "--confirm", "8"]):
        done = run("run", "--orders", "orders.csv", *words, settings=settings)
        assert_clean(f"run {words}", done.stdout + done.stderr)
    assert_folder_is_clean(tmp_path, 15)


@pytest.mark.parametrize(
    "before", ["%xmode Verbose", "", "import rich.traceback; rich.traceback.install(show_locals=True)"]
)
def test_a_notebook_that_crashes(before: str, settings: dict[str, str], tmp_path: Path) -> None:
    """With all variables of all frames, and everything logged."""
    save_notebook(notebook_of(CRASH.format(before=before)), tmp_path / "own.ipynb")
    done = run("run", "own.ipynb", settings=settings)
    assert done.returncode == 1
    assert_clean(before, done.stdout + done.stderr)
    records = [path.read_text(encoding="utf-8") for path in (tmp_path / "records").rglob("*.ipynb")]
    assert "TypeError" in json.dumps(records)
    assert_folder_is_clean(tmp_path, 3)


def test_a_test_that_fails(settings: dict[str, str], tmp_path: Path) -> None:
    """`pytest -l` shows the variables of each frame."""
    body = CRASH.format(before="").replace("\n", "\n    ")
    (tmp_path / "test_own.py").write_text(f"def test_own():\n    {body}", encoding="utf-8")
    words = [sys.executable, "-m", "pytest", "-l", "-vv", "--tb=long", "-p", "no:cacheprovider", "test_own.py"]
    with start(words, settings) as process:
        out, err = process.communicate(timeout=120)
    assert "1 failed" in out
    assert_clean("pytest -l", out + err)


def test_processes(settings: dict[str, str], tmp_path: Path) -> None:
    """Whatever runs beside: no arguments have it; git, the reader of old workbooks and the watcher are not given it."""
    (tmp_path / ".git").mkdir()
    (tmp_path / ".env").write_text("ITNIO_LEDGER=x\n", encoding="utf-8")
    (tmp_path / ".env").chmod(0o600)
    (tmp_path / "bin").mkdir()
    for name in ("git", "python-spy"):
        (tmp_path / "bin" / name).write_text(f'#!/bin/sh\nenv > "{tmp_path}/{name}.env"\nexit 1\n', encoding="utf-8")
        (tmp_path / "bin" / name).chmod(0o700)
    code = f"""
import os, sys
os.environ["PATH"] = {str(tmp_path / "bin")!r} + os.pathsep + os.environ["PATH"]
from itnio_nb import read_orders
from itnio_nb.api.account.settings import _is_in_git
from pathlib import Path
_is_in_git(Path(".env").resolve())
sys.executable = {str(tmp_path / "bin" / "python-spy")!r}
read_orders({str(DATA / "phones.xls")!r})
"""
    with start([sys.executable, "-c", code], settings) as process:
        process.communicate(timeout=60)
    for name in ("git", "python-spy"):
        assert_clean(name, (tmp_path / f"{name}.env").read_text(encoding="utf-8"))
    with start([*COMMAND, "app", "--no-browser", "--folder", str(tmp_path / "app")], settings) as process:
        assert process.stdout is not None
        while not process.stdout.readline().startswith("Open "):
            assert process.poll() is None
        children = psutil.Process(process.pid).children(recursive=True)
        assert_clean("arguments", "\n".join(" ".join(one.cmdline()) for one in children))
        watcher = next(one for one in children if "-I" in one.cmdline())
        assert_clean("the watcher", json.dumps(watcher.environ()))
        process.terminate()
        out, err = process.communicate(timeout=60)
    assert_clean("app", out + err + "stopped")
