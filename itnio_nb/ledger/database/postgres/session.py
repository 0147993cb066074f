"""Somebody at work on a ledger in PostgreSQL: alive as long as the server has the session that holds its lock."""

from __future__ import annotations

import secrets
import selectors
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Any

import sqlalchemy as sa

_PING = 1.0  # seconds between two questions whether the session is still there
_LOOK = 0.1  # seconds between two looks whether the server has ended it
_HELD = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
# Seconds after the last answer from which an owner takes itself for dead: before the server can, see `DEAD_AFTER`.
LEASE = 8.0
_LIVING = sa.text(
    "SELECT (classid::bigint << 32) | objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 "
    "AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


class SessionOwner:
    """Hold a lock in a session of its own until `release`; the server frees it when the session is gone.

    `lost` is set once the session has not answered for `LEASE` seconds, or is known to be gone: from then on others may
    take what this owner had claimed for unknown, and it must send nothing more.
    """

    def __init__(self, connect: Callable[[], Any]) -> None:
        """`connect` returns a psycopg connection in autocommit mode; raises what it raises."""
        self.token = secrets.token_hex(8)  # never used again, so that a dead owner stays dead
        self.lost = threading.Event()
        self._released = threading.Event()
        self._answered = time.monotonic()
        self._connection = connect()
        self._connection.execute("SELECT pg_advisory_lock(%s)", (_key(self.token),))
        threading.Thread(target=self._watch, name=f"owner-{self.token}", daemon=True).start()
        threading.Thread(target=self._expire, name=f"lease-{self.token}", daemon=True).start()

    def release(self) -> None:
        """End the session: from now on this owner is dead."""
        self._released.set()
        with suppress(Exception), closing(self._connection):
            if self.is_sure():  # a server notices a moment later that a session is closed
                self._connection.execute("SELECT pg_advisory_unlock(%s)", (_key(self.token),))

    def is_sure(self) -> bool:
        """Tell whether this owner is certainly alive in the eyes of the others."""
        return not self.lost.is_set() and time.monotonic() - self._answered < LEASE

    def _watch(self) -> None:
        """Ask again and again whether the lock is held: through some poolers another session would answer."""
        while not self._released.wait(_LOOK):
            asked = time.monotonic()
            try:
                if _is_closed(self._connection):
                    break
                if asked - self._answered >= _PING and not self._connection.execute(_HELD).fetchone()[0]:
                    break
            except Exception:  # noqa: BLE001 - whatever it is, nobody can tell any more whether the lock is held
                break
            self._answered = asked if asked - self._answered >= _PING else self._answered
        if not self._released.is_set():
            self.lost.set()

    def _expire(self) -> None:
        while not self._released.wait(_PING / 4) and not self.lost.is_set():
            if not self.is_sure():
                self.lost.set()


def living_tokens(connection: sa.Connection) -> set[str]:
    """Return the tokens of all owners that hold their locks in this database."""
    return {_token(int(key)) for key in connection.execute(_LIVING).scalars()}


def _is_closed(connection: Any) -> bool:
    """Tell whether a server has ended a session, or has something to say, which it does before it ends one."""
    with selectors.DefaultSelector() as selector:
        selector.register(connection.fileno(), selectors.EVENT_READ)
        return bool(selector.select(0))


def _key(token: str) -> int:
    return int.from_bytes(bytes.fromhex(token), signed=True)


def _token(key: int) -> str:
    return key.to_bytes(8, signed=True).hex()
