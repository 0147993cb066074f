"""What a server must be for a ledger to be kept there, and what the role of a session may do with it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing
from typing import Any

import sqlalchemy as sa

_OLDEST = 15
_FACTS = sa.text(
    "SELECT current_setting('server_encoding') AS encoding, "
    "current_setting('server_version_num')::int / 10000 AS major, current_schema() AS schema"
)
_STATE = sa.text(
    "SELECT pg_is_in_recovery() AS is_standby, current_setting('default_transaction_read_only')::bool AS is_read_only, "
    "quote_ident(current_user) AS role"
)
_MAY_ADD = sa.text("SELECT has_any_column_privilege('receipts', 'INSERT') AND has_table_privilege('claims', 'INSERT')")
# Where somebody else makes them in this very moment, they are there, but their owner is not seen yet.
_MAY_MAKE = sa.text(
    "SELECT CASE WHEN to_regclass('itnio_ledger') IS NULL THEN has_schema_privilege(current_schema(), 'CREATE') ELSE "
    "coalesce((SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = to_regclass('itnio_ledger')), true) END"
)
_NOT_ALLOWED = "08P01"  # a pooler's word for what it does not pass on
_TIMES = 10  # that it is looked at
_OTHERS = 2  # sessions that have a transaction open while the first one's backend is looked at


def unfitness(connection: sa.Connection) -> str:
    """Return why a server cannot keep a ledger, "" where it can."""
    facts = connection.execute(_FACTS).one()
    if facts.major < _OLDEST:
        return f"the server is PostgreSQL {facts.major}, and {_OLDEST} is the oldest that is supported"
    if facts.encoding != "UTF8":
        return f"the database has the encoding {facts.encoding}, and needs UTF8"
    return "it has no schema that this role may use" if facts.schema is None else ""


def read_only_reason(connection: sa.Connection) -> str:
    """Return why a ledger with its tables can only be read through a connection, "" where it can be written."""
    return _reason(connection, _MAY_ADD, "may only read it")


def making_hindrance(connection: sa.Connection) -> str:
    """Return why a ledger's tables can be neither made nor migrated through a connection, "" where they can."""
    return _reason(connection, _MAY_MAKE, "may not make them")


def _reason(connection: sa.Connection, is_allowed: sa.TextClause, words: str) -> str:
    state = connection.execute(_STATE).one()
    if state.is_standby:
        return "this server is a standby, which follows the one that is written to"
    if state.is_read_only:
        return "the server, the database or the role is set to be read only"
    return "" if connection.execute(is_allowed).scalar_one() else f"the role {state.role} {words}"


def shares_sessions(connect: Callable[[], Any]) -> bool:
    """Tell whether a pooler stands before a server and gives each transaction, or statement, another session.

    `connect` returns a new psycopg connection in autocommit mode. A pooler that keeps one session for each connection
    is told from others by its behaviour: nobody else meets the first connection's backend, and that has no other one.
    With two others at work, no order in which a pooler gives out its sessions hides that it shares them; that strangers
    use it meanwhile might, once, and not each time.
    """
    with ExitStack() as stack:
        first = stack.enter_context(closing(connect()))
        backend = _backend(first)
        if backend == first.info.backend_pid:  # as the server said when we connected: nobody is between
            return False
        for _ in range(_OTHERS):
            other = stack.enter_context(closing(connect()))
            if not _may_begin(other) or _backend(other) == backend:
                return True
            if any(_backend(first) != backend for _ in range(_TIMES)):
                return True
    return False


def _backend(connection: Any) -> int:
    # Never prepared: behind a pooler another backend would not know it.
    return int(connection.execute("SELECT pg_backend_pid()", prepare=False).fetchone()[0])


def _may_begin(connection: Any) -> bool:
    """Begin a transaction; tell whether there are any: a pooler may give each statement another session."""
    try:
        connection.execute("BEGIN")
    except Exception as error:
        if getattr(error, "sqlstate", None) == _NOT_ALLOWED:
            return False
        raise
    return True
