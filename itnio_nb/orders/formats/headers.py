"""The row of headers, and which column is which: in the API's names, snake case, plain English and Chinese."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from difflib import get_close_matches

from itnio_nb.api.models import API_COLUMNS
from itnio_nb.api.text import listed, shortened
from itnio_nb.errors import InputError
from itnio_nb.orders.formats.settings import setting

# What each column may be called, besides the API's own field name; case, blanks and punctuation make no difference.
_ALIASES = {
    "groupName": ("group", "phone group", "name of group", "name of phone group", "话机组名称", "话机组名", "话机组"),
    "phoneName": ("phone", "name of phone", "话机名", "话机名称"),
    "quantity": ("qty", "number of phones", "phones", "phone count", "how many", "话机数", "话机数量", "数量"),
    "displayNum": ("display number", "displayed number", "caller id", "显示号码", "显示号"),
    "appId": ("application id", "voice application id", "audio application id", "语音应用id", "应用id"),
}
SEARCHED = 60  # rows that are searched for the headers
_DIVIDERS = ",;\t|，；、｜"
_MIN_KNOWN = 3  # headers that must be known for a row below the first to be the row of headers


def normalize_header(header: str) -> str:
    """Return a header without what makes no difference."""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", header).casefold())


_KNOWN = {normalize_header(word): name for name, words in _ALIASES.items() for word in (name, *words)}


def api_column(header: str) -> str | None:
    """Return the API's name of a column with this header, None for any other."""
    return _KNOWN.get(normalize_header(header))


def known_headers(rows: Sequence[Sequence[str]]) -> set[str]:
    """Return the columns of the API that the best row of headers has."""
    return max(map(_known, rows), key=len, default=set())


def _known(row: Sequence[str]) -> set[str]:
    return {name for cell in row if (name := api_column(cell))}


def find_header_row(rows: Sequence[Sequence[str]]) -> int:
    """Return the position of the row of headers: the first that has the most known ones, or the first row."""
    scores = [len(_known(row)) for row in rows]
    best = max(scores, default=0)
    if not best:
        return next((at for at, row in enumerate(rows) if _undivided(row)), 0)
    return scores.index(best) if best >= _MIN_KNOWN or scores[0] == 0 else 0


def _undivided(row: Sequence[str]) -> str:
    """Return the character that divides the headers which stand together in one cell, "" where none do."""
    cells = [cell for cell in row if cell.strip()]
    if not 0 < len(cells) < _MIN_KNOWN:
        return ""
    best = max(_DIVIDERS, key=lambda divider: max(len(_known(cell.split(divider))) for cell in cells))
    return best if any(len(_known(cell.split(best))) >= _MIN_KNOWN for cell in cells) else ""


def name_columns(headers: Sequence[str]) -> list[str]:
    """Return the API's name of each column where its header means one, else the header.

    A column that bears the API's own name is it; another word for the same one is an extra column.
    """
    names = [api_column(header) or header for header in headers]
    own = [normalize_header(header) for header in headers]
    return [
        header
        if name in API_COLUMNS and word != normalize_header(name) and own.count(normalize_header(name)) == 1
        else name
        for header, name, word in zip(headers, names, own, strict=True)
    ]


def require_columns(name: str, headers: Sequence[str], found: Sequence[str], row: int) -> None:
    """Raise `InputError` that says which columns are missing or there twice, and what is probably meant."""
    missing = [column for column in API_COLUMNS if column not in found]
    if len(missing) == len(API_COLUMNS) and _looks_like_order(headers):
        way = f", or say what the columns are {setting('columns')}" if setting("columns") else ""
        raise InputError(
            f"{name} has no row of headers: row {row} is an order already. Add one ({', '.join(API_COLUMNS)}){way}."
        )
    if missing:
        others = [header for header, column in zip(headers, found, strict=True) if column not in API_COLUMNS]
        shown = listed(f"{shortened(header)!r}" for header in headers if header.strip())
        way = setting("constants") or (setting("appId") if "appId" in missing else "")
        raise InputError(
            f"{name} has no column for {', '.join(missing)}{_suggestions(missing, others)} Its headers"
            f"{f' (row {row})' if row else ''}: {shown}. Rename or add the column"
            f"{f'; one value for all rows can be given {way}' if way else ''}."
        )
    repeated = [column for column in API_COLUMNS if list(found).count(column) > 1]
    if repeated:
        shown = listed(repr(header) for header, column in zip(headers, found, strict=True) if column in repeated)
        raise InputError(
            f"{name} has more than one column for {', '.join(repeated)} ({shown}): delete or rename all but one."
        )


def require_divided(name: str, headers: Sequence[str]) -> None:
    """Raise `InputError` where headers stand together in one cell."""
    divider = _undivided(headers)
    if not divider:
        return
    if divider in ",;\t|":
        step = "divide them into columns (Text to Columns in a spreadsheet program), or read the CSV file itself"
        raise InputError(f"{name} has whole lines in one cell: {step}.")
    problem = f"{name} has {divider} between its cells, which is no delimiter"
    raise InputError(f"{problem}: save it as XLSX, or with commas as CSV UTF-8.")


def _looks_like_order(row: Sequence[str]) -> bool:
    """Whether a row is an order rather than headers: it has a display number and a quantity."""
    cells = [cell.strip().lstrip("+") for cell in row]
    return all(any(re.fullmatch(pattern, cell) for cell in cells) for pattern in (r"\d{7,13}", r"\d{1,5}"))


def _suggestions(missing: Sequence[str], headers: Sequence[str]) -> str:
    guesses = [
        f"did you mean {shortened(guess)!r}" + (f" for {column}" if len(missing) > 1 else "")
        for column in missing
        if (guess := _closest_header(column, headers))
    ]
    return f"; {', '.join(guesses)}?" if guesses else "."


def _closest_header(column: str, headers: Sequence[str]) -> str:
    """Return the header that comes nearest to what a column may be called, "" where none is near."""
    by_word = {normalize_header(header): header for header in headers if normalize_header(header)}
    aliases = [normalize_header(alias) for alias in (column, *_ALIASES[column])]
    for word in aliases:
        if near := get_close_matches(word, by_word, n=1, cutoff=0.6):
            return by_word[near[0]]
    return next((by_word[key] for key in by_word if any(len(key) > 2 and key in alias for alias in aliases)), "")
