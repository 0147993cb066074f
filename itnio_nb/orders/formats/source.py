"""Where orders come from: a path, an upload, an open file or pasted text."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from os import PathLike
from pathlib import Path
from typing import IO

import numpy as np

from itnio_nb.api.text import shortened
from itnio_nb.errors import InputError, os_error_reason
from itnio_nb.orders.formats import delimited
from itnio_nb.orders.formats.excel.workbook import SIGNATURES, Wanted, parse_excel
from itnio_nb.orders.formats.kinds import foreign_kind
from itnio_nb.orders.formats.raw_table import RawTable

_MAX_PATH = 255  # characters of a path that are said; what is longer is none
_MAX_BYTES = 512 * 2**20  # of one file


def read_source(source: str | PathLike[str] | bytes | IO[bytes]) -> tuple[str, bytes]:
    """Return a source's name and bytes. A text with more than one line, or a tab, is what was pasted."""
    if isinstance(source, bytes | bytearray | memoryview):
        name, data = "upload", bytes(source)
    elif isinstance(source, str) and ("\n" in source or "\t" in source):
        name, data = "pasted text", source.encode("utf-8", "replace")
    elif isinstance(source, str | PathLike):
        name, data = _read_path(_as_path(source))
    elif hasattr(source, "read"):
        name, data = Path(str(getattr(source, "name", "upload"))).name, source.read()
        if not isinstance(data, bytes):
            raise InputError('The file was opened as text: open it in binary, as in open(path, "rb").')
    else:
        raise InputError(f"Orders are read from a path, bytes, an open file or a table, not {shortened(repr(source))}.")
    if len(data) > _MAX_BYTES:
        limit = _MAX_BYTES // 2**20
        raise InputError(f"{name} has {len(data) // 2**20:,} MiB, more than {limit}: split it into several files.")
    return name, data


def _as_path(text: str | PathLike[str]) -> Path:
    """Return the path that is meant: as a shell or a file manager writes it, in quotes or with ~ for one's home."""
    if not isinstance(text, str) or os.path.exists(text):  # noqa: PTH110 - it never raises
        return Path(text)
    bare = text.strip().removeprefix("file://")
    for quote in "\"'":
        if len(bare) > 2 and bare[0] == bare[-1] == quote:
            bare = bare[1:-1]
    try:
        return Path(bare).expanduser()
    except RuntimeError:  # nobody has that name here
        return Path(bare)


def _read_path(path: Path) -> tuple[str, bytes]:
    try:
        return path.name, path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"There is no file {_shown(path)}: check the name and the folder ({Path.cwd()}).") from None
    except (OSError, ValueError) as error:
        reason = os_error_reason(error)
        raise InputError(f"{_shown(path)} cannot be read ({reason}): give the path of an XLSX or CSV file.") from None


def _shown(path: Path) -> str:
    text = str(path)
    return text if len(text) <= _MAX_PATH else shortened(text)


def parse_table(
    name: str,
    data: bytes,
    *,
    sheet: str | int | None,
    encoding: str | None,
    delimiter: str | None,
    wanted: Collection[str],
    match: Mapping[str, str],
) -> RawTable:
    """Return the rows of a file that are not blank; XLSX, XLS and CSV are distinguished by their content.

    Of several sheets, the one is read that has the `wanted` columns; `match` has the headers of some of them.
    """
    what, step = foreign_kind(data)
    if what:
        raise InputError(f"{name} is {what}: {step}.")
    if data.startswith(SIGNATURES):
        table = parse_excel(name, data, sheet, Wanted(frozenset(wanted), match))
    else:
        table = delimited.parse_csv(name, data, encoding, delimiter, match)
    filled = table.filled()
    return table if filled.all() else table.take(np.flatnonzero(filled))
