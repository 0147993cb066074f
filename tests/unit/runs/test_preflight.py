"""The checks before a batch: each thing that is wrong has its row, its result and its mend; nothing is created."""

from __future__ import annotations

import ssl
from pathlib import Path

import pandas as pd
import pytest
import requests
import responses

from itnio_nb import Account, Client, InputError, Ledger, Sandbox, Workspace, make_plan, preflight, submit_plan
from tests.support.factories import many_orders


def results(table: pd.DataFrame) -> dict[str, str]:
    """What is not right, by check."""
    wrong = table[~table["result"].isin(["ok", "note"])]
    return dict(zip(wrong["check"], wrong["result"], strict=True))


def cell(table: pd.DataFrame, check: str, column: str) -> str:
    return str(table.set_index("check").loc[check, column])


def advice_of(table: pd.DataFrame, check: str) -> str:
    return cell(table, check, "advice")


def test_all_is_well(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """One row for each check, and what is irreversible; nothing was created."""
    table = preflight(client, ledger, app_ids=[sandbox.app_id])
    assert list(table) == ["check", "result", "found", "advice"]
    assert results(table) == {}
    account = ["account", "address", "certificates", "allow-list", "clock", "application 4luaKsL2"]
    names = [
        "versions",
        "settings",
        *account,
        "ledger",
        *([] if ledger.is_shared else ["disk"]),
        "earlier runs",
        "front ends",
    ]
    assert list(table["check"]) == [*names, *["irreversible"] * 3]
    assert [endpoint for endpoint, _ in sandbox.served] == ["sipQuery"]


@pytest.mark.parametrize("app_ids", [None, ["other"]])
def test_without_an_application_the_rest_is_tried(app_ids: list[str] | None, sandbox: Sandbox, ledger: Ledger) -> None:
    """One that the account does not have, too, shows that key, address and clock are right; the advice names them."""
    sandbox.app_ids = app_ids
    with Client(sandbox.account) as client:
        table = preflight(client, ledger)
    assert results(table) == {"applications": "warning"}
    assert "app_ids=" in advice_of(table, "applications")


def test_the_ledgers_applications_are_asked(client: Client, ledger: Ledger) -> None:
    """Those of this account; a workspace has it as a method."""
    submit_plan(make_plan(many_orders(2), client, ledger), client, ledger).wait()
    table = Workspace(client, ledger).preflight()
    assert results(table) == {}
    assert cell(table, "application 4luaKsL2", "found") == "6 phones in it"
    assert "2 groups of this account" in cell(table, "ledger", "found")


@pytest.mark.parametrize(
    ("settings", "expected", "words"),
    [
        ({"clock_offset": 600}, {"clock": "warning"}, "Set this machine's clock"),
        ({"clock_offset": -4000}, {"clock": "warning"}, "Set this machine's clock"),
        ({"app_ids": ["other"]}, {"application 4luaKsL2": "error"}, "Check the application id"),
        (
            {"broken": True},
            {"application 4luaKsL2": "error", "account": "warning", "allow-list": "warning"},
            "Try again in a minute",
        ),
        (
            {"allowed_addresses": ["192.0.2.1"]},
            {"allow-list": "error", "account": "warning", "application 4luaKsL2": "warning"},
            "Add the address in the ITNIO console",
        ),
    ],
    ids=str,
)
def test_what_is_wrong_has_its_row_and_its_mend(
    settings: dict[str, object], expected: dict[str, str], words: str, ledger: Ledger
) -> None:
    """And nothing that was not seen to work is "ok"."""
    with Sandbox(**settings) as sandbox, Client(sandbox.account) as client:  # type: ignore[arg-type]
        table = preflight(client, ledger, app_ids=["4luaKsL2"])
    assert results(table) == expected
    assert words in advice_of(table, next(iter(expected)))


def test_one_application_that_is_not_answered(ledger: Ledger) -> None:
    """The others were: the address is right, and this one has its own error."""
    with Sandbox(faults="query:none,query:drop-before*9") as sandbox, Client(sandbox.account) as client:
        table = preflight(client, ledger, app_ids=["4luaKsL2", "other"])
    assert results(table) == {"application other": "error"}
    assert "the connection was lost" in advice_of(table, "application other")


def test_wrong_credentials(sandbox: Sandbox, ledger: Ledger) -> None:
    """The API answers, so the address is right and the key is not."""
    with Client(Account(sandbox.account.api_key, "wrong", sandbox.base_url)) as client:
        table = preflight(client, ledger, app_ids=["4luaKsL2"])
    assert results(table) == {"account": "error", "allow-list": "warning", "application 4luaKsL2": "warning"}
    assert "ITNIO_API_SECRET" in advice_of(table, "account")


def test_nobody_answers(ledger: Ledger) -> None:
    """A stopped sandbox, a wrong address: one error, and the rest was not tried."""
    with Sandbox() as sandbox:
        account = sandbox.account
    with Client(account) as client:
        table = preflight(client, ledger, app_ids=["4luaKsL2"])
    assert results(table)["address"] == "error"
    assert "Is the sandbox still running?" in advice_of(table, "address")
    assert set(results(table).values()) == {"error", "warning"}


@responses.activate
def test_a_clock_that_the_server_refuses(ledger: Ledger) -> None:
    """Where its time cannot be adopted, since it sends the one that was used."""
    body = {"status": "-16", "reason": "Timestamp expired"}
    responses.post(
        "https://api.itniotech.com/voice/sipQuery", json=body, headers={"Date": "Wed, 25 Nov 2026 02:00:00 GMT"}
    )
    with Client(Account("key-1234", "secret")) as client:
        table = preflight(client, ledger, app_ids=["4luaKsL2"])
    assert results(table)["clock"] == "error"
    assert cell(table, "account", "found").startswith("LIVE ACCOUNT …1234")
    assert results(table)["account"] == "warning"


@responses.activate
def test_a_certificate_that_is_not_valid(ledger: Ledger) -> None:
    """It is told from an address that does not answer."""
    error = requests.exceptions.SSLError(ssl.SSLCertVerificationError("certificate verify failed"))
    responses.post("https://api.itniotech.com/voice/sipQuery", body=error)
    with Client(Account("key", "secret")) as client:
        table = preflight(client, ledger, app_ids=["4luaKsL2"])
    assert results(table)["certificates"] == "error"
    assert "REQUESTS_CA_BUNDLE" in advice_of(table, "certificates")


def test_an_unfinished_run_is_a_warning(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """With the line that goes on."""
    sandbox.latency = 0.05
    run = submit_plan(make_plan(many_orders(8), client, ledger), client, ledger, workers=1)
    run.stop()
    table = preflight(client, ledger, app_ids=[sandbox.app_id])
    assert results(table) == {"earlier runs": "warning"}
    assert "ws.resume().wait()" in advice_of(table, "earlier runs")


@pytest.mark.sqlite_only("the disk of a server is not ours")
def test_a_disk_that_fills(client: Client, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the run that could not be recorded."""
    monkeypatch.setattr("itnio_nb.runs.preflight.machine.free_bytes", lambda *_: 300_000_000)
    table = preflight(client, ledger, app_ids=["4luaKsL2"])
    assert results(table) == {"disk": "warning"}
    assert "only 300 MB are free" in cell(table, "disk", "found")


def test_one_text_is_no_list(client: Client, ledger: Ledger) -> None:
    """It would be asked letter by letter."""
    with pytest.raises(InputError, match=r"app_ids=\['4luaKsL2'\]"):
        preflight(client, ledger, app_ids="4luaKsL2")


def test_the_ledgers_path_is_short(
    sandbox: Sandbox, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the working folder, or from the home folder."""
    with Ledger(tmp_path / "home" / "data" / "ledger.sqlite") as ledger:
        for folder, shown in ((tmp_path, "home/data/ledger.sqlite"), (tmp_path / "home" / "data", "ledger.sqlite")):
            monkeypatch.chdir(folder)
            assert cell(preflight(client, ledger), "ledger", "found").startswith(f"{shown}: 0 groups")
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        assert cell(preflight(client, ledger), "ledger", "found").startswith("~/data/ledger.sqlite: ")
