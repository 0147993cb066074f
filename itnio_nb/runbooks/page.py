"""Write an executed notebook as one HTML page without code, which opens offline and prints well."""

from __future__ import annotations

import re
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

import bleach
from nbconvert import HTMLExporter
from traitlets.config import Config

_STYLE = """
body { font: 15px/1.5 system-ui, 'DejaVu Sans', sans-serif; color: #1a1a1a; background: #fff; margin: 0 auto;
  max-width: 1100px; padding: 24px }
h1, h2, h3 { line-height: 1.25; margin: 1.2em 0 .4em }
table { border-collapse: collapse; font-size: 13px; margin: 8px 0 }
th, td { text-align: left !important; vertical-align: top; padding: 3px 10px 3px 0; border: 0;
  border-bottom: 1px solid #ccc }
th[align=right], td[align=right] { text-align: right !important }
pre { background: #f4f4f4; padding: 8px 10px; white-space: pre-wrap; overflow-wrap: anywhere; font-size: 13px }
img { max-width: 100% }
.prompt, .anchor-link { display: none }
@media print { body { max-width: none; padding: 0; font-size: 11px } tr, img, pre { break-inside: avoid }
  table { font-size: 9px } thead { display: table-header-group } }
"""
# What text, tables and pictures are made of: nothing that runs, styles or fetches.
_TAGS = {"a", "abbr", "b", "blockquote", "br", "code", "dd", "del", "details", "div", "dl", "dt", "em", "hr", "i"}
_TAGS |= {"img", "li", "ol", "p", "pre", "s", "small", "span", "strong", "sub", "summary", "sup", "u", "ul"}
_TAGS |= {"h1", "h2", "h3", "h4", "h5", "h6", "table", "tbody", "td", "tfoot", "th", "thead", "tr"}
_ATTRIBUTES = {"class", "id", "align", "colspan", "rowspan", "scope", "alt", "title"}
# bleach removes tags and leaves what is inside: scripts and styles would be read as text.
_SCRIPTS = re.compile(r"<(script|style)\b.*?</\1\s*>", re.DOTALL | re.IGNORECASE)
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{title}</title><style>{style}</style></head><body>{body}</body></html>
"""


def write_page(notebook: Any, title: str, path: Path) -> None:
    """Write the texts and outputs of a notebook to `path` as HTML: no code, nothing that runs or is fetched."""
    body, _ = _exporter().from_notebook_node(notebook)
    clean = bleach.clean(
        _SCRIPTS.sub("", body),
        tags=_TAGS,
        attributes=_allowed,
        protocols=["http", "https", "mailto", "data"],
        strip=True,
    )
    path.write_text(_PAGE.format(title=escape(title), style=_STYLE, body=clean), encoding="utf-8")


@cache  # compiling its templates takes longer than filling them
def _exporter() -> HTMLExporter:
    settings = Config()
    settings.HTMLExporter.exclude_input = True
    settings.TemplateExporter.exclude_input_prompt = settings.TemplateExporter.exclude_output_prompt = True
    settings.TagRemovePreprocessor.remove_cell_tags = ("parameters", "injected-parameters")
    # The basic template is the body alone; the others load scripts from a public host.
    return HTMLExporter(config=settings, template_name="basic")  # type: ignore[no-untyped-call] # nbconvert


def _allowed(tag: str, name: str, value: str) -> bool:
    """Return whether an attribute stays: a picture is in the page itself, and a link leads to a page."""
    if (tag, name) == ("img", "src"):
        return value.startswith(("data:image/png;", "data:image/jpeg;"))
    if (tag, name) == ("a", "href"):
        return value.startswith(("http://", "https://", "mailto:", "#"))
    return name in _ATTRIBUTES
