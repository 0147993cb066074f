"""What is confirmed is what is sent, in a real browser: an order, what goes on or is tried again, on a live account.

By keyboard alone, and without a violation of axe-core's in any of the states.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import FilePayload, Locator, Page, expect

from itnio_nb import Account, Client, PhoneGroup, Sandbox
from tests.support.agreement import creations
from tests.support.axe import violations
from tests.support.browser import a_page
from tests.support.factories import APP, many_orders, sent
from tests.support.live import live_account, live_settings
from tests.support.person import Person, front_end_open

ORDER = ["sales", "desk", "120", "8610850001", APP]
CELL = "from itnio_nb import open_workspace\n\nws = open_workspace()\nws.order_form()"


@contextmanager
def forms(front_end: str, cwd: Path, account: Account, cell: str = CELL) -> Iterator[tuple[Page, Person]]:
    """The forms of a front end on a live account."""
    with a_page(1200, 1000) as (page, wrong), front_end_open(front_end, page, cwd, live_settings(account), cell):
        yield page, Person(page)
    assert wrong == []


def tab_to(page: Page, wanted: Locator) -> None:
    """Press the tab key until something has the focus, at most as often as a page has stops."""
    for _ in range(80):
        page.keyboard.press("Tab")
        if wanted.count() and wanted.evaluate("one => one === document.activeElement"):
            return
    pytest.fail(f"the tab key does not lead to {wanted}")


def field(page: Page, label: str) -> Locator:
    return page.get_by_label(label, exact=True).locator("visible=true")


def confirm(person: Person, number: int, button: str) -> None:
    """Type the number of phones and press the button, by keyboard alone."""
    tab_to(person.page, field(person.page, "Number of phones"))
    person.page.keyboard.type(str(number), delay=20)
    expect(person.button(button)).to_be_enabled()
    person.page.keyboard.press("Tab")
    expect(person.button(button)).to_be_focused()
    person.page.keyboard.press("Enter")


@pytest.mark.parametrize("front_end", ["app", "lab"])
def test_one_order_on_a_live_account(front_end: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its number is typed before it is sent; where some of it exists already, that is said, and asked again."""
    with Sandbox() as sandbox:
        account = live_account(sandbox, monkeypatch)
        with Client(account) as client:
            client.create_phones(PhoneGroup("sales", "desk", 50, "8610850001", APP))
        with forms(front_end, tmp_path, account) as (page, person):
            person.sees("No orders yet" if front_end == "app" else "Fill in all five fields")
            if front_end == "app":
                page.get_by_role("tab", name="One order", exact=True).click()
            expect(person.button("Create")).to_be_disabled()
            expect(field(page, "Number of phones")).to_have_count(0)
            field(page, "Group name").focus()
            for text in ORDER:
                page.keyboard.type(text, delay=20)
                page.keyboard.press("Tab")
            person.sees("Creates 120 phones in 3 groups on LIVE ACCOUNT …abcd, application")
            person.sees("Type 120 to confirm.")
            expect(person.button("Create")).to_be_disabled()
            assert violations(page) == []
            field(page, "Application").focus()
            confirm(person, 120, "Create")
            person.sees("1 of its 3 groups exists already, so 70 phones would be created and not 120.")
            person.sees("Creates 70 phones in 2 groups on LIVE ACCOUNT")
            assert sent(sandbox) == 1
            assert violations(page) == []
            expect(field(page, "Number of phones")).to_have_value("")
            field(page, "Application").focus()
            confirm(person, 70, "Create")
            person.sees("Done. Groups: 2 created (70 phones), 1 existed")
            person.sees("This order was sent.")
            assert violations(page) == []
        assert (sent(sandbox), len(sandbox.phones)) == (3, 120)


def test_a_batch_that_is_tried_again_and_mended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused in the middle: the number again, then what is left of the file; step after step by keyboard alone."""
    orders = many_orders(12)
    orders.loc[orders.index[10:], "groupName"] = ["ab", "cd"]
    file: FilePayload = {"name": "a.csv", "mimeType": "text/csv", "buffer": orders.to_csv(index=False).encode()}
    with Sandbox(cap=12) as sandbox:
        account = live_account(sandbox, monkeypatch)
        with Client(account) as client:
            client.create_phones(PhoneGroup("others", "phone-9", 1, "8610850001", APP))
        with forms("app", tmp_path, account) as (page, person):
            person.sees("No orders yet")
            expect(person.button("Upload a file")).to_be_enabled()
            tab_to(page, person.button("Upload a file"))
            with page.expect_file_chooser() as chooser:
                page.keyboard.press("Enter")
            chooser.value.set_files(file)
            person.sees("12 orders · 2 rows with errors")
            tab_to(page, person.button("Plan"))
            page.keyboard.press("Enter")
            person.sees("Look at these first: 1 group may be refused.")
            expect(page.get_by_role("columnheader", name="why")).to_be_visible()
            assert violations(page) == []
            tab_to(page, person.button("Go on to confirm"))
            page.keyboard.press("Enter")
            person.sees("Submitting creates 30 phones in 10 groups on LIVE ACCOUNT …abcd, application")
            person.sees("2 of 12 rows are left out: they have errors.")
            assert violations(page) == []
            confirm(person, 30, "Submit")
            person.sees("“Try again” goes on with it.")
            assert "0" not in page.get_by_role("tab", name="Refused ").inner_text().split()
            sandbox.cap = None
            left = person.number_of_phones()
            person.sees(f"Sends {left} phones in {left // 3} groups on LIVE ACCOUNT …abcd, application")
            person.sees("Sent 8 at once.")
            expect(person.button("Try again")).to_be_disabled()
            assert violations(page) == []
            confirm(person, left, "Try again")
            person.sees("Groups: 9 created (27 phones), 0 existed, 1 refused")
            expect(page.get_by_role("tab", name="Refused 1 group")).to_have_attribute("aria-selected", "true")
            person.sees("2 of 12 rows left out")
            tab_to(page, person.button("Mend the 3 rows"))
            page.keyboard.press("Enter")
            person.sees("These rows have errors, were refused or not sent: mend them")
            person.sees("3 orders · 2 rows with errors")
            assert violations(page) == []
        assert creations(sandbox).total() == len(creations(sandbox)) == 10
