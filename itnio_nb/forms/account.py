"""Which account a form works on: one that is given, the configured one, or one that is typed in for this session."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import ipywidgets as widgets
from traitlets import Unicode

from itnio_nb.api.account import DEFAULT_BASE_URL, Account, Secret
from itnio_nb.api.client import Client
from itnio_nb.errors import ItnioError
from itnio_nb.forms.base import Form
from itnio_nb.forms.layout import field, panel, row, text_area
from itnio_nb.ledger.ledger import Ledger
from itnio_nb.workspace import Workspace, banner, banner_html, is_sandbox_account, open_ledger_for, open_workspace


@cache
def _own_sandbox() -> Workspace:
    """Open the sandbox of this process: a form that is made again finds its phones there."""
    return open_workspace(sandbox=True)


class _Masked(widgets.Password):  # type: ignore[misc] # no types
    """A masked field whose text is never sent back to a page, and so is in no saved state of the kernel's."""

    value = Unicode("").tag(sync=True, echo_update=False)


class DeskForm(Form):
    """A form that works on an account: `client` and `ledger` are there once it is known which.

    Where neither a client is given nor an account configured, it asks for one first; the secret is taken out of its
    field as soon as it arrives.
    """

    def __init__(self, name: str, client: Client | None, ledger: Ledger | None) -> None:
        super().__init__(name)
        self.client: Client | None = None
        self.ledger: Ledger | None = ledger
        self._secret: Secret | None = None
        self.banner = widgets.HTML()
        self.body = panel()
        self.key = field("API key")
        self.secret = field("API secret", kind=_Masked, continuous_update=False)
        self.address = field("Address", value=DEFAULT_BASE_URL)
        self.enter = self.button("Use this account", self._enter, main=True)
        self.use_sandbox = self.button("Rehearse on a sandbox", self._open_sandbox)
        self.secret.observe(self._take_secret, "value")
        words = text_area("", "No account is configured. For this session only; the secret is kept nowhere.")
        fields = panel(self.key, self.secret, self.address, style="itnio-form")
        self.entrance = panel(words, fields, row(self.enter, self.use_sandbox), self.said)
        self.children = (self.page, self.banner, self.entrance, self.body)
        self.body.layout.display = "none"
        self._start(client)

    def _start(self, client: Client | None) -> None:
        try:
            if client is not None:
                self._open(client, self.ledger or open_ledger_for(client.account))
            elif os.environ.get("ITNIO_SANDBOX", "0") not in ("", "0"):
                self._open_sandbox()
            elif Account.is_configured():
                account = Account.from_env()
                self._open(Client(account), self.ledger or open_ledger_for(account))
        except ItnioError as error:
            self.say(str(error), "error")

    def _take_secret(self, change: dict[str, Any]) -> None:
        if change["new"]:
            self._secret = Secret(change["new"])
            self.secret.value = ""
            self.secret.placeholder = "taken; type it again to change it"

    def _enter(self) -> None:
        account = Account(self.key.value.strip(), self._secret or "", self.address.value)
        self._open(Client(account), self.ledger or open_ledger_for(account))
        self._secret = None

    def _open_sandbox(self) -> None:
        here = _own_sandbox()
        self._open(here.client, self.ledger or here.ledger)

    def _open(self, client: Client, ledger: Ledger) -> None:
        self.client, self.ledger = client, ledger
        text = banner(client.account)
        self.banner.value = banner_html(text, sandbox=is_sandbox_account(client.account))
        self.entrance.layout.display, self.body.layout.display = "none", None
        self._opened()
        self.ask(lambda: None)  # from now on it looks at the ledger

    def _refresh(self) -> None:
        """Show which buttons can be pressed; before an account is known, those of the entrance."""
        for button in (self.enter, self.use_sandbox):
            button.disabled = self._acting.locked()

    def _opened(self) -> None:
        """Show what the ledger has, now that it is known which."""
        raise NotImplementedError

    @property
    def tools(self) -> tuple[Client, Ledger]:
        """Client and ledger, which are there while the form's body is shown."""
        assert self.client is not None  # noqa: S101 - for the type checker
        assert self.ledger is not None  # noqa: S101
        return self.client, self.ledger

    @property
    def place(self) -> str:
        """Where one works, in a word or two."""
        if self.client is None:
            return "no account yet"
        account = self.client.account
        return "SANDBOX" if is_sandbox_account(account) else f"LIVE ACCOUNT …{account.api_key[-4:]}"
