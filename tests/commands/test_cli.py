"""The console command, run as a person runs it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest

from itnio_nb import Account, Client, State
from tests.support.factories import group

COMMAND = [str(Path(sys.executable).with_name("itnio-nb"))]


def run(*words: str, cwd: Path, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *words], cwd=cwd, capture_output=True, text=True, timeout=timeout, check=False)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    folder = tmp_path_factory.mktemp("demo")
    return folder, run("demo", cwd=folder)


@pytest.mark.slow
def test_demo_shows_plan_progress_and_result(demo: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    """Exit 0; plan line, bar and done line; every number adds up."""
    _, done = demo
    assert done.returncode == 0, done.stderr
    numbers = r"(\d+)"
    plan = re.search(f"Plan: {numbers} groups to create .{numbers} phones.*, {numbers} already", done.stdout)
    line = re.search(f"Groups: {numbers} created .{numbers} phones., {numbers} existed, {numbers} refused", done.stdout)
    assert plan
    assert line
    to_create, planned_phones, exist = map(int, plan.groups())
    created, phones, existed, refused = map(int, line.groups())
    assert (created + refused, existed) == (to_create, exist)
    assert phones == planned_phones - 2  # the refused group has two
    assert f"Verified: {phones} of {phones} phones." in done.stdout
    assert f"{to_create + exist}/{to_create + exist}" in done.stderr
    assert "Nothing was sent: all" in done.stdout
    kinds = "created|existed|refused|unknown|notsent|invalid|together"
    orders = dict(re.findall(rf"^({kinds}) +(\d+)$", done.stdout, re.MULTILINE))
    assert int(orders.pop("together")) == sum(map(int, orders.values())) == 44
    assert f", {orders['invalid']} rows invalid, 0 in doubt." in done.stdout


@pytest.mark.slow
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


@pytest.mark.slow
def test_demo_can_be_run_again(demo: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    """In a folder of its own: the first result stays."""
    folder, _ = demo
    again = run("demo", "--folder", "itnio-demo", cwd=folder)
    assert again.returncode == 0
    assert len(list((folder / "itnio-demo").iterdir())) == 2


@pytest.mark.slow
def test_demo_says_where_it_cannot_write(tmp_path: Path) -> None:
    """One line, no traceback."""
    (tmp_path / "file").write_text("")
    failed = run("demo", "--folder", "file/below", cwd=tmp_path)
    assert failed.returncode == 1
    assert failed.stderr.startswith("Error: The folder file/below cannot be used")
    assert "choose another --folder" in failed.stderr


@contextmanager
def serving(*words: str, cwd: Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """The sandbox command, and the settings that it printed."""
    process = subprocess.Popen([*COMMAND, "sandbox", *words], cwd=cwd, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    lines = [process.stdout.readline() for _ in range(4)]
    settings = dict(line.strip().split("=", 1) for line in lines if line.startswith("ITNIO_"))
    try:
        yield process, settings
    finally:
        process.kill()
        process.communicate()


def stopped(process: subprocess.Popen[str], number: signal.Signals) -> str:
    """Stop the process, and return the rest of what it printed."""
    process.send_signal(number)
    assert process.stdout
    out = process.stdout.read()  # not communicate(), which forgets what readline() has buffered
    process.wait(timeout=10)
    return out


def client_of(settings: dict[str, str]) -> Client:
    return Client(Account(settings["ITNIO_API_KEY"], settings["ITNIO_API_SECRET"], settings["ITNIO_BASE_URL"]))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_sandbox_serves_until_stopped(number: signal.Signals, tmp_path: Path) -> None:
    """It prints lines that fit into a .env file, serves, and ends with exit 0."""
    with serving(cwd=tmp_path) as (process, settings):
        (tmp_path / ".env").write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        with Client(Account.from_env()) as client:
            assert client.create_phones(group()).state is State.CREATED
        out = stopped(process, number)
        assert out.endswith(" shows what exists in it.\n# Stopped. 1 request answered.\n")
        assert process.returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["--cap", "2"], "-23"),
        (["--app-id", "other"], "-22"),
        (["--allow", "192.0.2.1"], "-2"),
        (["--clock-offset", "1900"], "0"),  # the client takes the time from the answer
        (["--faults", "clock,clock"], "-16"),
        (["--faults", "none,-18-after=1", "--seed", "3"], "0"),
        (["--broken"], "-18"),
        (["--api-key", "my-key", "--api-secret", "my-secret", "--latency", "0.01"], "0"),
    ],
)
def test_sandbox_options_provoke_each_status(words: list[str], status: str, tmp_path: Path) -> None:
    """What a rehearsal needs."""
    with serving(*words, cwd=tmp_path) as (_, settings), client_of(settings) as client:
        assert client.create_phones(group()).status == status


@pytest.mark.slow
def test_sandbox_keeps_a_file(tmp_path: Path) -> None:
    """Killed and started again, it has the same account and the same phones; two at once are refused."""
    with serving("--file", "box.sqlite", cwd=tmp_path) as (process, settings), client_of(settings) as client:
        assert client.create_phones(group()).state is State.CREATED
        second = run("sandbox", "--file", "box.sqlite", cwd=tmp_path)
        assert (second.returncode, second.stdout) == (1, "")
        assert second.stderr == (
            "Error: The sandbox's file box.sqlite cannot be used (another sandbox uses it): choose another.\n"
        )
        process.kill()
        process.wait()
    with serving("--file", "box.sqlite", cwd=tmp_path) as (_, again), client_of(again) as client:
        assert again["ITNIO_API_SECRET"] == settings["ITNIO_API_SECRET"]
        assert len(client.list_phones("4luaKsL2")) == 3


@pytest.mark.slow
def test_sandbox_with_several_accounts(tmp_path: Path) -> None:
    """The first for the .env file, the others as remarks."""
    with serving("--accounts", "3", cwd=tmp_path) as (process, settings):
        assert set(settings) == {"ITNIO_BASE_URL", "ITNIO_API_KEY", "ITNIO_API_SECRET"}
        out = stopped(process, signal.SIGINT)
    assert re.fullmatch(
        r"(# or, for another account: ITNIO_API_KEY=\w+ ITNIO_API_SECRET=\w+\n){2}"
        r"# http://127\.0\.0\.1:\d+/ shows what exists in it\.\n# Stopped\. 0 requests answered\.\n",
        out,
    )


def test_sandbox_on_a_port_that_is_taken(tmp_path: Path) -> None:
    """The port is named, and the option to choose another."""
    with serving(cwd=tmp_path) as (_, settings):
        port = settings["ITNIO_BASE_URL"].split(":")[2].split("/")[0]
        failed = run("sandbox", "--port", port, cwd=tmp_path)
        assert (failed.returncode, failed.stdout) == (1, "")
        assert failed.stderr == f"Error: Port {port} cannot be used (Address already in use): choose another --port.\n"


@pytest.mark.slow
def test_help_names_the_commands(tmp_path: Path) -> None:
    """And each command explains itself."""
    shown = run("--help", cwd=tmp_path)
    commands = ("demo", "lab", "sandbox")
    assert all(command in shown.stdout for command in commands)
    for command in commands:
        assert run(command, "-h", cwd=tmp_path).returncode == 0
    assert run("--version", cwd=tmp_path).stdout.startswith("itnio-nb, version ")
    assert os.environ["ITNIO_PROGRESS"] == "off"


@pytest.mark.slow
def test_a_folder_that_is_a_dangling_link_is_said(tmp_path: Path) -> None:
    """It is there, and it is not: no endless search for a free name."""
    (tmp_path / "link").symlink_to("nowhere/at/all")
    failed = run("demo", "--folder", "link", cwd=tmp_path, timeout=20)
    assert failed.returncode == 1
    assert failed.stderr.startswith("Error: The folder link cannot be used")


@pytest.mark.slow
@pytest.mark.parametrize("option", ["--latency", "--clock-offset"])
def test_seconds_are_a_number(option: str, tmp_path: Path) -> None:
    """What click takes for one is not enough."""
    failed = run("sandbox", option, "nan", cwd=tmp_path)
    assert (failed.returncode, failed.stdout) == (2, "")
