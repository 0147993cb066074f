"""The life of a sandbox: its address, its accounts, and what a console does to its phones."""

from __future__ import annotations

import re

import pytest

from itnio_nb import Account, AccountError, Client, Sandbox
from tests.support.wire import SAMPLE, ask, ask_as


def test_it_comes_back_at_the_same_address_with_its_phones(sandbox: Sandbox) -> None:
    """Stopping cuts the connections; starting again goes on where it was."""
    ask(sandbox, SAMPLE)
    address = sandbox.base_url
    sandbox.stop()
    with pytest.raises(ConnectionRefusedError):
        ask(sandbox, SAMPLE)
    sandbox.start()
    assert sandbox.base_url == address
    assert ask(sandbox, SAMPLE)["status"] == "-20"
    assert repr(sandbox) == "Sandbox(running, 30 phones)"


def test_two_sandboxes_are_two_accounts() -> None:
    """What one ledger knows of one sandbox never hides another's groups; neither has an address before it runs."""
    with pytest.raises(RuntimeError, match=r"start\(\)"):
        _ = Sandbox().base_url
    with Sandbox() as one, Sandbox() as other:
        assert one.account != other.account
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/voice", one.base_url)


def test_accounts_are_apart(sandbox: Sandbox) -> None:
    """The same names in the same application of two accounts: each has its own phones, and its own secret."""
    first, second = sandbox.account, sandbox.add_account()
    assert [account.api_key for account in sandbox.accounts] == [first.api_key, second.api_key]
    for account in (first, second):
        with Client(account) as client:
            assert ask_as(sandbox, account, SAMPLE)["status"] == "0"
            assert ask_as(sandbox, account, SAMPLE)["status"] == "-20"
            assert len(client.list_phones("4luaKsL2")) == 30
    mixed = Account(first.api_key, second.api_secret, first.base_url)
    assert ask_as(sandbox, mixed, SAMPLE)["status"] == "-1"
    assert len(sandbox.phones) == 60
    assert sandbox.phones["account"].is_unique


def test_an_account_can_be_given_and_its_secret_changed(sandbox: Sandbox) -> None:
    """As the console of the vendor would."""
    account = sandbox.add_account("sandbox-mine", "my-secret")
    assert ask_as(sandbox, account, SAMPLE)["status"] == "0"
    sandbox.add_account("sandbox-mine", "new-secret")
    assert ask_as(sandbox, account, SAMPLE)["status"] == "-1"
    assert ask_as(sandbox, Account("sandbox-mine", "new-secret", account.base_url), SAMPLE)["status"] == "-20"


@pytest.mark.parametrize("key", ["bDqJFiq9", "Sandbox-1", "my-sandbox-", "sandbox", "sandbox_1"])
def test_a_sandbox_accepts_no_key_of_a_live_account(sandbox: Sandbox, key: str) -> None:
    """Whoever has a key that begins with sandbox- works on a sandbox; nobody else does."""
    with pytest.raises(AccountError, match=f"begins with sandbox-.*Give it sandbox-{key}"):
        Sandbox(api_key=key)
    with pytest.raises(AccountError, match="begins with sandbox-"):
        sandbox.add_account(key)
    assert sandbox.account.api_key.startswith("sandbox-")
    assert sandbox.add_account().api_key.startswith("sandbox-")


def test_the_console_deletes_and_edits(sandbox: Sandbox) -> None:
    """A deleted group frees both of its names; a phone's fields can be set; what is not there is a KeyError."""
    ask(sandbox, SAMPLE | {"quantity": 2})
    sandbox.edit_phone("4luaKsL2", "sip-phone-1", password="new", groupName="elsewhere")
    assert sandbox.phones[["groupName", "password"]].to_numpy()[0].tolist() == ["elsewhere", "new"]
    sandbox.delete_group("4luaKsL2", "sipGroup")
    assert sandbox.phones["phoneName"].tolist() == ["sip-phone-1"]
    assert ask(sandbox, SAMPLE)["status"] == "0"
    with pytest.raises(KeyError):
        sandbox.delete_group("another", "sipGroup")
    with pytest.raises(KeyError):
        sandbox.edit_phone("4luaKsL2", "sip-phone", password="new")


def test_a_hidden_group_is_listed_later(sandbox: Sandbox) -> None:
    """Its phones exist, and so many listings do not show them."""
    ask(sandbox, SAMPLE)
    sandbox.hide_group("4luaKsL2", "sipGroup", listings=2)
    params = {"params": {"appId": "4luaKsL2"}}
    totals = [ask(sandbox, params, endpoint="sipQuery")["data"]["total"] for _ in range(3)]
    assert totals == [0, 0, 30]


def test_addresses_caps_applications_and_faults_are_switches() -> None:
    """-2, -23, -22 and -18 can each be provoked, while it runs, and nothing is created by them."""
    with Sandbox(app_ids=["4luaKsL2"]) as sandbox:
        sandbox.allowed_addresses = ["192.0.2.1"]
        assert ask(sandbox, SAMPLE)["status"] == "-2"
        sandbox.allowed_addresses = ["127.0.0.1"]
        assert ask(sandbox, SAMPLE | {"appId": "another"})["status"] == "-22"
        sandbox.broken = True
        assert ask(sandbox, SAMPLE)["status"] == "-18"
        sandbox.broken = False
        sandbox.cap = 29
        assert ask(sandbox, SAMPLE)["status"] == "-23"
        assert sandbox.phones.empty
        sandbox.cap = 30
        assert ask(sandbox, SAMPLE)["status"] == "0"
        assert sandbox.served["sipAdd", "0"] == 1
