"""The forms in a real browser, in JupyterLab and on the Voilà page: the whole job, as a hasty person does it."""

from __future__ import annotations

import io
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import pandas as pd
import pytest
from browser import a_lab, a_page, an_app, run_all_from_the_menu
from conftest import APP
from person import CELL, Person, open_in_lab
from playwright.sync_api import Page, expect
from test_cli import COMMAND

from itnio_nb import Sandbox

pytestmark = pytest.mark.slow

GROUPS = 200
NAMES = ["groupName", "phoneName", "quantity", "displayNum", "appId", "finding"]
BATCH = CELL.format(form="BatchForm", arguments="here.client, here.ledger")


def settings_for(sandbox: Sandbox) -> dict[str, str]:
    account = sandbox.account
    secret = account.api_secret.reveal()
    return {"ITNIO_BASE_URL": account.base_url, "ITNIO_API_KEY": account.api_key, "ITNIO_API_SECRET": secret}


def spreadsheet() -> bytes:
    """200 orders of 2 phones, of which the third has a group name that is too short."""
    names = [f"group-{number:03}" for number in range(GROUPS)]
    orders = pd.DataFrame({"groupName": names, "phoneName": [f"desk-{number:03}" for number in range(GROUPS)]})
    orders = orders.assign(quantity="2", displayNum="8610850001", appId=APP, Site="Beijing")
    orders.loc[2, "groupName"] = "ab"
    return orders.to_csv(index=False).encode()


@contextmanager
def batch_form(front_end: str, page: Page, cwd: Path, settings: dict[str, str]) -> Iterator[None]:
    """The batch form of a front end, open in a page; `again` has it made anew after the page was loaded again."""
    if front_end == "app":
        with an_app(COMMAND, cwd, settings) as address:
            page.goto(address)
            yield
            page.goto("about:blank")  # the server goes before the browser: it would be missed
    else:
        with a_lab(COMMAND, cwd, settings) as (address, _):
            open_in_lab(page, address, cwd / "itnio-notebooks" / "0.1.0", BATCH)
            run_all_from_the_menu(page)
            yield
            page.goto("about:blank")


def load_again(front_end: str, page: Page) -> None:
    """Load the page again; in JupyterLab run the cell again, in the kernel that goes on."""
    page.reload()
    if front_end == "lab":
        run_all_from_the_menu(page)


@pytest.mark.parametrize("front_end", ["app", "lab"])
def test_the_whole_job(front_end: str, tmp_path: Path) -> None:
    """Upload, mend a cell, plan, confirm, submit, stop, reload, settle, go on, download; each button clicked twice."""
    # One answer is lost: the thirtieth request creates its phones, and the connection ends.
    sandbox = Sandbox(latency=0.02, faults="none*29, drop-after")
    with sandbox, a_page(1300, 1100) as (page, wrong), batch_form(front_end, page, tmp_path, settings_for(sandbox)):
        person = Person(page, hasty=True)
        person.sees("No orders yet", 60)
        person.upload("phones.csv", spreadsheet())
        person.sees(f"{GROUPS} orders · 1 row with errors")
        page.mouse.click(*person.cell(2, "groupName", NAMES))
        person.sees("Row 4, groupName: error: 'ab' has 2 characters")
        person.mend(2, "groupName", NAMES, "group-mended")
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
        began = monotonic()
        page.wait_for_function("() => document.body.innerText.includes('Stopped. Groups:')")
        assert monotonic() - began < 1
        sent = sandbox.served["sipAdd", "0"]
        assert 0 < sent < GROUPS
        load_again(front_end, page)
        person.sees("This run is not finished", 60)
        assert page.get_by_role("tab", name="Not sent ").inner_text() != "Not sent 0"
        assert page.get_by_role("tab", name="Unknown ").inner_text() == "Unknown 1"
        person.press("Settle unknown")
        person.sees("Looked: 1 group settled (1 created), 0 still unknown.")
        assert sandbox.served["sipAdd", "0"] == sent
        person.press("Try the rest again")
        person.sees(f"Done. Groups: {GROUPS} created ({2 * GROUPS} phones)", 60)
        person.press("Hand over")
        person.sees("Written to results/, for you alone to read")
        results = person.download("Download results")
        handed = person.download("Download the hand-over")
        person.press("New batch")
        person.sees("No orders yet")
        books = sandbox.phones
    created = Counter(entry.group for entry in sandbox.log if entry.call == "sipAdd" and entry.status == "0")
    assert (len(created), max(created.values())) == (GROUPS, 1)
    with zipfile.ZipFile(io.BytesIO(results)) as archive:
        tables = {name.split("-")[1]: pd.read_csv(archive.open(name), dtype=str) for name in archive.namelist()}
    assert sum(map(len, tables.values())) == GROUPS
    assert set(tables["created.csv"]["groupName"]) == set(books["groupName"])
    assert "group-mended" in set(books["groupName"])
    assert len(books) == 2 * GROUPS
    phones = pd.read_excel(io.BytesIO(handed), dtype=str, engine="calamine")
    assert sorted(phones["password"]) == sorted(books["password"])
    assert wrong == []
