"""How orders come in, in a real browser: dropped, chosen, pasted, matched, remembered; kept, and never lost unasked."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Page, expect

from itnio_nb import Sandbox
from tests.support.browser import a_page
from tests.support.factories import APP, many_orders
from tests.support.person import Person, front_end_open
from tests.support.processes import settings_of

FOREIGN = "Team,Handset prefix,Anzahl,Rufnummer\n" + "".join(
    f"team-{number},desk-{number},2,861085000{number}\n" for number in range(3)
)
# Whether the page would have gone to what was dropped beside the form.
_DROP_BESIDE = """() => {
  const transfer = new DataTransfer();
  transfer.items.add(new File(['x'], 'x.csv'));
  const told = (name) => document.body.dispatchEvent(
    new DragEvent(name, { dataTransfer: transfer, bubbles: true, cancelable: true }));
  return [told('dragover'), told('drop')];
}"""
_DROP_TEXT = """([kind, text]) => {
  const transfer = new DataTransfer();
  transfer.setData(kind, text);
  document.querySelector('.itnio-drop').dispatchEvent(
    new DragEvent('drop', { dataTransfer: transfer, bubbles: true, cancelable: true }));
}"""
_PASTE = """(text) => {
  const transfer = new DataTransfer();
  transfer.setData('text/plain', text);
  transfer.setData('text/html', '<table></table>');
  document.activeElement.dispatchEvent(
    new ClipboardEvent('paste', { clipboardData: transfer, bubbles: true, cancelable: true }));
}"""


@contextmanager
def a_form(page: Page, cwd: Path, front_end: str = "app", latency: float = 0) -> Iterator[Person]:
    """A batch form on a sandbox of its own, and a person at it."""
    with Sandbox(latency=latency) as sandbox, front_end_open(front_end, page, cwd, settings_of(sandbox)):
        person = Person(page)
        person.sees("Drop a spreadsheet here, or choose a file")
        yield person


def written(folder: Path, name: str, data: bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)
    return folder / name


def drag(page: Page, paths: Sequence[Path], where: str, *steps: str) -> None:
    """Drag files from a file manager over a place of the page, as the browser does: it reads them from the disk."""
    box = page.locator(where).locator("visible=true").first.bounding_box()
    assert box is not None
    place = {"x": box["x"] + min(60, box["width"] / 2), "y": box["y"] + min(20, box["height"] / 2)}
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    session = page.context.new_cdp_session(page)
    for step in steps or ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": step, **place, "data": data})
    session.detach()


@pytest.mark.parametrize("front_end", ["app", "lab"])
def test_a_file_is_dropped(front_end: str, tmp_path: Path) -> None:
    """Anywhere on the form, which says so while it is above it; several, a folder or an address are refused in words.

    Beside the form nothing happens to the page.
    """
    csv = written(tmp_path / "files", "phones.csv", many_orders(3).to_csv(index=False).encode())
    other = written(tmp_path / "files", "other.csv", many_orders(2).to_csv(index=False).encode())
    with a_page() as (page, wrong), a_form(page, tmp_path, front_end) as person:
        address = page.url
        drag(page, [csv], ".itnio-steps", "dragEnter", "dragOver")
        person.sees("Drop it to read its orders")
        drag(page, [csv], ".itnio-steps", "dragCancel")
        page.mouse.move(5, 5)
        expect(page.locator(".itnio-cover")).to_have_count(0)
        drag(page, [csv], ".itnio-step")
        person.sees("3 orders · 0 rows with errors")
        person.sees("phones.csv: CSV")
        expect(page.locator(".itnio-cover")).to_have_count(0)
        drag(page, [csv, other], ".itnio-grid")
        person.sees("2 files were dropped, and none was read")
        drag(page, [csv.parent], ".itnio-grid")
        person.sees("files is a folder, and nothing was read")
        drag(page, [other], ".itnio-grid")
        person.sees("2 orders · 0 rows with errors")
        page.evaluate(_DROP_TEXT, ["text/uri-list", "https://example.com/phones.xlsx"])
        person.sees("An address was dropped, and nothing was read (https://example.com/phones.xlsx)")
        page.evaluate(_DROP_TEXT, ["text/plain", "hello"])
        person.sees("A text without rows was dropped, and nothing was read (hello)")
        page.evaluate(_DROP_TEXT, ["text/plain", many_orders(4).to_csv(sep="\t", index=False)])
        person.sees("4 orders · 0 rows with errors")
        if front_end == "app":
            assert page.evaluate(_DROP_BESIDE) == [False, False]
        drag(page, [csv], ".lm-TabBar, .jp-NotebookPanel-toolbar")
        assert page.url == address
        person.sees("4 orders · 0 rows with errors")
    assert wrong == []


def test_a_large_file_goes_in_parts(tmp_path: Path) -> None:
    """More than Jupyter takes in one message; one above the limit is refused with the reason, before it is sent."""
    rows = many_orders(30).assign(Note="x" * 400_000)
    large = written(tmp_path / "files", "large.csv", rows.to_csv(index=False).encode())
    assert large.stat().st_size > 11_000_000
    huge = tmp_path / "files" / "huge.csv"
    with huge.open("wb") as file:
        file.truncate(101 * 2**20)
    with a_page() as (page, wrong), a_form(page, tmp_path) as person:
        drag(page, [large], ".itnio-drop")
        person.sees("large.csv: CSV (utf-8, comma), headers in row 1, 30 orders")
        with page.expect_file_chooser() as chooser:
            person.press("Another file")
        chooser.value.set_files(huge)
        person.sees("huge.csv has 101 MB, and a file of up to 100 MB is read here: what comes through the page is held")
    assert wrong == []


def test_rows_are_pasted_on_the_empty_area(tmp_path: Path) -> None:
    """A click there and Ctrl-V; rows without headers are matched by their places."""
    table = many_orders(3)
    with a_page() as (page, wrong), a_form(page, tmp_path) as person:
        page.get_by_text("Drop a spreadsheet here, or choose a file").click()
        page.evaluate(_PASTE, table.to_csv(sep="\t", index=False, header=False))
        person.sees("pasted text has no row of headers: row 1 is an order already.")
        assert page.get_by_label("groupName", exact=True).input_value() == "column 1"
        person.press("Read with these columns")
        person.sees("3 orders · 0 rows with errors")
    assert wrong == []


def test_columns_are_matched_and_remembered(tmp_path: Path) -> None:
    """A guess, three cells that follow the choice, one value for all; of the next such file all of it is offered."""
    with a_page() as (page, wrong), a_form(page, tmp_path) as person:
        person.upload("june.csv", FOREIGN.encode())
        person.sees("june.csv has no column for groupName, phoneName, quantity, displayNum, appId")
        person.sees("Its first cells: team-0, team-1, team-2")
        page.get_by_label("groupName", exact=True).select_option("Handset prefix")
        expect(page.get_by_text("Its first cells: desk-0, desk-1, desk-2").locator("visible=true")).to_have_count(2)
        page.get_by_label("groupName", exact=True).select_option("Team")
        page.get_by_label("appId", exact=True).select_option("one value for all rows")
        person.write("appId for all rows", APP)
        person.press("Read with these columns")
        person.sees("3 orders · 0 rows with errors")
        page.reload()
        person.sees("Drop a spreadsheet here, or choose a file")
        person.upload("july.csv", FOREIGN.replace("team", "club").encode())
        person.sees("Columns of july.csv")
        assert page.get_by_label("appId for all rows", exact=True).input_value() == APP
        person.press("Read with these columns")
        person.sees("3 orders · 0 rows with errors")
        expect(page.get_by_text("Columns of july.csv")).to_have_count(0)
        person.open_other_ways()
        person.write("Application for all rows", APP)
        person.upload("august.csv", FOREIGN.replace("team", "gang").encode())
        person.sees("Columns as last time: Team → groupName")  # without such a value it is read at once
    assert wrong == []


def test_a_sheet_is_chosen(tmp_path: Path) -> None:
    """From a list, which is there only where the workbook has several."""
    data = io.BytesIO()
    with pd.ExcelWriter(data, engine="xlsxwriter") as book:
        for number, name in ((2, "June"), (3, "July")):
            many_orders(number).to_excel(book, sheet_name=name, index=False)
        many_orders(4).drop(columns="appId").to_excel(book, sheet_name="August", index=False)
    with a_page() as (page, wrong), a_form(page, tmp_path) as person:
        expect(page.get_by_label("Sheet", exact=True).locator("visible=true")).to_have_count(0)
        person.upload("phones.xlsx", data.getvalue())
        person.sees("phones.xlsx: XLSX (sheet June), headers in row 1, 2 orders")
        sheet = page.get_by_label("Sheet", exact=True).locator("visible=true")
        assert sheet.input_value() == "June"
        sheet.select_option("July")
        person.sees("phones.xlsx: XLSX (sheet July), headers in row 1, 3 orders")
        sheet.select_option("August")
        person.sees("no column for appId")
        assert sheet.input_value() == "August"
        person.press("Leave it")
        expect(page.get_by_label("Sheet", exact=True).locator("visible=true")).to_have_value("July")
    assert wrong == []


def test_edited_orders_survive_a_reload_and_are_not_replaced_unasked(tmp_path: Path) -> None:
    """Offered in a line; another file asks first, with the focus on what changes nothing."""
    with a_page() as (page, wrong), a_form(page, tmp_path) as person:
        person.upload("phones.csv", many_orders(3).to_csv(index=False).encode())
        person.sees("3 orders ·")
        person.press("Add a row")
        person.sees("4 orders ·")
        page.reload()
        person.sees("Orders from phones.csv, 4 rows, edited ")
        person.press("Go on with them")
        person.sees("4 orders ·")
        other = written(tmp_path / "files", "other.csv", many_orders(2).to_csv(index=False).encode())
        drag(page, [other], ".itnio-grid")
        person.sees("Replace 4 edited orders by other.csv (2 rows)?")
        expect(person.button("Keep mine")).to_be_focused()
        page.keyboard.press("Enter")
        person.sees("4 orders ·")
        expect(page.get_by_text("Replace 4 edited orders")).to_have_count(0)
        drag(page, [other], ".itnio-grid")
        person.press("Replace")
        person.sees("2 orders ·")
        page.reload()
        person.sees("Drop a spreadsheet here, or choose a file")
        expect(page.get_by_text("were not submitted").locator("visible=true")).to_have_count(0)
    assert wrong == []


def test_edits_of_the_last_second_are_kept(tmp_path: Path) -> None:
    """The page ends its kernel: what was not written yet is written then."""
    with a_page() as (page, wrong), a_form(page, tmp_path) as person:
        person.upload("phones.csv", many_orders(3).to_csv(index=False).encode())
        for number in (4, 5, 6):
            person.press("Add a row")
            person.sees(f"{number} orders ·")
        page.reload()
        person.sees("Orders from phones.csv, 6 rows, edited ")
    assert wrong == []


def test_the_keyboard_is_enough(tmp_path: Path) -> None:
    """The file chooser, the template, the other ways and their fields, in the order in which one reads, all named."""
    with a_page() as (page, wrong), a_form(page, tmp_path) as person:
        expect(page.get_by_role("button", name="Upload a file")).to_be_enabled()
        page.get_by_role("button", name="1 Orders").focus()
        page.keyboard.press("Tab")
        expect(person.button("Upload a file")).to_be_focused()
        with page.expect_file_chooser() as chooser:
            page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        with page.expect_download() as download:
            page.keyboard.press("Enter")
        assert download.value.suggested_filename == "phones-template.xlsx"
        expect(person.button("Download a template")).to_be_enabled()
        person.button("Download a template").focus()
        page.keyboard.press("Tab")
        more = person.button("Other ways: path, paste, one row by hand")
        expect(more).to_be_focused()
        expect(more).to_have_attribute("aria-expanded", "false")
        page.keyboard.press("Space")
        expect(more).to_have_attribute("aria-expanded", "true")
        page.keyboard.press("Tab")
        expect(page.get_by_label("Path of a file", exact=True)).to_be_focused()
        chooser.value.set_files(Path(download.value.path()))
        person.sees("1 order · 0 rows with errors")
        nameless = page.evaluate(
            "() => [...document.querySelectorAll('.itnio :is(input, select, textarea, button)')].filter((one) =>"
            " !one.labels?.length && !one.textContent.trim() && !one.title && !one.getAttribute('aria-label'))"
            ".map((one) => one.outerHTML)"
        )
        assert nameless == []
    assert wrong == []
