"""The durable book of every group ever sent: runs, their groups, and all receipts, in one SQLite file.

Receipts are only added, never rewritten: the state of a group is its newest receipt. The intent to send is a
receipt too (`sending`), on disk before the request leaves; an outcome is on disk before it is told.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Self

import pandas as pd
import sqlalchemy as sa

from itnio_nb.errors import LedgerError
from itnio_nb.model import Receipt, State, now
from itnio_nb.schema import (
    accounts,
    file_identity,
    find_account,
    find_groups,
    free_name,
    groups,
    is_account,
    ledger_path,
    open_engine,
    open_schema,
    receipts,
    run_groups,
    runs,
)
from itnio_nb.signing import Account

_WIRE = [
    groups.c.group_name.label("groupName"),
    run_groups.c.phone_name.label("phoneName"),
    run_groups.c.quantity,
    run_groups.c.display_num.label("displayNum"),
    groups.c.app_id.label("appId"),
]
# A group in one of these states is not sent, whoever asks.
_SETTLED = {State.SENDING, State.CREATED, State.PARTIAL, State.EXISTS, State.UNKNOWN}


@dataclass(frozen=True)
class Entry:
    """What the ledger knows of one group: its newest receipt."""

    state: State
    run: str
    receipt: int  # its number


class Ledger:
    """Opens the ledger, or makes a new one: `ITNIO_LEDGER`, or a file in the user's data folder, unless given.

        ledger = Ledger("rehearsal.sqlite")
        ledger.table        # one row for each group ever sent, with its state
        ledger.history      # every receipt
        ledger.runs         # every run

    A group is known by base address, API key, `appId` and `groupName`: a rehearsal on the sandbox never hides
    anything live. It can be used from any thread. Raises `LedgerError` for a file that is no ledger, cannot be
    written, or was made by a newer version; such a file is never touched.
    """

    def __init__(self, path_or_url: str | os.PathLike[str] | None = None) -> None:
        self.path = ledger_path(path_or_url)
        self._writing = threading.Lock()  # SQLite has one writer: waiting here is fairer than polling there
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.path.touch(mode=0o600)
        except OSError as error:
            raise self._error(error.strerror or str(error)) from None
        self._file = file_identity(self.path)
        self._engine = open_engine(self.path)
        self._writer = self._engine.execution_options(itnio_write=True)
        try:
            with self._transaction(write=True) as connection:
                open_schema(connection, self.path)
        except LedgerError:
            self.close()
            raise

    def close(self) -> None:
        """Close its connections. A closed ledger opens new ones when it is used again."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Ledger({self.path.name})"

    @property
    def table(self) -> pd.DataFrame:
        """One row for each group ever sent: API columns, `state status reason made run`.

        `made` is when it was created (UTC), `run` the run that sent it.
        """
        made = sa.case((receipts.c.state == State.CREATED, receipts.c.at), else_="").label("made")
        columns = [*_WIRE, receipts.c.state, receipts.c.status, receipts.c.reason, made, runs.c.name.label("run")]
        return self._frame(_receipt_rows(columns).where(receipts.c.id.in_(_newest())).order_by(groups.c.id))

    @property
    def history(self) -> pd.DataFrame:
        """Every receipt in the order in which it was written: `at run appId groupName state status reason advice`."""
        receipt = [receipts.c.state, receipts.c.status, receipts.c.reason, receipts.c.advice]
        columns = [receipts.c.at, runs.c.name.label("run"), groups.c.app_id.label("appId")]
        columns += [groups.c.group_name.label("groupName"), *receipt]
        return self._frame(_receipt_rows(columns).order_by(receipts.c.id))

    @property
    def runs(self) -> pd.DataFrame:
        """Every run: `run started finished groups phones account note`; not `finished` while something is unsent."""
        finished = sa.func.coalesce(runs.c.finished, "").label("finished")
        size = sa.func.count(run_groups.c.position).label("groups")
        phones = sa.func.coalesce(sa.func.sum(run_groups.c.quantity), 0).label("phones")
        account = (accounts.c.base_url + " " + accounts.c.api_key).label("account")
        columns = [runs.c.name.label("run"), runs.c.started, finished, size, phones, account, runs.c.note]
        joined = runs.join(accounts).outerjoin(run_groups, run_groups.c.run_id == runs.c.id)
        return self._frame(sa.select(*columns).select_from(joined).group_by(runs.c.id).order_by(runs.c.id))

    def entries(self, account: Account) -> dict[tuple[str, str], Entry]:
        """Return what is known of each group of an account, by (appId, groupName)."""
        columns = [groups.c.app_id, groups.c.group_name, receipts.c.state, runs.c.name, receipts.c.id]
        query = _receipt_rows(columns).join(accounts, accounts.c.id == groups.c.account_id)
        query = query.where(receipts.c.id.in_(_newest()), *is_account(account))
        with self._transaction() as connection:
            rows = connection.execute(query).all()
        return {(app_id, name): Entry(State(state), *rest) for app_id, name, state, *rest in rows}

    def has_unfinished(self, account: Account, fingerprint: str, planned: pd.DataFrame, orders: str) -> bool:
        """Tell whether `open_run` with these values would go on with a run."""
        contents = _contents(fingerprint, planned, orders)
        same = (runs.c.contents == contents, runs.c.fingerprint == fingerprint, runs.c.finished.is_(None))
        query = sa.select(runs.c.id).join(accounts).where(*is_account(account), *same)
        with self._transaction() as connection:
            return connection.execute(query).first() is not None

    def open_run(self, account: Account, fingerprint: str, planned: pd.DataFrame, orders: str) -> int:
        """Return the unfinished run that was asked for exactly this, or write a new one; its number.

        `planned` has the API columns and `action row why again_after`. An unfinished run of the same groups
        that was asked for something else ends here: the new one takes its place. One transaction looks and
        writes, so that a double click, or two processes, get one run.
        """
        contents, started = _contents(fingerprint, planned, orders), now()
        with self._transaction(write=True) as connection:
            account_id = find_account(connection, account)
            same = (runs.c.account_id == account_id, runs.c.fingerprint == fingerprint, runs.c.finished.is_(None))
            found = connection.execute(sa.select(runs.c.id).where(*same, runs.c.contents == contents)).scalar()
            if found is not None:
                return int(found)
            name = free_name(connection, started)
            ended = {"finished": _text(started), "note": f"Run {name} took its place."}
            connection.execute(runs.update().where(*same).values(**ended))
            values = {"name": name, "account_id": account_id, "fingerprint": fingerprint, "contents": contents}
            values |= {"started": _text(started), "note": "", "orders": orders}
            run_id = connection.execute(runs.insert().values(**values).returning(runs.c.id)).scalar_one()
            ids = find_groups(connection, account_id, planned)
            columns = ("phoneName", "quantity", "displayNum", "action", "row", "why", "again_after")
            cells = zip(planned["appId"], planned["groupName"], *(planned[column] for column in columns), strict=True)
            rows = [
                {"run_id": run_id, "position": position, "group_id": ids[app_id, name]}
                | {"phone_name": phone, "quantity": size, "display_num": number}
                | {"action": str(action), "row": row, "why": why, "again_after": again_after}
                for position, (app_id, name, phone, size, number, action, row, why, again_after) in enumerate(cells)
            ]
            if rows:
                connection.execute(run_groups.insert(), rows)
        return int(run_id)

    def run_info(self, run_id: int, *names: str) -> dict[str, Any]:
        """Return what a run's own row holds under `names`, such as `name`, `note`, `verified` or `orders`."""
        query = sa.select(*(runs.c[name] for name in names)).where(runs.c.id == run_id)
        with self._transaction() as connection:
            return dict(connection.execute(query).mappings().one())

    def run_table(self, run_id: int) -> pd.DataFrame:
        """Return the groups of a run in order.

        Columns: the API's, `state status reason advice at row action why before run newest`. A group without a
        receipt in this run has an empty `state`. `before` is the ledger's state of it, `run` the run that it
        comes from (both empty for one planned to be made again), `newest` the number of its newest receipt,
        0 where it has none.
        """
        highest = sa.select(sa.func.max(receipts.c.id)).correlate(run_groups)
        here = highest.where(receipts.c.run_id == run_id, receipts.c.position == run_groups.c.position)
        anywhere = highest.where(receipts.c.group_id == run_groups.c.group_id)
        ours, newest = receipts.alias(), receipts.alias()
        joined = (
            run_groups.join(groups)
            .outerjoin(ours, ours.c.id == here.scalar_subquery())
            .outerjoin(newest, newest.c.id == anywhere.scalar_subquery())
            .outerjoin(runs, runs.c.id == newest.c.run_id)
        )
        cells = [
            sa.func.coalesce(ours.c[name], "").label(name) for name in ("state", "status", "reason", "advice", "at")
        ]
        number = sa.func.coalesce(newest.c.id, 0)
        foreseen = number == run_groups.c.again_after
        before = sa.case((foreseen, ""), else_=sa.func.coalesce(newest.c.state, "")).label("before")
        run = sa.case((foreseen, ""), else_=sa.func.coalesce(runs.c.name, "")).label("run")
        columns = [*_WIRE, *cells, run_groups.c.row, run_groups.c.action, run_groups.c.why, before, run]
        query = sa.select(*columns, number.label("newest")).select_from(joined).where(run_groups.c.run_id == run_id)
        return self._frame(query.order_by(run_groups.c.position))

    def claim(self, run_id: int, position: int, newest: int) -> bool:
        """Write the intent to send a group and return True, or False if it must not be sent.

        `newest` is the group's newest receipt that the caller has seen, 0 for none. One transaction looks and
        writes: if anything was learnt of the group since, the answer is False, so that of all threads and
        processes one alone gets True. A group that the ledger holds as created, existing, partial, unknown or
        being sent is never sent again, unless it was planned to be made again after that very receipt.
        """
        with self._transaction(write=True) as connection:
            group = _run_group(connection, run_id, position)
            known = connection.execute(
                sa.select(receipts.c.state, receipts.c.id)
                .where(receipts.c.group_id == group.group_id)
                .order_by(receipts.c.id.desc())
                .limit(1)
            ).one_or_none()
            if newest != (known.id if known else 0):
                return False
            if known and known.state in _SETTLED and known.id != group.again_after:
                return False
            _add_receipt(connection, group.group_id, run_id, position, Receipt(State.SENDING, "", "", "", now()))
            return True

    def record(self, run_id: int, position: int, receipt: Receipt) -> None:
        """Write what was learnt of a group of a run; it is on disk when this returns."""
        with self._transaction(write=True) as connection:
            _add_receipt(connection, _run_group(connection, run_id, position).group_id, run_id, position, receipt)

    def close_run(self, run_id: int, *, finished: bool, note: str, verified: int | None) -> None:
        """Write how a run ended; one that has groups left to be sent stays unfinished."""
        values = {"finished": _text(now()) if finished else None, "note": note, "verified": verified}
        with self._transaction(write=True) as connection:
            connection.execute(runs.update().where(runs.c.id == run_id).values(**values))

    def _frame(self, query: sa.Select[Any]) -> pd.DataFrame:
        with self._transaction() as connection:
            result = connection.execute(query)
            return pd.DataFrame(result.all(), columns=list(result.keys()))

    @contextmanager
    def _transaction(self, *, write: bool = False) -> Iterator[sa.Connection]:
        """Open a transaction; one that writes takes SQLite's write lock before it reads."""
        if file_identity(self.path) != self._file:  # an open database goes on, in a file that nobody will find
            raise self._error("the file was deleted or replaced")
        engine = self._writer if write else self._engine
        try:
            with self._writing if write else nullcontext(), engine.begin() as connection:
                yield connection
        except sa.exc.SQLAlchemyError as error:
            raise self._error(str(getattr(error, "orig", None) or error)) from None

    def _error(self, why: str) -> LedgerError:
        return LedgerError(
            f"The ledger {self.path} cannot be used ({why}): mend the file or its folder, "
            "or choose another with Ledger(path) or ITNIO_LEDGER. Nothing is sent without a ledger."
        )


def _contents(fingerprint: str, planned: pd.DataFrame, orders: str) -> str:
    """Return the SHA-256 of all that was asked for: groups, actions, orders."""
    actions = planned[["action", "again_after"]].to_numpy().tolist()
    return sha256(f"{fingerprint}{actions}{orders}".encode()).hexdigest()


def _newest() -> sa.Select[Any]:
    """Select the newest receipt of each group: the group's state."""
    return sa.select(sa.func.max(receipts.c.id)).group_by(receipts.c.group_id)


def _receipt_rows(columns: list[Any]) -> sa.Select[Any]:
    place = sa.and_(run_groups.c.run_id == receipts.c.run_id, run_groups.c.position == receipts.c.position)
    joined = receipts.join(groups).join(run_groups, place).join(runs, runs.c.id == receipts.c.run_id)
    return sa.select(*columns).select_from(joined)


def _run_group(connection: sa.Connection, run_id: int, position: int) -> Any:
    place = (run_groups.c.run_id == run_id, run_groups.c.position == position)
    return connection.execute(sa.select(run_groups.c.group_id, run_groups.c.again_after).where(*place)).one()


def _add_receipt(connection: sa.Connection, group_id: int, run_id: int, position: int, receipt: Receipt) -> None:
    place = {"group_id": group_id, "run_id": run_id, "position": position}
    words = {"status": receipt.status, "reason": receipt.reason, "advice": receipt.advice}
    connection.execute(receipts.insert().values(**place, state=str(receipt.state), **words, at=_text(receipt.at)))


def _text(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
