"""Files and pasted text as a grid of cells: what kind, which encoding, delimiter and sheet; row numbers kept."""

from __future__ import annotations

import codecs
import csv
import io
import re
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import zip_longest
from os import PathLike
from pathlib import Path
from typing import IO, Any

import numpy as np

from itnio_nb.errors import InputError, os_error_reason
from itnio_nb.orders.models import cell_text
from itnio_nb.orders.text_columns import Column, column, lengths, read_regular_csv, some, trimmed

_ZIP, _OLD_EXCEL = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
_MOST = 512 * 2**20  # bytes of one file
_SAMPLE = 1 << 20  # bytes that are looked at to tell an encoding
_HEAD = 1 << 16  # bytes in which the first lines are
_DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True)
class RawTable:
    """Cells as they stand, rows without any left out."""

    columns: list[Column]  # the text of each column
    rows: np.ndarray  # the number that the spreadsheet shows for each row
    kind: str  # "XLSX", "CSV", …
    details: str  # encoding and delimiter, or the sheet
    raw: list[list[Any] | None] | None = None  # the cells of each column in their own types, where not all are text
    widths: np.ndarray | None = None  # how many cells each row has, where that differs

    def at(self, places: np.ndarray) -> RawTable:
        """Return the rows at these positions."""
        return replace(
            self,
            columns=[some(texts, places) for texts in self.columns],
            rows=self.rows[places],
            raw=[cells and [cells[place] for place in places] for cells in self.raw] if self.raw is not None else None,
            widths=self.widths[places] if self.widths is not None else None,
        )

    def below(self, place: int) -> RawTable:
        """Return the rows below a position."""
        return replace(
            self,
            columns=[texts.slice(place + 1) for texts in self.columns],
            rows=self.rows[place + 1 :],
            raw=[cells and cells[place + 1 :] for cells in self.raw] if self.raw is not None else None,
            widths=self.widths[place + 1 :] if self.widths is not None else None,
        )


def read_source(source: str | PathLike[str] | bytes | IO[bytes]) -> tuple[str, bytes]:
    """Return a source's name and bytes. A text with more than one line, or a tab, is what was pasted."""
    if isinstance(source, bytes | bytearray | memoryview):
        return "upload", _not_too_large("upload", bytes(source))
    if isinstance(source, str) and ("\n" in source or "\t" in source):
        return "pasted text", _not_too_large("pasted text", source.encode("utf-8", "replace"))
    if not isinstance(source, str | PathLike):
        if not hasattr(source, "read"):
            raise InputError(f"Orders are read from a path, bytes, an open file or a table, not {source!r}.")
        data = source.read()
        if not isinstance(data, bytes):
            raise InputError('The file was opened as text: open it in binary, as in open(path, "rb").')
        name = Path(str(getattr(source, "name", "upload"))).name
        return name, _not_too_large(name, data)
    path = Path(source)
    try:
        return path.name, _not_too_large(path.name, path.read_bytes())
    except FileNotFoundError:
        raise InputError(f"There is no file {path}: check the name and the folder ({Path.cwd()}).") from None
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path} cannot be read ({os_error_reason(error)}): give the path of an XLSX or CSV file."
        ) from None


def parse_table(
    name: str, data: bytes, *, sheet: str | int | None, encoding: str | None, delimiter: str | None
) -> RawTable:
    """Return the cells of a file; XLSX, XLS and CSV are told apart by their content."""
    if data.startswith((_ZIP, _OLD_EXCEL)):
        grid = _excel_grid(name, data, sheet)
    else:
        grid = _csv_grid(name, data, encoding, delimiter)
    filled = _filled(grid)
    return grid if filled.all() else grid.at(np.flatnonzero(filled))


def _filled(grid: RawTable) -> np.ndarray:
    """Tell for each row whether anything but blanks stands in it."""
    filled = np.zeros(len(grid.rows), dtype=bool)
    for texts in grid.columns:
        filled |= lengths(trimmed(texts)) > 0
        if filled.all():
            break
    return filled


def _not_too_large(name: str, data: bytes) -> bytes:
    if len(data) > _MOST:
        raise InputError(
            f"{name} has {len(data) // 2**20:,} MiB, more than {_MOST // 2**20}: split it into several files."
        )
    return data


def _excel_grid(name: str, data: bytes, sheet: str | int | None) -> RawTable:
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(data))
        names = book.sheet_names
        wanted = _sheet_name(name, names, sheet)
        rows = book.get_sheet_by_name(wanted).to_python(skip_empty_area=False)
    except InputError:
        raise
    except BaseException as error:
        if not (isinstance(error, CalamineError | OSError | ValueError) or type(error).__name__ == "PanicException"):
            raise
        words = f"{name} is not a spreadsheet that can be read ({error}): save it again as XLSX."
        raise InputError(words) from None
    others = f", the first of {len(names)}" if sheet is None and len(names) > 1 else ""
    raw: list[list[Any] | None] = [list(cells) for cells in zip(*rows, strict=True)]
    texts = [column([cell_text(cell) for cell in cells or ()]) for cells in raw]
    kind = "XLSX" if data.startswith(_ZIP) else "XLS"
    return RawTable(texts, np.arange(1, len(rows) + 1), kind, f"sheet {wanted}{others}", raw)


def _sheet_name(name: str, names: list[str], sheet: str | int | None) -> str:
    wanted = 0 if sheet is None else sheet
    if isinstance(wanted, int) and 0 <= wanted < len(names):
        return names[wanted]
    if wanted not in names:
        raise InputError(f"{name} has no sheet {wanted!r}. Its sheets: {', '.join(names) or 'none'}.")
    return str(wanted)


def _csv_grid(name: str, data: bytes, encoding: str | None, delimiter: str | None) -> RawTable:
    if delimiter is not None and len(delimiter) != 1:
        raise InputError(f"A delimiter is one character, not {delimiter!r}: ',', ';' or '\\t'.")
    utf8, spoken = _as_utf8(name, data, encoding)
    if b"\0" in utf8:
        raise InputError(f"{name} is neither a spreadsheet nor CSV text: save it as XLSX or as CSV UTF-8.")
    if said := re.match(rb'"?sep=(.)"?\r?\n', utf8):  # Excel's own first line, which it does not show as a row
        delimiter, utf8 = delimiter or said[1].decode("latin-1"), utf8[said.end() :]
    head = _first_lines(utf8)
    if not head:
        return RawTable([], np.array([], dtype=int), "CSV", "")
    delimiter = delimiter or _guess_delimiter(head)
    details = f"{spoken}, {_DELIMITERS.get(delimiter, delimiter)}"
    columns, widths = None, None
    if delimiter.isascii() and _has_a_row_in_each_line(utf8):
        columns = read_regular_csv(utf8, delimiter, _width(head[0], delimiter))
    if columns is None:
        columns, widths = _irregular_columns(name, utf8.decode("utf-8"), delimiter)
    rows = np.arange(1, 1 + (len(columns[0]) if columns else 0))
    return RawTable(columns, rows, "CSV", details, widths=widths)


def _has_a_row_in_each_line(utf8: bytes) -> bool:
    """Whether no line is empty, and none ends in the old way, with a carriage return alone."""
    old = b"\r" in utf8 and (utf8.count(b"\r") != utf8.count(b"\r\n") or b"\n\r" in utf8)
    ends = np.flatnonzero(np.frombuffer(utf8, dtype=np.uint8) == ord("\n"))
    return not old and not utf8.startswith((b"\r", b"\n")) and not (np.diff(ends) == 1).any()


def _as_utf8(name: str, data: bytes, encoding: str | None) -> tuple[bytes, str]:
    """Return the text of a file as UTF-8 without a mark, and the encoding that it was in."""
    if encoding is None or encoding.lower().replace("-", "").replace("_", "") in ("utf8", "utf8sig"):
        while data.startswith(codecs.BOM_UTF8):  # some programs write it twice
            data = data.removeprefix(codecs.BOM_UTF8)
    found = "" if encoding else _detect(data)
    if found == "utf-8":
        return data, found
    wanted = encoding or found or "utf-8"
    try:
        text = data.decode("utf-8" if wanted == "utf-8-sig" else wanted)
    except (LookupError, UnicodeError) as error:
        if isinstance(error, UnicodeDecodeError):
            raise InputError(_not_decoded(name, data, wanted, error)) from None
        raise InputError(f"There is no encoding {encoding!r}: try 'utf-8', 'gb18030' or 'cp1252'.") from None
    spoken = f"{found}, detected" if found else wanted
    return text.removeprefix("\ufeff").encode("utf-8", "replace"), spoken


def _detect(data: bytes) -> str:
    """Tell an encoding by its mark, else by what makes sense: UTF-8, UTF-16, Chinese, western; "" if nothing does."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return encoding
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    else:
        if b"\0" not in data[:_SAMPLE]:
            return "utf-8"
    sample = data[:_SAMPLE]
    for at, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        if len(sample) > 3 and sample[at::2].count(0) > 0.4 * len(sample[at::2]) and not sample[1 - at :: 2].count(0):
            return encoding
    return "gb18030" if _looks_chinese(sample) else "cp1252" if _looks_western(data) else ""


def _looks_chinese(sample: bytes) -> bool:
    """Tell whether what is not ASCII are mostly common Chinese characters."""
    text = sample.decode("gb18030", "replace")
    foreign = [char for char in text if char > "\x7f"]
    common = sum(len(char.encode("gb2312", "ignore")) == 2 and "\u4e00" <= char <= "\u9fff" for char in foreign)
    marks = sum(char in "，。：；（）、“”《》　" or "\uff01" <= char <= "\uff5e" for char in foreign)
    return bool(foreign) and common + marks > 0.6 * len(foreign)


def _looks_western(data: bytes) -> bool:
    try:
        data.decode("cp1252")
    except UnicodeDecodeError:
        return False
    return b"\0" not in data


def _not_decoded(name: str, data: bytes, encoding: str, error: UnicodeDecodeError) -> str:
    row = data.count(b"\n", 0, error.start) + 1
    return (
        f"{name} is not {encoding} text (row {row}, byte {error.start}): save it as CSV UTF-8, "
        "or say what it is: encoding='cp1252' (western Excel) or 'gb18030' (Chinese Excel)."
    )


def _first_lines(utf8: bytes) -> list[str]:
    """Return the first lines that hold more than blanks and delimiters."""
    blank = len(utf8) - len(utf8.lstrip(b' ,;|\t\r\n"'))
    lines = utf8[blank : blank + _HEAD].decode("utf-8", "ignore").splitlines()
    return [line for line in lines if line.strip(' ,;|\t\r"')][:20]


def _guess_delimiter(head: list[str]) -> str:
    """Return the delimiter that makes the first lines widest, the most alike."""

    def merit(delimiter: str) -> tuple[int, int]:
        counts = [line.count(delimiter) for line in head]
        usual = max(set(counts), key=counts.count)
        return (min(usual, 4), max(counts))

    return max(_DELIMITERS, key=merit)


def _width(line: str, delimiter: str) -> int:
    return len(next(csv.reader([line], delimiter=delimiter)))


def _irregular_columns(name: str, text: str, delimiter: str) -> tuple[list[Column], np.ndarray]:
    """Read rows of different widths, blank rows, old line ends; return the columns and how many cells each row has."""
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        row = _row_of_error(text, delimiter)
        raise InputError(f"{name}: row {row} cannot be read ({error}): look for a quote that is not closed.") from None
    widths = np.array([len(row) for row in rows], dtype=int)
    return [column(cells) for cells in zip_longest(*rows, fillvalue="")], widths


def _row_of_error(text: str, delimiter: str) -> int:
    reader, row = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True), 1
    with suppress(csv.Error):
        while next(reader, None) is not None:
            row += 1
    return row
