"""A batch: from a spreadsheet to phones in five steps, between which one goes back and forth."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial

import ipywidgets as widgets

from itnio_nb.api.client import Client
from itnio_nb.api.models import State
from itnio_nb.api.text import plural
from itnio_nb.errors import InputError
from itnio_nb.forms.account import AccountPanel
from itnio_nb.forms.base import Form
from itnio_nb.forms.batch.orders import NO_ORDERS, OrdersStep
from itnio_nb.forms.batch.plan import ConfirmStep, PlanStep
from itnio_nb.forms.batch.result import ResultStep
from itnio_nb.forms.layout import panel, row
from itnio_nb.forms.monitor import Outcome, RunMonitor
from itnio_nb.ledger.ledger import Ledger
from itnio_nb.runs.plan import Plan
from itnio_nb.runs.run import RunRecord
from itnio_nb.runs.submit import resume

_STEPS = ("1 Orders", "2 Plan", "3 Confirm", "4 Submit", "5 Result")
_GRIDS = {"itnio-orders": "Orders, a grid whose cells can be edited", "itnio-plan": "Groups of the plan, a grid"}
_MENDABLE = {*State.SENDABLE, State.PARTIAL}
_ORDERS, _PLAN, _CONFIRM, _SUBMIT, _RESULT = range(5)


class BatchForm(Form):
    """A form for a whole spreadsheet, on a client and a ledger; where none are given, on the configured account.

        BatchForm(client, ledger)

    Orders are read and mended, planned, confirmed by typing the number of phones, submitted and reviewed. What it shows
    of a run is in the ledger: made anew, after a reload or a restart of the kernel, it shows the newest run as it
    stands, follows one that is at work, and offers to go on with one that died.
    """

    def __init__(self, client: Client | None = None, ledger: Ledger | None = None) -> None:
        super().__init__("Batch", _GRIDS)
        content = panel()
        self.account = AccountPanel(self, content, self._open)
        self.monitor = RunMonitor(self, self.account, self._show_result)
        self.orders = OrdersStep(self, self._forget_plan, self._take_plan)
        self.plan = PlanStep(self, lambda: self.confirm.take(self.plan.plan, self.account.label), self._make_plan)
        self.confirm = ConfirmStep(self, self.monitor, self._submit)
        self.result = ResultStep(self, self.monitor, self._try_again, self._begin)
        tip = "Ask account and ledger what is there already"
        self.plan_it = self.button("Plan", self._make_plan, tip, main=True, is_ready=lambda: self.orders.valid > 0)
        go_on = partial(self._go, _CONFIRM)
        self.on_to_confirm = self.button("Go on to confirm", go_on, main=True, is_ready=self.plan.has_plan)
        for step, button in ((self.orders, self.plan_it), (self.plan, self.on_to_confirm)):
            step.body.children = (*step.body.children, row(button))
        self.steps = [widgets.Button(description=name, tooltip=f"Go to {name}") for name in _STEPS]
        for number, button in enumerate(self.steps):
            go = partial(self._go, number)
            button.add_class("itnio-step").on_click(lambda _, go=go: self.tasks.put(go))
        bodies = (self.orders, self.plan, self.confirm, self.monitor, self.result)
        self.panels = widgets.Stack([step.body for step in bodies]).add_class("itnio-steps")
        content.children = (row(*self.steps), self.status_line, self.panels)
        self.children = (self.browser, self.account.banner, self.account.body, content)
        self._go(_ORDERS)
        self.account.open(client, ledger)

    def _open(self) -> None:
        newest = self.monitor.newest()
        if newest is not None:
            self.orders.take(*newest.orders)
            self.monitor.follow(newest)
            self._go(_SUBMIT)
            if newest.done:
                self.monitor.report()
        self.refresh()

    def _go(self, step: int) -> None:
        self.panels.selected_index = step
        for number, button in enumerate(self.steps):
            (button.add_class if number == step else button.remove_class)("itnio-current")
        self.refresh()

    def refresh(self) -> None:
        """Show which steps can be reached, and which buttons pressed."""
        super().refresh()
        self.orders.upload.disabled = self.busy
        planned = self.plan.has_plan()
        reachable = (True, planned, planned, self.monitor.record is not None, self.result.record is not None)
        for button, is_reachable in zip(self.steps, reachable, strict=True):
            button.disabled = not is_reachable

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
        if plan is None or number is None:
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
        self.confirm.typed.value = ""

    # A run.

    def _show_result(self, record: RunRecord, outcome: Outcome) -> None:
        self.result.show(record, outcome)
        self.plan.take(None)  # what it planned is done
        left = 0 if record.finished else self.result.left
        words = f"This run is not finished: {plural(left, 'group')} left. “Try the rest again” goes on with it."
        self.set_status(words if left else "", "warning")
        if self.panels.selected_index == _SUBMIT:
            self._go(_RESULT)

    def _try_again(self, record: RunRecord) -> None:
        """Resume a run; of one that is finished, take the orders that were refused, to be planned and confirmed."""
        if not record.finished:
            workspace, speed = self.account.workspace, asdict(self.confirm.options)
            self.monitor.follow(resume(workspace.client, workspace.ledger, run=record.name, **speed))
            self._go(_SUBMIT)
            return
        orders, _ = record.orders
        table = record.table
        self.orders.take(orders.loc[orders.index.isin(table["row"][table["state"].isin(_MENDABLE)])])
        self._go(_ORDERS)
        self.set_status("These orders were refused or not sent: mend them, then plan and confirm them again.")

    def _begin(self) -> None:
        self.orders.take(NO_ORDERS)
        self.plan.take(None)
        self._go(_ORDERS)

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
