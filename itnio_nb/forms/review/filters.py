"""What is picked of a ledger: a run, by file, outcome, age, who; state, application, operator, days; a group's name."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import ipywidgets as widgets
import pandas as pd

from itnio_nb.api.models import State
from itnio_nb.api.text import ago, local_time, plural, rough_duration, shortened, sortable_time, zone_name
from itnio_nb.forms.base import Action
from itnio_nb.forms.layout import field, row, set_shown
from itnio_nb.ledger.run_control import Worker

_ANY = "all"
_MOST_NAMED = 2  # of those who worked on a run


class Filters:
    """What is picked: a run or a group's name, state, application, days (`on_change`), the account (`on_account`).

    The operator too can be picked where those who have worked on the runs are several.
    """

    def __init__(self, has_account: bool, on_change: Action, on_account: Action) -> None:
        self._filling = False
        self.runs = ""  # how many there are, in words
        self._table = pd.DataFrame()  # of the runs
        self._workers: Mapping[str, Sequence[Worker]] = {}  # by the name of the run
        accounts = [("this one", True), ("all in the ledger", False)] if has_account else [("all", False)]
        self.account = field("Account", "Whose runs", "220px", widgets.Dropdown, options=accounts)
        self.run = field("Run", "The runs of this ledger, newest first", "760px", widgets.Dropdown)
        tip = "A part of a group's name: what became of it in every run"
        self.group = field("Find a group", tip, "300px", continuous_update=False)
        states = [(_ANY, _ANY), *((state.word, str(state)) for state in State)]
        self.state = field("State", "", "170px", widgets.Dropdown, options=states)
        self.application = field("Application", "", "230px", widgets.Dropdown, options=[_ANY])
        tip = "Who wrote what the state comes from; of a group that is looked for, who wrote each receipt"
        everybody: list[tuple[str, tuple[str, ...]]] = [(_ANY, ())]
        self.operator = field("Operator", tip, "230px", widgets.Dropdown, options=everybody)
        zone = zone_name(datetime.now(UTC).astimezone())
        self.since = field("From", f"First day, {zone}", "190px", widgets.DatePicker)
        self.until = field("to", f"Last day, {zone}", "170px", widgets.DatePicker)
        self.account.observe(lambda _: on_account(), "value")
        set_shown(self.account, has_account)  # else there is nothing to choose
        set_shown(self.operator, False)
        boxes = (self.state, self.application, self.operator, self.since, self.until)
        for box in (self.run, self.group, *boxes):
            box.observe(lambda _: None if self._filling else on_change(), "value")
        self.row = row(self.run, self.account, self.group, *boxes)

    @property
    def words(self) -> str:
        """The part of a group's name that is looked for; "" where none is."""
        return str(self.group.value).strip()

    @property
    def is_narrowed(self) -> bool:
        """Whether some groups of what is picked are left out."""
        picked = (self.state.value != _ANY, self.application.value != _ANY, self.operator.value)
        return any((*picked, self.since.value, self.until.value))

    @property
    def has_operators(self) -> bool:
        """Whether several people have worked on the runs."""
        return len(self.operator.options) > 2

    def fill(
        self,
        runs: pd.DataFrame,
        working: Collection[str],
        applications: list[str],
        workers: Mapping[str, Sequence[Worker]],
    ) -> None:
        """Offer these runs, the newest first, applications and operators; what is picked stays picked."""
        self._table, self.runs, self._workers = runs, plural(len(runs), "run"), workers
        application, operator = self.application.value, self.operator.value
        names = sorted({one.operator for run in runs["run"] for one in workers.get(run, ())})
        self._filling = True
        try:
            self.application.options = [_ANY, *applications]
            self.application.value = application if application in applications else _ANY
            self.operator.options = [(_ANY, ()), *((shortened(name) or "without a name", (name,)) for name in names)]
            self.operator.value = operator if self.has_operators and {*operator} <= {*names} else ()
            set_shown(self.operator, self.has_operators)
        finally:
            self._filling = False
        self.relabel(working)

    def relabel(self, working: Collection[str]) -> None:
        """Call the runs by their ages and states of now; `working` are those that somebody works on."""
        runs = self._table.iloc[::-1]
        known = ((run, run["run"] in working, self._workers.get(run["run"], ())) for run in runs.to_dict("records"))
        labels = [_run_label(*one) for one in known]
        options = [(f"All: {self.runs}", ""), *zip(labels, runs["run"], strict=True)]
        if options == list(self.run.options):
            return
        picked = self.run.value
        self._filling = True
        try:
            with self.run.hold_sync():
                self.run.options = options
                self.run.value = picked if picked in set(runs["run"]) else ""
        finally:
            self._filling = False

    def apply(self, table: pd.DataFrame, when: str) -> pd.DataFrame:
        """Return the rows of a table that are picked; `when` is the column whose day counts, where one is here."""
        for column, picked in (("state", self.state.value), ("appId", self.application.value)):
            table = table if picked == _ANY else table[table[column] == picked]
        if self.operator.value:
            table = table[table["operator"] == self.operator.value[0]]
        if self.since.value or self.until.value:
            first, last = self.since.value or date.min, self.until.value or date.max
            days = table[when].map(sortable_time).str[:10]
            table = table[days.between(first.isoformat(), last.isoformat())]
        return table


def at_work_since(started: str) -> str:
    """Return since when a run is at work: "since 14:31 CET (2 minutes)"."""
    span = rough_duration((datetime.now(UTC) - datetime.fromisoformat(started)).total_seconds())
    return f"since {local_time(started)}{f' ({span})' if span else ''}"


def called(source: str, run: str) -> str:
    """Return what a run is called: "phones.xlsx (20261127T142015Z)"."""
    return f"{shortened(source)} ({run})" if source else f"run {run}"


def _run_label(run: Mapping[Any, Any], at_work: bool, workers: Sequence[Worker]) -> str:
    """Return what a run is called: file, groups, outcome, age, who worked on it, and its name last."""
    started, finished, left_out = run["started"], run["finished"], run["left_out"]
    if at_work:
        state = [f"at work {at_work_since(started)}"]
    else:
        state = ["finished" if finished else "not finished", ago(finished or started)]
    if pd.notna(left_out) and left_out:  # it is not known of each run
        state[0] += f", {left_out:,.0f} of {plural(int(run['rows']), 'row')} left out"
    said = [shortened(run["source"]), plural(run["groups"], "group"), *state, _by(workers), run["run"]]
    return " · ".join(filter(None, said))


def _by(workers: Sequence[Worker]) -> str:
    """Return who worked on a run: "by anna on ops1, ben on ops2 and 1 more"; "" where that is not known."""
    names = [shortened(one.written(" on ")) for one in workers[:_MOST_NAMED]]
    more = len(workers) - len(names)
    return f"by {', '.join(names)}{f' and {more:,} more' if more else ''}" if any(names) else ""
