"""Review in the browser, and what a batch hands over: what became of a run, of a group, of forty applications."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import expect

from itnio_nb import Client, Ledger, Sandbox, make_plan, submit_plan
from tests.browser.test_looks import cut
from tests.support.axe import violations
from tests.support.browser import a_page, an_app
from tests.support.factories import Gate, many_orders, orders_frame
from tests.support.person import Person
from tests.support.processes import COMMAND, settings_of

APPLICATIONS = 40


def test_forty_applications_are_one_download(tmp_path: Path) -> None:
    """The hand-over tells how far it is; one click delivers one archive of forty files."""
    rows = [(f"group-{at}", f"phone-{at}", "2", "861000000", f"app-{at:02}") for at in range(APPLICATIONS)]
    data = orders_frame(*rows).to_csv(index=False).encode()
    with Sandbox() as sandbox, a_page() as (page, wrong), an_app(COMMAND, tmp_path, settings_of(sandbox)) as address:
        page.goto(address)
        person = Person(page)
        person.sees("No orders yet")
        person.upload("phones.csv", data)
        person.press("Plan")
        person.press("Go on to confirm")
        person.write("Number of phones", str(person.number_of_phones()))
        person.press("Submit")
        person.sees("Verified: 80 of 80 phones")
        sandbox.latency = 0.3
        person.press("Hand over")
        person.sees("Hand over: application ")
        person.sees("Written, for you alone")
        assert page.get_by_text("Hand over: application ").locator("visible=true").count() == 0
        downloads: list[str] = []
        page.on("download", lambda one: downloads.append(one.suggested_filename))
        archive = zipfile.ZipFile(io.BytesIO(person.download("Download the hand-over")))
        assert archive.namelist() == [f"app-{at:02}-phones.xlsx" for at in range(APPLICATIONS)]
        assert len(downloads) == 1
        assert downloads[0].endswith("-phones.zip")
        page.goto("about:blank")
    assert wrong == []


def test_who_did_what(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run says who worked on it; one of two operators can be picked, and is told of each group and receipt."""
    with (
        Sandbox() as sandbox,
        Client(sandbox.account) as client,
        a_page(1200, 900) as (page, wrong),
        an_app(COMMAND, tmp_path, settings_of(sandbox)) as address,
    ):
        page.goto(address)
        person = Person(page)
        person.sees("No orders yet")
        with Ledger(tmp_path / "itnio-app" / "results" / "ledger.sqlite") as ledger:
            plan = make_plan(many_orders(3))
            for operator, machine, faults in (("anna", "ops1", "none*2,-2-before"), ("<b>ben</b>", "ops2", None)):
                monkeypatch.setenv("ITNIO_OPERATOR", operator)
                monkeypatch.setenv("ITNIO_MACHINE", machine)
                sandbox.faults = faults
                run = submit_plan(plan, client, ledger, workers=1).wait()
        page.get_by_role("tab", name="Review").locator("visible=true").click()
        person.sees("1 run, 3 groups")
        chooser = page.get_by_label("Run", exact=True).locator("visible=true")
        (_, label) = chooser.locator("option").all_inner_texts()
        assert label.replace("\xa0", " ").endswith(f" · by anna on ops1, <b>ben</b> on ops2 · {run.name}")
        operators = page.get_by_label("Operator", exact=True).locator("visible=true")
        assert operators.locator("option").all_inner_texts() == ["all", "<b>ben</b>", "anna"]
        operators.select_option("<b>ben</b>")
        person.sees("1 group of 3")
        expect(person.cell(1, "groupName")).to_have_text("group-2")
        expect(person.cell(1, "operator")).to_have_text("<b>ben</b>")
        assert violations(page) == []
        assert cut(page) == []
        operators.select_option("all")
        person.write("Find a group", "group-2")
        page.keyboard.press("Enter")
        expect(person.grid.get_by_role("rowheader")).to_have_count(2)  # of three groups, two receipts
        for at, operator in ((1, "<b>ben</b>"), (2, "anna")):
            expect(person.cell(at, "operator")).to_have_text(operator)
        assert violations(page) == []
        assert cut(page) == []
        page.goto("about:blank")
    assert wrong == []


def test_what_became_of_a_group(tmp_path: Path) -> None:
    """One field, over all runs: three steps from the page to the answer; nothing that axe-core has to say."""
    with (
        Sandbox() as sandbox,
        Client(sandbox.account) as client,
        a_page(1200, 900) as (page, wrong),
        an_app(COMMAND, tmp_path, settings_of(sandbox)) as address,
    ):
        page.goto(address)
        person = Person(page)
        person.sees("No orders yet")
        with Ledger(tmp_path / "itnio-app" / "results" / "ledger.sqlite") as ledger:
            sandbox.faults = "none*2,-11-before"
            submit_plan(make_plan(many_orders(3)), client, ledger, workers=1).wait()
            sandbox.faults = None
            page.get_by_role("tab", name="Review").locator("visible=true").click()
            person.sees("1 run, 3 groups")
            person.write("Find a group", "OUP-2")
            page.keyboard.press("Enter")
            person.sees("1 group with “OUP-2” in the name, in 1 of 1 run.")
            assert person.cell(1, "state").inner_text() == "refused"
            assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [A-Z]+.*", person.cell(1, "at").inner_text())
            assert violations(page) == []
            assert cut(page) == []
            person.write("Find a group", "")
            page.keyboard.press("Enter")
            person.sees("1 run, 3 groups")
            sandbox.faults = gate = Gate()
            run = submit_plan(make_plan(many_orders(2, app_id="later")), client, ledger)
            person.sees(f": 0 of 2 groups of table ({run.name}).")
            assert violations(page) == []
            gate.opened.set()
            run.wait()
            person.sees("2 runs, 5 groups")
            expect(page.get_by_text("At work since").locator("visible=true")).to_have_count(0)
            options = page.get_by_label("Run", exact=True).locator("visible=true").locator("option").all_inner_texts()
            assert options[1].replace("\xa0", " ").startswith("table · 2 groups · finished · ")
            assert options[1].endswith(run.name)
        page.goto("about:blank")
    assert wrong == []
