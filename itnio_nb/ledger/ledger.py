"""The durable book of every group ever sent: runs, their groups, and all receipts, in one SQLite file.

Receipts are only added, never rewritten: the state of a group is its newest receipt. The intent to send is a
claim, on disk before the request leaves; as long as it stands the group is `sending`. An outcome is on disk before
it is told.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Self

import pandas as pd
import sqlalchemy as sa

from itnio_nb.api.account import Account
from itnio_nb.api.models import API_COLUMNS, Receipt, State, now
from itnio_nb.errors import LedgerError, os_error_reason
from itnio_nb.ledger.claims import Resolution, SyncResult, expire_claims, sync, write_resolutions
from itnio_nb.ledger.locks import OwnerLock, is_alive
from itnio_nb.ledger.queries import STAMP, all_receipts, all_runs, groups_of_run, known_groups, problems_of_run
from itnio_nb.ledger.schema import (
    accounts,
    checkpoint_wal,
    claims,
    find_account,
    find_groups,
    free_name,
    is_account,
    ledger_path,
    open_engine,
    open_schema,
    run_groups,
    runs,
    text_of,
)
from itnio_nb.ledger.storage import RESERVE, file_identity, free_bytes, network_kind

_CHUNK = 500  # groups that one transaction settles


@dataclass(frozen=True)
class LedgerEntry:
    """What the ledger knows of one group: its newest receipt."""

    state: State
    run: str
    receipt: int  # its number, 0 where it has none


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
        if kind := network_kind(self.path.parent):
            raise self._error(f"its folder is on a network, {kind}, where two programs could spoil it")
        self._file = file_identity(self.path)
        self._engine = open_engine(self.path)
        self._writer = self._engine.execution_options(itnio_write=True)
        try:
            with self._transaction(write=True) as connection:
                open_schema(connection, self.path)
            self.expire_claims()
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
        """One row for each group ever sent, or about to be: API columns, `state status reason made run`.

        `made` is when it was created (UTC), `run` the run that sent it.
        """
        self.expire_claims()
        return self._frame(known_groups())[[*API_COLUMNS, "state", "status", "reason", "made", "run"]]

    @property
    def history(self) -> pd.DataFrame:
        """Every receipt in the order in which it was written: `at run appId groupName state status reason advice`."""
        self.expire_claims()
        return self._frame(all_receipts())

    @property
    def runs(self) -> pd.DataFrame:
        """Every run: `run started finished groups phones account note`; not `finished` while something is open."""
        return self._frame(all_runs())

    def account_table(self, account: Account) -> pd.DataFrame:
        """Return the groups of one account: `table`'s columns and `run_id position receipt tried`."""
        self.expire_claims()
        return self._frame(known_groups().where(*is_account(account)))

    def entries(self, account: Account) -> dict[tuple[str, str], LedgerEntry]:
        """Return what is known of each group of an account, by (appId, groupName)."""
        table = self.account_table(account)
        columns = ("appId", "groupName", "state", "run", "receipt")
        cells = zip(*(table[column] for column in columns), strict=True)
        return {
            (app_id, name): LedgerEntry(State(state), run, int(receipt)) for app_id, name, state, run, receipt in cells
        }

    def runs_of(self, account: Account | None, *, unfinished: bool = False) -> dict[str, int]:
        """Return the runs of one account or all, or those with something left to do: number by name, newest first."""
        where = [*(is_account(account) if account else ()), *([runs.c.finished.is_(None)] if unfinished else ())]
        query = sa.select(runs.c.name, runs.c.id).join(accounts).where(*where)
        with self._transaction() as connection:
            return {name: int(number) for name, number in connection.execute(query.order_by(runs.c.id.desc()))}

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
            ended = {"finished": text_of(started), "note": f"Run {name} took its place."}
            connection.execute(runs.update().where(*same).values(**ended))
            values = {"name": name, "account_id": account_id, "fingerprint": fingerprint, "contents": contents}
            values |= {"started": text_of(started), "note": "", "orders": orders}
            run_id = connection.execute(runs.insert().values(**values).returning(runs.c.id)).scalar_one()
            ids = find_groups(connection, account_id, planned)
            columns = ("phoneName", "quantity", "displayNum", "action", "row", "why", "again_after")
            cells = zip(planned["appId"], planned["groupName"], *(planned[column] for column in columns), strict=True)
            rows = [
                {"run_id": run_id, "position": position, "group_id": ids[app_id, name]}
                | {"phone_name": phone, "quantity": size, "display_num": number}
                | {"action": str(action), "row": row, "why": os_error_reason, "again_after": again_after}
                for position, (
                    app_id,
                    name,
                    phone,
                    size,
                    number,
                    action,
                    row,
                    os_error_reason,
                    again_after,
                ) in enumerate(cells)
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

        Columns: the API's, `state status reason advice at row action why before run owner tried`, and of its newest
        receipt, wherever it is, `newest` (its number, 0 where there is none), `newest_run newest_position
        newest_status`, and what was asked for there, `sent_phone_name sent_quantity sent_display_num`. A group
        without a receipt in this run has an empty `state`; `sending` is one that this run's `owner` has claimed.
        `before` is the ledger's state of it, `run` the run that it comes from (both empty for one planned to be
        made again). `tried`: see `known_groups`.
        """
        return self._frame(groups_of_run(run_id))

    def problems(self, run_id: int, since: int = 0) -> pd.DataFrame:
        """Return what went wrong in a run after receipt `since`: `receipt groupName state reason advice`."""
        return self._frame(problems_of_run(run_id, since))

    def stamp(self) -> tuple[object, ...]:
        """Return what differs whenever anything in the ledger does: cheap enough to be asked every second."""
        with self._transaction() as connection:
            return tuple(connection.execute(STAMP).one())

    def owner(self) -> OwnerLock:
        """Return a new owner of claims: alive until it is released, or this process ends."""
        try:
            return OwnerLock(self.path)
        except OSError as error:
            raise self._error(os_error_reason(error)) from None

    def expire_claims(self) -> None:
        """Turn the claims of owners that are gone into what they are: sent perhaps, and not known."""
        with self._transaction() as connection:
            owners = connection.execute(sa.select(claims.c.owner).distinct()).scalars().all()
        dead = [owner for owner in owners if not is_alive(self.path, owner)]
        if not dead:
            return
        with self._transaction(write=True) as connection:
            expire_claims(connection, dead)

    def sync(
        self,
        run_id: int,
        owner: str,
        *,
        outcomes: Sequence[tuple[int, Receipt]] = (),
        returned: Sequence[int] = (),
        wanted: Sequence[tuple[int, int]] = (),
        since: int = 0,
    ) -> SyncResult:
        """Record outcomes, give claims back, claim groups and learn what is new, in one transaction.

        All of it is on disk when this returns. `outcomes` are (position, receipt) of groups that `owner` had
        claimed, `returned` positions that it claimed and did not send, `wanted` (position, number of the newest
        receipt that the caller has seen, 0 for none). A group is claimed if nobody else holds it, nothing was learnt
        of it since, and it is not created, existing, partial or unknown (unless it was planned to be made again
        after that very receipt): of all threads and processes one alone gets it. `since` is the last receipt that
        the caller knows of this run. Raises `LedgerError` if there is something wanted and so little room on the
        disk that outcomes might not be recorded: sending stops before recording does.
        """
        if wanted:
            self._require_room()
        writes = bool(outcomes or returned or wanted)
        with self._transaction(write=writes) as connection:
            return sync(connection, run_id, owner, outcomes, returned, wanted, since)

    def claim_owners(self, run_id: int) -> set[str]:
        """Return the owners that hold claims of a run."""
        with self._transaction() as connection:
            return set(connection.execute(sa.select(claims.c.owner).where(claims.c.run_id == run_id)).scalars())

    def settle(self, resolutions: Sequence[Resolution]) -> list[Resolution]:
        """Write what looking has told; return the verdicts that still held, and so were written.

        A group that is planned again reopens the newest run that has it, so that it can be resumed.
        """
        written: list[Resolution] = []
        by_run: dict[int, list[Resolution]] = {}
        for resolution in resolutions:
            by_run.setdefault(resolution.run_id, []).append(resolution)
        for run_id, theirs in by_run.items():
            for at in range(0, len(theirs), _CHUNK):
                with self._transaction(write=True) as connection:
                    written += write_resolutions(connection, run_id, theirs[at : at + _CHUNK])
        return written

    def close_run(self, run_id: int, *, finished: bool, note: str, verified: int | None) -> None:
        """Write how a run ended; one that has groups left to be sent stays unfinished."""
        values = {"finished": text_of(now()) if finished else None, "note": note, "verified": verified}
        with self._transaction(write=True) as connection:
            connection.execute(runs.update().where(runs.c.id == run_id).values(**values))

    def _require_room(self) -> None:
        log = self.path.with_name(f"{self.path.name}-wal")
        try:
            if free_bytes(self.path, log) >= RESERVE:
                return
            checkpoint_wal(self._engine)
            free = free_bytes(self.path, log)
        except OSError as error:
            raise self._error(os_error_reason(error)) from None
        if free < RESERVE:
            raise self._error(f"its disk is full: {max(0, free) // 1024:,} KiB are left")

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

    def _error(self, os_error_reason: str) -> LedgerError:
        damaged = "malformed" in os_error_reason or "not a database" in os_error_reason
        mend = "keep it, restore an earlier copy" if damaged else "mend the file or its folder"
        return LedgerError(
            f"The ledger {self.path} cannot be used ({os_error_reason}): {mend}, "
            "or choose another with Ledger(path) or ITNIO_LEDGER. Nothing is sent without a ledger."
        )


def _contents(fingerprint: str, planned: pd.DataFrame, orders: str) -> str:
    """Return the SHA-256 of all that was asked for: groups, actions, orders."""
    actions = planned[["action", "again_after"]].to_numpy().tolist()
    return sha256(f"{fingerprint}{actions}{orders}".encode()).hexdigest()
