"""The row of headers, and which column is which: in the API's words, snake case, plain English and Chinese."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from difflib import get_close_matches

from itnio_nb.api.models import API_COLUMNS
from itnio_nb.errors import InputError

# What each column may be called, besides the API's own field name; case, blanks and punctuation make no difference.
_CALLED = {
    "groupName": ("group", "phone group", "name of group", "name of phone group", "话机组名称", "话机组名", "话机组"),
    "phoneName": ("phone", "name of phone", "话机名", "话机名称"),
    "quantity": ("qty", "number of phones", "phones", "phone count", "how many", "话机数", "话机数量", "数量"),
    "displayNum": ("display number", "displayed number", "caller id", "显示号码", "显示号"),
    "appId": ("application id", "voice application id", "audio application id", "语音应用id", "应用id"),
}
_SEARCHED = 60  # rows in which the headers are looked for
_LEAST = 3  # headers that must be known for a row below the first to be the row of headers


def plain(header: str) -> str:
    """Return a header without what makes no difference."""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", header).casefold())


_KNOWN = {plain(word): name for name, words in _CALLED.items() for word in (name, *words)}


def known(header: str) -> str | None:
    """Return the API's name of a column that is called so, None for any other."""
    return _KNOWN.get(plain(header))


def find_headers(rows: Sequence[Sequence[str]]) -> int:
    """Return the position of the row of headers: the first that has the most known ones, or the first row."""
    merits = [len({known(cell) for cell in row} - {None}) for row in rows[:_SEARCHED]]
    best = max(merits, default=0)
    return merits.index(best) if best >= _LEAST or (best and merits[0] == 0) else 0


def looks_like_an_order(row: Sequence[str]) -> bool:
    """Whether a row is an order rather than headers: it has a display number and a quantity."""
    numbers = [cell.strip().lstrip("+") for cell in row]
    return any(re.fullmatch(r"\d{7,13}", cell) for cell in numbers) and any(
        re.fullmatch(r"\d{1,5}", cell) for cell in numbers
    )


def require_columns(name: str, headers: Sequence[str], found: Sequence[str], row: int) -> None:
    """Raise `InputError` that says which columns are missing or there twice, and what is probably meant."""
    missing = [column for column in API_COLUMNS if column not in found]
    if missing and len(missing) == len(API_COLUMNS) and looks_like_an_order(headers):
        raise InputError(
            f"{name} has no row of headers: row {row} is an order already. Add one ({', '.join(API_COLUMNS)}), or say "
            f"what the columns are: read_orders(..., columns={list(API_COLUMNS)})."
        )
    if missing:
        free = [header for header, column in zip(headers, found, strict=True) if column not in API_COLUMNS]
        guesses = [_guess(column, free) for column in missing]
        shown = ", ".join(repr(header) for header in headers if header.strip()) or "none"
        raise InputError(
            f"{name} has no column for {', '.join(missing)}{_joined(missing, guesses)}. Its headers"
            f"{f' (row {row})' if row else ''}: {shown}. Rename or add the column; "
            "one value for all rows can be given as constants={...}."
        )
    twice = [column for column in API_COLUMNS if list(found).count(column) > 1]
    if twice:
        called = [repr(header) for header, column in zip(headers, found, strict=True) if column in twice]
        raise InputError(
            f"{name} has more than one column for {', '.join(twice)} ({', '.join(called)}): "
            "delete or rename all but one."
        )


def _joined(missing: Sequence[str], guesses: Sequence[str]) -> str:
    told = [
        f"did you mean {guess!r}" + (f" for {column}" if len(missing) > 1 else "")
        for column, guess in zip(missing, guesses, strict=True)
        if guess
    ]
    return f"; {', '.join(told)}?" if told else ""


def _guess(column: str, headers: Sequence[str]) -> str:
    """Return the header that comes nearest to what a column may be called, "" where none is near."""
    by_plain = {plain(header): header for header in headers if plain(header)}
    words = [plain(word) for word in (column, *_CALLED[column])]
    scored = [(word, near) for word in words for near in get_close_matches(word, by_plain, n=1, cutoff=0.6)]
    if scored:
        return by_plain[scored[0][1]]
    shares = [header for key, header in by_plain.items() if any(len(key) > 2 and key in word for word in words)]
    return shares[0] if shares else ""
