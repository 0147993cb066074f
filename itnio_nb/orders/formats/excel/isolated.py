"""Workbooks read in a process of their own: a damaged file may end it, and takes nothing else along."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import Any, NamedTuple

import numpy as np

from itnio_nb.api.account.secret import child_environment

_MEMORY, _SECONDS = 2 << 30, 120
# What the process runs: it needs nothing of this package, so that it starts in a moment.
_PROGRAM = """
import io, pickle, sys
try:
    import resource
    resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]),) * 2)
except (ImportError, ValueError, OSError):
    pass
from python_calamine import CalamineWorkbook
book = CalamineWorkbook.from_filelike(io.BytesIO(sys.stdin.buffer.read()))
sheets = [(one.name, str(one.visible), str(one.typ)) for one in book.sheets_metadata]
cells = {}
for name, _, kind in sheets:
    if kind.endswith(".WorkSheet"):
        sheet = book.get_sheet_by_name(name)
        before = [""] * sheet.start[1] if sheet.start else []
        rows = enumerate(sheet.iter_rows(), 1)
        cells[name] = [(number, before + row) for number, row in rows if any(cell != "" for cell in row)]
pickle.dump((sheets, cells), sys.stdout.buffer)
"""


class IsolatedError(ValueError):
    """The process came to an end without having read the file."""


class _Metadata(NamedTuple):
    name: str
    visible: str
    typ: str


class _Sheet(NamedTuple):
    cells: list[list[Any]]

    def to_python(self, *, skip_empty_area: bool = False, nrows: int | None = None) -> list[list[Any]]:
        """Return the cells, from the first column on, of all rows that are not empty, or of the first of them."""
        del skip_empty_area
        return self.cells[:nrows]


class IsolatedWorkbook:
    """What the library's own class tells of a workbook, from another process, without the rows that are empty.

    `numbers` has for each sheet the numbers of its rows.
    """

    def __init__(self, data: bytes) -> None:
        """Raises `IsolatedError`."""
        words = [sys.executable, "-P", "-c", _PROGRAM, str(_MEMORY)]  # -P: no module of the working folder
        options: dict[str, Any] = {"env": child_environment(), "capture_output": True, "timeout": _SECONDS}
        try:
            done = subprocess.run(words, input=data, check=False, **options)  # noqa: S603
        except subprocess.TimeoutExpired:
            raise IsolatedError(f"not within {_SECONDS} s") from None
        if done.returncode:
            lines = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["it cannot be read"]
            raise IsolatedError(lines[-1].removeprefix("python_calamine."))
        sheets, cells = pickle.loads(done.stdout)  # noqa: S301 - our own process wrote it
        self.numbers = {name: np.array([number for number, _ in rows], dtype=int) for name, rows in cells.items()}
        self._cells = {name: [row for _, row in rows] for name, rows in cells.items()}
        self.sheets_metadata = [_Metadata(*one) for one in sheets]
        self.sheet_names = [one.name for one in self.sheets_metadata]

    def get_sheet_by_name(self, name: str) -> _Sheet:
        """Return a sheet; one that is a chart has no cells."""
        return _Sheet(self._cells.get(name, []))
