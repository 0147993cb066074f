"""A ledger in a SQLite file, and the disk under it: connections, transactions, free space, kind of the folder."""

from __future__ import annotations

import shutil
import sqlite3
import sys
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from pathlib import Path
from threading import Event
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.util import LRUCache

from itnio_nb.api.account.private import make_private, refuse_link, tighten
from itnio_nb.errors import LedgerError, os_error_reason
from itnio_nb.ledger.database.database import Database, Owner
from itnio_nb.ledger.database.sqlite.locks import OwnerLock, exclusive_lock, is_alive
from itnio_nb.ledger.database.sqlite.soundness import foreign_content, foreign_object
from itnio_nb.ledger.schema.opening import open_schema
from itnio_nb.ledger.schema.tables import info

# Enough to record what is under way: some dozens of receipts, each transaction with a few pages of 4 KiB.
RESERVE = 512 * 1024  # bytes
_BUSY = 30  # seconds for which a transaction waits for the write lock of another process
_MOUNTS = Path("/proc/self/mountinfo")
_NETWORK = ("nfs", "cifs", "smb", "afs", "9p", "ceph", "glusterfs", "lustre", "ncpfs", "sshfs", "davfs", "ocfs2")


class SQLiteFile(Database):
    """A ledger in a SQLite file, which is made, empty, where there is none.

    Raises `LedgerError` where that cannot be, and for a folder on a network.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path, self.address = path, str(path)
        self._writing = threading.Lock()  # SQLite has one writer: waiting here is fairer than polling there
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            make_private(self.path)
            for log in self._logs:
                refuse_link(log)
        except OSError as error:
            raise self.error(os_error_reason(error)) from None
        if kind := network_kind(self.path.parent):
            raise self.error(f"its folder is on a network, {kind}, where two programs could corrupt it")
        self._identity = self._file_identity()
        self.engine = open_engine(self.path)
        self._writer = self.engine.execution_options(itnio_write=True)

    @property
    def _logs(self) -> list[Path]:
        """What SQLite keeps beside the file: its write-ahead log first."""
        return [self.beside(ending) for ending in ("-wal", "-shm", "-journal")]

    def prepare(self) -> None:
        """Make or migrate the tables; refuse a file with anything in it that is not ours."""
        with self.transaction(write=True) as connection:
            self._require(foreign_object(connection))
            open_schema(connection, self.address)
        with self.transaction() as connection:
            self._require(foreign_content(connection))
        self._make_private()

    def _require(self, problem: str) -> None:
        if problem:
            raise self.error(problem, is_damaged=True)

    @contextmanager
    def transaction(self, *, write: bool = False) -> Iterator[sa.Connection]:
        """Open a transaction; one that writes takes SQLite's write lock before it reads.

        Raises `LedgerError` where the database fails, or the file was deleted or replaced since it was opened.
        """
        if self._file_identity() != self._identity:  # an open database goes on, in a file that nobody will find
            raise self.error("the file was deleted or replaced")
        engine = self._writer if write else self.engine
        try:
            with self._writing if write else nullcontext(), engine.begin() as connection:
                yield connection
        except sa.exc.SQLAlchemyError as error:
            raise self.error(str(getattr(error, "orig", None) or error)) from None
        except UnicodeDecodeError:  # SQLite's own words about a damaged file may be no text
            raise self.error("it is damaged", is_damaged=True) from None

    def _make_private(self) -> None:
        """Take the file, and what SQLite keeps beside it, away from all but its owner; warn where it was not so."""
        try:
            tighten(self.path)
            for path in self._logs[:2]:
                tighten(path, tell=False)
        except OSError as error:
            raise self.error(os_error_reason(error)) from None

    def run_transaction(self, run_id: int) -> AbstractContextManager[sa.Connection]:  # noqa: ARG002 - one writer at all
        """Open a transaction that writes."""
        return self.transaction(write=True)

    def clock(self, connection: sa.Connection) -> float:  # noqa: ARG002 - all who use a file are on one machine
        """Return this machine's time."""
        return time.time()

    def require_space(self) -> None:
        """Raise `LedgerError` if the disk has so little space left that outcomes might not be recorded."""
        log = self._logs[0]
        try:
            free = free_bytes(self.path, log)
            if free < RESERVE:
                checkpoint_wal(self.engine)
                free = free_bytes(self.path, log)
        except OSError as error:
            raise self.error(os_error_reason(error)) from None
        if free < RESERVE:
            raise self.error(f"its disk is full: {max(0, free) // 1024:,} KiB are left")

    def new_owner(self, longest_request: float = 0.0) -> Owner:  # noqa: ARG002 - they end with their process
        """Return an owner whose life is a lock file."""
        try:
            return OwnerLock(self.path)
        except OSError as error:
            raise self.error(os_error_reason(error)) from None

    def living(self, connection: sa.Connection, tokens: Collection[str]) -> set[str]:  # noqa: ARG002 - asks the disk
        """Return the tokens of those owners whose lock files are held."""
        return {token for token in tokens if is_alive(self.path, token)}

    def exclusive(self, name: str, stopping: Event) -> AbstractContextManager[None]:
        """Enter when no other process holds the lock file of that name."""
        return exclusive_lock(self.path, name, stopping)

    def beside(self, ending: str) -> Path:
        """Return the file in the same folder whose name has this ending."""
        return self.path.with_name(f"{self.path.name}{ending}")

    def _file_identity(self) -> tuple[int, int] | None:
        """Return what tells this file from another of the same name, None where there is none."""
        with suppress(OSError):
            found = self.path.stat()
            return found.st_dev, found.st_ino
        return None

    def error(self, reason: str, *, is_damaged: bool = False) -> LedgerError:
        """Return the error to raise where the ledger cannot be used, with what to do next."""
        damaged = is_damaged or "malformed" in reason or "not a database" in reason
        advice = "keep it, restore an earlier copy" if damaged else "repair the file or its folder"
        return LedgerError(
            f"The ledger {self.path} cannot be used ({reason}): {advice}, "
            "or choose another with Ledger(path) or ITNIO_LEDGER. Nothing is sent without a ledger."
        )


class SharedDialect(SQLiteDialect_pysqlite):
    """SQLAlchemy's dialect, with all instances equal, so that the ledgers of a process share compiled statements.

    They are looked up by dialect and statement; compiling for each ledger was a third of the work of a small run.
    """

    supports_statement_cache = True

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SharedDialect)

    def __hash__(self) -> int:
        return hash(SharedDialect)


registry.register("sqlite.itnio", __name__, SharedDialect.__name__)
_compiled = LRUCache[Any, Any](500)  # as many statements as an engine keeps for itself


def open_engine(path: Path) -> sa.Engine:
    """Return an engine for a SQLite file; transactions with the execution option `itnio_write=True` lock it at once."""
    url = sa.URL.create("sqlite+itnio", database=str(path))
    engine = sa.create_engine(url, connect_args={"timeout": _BUSY}, execution_options={"compiled_cache": _compiled})
    sa.event.listen(engine, "connect", _set_up)
    sa.event.listen(engine, "begin", _begin)
    return engine


def checkpoint_wal(engine: sa.Engine) -> None:
    """Copy SQLite's write-ahead log into the file and truncate it, unless others read it."""
    with suppress(sqlite3.Error), closing(engine.raw_connection()) as connection:
        connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _set_up(connection: Any, _: object) -> None:
    """Prepare a new connection. Python's own transaction handling is switched off: `_begin` does it."""
    connection.isolation_level = None
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not tables or info.name in tables:  # the mode is kept in the file: never change one that is not ours
        connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _begin(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("itnio_write") else "BEGIN")


def free_bytes(*paths: Path) -> int:
    """Return how many bytes the largest of these files, all in one folder, can still grow by."""
    free = shutil.disk_usage(paths[0].parent).free
    if sys.platform == "win32":
        return free
    import resource

    most = resource.getrlimit(resource.RLIMIT_FSIZE)[0]  # ulimit -f
    largest = max((path.stat().st_size for path in paths if path.exists()), default=0)
    return free if most == resource.RLIM_INFINITY else min(free, most - largest)


def network_kind(folder: Path) -> str:
    """Return the kind of network file system that a folder is on, "" for a disk of this machine or where none can tell.

    SQLite's write-ahead log does not work over a network (https://sqlite.org/wal.html).
    """
    try:
        lines = _MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""  # not Linux
    kinds: dict[str, str] = {}
    for line in lines:
        before, _, after = line.partition(" - ")
        point = before.split(" ")[4].encode().decode("unicode_escape")  # a blank is written \\040
        kinds[point] = after.split(" ")[0]
    deepest = max((point for point in kinds if folder.is_relative_to(point)), key=len, default="")
    kind = kinds.get(deepest, "")
    return kind if kind.removeprefix("fuse.").startswith(_NETWORK) else ""
