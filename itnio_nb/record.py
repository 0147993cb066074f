"""What the ledger has of one run: its table, its summary, its orders, its result files; nothing is sent."""

from __future__ import annotations

import os
from collections import Counter
from functools import cached_property
from pathlib import Path

import pandas as pd

from itnio_nb.ledger import Ledger
from itnio_nb.model import State
from itnio_nb.owners import lives
from itnio_nb.pack import unpack_orders
from itnio_nb.review import next_step, outcome_table, run_summary, show_html, show_text, write_results

_NO_RUN = -1  # no run of a ledger has this number
_SHOWN = ["row", "groupName", "phoneName", "quantity", "displayNum", "appId", "state", "status", "reason", "advice"]


class Record:
    """One run as the ledger has it, whoever works on it or did. It shows itself in a cell.

    Without a `run_id` it is that of a finished run of nothing.
    """

    def __init__(self, run_id: int | None, ledger: Ledger) -> None:
        self._id, self._ledger = run_id, ledger
        self._number = _NO_RUN if run_id is None else run_id
        self.name = "" if run_id is None else str(ledger.run_info(run_id, "name")["name"])

    @property
    def done(self) -> bool:
        """Whether nobody is at work on it."""
        return self._id is None or not any(lives(self._ledger.path, owner) for owner in self._ledger.holders(self._id))

    @property
    def finished(self) -> bool:
        """Whether nothing of it is left to be sent or settled."""
        return self._id is None or self._ledger.run_info(self._id, "finished")["finished"] is not None

    @property
    def proven(self) -> bool:
        """Whether every phone of its created groups was seen in the account."""
        table, seen = self.table, self._ledger.run_info(self._number, "verified")["verified"] if self.name else 0
        asked = int(table.loc[table["state"] == State.CREATED, "quantity"].sum())
        return asked == 0 or (seen is not None and seen >= asked)

    @property
    def counts(self) -> Counter[str]:
        """Number of groups by state, over the whole plan, whoever sent them; a state without groups counts 0."""
        return Counter(self.table["state"])

    @property
    def table(self) -> pd.DataFrame:
        """One row for each group, as in the ledger: API columns, `state status reason advice row at created_in`."""
        kept = self._ledger.run_table(self._number)
        living = {owner for owner in kept["owner"].unique() if owner and lives(self._ledger.path, owner)}
        return outcome_table(kept, over=self.done, living=living)

    @property
    def summary(self) -> str:
        """What became of the run, in one line."""
        return self.told()[0]

    def told(self) -> tuple[str, pd.DataFrame]:
        """Return the summary and the table that it speaks of, read once."""
        table = self.table
        if self._id is None:
            return run_summary(table, None, "Nothing was sent: no run of this account is unfinished.", over=True), table
        info = self._ledger.run_info(self._id, "note", "verified")
        return run_summary(table, info["verified"], info["note"], over=self.done), table

    @cached_property
    def orders(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """The orders that it was made from, and their findings."""
        return unpack_orders(self._ledger.run_info(self._number, "orders")["orders"])

    def problems(self, since: int = 0) -> pd.DataFrame:
        """Return what was not created as asked, in the order in which it was learnt, after receipt `since`.

        `receipt groupName state reason advice`, one row for each receipt: an unknown may have been settled since.
        """
        return self._ledger.problems(self._number, since)

    def write_results(self, folder: str | os.PathLike[str]) -> dict[str, Path]:
        """Write `<run>-created.csv`, `-existed`, `-refused`, `-unknown`, `-notsent`, `-invalid`; return their paths.

        Every row of the orders is in exactly one of them. A run without a plan writes nothing.
        """
        if self._id is None:
            return {}
        orders, findings = self.orders
        return write_results(orders, findings, self.table, folder, self.name)

    def __repr__(self) -> str:
        summary, table = self.told()
        return show_text(summary, table[_SHOWN[:-1]], end=self._next(table))

    def _repr_html_(self) -> str:
        summary, table = self.told()
        return show_html(summary, table[_SHOWN], end=self._next(table))

    def _next(self, table: pd.DataFrame) -> str:
        return next_step(table) if self.done else ""


def newest_record(ledger: Ledger, runs: dict[str, int], name: str = "") -> Record | None:
    """Return the record of a run by its name, or of the newest of these `runs`; None where there is none."""
    number = runs.get(name) if name else next(iter(runs.values()), None)
    return None if number is None else Record(number, ledger)
