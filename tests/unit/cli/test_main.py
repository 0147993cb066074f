"""The command's group: help, errors in one line, and where `demo` writes."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from itnio_nb import LedgerError, __version__
from itnio_nb.cli.main import main

COMMANDS = ("app", "demo", "lab", "run", "sandbox")


def test_help_names_the_commands() -> None:
    """And each command explains itself."""
    shown = CliRunner().invoke(main, ["--help"])
    assert sorted(main.commands) == list(COMMANDS)
    for command in COMMANDS:
        assert command in shown.output
        assert CliRunner().invoke(main, [command, "-h"]).exit_code == 0
    assert CliRunner().invoke(main, ["--version"]).output == f"itnio-nb, version {__version__}\n"


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
