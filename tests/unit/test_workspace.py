"""Where a notebook works: the account that is configured, or a sandbox, and never the wrong one."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell

from itnio_nb import Account, AccountError, InputError, Sandbox, State, make_plan, open_workspace
from itnio_nb.api.text import html_block
from itnio_nb.workspace import banner, banner_html, settings_of, show_tables_whole
from tests.support.factories import APP, group, orders_frame, provoke
from tests.support.postgres import new_database

LIVE = {"ITNIO_API_KEY": "bDqJFiq9", "ITNIO_API_SECRET": "7bz1lzh9"}
SEED = orders_frame(("reception", "front", "1"), ("floor-1", "floor-1", "120")).assign(madeBy=["a colleague", "ledger"])


def configure(monkeypatch: pytest.MonkeyPatch, settings: dict[str, str]) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)


def test_without_an_account_it_is_a_sandbox(tmp_path: Path) -> None:
    """Its own, with a ledger beside the notebook; the banner is the same on every machine."""
    with open_workspace() as ws:
        assert ws.is_sandbox
        assert ws.client.create_phones(group()).state is State.CREATED
        assert ws.ledger.path == tmp_path / "results" / "ledger.sqlite"
        assert repr(ws) == "SANDBOX: a stand-in for the API on this machine. What is created here exists nowhere else."
        assert "<b>SANDBOX:</b>" in ws._repr_html_()
    assert ws.client.create_phones(group("more", "line")).state is State.PLANNED  # nobody is there any more


def test_a_configured_account_is_live_and_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By the last four of its key; its ledger is the user's own; the secret shows nowhere."""
    configure(monkeypatch, LIVE)
    with open_workspace() as ws:
        assert not ws.is_sandbox
        assert ws.client.account == Account(*LIVE.values())
        assert ws.ledger.path == tmp_path / "default-ledger.sqlite"
        assert repr(ws) == (
            "LIVE ACCOUNT …Fiq9 at https://api.itniotech.com/voice. "
            "What is submitted here creates real phones, and the API cannot delete them."
        )
        shown = repr(ws) + ws._repr_html_()
    assert "<b>LIVE ACCOUNT</b>" in shown
    assert "7bz1lzh9" not in shown


def test_half_an_account_is_an_error_not_a_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever meant the live account must not land on a sandbox unawares; nor does `sandbox=False` fall back."""
    with pytest.raises(AccountError, match="not set"):
        open_workspace(sandbox=False)
    for name in ("ITNIO_API_KEY", "ITNIO_API_SECRET", "ITNIO_BASE_URL"):
        with monkeypatch.context() as patch:
            configure(patch, {name: "https://api.itniotech.com/voice"})
            with pytest.raises(AccountError, match="not set"):
                open_workspace()


def test_a_sandbox_can_be_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With an account configured too, in a `.env` file here or above; 0 and nothing do not ask for it."""
    (tmp_path / ".env").write_text("".join(f"{name}={value}\n" for name, value in LIVE.items()))
    (tmp_path / ".env").chmod(0o600)
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    for value, is_sandbox in (("1", True), ("0", False), ("", False)):
        monkeypatch.setenv("ITNIO_SANDBOX", value)
        with open_workspace() as ws:
            assert (ws.is_sandbox, ws.client.account.is_loopback) == (is_sandbox, is_sandbox)


def test_an_account_on_this_machine_is_a_sandbox(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sandbox of `itnio-nb lab` or `itnio-nb sandbox`: named with its address, ledger beside the notebook.

    A seed never reaches one that runs elsewhere.
    """
    configure(monkeypatch, settings_of(sandbox.account))
    with open_workspace(seed=SEED) as ws:
        assert (ws.is_sandbox, ws.client.account) == (True, sandbox.account)
        assert repr(ws).startswith(f"SANDBOX at {sandbox.base_url}: a stand-in")
        assert ws.ledger.path.parent.name == "results"
    assert not sandbox.served
    assert sandbox.phones.empty  # it is there: not this workspace's to stop
    assert provoke(sandbox, "0").create_phones(group()).state is State.CREATED


def test_a_team_rehearses_on_its_ledger(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is named is the ledger of a sandbox that others can reach; one of its own has a file of its own."""
    with new_database() as address:
        monkeypatch.setenv("ITNIO_LEDGER", address)
        with open_workspace() as ws:
            assert ws.ledger.path.parent.name == "results"
        configure(monkeypatch, settings_of(sandbox.account))
        monkeypatch.setenv("ITNIO_LEDGER", address)  # as it was configured
        with open_workspace() as ws:
            assert (ws.is_sandbox, ws.ledger.is_shared) == (True, True)
        configure(monkeypatch, settings_of(sandbox.account))  # as the kernels of `itnio-nb lab` find it
        with open_workspace() as ws:
            assert ws.ledger.path.parent.name == "results"


def test_the_banner_is_text() -> None:
    """A hostile key does not run; an address can hold nothing hostile."""
    text = banner(Account("<b>x", "secret"))
    assert "<b>x" not in banner_html(text, sandbox=False)
    assert "…<b>x" in text


@pytest.mark.parametrize(
    ("key", "address"),
    [
        ("bDqJFiq9", "http://127.0.0.1:8080/voice"),
        ("bDqJFiq9", "http://localhost:8080/voice"),
        ("bDqJFiq9", "http://[::1]:8080/voice"),
        ("bDqJFiq9", "https://localhost:8443/voice"),
        ("Sandbox-9", "http://127.0.0.1:8080/voice"),
        ("sandbox-9", "https://api.itniotech.com/voice"),
        ("sandbox-9", "https://127.0.0.1.example.com/voice"),
    ],
)
def test_any_other_account_is_live(key: str, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address of this machine may be a tunnel to the real API: red banner, the user's own ledger, a confirmation."""
    configure(monkeypatch, LIVE | {"ITNIO_API_KEY": key, "ITNIO_BASE_URL": address})
    with open_workspace() as ws:
        assert not ws.is_sandbox
        assert repr(ws).startswith(f"LIVE ACCOUNT …{key[-4:]} at {address}.")
        assert "#c62828" in ws._repr_html_()
        assert ws.ledger.path.parent.name != "results"
        with pytest.raises(InputError, match="this is a live account, and the plan creates 3 phones"):
            ws.submit(make_plan(orders_frame(("sales", "desk"))))


def test_an_encrypted_sandbox_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its key and its address say so; how it is reached does not matter."""
    configure(monkeypatch, LIVE | {"ITNIO_API_KEY": "sandbox-9", "ITNIO_BASE_URL": "https://localhost:8443/voice"})
    with open_workspace() as ws:
        assert (ws.is_sandbox, ws.ledger.path.parent.name) == (True, "results")


def test_each_step_is_a_method(tmp_path: Path) -> None:
    """From orders to the hand-over file, each the function of the package with this client and ledger."""
    with open_workspace(sandbox=True) as ws:
        plan = ws.plan(orders_frame(("sales", "desk", "60")))
        assert plan.summary.startswith("Plan: 2 groups to create (60 phones)")
        run = ws.submit(plan, confirm=60).wait()
        assert "Verified: 60 of 60 phones." in run.summary
        assert ws.resume().counts == {}
        assert ws.reconcile()["after"].tolist() == ["created", "created"]
        assert ws.reconcile(unknown_only=True).empty
        assert set(ws.preflight()["result"]) == {"ok", "note"}
        assert list(ws.hand_over(run, tmp_path)) == [APP]
        assert "Dry run" in ws.submit(plan, apply=False).summary
        path = ws.export_credentials(APP, run.table, tmp_path / "phones.csv")
        assert len(path.read_text(encoding="utf-8").splitlines()) == 61
        with pytest.raises(InputError, match="60 phones, and 61 were confirmed"):
            ws.submit(plan, confirm=61)


def test_a_sandbox_can_begin_with_what_exists() -> None:
    """A colleague's phones are in the account alone, the others in the ledger too; without the column all are his."""
    floors = ["floor-1", "floor-1_2", "floor-1_3"]
    with open_workspace(sandbox=True, seed=SEED) as ws:
        assert sorted(ws.client.list_phones(APP)["groupName"].unique()) == [*floors, "reception"]
        assert ws.ledger.table_for(ws.client.account)["groupName"].tolist() == floors
    with open_workspace(sandbox=True, seed=SEED.drop(columns="madeBy")) as ws:
        assert len(ws.client.list_phones(APP)) == 121
        assert ws.ledger.table_for(ws.client.account).empty
        assert not ws.ledger.runs_of(ws.client.account)


def test_a_seed_that_cannot_be_used_starts_nothing() -> None:
    """Its invalid rows are left out, as in any plan; a file that is not there is said before a sandbox runs."""
    with pytest.raises(InputError, match=r"no file missing\.csv"):
        open_workspace(sandbox=True, seed="missing.csv")
    assert not [thread for thread in threading.enumerate() if thread.name == "sandbox"]
    with open_workspace(sandbox=True, seed=orders_frame(("sales", "desk", "many"), ("other", "line", "2"))) as ws:
        assert len(ws.client.list_phones(APP)) == 2


def test_an_account_begins_with_what_it_has(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A seed never reaches one that is configured, a sandbox that runs elsewhere included."""
    configure(monkeypatch, settings_of(sandbox.account))
    with open_workspace(seed=SEED) as ws:
        assert ws.client.account == sandbox.account
    assert not sandbox.served


def test_tables_are_shown_whole_in_a_kernel_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A script's pandas stays as it is."""
    before = pd.get_option("display.max_colwidth")
    show_tables_whole()
    shell: Any = InteractiveShell()  # type: ignore[no-untyped-call] # IPython
    monkeypatch.setattr("IPython.get_ipython", lambda: shell)
    show_tables_whole()
    assert pd.get_option("display.max_colwidth") == before
    shell.kernel = object()
    with pd.option_context("display.max_colwidth", 50, "display.width", 80):
        show_tables_whole()
        shown, _ = shell.display_formatter.format(pd.DataFrame({"advice": ["word " * 40]}))
    assert "text-align:left" in shown["text/html"]
    assert "word " * 30 in shown["text/plain"]
    shown, _ = shell.display_formatter.format(pd.DataFrame(columns=["advice"]))
    assert shown == {"text/html": html_block("<p>No rows.</p>"), "text/plain": "No rows."}
