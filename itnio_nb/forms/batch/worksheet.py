"""The orders of a batch as a spreadsheet: edited, checked after each step, undone; what the grid shows of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd

from itnio_nb.api.models import API_COLUMNS
from itnio_nb.forms.batch.edits import Edit, History, State, apply_edit
from itnio_nb.forms.grid import FINDING, MAX_ROWS, findings_by_row
from itnio_nb.orders.check import check_orders, invalid_rows
from itnio_nb.orders.models import FINDING_COLUMNS
from itnio_nb.orders.read import read_orders
from itnio_nb.orders.rules.accepted import Accepted

NO_ORDERS = pd.DataFrame(columns=list(API_COLUMNS), index=pd.Index([], name="row", dtype="int64"), dtype=str)
_OWN_NAMES = {name: name for name in API_COLUMNS}


class Worksheet:
    """Orders and their findings, of which some warnings may be accepted; `on_change` is called after each step."""

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self.history = History()
        self._versions = 0  # how often other orders were taken
        self.version = 0  # which of those these are: an edit of others is no edit of these
        self.orders, self.findings = NO_ORDERS, pd.DataFrame(columns=list(FINDING_COLUMNS))
        self.open = self.findings  # those that are not accepted
        self.accepted = Accepted()
        self.edited = False  # by hand, since they were read
        self.valid = 0  # orders that have no error

    def replace(self, orders: pd.DataFrame, findings: pd.DataFrame | None, *, edited: bool) -> None:
        """Take other orders; findings that are not given are made."""
        self._keep("Replace")
        self._versions += 1
        self.version = self._versions
        self.accepted = Accepted()
        self._set(orders, findings, edited=edited)

    def edit(self, edit: Edit) -> list[int]:
        """Make an edit, repaired as a file's cells are; return its rows. One that changes nothing is no step."""
        edited, rows = apply_edit(self.orders, edit)
        if not edited.equals(self.orders):
            self._keep(edit.words)
            self._set(_read_again(edited), edited=True)
        return rows

    def add_row(self, app_id: str) -> int:
        """Add an empty row at the end, or begin with one, of this application; return its number."""
        if self.orders.empty:
            edited = pd.DataFrame([{**dict.fromkeys(API_COLUMNS, ""), "appId": app_id}])
        else:
            edited, _ = apply_edit(self.orders, Edit("Add a row", (), (), [["-"]]))
        self._keep("Add a row")
        self._set(_read_again(edited), edited=True)
        return int(self.orders.index[-1])

    def delete(self, rows: Sequence[int]) -> None:
        """Delete rows; the others keep their numbers."""
        left = self.orders.drop(index=list(rows))
        self._keep("Delete")
        self._set(_read_again(left) if len(left) else NO_ORDERS, edited=True)

    def undo(self) -> str:
        """Go back to before the last step; return what that was."""
        words = self.history.undo_words
        self._return_to(self.history.undo(self._state))
        return words

    def redo(self) -> str:
        """Do the step again that was undone last; return what it was."""
        words = self.history.redo_words
        self._return_to(self.history.redo(self._state))
        return words

    def accept(self, accepted: Accepted) -> None:
        """Have these warnings accepted. The orders are the same, and so is a plan of them."""
        self.accepted = accepted
        mask = accepted.mask(self.findings)
        self.open = self.findings[~mask] if mask.any() else self.findings

    def table(self, severity: str | None) -> tuple[pd.DataFrame, int]:
        """Return the rows with a finding of this severity, or all; and how many there are to be shown.

        Of more than a page holds, those with findings alone.
        """
        table = self.rows(None)
        if severity is not None:
            table = table[table.index.isin(self.open["row"][self.open["severity"] == severity])]
            return table, len(table)
        bad = table[table[FINDING] != ""]
        return bad if len(table) > MAX_ROWS and len(bad) else table, len(table)

    def rows(self, wanted: set[int] | None) -> pd.DataFrame:
        """Return rows as the grid shows them: API columns, what is wrong, then all other columns."""
        orders = self.orders if wanted is None else self.orders[self.orders.index.isin(wanted)]
        ours, others = orders[list(API_COLUMNS)], orders.drop(columns=list(API_COLUMNS))
        texts = pd.Series(findings_by_row(self.open, orders.index), index=orders.index, name=FINDING, dtype=str)
        theirs = others.rename(columns={FINDING: self.their_finding})
        return pd.concat([ours, texts, theirs], axis=1).rename_axis("row")

    @property
    def their_finding(self) -> str:
        """What a column of the orders is called in the grid that has the name of ours."""
        name = f"{FINDING} (of the file)"
        while name in self.orders.columns:
            name += "*"
        return name

    def describe(self, row: int, column: str) -> str:
        """Return what is wrong with a cell or, where nothing is, with its row."""
        here = self.findings[self.findings["row"] == row]
        cell = here[here["column"] == column] if column in set(here["column"]) else here
        found = cell[list(FINDING_COLUMNS)].to_numpy().tolist()
        lines = [
            f"Row {at}, {name}: {kind}: {value!r} {what}. {advice}" for at, name, value, what, advice, kind in found
        ]
        return "\n".join(lines) or f"Row {row}: nothing is wrong."

    @property
    def _state(self) -> State:
        return State(self.orders, self.findings, self.edited, self.version)

    def _keep(self, words: str) -> None:
        self.history.keep(self._state._replace(words=words))

    def _return_to(self, state: State) -> None:
        self.version = state.version
        self._set(state.orders, state.findings, edited=state.edited)

    def _set(self, orders: pd.DataFrame, findings: pd.DataFrame | None = None, *, edited: bool) -> None:
        self.orders, self.edited = orders, edited
        self.findings = check_orders(orders) if findings is None else findings
        self.valid = len(orders) - len(invalid_rows(self.findings))
        self.accept(self.accepted)
        self._on_change()


def _read_again(edited: pd.DataFrame) -> pd.DataFrame:
    """Return edited orders, repaired as a file's cells are; no other column is taken for one of the API's."""
    return read_orders(edited, match=_OWN_NAMES)
