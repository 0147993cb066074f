"""Who did what: the operator, the machine and the version of the program that wrote a receipt."""

from __future__ import annotations

import getpass
import os
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple

import sqlalchemy as sa

from itnio_nb.api.text import encodable, printable_line
from itnio_nb.ledger.schema.rows import insert_missing
from itnio_nb.ledger.schema.tables import actors, database_role

_MOST = 100  # characters of a name


class Actor(NamedTuple):
    """Who writes from this process, as far as it says: the database's own role is kept beside it."""

    operator: str  # `ITNIO_OPERATOR`, or the user of the operating system
    machine: str
    version: str  # of this package


def this_actor() -> Actor:
    """Return who writes from this process."""
    operator = os.environ.get("ITNIO_OPERATOR", "").strip() or _user()
    return Actor(*(encodable(printable_line(name))[:_MOST] for name in (operator, platform.node(), _version())))


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


def find_actor(connection: sa.Connection, actor: Actor) -> int | None:
    """Return the number of an actor in a ledger, None where it has written nothing yet."""
    ours = (actors.c[name] == value for name, value in actor._asdict().items())
    found: int | None = connection.execute(
        sa.select(actors.c.id).where(*ours, actors.c.role == database_role())
    ).scalar()
    return found


def add_actor(connection: sa.Connection, actor: Actor) -> int:
    """Return the number of an actor, which is new from now on where the ledger had it not."""
    connection.execute(insert_missing(connection, actors).values(**actor._asdict()))
    found = find_actor(connection, actor)
    assert found is not None  # noqa: S101 - it was just inserted
    return found
