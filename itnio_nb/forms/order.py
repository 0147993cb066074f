"""One order: its fields checked as one types, its requests shown before they are sent, and what came of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable
from dataclasses import asdict

import ipywidgets as widgets
import pandas as pd

from itnio_nb.api.account.account import Account
from itnio_nb.api.client import Client
from itnio_nb.api.models import API_COLUMNS, LIMITS, Action, State, phone_groups
from itnio_nb.api.text import html_text, plural
from itnio_nb.errors import InputError, ItnioError
from itnio_nb.forms.account import AccountPanel
from itnio_nb.forms.base import Form
from itnio_nb.forms.layout import field, panel, set_shown, show, table_html, text_area
from itnio_nb.forms.run.confirm import FINAL, Confirmation, creation
from itnio_nb.forms.run.monitor import Outcome, RunMonitor
from itnio_nb.ledger.ledger import Ledger
from itnio_nb.orders.check import check_orders
from itnio_nb.orders.models import split_orders
from itnio_nb.orders.read import read_orders
from itnio_nb.runs.plan import Plan
from itnio_nb.runs.run import RunRecord

_LENGTH = f"{LIMITS.name_min}–{LIMITS.name_max} characters"
_DIGITS = f"{LIMITS.display_min}–{LIMITS.display_max} digits"
_FIELDS = {  # label, and what stands beside the field as long as nothing is wrong
    "groupName": ("Group name", f"{_LENGTH}, one of its kind in the application"),
    "phoneName": ("Phone name", f"{_LENGTH}; the phones become name-1, name-2 and so on"),
    "quantity": ("Phones", f"from 1; more than {LIMITS.group_max} become several groups"),
    "displayNum": ("Display number", f"{_DIGITS}, what the called person sees"),
    "appId": ("Application", "the id of the voice application"),
}
_SENT = "<h3>What will be sent</h3>"
_MAX_PREVIEW = 3  # groups whose requests are shown
_MAX_PHONES = 200  # phones that are listed afterwards


class OrderForm(Form):
    """A form for one order, on a client and a ledger; where none are given, on the configured account.

        OrderForm(client, ledger)

    Each field says at once what is wrong with it; below are the order's groups and requests, their signatures masked.
    **Create** plans, sends and verifies, and nothing twice. The outcome is shown with the phones that exist now.
    """

    def __init__(self, client: Client | None = None, ledger: Ledger | None = None) -> None:
        super().__init__("One order")
        self._orders = self._groups = pd.DataFrame()  # as typed; its groups, none where it is wrong
        self._clicked = self._orders  # the order that was shown when Create was clicked
        self._sent: dict[Hashable, str] = {}  # the order that was created from here
        self.fields = {name: field(words, tip) for name, (words, tip) in _FIELDS.items()}
        self.notes = {name: text_area("itnio-note") for name in _FIELDS}
        for box in self.fields.values():
            box.observe(lambda _: self._check(), "value")  # at once: what is pressed next was seen
        self._confirmed: int | None = None  # the number that was typed then, where one is asked for
        self._left: tuple[pd.DataFrame, str] | None = None  # what the account lacks of it, where that is not all
        self.preview, self.result = text_area(), widgets.HTML()
        tip = "Create the phones of this order"
        self.confirm = Confirmation(self, "Create", self._create, tip, is_ready=self._is_ready, is_shown=lambda: True)
        self.create, self.sentence = self.confirm.submit, self.confirm.sentence
        content = panel()
        self.account = AccountPanel(self, content, self._open)
        self.monitor = RunMonitor(self, self.account, self._show_result)
        order = panel(*map(panel, self.fields.values(), self.notes.values()), style="itnio-form")
        typed = panel(order, self.confirm.body, self.status_line, self.monitor.body, style="itnio-typed")
        content.children = (widgets.HBox([typed, self.preview]).add_class("itnio-beside"), self.result)
        self.children = (self.browser, self.account.banner, self.account.body, content)
        self._check()
        self.account.open(client, ledger)

    def _open(self) -> None:
        newest = self.monitor.newest()
        if newest is not None:
            self.confirm.show_terms(newest.ledger.run_control.terms(newest.number))  # who has set a rate had a reason
        if newest is not None and not newest.done:
            self.monitor.follow(newest)
        elif newest is not None:
            self.set_status(f"The newest run in the ledger: {newest.summary}")
        self._show_order()

    @property
    def _was_sent(self) -> bool:
        return self._orders.iloc[0].to_dict() == self._sent

    def _is_ready(self) -> bool:
        return not self._groups.empty and not self._was_sent and not self.is_working()

    def act(self, action: Callable[[], None]) -> None:
        """Queue an action, with order and number as they were shown when its button was clicked."""
        if not self.busy:
            self._clicked, self._confirmed = self._orders, self.confirm.number
        super().act(action)

    def _check(self) -> None:
        typed = {name: box.value for name, box in self.fields.items()}
        self._orders = read_orders(pd.DataFrame([typed], columns=list(API_COLUMNS)))
        findings = check_orders(self._orders)
        is_wrong = "error" in set(findings["severity"])
        self._groups = pd.DataFrame() if is_wrong else split_orders(self._orders)
        self._left, self.confirm.typed.value = None, ""  # it was typed for another order
        for name, note in self.notes.items():
            here = findings[findings["column"] == name]
            if here.empty or not typed[name]:  # a field that was not filled in yet is no mistake
                show(note, _FIELDS[name][1], "faint")
            else:
                words = here["severity"] + ": " + here["problem"] + ". " + here["advice"]
                show(note, " ".join(words), "error" if "error" in set(here["severity"]) else "warning")
        self._show_order()

    def _show_order(self) -> None:
        """Show the order's groups and requests, as soon as there are any and the account is known."""
        if self._groups.empty or not self.account.is_open:
            self.preview.value = f"{_SENT}<p class='faint'>The groups and their requests appear here.</p>"
        else:
            self.preview.value = _preview(self._groups, self.account.workspace.client.account)
        self.refresh()

    def refresh(self) -> None:
        """Show whether the order can be created, and the run that is going on."""
        self._ask()
        super().refresh()
        set_shown(self.monitor.body, self.monitor.going)
        set_shown(self.confirm.speed, len(self._groups) > 1)  # of one request there is none

    def _ask(self) -> None:
        """Say what Create does; on a live account ask for the number of phones."""
        if self._groups.empty or not self.account.is_open:
            filled = all(box.value for box in self.fields.values())
            self.confirm.ask("Mend what is marked first." if filled else "Fill in all five fields.", kind="faint")
        elif self._was_sent:
            self.confirm.ask("This order was sent. Change a field for another one.", kind="faint")
        else:
            groups, why = self._left or (self._groups, "")
            sentence = f"Creates {creation(groups, self.account.label)}. {FINAL}"
            is_live = not self.account.workspace.is_sandbox
            self.confirm.ask(sentence, int(groups["quantity"].sum()) if is_live else None, why)

    def _create(self) -> None:
        workspace, order = self.account.workspace, self._clicked
        speed, is_live = asdict(self.confirm.options), not workspace.is_sandbox
        if is_live and self._confirmed is None:  # a click that came before the page knew
            raise InputError("Nothing was sent: type the number of phones first.")
        plan = workspace.plan(order)
        errors = plan.findings[plan.findings["severity"] == "error"]
        if not errors.empty:
            column, problem, advice = errors[["column", "problem", "advice"]].iloc[0]
            raise InputError(f"{column} {problem}. {advice} Nothing was sent.")
        self.result.value = ""
        number = self._confirmed if is_live else plan.phones
        if plan.phones not in (0, number):
            self._ask_again(order, plan)
            return
        self.monitor.follow(workspace.submit(plan, confirm=number, **speed))
        self._sent, self._left, self.confirm.typed.value = order.iloc[0].to_dict(), None, ""

    def _ask_again(self, order: pd.DataFrame, plan: Plan) -> None:
        """Say that another number of phones is to be created than was typed, and ask for that one."""
        creates = plan.table[plan.table["action"] == Action.CREATE]
        groups, others = plural(len(plan.table), "group"), len(plan.table) - len(creates)
        exist = int((plan.table["action"] == Action.EXISTS).sum())
        what = f"exist{'s' * (others == 1)} already" if exist == others else "cannot be created now"
        there = f"{others:,} of its {groups} {what}"
        words = f"{there}, so {plural(plan.phones, 'phone')} would be created and not {self._confirmed:,}."
        self.set_status("Nothing was sent: look at the number of phones again.", "warning")
        self.confirm.typed.value = ""
        if order.equals(self._orders):
            self._left = creates, f"{words[0].upper()}{words[1:]}"

    def _show_result(self, record: RunRecord, outcome: Outcome) -> None:
        summary, table = outcome
        if table["state"].isin({State.UNKNOWN, *State.SENDABLE}).any():
            self._sent = {}  # something is left to be tried again; what is unknown is looked up first
        self.set_status(summary, "good" if record.as_asked else "warning")
        groups = table_html(table[["groupName", "quantity", "state", "status", "reason", "advice"]])
        phones = self._phones(table)
        self.result.value = f"<h3>What came back</h3>{groups}<h3>Phones that exist now</h3>{phones}"

    def _phones(self, groups: pd.DataFrame) -> str:
        """Return the phones of some groups, as the account lists them, as HTML; passwords stay masked."""
        client = self.account.workspace.client
        try:
            phones = pd.concat([client.list_phones(app_id) for app_id in groups["appId"].unique()])
        except ItnioError as error:
            return f"<p class='warning'>{html_text(error)}</p>"
        phones = phones[phones["groupName"].isin(groups["groupName"])]
        return table_html(phones, _MAX_PHONES) if len(phones) else "<p>None of these groups is there.</p>"

    def describe(self) -> list[str]:
        """Return the account, and the order that can be created, if there is one."""
        ready = self.account.is_open and not self._groups.empty and not self._was_sent
        return [f"OrderForm: {self.account.label}." + (f" Ready to create {_size(self._groups)}." if ready else "")]


def _size(groups: pd.DataFrame) -> str:
    return f"{plural(int(groups['quantity'].sum()), 'phone')} in {plural(len(groups), 'group')}"


def _preview(groups: pd.DataFrame, account: Account) -> str:
    """Return the groups of an order and their requests as HTML, without what signs them."""
    shown = groups.head(_MAX_PREVIEW)
    requests = list(phone_groups(shown))
    names = [(one.phone_name, one.quantity) for one in requests]
    phones = [f"{name}-1" if size == 1 else f"{name}-1 … {name}-{size}" for name, size in names]
    lines = [f"POST {account.base_url}/sipAdd", f"Api-Key: …{account.api_key[-4:]}"]
    lines += ["Timestamp: when it is sent", "Sign: ********", ""]
    lines += [json.dumps(group.to_wire(), ensure_ascii=False) for group in requests]
    if len(groups) > _MAX_PREVIEW:
        lines.append(f"… and {plural(len(groups) - _MAX_PREVIEW, 'more request')}")
    table = table_html(shown[["groupName", "quantity"]].assign(phones=phones))
    return f"{_SENT}{table}<pre>{html_text(chr(10).join(lines))}</pre>"
