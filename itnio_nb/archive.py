"""Records of runbooks: made in a private folder, searched for what must not be in them, and only then moved out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from filelock import FileLock, Timeout

from itnio_nb.client import Client
from itnio_nb.errors import InputError, ItnioError, why
from itnio_nb.model import now
from itnio_nb.signing import sign

_PRIVATE = ".private-"
_LOCK = "lock"
_HOUR = 3600
_SIGNATURE = re.compile(rb"(?<![0-9A-Fa-f])[0-9A-Fa-f]{32}(?![0-9A-Fa-f])")


class PrivateFolder:
    """Where a record is made: for its owner alone, and held by a lock as long as somebody is at work in it."""

    def __init__(self, records: Path, stem: str) -> None:
        self.records = records
        try:
            records.mkdir(parents=True, exist_ok=True)
            self.name, self.path = _new_folder(records, f"{now():%Y%m%dT%H%M%SZ}-{stem}")
        except OSError as error:
            raise InputError(f"No record can be made in {records} ({why(error)}): choose another --records.") from None
        self._lock = FileLock(self.path / _LOCK, mode=0o600)
        self._lock.acquire(timeout=0)

    def release(self) -> None:
        """Let go of it."""
        self._lock.release()
        with suppress(OSError):
            (self.path / _LOCK).unlink(missing_ok=True)


def _new_folder(records: Path, stem: str) -> tuple[str, Path]:
    number = 1
    while True:
        name = stem if number == 1 else f"{stem}-{number}"
        path = records / f"{_PRIVATE}{name}"
        number += 1
        if (records / name).exists():
            continue
        with suppress(FileExistsError):
            path.mkdir(mode=0o700)
            return name, path


def left_behind(records: Path) -> Iterator[tuple[str, Path]]:
    """Yield the private folders that nobody is at work in: their runs were killed, or their records withheld."""
    for path in sorted(records.glob(f"{_PRIVATE}*")):
        lock = FileLock(path / _LOCK, mode=0o600)
        try:
            lock.acquire(timeout=0)
        except (Timeout, OSError):
            continue
        lock.release()
        with suppress(OSError):
            (path / _LOCK).unlink(missing_ok=True)
        yield path.name.removeprefix(_PRIVATE), path


@dataclass
class Needles:
    """What must not be in a record: the secret, signatures, passwords of phones."""

    client: Client
    since: datetime
    applications: set[str] = field(default_factory=set)

    def find(self) -> Callable[[bytes], str]:
        """Return a function that says which of them stands in a text, "" for none.

        Raises `ItnioError` where the passwords cannot be asked for: then nothing can be said.
        """
        account = self.client.account
        secret = account.api_secret.reveal()
        forms = {secret, quote(secret), json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
        hidden = [(f"the API secret of …{account.api_key[-4:]}", form.encode()) for form in sorted(forms)]
        passwords: set[str] = set()
        for app_id in sorted(self.applications):
            with suppress(InputError):  # an application that the account does not have has no phones
                passwords |= set(self.client.list_phones(app_id, reveal=True)["password"])
        words = [re.escape(word) for word in sorted(passwords) if word]
        pattern = re.compile(rf"(?<![0-9A-Za-z])(?:{'|'.join(words)})(?![0-9A-Za-z])".encode()) if words else None
        first, last = int(self.since.timestamp()) - _HOUR, int(now().timestamp()) + _HOUR
        signatures = {sign(account.api_key, account.api_secret, second) for second in range(first, last)}

        def found(text: bytes) -> str:
            for what, form in hidden:
                if form in text:
                    return what
            if any(match.decode().lower() in signatures for match in _SIGNATURE.findall(text)):
                return "a signature"
            return "the password of a phone" if pattern is not None and pattern.search(text) else ""

        return found


def search_record(folder: Path, found: Callable[[bytes], str]) -> str:
    """Return what was found in the files of a record, and where, "" for nothing."""
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
    if isinstance(part, str):
        yield part + "\n"
    elif isinstance(part, list):
        joined = "".join(part) if all(isinstance(line, str) for line in part) else ""
        yield joined + "\n"
        for each in part:
            yield from _texts(each)
    elif isinstance(part, dict):
        for each in part.values():
            yield from _texts(each)


def publish(private: Path, records: Path, name: str, needles: Needles) -> tuple[Path | None, str]:
    """Move a record to where people find it, if nothing stands in it that must not: its folder, or None and why not."""
    try:
        problem = search_record(private, needles.find())
    except ItnioError as error:
        return None, f"The record was not searched yet ({error}); it stays in {private}, and the next run searches it."
    except (OSError, ValueError, KeyError, TypeError) as error:
        return (
            None,
            f"The record cannot be searched ({why(error) if isinstance(error, OSError) else error}): {private}.",
        )
    if problem:
        return None, f"The record is withheld: {problem}. It stays in {private}, for you alone to read."
    try:
        private.chmod(0o755)
        private.rename(records / name)
    except OSError as error:
        return None, f"The record stays in {private}: it cannot be moved to {records} ({why(error)})."
    return records / name, ""
