"""What a run asks of the ledger: open and close it, claim groups, record outcomes, read what others did."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from itertools import count
from typing import Any

import pandas as pd
import sqlalchemy as sa

from itnio_nb.api.account import Account
from itnio_nb.api.models import WIRE, now
from itnio_nb.errors import os_error_reason
from itnio_nb.ledger.claims import Outcomes, Resolution, SyncResult, Wanted, expire_claims, sync, write_resolutions
from itnio_nb.ledger.locks import OwnerLock, is_alive
from itnio_nb.ledger.queries import CHANGE_TOKEN, GROUPS_OF_RUN, PROBLEMS_OF_RUN
from itnio_nb.ledger.schema import (
    accounts,
    claims,
    groups,
    insert_rows,
    is_account,
    run_groups,
    run_owners,
    runs,
    text_of,
)
from itnio_nb.ledger.storage import Database

_CHUNK = 500  # resolutions written in one transaction


class RunStore:
    """Read and write the runs of a ledger, from any thread; reached as `ledger.run_store`.

    A run is known by its number. Each method that writes is one transaction, on disk when it returns; every method
    raises `LedgerError` where the ledger cannot be used.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    def has_unfinished(self, account: Account, fingerprint: str, planned: pd.DataFrame, orders: str) -> bool:
        """Tell whether `open_run` with these values would continue an unfinished run, or join one at work."""
        contents = _contents(fingerprint, planned, orders)
        with self.database.transaction() as connection:
            return self._unfinished_run(connection, account, fingerprint, contents) is not None

    def open_run(
        self, account: Account, fingerprint: str, planned: pd.DataFrame, orders: str, owner: str | None = None
    ) -> int:
        """Return the number of the unfinished run of these groups, or of a new one; `owner` works on it from now on.

        `planned` has the API columns and `action row why again_after`, `orders` is the JSON text to keep. A run that
        somebody works on is joined, whatever has been created since it was planned; one that nobody works on is
        continued where exactly this was asked for, and otherwise a new run takes its place. A double click, or two
        processes, get one run.
        """
        contents, started = _contents(fingerprint, planned, orders), now()
        same_groups = _unfinished(account, fingerprint)
        with self.database.transaction(write=True) as connection:
            if (found := self._unfinished_run(connection, account, fingerprint, contents)) is not None:
                _add_owner(connection, found, owner)
                return found
            key = {"base_url": account.base_url, "api_key": account.api_key}
            connection.execute(accounts.insert().prefix_with("OR IGNORE").values(**key))
            account_id = connection.execute(sa.select(accounts.c.id).where(*is_account(account))).scalar_one()
            name = _free_name(connection, started)
            replaced = {"finished": text_of(started), "note": f"Run {name} took its place."}
            connection.execute(runs.update().where(*same_groups).values(**replaced))
            values = {"name": name, "account_id": account_id, "fingerprint": fingerprint, "contents": contents}
            values |= {"started": text_of(started), "note": "", "orders": orders}
            run_id = int(connection.execute(runs.insert().values(**values).returning(runs.c.id)).scalar_one())
            _add_groups(connection, run_id, account_id, planned)
            _add_owner(connection, run_id, owner)
        return run_id

    def _unfinished_run(
        self, connection: sa.Connection, account: Account, fingerprint: str, contents: str
    ) -> int | None:
        """Return the unfinished run of these groups that somebody works on, or that asked for exactly this."""
        query = sa.select(runs.c.id, runs.c.contents, run_owners.c.owner).select_from(runs.outerjoin(run_owners))
        for run in connection.execute(query.where(*_unfinished(account, fingerprint)).order_by(runs.c.id.desc())):
            if run.contents == contents or (run.owner and is_alive(self.database.path, run.owner)):
                return int(run.id)
        return None

    def join_run(self, run_id: int, owner: str) -> int:
        """Have `owner` work on a run, until it is released; return the run's number."""
        with self.database.transaction(write=True) as connection:
            _add_owner(connection, run_id, owner)
        return run_id

    def is_worked_on(self, run_id: int, besides: str = "") -> bool:
        """Tell whether anybody works on a run, `besides` left out."""
        theirs = (run_owners.c.run_id == run_id, run_owners.c.owner != besides)
        with self.database.transaction() as connection:
            owners = connection.execute(sa.select(run_owners.c.owner).where(*theirs)).scalars().all()
        return any(is_alive(self.database.path, owner) for owner in owners)

    def run_info(self, run_id: int, *names: str) -> dict[str, Any]:
        """Return what a run's own row holds under `names`, such as `name`, `note`, `verified` or `orders`."""
        query = sa.select(*(runs.c[name] for name in names)).where(runs.c.id == run_id)
        with self.database.transaction() as connection:
            return dict(connection.execute(query).mappings().one())

    def run_table(self, run_id: int) -> pd.DataFrame:
        """Return the groups of a run in order.

        Columns: the API's, `state status reason advice at row action why before run owner tried`, and of its newest
        receipt, whichever run wrote it, `newest` (its number, 0 where there is none), `newest_status newest_reason`,
        and what was asked for there, `sent_phone_name sent_quantity sent_display_num`. A group without a receipt in
        this run has an empty `state`; `sending` is one that this run's `owner` has claimed. `before` is the ledger's
        state of it, `run` the run that it comes from (both empty for one planned to be made again). `tried`: see
        `KNOWN_GROUPS`.
        """
        return self.database.read_table(GROUPS_OF_RUN, run_id=run_id)

    def problems(self, run_id: int, since: int = 0) -> pd.DataFrame:
        """Return what went wrong in a run after receipt `since`: `receipt groupName state reason advice`."""
        return self.database.read_table(PROBLEMS_OF_RUN, run_id=run_id, since=since)

    def change_token(self) -> tuple[object, ...]:
        """Return a value that differs whenever anything in the ledger does: cheap enough to be read every second."""
        with self.database.transaction() as connection:
            return tuple(connection.execute(CHANGE_TOKEN).one())

    def owner(self) -> OwnerLock:
        """Return a new owner of claims: alive until it is released, or this process ends."""
        try:
            return OwnerLock(self.database.path)
        except OSError as error:
            raise self.database.error(os_error_reason(error)) from None

    def expire_claims(self) -> None:
        """Expire claims of dead processes: each group becomes `unknown`, because its request may have been sent."""
        with self.database.transaction() as connection:
            owners = connection.execute(sa.union(sa.select(claims.c.owner), sa.select(run_owners.c.owner))).scalars()
            dead = [owner for owner in owners.all() if not is_alive(self.database.path, owner)]
        if dead:
            with self.database.transaction(write=True) as connection:
                expire_claims(connection, dead)

    def sync(
        self,
        run_id: int,
        owner: str,
        *,
        outcomes: Outcomes = (),
        returned: Sequence[int] = (),
        wanted: Wanted = (),
        since: int = 0,
    ) -> SyncResult:
        """Record outcomes, give claims back, claim groups and read new receipts, in one transaction.

        `returned` are positions that `owner` had claimed and did not send. A group is claimed if nobody holds it, it
        has no newer receipt than that of `wanted`, and is planned or refused, or planned to be made again after that
        very receipt. `since` is the last receipt that the caller knows of this run. With something wanted, raises
        `LedgerError` on a disk that is nearly full: sending stops before recording does.
        """
        if wanted:
            self.database.require_space()
        with self.database.transaction(write=bool(outcomes or returned or wanted)) as connection:
            return sync(connection, run_id, owner, outcomes, returned, wanted, since)

    def claim_owners(self, run_id: int) -> set[str]:
        """Return the owners that hold claims of a run."""
        with self.database.transaction() as connection:
            query = sa.select(claims.c.owner).distinct().where(claims.c.run_id == run_id)
            return set(connection.execute(query).scalars())

    def write_resolutions(self, resolutions: Sequence[Resolution]) -> list[Resolution]:
        """Write what listings have shown of groups; return the resolutions that still held, and so were written.

        A group that is planned again reopens the newest run that has it, so that it can be resumed.
        """
        written: list[Resolution] = []
        for at in range(0, len(resolutions), _CHUNK):
            with self.database.transaction(write=True) as connection:
                written += write_resolutions(connection, resolutions[at : at + _CHUNK])
        return written

    def close_run(self, run_id: int, *, finished: bool, note: str, verified: int | None) -> None:
        """Write how a run ended; one that has groups left to be sent stays unfinished."""
        values = {"finished": text_of(now()) if finished else None, "note": note, "verified": verified}
        with self.database.transaction(write=True) as connection:
            connection.execute(runs.update().where(runs.c.id == run_id).values(**values))


def _contents(fingerprint: str, planned: pd.DataFrame, orders: str) -> str:
    """Return the SHA-256 of all that was asked for: groups, actions, orders."""
    actions = planned[["action", "again_after"]].to_numpy().tolist()
    return sha256(f"{fingerprint}{actions}{orders}".encode()).hexdigest()


def _unfinished(account: Account, fingerprint: str) -> tuple[sa.ColumnElement[bool], ...]:
    """Return the conditions that an account's unfinished runs of the same groups meet."""
    account_id = sa.select(accounts.c.id).where(*is_account(account)).scalar_subquery()
    return runs.c.account_id == account_id, runs.c.fingerprint == fingerprint, runs.c.finished.is_(None)


def _add_owner(connection: sa.Connection, run_id: int, owner: str | None) -> None:
    if owner is not None:
        row = {"run_id": run_id, "owner": owner}
        connection.execute(run_owners.insert().prefix_with("OR IGNORE").values(**row))


def _free_name(connection: sa.Connection, started: datetime) -> str:
    """Name a run by its start, in UTC, as in 20261123T203119Z; -2, -3, … follow where one second has several."""
    stem = f"{started:%Y%m%dT%H%M%SZ}"
    taken = set(connection.execute(sa.select(runs.c.name).where(runs.c.name.startswith(stem))).scalars())
    names = (stem if number == 1 else f"{stem}-{number}" for number in count(1))
    return next(name for name in names if name not in taken)


def _add_groups(connection: sa.Connection, run_id: int, account_id: int, planned: pd.DataFrame) -> None:
    """Write the groups of a run, in order, adding those that the account had not yet."""
    rows = planned.rename(columns={wire: name for name, wire in WIRE.items()})
    keys = list(zip(rows["app_id"], rows["group_name"], strict=True))
    new = [{"account_id": account_id, "app_id": app_id, "group_name": name} for app_id, name in keys]
    insert_rows(connection, groups.insert().prefix_with("OR IGNORE"), new)
    known = connection.execute(sa.select(groups).where(groups.c.account_id == account_id))
    ids = {(one.app_id, one.group_name): one.id for one in known}
    rows = rows[["phone_name", "quantity", "display_num", "action", "row", "why", "again_after"]]
    rows = rows.assign(run_id=run_id, position=range(len(rows)), group_id=[ids[key] for key in keys])
    insert_rows(connection, run_groups.insert(), rows.to_dict("records"))  # type: ignore[arg-type] # columns are text
