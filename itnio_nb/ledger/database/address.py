"""Where a ledger is: a path, or what stands in `ITNIO_LEDGER`, and the database that is opened there."""

from __future__ import annotations

import os
from pathlib import Path

from itnio_nb.errors import LedgerError
from itnio_nb.ledger.database.database import Database
from itnio_nb.ledger.database.sqlite import SQLiteFile


def open_database(path_or_url: str | os.PathLike[str] | None) -> Database:
    """Open the ledger's database, see `ledger_path`; make its file, empty, where there is none."""
    return SQLiteFile(ledger_path(path_or_url))


def ledger_path(path_or_url: str | os.PathLike[str] | None) -> Path:
    """Return the ledger's file: the one given, that of `ITNIO_LEDGER`, or one in the user's data folder."""
    given = os.environ.get("ITNIO_LEDGER") or None if path_or_url is None else path_or_url
    if given is None:
        from platformdirs import user_data_path

        return user_data_path("itnio-nb", appauthor=False) / "ledger.sqlite"
    if not isinstance(given, str | os.PathLike):
        raise LedgerError(f"A ledger is a file: give its path, not {given!r}.")
    text = os.fspath(given)
    if text == ":memory:" or ("://" in text and not text.startswith("sqlite:///")):
        raise LedgerError("This version keeps ledgers in SQLite files: give a path, or sqlite:/// and a path.")
    if "\0" in text:
        raise LedgerError(f"No file can be named {text!r}: give another path.")
    path = Path(text.removeprefix("sqlite:///")).expanduser()
    return path.parent.resolve() / path.name  # a link in its place is told, and not followed
