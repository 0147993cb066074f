"""The row of headers, and which column is which: in the API's names, snake case, plain English and Chinese."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches

from itnio_nb.api.models import API_COLUMNS
from itnio_nb.api.text import listed, shortened
from itnio_nb.errors import InputError, MissingColumnsError
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
_GUESSED = 100  # headers among which one is guessed
_SHOWN = 3  # cells of a column that is guessed
_CELLS = {  # what all cells of a column look like
    "groupName": re.compile(r".*[^\W\d].*"),
    "phoneName": re.compile(r".*[^\W\d].*"),
    "quantity": re.compile(r"[0-9]{1,4}(\.0)?"),
    "displayNum": re.compile(r"\+?[0-9][0-9 ()./-]{6,}"),
    "appId": re.compile(r"[A-Za-z0-9]{6,20}"),
}
_NAMES = ("groupName", "phoneName")
_DIVIDERS = ",;\t|，；、｜"
_LONGEST = 200  # characters of a header that can be known
_MIN_KNOWN = 3  # headers that must be known for a row below the first to be the row of headers


def normalize_header(header: str) -> str:
    """Return a header without what makes no difference."""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", header).casefold())


_KNOWN = {normalize_header(word): name for name, words in _ALIASES.items() for word in (name, *words)}


def api_column(header: str) -> str | None:
    """Return the API's name of a column with this header, None for any other."""
    return _KNOWN.get(normalize_header(header)) if len(header) <= _LONGEST else None


def known_headers(rows: Sequence[Sequence[str]], match: Mapping[str, str]) -> set[str]:
    """Return the columns of the API that the best row of headers has; `match` has the headers of some of them."""
    return max((_known(row, match) for row in rows), key=len, default=set())


def _known(row: Sequence[str], match: Mapping[str, str]) -> set[str]:
    matched = {name for name, header in match.items() if _position_of(header, row) >= 0}
    return matched | {name for cell in row if (name := api_column(cell))}


def find_header_row(rows: Sequence[Sequence[str]], match: Mapping[str, str]) -> int:
    """Return the position of the row of headers: the first that has the most known ones, or the first row."""
    scores = [len(_known(row, match)) for row in rows]
    best = max(scores, default=0)
    if not best:
        return next((at for at, row in enumerate(rows) if _undivided(row)), 0)
    return scores.index(best) if best >= _MIN_KNOWN or scores[0] == 0 else 0


def _undivided(row: Sequence[str]) -> str:
    """Return the character that divides the headers which stand together in one cell, "" where none do."""
    cells = [cell for cell in row if cell.strip()]
    if not 0 < len(cells) < _MIN_KNOWN:
        return ""
    best = max(_DIVIDERS, key=lambda divider: max(len(_known(cell.split(divider), {})) for cell in cells))
    return best if any(len(_known(cell.split(best), {})) >= _MIN_KNOWN for cell in cells) else ""


def name_columns(headers: Sequence[str], match: Mapping[str, str]) -> list[str]:
    """Return the API's name of each column where its header means one, else the header.

    `match` has the header of a column by the API's name, and goes first. A column that bears the API's own name is it;
    another word for the same one is an extra column.
    """
    own = [normalize_header(header) for header in headers]
    often = Counter(own)
    names = [api_column(header) or header for header in headers]
    for at, (header, name) in enumerate(zip(headers, names, strict=True)):
        taken = name in match or (often[normalize_header(name)] == 1 and own[at] != normalize_header(name))
        if name in API_COLUMNS and taken:
            names[at] = header if header not in API_COLUMNS else f"{header} (another)"
    for name, header in match.items():
        names[_position_of(header, headers)] = name
    return names


def require_matches(name: str, headers: Sequence[str], match: Mapping[str, str]) -> None:
    """Raise `InputError` where what is matched is no column of the API, or no header of the file, or one of two."""
    unknown = [column for column in match if column not in API_COLUMNS]
    if unknown:
        raise InputError(f"Columns are matched for {', '.join(API_COLUMNS)}, not for {listed(unknown)}.")
    for header in match.values():
        if _position_of(header, headers) < 0:
            shown = listed(f"{shortened(one)!r}" for one in headers if one.strip())
            raise InputError(f"{name} has no header {shortened(header)!r}. Its headers: {shown}.")
    if len({_position_of(header, headers) for header in match.values()}) < len(match):
        raise InputError(f"{name}: one header is matched with two columns: give each column a header of its own.")


def _position_of(header: str, headers: Sequence[str]) -> int:
    """Return where a header stands, as it is or but for case, blanks and punctuation; -1 where it does not."""
    for text, among in ((header, [*headers]), (normalize_header(header), [*map(normalize_header, headers)])):
        if text and text in among:
            return among.index(text)
    return -1


def require_columns(
    name: str, headers: Sequence[str], found: Sequence[str], row: int, samples: Callable[[int], list[str]]
) -> None:
    """Raise `InputError` that says which columns are missing or there twice, and what is probably meant.

    `samples` returns some cells of the column at a position.
    """
    missing = [column for column in API_COLUMNS if column not in found]
    if len(missing) == len(API_COLUMNS) and _looks_like_order(headers):
        way = f", or say what the columns are {setting('columns')}" if setting("columns") else ""
        raise InputError(
            f"{name} has no row of headers: row {row} is an order already. Add one ({', '.join(API_COLUMNS)}){way}."
        )
    if missing:
        unnamed = [at for at, column in enumerate(found) if column not in API_COLUMNS and headers[at].strip()]
        guesses = _guesses(missing, {headers[at]: samples(at) for at in unnamed[:_GUESSED]})
        shown = listed(f"{shortened(header)!r}" for header in headers if header.strip())
        ways = [f", or match it {setting('match')}" if setting("match") else ""]
        constant = setting("constants") or (setting("appId") if "appId" in missing else "")
        ways += [f"; one value for all rows can be given {constant}" if constant else ""]
        problem = (
            f"{name} has no column for {', '.join(missing)}{_suggestions(guesses, alone=len(missing) == 1)} Its headers"
        )
        place = f" (row {row})" if row else ""
        words = f"{problem}{place}: {shown}. Rename or add the column{''.join(ways)}."
        raise MissingColumnsError(words, missing, [headers[at] for at in unnamed], guesses)
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


def _suggestions(guesses: Mapping[str, tuple[str, list[str]]], *, alone: bool) -> str:
    found = [
        f"did you mean {shortened(header)!r}{f' ({listed(cells)})' if cells else ''}{'' if alone else f' for {column}'}"
        for column, (header, cells) in guesses.items()
    ]
    return f"; {', '.join(found)}?" if found else "."


def _guesses(missing: Sequence[str], samples: Mapping[str, list[str]]) -> dict[str, tuple[str, list[str]]]:
    """Return for each missing column the header that is likeliest meant, and three of its cells.

    A header is guessed by its words among those whose cells suit, else by its cells alone. No header twice.
    """
    guesses: dict[str, tuple[str, list[str]]] = {}
    for column in missing:
        left = [header for header in samples if header not in {header for header, _ in guesses.values()}]
        suiting = [header for header in left if _suits(column, samples[header])]
        filled = [header for header in suiting if samples[header]]
        header = _closest_header(column, suiting) or next(iter(filled), "") or _closest_header(column, left)
        if header:
            guesses[column] = header, samples[header][:_SHOWN]
    return guesses


def _suits(column: str, cells: Sequence[str]) -> bool:
    """Whether cells look like those of a column of the API: names are distinct, the application is the same."""
    distinct = len(set(cells))
    if column in _NAMES and not (distinct == len(cells) and all(4 <= len(cell) <= 32 for cell in cells)):
        return False
    return (column != "appId" or distinct <= 1) and all(map(_CELLS[column].fullmatch, cells))


def _closest_header(column: str, headers: Sequence[str]) -> str:
    """Return the header that comes nearest to what a column may be called, "" where none is near."""
    by_word = {normalize_header(header): header for header in headers if normalize_header(header)}
    aliases = [normalize_header(alias) for alias in (column, *_ALIASES[column])]
    for word in aliases:
        if near := get_close_matches(word, by_word, n=1, cutoff=0.6):
            return by_word[near[0]]
    return next((by_word[key] for key in by_word if any(len(key) > 2 and key in alias for alias in aliases)), "")
