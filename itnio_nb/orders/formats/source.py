"""Where orders come from: a path, an upload, an open file or pasted text."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import IO

import numpy as np

from itnio_nb.errors import InputError, os_error_reason
from itnio_nb.orders.formats import delimited, excel
from itnio_nb.orders.formats.raw_table import RawTable

_MAX_BYTES = 512 * 2**20  # of one file


def read_source(source: str | PathLike[str] | bytes | IO[bytes]) -> tuple[str, bytes]:
    """Return a source's name and bytes. A text with more than one line, or a tab, is what was pasted."""
    if isinstance(source, bytes | bytearray | memoryview):
        name, data = "upload", bytes(source)
    elif isinstance(source, str) and ("\n" in source or "\t" in source):
        name, data = "pasted text", source.encode("utf-8", "replace")
    elif isinstance(source, str | PathLike):
        name, data = _read_path(Path(source))
    elif hasattr(source, "read"):
        name, data = Path(str(getattr(source, "name", "upload"))).name, source.read()
        if not isinstance(data, bytes):
            raise InputError('The file was opened as text: open it in binary, as in open(path, "rb").')
    else:
        raise InputError(f"Orders are read from a path, bytes, an open file or a table, not {source!r}.")
    if len(data) > _MAX_BYTES:
        limit = _MAX_BYTES // 2**20
        raise InputError(f"{name} has {len(data) // 2**20:,} MiB, more than {limit}: split it into several files.")
    return name, data


def _read_path(path: Path) -> tuple[str, bytes]:
    try:
        return path.name, path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"There is no file {path}: check the name and the folder ({Path.cwd()}).") from None
    except (OSError, ValueError) as error:
        reason = os_error_reason(error)
        raise InputError(f"{path} cannot be read ({reason}): give the path of an XLSX or CSV file.") from None


def parse_table(
    name: str, data: bytes, *, sheet: str | int | None, encoding: str | None, delimiter: str | None
) -> RawTable:
    """Return the rows of a file that are not blank; XLSX, XLS and CSV are distinguished by their content."""
    if data.startswith(excel.SIGNATURES):
        table = excel.parse_excel(name, data, sheet)
    else:
        table = delimited.parse_csv(name, data, encoding, delimiter)
    filled = table.filled()
    return table if filled.all() else table.take(np.flatnonzero(filled))
