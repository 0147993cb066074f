"""Text of others is shown as text; tables, fields and steps say what they are."""

from __future__ import annotations

from html import unescape

import ipywidgets as widgets
import pandas as pd
import pytest

from itnio_nb.api.text import html_text, printable
from itnio_nb.forms.layout import field, show, table_html, text_area
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
