"""A ledger copied into another database: gone on with wherever it was cut off, and compared row by row at its end.

While it is being made, a copy is marked as one that is not whole, and opens as a ledger nowhere.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from threading import Event

import sqlalchemy as sa

from itnio_nb.api.text import listed, plural
from itnio_nb.errors import LedgerError
from itnio_nb.ledger.database.database import Database
from itnio_nb.ledger.database.moving.rows import (
    TABLES,
    DifferentRowError,
    Progress,
    Sums,
    Tell,
    copy_rows,
    require_equal,
    set_sequences,
    shared_start,
    state_of,
    sums_of,
)
from itnio_nb.ledger.database.sqlite.file import SQLiteFile
from itnio_nb.ledger.schema.opening import is_unfinished_copy, mark_unfinished, mark_whole
from itnio_nb.ledger.schema.tables import claims, reset_runs, run_owners, runs


def copy_ledger(source: Database, target: Database, tell: Tell = lambda *_: None) -> Sums:
    """Copy all that a ledger holds into a new one, or into a copy that was cut off; return how much it is.

    `source` was opened as a ledger; `target` was not, and is whole, and every row compared, when this returns. Numbers
    of rows are kept. Raises `LedgerError` where somebody works on the source, or has written to it meanwhile, and for
    a target that holds anything else; what was copied by then stays, and the next call goes on behind it.
    """
    if is_same(source, target):
        raise LedgerError(f"{target.address} is that ledger itself: name another one to copy it into.")
    with target.exclusive("copy", Event()):
        with source.transaction() as seen:
            with source.transaction(write=True):  # nobody is in the middle of writing
                state = state_of(seen)
            _require_rest(seen, source)
            is_begun = _begin(target)
            sums = _copy(seen, source, target, tell, is_begun=is_begun)
        with source.transaction(write=True) as now:
            if state_of(now) != state:
                raise LedgerError(
                    f"Something was written to {source.address} while it was copied, so that {target.address} is not "
                    "whole: see that nobody works there, and start the same again, which goes on with it."
                )
            if is_begun:
                with target.transaction(write=True) as connection:
                    set_sequences(connection)
                    mark_whole(connection)
    target.prepare()
    return sums


def is_same(one: Database, other: Database) -> bool:
    """Tell whether two databases hold one and the same ledger, by whatever names."""
    if isinstance(one, SQLiteFile) or isinstance(other, SQLiteFile):
        both = isinstance(one, SQLiteFile) and isinstance(other, SQLiteFile)
        return both and Path(one.address).samefile(other.address)
    where = sa.text("SELECT current_database(), current_schema()")
    with one.transaction() as first, other.transaction() as second:
        if first.execute(where).one() != second.execute(where).one():
            return False
    owner = one.new_owner(0.0)  # seen from the other side only where that is the same server
    try:
        return bool(other.are_alive([owner.token]))
    finally:
        owner.release()


def _require_rest(connection: sa.Connection, source: Database) -> None:
    """Raise `LedgerError` where somebody works on a ledger: a copy would be behind at once."""
    working = sa.union(sa.select(claims.c.run_id), sa.select(run_owners.c.run_id))
    names = [*connection.execute(sa.select(runs.c.name).where(runs.c.id.in_(working)).order_by(runs.c.id)).scalars()]
    resetting = sa.select(reset_runs.c.name).where(reset_runs.c.owner.is_not(None)).order_by(reset_runs.c.id)
    names += connection.execute(resetting).scalars()
    if names:
        raise LedgerError(
            f"Nothing was copied: {plural(len(names), 'run')} at work on {source.address} ({listed(names)}). Stop "
            "them, and copy it then. A copy of a ledger on which somebody works is itnio-nb ledger backup."
        )


def _begin(target: Database) -> bool:
    """Make the tables of a new copy, and mark it; tell whether there is a copy to be made, or to be gone on with."""
    with target.transaction() as connection:
        if is_unfinished_copy(connection, target.address):
            return True
    target.prepare()
    with target.transaction(write=True) as connection:
        holds_nothing = not any(connection.execute(sa.select(table).limit(1)).first() for table in TABLES)
        if holds_nothing:
            mark_unfinished(connection)
    return holds_nothing


def _copy(seen: sa.Connection, source: Database, target: Database, tell: Tell, *, is_begun: bool) -> Sums:
    """Copy what the target lacks of what is seen of the source, and compare all of it; return how much that is."""
    sums = sums_of(seen)
    progress = Progress(sums.rows, tell)
    try:
        if is_begun:
            with target.transaction() as there:
                progress.total += sums.rows + sums_of(there).rows
                ends = shared_start(seen, there, progress)
            copy_rows(seen, partial(_writing, target), ends, progress)
        with target.transaction() as there:
            require_equal(seen, there, progress)
    except DifferentRowError as error:
        raise LedgerError(
            f"{target.address} holds something else than {source.address} ({error}): name a new one to copy it into."
        ) from None
    return sums


def _writing(target: Database) -> AbstractContextManager[sa.Connection]:
    target.require_space()
    return target.transaction(write=True)
