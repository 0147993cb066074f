"""Where the orders of a batch come from; what was edited is kept as a draft, and replaced only after a question."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pandas as pd

from itnio_nb.api.models import API_COLUMNS
from itnio_nb.api.text import plural, shortened
from itnio_nb.forms.base import Action, Form
from itnio_nb.forms.batch.input.columns.memory import ColumnMemory
from itnio_nb.forms.batch.input.drafts.draft import Draft, DraftStore, draft_path
from itnio_nb.forms.batch.input.drafts.keeper import DraftKeeper
from itnio_nb.forms.batch.input.orders_file import OrdersFile
from itnio_nb.forms.batch.input.question import Question
from itnio_nb.forms.batch.input.reading import FileRead
from itnio_nb.forms.layout import panel
from itnio_nb.runs.plan import Plan
from itnio_nb.workspace import Workspace

_TYPED = [column for column in API_COLUMNS if column != "appId"]  # a new row has the application of the others


class OrdersInput:
    """The ways in. What was read goes to `take`, a saved plan to `on_plan`, each after a question where one is due.

    A step that has the orders says what becomes of them: it sets `orders` and `edited` (whether a person has changed
    them since they were read) and calls `orders_changed`, and `submitted` once they are in a run.
    """

    def __init__(self, form: Form, on_plan: Callable[[Plan], None]) -> None:
        self._form = form
        self.orders = pd.DataFrame(columns=list(API_COLUMNS), dtype=str)
        self.edited = False
        self._on_plan = on_plan
        self.file = OrdersFile(form, self._take_file, self._take_plan, self.add_row)
        self.question = Question(form, "Replace", "Keep mine", attend=True)
        self.draft = DraftKeeper(form, lambda draft: self.restore(draft), self.instead_of_edits)
        ways, matcher = self.file.ways, self.file.matcher
        self.upload, self.sheet, self.source = ways.upload, ways.sheet, ways.source
        self.path, self.read, self.app_id = ways.path, ways.read, ways.app_id
        self.paste, self.read_pasted = ways.paste, ways.read_pasted
        self.read_matched, self.matching = matcher.read, matcher.body
        self.ways = panel(self.draft.body, self.question.body, ways.body, matcher.body)

    @property
    def columns(self) -> dict[str, Any]:
        """The fields of the columns that a table lacks: which header each has."""
        return {name: line.header for name, line in self.file.matcher.missing.items()}

    def open(self, workspace: Workspace) -> None:
        """Keep drafts and choices of columns beside a ledger, offer what is there, and take files that are dropped."""
        ledger = workspace.ledger
        self.file.memory = ColumnMemory(ledger.beside(".columns.json"))
        self.file.take_files()
        self.draft.open(DraftStore(draft_path(ledger, workspace.client.account)), self.orders)

    # What a step does with them.

    def take(self, orders: pd.DataFrame) -> None:
        """Go on with orders that were read."""
        raise NotImplementedError

    def restore(self, draft: Draft) -> None:
        """Go on with the edited orders of a draft, and with what `draft_extra` was when it was kept."""
        raise NotImplementedError

    def add_row(self) -> None:
        """Add an empty row, or begin with one."""
        raise NotImplementedError

    def draft_extra(self) -> Any:
        """Return what is kept beside the orders of a draft: any value of JSON."""
        return None

    # What it tells.

    def orders_changed(self) -> None:
        """Keep edited orders as a draft, or forget the one of those before; invite where there are none."""
        self.file.ways.show_state(is_empty=self.orders.empty)
        self.question.renew()
        self.file.follow(self.orders)
        if self._has_edits:
            self.draft.keep(self.orders, self.draft_extra())
        else:
            self.draft.drop()

    def submitted(self) -> None:
        """Say that the orders are in a run: they are no draft any more, and can be replaced."""
        self.edited = False
        self.draft.drop()
        self.question.close()

    def instead_of_edits(self, by: str, replace: Action, keep: Action = lambda: None) -> None:
        """Replace the orders at once or, where they were edited, once it was asked whether they may be; else `keep`."""
        if not self._has_edits:
            self.question.close()
            replace()
            return

        def words() -> str:
            return f"Replace {len(self.orders):,} edited {'order' if len(self.orders) == 1 else 'orders'} by {by}?"

        def leave() -> None:
            self.file.leave()
            keep()

        self.question.ask(words, replace, leave)

    @property
    def _has_edits(self) -> bool:
        return self.edited and bool((self.orders[_TYPED] != "").any(axis=None))

    def _take_file(self, read: FileRead) -> None:
        by = f"{read.label} ({plural(len(read.read_orders), 'row')})"
        self.instead_of_edits(by, partial(self._accept, read))

    def _accept(self, read: FileRead) -> None:
        self.take(read.read_orders)
        self.file.show(read)

    def _take_plan(self, plan: Plan, name: str) -> None:
        by = f"the plan {shortened(name)} ({plural(len(plan.orders), 'row')})"
        self.instead_of_edits(by, lambda: self._on_plan(plan))
