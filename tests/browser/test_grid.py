"""The grid of orders in a real browser, worked on like a spreadsheet: by keyboard, by mouse, with the clipboard."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from itnio_nb import Sandbox
from tests.support.browser import a_page
from tests.support.factories import APP, many_orders
from tests.support.person import Person, front_end_open
from tests.support.processes import settings_of

NUMBERS = count(1)
NAMES = ["groupName", "phoneName", "quantity", "displayNum", "appId"]
FIRST_TWO = [("group-0", "phone-0"), ("group-1", "phone-1")]
COPY = "([text, html]) => navigator.clipboard.write([new ClipboardItem(Object.fromEntries(Object.entries({'text/plain': text, 'text/html': html}).filter(([, data]) => data).map(([kind, data]) => [kind, new Blob([data], {type: kind})])))])"  # noqa: E501


class Sheet(Person):
    """A person at the grid of orders."""

    def begin(self, orders: int = 6) -> None:
        """Have other orders in the form."""
        self.site = f"Hall {next(NUMBERS)}"
        self.upload("phones.csv", many_orders(orders).assign(Site=self.site).to_csv(index=False).encode())
        there = self.page.get_by_role("gridcell", name=self.site, exact=True).first
        there.or_(self.button("Replace")).first.wait_for()
        if self.button("Replace").is_visible():  # what was edited before
            self.press("Replace")
        expect(self.cell(2, "Site")).to_have_text(self.site)
        self.sees(f"{orders:,} orders")

    def copied_elsewhere(self, text: str, html: str = "") -> None:
        """Put on the clipboard what another program has copied."""
        self.page.evaluate(COPY, [text, html])

    def clipboard(self) -> str:
        text: str = self.page.evaluate("() => navigator.clipboard.readText()")
        return text.replace("\r\n", "\n")

    def keys(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def column(self, name: str, rows: range) -> list[str]:
        return [self.cell(row, name).inner_text() for row in rows]

    @property
    def said(self) -> str:
        """What a screen reader is told last."""
        return self.page.locator(".itnio-unseen").locator("visible=true").first.inner_text()

    @property
    def active(self) -> str:
        """The text of the cell that is told to a screen reader as the active one."""
        return self.page.locator(f"[id='{self.grid.get_attribute('aria-activedescendant')}']").inner_text()


@pytest.fixture(scope="module", params=["app", "lab"])
def opened(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A page with an empty form, in each front end."""
    folder = tmp_path_factory.mktemp("grid")
    with Sandbox() as sandbox, a_page(1300, 1100) as (page, wrong):
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        with front_end_open(request.param, page, folder, settings_of(sandbox)):
            Person(page).sees("No orders yet")
            yield page
            assert wrong == []


@pytest.fixture
def sheet(opened: Page) -> Sheet:
    """Six orders in the grid."""
    sheet = Sheet(opened)
    sheet.begin()
    return sheet


def test_a_block_is_pasted_copied_and_undone(sheet: Sheet) -> None:
    """Rows by columns from the selected cell on, rows are added, all is checked at once; each step can be undone."""
    block = "north\tfirst\t7\nsouth\tsecond\t8\neast\tthird\tx"
    sheet.copied_elsewhere(block, "<table><tr><td>other</td></tr></table>")
    sheet.cell(6, "groupName").click()
    sheet.keys("Control+v")
    sheet.sees("7 orders · 1 row with errors")
    assert sheet.column("groupName", range(2, 9)) == [
        "group-0",
        "group-1",
        "group-2",
        "group-3",
        "north",
        "south",
        "east",
    ]
    assert sheet.column("quantity", range(6, 9)) == ["7", "8", "x"]
    expect(sheet.cell(8, "quantity")).to_have_attribute("aria-invalid", "true")
    expect(sheet.cell(8, "appId")).to_have_text(APP)
    sheet.sees("9 cells pasted into 3 rows. Ctrl Z undoes it.")
    expect(sheet.cell(7, "phoneName")).to_have_attribute("aria-selected", "true")
    sheet.keys("Control+c")
    assert sheet.clipboard() == block
    sheet.keys("Control+z")
    sheet.sees("6 orders · 0 rows with errors")
    assert sheet.column("groupName", range(6, 8)) == ["group-4", "group-5"]
    sheet.keys("Control+y")
    sheet.sees("7 orders · 1 row with errors")
    sheet.press("Undo")
    sheet.sees("6 orders · 0 rows with errors")


def test_a_tab_or_a_line_break_never_enters_a_cell(sheet: Sheet) -> None:
    """Also where a cell is open for typing: what is pasted there goes into cells."""
    sheet.copied_elsewhere('"Hall\n2"\t"a\tb"\r\nx1234\ty1234\r\n')
    sheet.cell(3, "groupName").dblclick()
    sheet.keys("Control+v")
    expect(sheet.cell(3, "groupName")).to_have_text("Hall 2")
    assert sheet.column("groupName", range(3, 5)) == ["Hall 2", "x1234"]
    assert sheet.column("phoneName", range(3, 5)) == ["a b", "y1234"]
    sheet.copied_elsewhere("one-line\n")
    sheet.cell(5, "groupName").dblclick()
    sheet.keys("Control+a", "Control+v", "Enter")
    expect(sheet.cell(5, "groupName")).to_have_text("one-line")
    assert sheet.column("groupName", range(6, 8)) == ["group-4", "group-5"]


def test_a_block_that_does_not_fit_is_refused(sheet: Sheet) -> None:
    """In words; nothing is pasted. One with headers goes into their columns."""
    sheet.copied_elsewhere("a\tb\tc\td")
    sheet.cell(2, "displayNum").click()
    sheet.keys("Control+v")
    sheet.sees("The block has 4 columns, and from displayNum on there are 3: select a cell further left. Nothing was")
    sheet.copied_elsewhere("Site\tQty\nRoof\t9\n")
    sheet.cell(4, "groupName").click()
    sheet.keys("Control+v")
    expect(sheet.cell(4, "Site")).to_have_text("Roof")
    expect(sheet.cell(4, "quantity")).to_have_text("9")


def test_copies_have_headers_where_they_are_wanted(sheet: Sheet) -> None:
    """A block as text with tabs, without what was found; pasted again it is what it was."""
    sheet.cell(2, "groupName").click()
    sheet.keys("Shift+ArrowDown", "Shift+End", "Control+c")
    lines = [f"{group}\t{phone}\t3\t861000000\t{APP}\t{sheet.site}" for group, phone in FIRST_TWO]
    assert sheet.clipboard().splitlines() == lines
    sheet.page.get_by_role("button", name="Copy with headers").locator("visible=true").click()
    assert sheet.clipboard().splitlines()[0] == "\t".join([*NAMES, "Site"])
    sheet.cell(5, "groupName").click()
    sheet.keys("Control+v")
    expect(sheet.cell(6, "groupName")).to_have_text("group-1")
    sheet.cell(6, "phoneName").click()
    sheet.keys("Control+x")
    expect(sheet.cell(6, "phoneName")).to_have_text("")
    assert sheet.clipboard() == "phone-1"


def test_typing_is_as_in_a_spreadsheet(sheet: Sheet) -> None:
    """Typing replaces, F2 goes on with what is there, Enter and Tab keep, Esc does not; Delete empties a block."""
    sheet.cell(2, "groupName").click()
    sheet.page.keyboard.type("alpha")
    sheet.keys("Enter")
    sheet.page.keyboard.type("beta-")
    sheet.keys("Tab")
    sheet.keys("F2", "End")
    sheet.page.keyboard.type("x")
    sheet.keys("Tab")
    assert sheet.active == "3"
    sheet.keys("Enter")
    sheet.page.keyboard.type("99")
    sheet.keys("Escape")
    assert sheet.column("groupName", range(2, 4)) == ["alpha", "beta-"]
    assert sheet.column("phoneName", range(2, 4)) == ["phone-0", "phone-1x"]
    assert sheet.column("quantity", range(2, 4)) == ["3", "3"]
    sheet.cell(4, "phoneName").click()
    sheet.cell(5, "quantity").click(modifiers=["Shift"])
    sheet.keys("Delete")
    sheet.sees("6 orders · 2 rows with errors")
    assert sheet.column("phoneName", range(4, 6)) == sheet.column("quantity", range(4, 6)) == ["", ""]
    sheet.cell(6, "groupName").click()
    sheet.page.keyboard.insert_text("东区")  # an input method
    sheet.keys("Enter")


def test_the_first_row_is_filled_down(sheet: Sheet) -> None:
    """Of several rows the first, into one row what is above it."""
    sheet.cell(2, "phoneName").click()
    sheet.cell(2, "quantity").click(modifiers=["Shift"])
    sheet.keys("Shift+ArrowDown", "Shift+ArrowDown", "Control+d")
    expect(sheet.cell(4, "phoneName")).to_have_text("phone-0")
    assert sheet.column("phoneName", range(2, 6)) == ["phone-0"] * 3 + ["phone-3"]
    sheet.cell(5, "phoneName").click()
    sheet.page.get_by_role("button", name="Fill down").click()
    expect(sheet.cell(5, "phoneName")).to_have_text("phone-0")
    sheet.keys("Control+z", "Control+z")
    expect(sheet.cell(3, "phoneName")).to_have_text("phone-1")


def test_numbers_sort_as_numbers(sheet: Sheet) -> None:
    """Stable, what is empty last; an edit does not make a row jump away; a filter is a dialog that is seen whole."""
    for row, text in zip(range(2, 8), ["10", "9", "", "100", "9", "2"], strict=True):
        sheet.cell(row, "quantity").click()
        sheet.page.keyboard.type(text) if text else sheet.keys("Delete")
        sheet.keys("Enter")
    expect(sheet.cell(4, "quantity")).to_have_text("")  # emptied once the kernel says so: sorted as it is shown
    numbers = sheet.grid.get_by_role("rowheader")
    sheet.grid.get_by_role("columnheader", name="quantity").click()
    expect(numbers).to_have_text(["7", "3", "6", "2", "5", "4"])
    expect(sheet.grid.get_by_role("columnheader", name="quantity")).to_have_attribute("aria-sort", "ascending")
    sheet.cell(7, "quantity").click()
    sheet.page.keyboard.type("50")
    sheet.keys("Enter")
    sheet.page.get_by_role("button", name="Fill down").wait_for()
    expect(numbers).to_have_text(["7", "3", "6", "2", "5", "4"])
    sheet.grid.get_by_role("button", name="Filter quantity").click()
    dialog = sheet.page.get_by_role("dialog", name="Filter quantity")
    box, view = dialog.bounding_box(), sheet.page.viewport_size
    assert box is not None
    assert view is not None
    assert box["x"] >= 0
    assert box["y"] >= 0
    assert box["x"] + box["width"] <= view["width"]
    assert box["y"] + box["height"] <= view["height"]
    dialog.get_by_label("9 · 2").uncheck()
    dialog.get_by_role("button", name="Filter").click()
    expect(numbers).to_have_text(["2", "7", "5", "4"])
    expect(sheet.grid).to_have_attribute("aria-rowcount", "5")
    sheet.grid.get_by_role("button", name="Filter quantity, on").click()
    dialog.get_by_role("button", name="Show all").click()
    expect(numbers).to_have_count(6)
    sheet.keys("Escape")


def test_a_search_goes_through_all_rows(sheet: Sheet) -> None:
    """Ctrl F in the grid; Enter goes on to the next; Esc back to the grid."""
    sheet.cell(2, "groupName").click()
    sheet.keys("Control+f")
    expect(sheet.page.get_by_label("Search in all rows").locator("visible=true")).to_be_focused()
    sheet.page.keyboard.type("PHONE-")
    sheet.sees("6 found")
    sheet.keys("Enter", "Enter")
    sheet.sees("2 of 6")
    assert sheet.active == "phone-1"
    sheet.keys("Escape")
    expect(sheet.grid).to_be_focused()
    assert sheet.active == "phone-1"


def test_a_screen_reader_is_told_where_one_is(sheet: Sheet) -> None:
    """The size of the table, the active cell with its row and column, what is wrong with it; headers by arrow."""
    expect(sheet.grid).to_have_attribute("aria-rowcount", "7")
    expect(sheet.grid).to_have_attribute("aria-colcount", "8")
    sheet.cell(3, "groupName").click()
    sheet.page.keyboard.type("ab")
    sheet.keys("Enter")
    sheet.sees("6 orders · 1 row with errors")
    sheet.keys("ArrowUp")
    expect(sheet.page.locator(".itnio-unseen").locator("visible=true").first).to_contain_text(
        "row 3, groupName: ab. Error: has 2"
    )
    sheet.keys("Shift+ArrowRight")
    assert "2 cells selected" in sheet.said
    sheet.keys("Control+Home", "ArrowUp")
    assert sheet.said.startswith("groupName, header.")
    sheet.keys("Enter")
    expect(sheet.grid.get_by_role("columnheader", name="groupName")).to_have_attribute("aria-sort", "ascending")
    sheet.keys("Enter", "Enter", "ArrowDown")
    assert sheet.active == "group-0"
    sheet.keys("Tab")
    expect(sheet.grid).not_to_be_focused()


def test_of_many_rows_those_that_are_seen_are_in_the_page(sheet: Sheet) -> None:
    """And the active one, wherever it is; the first column stays in sight; added rows are gone to."""
    sheet.begin(10_000)
    assert 10 < sheet.grid.get_by_role("row").count() < 100
    sheet.cell(2, "groupName").click()
    sheet.keys("Control+End")
    expect(sheet.cell(10_001, "Site")).to_have_attribute("aria-selected", "true")
    first = sheet.cell(10_001, "groupName").bounding_box()
    frame = sheet.grid.bounding_box()
    assert first is not None
    assert frame is not None
    assert frame["x"] <= first["x"] <= frame["x"] + 80
    sheet.page.mouse.move(frame["x"] + 300, frame["y"] + 100)
    sheet.page.mouse.wheel(0, -20_000)
    expect(sheet.cell(9_500, "groupName")).to_have_count(0)
    assert sheet.active == sheet.site
    sheet.press("Add a row")
    expect(sheet.cell(10_002, "groupName")).to_have_attribute("aria-selected", "true")
    expect(sheet.grid).to_be_focused()
    sheet.page.keyboard.type("added")
    sheet.keys("Enter")
    expect(sheet.cell(10_002, "groupName")).to_have_text("added")


def test_the_whole_text_of_a_finding_can_be_read(sheet: Sheet, opened: Page) -> None:
    """Where the mouse rests on a cell, at any width."""
    sheet.cell(3, "groupName").click()
    sheet.page.keyboard.type("ab")
    sheet.keys("Enter")
    sheet.sees("6 orders · 1 row with errors")
    sheet.cell(3, "groupName").hover()
    expect(opened.get_by_role("tooltip").locator("visible=true")).to_contain_text(
        "has 2 characters; 4 to 32 characters"
    )
    sheet.cell(4, "groupName").hover()
    expect(opened.get_by_role("tooltip").locator("visible=true")).to_have_count(0)


def test_the_grid_of_a_plan_can_be_read(sheet: Sheet, tmp_path: Path) -> None:
    """Sorted, searched and copied; nothing is typed into it."""
    sheet.press("Plan")
    sheet.sees("Plan: 6 groups to create")
    sheet.cell(3, "groupName").click()
    sheet.page.keyboard.type("nothing")
    sheet.keys("Delete", "Control+c")
    assert sheet.clipboard() == "group-1"
    assert sheet.cell(3, "groupName").inner_text() == "group-1"
    sheet.press("1 Orders")
