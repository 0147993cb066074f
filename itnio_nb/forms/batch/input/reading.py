"""Read a file for a form: with the columns that were chosen last time, or as far as its columns are known."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from itnio_nb.api.text import shortened
from itnio_nb.errors import InputError, MissingColumnsError
from itnio_nb.forms.batch.input.columns.choice import ColumnChoice, FileColumns
from itnio_nb.forms.batch.input.columns.memory import ColumnMemory
from itnio_nb.orders.formats.settings import FORM, settings_named
from itnio_nb.orders.models import SOURCE
from itnio_nb.orders.read import read_orders

_AS_THEY_ARE = ColumnChoice()


@dataclass(frozen=True)
class SourceFile:
    """What is read, and can be read again: a path, a file's contents, or pasted rows."""

    name: str
    source: str | io.BytesIO
    given: Mapping[str, str]  # values for all rows, by column

    def read(self, **options: Any) -> pd.DataFrame:
        """Return its orders, by the options of `read_orders`; advice names the fields of the form."""
        if not isinstance(self.source, str):
            self.source.seek(0)
        with settings_named(FORM):
            return read_orders(self.source, **options)


@dataclass(frozen=True)
class FileRead:
    """A file that was read, or whose columns are to be chosen first: then `orders` is None, and `problem` says why."""

    file: SourceFile
    columns: FileColumns
    sheet: str
    sheets: tuple[str, ...]
    orders: pd.DataFrame | None = None
    problem: str = ""
    choice: ColumnChoice = _AS_THEY_ARE  # by which it was read
    is_remembered: bool = False  # whether it was the choice of last time

    @property
    def label(self) -> str:
        """The name of the file without its folder, as a message says it."""
        return shortened(Path(self.file.name).name) if self.file.name else "the pasted rows"

    @property
    def read_orders(self) -> pd.DataFrame:
        """The orders, of a file that was read."""
        if self.orders is None:
            raise InputError(self.problem)
        return self.orders

    def again(self, choice: ColumnChoice, *, is_remembered: bool = False) -> FileRead:
        """Read the same sheet with other columns; raises `InputError`."""
        options = {"sheet": self.sheet or None, "header": self.columns.row, "match": choice.match}
        orders = self.file.read(constants=choice.with_given(self.file.given), **options)
        return replace(self, orders=orders, problem="", choice=choice, is_remembered=is_remembered)


def read_file(
    file: SourceFile, memory: ColumnMemory | None, *, sheet: str | None = None, header: int | None = None
) -> FileRead:
    """Read a file by its own headers, or as a file with these headers was read last time. Raises `InputError`.

    A value that all rows had last time is not put into this file unasked: it is offered, to be read with or changed.
    """
    read = _read(file, sheet, header)
    chosen = memory.find(read.columns.headers) if memory is not None and read.columns.row else None
    if not chosen:
        return read
    chosen = replace(chosen, constants={name: one for name, one in chosen.constants.items() if name not in file.given})
    if chosen.constants:
        problem = f"A file with these headers was read with {chosen} last time: read this one so too, or change it."
        return replace(read, orders=None, problem=problem, choice=chosen, is_remembered=True)
    try:
        return read.again(chosen, is_remembered=True)
    except InputError:  # one of these headers is there twice now, or a value for all rows was given besides
        return read


def _read(file: SourceFile, sheet: str | None, header: int | None) -> FileRead:
    try:
        orders = file.read(sheet=sheet, header=header, constants=file.given)
    except MissingColumnsError as error:
        if error.is_headerless and header is None:
            words = f"{error.label} has no row of headers: row {error.row} is an order already"
            problem = f"{words}. Add one, or say here which column is which."
            return replace(_read(file, sheet, 0), problem=problem)
        columns = FileColumns.of_error(error)
        return FileRead(file, columns, error.sheet, error.sheets, problem=_problem(error))
    source, columns = orders.attrs[SOURCE], FileColumns.of_orders(orders, file.given)
    return FileRead(file, columns, source.sheet, source.sheets, orders)


def _problem(error: MissingColumnsError) -> str:
    """Return what is wrong in a sentence: the headers, and what may be meant, are shown below it."""
    if "has no column for" not in str(error):
        return str(error)
    words = f"{error.label} has no column for {', '.join(error.missing)}"
    return f"{words}. Rename or add the column, or match it here; one value for all rows can be given, too."
