"""The accounts and phones of a sandbox, in memory and, where a file is given, kept in it."""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
import string
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from itnio_nb.api.account.account import SANDBOX_PREFIX, Account
from itnio_nb.api.account.private import make_private, tighten
from itnio_nb.errors import AccountError

_APPLICATION_ID = 0x49544E42  # marks the SQLite file as a sandbox's: "ITNB"
_SHOWN = 500  # groups of one application on the page


@dataclass
class Application:
    """What one account has in one voice application."""

    phones: list[dict[str, str]] = field(default_factory=list)  # as sipQuery shows them
    groups: dict[str, str] = field(default_factory=dict)  # group name -> phone name as ordered
    phone_names: set[str] = field(default_factory=set)  # as ordered


class Store:
    """Hold secrets by API key and applications by (API key, application id). The caller holds the lock.

    With a `file`, every change is in it before it counts, and is there when the file is opened again. Raises
    `ValueError` for a file that is something else, that cannot be used, or that another sandbox uses.
    """

    def __init__(self, file: str | os.PathLike[str] | None = None) -> None:
        self.secrets: dict[str, str] = {}
        self.applications: dict[tuple[str, str], Application] = {}
        self._created = 0
        self.closed = False
        self._journal = _open_journal(Path(file)) if file is not None else None
        if self._journal is not None:
            for (entry,) in self._journal.execute("SELECT entry FROM entries ORDER BY id"):
                self._apply(**json.loads(entry))
            self._rename_accounts()

    def close(self) -> None:
        """Release the file; what was read from it stays."""
        if self._journal is not None:
            self.closed = True
            self._journal.close()

    def add_account(self, api_key: str, api_secret: str | None) -> None:
        """Add an account, or change its secret; None keeps the secret, or makes one.

        Raises `AccountError`, also for a key that does not say that it is a sandbox's.
        """
        if not api_key.startswith(SANDBOX_PREFIX):
            raise AccountError(
                f"The API key of a sandbox begins with {SANDBOX_PREFIX}: nobody shall take its account for a live one, "
                f"or a live one for it. Give it {SANDBOX_PREFIX}{api_key if api_key.isprintable() else 'and a name'}."
            )
        secret = Account(api_key, api_secret or self.secrets.get(api_key) or random_text()).api_secret.reveal()
        if self.secrets.get(api_key) != secret:
            self._enter(key=api_key, secret=secret)

    def add_group(self, api_key: str, app_id: str, group: str, phone: str, names: list[str], number: str) -> None:
        """Add a group and its phones of these names, with accounts numbered as in the document's sample."""
        phones = [
            {"groupName": group, "phoneName": name, "account": f"test_{at:03d}"}
            | {"password": random_text(), "displayNum": number}
            for at, name in enumerate(names, self._created + 1)
        ]
        self._enter(key=api_key, app_id=app_id, group=group, phone=phone, records=phones)

    def delete_group(self, api_key: str, app_id: str, group: str) -> None:
        """Delete a group and its phones; raise `KeyError` if there is none."""
        if group not in self.application(api_key, app_id).groups:
            raise KeyError(group)
        self._enter(key=api_key, app_id=app_id, deleted=group)

    def edit_phone(self, api_key: str, app_id: str, phone_name: str, fields: dict[str, str]) -> None:
        """Overwrite fields of a phone; raise `KeyError` if there is none."""
        if phone_name not in (phone["phoneName"] for phone in self.application(api_key, app_id).phones):
            raise KeyError(phone_name)
        self._enter(key=api_key, app_id=app_id, edited=phone_name, fields=fields)

    def reset_password(self, api_key: str, app_id: str, account: str) -> str:
        """Give the phone of an account a new password and return it; the caller knows that there is one."""
        password = random_text()
        self._enter(key=api_key, app_id=app_id, reset=account, password=password)
        return password

    def application(self, api_key: str, app_id: str) -> Application:
        """Return what an account has in an application, an empty one where that is new."""
        return self.applications.get((api_key, app_id)) or Application()

    def _rename_accounts(self) -> None:
        """Give the accounts of a file of before, whose keys had no prefix, new keys; their phones stay."""
        for key in [one for one in self.secrets if not one.startswith(SANDBOX_PREFIX)]:
            self._enter(key=key, renamed=f"{SANDBOX_PREFIX}{key}")

    def _enter(self, **entry: Any) -> None:
        if self.closed:
            raise ValueError("The sandbox is stopped and has let go of its file: start() it first.")
        if self._journal is not None:
            self._journal.execute("INSERT INTO entries (entry) VALUES (?)", (json.dumps(entry),))
        self._apply(**entry)

    def _apply(self, key: str, **entry: Any) -> None:
        if "secret" in entry:
            self.secrets[key] = entry["secret"]
            return
        if "renamed" in entry:
            self.secrets = {entry["renamed"] if one == key else one: secret for one, secret in self.secrets.items()}
            for owner, app_id in [one for one in self.applications if one[0] == key]:
                self.applications[entry["renamed"], app_id] = self.applications.pop((owner, app_id))
            return
        held = self.applications.setdefault((key, entry["app_id"]), Application())
        if "deleted" in entry:
            held.phone_names.discard(held.groups.pop(entry["deleted"]))
            held.phones = [phone for phone in held.phones if phone["groupName"] != entry["deleted"]]
        elif "edited" in entry:
            next(phone for phone in held.phones if phone["phoneName"] == entry["edited"]).update(entry["fields"])
        elif "reset" in entry:
            for phone in held.phones:
                if phone["account"] == entry["reset"]:
                    phone["password"] = entry["password"]
        else:
            held.phones += entry["records"]
            held.groups[entry["group"]] = entry["phone"]
            held.phone_names.add(entry["phone"])
            self._created += len(entry["records"])

    def as_html(self, *remarks: str) -> str:
        """Return a page of what exists: every text escaped, no secret, no password."""
        parts = [f"<p>{escape(remark)}</p>" for remark in remarks]
        for key in self.secrets:
            tables = [_table(app_id, held) for (owner, app_id), held in self.applications.items() if owner == key]
            parts += [f"<h2>Account {escape(key)}</h2>", *(tables or ["<p>No phones yet.</p>"])]
        return _PAGE + "\n".join(parts)


def new_key() -> str:
    """Return an API key that no live account has."""
    return f"{SANDBOX_PREFIX}{random_text()}"


def random_text() -> str:
    """Return eight random letters and digits: a secret or a password."""
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(8))


def _table(app_id: str, held: Application) -> str:
    groups: dict[str, list[dict[str, str]]] = {}
    for phone in held.phones:
        groups.setdefault(phone["groupName"], []).append(phone)
    counts = [f"{n:,} {noun}{'s' * (n != 1)}" for n, noun in ((len(groups), "group"), (len(held.phones), "phone"))]
    lines = [f"<h3>Application {escape(app_id)}: {', '.join(counts)}</h3>", "<table>"]
    lines += ["<tr><th>groupName</th><th>phones</th><th>phoneName</th><th>displayNum</th></tr>"]
    for name, phones in list(groups.items())[:_SHOWN]:
        first_and_last = " … ".join(dict.fromkeys((phones[0]["phoneName"], phones[-1]["phoneName"])))
        cells = (name, f"{len(phones):,}", first_and_last, phones[0]["displayNum"])
        lines.append(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>")
    more = [f"<p>and {len(groups) - _SHOWN:,} more groups</p>"] if len(groups) > _SHOWN else []
    return "\n".join([*lines, "</table>", *more])


def _open_journal(path: Path) -> sqlite3.Connection:
    """Open or create the file for this sandbox alone, readable by its owner only, since it holds passwords."""
    journal = None
    try:
        make_private(path)
        journal = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=0)
        if not (problem := _lock(journal)):
            tighten(path)
            return journal
    except (OSError, sqlite3.Error) as error:
        locked = "locked" in str(error)
        problem = "another sandbox uses it" if locked else getattr(error, "strerror", None) or str(error)
    if journal is not None:
        journal.close()
    raise ValueError(f"The sandbox's file {path} cannot be used ({problem}): choose another.")


def _lock(journal: sqlite3.Connection) -> str:
    """Lock the file until it is closed and create its table; return the reason where that cannot be, else ""."""
    mark = journal.execute("PRAGMA application_id").fetchone()[0]
    tables = journal.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if mark != _APPLICATION_ID and (mark or tables):
        return "it is a database of something else"
    journal.execute("PRAGMA locking_mode = EXCLUSIVE")
    journal.execute("PRAGMA synchronous = OFF")  # a kill loses nothing; a power cut may
    journal.execute("BEGIN EXCLUSIVE")
    journal.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
    journal.execute("CREATE TABLE IF NOT EXISTS entries (id INTEGER PRIMARY KEY, entry TEXT NOT NULL)")
    journal.execute("COMMIT")
    return ""


_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>itnio-nb sandbox</title>
<style>
:root { color-scheme: light dark }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 60em; padding: 0 1em }
table { border-collapse: collapse }
th, td { text-align: left; padding: .2em 1.5em .2em 0; border-bottom: 1px solid #8886; overflow-wrap: anywhere }
</style>
<h1>itnio-nb sandbox</h1>
"""
