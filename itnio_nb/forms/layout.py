"""Boxes, fields and text of a form: every text is escaped before a widget shows it."""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets
import pandas as pd

from itnio_nb.api.text import html_text
from itnio_nb.orders.export.tables import view_as_html
from itnio_nb.orders.export.view import view_of

_OF_FORMS = {"text": "", "number": " class='number'"}  # form.css has the sides


def text_area(style: str = "", text: object = "") -> widgets.HTML:
    """Return a widget for text: never for markup of others (`show` escapes)."""
    return _add_style(widgets.HTML(html_text(text)), style)


def show(area: widgets.HTML, text: object, kind: str = "") -> None:
    """Write a text into a text area; the same text again costs no message to the page."""
    value = f"<span class='{kind}'>{html_text(text)}</span>" if kind and text else html_text(text)
    if area.value != value:
        area.value = value


def table_html(frame: pd.DataFrame, limit: int = 60) -> str:
    """Return a table as escaped HTML, as `table_as_html` has it; of one without states the first `limit` rows."""
    view = view_of(frame, first=limit)
    more = f"<p class='faint'>The first {limit} of {len(frame):,}.</p>" if len(frame) > len(view.rows) else ""
    more = "" if view.lines else more
    return f"<div class='itnio-table'>{view_as_html(view, **_OF_FORMS)}</div>{more}"


def said_columns(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table without the columns that are empty in each of its rows."""
    return table.loc[:, [name for name in table.columns if table.empty or bool((table[name].astype(str) != "").any())]]


def set_shown(widget: widgets.DOMWidget, shown: bool) -> None:
    """Show a widget, or take it from the page with the room that it took."""
    display = None if shown else "none"
    if widget.layout.display != display:
        widget.layout.display = display


def emphasize(main: widgets.DOMWidget | None, *others: widgets.DOMWidget) -> None:
    """Make one of some buttons the one that is pressed next, and the others quiet."""
    for button in others:
        style = "primary" if button is main else ""
        if button.button_style != style:
            button.button_style = style


def row(*parts: widgets.Widget) -> widgets.HBox:
    """Return widgets beside each other, below each other where the page is narrow."""
    return widgets.HBox(parts).add_class("itnio-row")


def panel(*parts: widgets.Widget, style: str = "") -> widgets.VBox:
    """Return widgets below each other, as one group for screen readers."""
    return _add_style(widgets.VBox(parts).add_class("itnio-panel"), style)


def _add_style(widget: Any, style: str) -> Any:
    return widget.add_class(style) if style else widget


def field(words: str, tip: str = "", width: str = "340px", kind: type = widgets.Text, **options: Any) -> Any:
    """Return a field with its label before it."""
    options |= {"layout": {"width": width, "max_width": "100%"}, "style": {"description_width": "initial"}}
    return kind(description=words, tooltip=tip or words, **options).add_class("itnio-field")
