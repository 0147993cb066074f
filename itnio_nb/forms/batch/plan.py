"""Steps 2 and 3 of a batch: the groups and what each needs; then one sentence, and the number that confirms it."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets as widgets
import pandas as pd

from itnio_nb.api.models import API_COLUMNS, Action
from itnio_nb.api.text import plural
from itnio_nb.forms.base import Form
from itnio_nb.forms.grid import Grid
from itnio_nb.forms.layout import field, panel, row, show, text_area
from itnio_nb.forms.monitor import RunMonitor
from itnio_nb.runs.plan import Plan
from itnio_nb.runs.sending.pace import DEFAULT_WORKERS, MAX_WORKERS, RunOptions

_COLUMNS = [*API_COLUMNS, "action", "why"]
_NO_GROUPS = pd.DataFrame(columns=["row", *_COLUMNS])


class PlanStep:
    """The plan of a batch: of the whole, or of its first groups as a trial. Nothing is sent here."""

    def __init__(self, form: Form, on_change: Callable[[], None], plan_again: Callable[[], None]) -> None:
        self._form, self._on_change = form, on_change
        self.whole: Plan | None = None
        self.plan: Plan | None = None  # that is to be submitted: the whole, or the trial
        self.summary = text_area("itnio-note", "No plan yet.")
        self.grid = Grid("itnio-plan")
        self.trial = widgets.Checkbox(description="Only a trial", indent=False)
        size = {"kind": widgets.BoundedIntText, "value": 3, "min": 1, "max": 10**6}
        self.first = field("of the first groups:", "How many groups the trial has", "220px", **size)
        self.recreate = widgets.Checkbox(description="Make again what was deleted in the account", indent=False)
        self.trial.layout.width = self.recreate.layout.width = "auto"
        tip = "Ask the account and the ledger anew"
        self.again = form.button("Plan again", plan_again, tip, is_ready=self.has_plan)
        self.path = field("Save it as", "A file where the notebook runs", "300px", value="plan.json")
        self.save = form.button("Save the plan", self._save, is_ready=self.has_plan)
        self.download = form.button("Download the plan", self._download, is_ready=self.has_plan)
        self.trial.observe(lambda _: form.tasks.put(self._show, once="plan"), "value")
        self.first.observe(lambda _: form.tasks.put(self._show, once="plan") if self.trial.value else None, "value")
        choice = row(self.trial, self.first, self.recreate, self.again)
        self.body = panel(self.summary, choice, self.grid, row(self.path, self.save, self.download))

    def has_plan(self) -> bool:
        """Tell whether anything is planned."""
        return self.whole is not None

    def take(self, plan: Plan | None) -> None:
        """Replace the plan, or drop it."""
        if plan is not self.whole:
            self.whole = plan
            self._show()

    def _show(self) -> None:
        plan = self.whole
        self.plan = plan = plan.first(int(self.first.value)) if plan is not None and self.trial.value else plan
        self.grid.show((_NO_GROUPS if plan is None else plan.table).set_index("row")[_COLUMNS])
        if plan is None:
            show(self.summary, "No plan yet.", "faint")
        else:
            in_doubt = bool((plan.table["action"] == Action.IN_DOUBT).any())
            hint = " What is in doubt is looked up when the plan is submitted, and not sent." if in_doubt else ""
            show(self.summary, ("Trial. " if self.trial.value else "") + plan.summary + hint)
        self._on_change()

    def _save(self) -> None:
        if self.plan is not None:
            path = self.plan.save(self.path.value.strip() or "plan.json")
            words = f"The plan was saved to {path}. Read it in step 1, here or elsewhere, to submit it."
            self._form.set_status(words, "good")

    def _download(self) -> None:
        if self.plan is not None:
            self._form.browser.download_written("plan.json", self.plan.save)


class ConfirmStep:
    """One sentence, and a button that is disabled until its number of phones has been typed."""

    def __init__(self, form: Form, monitor: RunMonitor, submit: Callable[[], None]) -> None:
        self._form = form
        self.plan: Plan | None = None
        self.sentence, self.hint = text_area("itnio-sentence", "Nothing is planned yet."), text_area("itnio-note")
        self.typed = field("Number of phones", "Type the number of phones to confirm", "260px")
        self.typed.observe(lambda _: self._check(), "value")
        most = {"value": DEFAULT_WORKERS, "min": 1, "max": MAX_WORKERS}
        self.workers = field("Requests at once", "", "240px", widgets.BoundedIntText, **most)
        self.rate = field("at most a second", "Empty: no limit", "240px", placeholder="no limit")
        tip = "Create the phones: the API cannot delete them"
        self.submit = form.button(
            "Submit", submit, tip, main=True, is_ready=lambda: self.confirmed and not monitor.going
        )
        confirm = row(self.typed, self.submit)
        self.body = panel(self.sentence, confirm, self.hint, row(self.workers, self.rate))

    @property
    def confirmed(self) -> bool:
        """Whether the plan's number of phones has been typed."""
        return self.plan is not None and self.number == self.plan.phones

    @property
    def number(self) -> int | None:
        """The number that has been typed, None for anything else."""
        text = self.typed.value.strip().replace(",", "").replace(" ", "")
        return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else None

    @property
    def options(self) -> RunOptions:
        """How fast the run shall be; `InputError` for what is out of bounds."""
        return RunOptions.from_text(int(self.workers.value), self.rate.value.strip())

    def take(self, plan: Plan | None, account: str) -> None:
        """Ask for the confirmation of this plan; what was typed for another is taken away."""
        if plan is None or plan is not self.plan:
            self.typed.value = ""
        self.plan = plan
        show(self.sentence, _sentence(plan, account) if plan is not None else "Nothing is planned yet.")
        self._check()

    def _check(self) -> None:
        """Show whether the plan can be submitted."""
        if self.plan is None:
            show(self.hint, "")
        elif self.confirmed:
            show(self.hint, "Confirmed.", "good")
        else:
            show(self.hint, f"Type {self.plan.phones} to confirm.", "warning" if self.typed.value else "faint")
        self._form.refresh()


def _sentence(plan: Plan, account: str) -> str:
    """Return what is about to be done, in one sentence."""
    creates = plan.table[plan.table["action"] == Action.CREATE]
    sizes = creates.groupby("appId", sort=False)["quantity"].sum()
    apps = [f"{plural(int(size), 'phone')} in application {name}" for name, size in sizes.head(5).items()]
    more = [f"the rest in {len(sizes) - 5} more"] if len(sizes) > 5 else []
    where = f": {', '.join([*apps, *more])}" if apps else ""
    in_doubt = int((plan.table["action"] == Action.IN_DOUBT).sum())
    hint = f" {plural(in_doubt, 'group')} in doubt will be looked up and not sent." if in_doubt else ""
    sending = int((plan.table["action"] == Action.SENDING).sum())
    hint += f" {plural(sending, 'group')} being sent by another run will not be sent." if sending else ""
    size = f"{plural(plan.phones, 'phone')} in {plural(len(creates), 'group')}"
    return f"Submitting creates {size} on {account}{where}. The API cannot delete them.{hint}"
