"""One order: its fields checked as one types, the very request shown, and what came of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable

import ipywidgets as widgets
import pandas as pd

from itnio_nb.api.account import Account
from itnio_nb.api.client import Client
from itnio_nb.api.models import API_COLUMNS, LIMITS, State, phone_groups
from itnio_nb.api.text import plural
from itnio_nb.errors import ItnioError
from itnio_nb.forms.layout import as_html, field, panel, row, show, table_html, text_area
from itnio_nb.forms.monitor import RunForm
from itnio_nb.ledger.ledger import Ledger
from itnio_nb.orders.check import check_orders
from itnio_nb.orders.models import split_orders
from itnio_nb.orders.read import read_orders
from itnio_nb.runs.plan import make_plan
from itnio_nb.runs.run import RunRecord
from itnio_nb.runs.submit import submit_plan

_LENGTH = f"{LIMITS.name_min}–{LIMITS.name_max} characters"
_DIGITS = f"{LIMITS.display_min}–{LIMITS.display_max} digits"
_FIELDS = {  # label, and what stands beside the field as long as nothing is wrong
    "groupName": ("Group name", f"{_LENGTH}, one of its kind in the application"),
    "phoneName": ("Phone name", f"{_LENGTH}; the phones become name-1, name-2 and so on"),
    "quantity": ("Phones", f"from 1; more than {LIMITS.group_max} become several groups"),
    "displayNum": ("Display number", f"{_DIGITS}, what the called person sees"),
    "appId": ("Application", "the id of the voice application"),
}
_SHOWN = 3  # groups that the preview writes out
_PHONES = 200  # phones that are listed afterwards


class OrderForm(RunForm):
    """A form for one order, on a client and a ledger; where none are given, on the configured account.

        OrderForm(client, ledger)

    Each field says at once, in words, what is wrong with it. Below are the groups that the order becomes, and the
    requests, their signatures masked. **Create** plans, sends and reads back; pressed twice it sends nothing twice.
    What came back is told in words, with the phones that exist now. `wait()` returns when all that is done.
    """

    def __init__(self, client: Client | None = None, ledger: Ledger | None = None) -> None:
        self._orders, self._findings = pd.DataFrame(), pd.DataFrame()
        self._asked = pd.DataFrame()  # the order that was shown when Create was pressed
        self._sent: dict[Hashable, str] = {}  # the order that was created from here
        super().__init__("One order", client, ledger)

    def _opened(self) -> None:
        self.fields = {name: field(words, tip) for name, (words, tip) in _FIELDS.items()}
        self.notes = {name: text_area("itnio-note") for name in _FIELDS}
        for made in self.fields.values():
            made.observe(lambda _: self._check(), "value")  # at once: what is pressed next was seen
        self.preview, self.sentence, self.outcome = text_area("itnio-live"), text_area(), widgets.HTML()
        self.create = self.button("Create", self._create, "Create the phones of this order", main=True)
        lines = [row(self.fields[name], self.notes[name]) for name in _FIELDS]
        confirm = row(self.create, self.sentence)
        self.body.children = (
            panel(*lines, style="itnio-form"),
            self.preview,
            confirm,
            self.said,
            self.watch.body,
            self.outcome,
        )
        newest = self._newest()
        if newest is not None and not newest.done:
            self._follow(newest)
        elif newest is not None:
            self.say(f"The newest run in the ledger: {newest.summary}")
        self._check()

    @property
    def _ready(self) -> bool:
        return not self._orders.empty and "error" not in set(self._findings["severity"])

    def act(self, action: Callable[[], None]) -> None:
        """Have an action done, with the order as it was shown when it was asked for."""
        if not self._acting.locked():
            self._asked = self._orders
        super().act(action)

    def _check(self) -> None:
        typed = {name: made.value for name, made in self.fields.items()}
        self._orders = read_orders(pd.DataFrame([typed], columns=list(API_COLUMNS)))
        self._findings = check_orders(self._orders)
        for name, place in self.notes.items():
            told = self._findings[self._findings["column"] == name]
            if told.empty or not typed[name]:  # a field that was not filled in yet is no mistake
                show(place, _FIELDS[name][1], "faint")
            else:
                words = told["severity"] + ": " + told["problem"] + ". " + told["advice"]
                show(place, " ".join(words), "error" if "error" in set(told["severity"]) else "warning")
        self._refresh()

    def _refresh(self) -> None:
        super()._refresh()
        if self.client is None:
            return
        sent = self._ready and self._orders.iloc[0].to_dict() == self._sent
        self.create.disabled = not self._ready or sent or self._at_work() or self._acting.locked()
        self.watch.body.layout.display = None if self.watch.at_work or self.watch.elsewhere else "none"
        if not self._ready:
            self.preview.value = "<p class='faint'>The groups and their requests appear here.</p>"
            empty = not all(made.value for made in self.fields.values())
            show(self.sentence, "Fill in all five fields." if empty else "Mend what is marked first.", "faint")
            return
        groups = split_orders(self._orders)
        self.preview.value = _preview(groups, self.client.account)
        size = f"{plural(int(groups['quantity'].sum()), 'phone')} in {plural(len(groups), 'group')}"
        if sent:
            show(self.sentence, "This order was sent. Change a field for another one.", "faint")
        else:
            show(self.sentence, f"creates {size} on {self.place}. The API cannot delete them.")

    def _create(self) -> None:
        client, ledger = self.tools
        asked = self._asked
        plan = make_plan(asked, client, ledger)
        wrong = plan.findings[plan.findings["severity"] == "error"]
        if len(wrong):
            column, problem, advice = wrong[["column", "problem", "advice"]].iloc[0]
            self.say(f"{column} {problem}. {advice} Nothing was sent.", "error")
            return
        self.outcome.value = ""
        self._follow(submit_plan(plan, client, ledger))
        self._sent = asked.iloc[0].to_dict()

    def _over(self, _: RunRecord, summary: str, table: pd.DataFrame) -> None:
        lost = table["state"].isin([State.UNKNOWN, State.REFUSED, State.PARTIAL, State.PLANNED]).any()
        if table["state"].isin([State.UNKNOWN, State.REFUSED, State.PLANNED]).any():
            self._sent = {}  # something is left to be tried again; what is unknown is looked up first
        self.say(summary, "warning" if lost else "good")
        told = table_html(table[["groupName", "quantity", "state", "status", "reason", "advice"]])
        phones = f"<h3>Phones that exist now</h3>{self._phones(table)}"
        self.outcome.value = f"<h3>What came back</h3>{told}{phones}"

    def _phones(self, groups: pd.DataFrame) -> str:
        """Return the phones of some groups, as the account lists them, as HTML; passwords stay masked."""
        client, _ = self.tools
        try:
            phones = pd.concat([client.list_phones(app_id) for app_id in groups["appId"].unique()])
        except ItnioError as error:
            return f"<p class='warning'>{as_html(error)}</p>"
        ours = phones[phones["groupName"].isin(groups["groupName"])]
        return table_html(ours, _PHONES) if len(ours) else "<p>None of these groups is there.</p>"

    def _lines(self) -> list[str]:
        if self.client is None or not self._ready or self._orders.iloc[0].to_dict() == self._sent:
            return [f"OrderForm: {self.place}."]
        groups = split_orders(self._orders)
        size = f"{plural(int(groups['quantity'].sum()), 'phone')} in {plural(len(groups), 'group')}"
        return [f"OrderForm: {self.place}. Ready to create {size}."]


def _preview(groups: pd.DataFrame, account: Account) -> str:
    """Return the groups of an order and their requests as HTML, without what signs them."""
    shown = groups.head(_SHOWN)
    phones = [
        f"{name}-1" if size == 1 else f"{name}-1 … {name}-{size}"
        for name, size in zip(shown["phoneName"], shown["quantity"], strict=True)
    ]
    lines = [
        f"POST {account.base_url}/sipAdd",
        f"Api-Key: …{account.api_key[-4:]}",
        "Timestamp: when it is sent",
        "Sign: ********",
        "",
        *(json.dumps(group.to_wire(), ensure_ascii=False) for group in phone_groups(shown)),
    ]
    if len(groups) > _SHOWN:
        lines.append(f"… and {plural(len(groups) - _SHOWN, 'more request')}")
    return (
        f"{table_html(shown[['groupName', 'quantity']].assign(phones=phones))}<pre>{as_html(chr(10).join(lines))}</pre>"
    )
