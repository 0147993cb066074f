"""Boxes, fields and text of a form: what a widget shows is always escaped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from importlib.util import find_spec
from typing import Any

import ipywidgets as widgets
import pandas as pd

from itnio_nb.api.text import printable
from itnio_nb.errors import InputError


def require_grid() -> None:
    """Raise `InputError` where what draws large tables is not installed."""
    if find_spec("ipydatagrid") is None:
        raise InputError('This form needs what JupyterLab brings: pip install "itnio-nb[lab]", then try again.')


def as_html(text: object) -> str:
    """Return a text as HTML that shows it and does nothing else; line breaks stay."""
    return escape(printable(str(text))).replace("\n", "<br>")


def text_area(style: str = "", text: object = "") -> widgets.HTML:
    """Return a place for text: never for markup of others (`show` escapes)."""
    place = widgets.HTML(as_html(text))
    if style:
        place.add_class(style)
    return place


def show(place: widgets.HTML, text: object, kind: str = "") -> None:
    """Write a text into its place, if it is not there already."""
    value = f"<span class='{kind}'>{as_html(text)}</span>" if kind and text else as_html(text)
    if place.value != value:
        place.value = value


def table_html(frame: pd.DataFrame, most: int = 60) -> str:
    """Return a small table as HTML, all of it escaped; of a longer one the first rows, and how many there are."""
    head = "".join(f"<th scope='col'>{as_html(name)}</th>" for name in frame.columns)
    rows = frame.head(most).itertuples(index=False, name=None)
    body = "".join(f"<tr>{''.join(f'<td>{as_html(cell)}</td>' for cell in row)}</tr>" for row in rows)
    more = f"<p class='faint'>The first {most} of {len(frame):,}.</p>" if len(frame) > most else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def row(*parts: widgets.Widget, style: str = "") -> widgets.HBox:
    """Return widgets beside each other, below each other where the page is narrow."""
    return _styled(widgets.HBox(parts), "itnio-row", style)


def panel(*parts: widgets.Widget, style: str = "") -> widgets.VBox:
    """Return widgets below each other, as one group for screen readers."""
    return _styled(widgets.VBox(parts), "itnio-panel", style)


def _styled(box: Any, *styles: str) -> Any:
    for style in filter(None, styles):
        box.add_class(style)
    return box


def field(words: str, tip: str = "", width: str = "340px", kind: type = widgets.Text, **options: Any) -> Any:
    """Return a field with its label before it."""
    made = kind(
        description=words,
        tooltip=tip or words,
        layout=widgets.Layout(width=width, max_width="100%"),
        style={"description_width": "initial"},
        **options,
    )
    made.add_class("itnio-field")
    return made


def steps(names: Sequence[str], go: Callable[[int], None]) -> list[widgets.Button]:
    """Return a button for each step; `go` is given its number, from 0."""
    made = []
    for number, name in enumerate(names):
        button = widgets.Button(description=name, tooltip=f"Go to {name}")
        button.add_class("itnio-step")
        button.on_click(lambda _, number=number: go(number))
        made.append(button)
    return made
