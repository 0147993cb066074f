"""Every rule of the API, over all orders at once and offline: what is wrong, doubtful or repaired, in which cell."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from itnio_nb.errors import InputError
from itnio_nb.model import (
    API_COLUMNS,
    FINDING_COLUMNS,
    LIMITS,
    SOURCE,
    Limits,
    Repair,
    Source,
    as_text,
    count,
    split_orders,
)

_NAMES = {"groupName": "group name", "phoneName": "phone name"}
_CONTROL = "[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]"
# Whole numbers that fit where orders are split; leading zeros are harmless.
_WHOLE = r"0*[0-9]{1,9}"

# One rule's result: where it strikes (a mask over the rows), in which column, the problem and the advice:
# one text for all, or a list with one for each row that it strikes.
_Found = tuple[np.ndarray, str, str | list[str], str | list[str]]


def check_orders(orders: pd.DataFrame, limits: Limits = LIMITS) -> pd.DataFrame:
    """Return the findings: one row for each problem of each cell, all at once, nothing sent.

        findings = check_orders(read_orders("phones.xlsx"))
        findings[findings["severity"] == "error"]

    Columns: `row` (the row that the spreadsheet shows), `column`, `value`, `problem`, `advice`, `severity`
    (`error`: the row is left out of the plan; `warning`: a doubt; `repaired`: mended in reading, without
    loss). Of duplicates (a group name or phone name within one application, those that splitting would make
    included) the first stands and each later row has the error. Source of the rules: the API document;
    another brand's are given as `limits`. Raises `InputError` where one of the five columns is missing.
    """
    missing = [column for column in API_COLUMNS if column not in orders.columns]
    if missing:
        raise InputError(f"The orders have no column {', '.join(missing)}: read them with read_orders(...).")
    twice = [column for column in API_COLUMNS if isinstance(orders[column], pd.DataFrame)]
    if twice:
        raise InputError(f"The orders have more than one column {', '.join(twice)}: drop all but one.")
    text = as_text(orders[list(API_COLUMNS)])
    number = _whole_numbers(text["quantity"])
    phones = np.where((number < 1) | (number > limits.order_max), 1, number)  # an unusable quantity splits nothing
    found = [*_name_findings(text, limits), *_quantity_findings(text, number, limits), *_number_findings(text, limits)]
    found += [*_application_findings(text), *_split_findings(text, phones, limits)]
    found += _duplicate_findings(text, phones, limits)
    return _table(text, found, _repaired(orders, text))


def invalid_rows(findings: pd.DataFrame) -> list[int]:
    """Return the rows that have an error, each once, in their order."""
    return findings["row"][findings["severity"] == "error"].drop_duplicates().tolist()


def _table(text: pd.DataFrame, found: list[_Found], repaired: list[tuple[int, Repair]]) -> pd.DataFrame:
    """Put all findings into one table, in the order of rows, then of columns."""
    parts = [_columns(text, *finding) for finding in found]
    parts.append(
        (
            np.array([at for at, _ in repaired], dtype=np.intp),
            np.array([repair.column for _, repair in repaired], dtype=object),
            np.array([repair.before for _, repair in repaired], dtype=object),
            np.array([repair.how for _, repair in repaired], dtype=object),
            np.array([repair.advice for _, repair in repaired], dtype=object),
            np.full(len(repaired), "repaired", dtype=object),
        )
    )
    at, column, value, problem, advice, severity = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    number = pd.Series(column, dtype=object).map({name: number for number, name in enumerate(API_COLUMNS)}).to_numpy()
    order = np.lexsort((number, at))
    columns = (text.index.to_numpy()[at], column, value, problem, advice, severity)
    return pd.DataFrame({name: array[order] for name, array in zip(FINDING_COLUMNS, columns, strict=True)})


def _columns(
    text: pd.DataFrame, where: np.ndarray, column: str, problem: str | list[str], advice: str | list[str]
) -> tuple[np.ndarray, ...]:
    """Return the findings of one rule as arrays: position, column, value, problem, advice, severity."""
    at = np.flatnonzero(where)
    cells = (column, text[column].to_numpy(dtype=object)[at], problem, advice, "error")
    return at, *(_filled(len(at), cell) for cell in cells)


def _filled(size: int, cell: str | list[str] | np.ndarray) -> np.ndarray:
    array = np.empty(size, dtype=object)
    array[:] = cell
    return array


def _repaired(orders: pd.DataFrame, text: pd.DataFrame) -> list[tuple[int, Repair]]:
    """Return each repair with its position, if the row is still here and the cell as it was mended."""
    source = orders.attrs.get(SOURCE)
    if not isinstance(source, Source) or not source.repairs:
        return []
    at = {row: position for position, row in enumerate(text.index)}
    cells = {column: text[column].tolist() for column in API_COLUMNS}
    placed = [(at[repair.row], repair) for repair in source.repairs if repair.row in at]
    return [(position, repair) for position, repair in placed if cells[repair.column][position] == repair.after]


def _name_findings(text: pd.DataFrame, limits: Limits) -> Iterator[_Found]:
    allowed = f"{limits.name_min} to {limits.name_max} characters are allowed"
    for column, noun in _NAMES.items():
        names = text[column]
        length = names.str.len().to_numpy()
        short, long = (length > 0) & (length < limits.name_min), length > limits.name_max
        yield length == 0, column, "is empty", f"Fill in the {noun}: {allowed}."
        yield short, column, _lengths(length[short], "character", allowed), f"Lengthen the {noun}."
        yield long, column, _lengths(length[long], "character", allowed), f"Shorten the {noun}."
        yield from _control_findings(text, column, noun)


def _lengths(length: np.ndarray, unit: str, allowed: str) -> list[str]:
    return [f"has {count(int(number), unit)}; {allowed}" for number in length]


def _control_findings(text: pd.DataFrame, column: str, noun: str) -> Iterator[_Found]:
    broken = text[column].str.contains(_CONTROL, regex=True).to_numpy(dtype=bool)
    yield broken, column, "contains a line break or another control character", f"Type the {noun} again on one line."


def _quantity_findings(text: pd.DataFrame, number: np.ndarray, limits: Limits) -> Iterator[_Found]:
    empty = text["quantity"].eq("").to_numpy()
    yield empty, "quantity", "is empty", "Fill in how many phones: a whole number from 1."
    yield ~empty & (number < 0), "quantity", "is not a whole number", "Write how many phones in digits, such as 30."
    yield number == 0, "quantity", "asks for no phone", "Write a whole number from 1, or delete the row."
    yield (
        number > limits.order_max,
        "quantity",
        f"is more than {limits.order_max:,} phones in one order",
        "Look whether another column slipped in here; spread a true order of that size over several rows.",
    )


def _whole_numbers(quantity: pd.Series) -> np.ndarray:
    """Return the quantities as integers, -1 for what is none."""
    whole = quantity.str.fullmatch(_WHOLE).to_numpy(dtype=bool)
    huge = quantity.str.fullmatch(r"[0-9]+").to_numpy(dtype=bool) & ~whole
    return np.where(huge, np.iinfo(np.int64).max, quantity.where(whole, "-1").astype("int64").to_numpy())


def _number_findings(text: pd.DataFrame, limits: Limits) -> Iterator[_Found]:
    number = text["displayNum"]
    empty = number.eq("").to_numpy()
    digits = number.str.fullmatch("[0-9]+").to_numpy(dtype=bool)
    length = number.str.len().to_numpy()
    allowed = f"{limits.display_min} to {limits.display_max} digits are allowed"
    wrong = digits & ((length < limits.display_min) | (length > limits.display_max))
    if limits.display_required:
        yield empty, "displayNum", "is empty", f"Fill in the display number: {allowed}."
    yield ~empty & ~digits, "displayNum", "holds more than the digits 0 to 9", f"Write digits only: {allowed}."
    problem = _lengths(length[wrong], "digit", allowed)
    yield wrong, "displayNum", problem, "Write the whole number with its area code, digits only."


def _application_findings(text: pd.DataFrame) -> Iterator[_Found]:
    yield text["appId"].eq("").to_numpy(), "appId", "is empty", "Fill in the id of the voice application."
    yield from _control_findings(text, "appId", "application id")


def _split_findings(text: pd.DataFrame, phones: np.ndarray, limits: Limits) -> Iterator[_Found]:
    """A name that splitting would make too long is a finding, never cut."""
    parts = -(-phones // limits.group_max)
    suffix = np.char.str_len(parts.astype(str)) + 1
    for column, noun in _NAMES.items():
        length = text[column].str.len().to_numpy()
        long = (parts > 1) & (length <= limits.name_max) & (length + suffix > limits.name_max)
        problem = [
            f"is too long to be split: the last of its {count(int(number), 'group')} would have {int(size)} characters"
            for number, size in zip(parts[long], (length + suffix)[long], strict=True)
        ]
        advice = [f"Shorten the {noun} to {limits.name_max - int(size)} characters." for size in suffix[long]]
        yield long, column, problem, advice


def _duplicate_findings(text: pd.DataFrame, phones: np.ndarray, limits: Limits) -> Iterator[_Found]:
    groups = split_orders(text.assign(quantity=phones).reset_index(drop=True), limits)
    rows = text.index.to_numpy()
    for column, noun in _NAMES.items():
        key = ["appId", column]
        shared = groups[groups.duplicated(key, keep=False) & (groups[column] != "")]
        first = shared.groupby(key, sort=False)[["row", "part"]].transform("first")
        shared = shared.assign(first_row=first["row"], first_part=first["part"])
        later = shared[shared["row"] != shared["first_row"]].drop_duplicates("row")
        where = np.zeros(len(text), dtype=bool)
        where[later["row"].to_numpy(dtype=np.intp)] = True
        problem = [
            _taken(noun, name, part, rows[stands], its_part)
            for name, part, stands, its_part in zip(
                later[column], later["part"], later["first_row"], later["first_part"], strict=True
            )
        ]
        yield where, column, problem, f"Give one of the two rows another {noun}, or delete it."


def _taken(noun: str, name: str, part: int, first_row: int, first_part: int) -> str:
    here = f"is a {noun} that" if part == 1 else f"becomes {name} when the order is split, a {noun} that"
    there = "has" if first_part == 1 else "also makes when it is split,"
    return f"{here} row {first_row} {there} in the same application"
