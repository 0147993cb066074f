"""Rows of a ledger's tables, page by page in the order of their keys: read, written as they are, compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import sqlalchemy as sa

from itnio_nb.api.text import plural
from itnio_nb.ledger.schema.tables import info, metadata, receipts, reset_receipts, reset_runs, runs

# What others refer to comes first.
TABLES = tuple(table for table in metadata.sorted_tables if table is not info)
# What is changed after a row was written; the rest of a row, and every other table, is only added to.
_OUTLINE, _TERMS = ("source", "rows", "left_out"), ("workers", "rate", "confirmed", "next_turn")
_CHANGING = {
    runs.name: ("finished", "note", "verified", *_OUTLINE, *_TERMS),
    reset_runs.name: ("finished", "note", "owner"),
}
_PAGE = 10_000  # rows
_RUNS = 5  # runs, each of which has its orders: megabytes

Row = tuple[Any, ...]
Key = tuple[Any, ...] | None  # of the last row that was read; None before the first
Tell = Callable[[str, int, int], object]  # what is being done; of how many rows it is done, and of how many in all
Write = Callable[[], AbstractContextManager[sa.Connection]]  # opens a transaction that writes


class DifferentRowError(Exception):
    """A row is another one in the other ledger, or is in one of them alone; the text says which."""


class Sums(NamedTuple):
    """How much a ledger holds."""

    runs: int
    receipts: int
    groups: int  # with a receipt
    resets: int
    rows: int  # of all tables

    def __str__(self) -> str:
        more = f", {plural(self.resets, 'receipt')} of new passwords" if self.resets else ""
        return f"{plural(self.runs, 'run')}, {plural(self.receipts, 'receipt')} of {plural(self.groups, 'group')}{more}"


class Progress:
    """Counts the rows that are done, and tells."""

    def __init__(self, total: int, tell: Tell) -> None:
        self.done, self.total, self._tell = 0, total, tell

    def add(self, activity: str, rows: int) -> None:
        """Tell of so many rows more."""
        self.done += rows
        self._tell(activity, self.done, self.total)


def sums_of(connection: sa.Connection) -> Sums:
    """Return how much a ledger holds."""
    sizes = {table: count_rows(connection, table) for table in TABLES}
    with_receipt = sa.select(sa.func.count(sa.distinct(receipts.c.group_id)))
    groups = int(connection.execute(with_receipt).scalar_one())
    return Sums(sizes[runs], sizes[receipts], groups, sizes[reset_receipts], sum(sizes.values()))


def count_rows(connection: sa.Connection, table: sa.Table) -> int:
    """Return how many rows a table has."""
    return int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())


def state_of(connection: sa.Connection) -> object:
    """Return a value that differs after whatever was written to a ledger."""
    sizes = [count_rows(connection, table) for table in TABLES]
    changing = [
        sa.select(*table.primary_key, *(table.c[name] for name in _CHANGING[table.name])).order_by(*table.primary_key)
        for table in (runs, reset_runs)
    ]
    return sizes, [[tuple(row) for row in connection.execute(query)] for query in changing]


def copy_rows(source: sa.Connection, write: Write, ends: dict[str, Key], progress: Progress) -> None:
    """Copy the rows of all tables that stand behind those that are there, each page in a transaction of its own.

    `ends` has the key of the last row that is there, by table. What may have changed of a row that is there is as it is
    in the source afterwards.
    """
    for table in TABLES:
        last = ends.get(table.name)
        after = None if table.name in _CHANGING else last
        while rows := read_page(source, table, after):
            there = [row for row in rows if last is not None and key_of(table, row) <= last]
            with write() as connection:
                for row in there:
                    _update(connection, table, row)
                write_rows(connection, table, rows[len(there) :])
            after = key_of(table, rows[-1])
            progress.add("Copy", len(rows))


def shared_start(source: sa.Connection, target: sa.Connection, progress: Progress) -> dict[str, Key]:
    """Return where the rows of each table of the target end: the key of the last, None where it has none.

    Raises `DifferentRowError` where they are not the first ones of the source. What changes of a row does not count.
    """
    ends: dict[str, Key] = {}
    for table in TABLES:
        after: Key = None
        while theirs := read_page(target, table, after):
            ours = read_page(source, table, after)[: len(theirs)]
            _require_same(table, [_lasting(table, row) for row in ours], [_lasting(table, row) for row in theirs])
            after = key_of(table, theirs[-1])
            progress.add("Compare", len(theirs))
            progress.total -= 0 if table.name in _CHANGING else len(theirs)  # that need not be copied
        ends[table.name] = after
    return ends


def require_equal(source: sa.Connection, target: sa.Connection, progress: Progress) -> None:
    """Raise `DifferentRowError` unless all rows of all tables are the same."""
    for table in TABLES:
        after: Key = None
        while True:
            ours, theirs = read_page(source, table, after), read_page(target, table, after)
            _require_same(table, ours, theirs)
            if not ours:
                break
            after = key_of(table, ours[-1])
            progress.add("Compare", len(ours))


def _require_same(table: sa.Table, ours: list[Row], theirs: list[Row]) -> None:
    if ours == theirs:
        return
    at = next((at for at, (one, other) in enumerate(zip(ours, theirs, strict=False)) if one != other), None)
    at = min(len(ours), len(theirs)) if at is None else at
    row = (ours if at < len(ours) else theirs)[at]
    names = ", ".join(f"{column.name} {row[at]}" for at, column in _key_columns(table))
    raise DifferentRowError(f"row {names} of the table {table.name}")


def read_page(connection: sa.Connection, table: sa.Table, after: Key) -> list[Row]:
    """Return the rows of a table that follow a key, as many as are held at once."""
    keys = [_ordered(connection, column) for column in table.primary_key]
    query = sa.select(table).order_by(*keys).limit(_RUNS if table is runs else _PAGE)
    if after is not None and len(keys) == 1:
        query = query.where(keys[0] > after[0])
    elif after is not None:
        last = [sa.literal(value, column.type) for value, column in zip(after, table.primary_key, strict=True)]
        query = query.where(sa.tuple_(*keys) > sa.tuple_(*last))
    return list(map(tuple, connection.execute(query)))


def write_rows(connection: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> None:
    """Insert rows with all their values, the numbers that refer to them included."""
    if connection.dialect.name != "postgresql":
        if rows:
            connection.exec_driver_sql(str(table.insert().compile(dialect=connection.dialect)), list(rows))
        return
    preparer = connection.dialect.identifier_preparer
    columns = ", ".join(map(preparer.format_column, table.columns))
    cursor: Any = connection.connection.cursor()
    with cursor, cursor.copy(f"COPY {preparer.format_table(table)} ({columns}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def set_sequences(connection: sa.Connection) -> None:
    """Have the server count on from the numbers that are there, and learn how much there is; a file needs neither."""
    if connection.dialect.name != "postgresql":
        return
    for table in TABLES:
        if (column := table.autoincrement_column) is not None:
            sequence = sa.func.pg_get_serial_sequence(table.name, column.name)
            last = sa.select(sa.func.max(column)).scalar_subquery()
            connection.execute(sa.select(sa.func.setval(sequence, sa.func.coalesce(last, 1), last.is_not(None))))
        connection.exec_driver_sql(f"ANALYZE {connection.dialect.identifier_preparer.format_table(table)}")


def key_of(table: sa.Table, row: Row) -> Row:
    """Return the primary key of a row."""
    return tuple(row[at] for at, _ in _key_columns(table))


def _key_columns(table: sa.Table) -> list[tuple[int, sa.Column[Any]]]:
    return [(at, column) for at, column in enumerate(table.columns) if column.primary_key]


def _ordered(connection: sa.Connection, column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    """Return a column in the order of its bytes: each server may have one of its own for texts."""
    is_text = connection.dialect.name == "postgresql" and isinstance(column.type, sa.Text)
    return column.collate("C") if is_text else column


def _lasting(table: sa.Table, row: Row) -> Row:
    """Return a row without what may be changed after it was written."""
    changing = _CHANGING.get(table.name, ())
    return tuple(cell for cell, column in zip(row, table.columns, strict=True) if column.name not in changing)


def _update(connection: sa.Connection, table: sa.Table, row: Row) -> None:
    """Give a row that is there the values that may have changed."""
    values = dict(zip((column.name for column in table.columns), row, strict=True))
    changed = {name: values[name] for name in _CHANGING[table.name]}
    own = [column == values[column.name] for column in table.primary_key]
    connection.execute(table.update().where(*own).values(**changed))
