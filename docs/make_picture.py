"""Make the README's picture: what the first notebook shows of its plan and of its result, as it is stored.

Run by `make picture`; needs Chromium. Nothing is executed: the outputs are those in the notebook.
"""

from __future__ import annotations

import shutil
import sys
from html import escape
from pathlib import Path
from typing import Any

import nbformat
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parent.parent
NOTEBOOK = ROOT / "notebooks" / "01-first-phones.ipynb"
PICTURE = ROOT / "docs" / "first-phones.png"
SHOWN = ("ws = open_workspace(", "run = ws.submit(plan")  # cells: the banner and the result
ROWS = 9  # of the result's table
STYLE = """
body { font: 14px/1.5 'DejaVu Sans', sans-serif; margin: 0; padding: 18px 22px; width: 1080px; background: #fff }
.code { background: #f5f5f5; border: 1px solid #e0e0e0; padding: 8px 12px; margin: 10px 0 }
.code { font: 13px/1.45 'DejaVu Sans Mono', monospace; white-space: pre }
table { border-collapse: collapse; font-size: 12px; margin-top: 6px }
th, td { padding: 5px 9px; text-align: left }
tbody tr:nth-child(odd) { background: #f5f5f5 }
table, th, td { border: none !important; text-align: left !important }
"""


def main() -> None:
    """Lay the cells out as a page, and take a picture of it."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call] # nbformat
    cells = [cell for cell in notebook.cells if any(words in cell.source for words in SHOWN)]
    page = "".join(map(_cell_html, cells))
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        sys.exit("No Chromium: on Debian and Ubuntu, apt install chromium.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        tab = browser.new_page(viewport={"width": 1124, "height": 600})
        tab.set_content(f"<!doctype html><meta charset='utf-8'><style>{STYLE}</style><body>{page}</body>")
        tab.evaluate(
            "rows => document.querySelectorAll('tbody').forEach(body => {"
            " [...body.rows].slice(rows).forEach(row => row.remove());"
            " body.insertRow().insertCell().textContent = '…'; })",
            ROWS,
        )
        tab.screenshot(path=PICTURE, full_page=True)
        browser.close()


def _cell_html(cell: Any) -> str:
    """Return a cell's source and the HTML of what it shows."""
    shown = [output.data["text/html"] for output in cell.outputs if "text/html" in output.get("data", {})]
    if not shown:
        sys.exit("A cell of the notebook shows nothing: run `make notebooks`.")
    return f"<div class='code'>{escape(cell.source)}</div>{''.join(shown)}"


if __name__ == "__main__":
    main()
