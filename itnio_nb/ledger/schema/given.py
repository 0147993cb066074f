"""Many rows that a statement is given at once, as a table that it can join: one statement in place of one for each."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

Column = tuple[type[sa.Text | sa.Integer], Sequence[Any]]  # its type and its cells


def given_rows(connection: sa.Connection, columns: Mapping[str, Column]) -> sa.Subquery:
    """Return columns of equal length as a table named `given`.

    given = given_rows(connection, {"app_id": (sa.Text, apps), "group_name": (sa.Text, names)})
    connection.execute(sa.select(groups.c.id).join(given, groups.c.group_name == given.c.group_name))
    """
    if connection.dialect.name == "postgresql":
        arrays = [sa.bindparam(None, list(cells), type_=postgresql.ARRAY(kind)) for kind, cells in columns.values()]
        named = [sa.column(name, kind) for name, (kind, _) in columns.items()]
        unnested = sa.func.unnest(*arrays).table_valued(*named).render_derived(name="arrays")
        return sa.select(unnested).subquery("given")
    rows = list(zip(*(cells for _, cells in columns.values()), strict=True))
    each = sa.func.json_each(sa.bindparam(None, json.dumps(rows), type_=sa.Text)).table_valued("value", name="each")
    cells = [
        sa.func.json_extract(each.c.value, f"$[{at}]", type_=kind).label(name)
        for at, (name, (kind, _)) in enumerate(columns.items())
    ]
    return sa.select(*cells).subquery("given")
