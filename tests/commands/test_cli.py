"""The console command, run as a person runs it: the sandbox, and the help."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pytest

from itnio_nb import Account, Client, State, check_orders, read_orders, write_findings
from itnio_nb.api.text import printable
from itnio_nb.runbooks.runner import save_notebook
from tests.support.factories import APP, group
from tests.support.hostile import CONTROLS, TEXTS
from tests.support.kernel import notebook_of
from tests.support.processes import COMMAND, run, serving


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_sandbox_serves_until_stopped(number: signal.Signals) -> None:
    """It prints lines that fit into a .env file, other accounts as remarks, serves, and ends with exit 0."""
    with serving("--accounts", "3") as (process, settings):
        assert set(settings) == {"ITNIO_BASE_URL", "ITNIO_API_KEY", "ITNIO_API_SECRET"}
        with Client(Account.from_env()) as client:
            assert client.create_phones(group()).state is State.CREATED
        process.send_signal(number)
        assert process.stdout is not None
        out = process.stdout.read()  # not communicate(), which forgets what readline() has buffered
        assert process.wait(timeout=60) == 0
    assert re.fullmatch(
        r"(# or, for another account: ITNIO_API_KEY=sandbox-\w+ ITNIO_API_SECRET=\w+\n){2}"
        r"# http://127\.0\.0\.1:\d+/ shows what exists in it\.\n# Stopped\. 1 request answered\.\n",
        out,
    )


def test_sandbox_keeps_a_file() -> None:
    """Killed and started again, it has the same account and the same phones; two at once are refused."""
    with serving("--file", "box.sqlite") as (process, settings), Client(Account.from_env()) as client:
        assert client.create_phones(group()).state is State.CREATED
        second = run("sandbox", "--file", "box.sqlite")
        assert (second.returncode, second.stdout) == (1, "")
        assert second.stderr == (
            "Error: The sandbox's file box.sqlite cannot be used (another sandbox uses it): choose another.\n"
        )
        process.kill()
        process.wait()
    with serving("--file", "box.sqlite") as (_, again), Client(Account.from_env()) as client:
        assert again["ITNIO_API_SECRET"] == settings["ITNIO_API_SECRET"]
        assert len(client.list_phones("4luaKsL2")) == 3


def test_a_warning_is_one_line(tmp_path: Path) -> None:
    """Of what could be safer where the account is configured, without a line of our code."""
    (tmp_path / ".env").write_text("ITNIO_API_SECRET=s\n", encoding="utf-8")
    (tmp_path / ".env").chmod(0o644)
    done = run("run", "--orders", "nothing.csv")
    warned, failed = done.stderr.splitlines()
    assert warned.startswith(
        f"Warning: {tmp_path}/.env has the API secret, and everybody on this machine can read it: "
    )
    assert failed.startswith("Error: ITNIO_API_KEY is not set in ")
    assert (done.returncode, done.stdout) == (1, "")


def test_nothing_moves_the_cursor(tmp_path: Path) -> None:
    """On a terminal: names of files, cells and headers of a table, what a cell of a notebook prints, wrong words."""
    no_name = dict.fromkeys(map(ord, "/\n\r\t"))  # a text with a tab is pasted
    name = "".join(dict.fromkeys("".join(CONTROLS))).translate(no_name)
    orders = {"groupName": TEXTS, "phoneName": TEXTS, "quantity": "2", "displayNum": "8610850001", "appId": APP}
    read = read_orders(pd.DataFrame({**orders, f"S{name}": TEXTS}))
    write_findings(read, check_orders(read), tmp_path / f"a{name}.xlsx")
    printed = on_a_terminal("run", "--orders", f"a{name}.xlsx") + on_a_terminal("run", f"missing{name}.ipynb")
    printed += on_a_terminal(name)
    assert "rows invalid" in printed
    assert not {char for char in printed if not char.isprintable()} - {"\n", "\r", "\t"}
    assert not re.search(r"x[\r\t]+y", printed)
    texts = [text for text in TEXTS if not {"\n", "\r", "\t"} & set(text)]
    save_notebook(notebook_of(f"for text in {texts!r}:\n    print(text)"), tmp_path / "own.ipynb")
    printed = on_a_terminal("run", "own.ipynb")
    assert [text for text in texts if printable(text) not in printed] == []
    assert not {char for char in printed if not char.isprintable()} - {"\n", "\r", "\t"}


def on_a_terminal(*words: str) -> str:
    """What a command prints on a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([*COMMAND, *words], stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    printed = b""
    with suppress(OSError):  # on Linux its end is an error
        while part := os.read(ours, 65536):
            printed += part
    os.close(ours)
    process.wait(timeout=60)
    return printed.decode("utf-8", "replace")
