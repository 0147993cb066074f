"""Steps 2 and 3 of a batch: the groups and what each needs, what stands out first; then what is to be confirmed."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets as widgets
import pandas as pd

from itnio_nb.api.models import API_COLUMNS, Action
from itnio_nb.api.text import plural
from itnio_nb.forms.base import Form
from itnio_nb.forms.grid import Grid, Marks
from itnio_nb.forms.layout import field, panel, row, said_columns, show, text_area
from itnio_nb.forms.run.confirm import FINAL, Confirmation, creation
from itnio_nb.forms.run.monitor import RunMonitor
from itnio_nb.orders.check import invalid_rows
from itnio_nb.runs.plan import Plan
from itnio_nb.runs.results import differing_groups

_COLUMNS = ["groupName", "action", "why", *API_COLUMNS[1:]]  # what each needs is seen in a narrow window too
_NO_GROUPS = pd.DataFrame(columns=["row", *_COLUMNS])


class PlanStep:
    """The plan of a batch: of the whole, or of its first groups as a trial. Nothing is sent here."""

    def __init__(self, form: Form, on_change: Callable[[], None], plan_again: Callable[[], None]) -> None:
        self._form, self._on_change = form, on_change
        self.whole: Plan | None = None
        self.plan: Plan | None = None  # that is to be submitted: the whole, or the trial
        self.summary = text_area("itnio-note", "No plan yet.")
        self.grid = Grid("itnio-plan", "Groups of the plan")
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
        table = _NO_GROUPS if plan is None else plan.table
        odd = _differs(table) | _is_doubtful(table)
        table = pd.concat([table[odd], table[~odd]]).set_index("row")
        self.grid.show(said_columns(table[_COLUMNS]), marks=_marks(table, int(odd.sum())))
        if plan is None:
            show(self.summary, "No plan yet.", "faint")
        else:
            in_doubt = bool((plan.table["action"] == Action.IN_DOUBT).any())
            hint = " What is in doubt is looked up when the plan is submitted, and not sent." if in_doubt else ""
            words = ("Trial. " if self.trial.value else "") + plan.summary + hint
            first = stands_out(plan)
            show(self.summary, f"{words}\nLook at these first: {first}." if first else words)
        self._on_change()

    def _save(self) -> None:
        if self.plan is not None:
            path = self.plan.save(self.path.value.strip() or "plan.json")
            words = f"The plan was saved to {path}. Read it in step 1, here or elsewhere, to submit it."
            self._form.set_status(words, "good")

    def _download(self) -> None:
        if self.plan is not None:
            self._form.browser.download_written("plan.json", self.plan.save)


class ConfirmStep(Confirmation):
    """The confirmation of a plan, on a sandbox as on a live account: what is rehearsed is the real thing."""

    def __init__(self, form: Form, monitor: RunMonitor, submit: Callable[[], None]) -> None:
        self.plan: Plan | None = None
        tip = "Create the phones: the API cannot delete them"

        def is_ready() -> bool:
            return self.plan is not None and len(self.plan.groups) > 0 and not monitor.going

        super().__init__(form, "Submit", submit, tip, is_ready=is_ready, is_shown=lambda: self.plan is not None)
        self.ask("Nothing is planned yet.")

    def take(self, plan: Plan | None, account: str) -> None:
        """Ask for the confirmation of this plan; what was typed for another is taken away."""
        if plan is None or plan is not self.plan:
            self.typed.value = ""
        self.plan = plan
        if plan is None:
            self.ask("Nothing is planned yet.")
        else:
            self.ask(_sentence(plan, account), plan.phones or None, _left_out(plan))
        self._form.refresh()


def stands_out(plan: Plan) -> str:
    """Say how many groups exist otherwise than ordered, or are likely to be refused; "" where there are none."""
    differing, doubtful = int(_differs(plan.table).sum()), int(_is_doubtful(plan.table).sum())
    parts = [f"{plural(differing, 'group')} exist{'s' * (differing == 1)} otherwise than ordered"] if differing else []
    parts += [f"{plural(doubtful, 'group')} may be refused"] if doubtful else []
    return " and ".join(parts)


def _differs(table: pd.DataFrame) -> pd.Series:
    return differing_groups(table["action"], table["why"])


def _is_doubtful(table: pd.DataFrame) -> pd.Series:
    """Tell of each group whether the account has a name that is likely to keep it out."""
    return (table["action"] == Action.CREATE) & table["why"].str.contains("be refused: ", regex=False)


def _marks(table: pd.DataFrame, odd: int) -> Marks:
    """Return the marks of the first `odd` groups: by row or, where rows have several groups, by place."""
    rows = table.index.tolist() if table.index.is_unique else range(len(table))
    return {at: {"why": f"Warning: {why}"} for at, why in zip(rows[:odd], table["why"][:odd], strict=True)}


def _left_out(plan: Plan) -> str:
    """Say how many rows of the file are not in a plan, and why; and what in it is not as ordered."""
    rows, invalid = f"of {plural(len(plan.orders), 'row')}", len(invalid_rows(plan.findings))
    alone = plan.left_out - invalid
    are = ("is", "are")
    lines = [f"{invalid:,} {rows} {are[invalid != 1]} left out: {'it has' if invalid == 1 else 'they have'} errors."]
    lines = lines if invalid else []
    if alone:
        lines.append(f"{alone:,} {rows} {are[alone != 1]} left alone: this is a trial.")
    odd = stands_out(plan)
    return "\n".join([*lines, *([f"{odd}."] if odd else [])])


def _sentence(plan: Plan, account: str) -> str:
    """Return what is about to be done, in one sentence."""
    actions = plan.table["action"]
    in_doubt, sending = (int((actions == action).sum()) for action in (Action.IN_DOUBT, Action.SENDING))
    hint = f" {plural(in_doubt, 'group')} in doubt will be looked up and not sent." if in_doubt else ""
    hint += f" {plural(sending, 'group')} being sent by another run will not be sent." if sending else ""
    if sending and not plan.phones:  # where it is the same run, it may give groups back
        hint += " Submitted while a run of these very groups is at work, this joins it, and sends what it leaves."
    if plan.phones:
        creates = plan.table[actions == Action.CREATE]
        return f"Submitting creates {creation(creates, account)}. {FINAL}{hint}"
    if plan.table.empty:
        return "Nothing can be submitted: no row is without errors."
    exist = int((actions == Action.EXISTS).sum())
    there = {0: "", 1: "1 group exists already: "}.get(exist, f"{exist:,} groups exist already: ")
    if exist == len(actions):
        there = "The group exists already: " if exist == 1 else f"All {exist:,} groups exist already: "
    words = f"{there}nothing is left to create on {account}."
    return f"{words[0].upper()}{words[1:]} Submitting sends nothing, and records what is there.{hint}"
