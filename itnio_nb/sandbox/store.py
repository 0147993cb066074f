"""The sandbox's books: its accounts and their phones, in memory and, where a file is given, kept in it."""

from __future__ import annotations

import json
import os
import sqlite3
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

_APPLICATION_ID = 0x49544E42  # marks the SQLite file as a sandbox's: "ITNB"
_SHOWN = 500  # groups of one application on the page


@dataclass
class Application:
    """What one account has in one voice application."""

    records: list[dict[str, str]] = field(default_factory=list)  # its phones, as sipQuery shows them
    groups: dict[str, str] = field(default_factory=dict)  # group name -> phone name as ordered
    phone_names: set[str] = field(default_factory=set)  # as ordered


class Store:
    """Accounts by API key, applications by (API key, application id). The caller holds the lock.

    With a `file`, every entry is in it before it counts; opened again, everything is there. Raises
    `ValueError` for a file that is something else, that cannot be used, or that another sandbox uses.
    """

    def __init__(self, file: str | os.PathLike[str] | None = None) -> None:
        self.secrets: dict[str, str] = {}
        self.applications: dict[tuple[str, str], Application] = {}
        self._made = 0
        self._closed = False
        self._journal = _open_journal(Path(file)) if file is not None else None
        if self._journal is not None:
            for (entry,) in self._journal.execute("SELECT entry FROM entries ORDER BY id"):
                self._apply(**json.loads(entry))

    def close(self) -> None:
        """Let go of the file; what was in the books can still be read."""
        if self._journal is not None:
            self._closed = True
            self._journal.close()

    def add_account(self, api_key: str, api_secret: str) -> None:
        """Enter an account, or another secret of one."""
        if self.secrets.get(api_key) != api_secret:
            self._enter(key=api_key, secret=api_secret)

    def add_group(self, api_key: str, app_id: str, group: str, phone: str, passwords: list[str], number: str) -> None:
        """Enter a group with one phone for each password."""
        records = [
            {
                "groupName": group,
                "phoneName": f"{phone}-{at}",
                "account": f"test_{self._made + at:03d}",
                "password": password,
                "displayNum": number,
            }
            for at, password in enumerate(passwords, 1)
        ]
        self._enter(key=api_key, app_id=app_id, group=group, phone=phone, records=records)

    def delete_group(self, api_key: str, app_id: str, group: str) -> None:
        """Remove a group and its phones; both of its names are free again."""
        self._enter(key=api_key, app_id=app_id, deleted=group)

    def edit_phone(self, api_key: str, app_id: str, phone: str, fields: dict[str, str]) -> None:
        """Overwrite fields of one phone."""
        self._enter(key=api_key, app_id=app_id, edited=phone, fields=fields)

    def application(self, api_key: str, app_id: str) -> Application:
        """Return what an account has in an application, so far nothing where it is new."""
        return self.applications.get((api_key, app_id)) or Application()

    def _enter(self, **entry: Any) -> None:
        if self._closed:
            raise ValueError("The sandbox is stopped and has let go of its file: start() it first.")
        if self._journal is not None:
            self._journal.execute("INSERT INTO entries (entry) VALUES (?)", (json.dumps(entry),))
        self._apply(**entry)

    def _apply(self, key: str, **entry: Any) -> None:
        if "secret" in entry:
            self.secrets[key] = entry["secret"]
            return
        application = self.applications.setdefault((key, entry["app_id"]), Application())
        if "deleted" in entry:
            application.phone_names.discard(application.groups.pop(entry["deleted"], ""))
            application.records[:] = [one for one in application.records if one["groupName"] != entry["deleted"]]
            return
        if "edited" in entry:
            next(one for one in application.records if one["phoneName"] == entry["edited"]).update(entry["fields"])
            return
        application.records += entry["records"]
        application.groups[entry["group"]] = entry["phone"]
        application.phone_names.add(entry["phone"])
        self._made += len(entry["records"])

    def as_html(self, heading: str, remarks: list[str]) -> str:
        """Return a page of what exists: every text escaped, no secret, no password."""
        parts = [f"<p>{escape(remark)}</p>" for remark in remarks]
        for key in self.secrets:
            parts.append(f"<h2>Account {escape(key)}</h2>")
            mine = {app_id: held for (owner, app_id), held in self.applications.items() if owner == key}
            if not mine:
                parts.append("<p>No phones yet.</p>")
            for app_id, held in mine.items():
                parts.append(_application_html(app_id, held))
        return _PAGE.format(heading=escape(heading), body="\n".join(parts))


def _application_html(app_id: str, held: Application) -> str:
    phones: dict[str, list[dict[str, str]]] = {}
    for record in held.records:
        phones.setdefault(record["groupName"], []).append(record)
    rows = []
    for group, records in list(phones.items())[:_SHOWN]:
        names = " … ".join(dict.fromkeys((records[0]["phoneName"], records[-1]["phoneName"])))
        cells = (group, f"{len(records):,}", names, records[0]["displayNum"])
        rows.append(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>")
    more = f"<p>and {len(phones) - _SHOWN:,} more groups</p>" if len(phones) > _SHOWN else ""
    lines = "\n".join(rows)
    return (
        f"<h3>Application {escape(app_id)}: {len(phones):,} group{'s' * (len(phones) != 1)}, "
        f"{len(held.records):,} phone{'s' * (len(held.records) != 1)}</h3>\n"
        "<table><tr><th>groupName</th><th>phones</th><th>phoneName</th><th>displayNum</th></tr>\n"
        f"{lines}</table>{more}"
    )


def _open_journal(path: Path) -> sqlite3.Connection:
    """Open the file for this sandbox alone, or make it: readable by its owner only, since it holds passwords."""
    try:
        path.touch(mode=0o600)
        journal = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=0)
    except (OSError, sqlite3.Error) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise ValueError(f"The sandbox's file {path} cannot be used ({why}): choose another.") from None
    try:
        why = _take(journal)
    except sqlite3.Error as error:
        why = "another sandbox uses it" if "locked" in str(error) else str(error)
    if why:
        journal.close()
        raise ValueError(f"The sandbox's file {path} cannot be used ({why}): choose another.")
    return journal


def _take(journal: sqlite3.Connection) -> str:
    """Lock the file until it is closed, and make its table; return why that cannot be, "" where it can."""
    mark = journal.execute("PRAGMA application_id").fetchone()[0]
    tables = journal.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if mark != _APPLICATION_ID and (mark or tables):
        return "it is a database of something else"
    journal.execute("PRAGMA locking_mode = EXCLUSIVE")
    journal.execute("PRAGMA synchronous = OFF")  # a kill loses nothing; that a power cut may is fine for a stand-in
    journal.execute("BEGIN EXCLUSIVE")
    journal.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
    journal.execute("CREATE TABLE IF NOT EXISTS entries (id INTEGER PRIMARY KEY, entry TEXT NOT NULL)")
    journal.execute("COMMIT")
    return ""


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{heading}</title>
<style>
:root {{ color-scheme: light dark }}
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 60em; padding: 0 1em }}
table {{ border-collapse: collapse }}
th, td {{ text-align: left; padding: .2em 1.5em .2em 0; border-bottom: 1px solid #8886; overflow-wrap: anywhere }}
</style></head>
<body><h1>{heading}</h1>
{body}
</body></html>
"""
