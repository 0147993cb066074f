"""Every rule of the API, over all orders at once and offline: errors, warnings and repairs of each cell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from itnio_nb.api.models import API_COLUMNS, LIMITS, Limits
from itnio_nb.api.text import MAX_QUOTED, plural, shortened
from itnio_nb.errors import InputError
from itnio_nb.orders.models import EXAMPLE, FINDING_COLUMNS, SOURCE, Repair, Source, with_others
from itnio_nb.orders.rules.column_bytes import hashes
from itnio_nb.orders.rules.duplicates import confusable_keys, find_confusables, find_duplicates
from itnio_nb.orders.rules.hits import RuleHit, expand_hits
from itnio_nb.orders.rules.names import damaged_names
from itnio_nb.orders.rules.numbers import damaged_numbers, prefixed_numbers, shared_numbers, shorter_numbers
from itnio_nb.orders.text_columns import TextColumn, to_text_column

_NOUNS = {"groupName": "group name", "phoneName": "phone name"}
_PLACES = {name: place for place, name in enumerate(API_COLUMNS)}
_MAX_DIGITS = 18  # of a quantity that fits into 64 bits
_HUGE = 10**18  # stands for any quantity with more digits


def check_orders(orders: pd.DataFrame, limits: Limits = LIMITS) -> pd.DataFrame:
    """Return the findings: one row for each problem of each cell, all at once, nothing sent.

        findings = check_orders(read_orders("phones.xlsx"))
        findings[findings["severity"] == "error"]

    Columns: `row` (the row that the spreadsheet shows), `column`, `value`, `problem`, `advice`, `severity`
    (`error`: the row is left out of the plan; `warning`: it may be wrong; `repaired`: by reading, without
    loss). Of duplicates (a group name or phone name within one application, those that splitting would make
    included) the first stands and each later row has the error. Source of the rules: the API document;
    another brand's are given as `limits`. Raises `InputError` where one of the five columns is missing.
    """
    missing = [column for column in API_COLUMNS if column not in orders.columns]
    if missing:
        raise InputError(f"The orders have no column {', '.join(missing)}: read them with read_orders(...).")
    repeated = [column for column in API_COLUMNS if isinstance(orders[column], pd.DataFrame)]
    if repeated:
        raise InputError(f"The orders have more than one column {', '.join(repeated)}: drop all but one.")
    columns = {name: to_text_column(orders[name])[0] for name in API_COLUMNS}
    rows, source = orders.index.to_numpy(), orders.attrs.get(SOURCE)
    if not isinstance(source, Source):
        source = Source("table", "DataFrame", len(orders), 0)
    hits = [*_all_hits(columns, rows, limits), *_stored_as_numbers(columns, rows, source)]
    return _findings_table(columns, rows, hits, _kept_repairs(orders.index, columns, source.repairs))


def invalid_rows(findings: pd.DataFrame) -> list[int]:
    """Return the rows that have an error, each once, in their order."""
    return findings["row"][findings["severity"] == "error"].drop_duplicates().tolist()


def _all_hits(columns: dict[str, TextColumn], rows: np.ndarray, limits: Limits) -> Iterator[RuleHit]:
    quantity = _whole_numbers(columns["quantity"])
    phones = np.where((quantity < 1) | (quantity > limits.order_max), 1, quantity)  # an unusable one splits nothing
    parts = -(-phones // limits.group_max)
    apps, app_ids = columns["appId"].factorize()
    yield _example_hit(columns["groupName"])
    yield from _quantity_hits(columns["quantity"], quantity, limits)
    yield from _number_hits(columns["displayNum"], parts, limits)
    yield from _application_hits(app_ids, apps, rows)
    for name, noun in _NOUNS.items():
        yield from _name_hits(name, noun, columns[name], limits)
        yield from _split_hits(name, noun, columns[name], parts, limits)
        yield from find_duplicates(name, noun, columns[name], apps, phones, rows, limits)


def _example_hit(texts: TextColumn) -> RuleHit:
    problem = "is the example of the template"
    return RuleHit(
        texts.equals(EXAMPLE["groupName"]), "groupName", problem, "Write an order over it, or delete it.", "warning"
    )


def _findings_table(
    columns: dict[str, TextColumn], rows: np.ndarray, hits: list[RuleHit], repairs: tuple[np.ndarray, ...]
) -> pd.DataFrame:
    """Put all findings into one table, in the order of rows, then of columns; a value is the one in the file."""
    some = [hit for hit in hits if hit.where.any()] or hits[:1]
    parts = zip(*(_hit_columns(columns, hit) for hit in some), repairs, strict=True)
    at, place, *texts = (np.concatenate(arrays) for arrays in parts)
    texts[0] = _in_the_file(at * len(_PLACES) + place, texts[0])
    order = np.lexsort((place, at))
    cells = [np.array(API_COLUMNS, dtype=object)[place], *texts]
    named = zip(FINDING_COLUMNS[1:], (array[order] for array in cells), strict=True)
    table = pd.DataFrame(dict(named), dtype=object)
    table.insert(0, FINDING_COLUMNS[0], rows[at[order]])
    return table


def _hit_columns(columns: dict[str, TextColumn], hit: RuleHit) -> tuple[np.ndarray, ...]:
    """Return the findings of one rule as arrays: position, place of the column, value, problem, advice, severity."""
    at = np.flatnonzero(hit.where)
    place = np.full(len(at), _PLACES[hit.column], dtype=np.intp)
    value = columns[hit.column].take(at).to_numpy()
    return at, place, *(_objects(len(at), cell) for cell in (value, hit.problem, hit.advice, hit.severity))


def _objects(size: int, cells: str | Sequence[object] | np.ndarray) -> np.ndarray:
    """Return an array of Python objects: one text in each place, or cells one by one."""
    array = np.empty(size, dtype=object)
    array[:] = cells
    return array


def _kept_repairs(index: pd.Index, columns: dict[str, TextColumn], repairs: Sequence[Repair]) -> tuple[np.ndarray, ...]:
    """Return the repairs, as `_hit_columns` returns hits, of rows that are still here and cells still as repaired."""
    if repairs and not index.is_unique:
        raise InputError("Two orders have the same row number: read_orders(...) numbers them anew.")
    cells = zip(*repairs, strict=True) if repairs else [()] * len(Repair._fields)
    row, column, before, after, how, advice, severity = (_objects(len(repairs), one) for one in cells)
    at = index.get_indexer(pd.Index(row.astype(np.int64))) if repairs else np.array([], dtype=np.intp)
    place = np.array([_PLACES[name] for name in column], dtype=np.intp)
    kept = at >= 0
    for name, number in _PLACES.items():
        ours = np.flatnonzero(kept & (place == number))
        kept[ours] = columns[name].take(at[ours]).to_numpy() == after[ours]
    return at[kept], place[kept], before[kept], how[kept], advice[kept], severity[kept]


def _in_the_file(cells: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the value of each finding as the file has it, and not longer than it is quoted.

    `cells` tells which cell each is of: the last finding of one that was repaired has its value from before.
    """
    codes, _ = pd.factorize(cells[::-1])
    _, lasts = np.unique(codes, return_index=True)
    whole = values[::-1][lasts][codes][::-1]
    return _objects(len(whole), [shortened(text) if len(text) > MAX_QUOTED else text for text in whole])


def _stored_as_numbers(columns: dict[str, TextColumn], rows: np.ndarray, source: Source) -> Iterator[RuleHit]:
    """Doubt all cells of a column that are numbers at once: what their format shows is not in them."""
    for name in source.numbers.keys() - {"quantity"}:  # that is meant to be a number
        texts = columns[name]
        where = source.are_numbers(name, rows) & texts.are_digits() & ~texts.matches("^0.")  # that was typed since
        at = np.flatnonzero(where)
        if len(at):
            where[at[1:]] = False
            value = shortened(texts.take(at[:1]).to_numpy()[0])
            problem = with_others("is a number where text belongs", len(at) - 1)
            lost = f"{problem}: a 0 at its beginning would be lost"
            yield RuleHit(where, name, lost, f"Compare {value} with the true value.", "warning")


def _name_hits(column: str, noun: str, texts: TextColumn, limits: Limits) -> Iterator[RuleHit]:
    allowed = f"{limits.name_min} to {limits.name_max} characters are allowed (API document)"
    length = texts.lengths()
    short, long = (length > 0) & (length < limits.name_min), length > limits.name_max
    yield RuleHit(length == 0, column, "is empty", f"Fill in the {noun}: {allowed}.")
    yield RuleHit(short, column, _length_problems(length[short], "character", allowed), f"Lengthen the {noun}.")
    yield RuleHit(long, column, _length_problems(length[long], "character", allowed), f"Shorten the {noun}.")
    yield from damaged_names(column, noun, texts)


def _length_problems(length: np.ndarray, unit: str, allowed: str) -> list[str]:
    problem = {number: f"has {plural(number, unit)}; {allowed}" for number in np.unique(length).tolist()}
    return [problem[number] for number in length.tolist()]


def _quantity_hits(texts: TextColumn, quantity: np.ndarray, limits: Limits) -> Iterator[RuleHit]:
    column, empty = "quantity", texts.lengths() == 0
    damaged, other = _damaged_and_other(column, texts, ~empty & (quantity < 0))
    yield from damaged
    yield RuleHit(empty, column, "is empty", "Fill in how many phones: a whole number from 1.")
    yield RuleHit(other, column, "is not a whole number", "Write how many phones in digits, such as 30.")
    yield RuleHit(quantity == 0, column, "asks for no phone", "Write a whole number from 1, or delete the row.")
    too_many = f"is more than {limits.order_max:,} phones in one order"
    advice = "Look whether another column slipped in here; spread a true order of that size over several rows."
    yield RuleHit(quantity > limits.order_max, column, too_many, advice)


def _damaged_and_other(column: str, texts: TextColumn, odd: np.ndarray) -> tuple[list[RuleHit], np.ndarray]:
    """Return the hits of damage among the cells that are no numbers, and a mask of those that it does not explain."""
    at = np.flatnonzero(odd)
    damaged = list(expand_hits(damaged_numbers(column, texts.take(at)), at, len(texts)))
    return damaged, odd & ~np.logical_or.reduce([hit.where for hit in damaged])


def _whole_numbers(texts: TextColumn) -> np.ndarray:
    """Return the quantities as integers, -1 for what is none."""
    digits = texts.are_digits()
    short = digits & (texts.lengths() <= _MAX_DIGITS)
    numbers = np.full(len(texts), -1, dtype=np.int64)
    numbers[short] = texts.take(np.flatnonzero(short)).integers()
    long = np.flatnonzero(digits & ~short)  # leading zeros are harmless; Python reads 4,300 digits at most
    numbers[long] = [min(int(text[-4000:]), _HUGE) for text in texts.take(long).to_numpy()]
    return numbers


def _number_hits(texts: TextColumn, parts: np.ndarray, limits: Limits) -> Iterator[RuleHit]:
    column, length = "displayNum", texts.lengths()
    empty, digits = length == 0, texts.are_digits()
    allowed = f"{limits.display_min} to {limits.display_max} digits are allowed (API document)"
    wrong = digits & ((length < limits.display_min) | (length > limits.display_max))
    if limits.display_required:
        yield RuleHit(empty, column, "is empty", f"Fill in the display number: {allowed}.")
    damaged, other = _damaged_and_other(column, texts, ~empty & ~digits)
    yield from damaged
    yield RuleHit(other, column, "holds more than the digits 0 to 9", f"Write digits only: {allowed}.")
    problems = _length_problems(length[wrong], "digit", allowed)
    yield RuleHit(wrong, column, problems, "Write the whole number with its area code, digits only.")
    yield from prefixed_numbers(texts, digits & ~wrong)
    yield from shorter_numbers(texts, digits & ~wrong)
    yield from shared_numbers(texts, digits & ~wrong, parts)


def _application_hits(app_ids: TextColumn, apps: np.ndarray, rows: np.ndarray) -> Iterator[RuleHit]:
    """Check each distinct application id once; `apps` tells which of them each row has."""
    yield RuleHit((app_ids.lengths() == 0)[apps], "appId", "is empty", "Fill in the id of the voice application.")
    for hit in damaged_names("appId", "application id", app_ids):
        yield hit._replace(where=hit.where[apps])
    firsts = np.zeros(len(app_ids), dtype=np.intp)
    firsts[apps[::-1]] = np.arange(len(apps))[::-1]  # the first row of each
    alike = hashes(confusable_keys(app_ids))
    hits = find_confusables("appId", "application", app_ids, np.zeros(len(alike), dtype=int), alike, rows[firsts])
    yield from expand_hits(hits, firsts, len(rows))


def _split_hits(column: str, noun: str, texts: TextColumn, parts: np.ndarray, limits: Limits) -> Iterator[RuleHit]:
    """A name that splitting would make too long is a finding, never cut."""
    split = np.flatnonzero(parts > 1)
    if not len(split):
        return
    suffix = 2 + np.floor(np.log10(parts[split])).astype(int)  # an underscore and the digits of the last part
    length = texts.take(split).lengths()
    long = (length <= limits.name_max) & (length + suffix > limits.name_max)
    problems = [
        f"is too long to be split: the last of its {plural(number, 'group')} would have {size} characters"
        for number, size in zip(parts[split][long].tolist(), (length + suffix)[long].tolist(), strict=True)
    ]
    advice = [f"Shorten the {noun} to {limits.name_max - size} characters." for size in suffix[long].tolist()]
    yield from expand_hits([RuleHit(long, column, problems, advice)], split, len(texts))
