"""The row of headers, and which column is which: in the API's names, snake case, plain English and Chinese."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
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
_HINTS = {  # words in a header that make it likely, though it is never taken without being asked about
    "groupName": ("group", "team", "department", "dept", "gruppe", "abteilung", "grupo", "groupe", "组"),
    "phoneName": (
        "handset",
        "prefix",
        "präfix",
        "préfix",
        "prefijo",
        "device",
        "extension",
        "apparat",
        "telefon",
        "phone",
        "話机",
        "话机",
    ),
    "quantity": ("qty", "count", "how many", "anzahl", "menge", "cantidad", "quantit", "amount", "pieces", "数量"),
    "displayNum": (
        "caller",
        "display",
        "anzeige",
        "affich",
        "cli",
        "rufnummer",
        "shown",
        "outgoing",
        "number",
        "nummer",
        "numero",
        "号码",
    ),
    "appId": ("application", "appid", "app", "anwendung", "应用"),
}
SEARCHED = 60  # rows that are searched for the headers
_GUESSED = 100  # headers among which one is guessed
_MOST = 0.8  # of a column's cells: a file is read to be mended
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
        undivided = (at for at, row in enumerate(rows) if _undivided(row))
        return next(undivided, _first_wide_row(rows))
    return scores.index(best) if best >= _MIN_KNOWN or scores[0] == 0 else _first_wide_row(rows)


def _first_wide_row(rows: Sequence[Sequence[str]]) -> int:
    """Return the position of the first row with half as many cells as the widest: a title above has one or two."""
    widths = [sum(bool(cell.strip()) for cell in row) for row in rows]
    return next((at for at, width in enumerate(widths) if 2 * width > max(widths)), 0)


def _undivided(row: Sequence[str]) -> str:
    """Return the character that divides the headers which stand together in one cell, "" where none do."""
    cells = [cell for cell in row if cell.strip()]
    if not 0 < len(cells) < _MIN_KNOWN:
        return ""
    best = max(_DIVIDERS, key=lambda divider: max(len(_known(cell.split(divider), {})) for cell in cells))
    return best if any(len(_known(cell.split(best), {})) >= _MIN_KNOWN for cell in cells) else ""


def name_columns(headers: Sequence[str], match: Mapping[str, str]) -> list[str]:
    """Return the API's name of each column where its header means one, else the header.

    `match` has the header of a column by the API's name, "" for none, and goes first. A column that bears the API's
    own name is it; another word for the same one is an extra column.
    """
    own = [normalize_header(header) for header in headers]
    often = Counter(own)
    names = [api_column(header) or header for header in headers]
    for at, (header, name) in enumerate(zip(headers, names, strict=True)):
        taken = name in match or (often[normalize_header(name)] == 1 and own[at] != normalize_header(name))
        if name in API_COLUMNS and taken:
            names[at] = header if header not in API_COLUMNS else f"{header} (another)"
    for name, header in match.items():
        if header:
            names[_position_of(header, headers)] = name
    return names


def require_matches(name: str, headers: Sequence[str], match: Mapping[str, str]) -> None:
    """Raise `InputError` where what is matched is no column of the API, or no header of the file, or one of two."""
    unknown = [column for column in match if column not in API_COLUMNS]
    if unknown:
        raise InputError(f"Columns are matched for {', '.join(API_COLUMNS)}, not for {listed(unknown)}.")
    wanted = [header for header in match.values() if header]
    for header in wanted:
        if _position_of(header, headers) < 0:
            shown = listed(f"{shortened(one)!r}" for one in headers if one.strip())
            raise InputError(f"{name} has no header {shortened(header)!r}. Its headers: {shown}.")
    if len({_position_of(header, headers) for header in wanted}) < len(wanted):
        raise InputError(f"{name}: one header is matched with two columns: give each column a header of its own.")


def _position_of(header: str, headers: Sequence[str]) -> int:
    """Return where a header stands, as it is or but for case, blanks and punctuation; -1 where it does not."""
    for text, among in ((header, [*headers]), (normalize_header(header), [*map(normalize_header, headers)])):
        if text and text in among:
            return among.index(text)
    return -1


def require_columns(
    name: str,
    headers: Sequence[str],
    found: Sequence[str],
    given: Sequence[str],
    row: int,
    samples: Callable[[int], list[str]],
) -> None:
    """Raise `MissingColumnsError` that says which columns are missing or there twice, and what is probably meant.

    `given` are the columns that have one value for all rows; `samples` returns some cells of the column at a position.
    """
    missing = [column for column in API_COLUMNS if column not in (*found, *given)]
    repeated = [column for column in API_COLUMNS if list(found).count(column) > 1]
    if not missing and not repeated:
        return
    known = _KnownColumns(headers, found, {headers[at]: samples(at) for at in _named(headers)}, row)
    if len(missing) == len(API_COLUMNS) and _looks_like_order(headers):
        way = f", or say what the columns are {setting('columns')}" if setting("columns") else ""
        words = f"{name} has no row of headers: row {row} is an order already. Add one ({', '.join(API_COLUMNS)}){way}."
        raise known.error(words, missing, {}, is_headerless=True)
    if missing:
        guesses = _guesses(missing, {header: known.samples.get(header, []) for header in known.unnamed})
        words = _missing_words(name, headers, missing, guesses, row)
        raise known.error(words, missing, guesses)
    twice = [(header, column) for header, column in zip(headers, found, strict=True) if column in repeated]
    words = f"{name} has more than one column for {', '.join(repeated)} ({listed(repr(header) for header, _ in twice)})"
    way = f", or match the one that is meant {setting('match')}" if setting("match") else ""
    guesses = {column: (header, known.samples[header][:_SHOWN]) for header, column in reversed(twice)}
    raise known.error(f"{words}: delete or rename all but one{way}.", repeated, guesses)


def _named(headers: Sequence[str]) -> list[int]:
    """Return where each header stands first, or the first of very many."""
    first: dict[str, int] = {}
    for at, header in enumerate(headers):
        if header.strip():
            first.setdefault(header, at)
    return list(first.values())[:_GUESSED]


@dataclass(frozen=True)
class _KnownColumns:
    """What is known of the columns of a table in which some are missing."""

    headers: Sequence[str]
    found: Sequence[str]
    samples: Mapping[str, list[str]]  # by header
    row: int

    @property
    def unnamed(self) -> list[str]:
        pairs = zip(self.headers, self.found, strict=True)
        return [header for header, column in pairs if column not in API_COLUMNS and header.strip()]

    def error(
        self,
        words: str,
        missing: Sequence[str],
        guesses: Mapping[str, tuple[str, list[str]]],
        *,
        is_headerless: bool = False,
    ) -> MissingColumnsError:
        known = {column: header for header, column in zip(self.headers, self.found, strict=True) if header.strip()}
        recognised = {column: header for column, header in known.items() if column in {*API_COLUMNS} - {*missing}}
        taken = set(recognised.values())
        left = [header for header in self.headers if header.strip() and header not in taken]
        samples = {header: cells[:_SHOWN] for header, cells in self.samples.items()}
        error = MissingColumnsError(words, missing, left, guesses, recognised=recognised, samples=samples, row=self.row)
        error.is_headerless = is_headerless
        return error


def _missing_words(
    name: str, headers: Sequence[str], missing: Sequence[str], guesses: Mapping[str, tuple[str, list[str]]], row: int
) -> str:
    shown = listed(f"{shortened(header)!r}" for header in headers if header.strip())
    ways = [f", or match it {setting('match')}" if setting("match") else ""]
    constant = setting("constants") or (setting("appId") if "appId" in missing else "")
    ways += [f"; one value for all rows can be given {constant}" if constant else ""]
    suggested = _suggestions(guesses, alone=len(missing) == 1)
    place = f" (row {row})" if row else ""
    problem = f"{name} has no column for {', '.join(missing)}{suggested} Its headers{place}: {shown}."
    return f"{problem} Rename or add the column{''.join(ways)}."


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

    A header is guessed by its words among those whose cells suit; then, of what is left, by its cells alone.
    """
    found: dict[str, str] = {}
    for by_words in (True, False):
        for column in missing:
            left = [header for header in samples if header not in found.values()]
            suiting = [header for header in left if _suits(column, samples[header])]
            filled = [header for header in suiting if samples[header]]
            if by_words:
                header = _closest_header(column, suiting) or _hinted_header(column, filled)
            else:
                header = next(iter(filled), "") or _closest_header(column, left) or _hinted_header(column, left)
            if header and column not in found:
                found[column] = header
    return {column: (found[column], samples[found[column]][:_SHOWN]) for column in missing if column in found}


def _hinted_header(column: str, headers: Sequence[str]) -> str:
    """Return the header that has the first of the words by which a column may be known, "" where none has any."""
    words = map(normalize_header, _HINTS[column])
    found = (header for word in words for header in headers if word in normalize_header(header))
    return next(found, "")


def _suits(column: str, cells: Sequence[str]) -> bool:
    """Whether most cells look like a column's of the API: names are distinct, the application is the same."""
    cells = [cell.strip() for cell in cells]
    distinct, most = len(set(cells)), _MOST * len(cells)
    if column in _NAMES and (distinct < most or sum(4 <= len(cell) <= 32 for cell in cells) < most):
        return False
    return (column != "appId" or distinct <= 1) and sum(map(bool, map(_CELLS[column].fullmatch, cells))) >= most


def _closest_header(column: str, headers: Sequence[str]) -> str:
    """Return the header that comes nearest to what a column may be called, "" where none is near."""
    by_word = {normalize_header(header): header for header in headers if normalize_header(header)}
    aliases = [normalize_header(alias) for alias in (column, *_ALIASES[column])]
    for word in aliases:
        if near := get_close_matches(word, by_word, n=1, cutoff=0.6):
            return by_word[near[0]]
    return next((by_word[key] for key in by_word if any(len(key) > 2 and key in alias for alias in aliases)), "")
