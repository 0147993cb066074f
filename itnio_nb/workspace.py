"""Where a notebook works: on the configured account, or on a sandbox, and a banner that says which of the two."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pandas as pd

import itnio_nb
from itnio_nb.api.account.account import Account
from itnio_nb.api.client import Client
from itnio_nb.api.models import PhoneGroup
from itnio_nb.api.text import html_block, html_text, printable
from itnio_nb.ledger.database.address import ledger_address
from itnio_nb.ledger.ledger import Ledger
from itnio_nb.orders.export.files import WrittenFiles
from itnio_nb.orders.export.tables import table_as_html, table_as_text
from itnio_nb.orders.read import read_orders
from itnio_nb.runs.credentials.groups import Groups
from itnio_nb.runs.credentials.hand_over import export_credentials, hand_over
from itnio_nb.runs.credentials.reset import ResetRun, reset_passwords
from itnio_nb.runs.plan import Plan, make_plan
from itnio_nb.runs.preflight.preflight import preflight
from itnio_nb.runs.reconcile.report import reconcile
from itnio_nb.runs.run import Run, RunRecord
from itnio_nb.runs.submit import resume, submit_plan
from itnio_nb.sandbox.sandbox import SOURCE, Sandbox

if TYPE_CHECKING:
    from itnio_nb import BatchForm, OrderForm, ReviewForm

SANDBOX_LEDGER = Path("results", "ledger.sqlite")
LATENCY = 0.1  # seconds before the embedded sandbox answers: one sees the progress


class Workspace:
    """A client and a ledger of one account, and every step from orders to proof as a method.

        ws = open_workspace()
        ws                                             # the banner: SANDBOX or LIVE ACCOUNT
        plan = ws.plan(read_orders("phones.xlsx"))     # nothing is sent
        run = ws.submit(plan, confirm=867).wait()
        ws.reconcile()

    Each method is one line over the function of the package that its docstring names, with the same arguments and
    errors. `client` signs and sends for the account, `ledger` records all that was sent, and `is_sandbox` is True
    where nothing that is created exists anywhere else. A context manager; it shows itself as its banner.
    """

    def __init__(self, client: Client, ledger: Ledger, *, own_sandbox: Sandbox | None = None) -> None:
        """`own_sandbox` is what `close` stops: nobody else uses it, so the banner does not name its address."""
        self.client = client
        self.ledger = ledger
        self.is_sandbox = client.account.is_sandbox
        self._own_sandbox = own_sandbox
        self._banner = banner(None if own_sandbox else client.account)
        show_tables_whole()

    def plan(self, orders: pd.DataFrame, recreate: bool = False) -> Plan:
        """Split orders into groups and compare them with ledger and account; nothing is sent: `make_plan`."""
        return make_plan(orders, self.client, self.ledger, recreate=recreate)

    def submit(
        self,
        plan: Plan,
        *,
        apply: bool = True,
        confirm: int | None = None,
        workers: int | None = None,
        rate: float | None = None,
    ) -> Run:
        """Send what a plan has to create, in the background: `submit_plan`."""
        return submit_plan(plan, self.client, self.ledger, apply=apply, confirm=confirm, workers=workers, rate=rate)

    def resume(self, run: str | None = None) -> Run:
        """Go on with the newest unfinished run, or with the one of this name: `resume`."""
        return resume(self.client, self.ledger, run=run)

    def reconcile(self, *, app_ids: Iterable[str] | None = None, unknown_only: bool = False) -> pd.DataFrame:
        """Compare the ledger with the phones that really exist: `reconcile`."""
        return reconcile(self.client, self.ledger, app_ids=app_ids, unknown_only=unknown_only)

    def preflight(self, app_ids: Iterable[str] | None = None) -> pd.DataFrame:
        """Check account, address, clock, ledger and applications before a batch, in one table: `preflight`."""
        return preflight(self.client, self.ledger, app_ids=app_ids)

    def export_credentials(
        self, app_id: str, groups: Ledger | pd.DataFrame | Iterable[str | PhoneGroup], path: str | os.PathLike[str]
    ) -> Path:
        """Write the hand-over file for those who configure the handsets: `export_credentials`."""
        return export_credentials(self.client, app_id, groups, path)

    def hand_over(
        self,
        run: RunRecord,
        folder: str | os.PathLike[str] = "results",
        *,
        again: bool = False,
        one_table: bool = False,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> WrittenFiles:
        """Write the phones of a run to one file, for those who configure the handsets: `hand_over`."""
        return hand_over(self.client, run, folder, again=again, one_table=one_table, on_progress=on_progress)

    def reset_passwords(
        self,
        app_id: str,
        groups: Groups,
        *,
        apply: bool = True,
        confirm: int | None = None,
        again: bool = False,
        workers: int | None = None,
        rate: float | None = None,
    ) -> ResetRun:
        """Give every phone of some groups a new password, in the background: `reset_passwords`."""
        options: dict[str, Any] = {"apply": apply, "confirm": confirm, "again": again, "workers": workers, "rate": rate}
        return reset_passwords(self.client, self.ledger, app_id, groups, **options)

    # The forms stand on this file: the package's lazy exports lead to them.

    def order_form(self) -> OrderForm:
        """Return a form for one order: `OrderForm`."""
        return itnio_nb.OrderForm(self.client, self.ledger)

    def batch_form(self) -> BatchForm:
        """Return a form from spreadsheet to result: `BatchForm`."""
        return itnio_nb.BatchForm(self.client, self.ledger)

    def review_form(self) -> ReviewForm:
        """Return a form that shows what the ledger has: `ReviewForm`."""
        return itnio_nb.ReviewForm(self.client, self.ledger)

    def close(self) -> None:
        """Close client and ledger, and stop the sandbox if it is this workspace's own: wait for runs before."""
        self.client.close()
        self.ledger.close()
        if self._own_sandbox is not None:
            self._own_sandbox.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return self._banner

    def _repr_html_(self) -> str:
        return banner_html(self._banner, sandbox=self.is_sandbox)


def open_workspace(
    sandbox: bool | None = None,
    *,
    profile: str | None = None,
    seed: pd.DataFrame | str | os.PathLike[str] | None = None,
) -> Workspace:
    """Open the configured account or, where none is configured, a sandbox of its own.

        ws = open_workspace()
        ws                         # the banner: SANDBOX or LIVE ACCOUNT

    `sandbox`: True opens a sandbox, False the account, None the account where one is configured and
    `ITNIO_SANDBOX=1` does not ask for a sandbox. An account is configured in the environment, in a `.env` file, or in
    the keyring, where `profile` names one of several (see `Account.from_env`). `seed` has orders that this new sandbox
    begins with, as if a colleague had created their phones yesterday; those whose column `madeBy` is `ledger` are
    created through the ledger. An account, or a sandbox that runs elsewhere, begins with what it has.
    Raises `AccountError` for half an account, `LedgerError` where the ledger cannot be opened.
    """
    if not (wants_sandbox(profile=profile) if sandbox is None else sandbox):
        account = Account.from_env(profile=profile)
        return Workspace(Client(account), open_ledger_for(account))
    orders = None if seed is None else read_orders(seed)  # before anything is started that would stay
    own = Sandbox().start()
    workspace = Workspace(Client(own.account), open_ledger_for(own.account), own_sandbox=own)
    if orders is not None:
        ours = orders.get("madeBy", pd.Series("", orders.index)) == "ledger"
        if ours.any():
            workspace.submit(workspace.plan(orders[ours])).join()
        create_elsewhere(workspace.client, orders[~ours])
    own.latency = LATENCY
    return workspace


def create_elsewhere(client: Client, orders: pd.DataFrame | str | os.PathLike[str]) -> None:
    """Create the valid orders beside any ledger, as a colleague does: what a sandbox begins with."""
    for planned in make_plan(orders).groups:
        client.create_phones(planned.group)


def show_tables_whole() -> None:
    """Have the cells of this kernel show tables as the package's own: whole sentences, and words for no rows.

    Does nothing outside of a notebook.
    """
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is None or not hasattr(shell, "kernel"):
        return
    pd.set_option("display.max_colwidth", None, "display.width", 250)
    formatters = shell.display_formatter.formatters
    formatters["text/html"].for_type(pd.DataFrame, table_as_html)
    plain = formatters["text/plain"]
    plain.for_type(pd.DataFrame, lambda table, printer, _: printer.text(printable(table_as_text(table))))


def open_ledger_for(account: Account | None) -> Ledger:
    """Open the ledger of an account, see `ledger_file_for`. None is a sandbox that is not served yet."""
    return Ledger(ledger_file_for(account))


def ledger_file_for(account: Account | None) -> Path | None:
    """Return the file in this folder that is the ledger of a sandbox, None where it is the user's own ledger.

    That is so for a live account and, where `ITNIO_LEDGER` names a server, for the account of a sandbox that is served
    elsewhere: a team rehearses on its ledger. What a sandbox of one's own makes is gone with it.
    """
    if account is not None and not account.is_sandbox:
        return None
    is_configured = account is not None and account.source != SOURCE
    return None if is_configured and not isinstance(ledger_address(None), Path) else SANDBOX_LEDGER


def wants_sandbox(folder: Path | None = None, profile: str | None = None) -> bool:
    """Tell whether one works on a sandbox: asked for by ITNIO_SANDBOX, or no account is configured for the folder."""
    if os.environ.get("ITNIO_SANDBOX", "0") not in ("", "0"):
        return True
    return not profile and not Account.is_configured(folder)


def settings_of(account: Account) -> dict[str, str]:
    """Return the environment in which notebooks find a sandbox's account."""
    settings = {"ITNIO_BASE_URL": account.base_url, "ITNIO_API_KEY": account.api_key}
    settings |= {"ITNIO_SANDBOX": "", "ITNIO_PROFILE": "", "ITNIO_LEDGER": ""}
    settings["ITNIO_API_SECRET"] = account.api_secret.reveal()  # the sandbox's own: it opens nothing else
    return settings


def banner(account: Account | None) -> str:
    """Return the line that says where one works: on an account, or on an embedded sandbox (None)."""
    if account is None or account.is_sandbox:
        where = f" at {account.base_url}" if account is not None else ""
        return f"SANDBOX{where}: a stand-in for the API on this machine. What is created here exists nowhere else."
    return (
        f"LIVE ACCOUNT …{account.api_key[-4:]} at {account.base_url}. "
        "What is submitted here creates real phones, and the API cannot delete them."
    )


def banner_html(text: str, *, sandbox: bool) -> str:
    """Return the banner as a box: blue for a sandbox, red for a live account, readable on light and dark pages."""
    border, ground = ("#1565c0", "rgba(21,101,192,.12)") if sandbox else ("#c62828", "rgba(198,40,40,.16)")
    word, rest = text.split(" ", 1) if sandbox else (text[:12], text[13:])
    style = f"border-left:8px solid {border};background:{ground};padding:10px 14px;font-size:115%"
    return html_block(f'<div style="{style}"><b>{html_text(word)}</b> {html_text(rest)}</div>')
