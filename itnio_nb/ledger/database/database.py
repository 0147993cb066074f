"""What a ledger needs of the database that it is kept in; each engine has its own way of doing it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any, Protocol

import pandas as pd
import sqlalchemy as sa

from itnio_nb.errors import LedgerError
from itnio_nb.ledger.schema.actors import ActorBook

_MAX_WAIT = 600.0  # seconds; no request takes as long


class Owner(Protocol):
    """Somebody at work, alive until it is released or its process ends; known to others by its token."""

    @property
    def token(self) -> str:
        """Text that no other owner has, or ever had."""
        ...

    def is_sure(self) -> bool:
        """Tell whether it is certainly alive in the eyes of all others; False: it must send nothing."""
        ...

    def release(self) -> None:
        """Be dead from now on."""
        ...


class Database(ABC):
    """Transactions on a ledger, and who is at work in it; can be used from any thread.

    `address` is what people call it by, without a password. Every method raises `LedgerError` where the database cannot
    be used.
    """

    address: str
    engine: sa.Engine
    longest: float | None = (
        None  # seconds that a request may go on after others take its sender for dead; None: it ends
    )

    def __init__(self) -> None:
        self._actors = ActorBook()

    @abstractmethod
    def prepare(self) -> None:
        """Make the tables, or migrate those of an older version; refuse what is no ledger, or of a newer version."""

    @property
    def is_read_only(self) -> bool:
        """Whether it can only be read, by this role or at this server: what would be written raises `LedgerError`."""
        return False

    @abstractmethod
    def transaction(self, *, write: bool = False) -> AbstractContextManager[sa.Connection]:
        """Open a transaction, which sees one state of the ledger; one that writes is on disk once it has ended."""

    @abstractmethod
    def run_transaction(self, run_id: int) -> AbstractContextManager[sa.Connection]:
        """Open a transaction that writes to one run, in the order in which others read what it writes."""

    @abstractmethod
    def clock(self, connection: sa.Connection) -> float:
        """Return the Unix time that all who use this ledger go by."""

    @abstractmethod
    def require_space(self) -> None:
        """Raise `LedgerError` if so little room is left that outcomes might not be recorded."""

    @abstractmethod
    def new_owner(self, longest_request: float) -> Owner:
        """Return somebody new who is at work from now on, and whose requests take so many seconds at most."""

    @abstractmethod
    def living(self, connection: sa.Connection, tokens: Collection[str]) -> set[str]:
        """Return the tokens of those owners that are alive."""

    @abstractmethod
    def exclusive(self, name: str, stopping: Event) -> AbstractContextManager[None]:
        """Enter when nobody else is inside with the same name; enter anyway once `stopping` is set."""

    @abstractmethod
    def beside(self, ending: str) -> Path:
        """Return the file on this machine that has what belongs to this ledger, and is not in it."""

    @abstractmethod
    def error(self, reason: str, *, is_damaged: bool = False) -> LedgerError:
        """Return the error to raise where the ledger cannot be used, with what to do next."""

    def close(self) -> None:
        """Close the connections; new ones are opened when it is used again."""
        self.engine.dispose()

    def read_table(self, query: sa.Select[Any], **parameters: object) -> pd.DataFrame:
        """Return what a query selects as a table; one without rows has the columns too."""
        with self.transaction() as connection:
            return table_of(connection, query, parameters)

    def actor_number(self, connection: sa.Connection, run_ids: Iterable[int] = ()) -> int:
        """Return the number of who writes from this process, and have it noted that they work on some runs."""
        return self._actors.number(connection, run_ids)

    def are_alive(self, tokens: Iterable[str]) -> set[str]:
        """Return the tokens of those owners that are alive, as `living` does, in a transaction of its own."""
        if not (asked := set(tokens)):
            return set()
        with self.transaction() as connection:
            return self.living(connection, asked)


def until(database: Database, times: Iterable[float | None]) -> list[float]:
    """Return Unix times of the ledger's clock as those of `time.monotonic`; 0.0 for none, and for one gone by."""
    given = [None if time is None or time != time else time for time in times]  # pandas may have NaN for None
    if not any(given):
        return [0.0] * len(given)
    with database.transaction() as connection:
        there, here = database.clock(connection), monotonic()
    return [here + min(time - there, _MAX_WAIT) if time and time > there else 0.0 for time in given]


def table_of(
    connection: sa.Connection, query: sa.Select[Any], parameters: Mapping[str, object] | None = None
) -> pd.DataFrame:
    """Return what a query selects in the transaction of `connection`, as `Database.read_table` does."""
    result = connection.execute(query, parameters)
    # Tuples: pandas takes three times as long over rows of SQLAlchemy.
    return pd.DataFrame(list(map(tuple, result)), columns=list(result.keys()))
