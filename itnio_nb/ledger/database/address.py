"""Where a ledger is: a path or a URL, given or in `ITNIO_LEDGER`, and the database that is opened there."""

from __future__ import annotations

import os
from pathlib import Path

from itnio_nb.api.account.secret import MASK, Secret, hide_passwords, private_frames
from itnio_nb.errors import LedgerError
from itnio_nb.ledger.database.database import Database
from itnio_nb.ledger.database.postgres.connecting import SCHEMES
from itnio_nb.ledger.database.sqlite.file import SQLiteFile


@private_frames
def open_database(path_or_url: str | os.PathLike[str] | None) -> Database:
    """Open the ledger's database, see `ledger_address`; make its file, empty, where there is none."""
    address = ledger_address(path_or_url)
    if isinstance(address, Path):
        return SQLiteFile(address)
    from itnio_nb.ledger.database.postgres.server import PostgresServer

    return PostgresServer(address.reveal())


def ledger_address(path_or_url: str | os.PathLike[str] | None) -> Path | Secret:
    """Return the ledger's file, or the URL of its server: given, in `ITNIO_LEDGER`, or in the user's data folder.

    A URL may have a password in it.
    """
    given = os.environ.get("ITNIO_LEDGER") or None if path_or_url is None else path_or_url
    if given is None:
        from platformdirs import user_data_path

        return user_data_path("itnio-nb", appauthor=False) / "ledger.sqlite"
    if not isinstance(given, str | os.PathLike):
        raise LedgerError(f"A ledger is a file or a server: give its path or its URL, not {given!r}.")
    text = os.fspath(given)
    if text.startswith(SCHEMES):
        return Secret(text)
    is_other = "://" in text and not text.startswith("sqlite:///")
    if text == ":memory:" or is_other or hide_passwords(text) == MASK:  # a file would be called by the password in it
        raise LedgerError(
            "A ledger is a SQLite file or in a PostgreSQL server: give a path, or postgresql://user@host/database."
        )
    if "\0" in text:
        raise LedgerError(f"No file can be named {text!r}: give another path.")
    path = Path(text.removeprefix("sqlite:///")).expanduser()
    return path.parent.resolve() / path.name  # a link in its place is told, and not followed
