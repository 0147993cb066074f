"""What the page of `itnio-nb app` shows."""

from __future__ import annotations

from pathlib import Path

import ipywidgets as widgets
import pytest

from itnio_nb import BatchForm, OrderForm, ReviewForm, Sandbox
from itnio_nb.cli.server.page import forms
from tests.support.forms import assert_harmless, text_of
from tests.support.processes import settings_of


def test_a_form_is_made_when_its_tab_is_opened(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first at once; each once, however often one goes back and forth."""
    for name, value in settings_of(sandbox).items():
        monkeypatch.setenv(name, value)
    tabs = forms()

    def shown() -> list[list[type]]:
        return [[type(form) for form in tab.children] for tab in tabs.children]

    assert shown() == [[BatchForm], [], []]
    tabs.selected_index = 2
    assert shown() == [[BatchForm], [], [ReviewForm]]
    before = tabs.children[0].children
    for number in (1, 0, 2, 1, 0):
        tabs.selected_index = number
    assert shown() == [[BatchForm], [OrderForm], [ReviewForm]]
    assert tabs.children[0].children == before
    for tab in tabs.children:
        tab.children[0].close()


def test_a_workspace_that_cannot_be_opened_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the words of its error, as text."""
    folder = tmp_path / "<img src=x onerror=alert(1)>"
    folder.mkdir()
    monkeypatch.setenv("ITNIO_API_KEY", "bDqJFiq9")
    monkeypatch.setenv("ITNIO_API_SECRET", "7bz1lzh9")
    monkeypatch.setenv("ITNIO_LEDGER", str(folder))
    areas = forms().children
    assert all(isinstance(area, widgets.HTML) for area in areas)
    for area in areas:
        assert_harmless(area.value)
    assert text_of(areas[0]).startswith("Error: ")
    assert "<img src=x" in text_of(areas[0])
    assert text_of(areas[1]) == "Load this page again once that is mended."
