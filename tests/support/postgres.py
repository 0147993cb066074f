"""A PostgreSQL server for tests, and a new database for each: `ITNIO_TEST_POSTGRES`, or a private server."""

from __future__ import annotations

import atexit
import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from urllib.parse import urlsplit, urlunsplit

_DURABLE = ("fsync=on", "full_page_writes=on")


@contextmanager
def new_database(*, durable: bool = False) -> Iterator[str]:
    """The address of a new, empty database, which is dropped in the end, whoever uses it; `durable`: see `server`."""
    import psycopg

    address, name = server(durable=durable), f"itnio_test_{secrets.token_hex(6)}"
    with psycopg.connect(address, autocommit=True) as connection:
        # A copy of the files costs half as much as a copy in the log, unless all that the server has goes to the disk.
        how = "wal_log" if durable or os.environ.get("ITNIO_TEST_POSTGRES") else "file_copy"
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING UTF8 STRATEGY {how}")
    try:
        yield urlunsplit(urlsplit(address)._replace(path=f"/{name}"))
    finally:
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@cache
def server(*, durable: bool = False) -> str:
    """Return the address of a server in which databases may be made; it ends with this process unless it was given.

    A private one is quick, and what it has committed may not be on the disk, unless it is to be `durable`.
    """
    if given := os.environ.get("ITNIO_TEST_POSTGRES"):
        return given
    from tests.support.cluster import running

    kept = ExitStack()
    atexit.register(kept.close)
    return kept.enter_context(running(_DURABLE if durable else ())).url(password="s3cret")
