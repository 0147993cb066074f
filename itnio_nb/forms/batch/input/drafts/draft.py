"""A draft: edited orders that are in no run yet, in a private file beside the ledger, for the next form to offer."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from itnio_nb.api.account.account import Account
from itnio_nb.api.account.private import refuse_link
from itnio_nb.api.models import now
from itnio_nb.errors import InputError, os_error_reason
from itnio_nb.ledger.ledger import Ledger
from itnio_nb.orders.export.files import write_atomically
from itnio_nb.orders.export.stored import pack_orders, unpack_orders

_FORMAT, _VERSION = "itnio-nb draft", 1
_LARGEST = 1 << 30  # bytes of a draft
_NAMES = 5  # that are tried, where there are files that cannot be read
_HEAD = 1000  # bytes in which its first line is
_DAMAGED = (AttributeError, KeyError, OverflowError, RecursionError, TypeError, ValueError)


@dataclass(frozen=True)
class Draft:
    """Edited orders with what a form kept beside them, and when they were saved (UTC)."""

    orders: pd.DataFrame
    extra: Any
    saved: datetime


def draft_path(ledger: Ledger, account: Account) -> Path:
    """Return where an account's draft is; that of a sandbox is found again by the next one on the same ledger."""
    whose = f"{account.base_url}\n{account.api_key}".encode()
    name = "sandbox" if account.is_sandbox else hashlib.sha256(whose).hexdigest()[:16]
    return ledger.beside(f".draft-{name}.json")


class DraftStore:
    """The draft at a path: written whole or not at all, for its owner's eyes alone; of two forms the later one wins.

    A file there that cannot be read stays as it is: `problem` says why, and the draft is kept at the next free name
    (`-2`, `-3`, …), where `load` finds it too.
    """

    def __init__(self, path: Path) -> None:
        self._first = self.path = path
        self.problem = ""
        self._token = ""  # of the draft that this store has written or read last
        self._is_known = False  # whether `path` is the file to be written

    def save(self, orders: pd.DataFrame, extra: Any = None) -> None:
        """Write a draft over the one that is there; `extra` is any value of JSON. Raises `InputError`."""
        if not self._is_known:
            self.load()
        if not self._is_known:
            raise InputError(f"These edits are in this form alone: {self.problem}")
        token = secrets.token_hex(8)
        body = json.dumps({"orders": pack_orders(orders), "extra": extra}).encode("ascii")
        head = {"format": _FORMAT, "version": _VERSION, "token": token, "saved": now().isoformat()}
        head["sha256"] = hashlib.sha256(body).hexdigest()
        try:
            write_atomically(self.path, json.dumps(head).encode("ascii") + b"\n" + body, mode=0o600)
        except OSError as error:
            words = f"These edits are in this form alone: {self.path} cannot be written ({os_error_reason(error)})"
            raise InputError(f"{words}. Mend its folder, then edit again.") from None
        self._token = token

    def load(self) -> Draft | None:
        """Return the draft, None where there is none; one that cannot be read is left, and `problem` says why."""
        draft, problems = None, []
        for path in self._paths():
            self.path, self._is_known = path, True
            try:
                head, draft = _read(path)
                self._token = head["token"]
                break
            except FileNotFoundError:
                break
            except (OSError, *_DAMAGED) as error:
                problems.append(f"{path} cannot be read as a draft ({_reason(error)})")
                self._is_known = False
        left = "It is left there; move it away if you do not need it"
        self.problem = f"{'; '.join(problems)}. {left}." if problems else ""
        return draft

    def discard(self) -> None:
        """Delete the draft, unless another form has written one since; then that one stays."""
        token, self._token = self._token, ""
        aside = self.path.with_name(f".{secrets.token_hex(8)}.tmp")
        with suppress(OSError, *_DAMAGED):
            if not token or _token_of(self.path) != token:
                return
            self.path.rename(aside)  # what is looked at now, nobody replaces
            if _token_of(aside) == token:
                aside.unlink()
            elif not self.path.exists():
                aside.rename(self.path)

    def _paths(self) -> Iterator[Path]:
        yield self._first
        yield from (self._first.with_stem(f"{self._first.stem}-{number}") for number in range(2, _NAMES + 1))


def _read(path: Path) -> tuple[dict[str, Any], Draft]:
    """Return the first line of a draft and the draft, from one file: another may take its place meanwhile."""
    refuse_link(path)
    with path.open("rb") as file:
        head, body = _parse_head(file.readline(_HEAD)), file.read(_LARGEST)
    if hashlib.sha256(body).hexdigest() != head["sha256"]:
        raise ValueError("it is damaged")
    kept = json.loads(body)
    saved = datetime.fromisoformat(head["saved"]).astimezone(UTC)
    return head, Draft(unpack_orders(kept["orders"]), kept["extra"], saved)


def _token_of(path: Path) -> str:
    """Return what tells a draft from any other, from its first line."""
    with path.open("rb") as file:
        return str(_parse_head(file.readline(_HEAD))["token"])


def _parse_head(line: bytes) -> dict[str, Any]:
    head: dict[str, Any] = json.loads(line)
    if head["format"] != _FORMAT or not re.fullmatch("[0-9a-f]{16}", head["token"]):
        raise ValueError("it is damaged")
    if head["version"] != _VERSION:
        raise ValueError(f"it has format {head['version']}, this version of itnio-nb reads {_VERSION}")
    return head


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError):
        return os_error_reason(error)
    return str(error) if str(error).startswith("it ") else "it is damaged"
