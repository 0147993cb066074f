"""The forms in a real browser, in JupyterLab and on the Voilà page: the whole job, as a hasty person does it."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Dialog, Locator, Page, expect

from itnio_nb import Sandbox
from itnio_nb.runbooks.runner import read_notebook
from itnio_nb.sandbox.endpoints import REASONS
from tests.support.agreement import creations
from tests.support.browser import a_lab, a_page, run_all_from_the_menu
from tests.support.factories import APP, ROOT, many_orders, until
from tests.support.hostile import NAMES as HOSTILE
from tests.support.hostile import TEXTS
from tests.support.person import SLOW, Person, front_end_open, open_in_lab
from tests.support.processes import COMMAND, settings_of

GROUPS = 200


def spreadsheet() -> bytes:
    """200 orders of 2 phones, of which the third has a group name that is too short."""
    names = [f"group-{number:03}" for number in range(GROUPS)]
    orders = pd.DataFrame({"groupName": names, "phoneName": [f"desk-{number:03}" for number in range(GROUPS)]})
    orders = orders.assign(quantity="2", displayNum="8610850001", appId=APP, Site="Beijing")
    orders.loc[2, "groupName"] = "ab"
    return orders.to_csv(index=False).encode()


def load_again(front_end: str, page: Page) -> None:
    """Load the page again; in JupyterLab run the cell again, in the kernel that goes on."""
    page.reload()
    if front_end == "lab":
        run_all_from_the_menu(page)


@pytest.mark.parametrize("front_end", ["app", "lab"])
def test_the_whole_job(front_end: str, tmp_path: Path) -> None:
    """Upload, mend a cell, plan, confirm, submit, stop, reload, settle, go on, download; each button clicked twice."""
    # One answer is lost: the thirtieth request creates its phones, and the connection ends.
    sandbox = Sandbox(latency=SLOW, faults="none*29, drop-after")
    with sandbox, a_page(1300, 1100) as (page, wrong), front_end_open(front_end, page, tmp_path, settings_of(sandbox)):
        person = Person(page, hasty=True)
        person.sees("No orders yet")
        person.upload("phones.csv", spreadsheet())
        person.sees(f"{GROUPS} orders · 1 row with errors")
        person.cell(4, "groupName").click()
        person.sees("Row 4, groupName: error: 'ab' has 2 characters")
        person.mend(4, "groupName", "group-mended")
        person.sees(f"{GROUPS} orders · 0 rows with errors")
        person.press("Plan")
        person.sees(f"Plan: {GROUPS} groups to create ({2 * GROUPS} phones), 0 already exist, 0 rows invalid")
        person.press("Go on to confirm")
        person.sees(f"{2 * GROUPS} phones in {GROUPS} groups on SANDBOX")
        expect(person.button("Submit")).to_be_disabled()
        person.write("Number of phones", str(2 * GROUPS - 1))
        person.sees(f"Type {2 * GROUPS} to confirm.")
        expect(person.button("Submit")).to_be_disabled()
        assert sandbox.served["sipAdd", "0"] == 0
        person.write("Number of phones", str(2 * GROUPS))
        person.press("Submit")
        page.wait_for_function("() => /[1-9]\\d* groups? of 200/.test(document.body.innerText)")
        page.wait_for_function("() => /created (3[5-9]|[4-9]\\d|1\\d\\d) /.test(document.body.innerText)")
        person.press("Stop")
        person.sees("Stopped. Groups:")
        sandbox.latency = 0
        sent = sandbox.served["sipAdd", "0"]
        assert 0 < sent < GROUPS
        load_again(front_end, page)
        person.sees("This run is not finished")
        assert page.get_by_role("tab", name="Not sent ").inner_text() != "Not sent 0"
        assert page.get_by_role("tab", name="Unknown ").inner_text() == "Unknown 1 group"
        person.press("Settle unknown")
        person.sees("Looked: 1 group settled (1 created), 0 still unknown.")
        assert sandbox.served["sipAdd", "0"] == sent
        person.press("Go on")
        person.sees(f"Done. Groups: {GROUPS} created ({2 * GROUPS} phones)")
        person.press("Hand over")
        person.sees("Written, for you alone to read")
        results = person.download("Download results")
        handed = person.download("Download the hand-over")
        person.press("New batch")
        person.sees("No orders yet")
        store = sandbox.phones
    assert creations(sandbox).total() == len(creations(sandbox)) == GROUPS
    with zipfile.ZipFile(io.BytesIO(results)) as archive:
        tables = {name.split("-")[1]: pd.read_csv(archive.open(name), dtype=str) for name in archive.namelist()}
    assert sum(map(len, tables.values())) == GROUPS
    assert set(tables["created.csv"]["groupName"]) == set(store["groupName"])
    assert "group-mended" in set(store["groupName"])
    assert len(store) == 2 * GROUPS
    phones = pd.read_excel(io.BytesIO(handed), dtype=str, engine="calamine")
    assert sorted(phones["password"]) == sorted(store["password"])
    assert wrong == []


@pytest.mark.parametrize("front_end", ["app", "lab"])
def test_a_page_that_is_left_in_the_middle(front_end: str, tmp_path: Path) -> None:
    """JupyterLab's kernel goes on, and the form follows; Voilà's ends, and the form goes on: each group once."""
    sandbox = Sandbox(latency=SLOW)
    with sandbox, a_page() as (page, wrong), front_end_open(front_end, page, tmp_path, settings_of(sandbox)):
        person = Person(page)
        person.sees("No orders yet")
        person.upload("phones.csv", spreadsheet())
        person.press("Plan")
        person.press("Go on to confirm")
        person.write("Number of phones", str(person.number_of_phones()))
        person.press("Submit")
        page.wait_for_function("() => /created ([2-9]\\d) /.test(document.body.innerText)")
        load_again(front_end, page)
        if front_end == "app":
            person.sees("This run is not finished")
            person.press("Go on")
        sandbox.latency = 0
        person.sees(f"Done. Groups: {GROUPS - 1} created")
    assert creations(sandbox).total() == len(creations(sandbox)) == GROUPS - 1
    # What is sent to a page of JupyterLab that still loads its widgets finds none of them: both say so.
    assert [line for line in wrong if not re.search("widget model not found|Comm not found", line)] == []


def test_a_typed_secret_is_in_no_saved_notebook(tmp_path: Path) -> None:
    """JupyterLab saves the state of widgets with a notebook where it is told to: also while the kernel is busy."""
    settings = tmp_path / "jupyter-config" / "lab" / "user-settings" / "@jupyter-widgets" / "jupyterlab-manager"
    settings.mkdir(parents=True)
    (settings / "plugin.jupyterlab-settings").write_text('{"saveState": true}', encoding="utf-8")
    cell = "import os\nfrom itnio_nb import OrderForm\n\nos.environ.pop('ITNIO_API_KEY')\n"
    cell += "os.environ.pop('ITNIO_API_SECRET')\nos.environ.pop('ITNIO_BASE_URL')\nform = OrderForm()\nform"

    def saved() -> str:
        return (tmp_path / "itnio-notebooks" / "0.1.0" / "form.ipynb").read_text(encoding="utf-8")

    with Sandbox() as sandbox, a_page() as (page, wrong), a_lab(COMMAND, tmp_path, {}) as address:
        open_in_lab(page, address, tmp_path / "itnio-notebooks" / "0.1.0", cell)
        person = Person(page)
        run_all_from_the_menu(page)
        person.sees("API secret")
        secret = sandbox.account.api_secret.reveal()
        person.write("API key", sandbox.account.api_key)
        person.write("Address", sandbox.base_url)
        person.write("API secret", secret)
        page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
        until(lambda: sandbox.account.api_key in saved())
        person.press("Use this account")
        person.sees("SANDBOX at ")
        page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
        until(lambda: "<b>SANDBOX</b>" in saved())
        page.goto("about:blank")
    assert "application/vnd.jupyter.widget-state+json" in saved()
    assert secret not in saved()
    assert wrong == []


def test_columns_are_matched(tmp_path: Path) -> None:
    """A colleague's own headers: the guesses stand in the fields, one is changed, and the orders are there."""
    rows = "Team,Old prefix,Handset prefix,How many,Caller ID,Application\nsales,line,desk,2,8610850001,4luaKsL2\n"
    with Sandbox() as sandbox, a_page() as (page, wrong), front_end_open("app", page, tmp_path, settings_of(sandbox)):
        person = Person(page)
        person.sees("No orders yet")
        person.upload("phones.csv", rows.encode())
        person.sees("phones.csv has no column for groupName, phoneName, appId")
        fields = {name: page.get_by_label(name, exact=True) for name in ("groupName", "phoneName", "appId")}
        assert {name: one.input_value() for name, one in fields.items()} == {
            "groupName": "Team",
            "phoneName": "Handset prefix",
            "appId": "Application",
        }
        fields["phoneName"].select_option("Old prefix")
        person.press("Read with these columns")
        person.sees("1 order · 0 rows with errors")
        person.press("Plan")
        person.sees("Plan: 1 group to create (2 phones)")
    assert wrong == []


def test_the_keyboard_is_enough(tmp_path: Path) -> None:
    """From field to field and to the button, in the order in which one reads; all have names for screen readers."""
    order = ["sales", "desk", "3", "8610850001", APP]
    with Sandbox() as sandbox, a_page() as (page, wrong), front_end_open("app", page, tmp_path, settings_of(sandbox)):
        person = Person(page)
        person.sees("No orders yet")
        page.get_by_role("tab", name="One order", exact=True).click()
        page.get_by_label("Group name", exact=True).focus()
        for text in order:
            page.keyboard.type(text, delay=20)
            if text == APP:
                person.sees("creates 3 phones in 1 group on SANDBOX")
            page.keyboard.press("Tab")
        expect(person.button("Create")).to_be_focused()
        page.keyboard.press("Enter")
        person.sees("Done. Groups: 1 created (3 phones)")
        assert page.get_by_role("region", name="One order").count() == 1
        assert page.get_by_role("status").locator("visible=true").count() == 1
        nameless = page.evaluate(
            "() => [...document.querySelectorAll('.itnio :is(input, select, textarea, button)')].filter((one) =>"
            " !one.labels?.length && !one.textContent.trim() && !one.title && !one.getAttribute('aria-label'))"
            ".map((one) => one.outerHTML)"
        )
        assert nameless == []
    assert len(sandbox.phones) == 3
    assert wrong == []


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def tab_to(person: Person, wanted: Locator) -> None:
    """Press the tab key until something has the focus, at most as often as a page has stops."""
    for _ in range(60):
        person.page.keyboard.press("Tab")
        if wanted.count() and wanted.evaluate("one => one === document.activeElement"):
            return
    pytest.fail(f"the tab key does not lead to {wanted}")


def test_from_a_file_to_a_plan_by_keyboard_alone(tmp_path: Path) -> None:
    """The file is chosen, an error is found and mended in the grid, the plan is made: no mouse."""
    orders = many_orders(30)
    orders.loc[orders.index[20], "groupName"] = "ab"
    with Sandbox() as sandbox, a_page() as (page, wrong), front_end_open("app", page, tmp_path, settings_of(sandbox)):
        person = Person(page)
        person.sees("No orders yet")
        expect(person.button("Upload a file")).to_be_enabled()
        tab_to(person, person.button("Upload a file"))
        with page.expect_file_chooser() as chooser:
            press(page, "Enter")
        chooser.value.set_files(
            {"name": "a.csv", "mimeType": "text/csv", "buffer": orders.to_csv(index=False).encode()}
        )
        person.sees("30 orders · 1 row with errors")
        tab_to(person, page.locator(".itnio-kind").first)
        press(page, "Enter")  # the cells of this kind are selected, and the grid has the focus
        expect(person.grid).to_be_focused()
        expect(page.locator(".itnio-unseen").locator("visible=true").first).to_contain_text(
            "row 22, groupName: ab. Error:"
        )
        page.keyboard.type("mended")
        press(page, "Enter")
        person.sees("30 orders · 0 rows with errors")
        press(page, "ArrowUp", "ArrowRight")
        page.keyboard.type("phone-mended")
        press(page, "Tab")
        expect(person.cell(22, "phoneName")).to_have_text("phone-mended")
        tab_to(person, person.button("Plan"))
        press(page, "Enter")
        person.sees("Plan: 30 groups to create (90 phones), 0 already exist, 0 rows invalid")
    assert wrong == []


FIELDS = {
    "One order": ["Group name", "Phone name", "Phones", "Display number", "Application"],
    "Batch": ["Path of a file", "Application for all rows", "Pasted rows"],
}


def hostile_orders() -> bytes:
    """Orders with each hostile text, which stands in its names, its application, and a column of its own."""
    columns = {
        "groupName": [*TEXTS, *(f"group-{number:03}" for number in range(len(TEXTS)))],
        "phoneName": [*(f"phone-{number:03}" for number in range(len(TEXTS))), *TEXTS],
        "quantity": "1",
        "displayNum": [*HOSTILE[:5], *["8610850001"] * (2 * len(TEXTS) - 5)],
        "appId": [*[APP] * (2 * len(TEXTS) - 10), *HOSTILE[:10]],
        **{header: list(TEXTS) * 2 for header in HOSTILE[:20]},
    }
    return pd.DataFrame(columns).to_csv(index=False, quoting=csv.QUOTE_ALL).encode()


@pytest.mark.parametrize("front_end", ["app", "lab"])
def test_nothing_hostile_runs(front_end: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scripts and markup in names, reasons, file names, headers and every field are text, wherever they are shown."""
    assert len(set(TEXTS)) >= 300
    monkeypatch.setitem(REASONS, "-23", "<img src=x onerror=p()>")
    sandbox = Sandbox(cap=30)
    cell = read_notebook(ROOT / "itnio_nb" / "forms" / "static" / "app.ipynb").cells[0].source
    with sandbox, a_page(1300, 1100) as (page, wrong):
        ran: list[str] = []
        page.expose_function("p", lambda: ran.append("p"))

        def answer(dialog: Dialog) -> None:
            if dialog.type != "beforeunload":  # JupyterLab asks whether to leave an unsaved notebook
                ran.append(dialog.message)
            dialog.accept()

        page.on("dialog", answer)
        with front_end_open(front_end, page, tmp_path, settings_of(sandbox), cell):
            person = Person(page)
            person.sees("No orders yet")
            for tab, labels in FIELDS.items():
                page.get_by_role("tab", name=tab, exact=True).click()
                person.open_other_ways()
                for at, label in enumerate(labels):
                    for text in HOSTILE[at :: len(labels)]:
                        page.get_by_label(label, exact=True).locator("visible=true").fill(text)
                if tab == "Batch":
                    person.press("Read")
                    person.sees("Error: ")
                    page.get_by_label("Application for all rows", exact=True).fill("")
            person.upload("<img src=x onerror=p()>.csv", hostile_orders())
            person.sees(f"{2 * len(TEXTS)} orders · ")
            for row in range(2, 11):
                person.cell(row, "groupName").click()
            person.cell(2, "displayNum").click()
            person.sees("Row 2, displayNum: error: '<script>p()</script>'")
            page.locator(".itnio-kind").first.click()
            person.filter_by_value("groupName")
            person.press("Plan")
            person.sees("Plan: ")
            page.get_by_label("Save it as").fill("<svg onload=p()>/plan.json")
            person.press("Save the plan")
            person.sees("The plan cannot be written to <svg onload=p()>")
            person.press("Go on to confirm")
            page.get_by_label("at most a second").locator("visible=true").fill(HOSTILE[0])
            person.write("Number of phones", str(person.number_of_phones()))
            person.press("Submit")
            person.sees("The most requests in a second are a number")
            page.get_by_label("at most a second").locator("visible=true").fill("")
            person.press("Submit")
            person.sees("Nothing more was sent to application")
            for tab in ("Refused ", "Invalid ", "Created "):
                page.get_by_role("tab", name=tab).click()
            person.download("Download results")
            person.press("4 Submit")
            person.sees("<img src=x onerror=p()>")
            page.get_by_role("tab", name="Review", exact=True).click()
            page.get_by_label("Run", exact=True).select_option(index=1)
            person.press("Compare with the account")
            person.sees(" compared: ")  # one group or several: how many were sent before the run stopped itself differs
            for tab in ("Charts", "Comparison", "Groups"):
                page.get_by_role("tab", name=tab, exact=True).click()
            assert page.locator("mjx-container, .MathJax").count() == 0
    assert sandbox.served["sipAdd", "0"] >= 30
    assert sandbox.served["sipAdd", "-23"] >= 1
    assert ran == []
    assert wrong == []
