"""Where a notebook works: on the configured account, or on a sandbox, and a banner that says which of the two."""

from __future__ import annotations

import os
from html import escape
from pathlib import Path

from itnio_nb.api.account import Account
from itnio_nb.api.client import Client
from itnio_nb.ledger.ledger import Ledger
from itnio_nb.sandbox.sandbox import Sandbox

_REHEARSAL_LEDGER = Path("results", "ledger.sqlite")
LATENCY = 0.1  # seconds before the embedded sandbox answers: one sees the progress


class Workplace:
    """A client and a ledger, and whether what is done with them is a rehearsal. It shows itself as a banner.

    `client`     for the account
    `ledger`     the user's own for a live account; `results/ledger.sqlite` in this folder for a rehearsal
    `rehearsal`  True on a sandbox: nothing that is created exists anywhere else
    """

    def __init__(self, account: Account, ledger: Ledger, sandbox: Sandbox | None = None) -> None:
        self.client = Client(account)
        self.ledger = ledger
        self.rehearsal = sandbox is not None or is_rehearsal(account)
        self._sandbox = sandbox
        self._banner = banner(account if sandbox is None else None)

    def close(self) -> None:
        """Close client and ledger, and stop the sandbox if it is this workplace's own: wait for runs before."""
        self.client.close()
        self.ledger.close()
        if self._sandbox is not None:
            self._sandbox.stop()

    def __repr__(self) -> str:
        return self._banner

    def _repr_html_(self) -> str:
        return banner_html(self._banner, rehearsal=self.rehearsal)


def open_workplace(*, rehearse: bool = False) -> Workplace:
    """Open the configured account or, where none is configured, a sandbox of its own.

        here = open_workplace()
        here                       # the banner: SANDBOX or LIVE ACCOUNT
        plan = make_plan(orders, here.client, here.ledger)

    An account is configured by `ITNIO_API_KEY` and `ITNIO_API_SECRET`, in the environment or in a `.env` file
    (see `Account.from_env`, whose `AccountError` is raised for half of it). `ITNIO_SANDBOX=1` in the
    environment, or `rehearse`, asks for a sandbox whatever is configured.
    """
    if not rehearse and not wants_sandbox():
        account = Account.from_env()
        return Workplace(account, own_ledger(account))
    sandbox = Sandbox(latency=LATENCY).start()
    return Workplace(sandbox.account, own_ledger(sandbox.account), sandbox)


def own_ledger(account: Account) -> Ledger:
    """Open the ledger of an account: the user's own, or the one in this folder for a rehearsal."""
    return Ledger(_REHEARSAL_LEDGER if is_rehearsal(account) else None)


def wants_sandbox(folder: Path | None = None) -> bool:
    """Tell whether one works on a sandbox: asked for by ITNIO_SANDBOX, or no account is configured for the folder."""
    return os.environ.get("ITNIO_SANDBOX", "0") not in ("", "0") or not Account.is_configured(folder)


def is_rehearsal(account: Account) -> bool:
    """Tell whether an account is a sandbox's: plain http on this machine. Encrypted, it may lead elsewhere."""
    return account.is_loopback and account.base_url.startswith("http:")


def settings_of(account: Account) -> dict[str, str]:
    """Return the environment in which notebooks find a sandbox's account."""
    settings = {"ITNIO_BASE_URL": account.base_url, "ITNIO_API_KEY": account.api_key, "ITNIO_SANDBOX": ""}
    settings["ITNIO_API_SECRET"] = account.api_secret.reveal()  # the sandbox's own: it opens nothing else
    return settings


def banner(account: Account | None) -> str:
    """Return the line that says where one works: on an account, or on an embedded sandbox (None)."""
    if account is None or is_rehearsal(account):
        where = f" at {account.base_url}" if account is not None else ""
        return f"SANDBOX{where}: a stand-in for the API on this machine. What is created here exists nowhere else."
    return (
        f"LIVE ACCOUNT …{account.api_key[-4:]} at {account.base_url}. "
        "What is submitted here creates real phones, and the API cannot delete them."
    )


def banner_html(text: str, *, rehearsal: bool) -> str:
    """Return the banner as a box: blue for a rehearsal, red for a live account, readable on light and dark pages."""
    border, ground = ("#1565c0", "rgba(21,101,192,.12)") if rehearsal else ("#c62828", "rgba(198,40,40,.16)")
    word, rest = text.split(" ", 1) if rehearsal else (text[:12], text[13:])
    style = f"border-left:8px solid {border};background:{ground};padding:10px 14px;font-size:115%"
    return f'<div style="{style}"><b>{escape(word)}</b> {escape(rest)}</div>'
