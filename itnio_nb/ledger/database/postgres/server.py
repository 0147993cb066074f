"""A ledger in a PostgreSQL server: its transactions, and what makes a server unfit."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from threading import Event

import sqlalchemy as sa

from itnio_nb.errors import LedgerError
from itnio_nb.ledger.database.database import Database, Owner
from itnio_nb.ledger.database.postgres.connecting import ServerAddress, import_psycopg
from itnio_nb.ledger.database.postgres.failures import error_of
from itnio_nb.ledger.database.postgres.fitness import making_hindrance, read_only_reason, shares_sessions, unfitness
from itnio_nb.ledger.database.postgres.session import LEASE, SessionOwner, living_tokens
from itnio_nb.ledger.schema.opening import is_current, open_schema

_LOCKS = 0x49544E49  # "ITNI": the first half of the names of our locks, the second is the schema's
_RETRY = 0.1  # seconds between two tries to take a lock
# For this transaction alone: what a pool sets back afterwards would overrule a server that is set to read-only.
_READ = sa.text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
_EXCLUSIVE = sa.text("SELECT pg_advisory_xact_lock(:ours, hashtext(current_schema()))")
# First the lock that all have, then the row: who waits for the row holds nothing that somebody alone waits for.
_RUN = sa.text(
    "SELECT id FROM runs WHERE id = :run_id "
    "AND pg_advisory_xact_lock_shared(:ours, hashtext(current_schema()))::text IS NOT NULL FOR NO KEY UPDATE"
)
_NAMED = "SELECT 1 WHERE pg_try_advisory_lock(hashtext(current_schema()), hashtext(%(name)s))"


class PostgresServer(Database):
    """A ledger in the current schema of a database that exists; its tables are made where there are none."""

    _read_only = ""  # why it can only be read

    def __init__(self, url: str) -> None:
        super().__init__()
        self._psycopg = import_psycopg()
        self._server = ServerAddress(url)
        self.address = self._server.shown
        self.engine = sa.create_engine(
            "postgresql+psycopg://", creator=self._server.connect, pool_size=3, max_overflow=7, pool_use_lifo=True
        )

    @property
    def is_read_only(self) -> bool:
        """Whether it could only be read when that was last looked at: see `prepare`, and each attempt to write."""
        return bool(self._read_only)

    def prepare(self) -> None:
        """Make or migrate the tables, where that is needed; refuse a server that cannot keep a ledger."""
        with self._failures():
            if shares_sessions(lambda: self._server.connect(autocommit=True)):
                raise self.error(
                    "a pooler in transaction or statement mode stands before the server, and the locks of those at "
                    "work would be others': let it pool sessions, or name the server itself"
                )
        with self.transaction() as connection:
            if reason := unfitness(connection):
                raise self.error(reason)
            ready = is_current(connection, self.address)
            self._read_only = read_only_reason(connection) if ready else ""
            if not ready and (reason := making_hindrance(connection)):
                raise LedgerError(
                    f"The ledger {self.address} has no tables of this version, and {reason}: open it once as the role "
                    "that they belong to, see docs/teams.md."
                )
        if not ready:
            with self.transaction(write=True) as connection:
                open_schema(connection, self.address)

    def _require_writing(self) -> None:
        """Raise `LedgerError` where the ledger can only be read; what has changed meanwhile is seen."""
        if self._read_only:
            with self.transaction() as connection:
                self._read_only = read_only_reason(connection)
        if self._read_only:
            raise LedgerError(
                f"The ledger {self.address} can only be read here: {self._read_only}. "
                "Nothing is sent without a ledger that can be written."
            )

    @contextmanager
    def transaction(self, *, write: bool = False) -> Iterator[sa.Connection]:
        """Open a transaction: one that writes is alone with that, one that reads sees one state of all."""
        if write:
            self._require_writing()
        begun = self._begun(_EXCLUSIVE, ours=_LOCKS) if write else self._begun(_READ)
        with self._failures(), begun as connection:
            yield connection

    @contextmanager
    def run_transaction(self, run_id: int) -> Iterator[sa.Connection]:
        """Open a transaction that writes to one run: others write to other runs meanwhile.

        Numbers of receipts are given out when they are written, and seen when that is committed. Those of one run are
        in order all the same, since its row is locked until then: who asks for what is newer misses none.
        """
        self._require_writing()
        with self._failures(), self._begun(_RUN, run_id=run_id, ours=_LOCKS) as connection:
            yield connection

    @contextmanager
    def _begun(self, first: sa.TextClause, **parameters: int) -> Iterator[sa.Connection]:
        """Open a transaction with its first statement; a connection that the server has ended is replaced."""
        for is_last in (False, True):
            connection = self.engine.connect()
            try:
                connection.execute(first, parameters)
                break
            except BaseException as error:
                connection.close()
                if is_last or not getattr(error, "connection_invalidated", False):
                    raise
        with connection:
            yield connection
            connection.commit()

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except sa.exc.DBAPIError as error:
            raise self._error_of(error.orig) from None
        except sa.exc.SQLAlchemyError as error:
            raise self.error(str(error)) from None
        except self._psycopg.Error as error:
            raise self._error_of(error) from None

    def _error_of(self, error: BaseException | None) -> LedgerError:
        return error_of(self.address, error) or self.error(" ".join(str(error).split()))

    def clock(self, connection: sa.Connection) -> float:
        """Return the server's time: machines that work on one run may have different ones."""
        return float(connection.execute(sa.text("SELECT extract(epoch FROM clock_timestamp())")).scalar_one())

    def require_space(self) -> None:
        """Do nothing: a server that is full says so itself, and nothing has been sent then."""

    def new_owner(self, longest_request: float = 0.0) -> Owner:
        """Return an owner whose life is a session: its machine may be at work after that has ended."""
        self._require_writing()
        self.longest = max(self.longest or 0.0, LEASE + longest_request)
        with self._failures():
            return SessionOwner(lambda: self._server.connect(autocommit=True))

    def living(self, connection: sa.Connection, tokens: Collection[str]) -> set[str]:
        """Return the tokens of those owners whose sessions hold their locks."""
        return living_tokens(connection).intersection(tokens) if tokens else set()

    @contextmanager
    def exclusive(self, name: str, stopping: Event) -> Iterator[None]:
        """Enter when nobody else holds the lock of that name, in whatever session."""
        # In a session of its own, whose end frees the lock: a transaction that is idle for long is ended.
        with self._failures(), closing(self._server.connect(autocommit=True)) as connection:
            while not stopping.is_set() and not connection.execute(_NAMED, {"name": name}).fetchone():
                stopping.wait(_RETRY)
            yield

    def beside(self, ending: str) -> Path:
        """Return a file in the user's data folder, whose name has what this ledger is known by."""
        from platformdirs import user_data_path

        folder = user_data_path("itnio-nb", appauthor=False)
        with suppress(OSError):  # who writes there says what is wrong
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return folder / f"ledger-{sha256(self.address.encode()).hexdigest()[:16]}{ending}"

    def error(self, reason: str, *, is_damaged: bool = False) -> LedgerError:
        """Return the error to raise where the ledger cannot be used, with what to do next."""
        advice = "keep it, restore a backup" if is_damaged else "repair the server, its rights or its address"
        return LedgerError(
            f"The ledger {self.address} cannot be used ({reason}): {advice}, "
            "or choose another with Ledger(path_or_url) or ITNIO_LEDGER. Nothing is sent without a ledger."
        )
