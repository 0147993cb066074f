"""Parameters of a notebook, as papermill has them: read from its tagged cell, from the command line, and checked."""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from os import PathLike, fspath
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from nbformat.v4 import new_code_cell

from itnio_nb.api.text import one_line
from itnio_nb.errors import InputError, os_error_reason
from itnio_nb.runs.sending.pace import RunOptions
from itnio_nb.runs.submit import require_number, require_switch

# Papermill's conventions: the same notebooks are run by plain papermill and by Airflow.
PARAMETERS_TAG = "parameters"  # the cell with the default values
INJECTED_TAG = "injected-parameters"  # the cell behind it, with the values given
_ANY = object()
_ASSIGNMENT = re.compile(r"^(\w+)\s*(?::[^=]+)?=(?!=)", re.MULTILINE)


def check_parameters(
    *,
    apply: object = False,
    confirm: object = None,
    limit: object = None,
    workers: object = None,
    rate: object = None,
    orders: object = None,
    app_id: object = None,
    sheet: object = None,
    match: object = None,
    plan: object = None,
    folders: Sequence[object] = (),
) -> None:
    """Raise `InputError` for a parameter of a runbook that is not what it has to be, before anything is asked or sent.

        check_parameters(apply=apply, confirm=confirm, folders=["results"])

    Papermill and Airflow may hand over a text in place of a number or of True: only `True` sends. `folders` are those
    that are written to afterwards: each is made, and a file is tried in it.
    """
    require_switch("apply", apply)
    require_number("confirm", confirm)
    require_number("limit", limit, least=1)
    RunOptions(workers, rate)  # type: ignore[arg-type] # refuses what they must not be
    for name, value in {"orders": orders, "app_id": app_id, "sheet": sheet, "plan": plan}.items():
        if value is not None and not isinstance(value, str | PathLike):
            raise InputError(f"Nothing was sent: {name} is a text, such as {str(value)!r}, and not {value!r}.")
    if match is not None and not (isinstance(match, Mapping) and all(isinstance(one, str) for one in match.values())):
        problem = (
            f"Nothing was sent: match has headers by column, such as {{'phoneName': 'Handset'}}, and not {match!r}."
        )
        raise InputError(problem)
    for folder in folders:
        _try_folder(folder)


def _try_folder(folder: object) -> None:
    """Raise `InputError` for a folder in which no file can be made."""
    if not isinstance(folder, str | PathLike) or not fspath(folder):
        raise InputError(f"Nothing was sent: a folder is a text, such as 'results', and not {folder!r}.")
    try:
        path = Path(folder)
        path.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=path) as file:
            file.write(b"a disk may be full")
            file.flush()
    except (OSError, ValueError) as error:
        reason = os_error_reason(error)
        problem = f"Nothing was sent: the folder {folder} cannot be written ({reason}): choose another, or make room."
        raise InputError(problem) from None


def read_defaults(notebook: Any) -> dict[str, object]:
    """Return the parameters of a notebook and their defaults: those of its first cell with papermill's tag.

    A default that is no literal is an object that equals nothing. Raises `InputError` where a later cell with the tag
    gives one of them again: it would undo what is given.
    """
    cells = [notebook.cells[at] for at in tagged_cells(notebook, PARAMETERS_TAG)]
    defaults: dict[str, object] = dict(_assigned(cells[0].source)) if cells else {}
    again = [name for cell in cells[1:] for name, _ in _assigned(cell.source) if name in defaults]
    if again:
        problem = (
            f"Two cells are tagged `parameters`, and the second gives {again[0]} again: what is given would be lost"
        )
        raise InputError(f"{problem}. Keep one of them.")
    return defaults


def _assigned(source: str) -> Iterator[tuple[str, object]]:
    """Yield the names that a cell assigns, several on a line included, and their values."""
    lines = ("" if line.lstrip().startswith(("%", "!")) else line for line in source.splitlines())
    try:
        nodes = list(ast.walk(ast.parse("\n".join(lines))))
    except (SyntaxError, ValueError):  # no Python alone: the names at least
        yield from ((name, _ANY) for name in _ASSIGNMENT.findall(source))
        return
    for node in nodes:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                yield from _pairs(target, node.value)
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            yield from _pairs(node.target, node.value)


def _pairs(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, object]]:
    if isinstance(target, ast.Name):
        try:
            yield target.id, ast.literal_eval(value)
        except ValueError:
            yield target.id, _ANY
    elif isinstance(target, ast.Tuple | ast.List):
        several = isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(target.elts)
        parts = value.elts if isinstance(value, ast.Tuple | ast.List) and several else [value] * len(target.elts)
        for part, of_it in zip(target.elts, parts, strict=True):
            if isinstance(part, ast.Starred) or not several:
                inner = part.value if isinstance(part, ast.Starred) else part
                yield from ((name, _ANY) for name, _ in _pairs(inner, of_it))
            else:
                yield from _pairs(part, of_it)


def parse_given(name: str, text: str, defaults: Mapping[str, object]) -> Any:
    """Return what a text on the command line means for a parameter.

        parse_given("results", "3", {"results": "results"})     # "3": the default is a text, and so is this
        parse_given("limit", "3", {"limit": None})              # 3

    It is read as JSON, or as Python writes it; anything else is a text. Raises `InputError` for a switch (its default
    is True or False) that is neither, and for a number that is none.
    """
    default = defaults.get(name, _ANY)
    if isinstance(default, str):
        return text
    value = _parsed(text)
    if isinstance(default, bool) and not isinstance(value, bool):
        raise InputError(f"Nothing was sent: {name} is a switch: -p {name} true, or -p {name} false, not {text}.")
    is_number = isinstance(default, int | float) and not isinstance(default, bool)
    if is_number and (isinstance(value, bool) or not isinstance(value, int | float | None)):
        raise InputError(f"Nothing was sent: {name} is a number, such as {default}, not {text}.")
    return value


def _parsed(text: str) -> Any:
    if text in ("True", "False", "None"):
        return {"True": True, "False": False, "None": None}[text]
    try:
        value = json.loads(text)
        json.dumps(value, allow_nan=False)  # `NaN` and `1e999` are no numbers: they stay text
    except (ValueError, RecursionError):
        return text
    return value


def require_known(notebook_name: str, given: Mapping[str, object], defaults: Mapping[str, object]) -> None:
    """Raise `InputError` for a parameter that a notebook does not have."""
    if given and not defaults:
        raise InputError(f"{notebook_name} has no cell tagged `parameters`: it takes none.")
    unknown = [name for name in given if name not in defaults]
    if unknown:
        own = ", ".join(sorted(defaults))
        raise InputError(f"{notebook_name} has no parameter {one_line(', '.join(unknown))}: it has {own}.")


def tagged_cells(notebook: Any, tag: str) -> list[int]:
    """Return the positions of the cells with a tag."""
    return [at for at, cell in enumerate(notebook.cells) if tag in cell.metadata.get("tags", ())]


def inject(notebook: Any, parameters: Mapping[str, object]) -> None:
    """Insert a cell with the values given behind the one with the defaults, in place of one of an earlier execution."""
    notebook.metadata["papermill"] = {"parameters": dict(parameters)}
    if not parameters:
        return
    source = "\n".join(["# Parameters", *(f"{name} = {as_python(value)}" for name, value in parameters.items())])
    cell = new_code_cell(source, metadata={"tags": [INJECTED_TAG]})  # type: ignore[no-untyped-call] # nbformat
    earlier = tagged_cells(notebook, INJECTED_TAG)
    if earlier:
        notebook.cells[earlier[0]] = cell
    else:
        notebook.cells.insert(next((at + 1 for at in tagged_cells(notebook, PARAMETERS_TAG)), 0), cell)


def as_python(value: object) -> str:
    """Return a value as Python reads it: `nan` and `inf` have no literal."""
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    return repr(value)
