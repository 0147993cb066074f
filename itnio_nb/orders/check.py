"""Every rule of the API, over all orders at once and offline: what is wrong, doubtful or repaired, in which cell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from itnio_nb.api.models import API_COLUMNS, LIMITS, Limits
from itnio_nb.api.text import plural
from itnio_nb.errors import InputError
from itnio_nb.orders.damage import (
    ASCII_DAMAGE,
    NAME_DAMAGE,
    RuleHit,
    damaged_names,
    damaged_numbers,
    expand_hits,
    shared_number,
    shorter_numbers,
)
from itnio_nb.orders.duplicates import find_duplicates
from itnio_nb.orders.models import FINDING_COLUMNS, SOURCE, Source, cell_text
from itnio_nb.orders.text_columns import (
    Column,
    are_digits,
    codes,
    column_of,
    distinct,
    foreign,
    has_controls,
    integers,
    lengths,
    matches,
    objects,
    some,
)

_NAMES = {"groupName": "group name", "phoneName": "phone name"}
_CONTROL = r"[\x00-\x1f\x7f-\x{9f}\x{2028}\x{2029}]"
_PLACES = {name: place for place, name in enumerate(API_COLUMNS)}
_FITTING = 18  # digits of a quantity that fit where orders are split
_HUGE = 10**18


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
    text = {name: column_of(orders[name], cell_text)[0] for name in API_COLUMNS}
    rows = orders.index.to_numpy()
    number = _whole_numbers(text["quantity"])
    phones = np.where((number < 1) | (number > limits.order_max), 1, number)  # an unusable quantity splits nothing
    parts = -(-phones // limits.group_max)
    found = list(_quantity_findings(text["quantity"], number, limits))
    found += _number_findings(text["displayNum"], parts, limits)
    found += _application_findings(text["appId"])
    apps = codes(text["appId"])
    for name, noun in _NAMES.items():
        found += _name_findings(name, noun, text[name], limits)
        found += _split_findings(name, noun, text[name], parts, limits)
        found += find_duplicates(name, noun, text, apps, phones, rows, limits)
    return _table(text, rows, found, _repaired(orders, text))


def invalid_rows(findings: pd.DataFrame) -> list[int]:
    """Return the rows that have an error, each once, in their order."""
    return findings["row"][findings["severity"] == "error"].drop_duplicates().tolist()


def _table(
    text: dict[str, Column], rows: np.ndarray, found: list[RuleHit], repaired: tuple[np.ndarray, ...] | None
) -> pd.DataFrame:
    """Put all findings into one table, in the order of rows, then of columns."""
    parts = [_columns(text, finding) for finding in found if finding.where.any()]
    if repaired is not None:
        parts.append(repaired)
    if not parts:
        nothing = np.array([], dtype=np.intp)
        parts = [(nothing, nothing, *(np.array([], dtype=object) for _ in range(4)))]
    at, place, value, problem, advice, severity = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    order = np.lexsort((place, at))
    column = np.array(API_COLUMNS, dtype=object)[place]
    columns = (rows[at], column, value, problem, advice, severity)
    return pd.DataFrame(
        {
            name: pd.Series(array[order], dtype=None if name == "row" else object)
            for name, array in zip(FINDING_COLUMNS, columns, strict=True)
        }
    )


def _columns(text: dict[str, Column], finding: RuleHit) -> tuple[np.ndarray, ...]:
    """Return the findings of one rule as arrays: position, place of the column, value, problem, advice, severity."""
    at = np.flatnonzero(finding.where)
    value = objects(some(text[finding.column], at))
    place = np.full(len(at), _PLACES[finding.column], dtype=np.intp)
    return at, place, *(_filled(len(at), cell) for cell in (value, finding.problem, finding.advice, finding.severity))


def _filled(size: int, cell: str | Sequence[str] | np.ndarray) -> np.ndarray:
    array = np.empty(size, dtype=object)
    array[:] = cell
    return array


def _repaired(orders: pd.DataFrame, text: dict[str, Column]) -> tuple[np.ndarray, ...] | None:
    """Return the repairs, as `_columns` returns findings, of rows that are still here and cells still as mended."""
    source = orders.attrs.get(SOURCE)
    if not isinstance(source, Source) or not source.repairs:
        return None
    row, column, before, after, how, advice = (
        _filled(len(cells), cells) for cells in zip(*source.repairs, strict=True)
    )
    at = orders.index.get_indexer(pd.Index(row.astype(np.int64)))
    place = np.array([_PLACES[name] for name in column], dtype=np.intp)
    kept = at >= 0
    for name, number in _PLACES.items():
        ours = np.flatnonzero(kept & (place == number))
        kept[ours] = objects(some(text[name], at[ours])) == after[ours]
    severity = _filled(int(kept.sum()), "repaired")
    return at[kept], place[kept], before[kept], how[kept], advice[kept], severity


def _name_findings(column: str, noun: str, texts: Column, limits: Limits) -> Iterator[RuleHit]:
    allowed = f"{limits.name_min} to {limits.name_max} characters are allowed (API document)"
    length = lengths(texts)
    short, long = (length > 0) & (length < limits.name_min), length > limits.name_max
    yield RuleHit(length == 0, column, "is empty", f"Fill in the {noun}: {allowed}.")
    yield RuleHit(short, column, _lengths(length[short], "character", allowed), f"Lengthen the {noun}.")
    yield RuleHit(long, column, _lengths(length[long], "character", allowed), f"Shorten the {noun}.")
    yield from _text_damage(column, noun, texts)


def _lengths(length: np.ndarray, unit: str, allowed: str) -> list[str]:
    return [f"has {number} {unit}{'s' * (number != 1)}; {allowed}" for number in length.tolist()]


def _text_damage(column: str, noun: str, texts: Column) -> Iterator[RuleHit]:
    """Look for control characters and damage, both rare, in the few cells that have any of them."""
    suspects = matches(texts, f"{_CONTROL}|{ASCII_DAMAGE}" if has_controls(texts) else ASCII_DAMAGE)
    others = foreign(texts)
    suspects[others] |= matches(some(texts, others), f"{_CONTROL}|{NAME_DAMAGE}")
    at = np.flatnonzero(suspects)
    if len(at):
        suspect = some(texts, at)
        again = f"Type the {noun} again on one line."
        broken = RuleHit(
            matches(suspect, _CONTROL), column, "contains a line break or another control character", again
        )
        yield from expand_hits([broken, *damaged_names(column, noun, suspect)], at, len(texts))


def _quantity_findings(texts: Column, number: np.ndarray, limits: Limits) -> Iterator[RuleHit]:
    column, empty = "quantity", lengths(texts) == 0
    strange = np.flatnonzero(~empty & (number < 0))
    lost = list(expand_hits(damaged_numbers(column, some(texts, strange)), strange, len(texts)))
    told = np.logical_or.reduce([finding.where for finding in lost])
    yield from lost
    yield RuleHit(empty, column, "is empty", "Fill in how many phones: a whole number from 1.")
    whole = "Write how many phones in digits, such as 30."
    yield RuleHit(~empty & (number < 0) & ~told, column, "is not a whole number", whole)
    yield RuleHit(number == 0, column, "asks for no phone", "Write a whole number from 1, or delete the row.")
    most = f"is more than {limits.order_max:,} phones in one order"
    slipped = "Look whether another column slipped in here; spread a true order of that size over several rows."
    yield RuleHit(number > limits.order_max, column, most, slipped)


def _whole_numbers(texts: Column) -> np.ndarray:
    """Return the quantities as integers, -1 for what is none."""
    digits, length = are_digits(texts), lengths(texts)
    short = digits & (length <= _FITTING)
    numbers = np.full(len(texts), -1, dtype=np.int64)
    numbers[short] = integers(some(texts, np.flatnonzero(short)))
    for at in np.flatnonzero(digits & ~short):  # leading zeros are harmless
        numbers[at] = min(int(texts[int(at)].as_py()[-4000:]), _HUGE)
    return numbers


def _number_findings(texts: Column, parts: np.ndarray, limits: Limits) -> Iterator[RuleHit]:
    column, length = "displayNum", lengths(texts)
    empty, digits = length == 0, are_digits(texts)
    allowed = f"{limits.display_min} to {limits.display_max} digits are allowed (API document)"
    wrong = digits & ((length < limits.display_min) | (length > limits.display_max))
    if limits.display_required:
        yield RuleHit(empty, column, "is empty", f"Fill in the display number: {allowed}.")
    strange = np.flatnonzero(~empty & ~digits)
    lost = list(expand_hits(damaged_numbers(column, some(texts, strange)), strange, len(texts)))
    told = np.logical_or.reduce([finding.where for finding in lost])
    yield from lost
    other = ~empty & ~digits & ~told
    yield RuleHit(other, column, "holds more than the digits 0 to 9", f"Write digits only: {allowed}.")
    problem = _lengths(length[wrong], "digit", allowed)
    yield RuleHit(wrong, column, problem, "Write the whole number with its area code, digits only.")
    yield from shorter_numbers(texts, digits & ~wrong)
    yield from shared_number(texts, digits & ~wrong, parts)


def _application_findings(texts: Column) -> Iterator[RuleHit]:
    yield RuleHit(lengths(texts) == 0, "appId", "is empty", "Fill in the id of the voice application.")
    different, code = distinct(texts)  # few: each is looked at once
    for finding in _text_damage("appId", "application id", different):
        yield finding._replace(where=finding.where[code])


def _split_findings(column: str, noun: str, texts: Column, parts: np.ndarray, limits: Limits) -> Iterator[RuleHit]:
    """A name that splitting would make too long is a finding, never cut."""
    split = np.flatnonzero(parts > 1)
    if not len(split):
        return
    suffix = 2 + np.floor(np.log10(parts[split])).astype(int)  # an underscore and the digits of the last part
    length = lengths(some(texts, split))
    long = (length <= limits.name_max) & (length + suffix > limits.name_max)
    problem = [
        f"is too long to be split: the last of its {plural(int(number), 'group')} would have {int(size)} characters"
        for number, size in zip(parts[split][long], (length + suffix)[long], strict=True)
    ]
    advice = [f"Shorten the {noun} to {limits.name_max - int(size)} characters." for size in suffix[long]]
    yield from expand_hits([RuleHit(long, column, problem, advice)], split, len(texts))
