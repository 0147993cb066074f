"""Runs of password resets: which phones, what came of each request, who works on them; never a password."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

import pandas as pd
import sqlalchemy as sa

from itnio_nb.api.account.account import Account
from itnio_nb.api.models import ResetReceipt, ResetState, now
from itnio_nb.ledger.database.database import Database, table_of
from itnio_nb.ledger.schema.rows import account_number, free_name, insert_rows, is_account, storable, text_of
from itnio_nb.ledger.schema.tables import accounts, actors, reset_phones, reset_receipts, reset_runs, runs

_newest = reset_receipts.alias("newest")
_theirs = reset_receipts.alias("theirs")
_number = (
    sa.select(sa.func.max(_theirs.c.id))
    .where(_theirs.c.run_id == reset_phones.c.run_id, _theirs.c.position == reset_phones.c.position)
    .scalar_subquery()
)
_phones = reset_phones.join(reset_runs).join(accounts).outerjoin(_newest, _newest.c.id == _number)
_written = _phones.outerjoin(actors, actors.c.id == _newest.c.actor_id)
_CHANGING = (ResetState.SENDING, ResetState.RESET, ResetState.UNKNOWN)
_NOT_RECORDED = (
    "what became of it was not recorded: its sender was killed or lost power, and may have sent it",
    "It is not known which password works. Reset the phone again before it is handed over.",
)
_COLUMNS = ["appId", "groupName", "phoneName", "account", "state", "status", "reason", "advice", "at", "run"]
_WRITER = ["operator", "machine", "version"]
# Every phone of every run of resets, in order: `_COLUMNS`, its run, and the number of its newest receipt there.
_ROWS = (
    sa.select(reset_runs.c.app_id.label("appId"), reset_phones.c.group_name.label("groupName"))
    .add_columns(reset_phones.c.phone_name.label("phoneName"), reset_phones.c.account)
    .add_columns(sa.func.coalesce(_newest.c.state, ResetState.PLANNED).label("state"))
    .add_columns(*(sa.func.coalesce(_newest.c[name], "").label(name) for name in ("status", "reason", "advice", "at")))
    .add_columns(reset_runs.c.name.label("run"), reset_runs.c.id.label("run_id"))
    .add_columns(sa.func.coalesce(_newest.c.id, 0).label("receipt"), reset_runs.c.finished.is_(None).label("is_open"))
    .add_columns(*(sa.func.coalesce(actors.c[name], "").label(name) for name in _WRITER))
    .select_from(_written)
    .order_by(reset_phones.c.run_id, reset_phones.c.position)
)


class ResetPhone(NamedTuple):
    """A phone that is to get a new password."""

    app_id: str
    group_name: str
    phone_name: str
    account: str


class ResetRequest(NamedTuple):
    """What a run of resets was asked for: all phones, also those that it does not send."""

    account: Account
    app_id: str
    phones: Sequence[ResetPhone]

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the application and the phones' accounts, in whatever order they were listed."""
        return sha256("\0".join([self.app_id, *sorted(phone.account for phone in self.phones)]).encode()).hexdigest()


class ResetPlan(NamedTuple):
    """What a run of resets would do."""

    run_id: int | None  # the unfinished run to go on with, None for a new one
    to_send: list[ResetPhone]

    @property
    def accounts(self) -> set[str]:
        """The accounts of the phones."""
        return {phone.account for phone in self.to_send}


class ResetStore:
    """Read and write runs of resets, from any thread; reached as `ledger.reset_store`.

    A run is known by its number. Each method that writes is one transaction, on disk when it returns; every method
    raises `LedgerError` where the ledger cannot be used.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def plan(self, wanted: ResetRequest, *, again: bool) -> ResetPlan:
        """Return which of the phones are to be reset.

        Those that were not reset, or that the last run which has them has left; with `again` all of them, unless an
        unfinished run was begun to reset them all again: then what that one has left.
        """
        self.expire()
        with self._database.transaction() as connection:
            return _plan(connection, wanted, again=again)

    def open_run(self, wanted: ResetRequest, plan: ResetPlan, owner: str, *, again: bool) -> int | None:
        """Have `owner` reset the phones of a plan, in its run or in a new one that takes the place of unfinished ones.

        Return the run's number; None where the plan holds no more, or somebody is at work on any of the phones.
        """
        with self._database.transaction(write=True) as connection:
            being_reset = self._being_reset(connection, wanted)
            if plan != _plan(connection, wanted, again=again) or being_reset & plan.accounts:
                return None
            run_id = plan.run_id if plan.run_id is not None else _new_run(connection, wanted, plan.to_send, again=again)
            ours = reset_runs.update().where(reset_runs.c.id == run_id)
            connection.execute(ours.values(owner=owner, note=""))
        return run_id

    def _being_reset(self, connection: sa.Connection, wanted: ResetRequest) -> set[str]:
        """Return the accounts of the application's phones that living owners work on."""
        query = sa.select(reset_runs.c.id, reset_runs.c.owner).select_from(reset_runs.join(accounts))
        query = query.where(*_of_application(wanted), reset_runs.c.owner.is_not(None))
        owners = {int(run_id): owner for run_id, owner in connection.execute(query)}
        living = self._database.living(connection, set(owners.values()))
        working = [run_id for run_id, owner in owners.items() if owner in living]
        theirs = sa.select(reset_phones.c.account).where(reset_phones.c.run_id.in_(working))
        return set(connection.execute(theirs).scalars())

    def run_info(self, run_id: int, *names: str) -> dict[str, Any]:
        """Return what a run's own row holds under `names`, such as `name` or `note`."""
        query = sa.select(*(reset_runs.c[name] for name in names)).where(reset_runs.c.id == run_id)
        with self._database.transaction() as connection:
            return dict(connection.execute(query).mappings().one())

    def run_table(self, run_id: int) -> pd.DataFrame:
        """Return the phones of a run in order: `appId groupName phoneName account state status reason advice at run`.

        The state is that of the newest receipt in this run, `planned` where there is none.
        """
        self.expire()
        return self._database.read_table(_ROWS.where(reset_phones.c.run_id == run_id))[_COLUMNS]

    def table(self) -> pd.DataFrame:
        """Return every phone of every run in the columns of `run_table`, and who wrote its newest receipt there.

        That is `operator machine version`, as their process has said.
        """
        self.expire()
        return self._database.read_table(_ROWS)[[*_COLUMNS, *_WRITER]]

    def newest(self, wanted: ResetRequest) -> pd.DataFrame:
        """Return the phones that were asked for, in the columns of `run_table`, each as its newest receipt has it.

        One that no run has is `planned`.
        """
        self.expire()
        known = _newest_of(self._database.read_table(_ROWS.where(*_of_application(wanted))))
        phones = pd.DataFrame(wanted.phones, columns=_COLUMNS[:4], dtype=object)
        table = phones.merge(known[_COLUMNS[3:]], how="left", on="account")
        return table.fillna({"state": str(ResetState.PLANNED)}).fillna("")

    def newest_of_run(self, run_id: int) -> pd.DataFrame:
        """Return all phones of the account of a run of groups, as `newest` does."""
        self.expire()
        return _newest_of(self._database.read_table(_ROWS.where(_of_account_of(run_id))))

    def changes(self, run_id: int) -> pd.DataFrame:
        """Return the groups of a run's account whose phones got new passwords, or may have: `appId groupName change`.

        `change` is a number that is higher after each such request.
        """
        joined = reset_receipts.join(reset_phones).join(reset_runs)
        query = sa.select(reset_runs.c.app_id.label("appId"), reset_phones.c.group_name.label("groupName"))
        query = query.add_columns(sa.func.max(reset_receipts.c.id).label("change")).select_from(joined)
        query = query.where(_of_account_of(run_id), reset_receipts.c.state.in_(_CHANGING))
        self.expire()
        return self._database.read_table(query.group_by(reset_runs.c.app_id, reset_phones.c.group_name))

    def left(self, account: Account) -> int:
        """Return how many phones unfinished runs of an account have left: not sent, or of unknown outcome."""
        unfinished = (*is_account(account), reset_runs.c.finished.is_(None))
        self.expire()
        states = self._database.read_table(_ROWS.where(*unfinished))["state"]
        return int((~states.isin([ResetState.RESET, ResetState.REFUSED])).sum())

    def record(self, run_id: int, outcomes: Sequence[tuple[int, ResetReceipt]], claimed: Sequence[int]) -> None:
        """Write what came of some phones, by position, and that others of them are about to be sent."""
        if claimed:
            self._database.require_space()
        intent = ResetReceipt(ResetState.SENDING, "", "", "", now())
        with self._database.transaction(write=True) as connection:
            learnt = [*outcomes, *((at, intent) for at in claimed)]
            actor = self._database.actor_number(connection)
            _add_receipts(connection, [(run_id, at, one, actor) for at, one in learnt])

    def close_run(self, run_id: int, note: str) -> None:
        """Write how a run ended; one with phones that are not sent, or unknown, stays unfinished."""
        with self._database.transaction(write=True) as connection:
            self._expire(connection, [run_id])  # what was about to be sent and not recorded is not known
            states = set(connection.execute(_ROWS.where(reset_phones.c.run_id == run_id)).scalars("state"))
            is_finished = states <= {ResetState.RESET, ResetState.REFUSED}
            ended = {"finished": text_of(now()) if is_finished else None, "note": note}
            connection.execute(reset_runs.update().where(reset_runs.c.id == run_id).values(**ended))

    def expire(self) -> None:
        """Write an `unknown` receipt for each phone that a dead process was sending; nobody works on its run now.

        Nothing where the ledger can only be read.
        """
        if self._database.is_read_only:
            return
        query = sa.select(reset_runs.c.id, reset_runs.c.owner).where(reset_runs.c.owner.is_not(None))
        with self._database.transaction() as connection:
            owners = {int(run_id): owner for run_id, owner in connection.execute(query)}
            living = self._database.living(connection, set(owners.values()))
        dead = [run_id for run_id, owner in owners.items() if owner not in living]
        if dead:
            with self._database.transaction(write=True) as connection:
                self._expire(connection, [one for one in dead if _owner(connection, one) == owners[one]])

    def _expire(self, connection: sa.Connection, run_ids: Collection[int]) -> None:
        sending = sa.select(reset_phones.c.run_id, reset_phones.c.position, _newest.c.actor_id).select_from(_phones)
        sending = sending.where(reset_phones.c.run_id.in_(run_ids), _newest.c.state == ResetState.SENDING)
        lost = ResetReceipt(ResetState.UNKNOWN, "", *_NOT_RECORDED, now())
        # The receipt says who its sender was.
        found = [(run_id, at, lost, actor) for run_id, at, actor in connection.execute(sending).all()]
        _add_receipts(connection, found)
        connection.execute(reset_runs.update().where(reset_runs.c.id.in_(run_ids)).values(owner=None))


def _owner(connection: sa.Connection, run_id: int) -> str | None:
    owner: str | None = connection.execute(sa.select(reset_runs.c.owner).where(reset_runs.c.id == run_id)).scalar()
    return owner


def _of_application(wanted: ResetRequest) -> tuple[sa.ColumnElement[bool], ...]:
    return *is_account(wanted.account), reset_runs.c.app_id == wanted.app_id


def _of_account_of(run_id: int) -> sa.ColumnElement[bool]:
    """Return the condition that runs of resets meet which are of the account of a run of groups."""
    return reset_runs.c.account_id == sa.select(runs.c.account_id).where(runs.c.id == run_id).scalar_subquery()


def _newest_of(rows: pd.DataFrame) -> pd.DataFrame:
    """Return each phone once, as its newest receipt has it: one that is only planned somewhere hides nothing."""
    return rows.sort_values("receipt", kind="stable").drop_duplicates(["appId", "account"], keep="last")


def _plan(connection: sa.Connection, wanted: ResetRequest, *, again: bool) -> ResetPlan:
    """Return the plan of `ResetStore.plan`, in the transaction of `connection`."""
    rows = table_of(connection, _ROWS.where(*_of_application(wanted)))
    same = sa.select(sa.func.max(reset_runs.c.id)).select_from(reset_runs.join(accounts))
    same = same.where(*_of_application(wanted), reset_runs.c.finished.is_(None))
    same = same.where(reset_runs.c.fingerprint == wanted.fingerprint)
    run_id: int | None = connection.execute(same.where(reset_runs.c.again) if again else same).scalar()
    theirs = rows[rows["run_id"] == run_id]
    left_there = set(theirs["account"][theirs["state"] != ResetState.RESET])
    if again:
        left = left_there if run_id is not None else {phone.account for phone in wanted.phones}
    else:
        newest = _newest_of(rows).set_index("account")["state"]
        last = rows.drop_duplicates("account", keep="last")
        abandoned = set(last["account"][(last["is_open"] == 1) & (last["state"] != ResetState.RESET)])
        left = {one.account for one in wanted.phones if newest.get(one.account) != ResetState.RESET}
        left |= abandoned & {one.account for one in wanted.phones}
        run_id = run_id if left == left_there else None
    return ResetPlan(run_id, [phone for phone in wanted.phones if phone.account in left])


def _new_run(connection: sa.Connection, wanted: ResetRequest, to_send: Sequence[ResetPhone], *, again: bool) -> int:
    """Write a run that is to reset some of the phones that were asked for, in this order; return its number."""
    started, account_id = now(), account_number(connection, wanted.account)
    name = free_name(connection, reset_runs.c.name, f"reset-{started:%Y%m%dT%H%M%SZ}")
    same = reset_runs.update().where(reset_runs.c.account_id == account_id, reset_runs.c.app_id == wanted.app_id)
    same = same.where(reset_runs.c.fingerprint == wanted.fingerprint, reset_runs.c.finished.is_(None))
    connection.execute(same.values(finished=text_of(started), note=f"Run {name} took its place."))
    values = {"account_id": account_id, "name": name, "app_id": wanted.app_id, "again": again}
    values |= {"fingerprint": wanted.fingerprint, "started": text_of(started), "note": ""}
    run_id = int(connection.execute(reset_runs.insert().values(**values).returning(reset_runs.c.id)).scalar_one())
    rows = [
        {"run_id": run_id, "position": at, "group_name": storable(phone.group_name)}
        | {"phone_name": storable(phone.phone_name), "account": storable(phone.account)}
        for at, phone in enumerate(to_send)
    ]
    insert_rows(connection, reset_phones.insert(), rows)
    return run_id


def _add_receipts(connection: sa.Connection, learnt: Sequence[tuple[int, int, ResetReceipt, int | None]]) -> None:
    """Write receipts, each given as the run, the position, the receipt and the number of its actor."""
    rows = [
        {"run_id": run_id, "position": at, "state": str(one.state), "status": one.status}
        | {"reason": one.reason, "advice": one.advice, "at": text_of(one.at), "actor_id": actor}
        for run_id, at, one, actor in learnt
    ]
    insert_rows(connection, reset_receipts.insert(), rows)
