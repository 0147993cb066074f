"""Records of runbooks: made in a private folder, searched for secrets, and only then moved to where people look."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock, Timeout

from itnio_nb.api.account.account import Account
from itnio_nb.api.models import now
from itnio_nb.errors import InputError, os_error_reason
from itnio_nb.orders.export.files import write_atomically

_PRIVATE = ".private-"
_MAKING = ".making-"
_LOCK = "lock"
_STATE = "state.json"  # who made a record, and whether it was withheld
_OWN = (_LOCK, _STATE)  # files that are removed when it is published
_OLD = timedelta(days=31)


class PendingRecord:
    """A folder, `path`, in which a record is made: mode 0700, and locked as long as a process works in it.

    Which account and secret it was made with is kept in it, as a salted hash that takes long to compute. Raises
    `InputError` where none can be made.
    """

    def __init__(self, records: Path, stem: str, account: Account) -> None:
        try:
            records.mkdir(parents=True, exist_ok=True)
            self.path, self._lock = _new_folder(records, f"{now():%Y%m%dT%H%M%SZ}-{stem}")
            salt = secrets.token_hex(16)
            self._state: dict[str, Any] = {"salt": salt, "maker": _maker(account, salt), "applications": []}
            self._write()
        except OSError as error:
            problem = f"No record can be made in {records} ({os_error_reason(error)}): choose another --records."
            raise InputError(problem) from None

    @property
    def applications(self) -> list[str]:
        """Those whose passwords were listed by a cell."""
        return list(self._state["applications"])

    def add_application(self, app_id: str) -> None:
        """Note that a cell has listed the passwords of an application, for whoever searches the record."""
        if app_id not in self._state["applications"]:
            self._state["applications"].append(app_id)
            with suppress(OSError):  # a full disk ends no run
                self._write()

    def _write(self) -> None:
        write_atomically(self.path / _STATE, json.dumps(self._state).encode())

    def release(self) -> None:
        """Unlock the folder, wherever it is by now."""
        _unlock(self._lock, self.path)


def _maker(account: Account, salt: str) -> str:
    """Return a hash of account and secret that does not tell the secret to who guesses."""
    text = json.dumps([account.base_url, account.api_key, account.api_secret.reveal()]).encode()
    return hashlib.scrypt(text, salt=bytes.fromhex(salt), n=2**14, r=8, p=1).hex()


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


class LeftRecord(NamedTuple):
    """A record that no process works in, and why it is not to be searched now ("": it is)."""

    path: Path
    reason: str
    since: datetime  # of its oldest file
    until: datetime  # of its newest file
    applications: tuple[str, ...] = ()  # whose passwords a cell had


def left_records(records: Path, account: Account) -> Iterator[LeftRecord]:
    """Yield each record that a killed run has left, or that could not be searched, locked meanwhile.

    One that was withheld stays so, whoever comes: it is not among them. One that was made with another account or
    secret cannot be judged, and one that is older than a month is left to people: `reason` says so.
    """
    for path in sorted(records.glob(f"{_PRIVATE}*")):
        lock = FileLock(path / _LOCK, mode=0o600)
        try:
            lock.acquire(timeout=0)
        except (Timeout, OSError):
            continue
        try:
            if (path / _LOCK).exists() and (left := _left_record(path, account)):  # not moved since it was listed
                yield left
        finally:
            _unlock(lock, path)


def _left_record(path: Path, account: Account) -> LeftRecord | None:
    times, applications = [path.stat().st_mtime], tuple[str, ...]()
    try:
        times = [file.stat().st_mtime for file in path.iterdir() if file.name not in _OWN] or times
        state = json.loads((path / _STATE).read_bytes()) if (path / _STATE).exists() else {}
        if state.get("withheld"):
            return None
        applications = tuple(map(str, state.get("applications", ())))
        is_ours = "maker" in state and state["maker"] == _maker(account, state["salt"])
        reason = "" if is_ours else "it was made with another account or secret, which alone can search it"
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"it cannot be read ({os_error_reason(error)})"
    since, until = (datetime.fromtimestamp(moment, UTC) for moment in (min(times), max(times)))
    if not reason and now() - since > _OLD:
        reason = "it is older than a month"
    return LeftRecord(path, reason, since, until, applications)


def search_record(folder: Path, find: Callable[[str], str]) -> str:
    """Return what the files of a record contain, and where; "" for nothing. `find` says what a text contains."""
    for path in sorted(folder.rglob("*.ipynb")):
        cells = json.loads(path.read_bytes())["cells"]
        for number, cell in enumerate(cells, 1):
            if what := next(filter(None, map(find, _texts(cell))), ""):
                return f"{what} stands in cell {number} of {path.name}"
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name not in _OWN and (what := find(path.read_bytes().decode("utf-8", "replace"))):
            return f"{what} stands in {path.name}"
    return ""


def _texts(part: Any) -> Iterator[str]:
    """Yield each text of a cell, and lists of lines joined: a notebook cuts texts into lines."""
    if isinstance(part, str):
        yield part
    elif isinstance(part, list) and part and all(isinstance(line, str) for line in part):
        yield "".join(part)
        yield "\n".join(part)  # a traceback: each line ends without saying so
    elif isinstance(part, list):
        for each in part:
            yield from _texts(each)
    elif isinstance(part, dict):
        for name, each in part.items():
            yield str(name)
            yield from _texts(each)


def publish(private: Path, find: Callable[[str], str]) -> tuple[Path | None, str]:
    """Move a record to where people look, if nothing secret is in it; return its folder, or None and why not.

    What was found is final: the record is never searched again.
    """
    try:
        problem = search_record(private, find)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = os_error_reason(error) if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
        return None, f"The record cannot be searched ({reason}): {private}. Look at it, and delete it."
    if problem:
        with suppress(OSError):
            write_atomically(private / _STATE, json.dumps({"withheld": problem}).encode())
        return None, f"The record is withheld: {problem}. It stays in {private}, for you alone to read."
    try:
        public = public_path(private)
        if public.exists():
            raise FileExistsError(17, "its name is taken")
        state = (private / _STATE).read_bytes() if (private / _STATE).exists() else None
        (private / _STATE).unlink(missing_ok=True)
        try:
            private.rename(public)
        except OSError:
            if state is not None:
                (private / _STATE).write_bytes(state)
            raise
        public.chmod(0o755)
    except OSError as error:
        reason = os_error_reason(error)
        return None, f"The record stays in {private}: it cannot be moved to {private.parent} ({reason})."
    return public, ""
