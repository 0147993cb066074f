"""The durable record of every phone group ever sent: runs, their groups and all receipts, in one SQLite file.

Receipts are only added, never rewritten: the newest one has the state of its group. The intent to send is a claim, on
disk before the request leaves: meanwhile the group is `sending`. An outcome is on disk before anybody is shown it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple, Self

import pandas as pd
import sqlalchemy as sa

from itnio_nb.api.account.account import Account
from itnio_nb.api.models import API_COLUMNS, State
from itnio_nb.errors import LedgerError
from itnio_nb.ledger.database.address import open_database
from itnio_nb.ledger.queries import (
    ALL_RECEIPTS,
    ALL_RUNS,
    ENTRY,
    GROUPS_AND_OPERATORS,
    GROUPS_BY_NAME,
    KNOWN_GROUPS,
    OF_ACCOUNT,
    OPERATORS,
    RECEIPTS_AND_ACCOUNTS,
)
from itnio_nb.ledger.resets import ResetStore
from itnio_nb.ledger.run_control import RunControl, all_workers
from itnio_nb.ledger.run_store import RunStore
from itnio_nb.ledger.schema.rows import is_account
from itnio_nb.ledger.schema.tables import accounts, runs
from itnio_nb.ledger.views.charts import Charts
from itnio_nb.ledger.views.pages import LedgerPages


class LedgerEntry(NamedTuple):
    """The ledger's state of one group, from its newest receipt or claim."""

    state: State
    run: str  # the name of the run that sent it last
    receipt: int  # number of the newest receipt, 0 where it has none
    at_work: bool = False  # whether somebody works on that run now


class Ledger:
    """Open the ledger, or make a new one: `ITNIO_LEDGER`, or a file in the user's data folder, unless given.

        ledger = Ledger("trial.sqlite")
        ledger.table        # one row for each group ever sent, with its state
        ledger.history      # every receipt
        ledger.runs         # every run
        ledger.resets       # every phone that was to get a new password
        ledger.pages        # the same of a large ledger, page by page

    A group's key is base address, API key, `appId` and `groupName`: a trial on the sandbox never hides anything live.
    A ledger can be used from any thread; what runs ask of it is `run_store`, `run_control`, `reset_store` and, under
    all of these, `database`. Raises
    `LedgerError` for a file that is no ledger, cannot be written, or was made by a newer version; such a file is never
    touched.
    """

    def __init__(self, path_or_url: str | os.PathLike[str] | None = None) -> None:
        self.database = open_database(path_or_url)
        self.run_control = RunControl(self.database)
        self.run_store = RunStore(self.database, self.run_control)
        self.reset_store = ResetStore(self.database)
        self.pages = LedgerPages(self.database, self.run_control)
        try:
            self.database.prepare()
            self.run_control.expire_claims()
            self.reset_store.expire()
        except LedgerError:
            self.close()
            raise

    def close(self) -> None:
        """Close its connections. A closed ledger opens new ones when it is used again."""
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Ledger({self.address.rsplit('/', 1)[-1]})"

    @property
    def address(self) -> str:
        """Where it is, as people write it: the path of its file, or its URL without user and password."""
        return self.database.address

    @property
    def is_shared(self) -> bool:
        """Whether it is in a server, where other machines can use it too."""
        return "://" in self.address

    @property
    def path(self) -> Path:
        """Its file; raises `LedgerError` where it is in a server."""
        if self.is_shared:
            raise LedgerError(f"The ledger {self.address} is in no file.")
        return Path(self.address)

    def beside(self, ending: str) -> Path:
        """Return the file on this machine that has what belongs to this ledger and is not in it, such as a draft."""
        return self.database.beside(ending)

    @property
    def table(self) -> pd.DataFrame:
        """One row for each group ever sent, or about to be: API columns, `state status reason made run`.

        `made` is when it was created (UTC), `run` the run that sent it.
        """
        return _read(self, KNOWN_GROUPS)[[*API_COLUMNS, "state", "status", "reason", "made", "run"]]

    @property
    def history(self) -> pd.DataFrame:
        """Every receipt in the order in which it was written: `at run appId groupName state status reason advice`.

        Then who wrote it: `operator machine version`, as their process has said, and the database's own `role`, which
        is empty in a file. All four are empty of receipts of before schema 7.
        """
        return _read(self, ALL_RECEIPTS)

    @property
    def runs(self) -> pd.DataFrame:
        """Every run: `run started finished groups phones account note source rows left_out by`.

        Not `finished` while something is open. `source` is the file of its orders, `rows` how many that had, of which
        `left_out` are not, or not wholly, in the run: they have an error, or the run was a trial. `by` are those who
        have begun it, worked on it or resolved groups of it, in that order: `anna@ops1, ben@ops2`.
        """
        table, workers = self.database.read_table(ALL_RUNS), all_workers(self.database)
        by = [", ".join(who.written("@") for who in workers.get(run, ())) for run in table["run"]]
        return table.assign(by=pd.Series(by, table.index, dtype="str"))

    def operators(self, account: Account | None = None) -> pd.DataFrame:
        """Return who wrote the receipts of one account, or of all: `operator machine`, in the order of their first.

            ws.ledger.operators(ws.client.account)

        `created partial exists refused unknown` are how many groups are as they left them: those of which they wrote
        the newest receipt. Then come `receipts`, and when the `first` and the `last` one was written (UTC).
        """
        return _by_operator(_read(self, OPERATORS, account))

    @property
    def resets(self) -> pd.DataFrame:
        """Every phone that was to get a new password, `appId groupName phoneName account state … at run`, in order.

        The columns are those of `ResetStore.table`. No password is in the ledger.
        """
        return self.reset_store.table()

    def table_for(self, account: Account | None, *, operators: bool = False) -> pd.DataFrame:
        """Return the groups of one account, or of all: `table`'s columns and `at receipt ended_by tried`.

        With `operators` also who wrote what the state comes from, `operator`.
        """
        return _read(self, GROUPS_AND_OPERATORS if operators else KNOWN_GROUPS, account)

    def history_for(self, account: Account) -> pd.DataFrame:
        """Return the receipts of one account: `history`'s columns.

        ws.ledger.history_for(ws.client.account)
        """
        return _read(self, RECEIPTS_AND_ACCOUNTS, account)

    def charts(self, account: Account | None = None) -> Charts:
        """Return the groups of one account, or of all, as a picture: how many in which state, and created by when.

        ws.ledger.charts(ws.client.account)
        """
        return Charts(self.table if account is None else self.table_for(account), "made")

    def entries(
        self, account: Account, groups: Iterable[tuple[str, str]] | None = None
    ) -> dict[tuple[str, str], LedgerEntry]:
        """Return the state of each group of an account, or of those that are given, by (appId, groupName).

        Of a large ledger nothing else is read for a few groups.
        """
        if groups is None:
            tables = [self.table_for(account)[["appId", "groupName", *ENTRY]]]
        else:
            key, names = {"base_url": account.base_url, "api_key": account.api_key}, dict[str, list[str]]()
            for app_id, name in groups:
                names.setdefault(app_id, []).append(name)
            self.run_control.expire_claims()
            tables = [
                self.database.read_table(GROUPS_BY_NAME, **key, app_id=app_id, names=json.dumps(theirs))
                for app_id, theirs in names.items()
            ]
        working = self.run_control.working_runs()
        return {
            (app_id, name): LedgerEntry(State(state), run, receipt, run in working)
            for table in tables
            for app_id, name, state, run, receipt in table.itertuples(index=False, name=None)
        }

    def runs_of(self, account: Account | None, *, unfinished: bool = False) -> dict[str, int]:
        """Return the runs of one account or all, or those with something left to do: number by name, newest first."""
        where = [*(is_account(account) if account else ()), *([runs.c.finished.is_(None)] if unfinished else ())]
        query = sa.select(runs.c.name, runs.c.id).join(accounts).where(*where)
        with self.database.transaction() as connection:
            return {name: int(number) for name, number in connection.execute(query.order_by(runs.c.id.desc()))}


def _by_operator(rows: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each operator and machine, from what `OPERATORS` selects."""
    keys = ["operator", "machine"]
    whole = {"receipts": ("receipts", "sum"), "first": ("first", "min"), "last": ("last", "max")}
    table = rows.groupby(keys, sort=False).agg(**whole)
    for at, state in enumerate((State.CREATED, State.PARTIAL, State.EXISTS, State.REFUSED, State.UNKNOWN)):
        theirs = rows[rows["left_as"] == state].groupby(keys)["receipts"].sum()
        table.insert(at, str(state), theirs.reindex(table.index, fill_value=0).astype(int))
    return table.reset_index()


def _read(ledger: Ledger, query: sa.Select[Any], account: Account | None = None) -> pd.DataFrame:
    """Return groups or receipts as they are, of one account or all, once claims of dead processes have expired."""
    ledger.run_control.expire_claims()
    if account is None:
        return ledger.database.read_table(query)
    return ledger.database.read_table(query.where(*OF_ACCOUNT), base_url=account.base_url, api_key=account.api_key)
