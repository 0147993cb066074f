"""Which headers were matched with which columns, remembered in a private file for the next file that has them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from itnio_nb.api.account.private import refuse_link
from itnio_nb.api.models import API_COLUMNS
from itnio_nb.errors import os_error_reason
from itnio_nb.forms.batch.input.columns.choice import ColumnChoice
from itnio_nb.orders.export.files import write_atomically
from itnio_nb.orders.formats.headers import normalize_header

_FORMAT, _VERSION = "itnio-nb columns", 1
_MOST = 300  # sets of headers, the newest
_LARGEST = 4 * 2**20  # bytes of the file


class ColumnMemory:
    """Remember choices by the set of a file's headers: neither order, case, blanks nor punctuation make a difference.

    The file has headers and values for all rows, and no cell. One that cannot be read or written is no error: nothing
    is remembered, and `problem` says why.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problem = ""

    def find(self, headers: Iterable[str]) -> ColumnChoice | None:
        """Return what was chosen for these headers the last time, as they are written now; None where nothing was."""
        names = list(headers)
        chosen = self._load().get(_key(names))
        if chosen is None:
            return None
        written = {normalize_header(name): name for name in reversed(names)}
        match = {column: written.get(normalize_header(header), "") for column, header in chosen.match.items()}
        return ColumnChoice(match, chosen.constants)

    def keep(self, headers: Iterable[str], choice: ColumnChoice) -> None:
        """Remember a choice; one of nothing, as the file's own headers would have it, is forgotten."""
        choices, key = self._load(), _key(headers)
        if self.problem or (not choice and key not in choices):
            return
        choices.pop(key, None)
        if choice:
            choices[key] = choice
        newest = list(choices.items())[-_MOST:]
        kept = [{"headers": key, "match": dict(one.match), "constants": dict(one.constants)} for key, one in newest]
        text = json.dumps({"format": _FORMAT, "version": _VERSION, "choices": kept}, indent=1)
        try:
            write_atomically(self.path, text.encode("ascii"), mode=0o600)
        except OSError as error:
            self.problem = f"This choice is not remembered: {self.path} cannot be written ({os_error_reason(error)})."

    def _load(self) -> dict[str, ColumnChoice]:
        self.problem = ""
        try:
            refuse_link(self.path)
            if not self.path.exists():
                return {}
            with self.path.open(encoding="ascii") as file:
                return _choices(json.loads(file.read(_LARGEST)))
        except (OSError, RecursionError, TypeError, ValueError, KeyError, AttributeError) as error:
            reason = os_error_reason(error) if isinstance(error, OSError) else "it is damaged, or of another version"
            self.problem = f"Columns are not remembered: {self.path} cannot be used ({reason})."
            return {}


def _choices(kept: dict[str, Any]) -> dict[str, ColumnChoice]:
    if (kept["format"], kept["version"]) != (_FORMAT, _VERSION):
        raise ValueError("another format")
    return {one["headers"]: ColumnChoice(_texts(one["match"]), _texts(one["constants"])) for one in kept["choices"]}


def _texts(kept: dict[str, Any]) -> dict[str, str]:
    for column, text in kept.items():
        if column not in API_COLUMNS or not isinstance(text, str):
            raise ValueError("neither a header nor a value")
    return dict(kept)


def _key(headers: Iterable[str]) -> str:
    names = sorted(filter(None, set(map(normalize_header, headers))))
    return hashlib.sha256("\n".join(names).encode("utf-8", "backslashreplace")).hexdigest()
