"""A person at a form in a real browser: uploads, types into cells, presses buttons, looks at what is shown."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from itnio_nb.forms.grid import COLUMN_WIDTHS
from itnio_nb.runbooks.runner import save_notebook
from tests.support.kernel import notebook_of

_HEADER, _ROW, _EDGE = 26, 24, 3  # pixels
_SECONDS = 1000


class Person:
    """Works on the form that a page shows. With `hasty` each button is clicked twice."""

    def __init__(self, page: Page, *, hasty: bool = False) -> None:
        self.page, self.hasty = page, hasty

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True).locator("visible=true")

    def press(self, name: str) -> None:
        """Press a button once it can be pressed."""
        button = self.button(name)
        expect(button).to_be_enabled(timeout=20 * _SECONDS)
        button.click(click_count=2 if self.hasty else 1, delay=10)

    def sees(self, words: str, seconds: float = 20) -> Locator:
        """Wait until some words are to be seen."""
        found = self.page.get_by_text(words).locator("visible=true").first
        found.wait_for(timeout=seconds * _SECONDS)
        return found

    def upload(self, name: str, data: bytes) -> None:
        with self.page.expect_file_chooser() as chooser:
            self.button("Upload a file").click()
        chooser.value.set_files({"name": name, "mimeType": "application/octet-stream", "buffer": data})

    def write(self, label: str, text: str) -> None:
        """Type into a field as one types."""
        box = self.page.get_by_label(label, exact=True).locator("visible=true")
        box.fill("")
        box.press_sequentially(text)

    def cell(self, row: int, column: str, names: list[str]) -> tuple[float, float]:
        """Return the middle of a cell: `row` from 0 as it is shown, `names` the columns of the grid."""
        grid = self.page.locator(".itnio-grid").locator("visible=true").first
        grid.scroll_into_view_if_needed()
        box = grid.bounding_box()
        assert box is not None
        before = COLUMN_WIDTHS["row"] + sum(COLUMN_WIDTHS.get(name, 130) for name in names[: names.index(column)])
        across = before + COLUMN_WIDTHS.get(column, 130) / 2
        return box["x"] + _EDGE + across, box["y"] + _EDGE + _HEADER + (row + 0.5) * _ROW

    def mend(self, row: int, column: str, names: list[str], text: str) -> None:
        """Type into a cell of the grid."""
        x, y = self.cell(row, column, names)
        self.page.mouse.dblclick(x, y)
        editor = self.page.locator(".lm-DataGrid-cellEditorInput").first
        editor.wait_for(timeout=5 * _SECONDS)
        self.page.keyboard.press("Control+a")
        self.page.keyboard.type(text)
        self.page.keyboard.press("Enter")

    def filter_by_value(self, column: str, names: list[str]) -> None:
        """Look at the list of values by which a column can be filtered."""
        x, y = self.cell(0, column, names)
        self.page.mouse.click(x + COLUMN_WIDTHS[column] / 2 - 10, y - _ROW / 2 - 8)
        self.page.get_by_text("Filter by value").click()
        dialog = self.page.locator(".ipydatagrid-filterMenu").locator("visible=true")
        dialog.wait_for()
        self.page.mouse.click(5, 5)  # beside it: closed
        dialog.wait_for(state="hidden")

    def number_of_phones(self) -> int:
        """Return the number that the confirmation asks for."""
        words = self.page.get_by_text("to confirm.").locator("visible=true").first.inner_text()
        return int(words.split()[1])

    def download(self, button: str) -> bytes:
        """Press a button, once, and return the file that it hands over: a second one would be taken for the next."""
        expect(self.button(button)).to_be_enabled(timeout=20 * _SECONDS)
        with self.page.expect_download() as download:
            self.button(button).click()
        return Path(download.value.path()).read_bytes()


def open_in_lab(page: Page, address: str, folder: Path, cell: str) -> None:
    """Put a notebook of one cell into a folder that JupyterLab serves, and open it."""
    save_notebook(notebook_of(cell), folder / "form.ipynb")
    server, token = address.split("/?")
    page.goto(f"{server}/lab/tree/{folder.name}/form.ipynb?reset&{token}")
