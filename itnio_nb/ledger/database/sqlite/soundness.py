"""Whether a SQLite file is a ledger of ours, with nothing in it that we have not put there.

A file of somebody else may have views in place of tables, triggers that write, rules that drop rows, texts where
numbers stand, and names of runs that lead to other folders. None of that is repaired: such a file is refused.
"""

from __future__ import annotations

import re
from functools import cache

import sqlalchemy as sa

from itnio_nb.api.models import Action, ResetState, State
from itnio_nb.ledger.schema.tables import (
    claims,
    metadata,
    receipts,
    reset_phones,
    reset_receipts,
    reset_runs,
    run_groups,
    runs,
)

# What no statement of ours has: it would change what ours do.
_RULES = re.compile(r"\b(AS|CHECK|COLLATE|CONFLICT|GENERATED|STRICT|WITHOUT|VIRTUAL)\b", re.IGNORECASE)
_KINDS = {
    sa.Text: ["text"],
    sa.Integer: ["integer"],
    sa.BigInteger: ["integer"],
    sa.Float: ["real", "integer"],
    sa.Boolean: ["integer"],
}
_TIME = "[12][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]*"


def _is_name(column: sa.Column[str]) -> sa.ColumnElement[bool]:
    return ~column.bool_op("GLOB")("*[^0-9A-Za-z-]*") & (column != "")


_VALUES: dict[str, sa.ColumnElement[bool]] = {
    "a state": receipts.c.state.in_(list(State)),
    "an action": run_groups.c.action.in_(list(Action)),
    "a quantity": run_groups.c.quantity > 0,
    "a name of a run": _is_name(runs.c.name),  # files are named after it
    "a name of a run of resets": _is_name(reset_runs.c.name),
    "a state of a phone": reset_receipts.c.state.in_(list(ResetState)),
    "a time of a reset": reset_receipts.c.at.bool_op("GLOB")(_TIME),
    "a start of resets": reset_runs.c.started.bool_op("GLOB")(_TIME),
    "a time of a receipt": receipts.c.at.bool_op("GLOB")(_TIME),
    "a time of a claim": claims.c.at.bool_op("GLOB")(_TIME),
    "a start": runs.c.started.bool_op("GLOB")(_TIME),
    "a rate": runs.c.rate.is_(None) | runs.c.rate.between(1e-9, 1e9),
    "an end of a request": receipts.c.ended_by.is_(None) | receipts.c.ended_by.between(1e9, 1e10),
    "a number of workers": runs.c.workers.is_(None) | (runs.c.workers > 0),
}


def _gaps(table: sa.Table) -> sa.Select[tuple[int]]:
    """Select runs whose groups, or phones, are not numbered from 0."""
    gap = (sa.func.min(table.c.position) != 0) | (sa.func.max(table.c.position) >= sa.func.count())
    return sa.select(table.c.run_id).group_by(table.c.run_id).having(gap).limit(1)


def foreign_object(connection: sa.Connection) -> str:
    """Return what stands in the file that could change what our statements do, "" for nothing.

    That is a view or a trigger on one of our tables, or a rule in its definition; what else is there is not ours.
    """
    every = "SELECT type, lower(name), lower(tbl_name), sql FROM sqlite_master"
    for kind, name, table, definition in connection.exec_driver_sql(every):
        ours = name in metadata.tables or table in metadata.tables
        if ours and (kind not in ("table", "index") or _RULES.search(definition or "")):
            return f"its {kind} {name} is none of a ledger"
    return ""


def foreign_content(connection: sa.Connection) -> str:
    """Return what in a ledger of this version is none of a ledger's, "" for nothing; it looks at every row once."""
    for name, table in metadata.tables.items():
        if _shape(connection, name) != _our_shapes()[name]:
            return f"its table {name} is none of a ledger"
        if _has(connection, sa.or_(*map(_is_of_another_type, table.columns))):
            return f"its table {name} holds something of another type"
    for what, is_ours in _VALUES.items():
        if _has(connection, ~is_ours):
            return f"it holds {what} that is none of a ledger"
    for table, noun in ((run_groups, "groups"), (reset_phones, "phones")):
        if connection.execute(_gaps(table)).first() is not None:
            return f"a run in it lacks one of its {noun}"
    if (broken := connection.exec_driver_sql("PRAGMA foreign_key_check").first()) is not None:
        return f"a row of its table {broken[0]} belongs to nothing"
    return ""


def _has(connection: sa.Connection, condition: sa.ColumnElement[bool]) -> bool:
    return connection.execute(sa.select(sa.literal(1)).where(condition).limit(1)).first() is not None


def _is_of_another_type(column: sa.Column[object]) -> sa.ColumnElement[bool]:
    kinds = [*_KINDS[type(column.type)], *(["null"] if column.nullable else [])]
    return sa.func.typeof(column).not_in(kinds)


@cache
def _our_shapes() -> dict[str, object]:
    engine = sa.create_engine("sqlite://")
    with engine.begin() as connection:
        metadata.create_all(connection)
        return {name: _shape(connection, name) for name in metadata.tables}


def _shape(connection: sa.Connection, table: str) -> object:
    """Return what SQLite keeps to in a table: columns, what is unique, what refers to other tables."""
    columns = connection.exec_driver_sql(f"PRAGMA table_xinfo({table})").all()
    references = connection.exec_driver_sql(f"PRAGMA foreign_key_list({table})").all()
    unique = [
        (is_partial, *connection.exec_driver_sql(f'PRAGMA index_info("{index}")').scalars("name"))
        for _, index, is_unique, _, is_partial in connection.exec_driver_sql(f"PRAGMA index_list({table})").all()
        if is_unique
    ]
    return (
        {(name, kind, needed, key, hidden) for _, name, kind, needed, _, key, hidden in columns},
        {(own, other, their) for _, _, other, own, their, *_ in references},
        {*unique},
    )
