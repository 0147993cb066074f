"""Tables as people see them: problems first, what is alike folded, words for every cell, the same everywhere."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from html import unescape
from typing import Any
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pytest

from itnio_nb import check_orders, read_orders
from itnio_nb.orders.export.cells import SIGNS, STATUS_COLUMNS, cell_words, state_words
from itnio_nb.orders.export.tables import table_as_html, table_as_text
from itnio_nb.orders.export.view import Kind, choose, view_of
from tests.support.factories import orders_frame
from tests.support.forms import assert_harmless

SENTENCE = "Nothing was created. Choose another phone name, one that no group of this application has."


def groups(*states: str, **columns: Any) -> pd.DataFrame:
    """A run's table with groups in these states."""
    names = [f"group-{at:05}" for at in range(len(states))]
    table = pd.DataFrame({"row": range(2, len(states) + 2), "groupName": names, "quantity": 3, "appId": "4luaKsL2"})
    return table.assign(**{"state": list(states), "reason": "", "advice": ""} | columns)


def words(html: str) -> list[list[str]]:
    """The texts of the cells of each row, headers first."""
    rows = re.findall("<tr>(.*?)</tr>", html, re.DOTALL)
    return [
        [unescape(re.sub("<[^>]+>", "", cell)).replace("\xa0", " ") for cell in re.findall("<t[hd].*?</t[hd]>", row)]
        for row in rows
    ]


def stripped(html: str) -> str:
    """A table as a code host shows it: without styles and classes."""
    return re.sub(' (style|class)="[^"]*"', "", html)


def test_problems_come_first_and_what_is_well_is_folded() -> None:
    """The worst first; of the others five, and how many more there are; within a state the order stays."""
    table = groups(*["created"] * 40, "refused", "exists", "unknown", *["planned"] * 3, "refused")
    shown = words(table_as_html(table))
    assert shown[0] == ["row", "groupName", "state"]
    assert [cells[-1] for cells in shown[1:]] == [
        "? unknown", "✗ refused", "✗ refused", *["– not sent"] * 3, *["✓ created"] * 5, "35 more created", "✓ exists",
    ]  # fmt: skip
    assert [cells[1] for cells in shown[2:4]] == ["group-00040", "group-00046"]


def test_what_is_there_otherwise_than_asked_for_is_a_problem() -> None:
    """In a run and in a plan, however many are there as they should."""
    reasons = ["the account has it: 3 phones"] * 30
    reasons[17] = "the account has it: 8 phones there, 33 asked for"
    for name, reason in (("state", "reason"), ("action", "why")):
        table = groups(*["exists"] * 30).rename(columns={"state": name}).assign(**{reason: reasons})
        shown = words(table_as_html(table))
        assert shown[1][1] == "group-00017"
        assert shown[-1] == ["24 more that exist"]


@pytest.mark.parametrize(("refused", "said"), [(47, ""), (48, ""), (49, "2"), (20_000, "19,953")])
def test_so_many_problems_are_shown(refused: int, said: str) -> None:
    """A line for the others; other kinds of problems are seen too, and those that are well."""
    shown = words(table_as_html(groups(*["created"] * 20, *["refused"] * refused, *["in doubt"] * 3)))
    lines = [cells[0] for cells in shown if len(cells) == 1]
    assert lines == ([f"and {said} more refused"] if said else []) + ["15 more created"]
    assert [cells[-1] for cells in shown].count("? in doubt") == 3


def test_no_row_is_lost() -> None:
    """Rows that are shown and rows that are told add up, whatever the kinds."""
    generator = np.random.default_rng(7)
    for _ in range(200):
        sizes = generator.integers(1, 90, generator.integers(1, 6)).tolist()
        states = generator.permutation([*SIGNS][: len(sizes)]).tolist()
        starts = np.cumsum([0, *sizes]).tolist()
        telling = generator.integers(0, 2, len(sizes)).tolist()
        kinds = [
            Kind(state, bool(tells), range(start, start + size))
            for state, tells, start, size in zip(states, telling, starts[:-1], sizes, strict=True)
        ]
        choice = choose(kinds)
        told = sum(int(re.findall("[0-9,]+", line)[0].replace(",", "")) for _, line in choice.lines)
        assert len(set(choice.positions)) + told == sum(sizes)
        assert len(choice.positions) == len(set(choice.positions)) < 120


def test_columns_that_say_nothing_are_left_out() -> None:
    """Empty ones; what is the same in all rows, hidden ones included, is said once above; names always stay."""
    table = groups(*["created"] * 70, status="0", at="")
    assert "<p>quantity <b>3</b> · appId <b>4luaKsL2</b> · status <b>0</b></p>" in table_as_html(table)
    assert words(table_as_html(table))[0] == ["row", "groupName", "state"]
    table.loc[69, ["appId", "at"]] = ["9KdTq3Zx", "2026-11-27"]  # not among those that are shown
    assert words(table_as_html(table))[0] == ["row", "groupName", "appId", "state", "at"]
    assert "<b>4luaKsL2</b>" not in table_as_html(table)
    assert words(table_as_html(groups("created")))[0] == ["row", "groupName", "quantity", "appId", "state"]


def test_findings_that_are_none() -> None:
    """Words in place of headers, fitting what there is none of."""
    good = read_orders(orders_frame(("sales", "desk")))
    for shown in (table_as_html, table_as_text):
        assert "Nothing to mend." in shown(check_orders(good))
        assert "No groups." in shown(groups())
        assert "No phones." in shown(pd.DataFrame(columns=["groupName", "phoneName", "account", "password"]))
        assert "No rows." in shown(pd.DataFrame())


def test_findings_are_sorted_by_how_bad_they_are() -> None:
    """None of them is folded as long as there is room: each has something to say."""
    table = pd.DataFrame({"row": range(30), "column": "x", "value": "", "problem": "p", "advice": "a"})
    table["severity"] = (["repaired"] * 10 + ["warning"] * 10 + ["error"]) + ["repaired"] * 9
    shown = words(table_as_html(table))
    assert [cells[-1] for cells in shown[1:]] == ["✗ error"] + ["! warning"] * 10 + ["✓ repaired"] * 19


def test_what_was_resolved_is_not_folded() -> None:
    """A reconciliation's rows with advice come first, though their groups are created."""
    advice = ["Created. Next: hand it over." if at in (3, 20) else "" for at in range(40)]
    table = groups(*["created"] * 40).rename(columns={"state": "after"}).assign(before="unknown", advice=advice)
    shown = words(table_as_html(table))
    assert [cells[1] for cells in shown[1:3]] == ["group-00003", "group-00020"]
    assert shown[-1] == ["33 more created"]


@pytest.mark.parametrize("first", ["at", "receipt"])
def test_what_is_in_the_order_of_time_stays_so(first: str) -> None:
    """Receipts, one below the other: its ends, where it is long."""
    table = groups(*["created", "refused"] * 4).drop(columns="row")
    table.insert(0, first, range(8))
    assert [cells[-1] for cells in words(table_as_html(table))[1:]] == ["✓ created", "✗ refused"] * 4


def test_a_table_of_ones_own_stays_as_it_is() -> None:
    """No states of ours, orders, and a column `state` with other words: order, columns and rows."""
    own = pd.DataFrame({"state": ["Texas", "Ohio", "Texas"], "n": 7, "empty": ""})
    assert words(table_as_html(own)) == [
        ["state", "n", "empty"],
        ["Texas", "7", ""],
        ["Ohio", "7", ""],
        ["Texas", "7", ""],
    ]
    orders = read_orders(orders_frame(*[(f"group{at}", f"phone{at}") for at in range(20)]).assign(state="created"))
    assert len(words(table_as_html(orders))) == 21
    assert "appId" in words(table_as_html(orders))[0]


CELLS: list[tuple[Any, str]] = [
    (None, ""), (float("nan"), ""), (pd.NA, ""), (pd.NaT, ""), (np.float64("nan"), ""),
    (True, "yes"), (np.False_, "no"), (np.int64(7), "7"), (10**30, str(10**30)), (-5, "-5"),
    (0.1 + 0.2, "0.3"), (3.0, "3"), (1e-9, "1e-09"), (float("-inf"), "-infinite"), (1e300, "1e+300"),
    (b"abc\xff", "abc\\xff"), ([1, "x", None], "1, x, "), ((), ""), ({"a": [True]}, "a: yes"), ([], ""),
    (np.array([1.5, 2.0]), "1.5, 2"), (list(range(100)), f"{', '.join(map(str, range(20)))}, …"),
    (pd.Timestamp("2026-11-27 14:05:01"), "2026-11-27 14:05:01"), (date(2026, 11, 27), "2026-11-27"),
    (datetime(2026, 11, 27, 14, 5, 1, 500, tzinfo=UTC), "2026-11-27 14:05:01 UTC"),
    (timedelta(seconds=70), "1 min 10 s"), (pd.Timedelta(hours=2), "2 h"), ("None", "None"),
]  # fmt: skip


@pytest.mark.parametrize(("cell", "said"), CELLS)
def test_no_cell_is_shown_as_python_writes_it(cell: Any, said: str) -> None:
    """Alone, in a column of anything, and in HTML and text."""
    assert cell_words(cell) == said
    table = pd.DataFrame({"x": pd.Series([cell, "else"], dtype=object)})
    assert words(table_as_html(table))[1] == [said]
    assert said.strip() in table_as_text(table)


def test_a_list_in_itself_has_an_end() -> None:
    """Three levels deep it is cut."""
    endless: list[Any] = []
    endless.append(endless)
    assert cell_words(endless) == "…"


def test_fractions_stand_below_each_other() -> None:
    """As many decimals as the longest needs, six at most; whole numbers with gaps have none."""
    table = pd.DataFrame({"share": [0.5, 12.25, 1 / 3, np.nan], "whole": [1, np.nan, 3, 4]})
    shown = words(table_as_html(table))
    assert [cells[0] for cells in shown[1:]] == ["0.500000", "12.250000", "0.333333", ""]
    assert [cells[1] for cells in shown[1:]] == ["1", "", "3", "4"]


@pytest.mark.parametrize("name", ["groupName", "phoneName", "displayNum", "appId", "account"])
def test_names_and_phone_numbers_are_never_right(name: str) -> None:
    """Whatever they are made of, and though pandas has made numbers of them."""
    html = table_as_html(pd.DataFrame({name: [8610850001, 8610850002], "n": [1, 2]}))
    assert html.count('align="right"') == 3


HOSTILE = [
    "<script>alert(1)</script>",
    "a\u202eb",
    "a\nb\tc",
    "x" * 5000,
    "<td align='right'>",
    "&lt;",
    "\ue000",
    "$x$",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_text(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As cell, header, index, in a list, and as what all rows share; no line of text is wider than the terminal."""
    monkeypatch.setenv("ITNIO_WIDTH", "80")
    frame = pd.DataFrame({text: [text, [text]], "n": [1, 2]}, index=pd.Index([text, text], name=text))
    shared = groups(*["created"] * 20, remark=text)
    for table in (frame, shared):
        html = table_as_html(table)
        assert_harmless(html)
        assert len(html) < 25_000
        for part in (table_as_text(table), unescape(re.sub("<[^>]+>", "", html))):
            assert not {"\u202e", "\t", "\ue000"} & set(part)
        assert max(map(len, table_as_text(table).splitlines())) <= 80


def test_odd_frames_are_shown() -> None:
    """A name that stands there twice, heads of two lines, columns without rows, an index with names or words."""
    twice = pd.DataFrame([["created", "refused"]] * 2, columns=["state", "state"])
    assert words(table_as_html(twice))[0] == ["state", "state"]
    deep = pd.concat({"a": pd.DataFrame({"x": [1]}), "b": pd.DataFrame({"x": [2]})}, axis=1)
    assert words(table_as_html(deep)) == [["a · x", "b · x"], ["1", "2"]]
    assert "<style" not in table_as_html(deep)
    numbered = pd.DataFrame({0: [1], 1: ["a"]}, index=pd.MultiIndex.from_tuples([("p", 3)], names=["q", None]))
    assert words(table_as_html(numbered)) == [["q", "", "0", "1"], ["p", "3", "1", "a"]]


def test_meaning_stays_without_styles() -> None:
    """Signs and words for states, `align` for numbers, rows for what is folded: a code host leaves no more."""
    html = table_as_html(groups(*["created"] * 40, "refused"))
    bare = stripped(html)
    assert words(bare) == words(html)
    assert {"✗ refused", "✓ created"} <= {cells[-1] for cells in words(bare)}
    assert set(re.findall("<([a-z]+)", bare)) <= {
        "div",
        "p",
        "b",
        "i",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "span",
    }
    assert set(re.findall(r" ([a-z]+)=", bare)) <= {"align", "colspan", "scope"}


def test_every_state_has_a_sign_and_a_colour() -> None:
    """The edge is seen on white and on the black of JupyterLab; the words keep the ink of the page."""
    for word, (sign, colour) in SIGNS.items():
        if word:
            assert state_words("action", word) == f"{sign} {word}"
            assert min(contrast(colour, "#ffffff"), contrast(colour, "#111111")) >= 3
            for name in STATUS_COLUMNS:
                html = table_as_html(pd.DataFrame({name: [word]}))
                assert f"border-left:4px solid {colour}" in html
                assert ";color:" not in html


def contrast(one: str, other: str) -> float:
    """The contrast of two colours, as WCAG has it."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_a_terminal_shows_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wrapped to its width, numbers to the right, with the same rows, lines and words as HTML."""
    monkeypatch.setenv("ITNIO_WIDTH", "80")
    table = groups(*["created"] * 40, "refused")
    table.loc[40, "advice"] = SENTENCE
    html, text = words(table_as_html(table)), table_as_text(table)
    assert max(map(len, text.splitlines())) <= 80
    assert text.splitlines()[0] == "quantity 3 · appId 4luaKsL2"
    assert " ".join(SENTENCE.split()[:5]) in text
    assert text.splitlines()[-1] == html[-1][0] == "35 more created"
    places = [text.index(cells[1]) for cells in html[1:-1]]
    assert places == sorted(places)
    assert " 42 group-00040" in text
    assert "  2 group-00000" in text
    monkeypatch.setenv("ITNIO_WIDTH", "400")
    assert SENTENCE in table_as_text(table)


def test_no_more_is_looked_at_than_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 20,000 rows; and it is small."""
    look = Mock(side_effect=str)
    monkeypatch.setattr("itnio_nb.orders.export.cells.printable_line", look)
    table = groups(*["created", "refused", "unknown", "exists"] * 5000, advice=SENTENCE)
    html = table_as_html(table)
    assert len(html) < 100_000
    assert 0 < look.call_count < 1500
    assert view_of(table).lines
