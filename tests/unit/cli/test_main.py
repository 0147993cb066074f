"""The command's group: help, errors in one line, and where `demo` writes."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from itnio_nb import LedgerError, __version__, read_orders
from itnio_nb.cli.main import main

COMMANDS = ("app", "credentials", "demo", "doctor", "lab", "ledger", "login", "logout", "run", "sandbox", "template")


def test_help_names_the_commands() -> None:
    """And each command explains itself."""
    shown = CliRunner().invoke(main, ["--help"])
    assert sorted(main.commands) == list(COMMANDS)
    for command in COMMANDS:
        assert command in shown.output
        assert CliRunner().invoke(main, [command, "-h"]).exit_code == 0
    assert CliRunner().invoke(main, ["--version"]).output.endswith(f", version {__version__}\n")


def test_an_error_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever command raises it."""

    def fail() -> None:
        raise LedgerError("The ledger is damaged: choose another.")

    monkeypatch.setattr("itnio_nb.cli.main.find_notebooks", fail)
    failed = CliRunner().invoke(main, ["demo"])
    assert (failed.exit_code, failed.output) == (1, "Error: The ledger is damaged: choose another.\n")


def test_wrong_usage_is_exit_2_and_of_run_1() -> None:
    """Where 2 says that there are changes to make."""
    assert CliRunner().invoke(main, ["demo", "--bogus"]).exit_code == 2
    failed = CliRunner().invoke(main, ["run", "--bogus"])
    assert failed.exit_code == 1
    assert "No such option" in failed.output


@pytest.mark.parametrize("folder", ["file/below", "link"])
def test_demo_says_where_it_cannot_write(folder: str, tmp_path: Path) -> None:
    """Below a file; a dangling link, which is there and is not: no endless search for a free name."""
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to("nowhere/at/all")
    failed = CliRunner().invoke(main, ["demo", "--folder", folder])
    assert failed.exit_code == 1
    assert failed.output.startswith(f"Error: The folder {folder} cannot be used")
    assert "choose another --folder" in failed.output


@pytest.mark.parametrize("command", ["lab", "app", "run"])
def test_half_an_account_does_not_start(command: str) -> None:
    """Nor does it fall back to the sandbox."""
    failed = CliRunner().invoke(main, [command], env={"ITNIO_API_KEY": "key"})
    assert failed.exit_code == 1
    assert failed.output.startswith("Error: ITNIO_API_SECRET is not set")


@pytest.mark.parametrize(
    ("command", "module", "extra"),
    [("lab", "jupyterlab", "lab"), ("app", "voila", "lab"), ("run", "nbconvert", "runbook")],
)
def test_what_is_not_installed_is_said(
    command: str, module: str, extra: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With the line that installs it; nothing is written."""
    monkeypatch.setattr("itnio_nb.cli.servers.find_spec", lambda name: None if name == module else name)
    failed = CliRunner().invoke(main, [command])
    assert (failed.exit_code, list(tmp_path.iterdir())) == (1, [])
    assert f' installed: pip install "itnio-nb[{extra}]", then start this again.\n' in failed.output


def test_demo_has_a_folder_of_its_own_each_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The first result stays; what went wrong is an error."""
    problems = iter(["", "", "A cell failed with ValueError: no"])
    monkeypatch.setattr("itnio_nb.runbooks.runner.NotebookRunner.run", lambda *_, **options: next(problems))
    done = [CliRunner().invoke(main, ["demo"]) for _ in range(3)]
    assert [each.exit_code for each in done] == [0, 0, 1]
    assert len(list((tmp_path / "itnio-demo").iterdir())) == 3
    assert done[2].output.startswith(
        "Error: A cell failed with ValueError: no\nThe notebook as far as it came: itnio-demo/"
    )


def test_a_template_is_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The command says what to do with it; what exists stays."""
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, ["template"])
    assert (done.exit_code, done.output) == (0, "phones.xlsx: fill it in, then: itnio-nb run --orders phones.xlsx\n")
    assert len(read_orders("phones.xlsx")) == 1
    again = CliRunner().invoke(main, ["template", "phones.xlsx"])
    assert again.exit_code == 1
    assert "phones.xlsx exists: choose another name" in again.output


@pytest.mark.parametrize("text", ["phoneName", "=Handset", "phoneName=", " = "])
def test_a_column_needs_a_name_and_a_header(text: str) -> None:
    """Before anything is read or sent."""
    done = CliRunner().invoke(main, ["run", "--column", text])
    assert done.exit_code == 1
    assert '--column phoneName="Handset prefix"' in done.output
