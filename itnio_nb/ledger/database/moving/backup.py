"""A ledger kept in a file as it is at one moment, while runs go on: written whole or not at all, and looked at then."""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path

import sqlalchemy as sa

from itnio_nb.api.account.private import make_private, refuse_link
from itnio_nb.errors import InputError, LedgerError, os_error_reason
from itnio_nb.ledger.database.database import Database
from itnio_nb.ledger.database.moving.rows import (
    DifferentRowError,
    Progress,
    Sums,
    Tell,
    copy_rows,
    require_equal,
    sums_of,
)
from itnio_nb.ledger.database.sqlite.file import SQLiteFile
from itnio_nb.ledger.database.sqlite.soundness import foreign_content, foreign_object
from itnio_nb.ledger.schema.opening import open_schema

_HEAD = b"SQLite format 3\0"
_LOGS = ("-wal", "-shm", "-journal")


def backup_ledger(ledger: Database, path: Path, *, replace: bool = False, tell: Tell = lambda *_: None) -> Sums:
    """Write all that a ledger holds now to a new SQLite file, which is a ledger of its own; return how much it is.

    Runs go on meanwhile. What was being sent becomes `unknown` when the file is opened as a ledger. With `replace` an
    earlier backup gives way. Raises `InputError` for a file that must not be written, `LedgerError` where the backup
    cannot be made, or is not as it should be: then there is none.
    """
    path = path.expanduser()
    try:
        _require_free(ledger, path, replace=replace)
        unfinished = path.with_name(f".{secrets.token_hex(8)}.tmp")  # a name that nobody has, and nobody can foresee
        try:
            make_private(unfinished)
            sums = (
                _copy_file(ledger, unfinished) if isinstance(ledger, SQLiteFile) else _write(ledger, unfinished, tell)
            )
            _check(unfinished, sums)
            _put_in_place(unfinished, path, replace=replace)
        finally:
            for ending in ("", *_LOGS):
                unfinished.with_name(f"{unfinished.name}{ending}").unlink(missing_ok=True)
    except FileExistsError:
        raise _taken(path) from None
    except OSError as error:
        raise InputError(f"{path} cannot be written ({os_error_reason(error)}): name another file.") from None
    except (sqlite3.Error, sa.exc.SQLAlchemyError, DifferentRowError) as error:
        words = getattr(error, "orig", None) or error
        raise LedgerError(f"No backup was made of {ledger.address}: {words}. Free some room, and try again.") from None
    return sums


def _require_free(ledger: Database, path: Path, *, replace: bool) -> None:
    """Raise `InputError` or `OSError` where a backup must not be written to `path`."""
    refuse_link(path)
    for ending in _LOGS:  # SQLite would take what stands there for a part of the backup
        if path.with_name(f"{path.name}{ending}").exists():
            raise InputError(f"{path.name}{ending} stands beside it: {path} is in use, or was. Name another file.")
    if not path.exists():
        return
    if isinstance(ledger, SQLiteFile) and path.samefile(ledger.path):
        raise InputError(f"{path} is the ledger itself: name another file.")
    if not replace:
        raise _taken(path)
    with path.open("rb") as file:
        if file.read(len(_HEAD)) != _HEAD:
            raise InputError(f"{path} is no backup, and is not replaced: name another file.")


def _taken(path: Path) -> InputError:
    return InputError(f"{path} exists: name a new file, or give --replace to have it replaced.")


def _copy_file(ledger: SQLiteFile, path: Path) -> Sums:
    """Copy a ledger's file page by page, as it is at one moment (https://sqlite.org/backup.html)."""
    with ledger.transaction() as seen:
        sums = sums_of(seen)  # from here on this connection sees what it saw now
        source = seen.connection.driver_connection
        if not isinstance(source, sqlite3.Connection):
            raise TypeError(source)
        with closing(sqlite3.connect(path)) as target:
            source.backup(target)
            target.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it
    return sums


def _write(ledger: Database, path: Path, tell: Tell) -> Sums:
    """Write the rows of a ledger to an empty file, from one snapshot of the server."""
    with ledger.transaction() as seen, _engine(path) as engine:
        sums = sums_of(seen)
        progress = Progress(2 * sums.rows, tell)
        try:
            with engine.begin() as connection:  # one transaction is the fastest, and nobody else looks
                open_schema(connection, str(path))
                copy_rows(seen, lambda: nullcontext(connection), {}, progress)
                require_equal(seen, connection, progress)
        except sa.exc.DBAPIError as error:
            if isinstance(error.orig, sqlite3.Error):  # of the file: the ledger has no part in it
                raise error.orig from None
            raise
    return sums


@contextmanager
def _engine(path: Path) -> Iterator[sa.Engine]:
    engine = sa.create_engine(sa.URL.create("sqlite", database=str(path)))
    try:
        yield engine
    finally:
        engine.dispose()


def _check(path: Path, sums: Sums) -> None:
    """Raise `LedgerError` for a backup that is damaged, or is not all of the ledger."""
    with _engine(path) as engine, engine.connect() as connection:
        words = "\n".join(connection.exec_driver_sql("PRAGMA integrity_check(1)").scalars())
        problem = "" if words == "ok" else words
        problem = problem or foreign_object(connection) or foreign_content(connection)
        if not problem and sums_of(connection) != sums:
            problem = "it lacks rows"
    if problem:
        raise LedgerError(f"No backup was made: what was written is not sound ({problem}). Try another disk.")


def _put_in_place(unfinished: Path, path: Path, *, replace: bool) -> None:
    """Give a file that is whole its name; raise `FileExistsError` where that was taken meanwhile."""
    with unfinished.open("rb") as file:
        os.fsync(file.fileno())
    if replace:
        unfinished.replace(path)
    else:
        os.link(unfinished, path)  # unlike a rename, it replaces nothing
    if os.name != "nt":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
