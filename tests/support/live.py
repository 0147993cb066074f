"""An account of a sandbox that every part of the package takes for a live one: what is confirmed there is tested."""

from __future__ import annotations

import pytest

from itnio_nb import Account, Sandbox


def live_account(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Account:
    """Add an account with a key that no sandbox would accept: the account is live, wherever its address points."""
    monkeypatch.setattr("itnio_nb.sandbox.store.SANDBOX_PREFIX", "")
    account = sandbox.add_account("live-key-abcd")
    assert not account.is_sandbox
    return account


def live_settings(account: Account) -> dict[str, str]:
    """Return the environment in which a process finds the account."""
    secret = account.api_secret.reveal()
    return {"ITNIO_BASE_URL": account.base_url, "ITNIO_API_KEY": account.api_key, "ITNIO_API_SECRET": secret}
