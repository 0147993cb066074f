"""Who did what: the operator, the machine and the version of the program that wrote a receipt."""

from __future__ import annotations

import getpass
import os
import platform
from collections.abc import Iterable
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple
from weakref import WeakSet

import sqlalchemy as sa

from itnio_nb.api.text import encodable, printable_line
from itnio_nb.ledger.schema.rows import insert_missing
from itnio_nb.ledger.schema.tables import actors, database_role, run_actors

_MOST = 100  # characters of a name


class Actor(NamedTuple):
    """Who writes from this process, as far as it says: the database's own role is kept beside it."""

    operator: str  # `ITNIO_OPERATOR`, or the user of the operating system
    machine: str  # `ITNIO_MACHINE`, or what the operating system calls it
    version: str  # of this package


class ActorBook:
    """The numbers of who writes from this process in one ledger; they are read once, and remembered.

    What was written is remembered once another transaction has read it: the one that wrote it may yet fail.
    """

    def __init__(self) -> None:
        self._numbers: dict[Actor, int] = {}
        self._worked: set[tuple[int, int]] = set()  # a run and an actor
        self._written_in: WeakSet[sa.Connection] = WeakSet()

    def number(self, connection: sa.Connection, run_ids: Iterable[int] = ()) -> int:
        """Return the number of who writes now, and have it noted that they work on some runs."""
        actor = this_actor()
        if (number := self._numbers.get(actor)) is None:
            if (number := _find(connection, actor)) is None:
                self._written_in.add(connection)
                number = _add(connection, actor)
            elif connection not in self._written_in:
                self._numbers[actor] = number
        for run_id in run_ids:
            self._note_work(connection, run_id, number)
        return number

    def _note_work(self, connection: sa.Connection, run_id: int, number: int) -> None:
        row = {"run_id": run_id, "actor_id": number}
        if (run_id, number) in self._worked:
            return
        known = (run_actors.c[name] == value for name, value in row.items())
        if connection.execute(sa.select(run_actors.c.id).where(*known)).first() is None:
            self._written_in.add(connection)
            connection.execute(insert_missing(connection, run_actors).values(**row))
        elif connection not in self._written_in:
            self._worked.add((run_id, number))


def this_actor() -> Actor:
    """Return who writes from this process."""
    operator = os.environ.get("ITNIO_OPERATOR", "").strip() or _user()
    machine = os.environ.get("ITNIO_MACHINE", "").strip() or platform.node()
    return Actor(*(encodable(printable_line(name[:_MOST]))[:_MOST] for name in (operator, machine, _version())))


@cache
def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run as a number that has no name
        return f"user {os.getuid()}" if hasattr(os, "getuid") else ""


@cache
def _version() -> str:
    try:
        return version("itnio-nb")
    except PackageNotFoundError:
        return ""


def _find(connection: sa.Connection, actor: Actor) -> int | None:
    """Return the number of an actor in a ledger, None where it has written nothing yet."""
    ours = (actors.c[name] == value for name, value in actor._asdict().items())
    found: int | None = connection.execute(
        sa.select(actors.c.id).where(*ours, actors.c.role == database_role())
    ).scalar()
    return found


def _add(connection: sa.Connection, actor: Actor) -> int:
    """Return the number of an actor, which is new from now on where the ledger had it not."""
    connection.execute(insert_missing(connection, actors).values(**actor._asdict()))
    found = _find(connection, actor)
    assert found is not None  # noqa: S101 - it was just inserted
    return found
