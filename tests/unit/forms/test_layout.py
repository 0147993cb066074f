"""Text of others is shown as text; tables, fields and steps say what they are."""

from __future__ import annotations

from html import unescape

import ipywidgets as widgets
import pandas as pd
import pytest

from itnio_nb.api.text import html_text, printable
from itnio_nb.forms.layout import emphasize, field, show, table_html, text_area
from tests.support.forms import HOSTILE, assert_harmless, text_of


@pytest.mark.parametrize("text", HOSTILE)
def test_text_of_others_is_shown_as_text(text: str) -> None:
    """In every way in which a form shows text; what cannot be seen is shown as what it is."""
    area = text_area("itnio-note", text)
    assert_harmless(area.value)
    assert text_of(area) == printable(text)
    show(area, text + "!", "error")
    assert text_of(area) == printable(text) + "!"
    table = table_html(pd.DataFrame({text: [text]}))
    for html in (area.value, table, html_text(text)):
        assert_harmless(html)
    assert table.count(html_text(text)) == 2
    assert unescape(html_text(text)) == printable(text)


def test_line_breaks_stay() -> None:
    """They are the only markup that a text becomes."""
    assert html_text("a\nb") == "a<br>b"


def test_a_long_table_says_how_long_it_is() -> None:
    """Its first rows, and a line for the rest."""
    table = pd.DataFrame({"n": range(61)})
    assert table_html(table, 60).endswith("<p class='faint'>The first 60 of 61.</p>")
    assert table_html(table, 60).count("<tr>") == 61
    assert "faint" not in table_html(table, 61)


@pytest.mark.parametrize(
    ("name", "cells", "is_number"),
    [
        ("quantity", ["3", "120"], True),
        ("quantity", ["3", "three"], False),
        ("quantity", ["3", "", " "], True),
        ("quantity", ["", ""], False),
        ("groups", [1, 2], True),
        ("groups", [1.5, float("nan")], True),
        ("groups", [1, None], True),
        ("groups", [None, None], False),
        ("groups", [], False),
        ("groups", ["1,234", "12,345,678"], True),
        ("groups", ["1.234,5"], False),
        ("groups", ["1,23"], False),
        ("groups", [" 7 "], True),
        ("groups", ["٣"], False),
        ("status", ["-20", "0"], True),
        ("change", ["−3", "+4"], True),
        ("share", ["0.25", "1"], True),
        ("share", ["12 %"], False),
        ("code", ["007", "12"], False),
        ("code", ["1e5"], False),
        ("number", ["+8610850001"], True),
        ("displayNum", ["8610850001"], False),
        ("phoneName", ["1001", "1002"], False),
        ("appId", ["12345678"], False),
        ("day", ["2026-11-27"], False),
        ("done", [True, False], False),
        ("mixed", [1, "2", 3.0], True),
        ("mixed", [True, 2], False),
    ],
)
def test_numbers_stand_below_each_other(name: str, cells: list[object], is_number: bool) -> None:
    """Head and cells of a column of nothing but numbers have a class; names and numbers that one dials have not."""
    html = table_html(pd.DataFrame({name: pd.Series(cells, dtype=object), "else": pd.Series(["x"] * len(cells))}))
    assert html.count(" class='number'") == (1 + len(cells) if is_number else 0)
    assert_harmless(html)


def test_columns_of_one_name_are_looked_at_one_by_one() -> None:
    """A spreadsheet may have a header twice."""
    table = pd.DataFrame([["1", "a"], ["2", "b"]], columns=["n", "n"])
    assert table_html(table).count("<td class='number'>") == 2


def test_one_button_stands_out() -> None:
    """The others are quiet, whichever stood out before; what stays as it is costs no message."""
    one, other, changes = widgets.Button(button_style="primary"), widgets.Button(), []
    for button in (one, other):
        button.observe(lambda _: changes.append(1), "button_style")
    for main, styles in ((other, ["", "primary"]), (other, ["", "primary"]), (None, ["", ""])):
        emphasize(main, one, other)
        assert [button.button_style for button in (one, other)] == styles
    assert len(changes) == 3


def test_the_same_text_is_not_sent_again() -> None:
    """A poll that changes nothing costs no message."""
    area, changes = text_area(), []
    area.observe(lambda _: changes.append(1), "value")
    for text in ("one", "one", "two"):
        show(area, text, "good")
    assert len(changes) == 2
    show(area, "", "good")
    assert area.value == ""


def test_a_field_has_its_label() -> None:
    """Beside it and as its tip, for those who cannot see it."""
    made = field("API key")
    assert (made.description, made.tooltip) == ("API key", "API key")
    assert field("Phones", "How many", kind=widgets.IntText).tooltip == "How many"
