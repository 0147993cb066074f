"""What a run asks of the ledger: open and close it, claim groups, record outcomes, read what others did."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import pandas as pd
import sqlalchemy as sa

from itnio_nb.api.account.account import Account
from itnio_nb.api.models import WIRE, now
from itnio_nb.ledger.claims import Outcomes, Resolution, SyncResult, Wanted, recover, sync, write_resolutions
from itnio_nb.ledger.database.database import Database
from itnio_nb.ledger.queries import (
    CHANGE_TOKEN,
    FACTS_OF_RUN,
    GROUPS_OF_RUN,
    KINDS_OF_RUN,
    OPERATORS_OF_RUN,
    PROBLEMS_OF_RUN,
)
from itnio_nb.ledger.run_control import NO_TERMS, RunControl, RunTerms
from itnio_nb.ledger.schema.given import given_rows
from itnio_nb.ledger.schema.rows import account_number, free_name, insert_missing, is_account, text_of, write_outline
from itnio_nb.ledger.schema.tables import accounts, groups, run_groups, run_owners, runs

_CHUNK = 500  # resolutions written in one transaction


class RunStore:
    """Read and write the runs of a ledger, from any thread; reached as `ledger.run_store`.

    A run is known by its number. Each method that writes is one transaction, on disk when it returns; every method
    raises `LedgerError` where the ledger cannot be used.
    """

    def __init__(self, database: Database, control: RunControl) -> None:
        self.database, self._control = database, control

    def has_unfinished(self, account: Account, fingerprint: str, planned: pd.DataFrame, orders: str) -> bool:
        """Tell whether `open_run` with these values would continue an unfinished run, or join one at work."""
        contents = _contents(fingerprint, planned, orders)
        with self.database.transaction() as connection:
            return self._unfinished_run(connection, account, fingerprint, contents) is not None

    def open_run(
        self,
        account: Account,
        fingerprint: str,
        planned: pd.DataFrame,
        orders: str,
        owner: str,
        terms: RunTerms = NO_TERMS,
    ) -> int:
        """Return the number of the unfinished run of these groups, or of a new one; `owner` works on it from now on.

        On which terms: see `RunControl.add_owner`. `planned` has the API columns and `action row why again_after`,
        `orders` is the JSON text to keep. A run that somebody works on is joined, whatever has been created since it
        was planned; one that nobody works on is continued where exactly this was asked for, and otherwise a new run
        takes its place. A double click, or two processes, get one run.
        """
        contents, started = _contents(fingerprint, planned, orders), now()
        same_groups = _unfinished(account, fingerprint)
        with self.database.transaction(write=True) as connection:
            if (found := self._unfinished_run(connection, account, fingerprint, contents)) is not None:
                self._control.add_owner(connection, found, owner, terms)
                return found
            account_id = account_number(connection, account)
            name = free_name(connection, runs.c.name, f"{started:%Y%m%dT%H%M%SZ}")
            replaced = {"finished": text_of(started), "note": f"Run {name} took its place."}
            connection.execute(runs.update().where(*same_groups).values(**replaced))
            values = {"name": name, "account_id": account_id, "fingerprint": fingerprint, "contents": contents}
            values |= {"started": text_of(started), "note": "", "orders": orders}
            run_id = int(connection.execute(runs.insert().values(**values).returning(runs.c.id)).scalar_one())
            _add_groups(connection, run_id, account_id, planned)
            write_outline(connection, run_id, orders)
            self._control.add_owner(connection, run_id, owner, terms)
        return run_id

    def _unfinished_run(
        self, connection: sa.Connection, account: Account, fingerprint: str, contents: str
    ) -> int | None:
        """Return the unfinished run of these groups that somebody works on, or that asked for exactly this."""
        query = sa.select(runs.c.id, runs.c.contents, run_owners.c.owner).select_from(runs.outerjoin(run_owners))
        query = query.where(*_unfinished(account, fingerprint)).order_by(runs.c.id.desc())
        found = connection.execute(query).all()
        living = self.database.living(connection, {run.owner for run in found if run.owner})
        return next((int(run.id) for run in found if run.contents == contents or run.owner in living), None)

    def run_info(self, run_id: int, *names: str) -> dict[str, Any]:
        """Return what a run's own row holds under `names`, such as `name`, `note`, `verified` or `orders`."""
        query = sa.select(*(runs.c[name] for name in names)).where(runs.c.id == run_id)
        with self.database.transaction() as connection:
            return dict(connection.execute(query).mappings().one())

    def run_table(self, run_id: int, positions: Sequence[int] | None = None) -> pd.DataFrame:
        """Return the groups of a run in order, or those at some positions.

        Columns: the API's, `state status reason advice at row action why before run owner tried`, and of its newest
        receipt, whichever run wrote it, `newest` (its number, 0 where there is none), `newest_status newest_reason`,
        and what was asked for there, `sent_phone_name sent_quantity sent_display_num`. A group without a receipt in
        this run has an empty `state`; `sending` is one that this run's `owner` has claimed. `before` is the ledger's
        state of it, `run` the run that it comes from (both empty for one planned to be made again). `tried`: see
        `KNOWN_GROUPS`.
        """
        if positions is None:
            return self.database.read_table(GROUPS_OF_RUN, run_id=run_id)
        return self.database.read_table(GROUPS_OF_RUN.where(run_groups.c.position.in_(positions)), run_id=run_id)

    def operators(self, run_id: int) -> list[str]:
        """Return who wrote what the state of each group of a run comes from, in order; "" where that is not known."""
        with self.database.transaction() as connection:
            return list(connection.execute(OPERATORS_OF_RUN, {"run_id": run_id}).scalars())

    def run_facts(self, run_id: int) -> pd.DataFrame:
        """Return the facts that decide the states of a run's groups, a row for each kind of them.

        `state status owner action before why reason advice run` as in `run_table`, of which the last three are empty
        and `why` is that of groups in doubt alone; `groups` and `quantity` are how many groups and phones have them.
        """
        return self.database.read_table(FACTS_OF_RUN, run_id=run_id)

    def run_kinds(self, run_id: int) -> pd.DataFrame:
        """Return as `run_facts`, and where the groups of each kind are, without reading them.

        `positions` are numbers with blanks between them; `differs` tells whether they are there otherwise than they
        were asked for; `least_` and `most_` with a name of `SHARED` are the least and the greatest of its cells.
        """
        return self.database.read_table(KINDS_OF_RUN, run_id=run_id)

    def problems(self, run_id: int, since: int = 0) -> pd.DataFrame:
        """Return what went wrong in a run after receipt `since`: `receipt groupName state reason advice`."""
        return self.database.read_table(PROBLEMS_OF_RUN, run_id=run_id, since=since)

    def find_groups(self, words: str) -> dict[int, list[int]]:
        """Return where groups are whose names contain `words`, in any case: positions, by the run's number."""
        where = sa.select(run_groups.c.run_id, run_groups.c.position, groups.c.group_name)
        table = self.database.read_table(where.select_from(run_groups.join(groups)).order_by(*run_groups.primary_key))
        names = table["group_name"].astype(object).map(str.casefold)
        found = table[[words.casefold() in name for name in names]]
        places: dict[int, list[int]] = {}
        for run_id, position in zip(found["run_id"].tolist(), found["position"].tolist(), strict=True):
            places.setdefault(run_id, []).append(position)
        return places

    def change_token(self) -> tuple[object, ...]:
        """Return a value that differs whenever anything in the ledger does: cheap enough to be read every second."""
        with self.database.transaction() as connection:
            return tuple(connection.execute(CHANGE_TOKEN).one())

    def sync(
        self,
        run_id: int,
        owner: str,
        *,
        outcomes: Outcomes = (),
        returned: Sequence[int] = (),
        wanted: Wanted = (),
        since: int = 0,
        turns: int = 0,
    ) -> SyncResult:
        """Record outcomes, give claims back, claim groups and read new receipts, in one transaction.

        `returned` are positions that `owner` had claimed and did not send. A group is claimed if nobody holds it, it
        has no newer receipt than that of `wanted`, and is planned or refused, or planned to be made again after that
        very receipt. `since` is the last receipt that the caller knows of this run; so many `turns` are reserved, see
        `take_turns`. With something wanted, raises `LedgerError` on a disk that is nearly full: sending stops before
        recording does.
        """
        if wanted:
            self.database.require_space()
        writes, database = outcomes or returned or wanted or turns, self.database
        with database.run_transaction(run_id) if writes else database.transaction() as connection:
            return sync(database, connection, run_id, owner, outcomes, returned, wanted, since, turns)

    def recover(
        self, run_id: int, lost: str, owner: str, *, outcomes: Outcomes = (), unsent: Sequence[int] = ()
    ) -> None:
        """Have `owner` go on in place of one that was lost, whom others may have taken for dead.

        What it had learnt is recorded, unless it was already or a listing has shown more; all that it had claimed and
        not sent is given back.
        """
        with self.database.transaction(write=True) as connection:
            recover(self.database, connection, run_id, lost, outcomes, unsent)
            self._control.add_owner(connection, run_id, owner, NO_TERMS)

    def write_resolutions(self, resolutions: Sequence[Resolution]) -> list[Resolution]:
        """Write what listings have shown of groups; return the resolutions that still held, and so were written.

        A group that is planned again reopens the newest run that has it, so that it can be resumed.
        """
        written: list[Resolution] = []
        for at in range(0, len(resolutions), _CHUNK):
            with self.database.transaction(write=True) as connection:
                written += write_resolutions(self.database, connection, resolutions[at : at + _CHUNK])
        return written

    def close_run(self, run_id: int, *, finished: bool, note: str, verified: int | None) -> None:
        """Write how a run ended, unless it is finished already; one with groups left to send stays unfinished.

        Without a note, what somebody else has said who worked on it stays.
        """
        values = {"finished": text_of(now()) if finished else None, "verified": verified}
        values |= {"note": note} if note else {}
        open_run = (runs.c.id == run_id, runs.c.finished.is_(None))
        with self.database.transaction(write=True) as connection:
            connection.execute(runs.update().where(*open_run).values(**values))


def _contents(fingerprint: str, planned: pd.DataFrame, orders: str) -> str:
    """Return the SHA-256 of all that was asked for: groups, actions, orders."""
    actions = planned[["action", "again_after"]].to_numpy().tolist()
    return sha256(f"{fingerprint}{actions}{orders}".encode()).hexdigest()


def _unfinished(account: Account, fingerprint: str) -> tuple[sa.ColumnElement[bool], ...]:
    """Return the conditions that an account's unfinished runs of the same groups meet."""
    account_id = sa.select(accounts.c.id).where(*is_account(account)).scalar_subquery()
    return runs.c.account_id == account_id, runs.c.fingerprint == fingerprint, runs.c.finished.is_(None)


def _add_groups(connection: sa.Connection, run_id: int, account_id: int, planned: pd.DataFrame) -> None:
    """Write the groups of a run, in order, adding those that the account had not yet."""
    api = ("app_id", "group_name", "phone_name", "quantity", "display_num")
    cells = {name: planned[WIRE[name]].tolist() for name in api}
    cells |= {name: planned[name].tolist() for name in ("action", "row", "why", "again_after")}
    cells["position"] = list(range(len(planned)))
    numbers = ("quantity", "row", "again_after", "position")
    kinds = {name: sa.Integer if name in numbers else sa.Text for name in cells}
    given = given_rows(connection, {name: (kinds[name], values) for name, values in cells.items()})
    keys = sa.select(sa.literal(account_id), given.c.app_id, given.c.group_name).where(sa.true())
    names = ["account_id", "app_id", "group_name"]
    connection.execute(insert_missing(connection, groups).from_select(names, keys.order_by(given.c.position)))
    same = [groups.c[name] == given.c[name] for name in ("app_id", "group_name")]
    group_id = sa.select(groups.c.id).where(groups.c.account_id == account_id, *same).scalar_subquery()
    ours = [name for name in cells if name not in ("app_id", "group_name")]
    rows = sa.select(sa.literal(run_id), group_id, *(given.c[name] for name in ours))
    connection.execute(run_groups.insert().from_select(["run_id", "group_id", *ours], rows))
