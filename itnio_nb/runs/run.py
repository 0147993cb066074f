"""Runs: one as the ledger has it (`RunRecord`), and one at work in this process (`Run`)."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from functools import cached_property

import pandas as pd

from itnio_nb.api.client import Client
from itnio_nb.api.models import API_COLUMNS, State
from itnio_nb.ledger.database.database import Owner
from itnio_nb.ledger.ledger import Ledger
from itnio_nb.ledger.views.charts import Charts
from itnio_nb.orders.export.files import WrittenFiles
from itnio_nb.orders.export.stored import orders_from_json
from itnio_nb.runs.credentials.hand_over import next_step
from itnio_nb.runs.result_files import write_results
from itnio_nb.runs.results import (
    GroupStates,
    all_as_asked,
    choose_groups,
    group_counts,
    run_summary,
    show_html,
    show_text,
)
from itnio_nb.runs.sending.background import BackgroundWork
from itnio_nb.runs.sending.engine import RunEngine

_NO_RUN = -1  # no run of a ledger has this number
_SHOWN = ["row", *API_COLUMNS, "state", "status", "reason"]


class RunRecord:
    """One run as the ledger has it, whoever works on it or did. It shows itself in a cell.

    Without a `run_id` it is that of a finished run of nothing. Of the `rows` that its orders had, `left_out` are not,
    or not wholly, in the run: they have an error, or it was a trial. Both are 0 where that is not known.
    """

    def __init__(self, run_id: int | None, ledger: Ledger) -> None:
        self.number = _NO_RUN if run_id is None else run_id
        self.ledger, self._store = ledger, ledger.run_store
        known = {} if run_id is None else self._store.run_info(run_id, "name", "rows", "left_out")
        self.name = str(known.get("name", ""))
        self.rows, self.left_out = int(known.get("rows") or 0), int(known.get("left_out") or 0)
        self._knows_rows = known.get("left_out") is not None  # else nobody can say that none was left out

    @property
    def done(self) -> bool:
        """Whether nobody is at work on it."""
        return not self.ledger.run_control.is_worked_on(self.number)

    @property
    def finished(self) -> bool:
        """Whether nothing of it is left to be sent or resolved."""
        return not self.name or self._store.run_info(self.number, "finished")["finished"] is not None

    @property
    def proven(self) -> bool:
        """Whether every phone of its created groups was seen in the account."""
        totals, seen = self._totals, self._store.run_info(self.number, "verified")["verified"] if self.name else 0
        asked = int(totals.loc[totals["state"] == State.CREATED, "quantity"].sum())
        return asked == 0 or (seen is not None and seen >= asked)

    @property
    def as_asked(self) -> bool:
        """Whether every row of the orders is there as it was asked for, and every created phone was seen."""
        return self._knows_rows and not self.left_out and self.proven and all_as_asked(self.table)

    @property
    def counts(self) -> Counter[str]:
        """Number of groups by state, over the whole plan, whoever sent them; a state without groups counts 0."""
        return group_counts(self._totals)

    @property
    def table(self) -> pd.DataFrame:
        """One row for each group, as in the ledger: API columns, `state status reason advice row at created_in`."""
        return _states(self._store.run_table(self.number), self.ledger, over=self.done).table

    @property
    def _totals(self) -> pd.DataFrame:
        """How many groups and phones there are in each state: read without the groups."""
        return _states(self._store.run_facts(self.number), self.ledger, over=self.done).totals

    @property
    def summary(self) -> str:
        """What became of the run, in one line."""
        return self._summary_of(self._totals)

    def snapshot(self) -> tuple[str, pd.DataFrame]:
        """Return the summary and the table that it is about, read once."""
        table = self.table
        return self._summary_of(table), table

    def _summary_of(self, table: pd.DataFrame) -> str:
        if not self.name:
            return run_summary(table, None, "Nothing was sent: no run of this account is unfinished.", over=True)
        info = self._store.run_info(self.number, "note", "verified")
        size = {"rows": self.rows, "left_out": self.left_out}
        return run_summary(table, info["verified"], info["note"], over=self.done, **size)

    @cached_property
    def orders(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """The orders that it was made from, and their findings."""
        try:
            return orders_from_json(self._store.run_info(self.number, "orders")["orders"])
        except ValueError:
            raise self._store.database.error(f"the orders of run {self.name} are damaged", is_damaged=True) from None

    def problems(self, since: int = 0) -> pd.DataFrame:
        """Return what was not created as asked, in the order of the receipts, after receipt `since`.

        `receipt groupName state reason advice`, one row for each receipt: an unknown may have been resolved since.
        """
        return self._store.problems(self.number, since)

    def write_results(self, folder: str | os.PathLike[str]) -> WrittenFiles:
        """Write `<run>-created.csv`, `-existed`, `-refused`, `-unknown`, `-notsent`, `-invalid`; return their paths.

        Every row of the orders is in exactly one of them. A run of nothing writes none.
        """
        return (
            write_results(*self.orders, self.table, folder, self.name) if self.name else WrittenFiles({}, {}, "order")
        )

    def charts(self) -> Charts:
        """Return a picture for a cell: how many groups are in which state, and how many phones were created by when."""
        return Charts(self.table, "at")

    def __repr__(self) -> str:
        summary, table = self.snapshot()
        troubled = table[~table["state"].isin([State.CREATED, State.EXISTS]) & (table["advice"] != "")]
        advice = troubled[["groupName", "state", "advice"]]  # apart from the others: a terminal is not so wide
        return show_text(summary, table[_SHOWN], advice, end=_next(self, table))

    def _repr_html_(self) -> str:
        kinds = _states(self._store.run_kinds(self.number), self.ledger, over=self.done)
        choice, totals = choose_groups(kinds), kinds.totals
        kept = self._store.run_table(self.number, choice.positions)  # in the order of the run
        order = pd.Series(sorted(choice.positions)).searchsorted(choice.positions)
        table = _states(kept, self.ledger, over=self.done).table.iloc[order]
        return show_html(self._summary_of(totals), table[[*_SHOWN, "advice"]], end=_next(self, totals), choice=choice)


def _next(run: RunRecord, table: pd.DataFrame) -> str:
    return next_step(table) if run.done else ""


def _states(kept: pd.DataFrame, ledger: Ledger, *, over: bool) -> GroupStates:
    living = ledger.database.are_alive(set(kept["owner"]) - {""})
    return GroupStates(kept, over=over, living=living)


def newest_run(ledger: Ledger, runs: dict[str, int], name: str = "") -> RunRecord | None:
    """Return the record of a run by its name, or of the newest of these `runs`; None where there is none."""
    number = runs.get(name) if name else next(iter(runs.values()), None)
    return None if number is None else RunRecord(number, ledger)


class Run(BackgroundWork, RunRecord):
    """One execution of a plan, at work in background threads. It never prints; `on_over` is called when it is over."""

    def __init__(
        self,
        run_id: int | None,
        client: Client,
        ledger: Ledger,
        owner: Owner | None = None,
        on_over: Callable[[], None] = lambda: None,
    ) -> None:
        RunRecord.__init__(self, run_id, ledger)
        engine = None if run_id is None else RunEngine(run_id, client, ledger, owner)
        BackgroundWork.__init__(self, engine, f"run-{self.name}", on_over)

    @property
    def counts(self) -> Counter[str]:
        """Number of groups by state, over the whole plan, whoever sent them; a state without groups counts 0."""
        return super().counts if self.done or self._engine is None else self._engine.counts
