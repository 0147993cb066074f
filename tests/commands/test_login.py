"""`login`, `run`, `lab`'s kernels and `doctor` in processes of their own, with a keyring made for tests."""

from __future__ import annotations

import json
import os
import pty
import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest

from itnio_nb import Sandbox
from tests.support.factories import ROOT, many_orders
from tests.support.processes import COMMAND, restore_interrupt, run, start

SECRET = "c4n4ry-S3cr3t-Zx9"


@pytest.fixture
def keyring(tmp_path: Path) -> dict[str, str]:
    """The environment in which a process finds a keyring that works."""
    return {
        "PYTHON_KEYRING_BACKEND": "tests.support.keyrings.FileKeyring",
        "ITNIO_TEST_KEYRING": str(tmp_path / "entries.json"),
        "PYTHONPATH": str(ROOT),
    }


@pytest.fixture
def server() -> Iterator[Sandbox]:
    """A sandbox that accepts the secret."""
    with Sandbox(api_key="sandbox-own", api_secret=SECRET) as running:
        yield running


class Terminal:
    """A command at a terminal of its own: what is shown there, and what a person types."""

    def __init__(self, *words: str, settings: dict[str, str]) -> None:
        self._ours, theirs = pty.openpty()
        options: dict[str, Any] = {"start_new_session": True, "preexec_fn": restore_interrupt}
        options |= {"stdin": theirs, "stdout": theirs, "stderr": theirs, "env": {**os.environ, **settings}}
        self._process: Popen[bytes] = Popen([*COMMAND, *words], **options)
        os.close(theirs)
        self.shown = ""

    def answer(self, question: str, text: str) -> None:
        """Wait for a question, and type."""
        while question not in self.shown:
            self._read()
        os.write(self._ours, f"{text}\n".encode())

    def end(self) -> int:
        """Wait until the command ends; return its exit code."""
        try:
            while True:
                self._read()
        except (OSError, EOFError):  # Linux says so where nobody has the other end any more
            pass
        os.close(self._ours)
        return self._process.wait(timeout=60)

    def _read(self) -> None:
        data = os.read(self._ours, 65536)
        if not data:
            raise EOFError
        self.shown += data.decode()


def test_a_person_logs_in(keyring: dict[str, str], server: Sandbox, tmp_path: Path) -> None:
    """What is typed as the secret is not echoed; the key is. Another account is asked about."""
    terminal = Terminal("login", "--base-url", server.base_url, settings=keyring)
    terminal.answer("API key: ", " sandbox-own ")
    terminal.answer("API secret (not shown): ", SECRET)
    assert terminal.end() == 0
    assert "sandbox-own" in terminal.shown
    assert "The server accepts it." in terminal.shown
    assert SECRET not in terminal.shown
    before = (tmp_path / "entries.json").read_text()
    assert SECRET in before
    for answer, code, is_kept in (("n", 1, True), ("y", 0, False)):
        terminal = Terminal("login", "--base-url", server.base_url, "--no-check", settings=keyring)
        terminal.answer("API key: ", "sandbox-other")
        terminal.answer("API secret (not shown): ", "0ther-s3cr3t")
        terminal.answer("Put the new one in its place? [y/N]: ", answer)
        assert terminal.end() == code
        assert "0ther-s3cr3t" not in terminal.shown
        assert ((tmp_path / "entries.json").read_text() == before) is is_kept


def kept(server: Sandbox, *names: str, settings: dict[str, str]) -> None:
    """Log in without a terminal."""
    for name in names:
        words = ["login", "--profile", name, "--api-key", "sandbox-own", "--base-url", server.base_url]
        with start([*COMMAND, *words], settings) as process:
            out, err = process.communicate(f"{SECRET}\n", timeout=60)
        assert process.returncode == 0, err
        assert SECRET not in out + err


def test_a_runbook_of_a_profile(keyring: dict[str, str], server: Sandbox, tmp_path: Path) -> None:
    """Its kernel reads the same account; the secret is in nothing that is printed or written but the keyring."""
    kept(server, "work", settings=keyring)
    many_orders(2).to_csv("orders.csv", index=False)
    words = ["run", "--orders", "orders.csv", "--profile", "work", "--apply", "--confirm", "6"]
    done = run(*words, settings=keyring)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"SANDBOX at {server.base_url}" in done.stdout
    assert len(server.phones) == 6
    assert SECRET not in done.stdout + done.stderr
    files = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "entries.json"]
    assert len(files) > 5
    assert not [path for path in files if SECRET.encode() in path.read_bytes()]


def test_a_profile_does_not_reach_into_a_sandbox(keyring: dict[str, str], server: Sandbox) -> None:
    """`--sandbox`, with a profile asked for in the environment: the runbook's kernel works on the sandbox."""
    kept(server, "work", settings=keyring)
    many_orders(2).to_csv("orders.csv", index=False)
    words = ["run", "--orders", "orders.csv", "--sandbox", "--apply", "--confirm", "6"]
    done = run(*words, settings={**keyring, "ITNIO_PROFILE": "work"})
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(server.phones) == 0


def test_a_notebook_of_the_default_profile(keyring: dict[str, str], server: Sandbox) -> None:
    """A program that asks for nothing finds what was kept; one that asks for another is told."""
    kept(server, "default", "work", settings=keyring)
    code = "from itnio_nb import *; ws = open_workspace(); print(ws, ws.client.account.source)"
    with start([sys.executable, "-c", code], keyring) as process:
        out, err = process.communicate(timeout=60)
    assert out == (
        f"SANDBOX at {server.base_url}: a stand-in for the API on this machine. What is created here exists nowhere "
        "else. the keyring's profile default\n"
    ), err
    for command in ("run", "lab", "app", "credentials"):
        done = run(command, "--profile", "ghost", settings=keyring)
        assert done.returncode == 1
        assert "Error: The keyring has no profile ghost (it has: default, work)." in done.stderr
    done = run("logout", settings=keyring)
    assert (done.returncode, json.loads(Path("data-home/itnio-nb/profiles.json").read_text())) == (0, ["work"])


def test_doctor_where_all_is_well(keyring: dict[str, str], server: Sandbox) -> None:
    """And where nothing is: the exit code tells."""
    kept(server, "work", settings=keyring)
    done = run("doctor", "--profile", "work", settings=keyring)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "there, from the keyring's profile work" in done.stdout
    assert done.stderr == ""
    done = run("doctor", "--profile", "ghost", settings=keyring)
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
