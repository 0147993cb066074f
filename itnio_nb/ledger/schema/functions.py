"""Functions of SQL that a file and a server have different words for."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement


class texts_in(FunctionElement[str]):  # noqa: N801 - reads as the function of SQL that it is
    """The texts of a JSON list, as what stands behind IN: one parameter, however many there are."""

    inherit_cache = True
    type = sa.Text()


@compiles(texts_in)
def _texts_of_file(element: texts_in, compiler: Any, **options: Any) -> str:
    texts = compiler.process(element.clauses, **options)  # the marker of a parameter
    return f"(SELECT value FROM json_each({texts}))"  # noqa: S608


@compiles(texts_in, "postgresql")
def _texts_of_server(element: texts_in, compiler: Any, **options: Any) -> str:
    return f"(SELECT json_array_elements_text(CAST({compiler.process(element.clauses, **options)} AS json)))"


class is_locked_for_us(FunctionElement[bool]):  # noqa: N801 - reads as the function of SQL that it is
    """Whether nobody else is about to claim a group, nor can until this transaction ends.

    In a file, where one writes at a time, nobody is. In a server it is the group's lock, not its row's: who may lock a
    row may change it. Two groups that share a lock keep each other waiting, no more.
    """

    inherit_cache = True
    type = sa.Boolean()


@compiles(is_locked_for_us)
def _is_locked_in_file(*_: object, **__: object) -> str:
    return "1"


@compiles(is_locked_for_us, "postgresql")
def _is_locked_in_server(element: is_locked_for_us, compiler: Any, **options: Any) -> str:
    group = compiler.process(element.clauses, **options)
    return (
        f"pg_try_advisory_xact_lock(hashtext(current_schema() || '.groups'), CAST(mod({group}, 2147483647) AS integer))"
    )
