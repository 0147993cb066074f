"""A PostgreSQL server for tests, and a new database for each: `ITNIO_TEST_POSTGRES`, or a private server."""

from __future__ import annotations

import atexit
import os
import re
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from tests.support.factories import ROOT
from tests.support.required import lacking

_OLDEST = 15
# Of a server whose machine will not fail: what it has answered need not be on a disk.
_FAST = ("fsync=off", "full_page_writes=off")


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
    command = [sys.executable, "-I", str(ROOT / "tests" / "support" / "postgres_server.py"), str(programs())]
    keeper = subprocess.Popen(  # in a session of its own, where no Ctrl-C reaches it
        [*command, *(() if durable else _FAST)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    atexit.register(keeper.communicate)
    assert keeper.stdout is not None
    address = keeper.stdout.readline().strip()
    assert address, keeper.communicate()[1]
    return address


def programs() -> Path:
    """Return the folder of PostgreSQL's newest programs: on the path, where `pg_config` says, or Debian has them."""
    found = {Path(one).parent for one in [shutil.which("initdb")] if one}
    if asked := shutil.which("pg_config"):
        found.add(Path(subprocess.run([asked, "--bindir"], capture_output=True, text=True, check=True).stdout.strip()))
    found |= set(Path("/usr/lib/postgresql").glob("*/bin"))
    complete = [one for one in found if all((one / name).exists() for name in ("initdb", "postgres"))]
    newest = max(complete, key=_major, default=None)
    if newest is None or _major(newest) < _OLDEST:
        lacking(
            f"no PostgreSQL {_OLDEST} or newer: on Debian and Ubuntu, apt install postgresql, "
            "or name a server in ITNIO_TEST_POSTGRES"
        )
    return newest


def _major(folder: Path) -> int:
    told = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    number = re.search(r"\d+", told)
    return int(number[0]) if number else 0
