"""A batch: from a spreadsheet to phones in five steps, between which one goes back and forth."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial

import ipywidgets as widgets
import pandas as pd

from itnio_nb.api.client import Client
from itnio_nb.api.text import plural
from itnio_nb.errors import InputError
from itnio_nb.forms.account import AccountPanel
from itnio_nb.forms.base import Form
from itnio_nb.forms.batch.orders import OrdersStep
from itnio_nb.forms.batch.plan import ConfirmStep, PlanStep
from itnio_nb.forms.batch.result import ResultStep
from itnio_nb.forms.batch.worksheet import NO_ORDERS
from itnio_nb.forms.layout import emphasize, panel, row, show, text_area
from itnio_nb.forms.run.monitor import Outcome, RunMonitor
from itnio_nb.ledger.ledger import Ledger
from itnio_nb.runs.plan import Plan
from itnio_nb.runs.run import RunRecord
from itnio_nb.runs.submit import resume

_STEPS = ("1 Orders", "2 Plan", "3 Confirm", "4 Submit", "5 Result")
_NO_PLAN = "There is no plan now: make one in step 1"
_LACKS = ("", _NO_PLAN, _NO_PLAN, "No run yet", "No run is over yet")  # why a step cannot be reached
_ORDERS, _PLAN, _CONFIRM, _SUBMIT, _RESULT = range(5)


class BatchForm(Form):
    """A form for a whole spreadsheet, on a client and a ledger; where none are given, on the configured account.

        BatchForm(client, ledger)

    Orders are read and mended, planned, confirmed by typing the number of phones, submitted and reviewed. What it shows
    of a run is in the ledger: made anew, after a reload or a restart of the kernel, it shows the newest run as it
    stands, follows one that is at work, and offers to go on with one that died.
    """

    def __init__(self, client: Client | None = None, ledger: Ledger | None = None) -> None:
        super().__init__("Batch")
        content = panel()
        self.account = AccountPanel(self, content, self._open)
        self.monitor = RunMonitor(self, self.account, self._show_result)
        self.orders = OrdersStep(self, self._forget_plan, self._take_plan)
        self.is_unsaved = lambda: self.orders.edited and not self.orders.draft.is_kept
        self.orders.file.sources.on_given = partial(self._go, _ORDERS)
        self.plan = PlanStep(self, lambda: self.confirm.take(self.plan.plan, self.account.label), self._make_plan)
        self.confirm = ConfirmStep(self, self.monitor, self._submit)
        self.result = ResultStep(self, self.monitor, self._resume, self._mend, self._begin)
        self._add_ways_on()
        self.steps = [widgets.Button(description=name) for name in _STEPS]
        for number, button in enumerate(self.steps):
            go = partial(self._go, number)
            button.add_class("itnio-step").on_click(lambda _, go=go: self.tasks.put(go))
        bodies = (self.orders, self.plan, self.confirm, self.monitor, self.result)
        self.panels = widgets.Stack([step.body for step in bodies]).add_class("itnio-steps")
        content.children = (widgets.HBox(self.steps).add_class("itnio-stepper"), self.panels, self.status_line)
        self.children = (self.browser, self.account.banner, self.account.body, content)
        self._go(_ORDERS)
        self.account.open(client, ledger)

    def _add_ways_on(self) -> None:
        """Add to the first two steps what leads on from them."""
        tip = "Ask account and ledger what is there already"
        self.plan_it = self.button(
            "Plan",
            self._make_plan,
            tip,
            main=True,
            is_ready=lambda: self.orders.valid > 0,
            is_shown=lambda: not self.orders.orders.empty,
        )
        self.plan_hint = text_area("itnio-why")
        go_on = partial(self._go, _CONFIRM)
        self.on_to_confirm = self.button("Go on to confirm", go_on, main=True, is_ready=self.plan.has_plan)
        ways = ((self.orders.body, row(self.plan_it, self.plan_hint)), (self.plan.body, row(self.on_to_confirm)))
        for body, way in ways:
            body.children = (*body.children, way.add_class("itnio-ways"))

    def _open(self) -> None:
        newest = self.monitor.newest()
        if newest is not None:
            self.orders.take(*newest.orders)
            self.monitor.follow(newest)
            self._go(_SUBMIT)
            self.confirm.show_terms(newest.ledger.run_control.terms(newest.number))  # who has set a rate had a reason
            if newest.done:
                self.monitor.report()
        self.orders.open(self.account.workspace)
        self.refresh()

    def _go(self, step: int) -> None:
        for number, button in enumerate(self.steps):
            (button.add_class if number == step else button.remove_class)("itnio-current")
            (button.add_class if number < step else button.remove_class)("itnio-done")
        self.panels.selected_index = step  # last: the page gives the focus of what is hidden to the current step
        self.refresh()

    def refresh(self) -> None:
        """Show which steps can be reached, and which buttons pressed."""
        super().refresh()
        self.result.refresh()
        self.orders.upload.disabled = self.busy
        if self.orders.file.matcher.is_open:
            main = self.orders.read_matched
        else:
            main = self.orders.upload if self.orders.orders.empty else self.plan_it
        emphasize(main, self.plan_it, self.orders.upload, self.orders.read_matched)
        show(self.plan_hint, self._left_out(), "faint" if self.orders.valid else "error")
        planned = self.plan.has_plan()
        reachable = (True, planned, planned, self.monitor.record is not None, self.result.record is not None)
        for button, is_reachable, lack in zip(self.steps, reachable, _LACKS, strict=True):
            button.disabled = not is_reachable
            button.tooltip = f"Go to {button.description}" if is_reachable else lack

    def _left_out(self) -> str:
        """Say which orders no plan will have, "" where there are none."""
        wrong = len(self.orders.orders) - self.orders.valid
        if wrong and not self.orders.valid:
            return "Nothing to plan yet: every row has an error."
        return f"{plural(wrong, 'row')} with errors will be left out." if wrong else ""

    # Orders, plan, confirmation.

    def _forget_plan(self) -> None:
        """Drop a plan of other orders: it is not what would be sent any more."""
        self.plan.take(None)
        self.refresh()

    def _make_plan(self) -> None:
        if self.orders.orders.empty:
            raise InputError("There are no orders to plan: read some in step 1.")
        recreate = bool(self.plan.recreate.value)
        self.plan.take(self.account.workspace.plan(self.orders.orders, recreate=recreate))
        self._go(_PLAN)

    def _take_plan(self, plan: Plan) -> None:
        """Take over a saved plan; what has become stale since is refused when it is submitted."""
        self.orders.take(plan.orders, plan.findings)
        self.plan.take(plan)
        self._go(_PLAN)

    def _submit(self) -> None:
        workspace, plan, number = self.account.workspace, self.confirm.plan, self.confirm.number
        if plan is None:
            return
        speed = asdict(self.confirm.options)
        self.monitor.prepare(len(plan.table))
        self._go(_SUBMIT)
        try:
            self.monitor.follow(workspace.submit(plan, confirm=number, **speed))
        except BaseException:
            self.monitor.restore()
            self._go(_CONFIRM)
            raise
        self.orders.submitted()
        self.confirm.typed.value = ""

    # A run.

    def _show_result(self, record: RunRecord, outcome: Outcome) -> None:
        self.result.show(record, outcome)
        self.plan.take(None)  # what it planned is done
        if (left := self.result.left) is not None:
            size, way = plural(len(left.groups) + len(left.unknown), "group"), self.result.resume.submit.description
            self.set_status(f"This run is not finished: {size} left. “{way}” goes on with it.", "warning")
        else:
            self.set_status("")
        if self.panels.selected_index == _SUBMIT:
            self._go(_RESULT)

    def _resume(self, record: RunRecord, confirm: int | None) -> None:
        """Go on with a run as it was begun: at its rate, on whatever page that was set."""
        workspace = self.account.workspace
        self.monitor.follow(resume(workspace.client, workspace.ledger, run=record.name, confirm=confirm))
        self._go(_SUBMIT)

    def _mend(self, record: RunRecord, rows: pd.Index) -> None:
        """Bring rows of a run back into step 1, to be corrected, planned and confirmed."""
        left = record.orders[0].loc[rows]
        self._go(_ORDERS)
        self.orders.instead_of_edits(f"{plural(len(left), 'row')} of the run", partial(self._take_rows, left))

    def _take_rows(self, left: pd.DataFrame) -> None:
        self.orders.take(left)
        self.set_status(
            "These rows have errors, were refused or not sent: mend them, then plan and confirm them again."
        )

    def _begin(self) -> None:
        self._go(_ORDERS)
        self.orders.instead_of_edits("an empty batch", partial(self.orders.take, NO_ORDERS))

    def describe(self) -> list[str]:
        """Return the account, the step, and what it shows."""
        head, step = f"BatchForm: {self.account.label}.", self.panels.selected_index
        if not self.account.is_open:
            return [head]
        if step == _ORDERS:
            shown = f"{plural(len(self.orders.orders), 'order')}, {self.orders.valid:,} without errors."
        elif step in (_PLAN, _CONFIRM):
            shown = self.plan.plan.summary if self.plan.plan is not None else "No plan yet."
        else:
            shown = self.monitor.record.summary if self.monitor.record is not None else "No run yet."
        return [f"{head} Step {_STEPS[step]}.", shown]
