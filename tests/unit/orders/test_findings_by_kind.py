"""Findings by kind: one rule at one column with one severity, in words that are true of all its findings."""

from __future__ import annotations

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import itnio_nb
from itnio_nb import check_orders, read_orders
from itnio_nb.orders.rules.hits import RuleHit
from itnio_nb.orders.rules.kinds import KIND_COLUMNS, SEVERITIES, find_kinds, findings_by_kind
from tests.support.factories import many_orders, orders_frame
from tests.support.hostile import TEXTS
from tests.support.spreadsheets import csv

ORDERS = Path(itnio_nb.__file__).parent / "orders"


def findings_of(*problems: str, column: str = "groupName", severity: str = "error", **cells: Any) -> pd.DataFrame:
    """Findings in rows from 2 on, one for each problem."""
    table = pd.DataFrame({"row": range(2, len(problems) + 2), "column": column, "value": "", "problem": problems})
    return table.assign(advice="Mend it.", severity=severity, **cells).astype(object)


def kinds_of(*problems: str) -> list[str]:
    return findings_by_kind(findings_of(*problems))["problem"].tolist()


# Texts of one rule, and what is told of all of them.
TOGETHER = [
    (["has 2 characters; 4 to 50", "has 3 characters; 4 to 50"], "has 2 or 3 characters; 4 to 50"),
    (["has 1 character; 4 to 50", "has 3 characters; 4 to 50"], "has 1 or 3 characters; 4 to 50"),
    (["has 3 characters; 4 to 50", "has 1 character; 4 to 50"], "has 1 or 3 characters; 4 to 50"),
    (["has 9 digits", "has 10 digits", "has 2 digits"], "has 2, 9 or 10 digits"),
    (["has 1 digit", "has 2 digits", "has 3 digits", "has 4 digits"], "has … digits"),
    (["keeps 1 of its 5 digits", "keeps 3 of its 5 digits"], "keeps 1 or 3 of its 5 digits"),
    (["keeps 1 of its 13 digits", "keeps 3 of its 10 digits"], "keeps 1 or 3 of its 10 or 13 digits"),
    (["is a group name that row 7 has", "is a group name that row 9 has"], "is a group name that row 7 or 9 has"),
    ([f"is a group name that row {row} has" for row in range(5)], "is a group name that row … has"),
    (["is the number of 1,200 groups", "is the number of 999 groups"], "is the number of 999 or 1,200 groups"),
    (["has 7 cells, the header has 5", "has 6 cells, the header has 5"], "has 6 or 7 cells, the header has 5"),
    (
        [f"differs from {name} in row 3 only in case or in letters that look alike" for name in ("north", "a 3", "")],
        "differs from … in row 3 only in case or in letters that look alike",
    ),
    (
        [f"differs from north in row {row} only in blanks, dashes or what nobody sees" for row in (3, 4)],
        "differs from north in row 3 or 4 only in blanks, dashes or what nobody sees",
    ),
    (
        [f"becomes {name} when the order is split, a phone name that row 3 has" for name in ("a_2", "b_3")],
        "becomes … when the order is split, a phone name that row 3 has",
    ),
    (
        [
            f"looks as if it had been read in another encoding than it was written in: it may be {name}"
            for name in ("Büro", "Café 1")
        ],
        "looks as if it had been read in another encoding than it was written in: it may be …",
    ),
    (
        [*(f"keeps {kept} of its 5 digits" for kept in range(200)), "keeps 3 of its 7 digits"],
        "keeps … of its 5 or 7 digits",
    ),
    (["is empty", "is empty"], "is empty"),
    (["$1", "$2"], "$1 or 2"),
    (["(7 or .*", "(8 or .*"], "(7 or 8 or .*"),
]


@pytest.mark.parametrize(("problems", "told"), TOGETHER)
def test_texts_of_a_rule_are_one_kind(problems: list[str], told: str) -> None:
    """Whatever they quote, in whatever order; the words are true of each of them."""
    assert kinds_of(*problems) == [told]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("is empty", "is not empty"),
        ("has 3 characters", "has 3 digits"),
        ("is a date where a group name was", "is a time where a group name was"),
        ("is a group name that row 3 has", "is a group name that row 3 also makes"),
        ("differs from a in row 3 only in case or in letters", "differs from a in row 3 only in blanks or dashes"),
        ("had blanks around it", "had blanks around it; had a + before it"),
        ("looks as if it had been read in another encoding than it was written in", "looks as if it had been read"),
        ("has 3 cells, the header has", "has 3 cells, the header has 5"),
        ("differs from a", "differs from b"),
        ("becomes a", "becomes b"),
        ("", "is empty"),
    ],
)
def test_two_problems_stay_apart(one: str, other: str) -> None:
    """Where the words differ, and not what they quote."""
    assert sorted(kinds_of(one, other)) == sorted((one, other))


def test_column_severity_and_advice_make_kinds_too() -> None:
    """What is to be done about short names is something else than about long ones."""
    problem = "has 3 characters"
    parts = [findings_of(problem), findings_of(problem, column="phoneName"), findings_of(problem, severity="warning")]
    parts += [findings_of(problem).assign(advice="Lengthen it.")]
    assert len(findings_by_kind(pd.concat(parts))) == 4
    advice = ["Shorten the group name to 29 characters.", "Shorten the group name to 30 characters."]
    kinds = findings_by_kind(findings_of(problem, problem).assign(advice=advice))
    assert kinds["advice"].tolist() == ["Shorten the group name to 29 or 30 characters."]


def test_the_table_of_kinds() -> None:
    """The worst first, then the most; each finding tells its kind; rows are counted once, and the first are named."""
    findings = pd.concat(
        [
            findings_of("had blanks", severity="repaired"),
            findings_of("is odd", "is odd", severity="warning", value=["x", "y"]),
            findings_of("has 1 digit", "has 2 digits", "has 3 digits", "has 5 digits").assign(row=[9, 4, 4, 7]),
            findings_of("is empty"),
        ]
    )
    kinds, numbers = find_kinds(findings)
    assert kinds.columns.tolist() == list(KIND_COLUMNS)
    assert kinds[["severity", "problem", "count", "rows", "first_rows", "example"]].to_numpy().tolist() == [
        ["error", "has … digits", 4, 3, (9, 4, 7), ""],
        ["error", "is empty", 1, 1, (2,), ""],
        ["warning", "is odd", 2, 2, (2, 3), "x"],
        ["repaired", "had blanks", 1, 1, (2,), ""],
    ]
    assert numbers.tolist() == [3, 2, 2, 0, 0, 0, 0, 1]
    assert kinds["kind"].is_unique
    again = findings_by_kind(findings_of("has 77 digits", "is empty"))
    assert set(again["kind"]) == set(kinds["kind"][:2])


def test_no_findings_have_no_kinds() -> None:
    """The columns are there all the same."""
    kinds, numbers = find_kinds(check_orders(read_orders(many_orders(2))))
    assert (kinds.columns.tolist(), len(kinds), len(numbers)) == (list(KIND_COLUMNS), 0, 0)


def test_a_finding_of_a_whole_column_counts_once() -> None:
    """With all the rows that it concerns."""
    findings = findings_of("is a number", "is a number").assign(rows=[13, 1])
    kinds = findings_by_kind(findings)
    assert kinds[["count", "rows", "first_rows"]].to_numpy().tolist() == [[2, 14, (2, 3)]]
    assert findings_by_kind(findings.assign(rows=["", "x"]))["rows"].tolist() == [2]


def test_a_file_can_say_anything() -> None:
    """Severities and texts of a workbook that somebody has changed: no crash, and an unknown severity is a warning."""
    texts: list[object] = [None, 7, "a\x01b\x025\x00", "1\x012", "\ud800", *TEXTS]
    cells = np.array(texts, dtype=object)
    kinds, numbers = find_kinds(findings_of(*["x"] * len(texts)).assign(problem=cells, advice=cells, severity="odd"))
    assert set(kinds["severity"]) == {"warning"}
    assert kinds["count"].sum() == len(numbers) == len(texts)
    assert set(SEVERITIES) == {"error", "warning", "repaired"}


# Every rule: orders that meet it, with many different values.

_NAMES = [
    *("", "a", "ab", "abc", "x" * 33, "x" * 40, "x" * 50, "1-Mar", "12:30", "1E+05", "1.50", "TRUE", "#REF!", "a??b"),
    *("n/a", "-", "# north", "a, b, 8610850001", "'north'x'", "no\x00rth", "no\u200drth", "example-group"),
    *("Ã©tude", "CafÃ© 2", "BÃ¼ro 33", "northâ€“", "north1", "NORTH1", "desk1", "Desk1", "hall 1", "HALL 1", "Hall 1"),
    *("hall  22", "hall 22", "a  bcd", "a bcd", "same", "same", "twin", "twin", "four", "four", "four"),
]
_QUANTITIES = ["", "x", "30-40", "0", "00", "100001", "9999999", "1.5E+09", "1E+02", "1.25E+12", "0E+3", "1.25E+1"]
_NUMBERS = ["", "1", "12", "123456", "1" * 14, "1" * 15, "8.61E+09", "8.6E+10", "0E+3", "1.255E+1", "#N/A"]
_NUMBERS += ["x", "+44 (0)20 7946 095", "2025-03-05", "10.1.1.1", "0755-8200001/2", "8500001-8500009", "008610850001"]


def _splits() -> pd.DataFrame:
    """Names that are too long when they are split, and parts that meet other names."""
    sizes = [("n" * 31, "51"), ("m" * 30, "500"), ("k" * 30, "1000"), ("h" * 29, "5000"), ("south", "151")]
    sizes += [("south_2", "1"), ("south_3", "1"), ("south_4", "1"), ("east_2", "1"), ("east", "51"), ("west_2", "1")]
    sizes += [("west", "60"), ("up_2", "60"), ("up", "150"), ("top_3", "1"), ("top_2", "1"), ("top", "150")]
    return orders_frame(*((name, f"{name}", quantity) for name, quantity in sizes))


def every_rule() -> Iterator[pd.DataFrame]:
    """Yield orders that meet all rules."""
    for column, cells in (("groupName", _NAMES), ("phoneName", _NAMES), ("appId", _NAMES)):
        yield many_orders(len(cells)).assign(**{column: cells})
    yield many_orders(len(_QUANTITIES)).assign(quantity=_QUANTITIES)
    yield many_orders(len(_NUMBERS)).assign(displayNum=_NUMBERS)
    yield many_orders(20).assign(displayNum=["86108500", *["861085000"] * 19])
    sizes = [str(11_000 + 100 * at) for at in range(9)]
    yield many_orders(9).assign(displayNum=[f"861085000{at // 2}" for at in range(9)], quantity=sizes)
    yield many_orders(9).assign(displayNum=range(8610850001, 8610850010), quantity="6000")
    yield _splits()


# Rules that tell more than one thing, and how many.
WORDINGS = {"damaged_numbers": 3, "_duplicates": 4, "find_confusables": 2, "_misread_names": 2}
Site = tuple[str, int]  # the file and the line in which a rule makes its hit


def rule_sites() -> set[Site]:
    """Every place in the package at which a rule makes a hit."""
    sites = set()
    for path in ORDERS.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "RuleHit":
                sites.add((path.name, node.lineno))
    return sites


@pytest.fixture
def hits(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Site, str, RuleHit]]:
    """The hits that rules make from now on, each with its place and the function that makes it."""
    made: list[tuple[Site, str, RuleHit]] = []

    def recording(*cells: Any, **named: Any) -> RuleHit:
        frame = sys._getframe(1)
        made.append(
            ((Path(frame.f_code.co_filename).name, frame.f_lineno), frame.f_code.co_name, RuleHit(*cells, **named))
        )
        return made[-1][2]

    modules = [module for name, module in sys.modules.items() if name.startswith("itnio_nb.orders.")]
    for module in modules:
        if hasattr(module, "RuleHit") and not module.__name__.endswith(".hits"):
            monkeypatch.setattr(module, "RuleHit", recording)
    return made


def findings_of_hit(hit: RuleHit) -> pd.DataFrame:
    size = int(hit.where.sum())
    findings = findings_of(*[hit.problem] * size if isinstance(hit.problem, str) else hit.problem, column=hit.column)
    return findings.assign(advice=hit.advice, severity=hit.severity)


def test_every_rule_there_is(hits: list[tuple[Site, str, RuleHit]]) -> None:
    """Each is met by some orders here; its findings are one kind, or one for each thing that it tells; none is shared.

    A new rule that is not met needs orders in `every_rule`; one whose texts are many kinds needs its words in
    `_QUOTING` of `orders/rules/kinds.py`.
    """
    met: dict[Site, int] = defaultdict(int)  # the most different texts of one hit
    told: dict[Site, int] = {}  # how many texts differ from row to row
    for orders in every_rule():
        hits.clear()
        check_orders(read_orders(orders))
        some = [one for one in hits if one[2].where.any()]
        tables = [findings_of_hit(hit) for _, _, hit in some]
        kinds, numbers = find_kinds(pd.concat(tables))
        owner = np.repeat(np.arange(len(some)), [*map(len, tables)])
        pairs = set(zip(numbers.tolist(), owner.tolist(), strict=True))
        assert len(pairs) == len(kinds)  # no kind is of two rules
        for at, (site, function, hit) in enumerate(some):
            texts = tables[at][["problem", "advice"]].drop_duplicates()
            met[site] = max(met[site], len(texts))
            if not isinstance(hit.problem, str):
                told[site] = met[site]
            of_rule = [kind for kind, number in pairs if number == at]
            assert len(of_rule) <= WORDINGS.get(function, 1), (function, kinds["problem"][of_rule].tolist())
    assert rule_sites() - met.keys() == set()
    assert {site: number for site, number in told.items() if number < 3} == {}


_BEFORE = ("", " ", "\u200b", "'", '="', '"', "+", "=", "\xa0", "'+")
_AFTER = ("", " ", '"', ".0", ",00", "\u2060", "  ")
_INSIDE = ("8610850001", "86 10 85 00 01", "８６１０８５０００１", "8.610850001E9", "north", "1", "30", "030 12345-100")
_CELLS = st.tuples(st.sampled_from(_BEFORE), st.sampled_from(_INSIDE), st.sampled_from(_AFTER)).map("".join)


@given(st.lists(st.tuples(*[_CELLS] * 5), min_size=1, max_size=30))
def test_repairs_are_one_kind_for_each_way(rows: list[tuple[str, ...]]) -> None:
    """Whatever a cell was read as."""
    findings = check_orders(read_orders(orders_frame(*rows)))
    repaired = findings[findings["severity"] == "repaired"]
    kinds = findings_by_kind(repaired)
    ways = repaired[["column", "problem"]].drop_duplicates()
    assert sorted(kinds[["column", "problem"]].to_numpy().tolist()) == sorted(ways.to_numpy().tolist())


def test_what_is_told_of_files_are_few_kinds() -> None:
    """Rows that have slipped, and cells that have swallowed rows, by many different numbers."""
    good = "north-{0},desk-{0},3,861085000{0},4luaKsL2"
    data = csv(*(good.format(at) + ",x" * at for at in range(6)))
    assert findings_by_kind(check_orders(read_orders(data)))["problem"].tolist() == ["has … cells, the header has 5"]
    orders = ["\na,b,c,d" * lines for lines in (1, 2, 1)]
    data = csv(*(f'"north{cell}",desk-{at},3,861085000{at},app' for at, cell in enumerate(orders)))
    problem = "is in a row with a cell of several lines, 1 or 2 lines of which look like an order"
    assert findings_by_kind(check_orders(read_orders(data)))["problem"].tolist().count(problem) == 1


# Words that are true.

_NUMBER = st.integers(0, 3000).map("{:,}".format)
_NOUN = st.sampled_from(["digit", "group", "phone", "row"])
_NAME = st.text(max_size=12) | st.sampled_from(["7 or 8", "…", " in row 3 only in case", "(", "\\", ".*"])


def _texts() -> st.SearchStrategy[list[str]]:
    """Texts of one rule, made as rules make them."""
    counted = st.tuples(_NUMBER, _NUMBER).map(lambda pair: f"keeps {pair[0]} of its {pair[1]} digits, at least 5")
    alike = st.tuples(_NAME, _NUMBER).map(
        lambda pair: f"differs from {pair[0]} in row {pair[1]} only in case or in letters that look alike"
    )
    plurals = st.integers(0, 5).map(lambda number: f"has {number} cell{'' if number == 1 else 's'} in 3 rows")
    return st.one_of(*(st.lists(texts, min_size=1, max_size=120) for texts in (counted, alike, plurals)))


def is_true_of(told: str, texts: Sequence[str]) -> bool:
    """Whether each of some texts is what is told, with one of the numbers, or anything for "…"."""
    number = "[0-9]+(?:,[0-9]{3})*"

    def any_of(some: re.Match[str]) -> str:
        return f"(?:{'|'.join([*re.findall(number, some[0]), some[0]])})"

    pattern = re.escape(told).replace("…", ".*").replace("cells", "cells?")
    pattern = re.sub(rf"{number}(?:,\\ {number})*\\ or\\ {number}", any_of, pattern)
    return all(re.fullmatch(pattern, text, re.DOTALL) for text in texts)


@given(_texts())
def test_what_is_told_of_a_kind_is_true_of_each(texts: list[str]) -> None:
    """And it tells numbers as far as three of them are enough, in their order."""
    kinds = findings_by_kind(findings_of(*texts))
    assert kinds["count"].tolist() == [len(texts)]
    seen = [re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", " ", text) for text in texts]
    assert is_true_of(kinds["problem"].iloc[0], seen)


@given(
    st.lists(
        st.text(st.characters(exclude_characters="0123456789", exclude_categories=["Cc", "Cs", "Zl", "Zp"])), max_size=9
    )
)
def test_words_without_numbers_are_kinds_of_their_own(texts: list[str]) -> None:
    """As many kinds as texts, each in its own words."""
    assert sorted(kinds_of(*texts)) == sorted(set(texts))
