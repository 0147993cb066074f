"""A batch: from a spreadsheet to phones in five steps, between which one goes back and forth."""

from __future__ import annotations

import ipywidgets as widgets
import pandas as pd

from itnio_nb.api.client import Client
from itnio_nb.api.models import State
from itnio_nb.api.text import plural
from itnio_nb.errors import InputError
from itnio_nb.forms.batch.orders import NO_ORDERS, OrdersStep
from itnio_nb.forms.batch.plan import ConfirmStep, PlanStep
from itnio_nb.forms.batch.result import ResultStep
from itnio_nb.forms.layout import require_grid, row, steps
from itnio_nb.forms.monitor import RunForm
from itnio_nb.ledger.ledger import Ledger
from itnio_nb.runs.plan import Plan
from itnio_nb.runs.run import RunRecord
from itnio_nb.runs.submit import resume, submit_plan

_STEPS = ("1 Orders", "2 Plan", "3 Confirm", "4 Submit", "5 Result")
_ORDERS, _PLAN, _CONFIRM, _SUBMIT, _RESULT = range(5)


class BatchForm(RunForm):
    """A form for a whole spreadsheet, on a client and a ledger; where none are given, on the configured account.

        BatchForm(client, ledger)

    Orders are read and mended, planned, confirmed by typing the number of phones, submitted and reviewed; each button
    does one line of the package. What it shows of a run is in the ledger: made anew, after a reload or a restart of the
    kernel, it shows the newest run as it stands, follows one that is at work, and offers to go on with one that died.
    `wait()` returns when what was asked for is done.
    """

    def __init__(self, client: Client | None = None, ledger: Ledger | None = None) -> None:
        require_grid()
        self._step = _ORDERS
        super().__init__("Batch", client, ledger)

    def _opened(self) -> None:
        self.plan_it = self.button("Plan", self._plan, "Ask account and ledger what is there already", main=True)
        self.orders = OrdersStep(self, self._orders_changed, self._planned)
        self.plan = PlanStep(self, self._plan_changed, self._plan)
        self.confirm = ConfirmStep(self, self._submit)
        self.result = ResultStep(self, self._go_on, self._new)
        self.on_to_confirm = self.button("Go on to confirm", lambda: self._go(_CONFIRM), main=True)
        self.orders.body.children = (*self.orders.body.children, row(self.plan_it))
        self.plan.body.children = (*self.plan.body.children, row(self.on_to_confirm))
        self.steps = steps(_STEPS, lambda number: self.ask(lambda: self._go(number)))
        bodies = (self.orders, self.plan, self.confirm, self.watch, self.result)
        self.panels = widgets.Stack([step.body for step in bodies])
        self.panels.add_class("itnio-steps")
        self.page.names = {**self.page.names, "itnio-orders": "Orders, a grid whose cells can be edited"}
        self.page.names = {**self.page.names, "itnio-plan": "Groups of the plan, a grid"}
        self.body.children = (row(*self.steps), self.said, self.panels)
        newest = self._newest()
        if newest is not None:
            self._take_up(newest)
        else:
            self._go(_ORDERS)

    def _take_up(self, record: RunRecord) -> None:
        """Show a run that the ledger has: one at work is followed, one that ended is shown."""
        self.orders.take(*record.orders)
        self._follow(record)
        if record.done:
            self._untold = False
            self._tell(record)
            self._go(_RESULT)
        else:
            self._go(_SUBMIT)

    # From step to step.

    def _go(self, step: int) -> None:
        self._step = step
        self.panels.selected_index = step
        for number, button in enumerate(self.steps):
            (button.add_class if number == step else button.remove_class)("itnio-current")
        self._refresh()

    def _reachable(self, step: int) -> bool:
        ready = {_PLAN: self.plan.whole, _CONFIRM: self.plan.whole, _SUBMIT: self.watch.record}
        return step == _ORDERS or ({**ready, _RESULT: self.result.record}[step] is not None)

    def _refresh(self) -> None:
        super()._refresh()
        if self.client is None or not self.body.children:
            return
        busy = self._acting.locked()
        going = self.watch.at_work or self.watch.elsewhere
        for number, button in enumerate(self.steps):
            button.disabled = not self._reachable(number)
        self.orders.refresh(busy=busy)
        self.plan_it.disabled = busy or not self.orders.valid
        self.plan.refresh(busy=busy)
        self.on_to_confirm.disabled = busy or self.plan.whole is None
        self.confirm.refresh(busy=busy or going)
        self.result.refresh(busy=busy or going)

    def _orders_changed(self) -> None:
        """What was planned is not what would be sent any more: plan again."""
        if hasattr(self, "plan") and self.plan.whole is not None:
            self.plan.take(None)
        self._refresh()

    def _plan(self) -> None:
        client, ledger = self.tools
        if self.orders.orders.empty:
            raise InputError("There are no orders to plan: read some in step 1.")
        self.plan.make(self.orders.orders, client, ledger)
        self._go(_PLAN)

    def _planned(self, plan: Plan) -> None:
        """Go on with a saved plan; what has become stale since is refused when it is submitted."""
        self.orders.take(plan.orders, plan.findings)
        self.plan.take(plan)
        self._go(_PLAN)

    def _plan_changed(self) -> None:
        if hasattr(self, "confirm"):
            self.confirm.take(self.plan.plan, self.place)

    def _submit(self) -> None:
        client, ledger = self.tools
        plan, number = self.confirm.plan, self.confirm.number
        if plan is None or number is None:
            return
        rate, workers = self.confirm.speed
        self.watch.prepare(len(plan.table))
        self._go(_SUBMIT)
        try:
            self._follow(submit_plan(plan, client, ledger, workers=workers, rate=rate, confirm=number))
        except BaseException:
            self.watch.follow(self.watch.record)
            self._go(_CONFIRM)
            raise
        self.confirm.typed.value = ""

    # A run.

    def _over(self, record: RunRecord, summary: str, table: pd.DataFrame) -> None:
        self.result.show(record, summary, table)
        self.plan.take(None)  # what it planned is done
        left = self.result.left
        if record.finished or not left:
            self.say("")
        else:
            self.say(
                f"This run is not finished: {plural(left, 'group')} left. “Try the rest again” goes on with it.",
                "warning",
            )
        if self._step == _SUBMIT:
            self._go(_RESULT)

    def _go_on(self, record: RunRecord) -> None:
        """Resume a run; of one that is finished, plan what was refused anew, to be confirmed again."""
        client, ledger = self.tools
        if not record.finished:
            rate, workers = self.confirm.speed
            self._follow(resume(client, ledger, run=record.name, workers=workers, rate=rate))
            self._go(_SUBMIT)
            return
        orders, _ = record.orders
        table = record.table
        rows = table["row"][table["state"].isin([State.REFUSED, State.PARTIAL, State.PLANNED])].unique()
        self.orders.take(orders[orders.index.isin(rows)])
        self._go(_ORDERS)
        self.say("These orders were refused or not sent: mend them, then plan and confirm them again.")

    def _new(self) -> None:
        self.orders.take(NO_ORDERS)
        self.plan.take(None)
        self._go(_ORDERS)

    def _lines(self) -> list[str]:
        """Return the form's state in words: where one works, the step, and what it shows."""
        head = f"BatchForm: {self.place}."
        if self.client is None:
            return [head]
        head = f"BatchForm: {self.place}. Step {_STEPS[self._step]}."
        if self._step == _ORDERS:
            orders = self.orders
            return [head, f"{plural(len(orders.orders), 'order')}, {orders.valid:,} without errors."]
        if self._step in (_PLAN, _CONFIRM):
            return [head, self.plan.plan.summary if self.plan.plan is not None else "No plan yet."]
        return [head, self.watch.record.summary if self.watch.record is not None else "No run yet."]
