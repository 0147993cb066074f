"""Records of runbooks: made in a private folder, searched for secrets, and only then moved to where people look."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import unquote, unquote_plus

from filelock import FileLock, Timeout

from itnio_nb.api.client import Client
from itnio_nb.api.models import now
from itnio_nb.api.signing import sign
from itnio_nb.errors import InputError, ItnioError, os_error_reason

_PRIVATE = ".private-"
_MAKING = ".making-"
_LOCK = "lock"
_HOUR = 3600
_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_SIGNATURE = re.compile(rb"(?<![0-9A-Fa-f])[0-9A-Fa-f]{32}(?![0-9A-Fa-f])")


class PendingRecord:
    """A folder, `path`, in which a record is made: mode 0700, and locked as long as a process works in it.

    Raises `InputError` where none can be made.
    """

    def __init__(self, records: Path, stem: str) -> None:
        try:
            records.mkdir(parents=True, exist_ok=True)
            self.path, self._lock = _new_folder(records, f"{now():%Y%m%dT%H%M%SZ}-{stem}")
        except OSError as error:
            problem = f"No record can be made in {records} ({os_error_reason(error)}): choose another --records."
            raise InputError(problem) from None

    def release(self) -> None:
        """Unlock the folder, wherever it is by now."""
        _unlock(self._lock, self.path)


def public_path(private: Path) -> Path:
    """Return where a record will be once it is published."""
    return private.with_name(private.name.removeprefix(_PRIVATE))


def _unlock(lock: FileLock, private: Path) -> None:
    """Release a lock, and remove its file, published by now or not."""
    lock.release()
    for folder in (private, public_path(private)):
        with suppress(OSError):
            (folder / _LOCK).unlink(missing_ok=True)


def _new_folder(records: Path, stem: str) -> tuple[Path, FileLock]:
    """Make a folder under a name that is not taken; return it and its lock, which is held."""
    number = 1
    while True:
        name = stem if number == 1 else f"{stem}-{number}"
        path = records / f"{_PRIVATE}{name}"
        number += 1
        if path.exists() or public_path(path).exists():
            continue
        making = records / f"{_MAKING}{name}"
        with suppress(FileExistsError):
            making.mkdir(mode=0o700)
            lock = FileLock(making / _LOCK, mode=0o600)
            lock.acquire(timeout=0)
            try:
                making.rename(path)  # held from the moment that others see it
            except OSError:  # somebody else was quicker
                _unlock(lock, making)
                making.rmdir()
                continue
            return path, lock


def unpublished_records(records: Path) -> Iterator[Path]:
    """Yield the folder of each record that no process works in, locked meanwhile: one withheld, or of a killed run."""
    for path in sorted(records.glob(f"{_PRIVATE}*")):
        lock = FileLock(path / _LOCK, mode=0o600)
        try:
            lock.acquire(timeout=0)
        except (Timeout, OSError):
            continue
        try:
            if (path / _LOCK).exists():  # not moved since it was listed
                yield path
        finally:
            _unlock(lock, path)


@dataclass
class SecretScanner:
    """Finds the API secret, request signatures and passwords of phones in texts."""

    client: Client
    since: datetime  # when the record was begun
    applications: set[str] = field(default_factory=set)  # whose phones have the passwords

    def find(self) -> Callable[[bytes], str]:
        """Return a function that says which of them a text contains, "" for none.

        Raises `ItnioError` where the passwords cannot be listed: no text can be cleared then.
        """
        account = self.client.account
        secret = account.api_secret.reveal()
        written = (repr(secret), ascii(secret), json.dumps(secret), json.dumps(secret, ensure_ascii=False))
        forms = sorted({secret, *(form[1:-1] for form in written)})
        passwords = self._passwords()

        def found(text: bytes) -> str:
            readable = text.decode("utf-8", "replace")
            # As other tools write it: a page, an address, a form.
            views = (readable, unescape(readable), unquote(readable), unquote_plus(readable))
            if any(form in view for form in forms for view in views):
                return f"the API secret of …{account.api_key[-4:]}"
            if self._is_signed({match.decode().lower() for match in _SIGNATURE.findall(text)}):
                return "a signature"
            return "the password of a phone" if passwords is not None and passwords.search(text) else ""

        return found

    def _passwords(self) -> re.Pattern[bytes] | None:
        """Return a pattern that matches each password as a whole word; None where there are none."""
        passwords: set[str] = set()
        for app_id in sorted(self.applications):
            with suppress(InputError):  # an application that the account does not have has no phones
                passwords |= set(self.client.list_phones(app_id, reveal=True)["password"])
        words = "|".join(re.escape(password) for password in sorted(passwords) if password)
        return re.compile(rf"(?<![0-9A-Za-z])(?:{words})(?![0-9A-Za-z])".encode()) if words else None

    def _is_signed(self, candidates: set[str]) -> bool:
        """Return whether one of them is a signature that was valid since an hour before the record was begun."""
        account, ahead = self.client.account, int(self.client.clock_offset)  # requests have the server's time
        first = int(self.since.timestamp()) - _HOUR + min(0, ahead)
        last = int(now().timestamp()) + _HOUR + max(0, ahead)
        seconds = range(first, last) if candidates else ()
        return any(sign(account.api_key, account.api_secret, second) in candidates for second in seconds)


def search_record(folder: Path, found: Callable[[bytes], str]) -> str:
    """Return what the files of a record contain, and where; "" for nothing."""
    for path in sorted(folder.rglob("*.ipynb")):
        cells = json.loads(path.read_bytes())["cells"]
        for number, cell in enumerate(cells, 1):
            # As text too: JSON writes some characters in another way.
            if what := found(json.dumps(cell, ensure_ascii=False).encode()) or found("".join(_texts(cell)).encode()):
                return f"{what} stands in cell {number} of {path.name}"
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != _LOCK and (what := found(path.read_bytes())):
            return f"{what} stands in {path.name}"
    return ""


def _texts(part: Any) -> Iterator[str]:
    """Yield each text of a cell without colours, and lists of lines also joined: a secret may be cut by a line."""
    if isinstance(part, str):
        yield _COLOUR.sub("", part) + "\n"
    elif isinstance(part, list):
        joined = "".join(part) if all(isinstance(line, str) for line in part) else ""
        yield _COLOUR.sub("", joined) + "\n"
        for each in part:
            yield from _texts(each)
    elif isinstance(part, dict):
        for each in part.values():
            yield from _texts(each)


def publish(private: Path, scanner: SecretScanner) -> tuple[Path | None, str]:
    """Move a record to where people look, if nothing secret is in it; return its folder, or None and why not."""
    try:
        problem = search_record(private, scanner.find())
    except ItnioError as error:
        return None, f"The record was not searched yet ({error}); it stays in {private}, and the next run searches it."
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = os_error_reason(error) if isinstance(error, OSError) else error
        return None, f"The record cannot be searched ({reason}): {private}."
    if problem:
        return None, f"The record is withheld: {problem}. It stays in {private}, for you alone to read."
    try:
        public = private.rename(public_path(private))
        public.chmod(0o755)
    except OSError as error:
        return (
            None,
            f"The record stays in {private}: it cannot be moved to {private.parent} ({os_error_reason(error)}).",
        )
    return public, ""
