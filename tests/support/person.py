"""A person at a form in a real browser: uploads, types into cells, presses buttons, looks at what is shown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from itnio_nb.runbooks.runner import save_notebook
from tests.support.browser import PATIENCE, a_lab, an_app, run_all_from_the_menu
from tests.support.kernel import notebook_of
from tests.support.processes import COMMAND

BATCH = "from itnio_nb import open_workspace\n\nws = open_workspace()\nws.batch_form()"
SLOW = 1.0  # seconds of a request: 200 groups take 25, so that a run is at work still when a person, or a page, is late


class Person:
    """Works on the form that a page shows. With `hasty` each button is clicked twice."""

    def __init__(self, page: Page, *, hasty: bool = False) -> None:
        self.page, self.hasty = page, hasty
        page.set_default_timeout(PATIENCE)  # it may be another one than that of `a_page`

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True).locator("visible=true")

    def press(self, name: str) -> None:
        """Press a button once it can be pressed."""
        button = self.button(name)
        expect(button).to_be_enabled()
        button.click(click_count=2 if self.hasty else 1, delay=10)

    def sees(self, words: str) -> Locator:
        """Wait until some words are to be seen."""
        found = self.page.get_by_text(words).locator("visible=true").first
        found.wait_for()
        return found

    def upload(self, name: str, data: bytes) -> None:
        """Choose a file, the first one or another."""
        button = self.page.get_by_role("button", name=re.compile("^(Upload a file|Another file)$"))
        with self.page.expect_file_chooser() as chooser:
            button.locator("visible=true").click()
        chooser.value.set_files({"name": name, "mimeType": "application/octet-stream", "buffer": data})

    def open_other_ways(self) -> None:
        """Open what is behind a button, where there is one."""
        for more in self.page.locator(".itnio-more").locator("visible=true").all():
            more.click()

    def write(self, label: str, text: str) -> None:
        """Type into a field as one types."""
        box = self.page.get_by_label(label, exact=True).locator("visible=true")
        box.fill("")
        box.press_sequentially(text)

    @property
    def grid(self) -> Locator:
        """The grid that is seen."""
        return self.page.get_by_role("grid").locator("visible=true").first

    def cell(self, row: int, column: str) -> Locator:
        """Return the cell of a column in the row with this number; it is scrolled to."""
        head = self.grid.get_by_role("columnheader").filter(has_text=re.compile(rf"^{re.escape(column)}( [↑↓])?[▽▼]?$"))
        number = self.page.get_by_role("rowheader").filter(has_text=re.compile(rf"^{row}$"))
        line = self.grid.get_by_role("row").filter(has=number)
        return line.locator(f"[aria-colindex='{head.get_attribute('aria-colindex')}']")

    def mend(self, row: int, column: str, text: str) -> None:
        """Type into a cell of the grid."""
        self.cell(row, column).dblclick()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.type(text)
        self.page.keyboard.press("Enter")

    def filter_by_value(self, column: str) -> None:
        """Look at the list of values by which a column can be filtered."""
        self.grid.get_by_role("button", name=f"Filter {column}").click()
        dialog = self.page.get_by_role("dialog", name=f"Filter {column}")
        dialog.wait_for()
        self.page.mouse.click(5, 5)  # beside it: closed
        dialog.wait_for(state="hidden")

    def number_of_phones(self) -> int:
        """Return the number that the confirmation asks for."""
        words = self.page.get_by_text("to confirm.").locator("visible=true").first.inner_text()
        return int(words.split()[1])

    def download(self, button: str) -> bytes:
        """Press a button, once, and return the file that it hands over: a second one would be taken for the next."""
        expect(self.button(button)).to_be_enabled()
        with self.page.expect_download() as download:
            self.button(button).click()
        return Path(download.value.path()).read_bytes()


@contextmanager
def front_end_open(
    front_end: str, page: Page, cwd: Path, settings: Mapping[str, str], cell: str = BATCH
) -> Iterator[None]:
    """The page of `itnio-nb app`, or in JupyterLab a notebook of one cell that has been run, open in a page.

    In the end the page goes before the server: it would miss it.
    """
    serve = an_app if front_end == "app" else a_lab
    with serve(COMMAND, cwd, settings) as address:
        if front_end == "app":
            page.goto(address)
        else:
            open_in_lab(page, address, cwd / "itnio-notebooks" / "0.1.0", cell)
            run_all_from_the_menu(page)
        yield
        page.goto("about:blank")


def open_in_lab(page: Page, address: str, folder: Path, cell: str) -> None:
    """Put a notebook of one cell into a folder that JupyterLab serves, and open it."""
    save_notebook(notebook_of(cell), folder / "form.ipynb")
    server, token = address.split("/?")
    page.goto(f"{server}/lab/tree/{folder.name}/form.ipynb?reset&{token}")
