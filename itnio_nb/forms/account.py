"""The account that a form works on: one that is given, the configured one, or one that is typed in for this session."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets as widgets
from traitlets import Unicode

from itnio_nb.api.account.account import Account
from itnio_nb.api.account.address import DEFAULT_BASE_URL
from itnio_nb.api.account.secret import Secret
from itnio_nb.api.client import Client
from itnio_nb.errors import InputError, ItnioError
from itnio_nb.forms.base import Form
from itnio_nb.forms.layout import field, panel, row
from itnio_nb.ledger.ledger import Ledger
from itnio_nb.workspace import Workspace, open_ledger_for, open_workspace

_STATIC = Path(__file__).parent / "static"
_WIDTH = "480px"  # an address is long
_ASK = """<h3>Which account?</h3>
<p>Type it in for this session: the secret is kept nowhere. Or run <b>itnio-nb login</b> once in a terminal, which
keeps it in the keyring for every session, and open this form again.</p>"""


@cache
def session_sandbox() -> Workspace:
    """Open the sandbox of this process: a form that is made again finds its phones there."""
    return open_workspace(sandbox=True)


class SecretField(anywidget.AnyWidget):
    """A masked field whose text comes as a message, and so is in no state that a page or a notebook could save.

    `on_secret` is called with what was typed; the field is empty then.
    """

    _esm = _STATIC / "secret.js"
    words = Unicode().tag(sync=True)
    note = Unicode().tag(sync=True)  # shown where nothing is typed

    def __init__(self, words: str, on_secret: Callable[[Secret], None]) -> None:
        super().__init__(words=words)
        self._on_secret = on_secret
        self.on_msg(self._take)

    def _take(self, _: object, message: dict[str, Any], __: object) -> None:
        typed = message.pop("secret", None)
        if isinstance(typed, str) and typed:
            self._on_secret(Secret(typed))


class AccountPanel:
    """Open the client and ledger of a form, or ask for an account first; `on_open` is called once they are there.

    A secret that is typed in leaves its field at once.
    """

    def __init__(self, form: Form, content: widgets.Widget, on_open: Callable[[], None]) -> None:
        self._form, self._content, self._on_open = form, content, on_open
        self._workspace: Workspace | None = None
        self.label = "no account yet"  # the account in a word or two
        self._ledger: Ledger | None = None  # the one that was given
        self._secret: Secret | None = None
        self.banner = widgets.HTML()
        self.key = field("API key", width=_WIDTH)
        self.secret = SecretField("API secret", self._take_secret)
        self.address = field("Address", width=_WIDTH, value=DEFAULT_BASE_URL)
        self.use_account = form.button("Use this account", self._use_account, main=True)
        self.use_sandbox = form.button("Rehearse on a sandbox", self._use_sandbox)
        fields = panel(self.key, self.secret, self.address, style="itnio-form")
        ways = row(self.use_account, self.use_sandbox)
        self.body = panel(widgets.HTML(_ASK), fields, ways, form.status_line, style="itnio-account")
        self._content.layout.display = "none"

    @property
    def is_open(self) -> bool:
        """Whether client and ledger are there."""
        return self._workspace is not None

    @property
    def workspace(self) -> Workspace:
        """Client and ledger with every step as a method; `InputError` before they are there."""
        if self._workspace is None:
            raise InputError("No account is known yet: type one in, or rehearse on a sandbox.")
        return self._workspace

    def open(self, client: Client | None, ledger: Ledger | None) -> None:
        """Open what is given or configured; where neither is, the panel stays and asks. Errors are shown."""
        self._ledger = ledger
        try:
            if client is not None:
                self._open(client)
            elif os.environ.get("ITNIO_SANDBOX", "0") not in ("", "0"):
                self._use_sandbox()
            elif Account.is_configured():
                self._open(Client(Account.from_env()))
        except ItnioError as error:
            self._form.show_error(error)

    def _take_secret(self, secret: Secret) -> None:
        self._secret = secret
        self.secret.note = "taken; type it again to change it"

    def _use_account(self) -> None:
        self._open(Client(Account(self.key.value.strip(), self._secret or "", self.address.value)))
        self._secret, self.secret.note = None, ""

    def _use_sandbox(self) -> None:
        sandbox = session_sandbox()
        self._ledger = self._ledger or sandbox.ledger
        self._open(sandbox.client)

    def _open(self, client: Client) -> None:
        account = client.account
        self._workspace = Workspace(client, self._ledger or open_ledger_for(account))
        self.label = "SANDBOX" if account.is_sandbox else f"LIVE ACCOUNT …{account.api_key[-4:]}"
        self.banner.value = self._workspace._repr_html_()
        self.body.layout.display, self._content.layout.display = "none", None
        self._on_open()
        self._form.tasks.put(lambda: None)  # the first poll
