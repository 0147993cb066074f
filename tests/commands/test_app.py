"""The forms as a page of their own: served to who has its address, and to nobody else."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.commands.test_cli import COMMAND
from tests.support.browser import a_page, an_app
from tests.support.person import Person

pytestmark = pytest.mark.slow

LIVE = {"ITNIO_API_KEY": "bDqJFiq9", "ITNIO_API_SECRET": "7bz1lzh9"}


def run(*words: str, cwd: Path, settings: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    environment = os.environ | (settings or {})
    return subprocess.run(
        [*COMMAND, "app", *words], cwd=cwd, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def answered(address: str) -> str | int:
    """Return what a stranger gets: the page to log in, another page, or a refusal."""
    try:
        with urllib.request.urlopen(address, timeout=20) as answer:
            return "login" if "/login" in answer.url else "a page"
    except urllib.error.HTTPError as error:
        return error.code


def test_app_without_voila_says_what_to_install(tmp_path: Path) -> None:
    """One line; nothing is written."""
    script = "import sys; sys.modules['voila'] = None; from itnio_nb.cli.main import main; main(['app'])"
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == 'Error: Voilà is not installed: pip install "itnio-nb[lab]", then start this again.\n'
    assert not list(tmp_path.iterdir())


def test_half_an_account_does_not_start(tmp_path: Path) -> None:
    """Nor does it fall back to the sandbox."""
    done = run("--no-browser", cwd=tmp_path, settings={"ITNIO_API_KEY": "key"})
    assert done.returncode == 1
    assert done.stderr.startswith("Error: ITNIO_API_SECRET is not set")


def test_a_port_in_use_is_said(tmp_path: Path) -> None:
    """Before an address is printed that is somebody else's."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = run("--no-browser", "--port", str(taken.getsockname()[1]), cwd=tmp_path)
    assert done.returncode == 1
    assert "choose another --port" in done.stderr
    assert "token" not in done.stdout


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    """In one line."""
    (tmp_path / "file").write_text("")
    done = run("--no-browser", "--folder", "file/app", cwd=tmp_path)
    assert done.returncode == 1
    assert "cannot be written" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_its_token_nobody_comes_in(tmp_path: Path) -> None:
    """Neither to the page nor to the kernels behind it."""
    with an_app(COMMAND, tmp_path, {}) as address:
        server = address.split("?")[0]
        for path in ("", "api/kernels", "voila/api/shutdown/x", "voila/files/app.ipynb"):
            assert answered(server + path) in ("login", 403, 404, 405), path


def test_a_live_account_is_named(tmp_path: Path) -> None:
    """On the terminal, and on the page in each form."""
    with an_app(COMMAND, tmp_path, LIVE | {"ITNIO_LEDGER": str(tmp_path / "ledger.sqlite")}) as address:
        with a_page() as (page, wrong):
            page.goto(address)
            person = Person(page)
            for tab in ("Batch", "One order", "Review"):
                page.get_by_role("tab", name=tab, exact=True).click()
                person.sees("LIVE ACCOUNT", 60)
                person.sees("…Fiq9 at https://api.itniotech.com/voice")
            page.goto("about:blank")
        assert "LIVE ACCOUNT …Fiq9" in (tmp_path / "app.log").read_text()
    assert wrong == []
