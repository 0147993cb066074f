"""Boxes, fields and text of a form: every text is escaped before a widget shows it."""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets
import pandas as pd

from itnio_nb.api.text import html_text


def text_area(style: str = "", text: object = "") -> widgets.HTML:
    """Return a widget for text: never for markup of others (`show` escapes)."""
    return _add_style(widgets.HTML(html_text(text)), style)


def show(area: widgets.HTML, text: object, kind: str = "") -> None:
    """Write a text into a text area; the same text again costs no message to the page."""
    value = f"<span class='{kind}'>{html_text(text)}</span>" if kind and text else html_text(text)
    if area.value != value:
        area.value = value


def table_html(frame: pd.DataFrame, limit: int = 60) -> str:
    """Return a table as escaped HTML; of a longer one the first `limit` rows, and how many there are."""
    head = "".join(f"<th scope='col'>{html_text(name)}</th>" for name in frame.columns)
    rows = frame.head(limit).itertuples(index=False, name=None)
    body = "".join(f"<tr>{''.join(f'<td>{html_text(cell)}</td>' for cell in row)}</tr>" for row in rows)
    more = f"<p class='faint'>The first {limit} of {len(frame):,}.</p>" if len(frame) > limit else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


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
