"""Sheets of XLSX and XLS workbooks."""

from __future__ import annotations

import io

import numpy as np

from itnio_nb.errors import InputError
from itnio_nb.orders.formats.raw_table import RawTable, are_numbers
from itnio_nb.orders.text_columns import cell_text, text_column

_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
SIGNATURES = (_ZIP, _OLE)  # how an XLSX and an XLS file begin


def parse_excel(name: str, data: bytes, sheet: str | int | None) -> RawTable:
    """Return the cells of one sheet, the first unless another is named."""
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(data))
        names = book.sheet_names
        wanted = _sheet_name(name, names, sheet)
        rows = book.get_sheet_by_name(wanted).to_python(skip_empty_area=False)
    except BaseException as error:  # a panic of the library's Rust is no Exception
        if not (isinstance(error, CalamineError | OSError | ValueError) or type(error).__name__ == "PanicException"):
            raise
        problem = f"{name} is not a spreadsheet that can be read ({error}): save it again as XLSX."
        raise InputError(problem) from None
    others = f", the first of {len(names)}" if sheet is None and len(names) > 1 else ""
    columns = list(zip(*rows, strict=True))
    return RawTable(
        [text_column(map(cell_text, cells)) for cells in columns],
        np.arange(1, len(rows) + 1),
        "XLSX" if data.startswith(_ZIP) else "XLS",
        f"sheet {wanted}{others}",
        [are_numbers(cells) for cells in columns],
    )


def _sheet_name(name: str, names: list[str], sheet: str | int | None) -> str:
    wanted = 0 if sheet is None else sheet
    if isinstance(wanted, int) and 0 <= wanted < len(names):
        return names[wanted]
    if wanted not in names:
        raise InputError(f"{name} has no sheet {wanted!r}. Its sheets: {', '.join(names) or 'none'}.")
    return str(wanted)
