"""The command `credentials`: one file, where it is, what is in it, and no second one unasked."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from itnio_nb import Client, Ledger, Sandbox, make_plan, reset_passwords, submit_plan
from itnio_nb.cli.main import main
from itnio_nb.workspace import open_ledger_for
from tests.support.factories import APP, group, many_orders
from tests.support.processes import settings_of


@pytest.fixture(autouse=True)
def _configured(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in settings_of(sandbox).items():
        monkeypatch.setenv(name, value)


def say(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["credentials", *words])
    return done.exit_code, done.output


def submit(client: Client, ledger: Ledger, number: int, app_id: str = APP) -> str:
    return submit_plan(make_plan(many_orders(number, app_id=app_id), client, ledger), client, ledger).wait().name


def test_the_newest_run_or_one_by_its_name(client: Client) -> None:
    """The file's whole path, and who can read it; the second time nothing is written, unless it is asked for."""
    with open_ledger_for(client.account) as ledger:
        first, second = submit(client, ledger, 2), submit(client, ledger, 1, "other")
    code, words = say()
    path = Path("results", f"{second}-other-phones.xlsx").absolute()
    assert (code, f"Written, for you alone to read: 3 phones of 1 application, in {path}" in words) == (0, True)
    assert path.stat().st_mode & 0o777 == 0o600
    code, words = say()
    assert (code, f"Nothing was written: 3 phones of 1 application were handed over before, in {path}" in words) == (
        0,
        True,
    )
    assert "--again writes another file." in words
    assert say("--again")[0] == say("--run", first, "--folder", "elsewhere")[0] == 0
    assert sorted(path.name for path in Path().glob("*/*-phones*.xlsx")) == sorted(
        [f"{first}-{APP}-phones.xlsx", f"{second}-other-phones.xlsx", f"{second}-other-phones-2.xlsx"]
    )


def test_what_there_is_nothing_of(client: Client) -> None:
    """No run, none of that name, none that created anything, a folder that is a file: in words, with code 1."""
    code, words = say()
    assert (code, "There is no run of this account in " in words, "Its runs: none." in words) == (1, True, True)
    client.create_phones(group("group-0", "phone-0"))
    with open_ledger_for(client.account) as ledger:
        name = submit(client, ledger, 1)
    code, words = say()
    assert (code, f"Run {name} has created no phones" in words) == (1, True)
    code, words = say("--run", "none")
    assert (code, "There is no run none of this account" in words, f"Its runs: {name}." in words) == (1, True, True)
    with open_ledger_for(client.account) as ledger:
        submit(client, ledger, 1, "other")
    Path("file").write_text("")
    code, words = say("--folder", "file")
    assert (code, "is a file" in words) == (2, True)


def test_a_password_that_is_not_known_is_said(client: Client, sandbox: Sandbox) -> None:
    """The file is written, since it shows what the account shows, and what to do is said beside it."""
    with open_ledger_for(client.account) as ledger:
        submit(client, ledger, 1)
        sandbox.faults = "reset:drop-after"
        reset_passwords(client, ledger, APP, ["group-0"]).wait()
    code, words = say()
    assert code == 0
    assert "Warning: which password works is not known of 1 phone: ws.reset_passwords(…)" in words
