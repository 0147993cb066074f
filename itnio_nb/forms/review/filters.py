"""What is picked of a ledger: a run, by file name, outcome and age; state, application, days; the name of a group."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime
from typing import Any

import ipywidgets as widgets
import pandas as pd

from itnio_nb.api.models import State
from itnio_nb.api.text import ago, local_time, plural, rough_duration, shortened, sortable_time, zone_name
from itnio_nb.forms.base import Action
from itnio_nb.forms.layout import field, row, set_shown

_ANY = "all"


class Filters:
    """What is picked: a run or a group's name, state, application, days (`on_change`), the account (`on_account`)."""

    def __init__(self, has_account: bool, on_change: Action, on_account: Action) -> None:
        self._filling = False
        self.runs = ""  # how many there are, in words
        self._table = pd.DataFrame()  # of the runs
        accounts = [("this one", True), ("all in the ledger", False)] if has_account else [("all", False)]
        self.account = field("Account", "Whose runs", "220px", widgets.Dropdown, options=accounts)
        self.run = field("Run", "The runs of this ledger, newest first", "760px", widgets.Dropdown)
        tip = "A part of a group's name: what became of it in every run"
        self.group = field("Find a group", tip, "300px", continuous_update=False)
        states = [(_ANY, _ANY), *((state.word, str(state)) for state in State)]
        self.state = field("State", "", "170px", widgets.Dropdown, options=states)
        self.application = field("Application", "", "230px", widgets.Dropdown, options=[_ANY])
        zone = zone_name(datetime.now(UTC).astimezone())
        self.since = field("From", f"First day, {zone}", "190px", widgets.DatePicker)
        self.until = field("to", f"Last day, {zone}", "170px", widgets.DatePicker)
        self.account.observe(lambda _: on_account(), "value")
        set_shown(self.account, has_account)  # else there is nothing to choose
        boxes = (self.state, self.application, self.since, self.until)
        for box in (self.run, self.group, *boxes):
            box.observe(lambda _: None if self._filling else on_change(), "value")
        self.row = row(self.run, self.account, self.group, *boxes)

    @property
    def words(self) -> str:
        """The part of a group's name that is looked for; "" where none is."""
        return str(self.group.value).strip()

    def fill(self, runs: pd.DataFrame, working: Collection[str], applications: list[str]) -> None:
        """Offer these runs, the newest first, and applications; what is picked stays picked."""
        self._table, self.runs = runs, plural(len(runs), "run")
        application = self.application.value
        self._filling = True
        try:
            self.application.options = [_ANY, *applications]
            self.application.value = application if application in applications else _ANY
        finally:
            self._filling = False
        self.relabel(working)

    def relabel(self, working: Collection[str]) -> None:
        """Call the runs by their ages and states of now; `working` are those that somebody works on."""
        runs = self._table.iloc[::-1]
        labels = [_run_label(run, run["run"] in working) for run in runs.to_dict("records")]
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


def _run_label(run: Mapping[Any, Any], at_work: bool) -> str:
    """Return what a run is called: file, groups, outcome, age, and its name last."""
    started, finished, left_out = run["started"], run["finished"], run["left_out"]
    if at_work:
        state = [f"at work {at_work_since(started)}"]
    else:
        state = ["finished" if finished else "not finished", ago(finished or started)]
    if pd.notna(left_out) and left_out:  # it is not known of each run
        state[0] += f", {left_out:,.0f} of {plural(int(run['rows']), 'row')} left out"
    return " · ".join([*filter(None, [shortened(run["source"])]), plural(run["groups"], "group"), *state, run["run"]])
