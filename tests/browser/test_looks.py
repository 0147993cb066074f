"""How the forms look, state after state, light and dark, wide and narrow: nothing cut, no violation of axe-core's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from itnio_nb import Client, PhoneGroup, Sandbox
from tests.support.axe import violations
from tests.support.browser import a_lab, a_page, an_app, run_all_from_the_menu
from tests.support.factories import APP, many_orders
from tests.support.person import Person, open_in_lab
from tests.support.processes import COMMAND, settings_of

SIZES = ((900, 900), (600, 900), (533, 600), (1200, 900))  # of the window; the third is 800 px enlarged to 150 %
UNKNOWN = ",".join(["none*5", "drop-after", *["query:-18-before"] * 60])  # an answer is lost, and cannot be looked up
ORDER = {"Group name": "night-porter", "Phone name": "porter", "Phones": "2", "Display number": "861085"}
LAB = """import os
from itnio_nb import BatchForm, open_workspace

ws = open_workspace()
display(ws.order_form(), ws.review_form())
for name in ("ITNIO_API_KEY", "ITNIO_API_SECRET", "ITNIO_BASE_URL"):
    os.environ.pop(name)
BatchForm()"""

# What sticks out of a form or scrolls sideways, and what is cut in a button or a field's name.
CUT = """() => {
  const said = [], seen = (one) => one.checkVisibility();
  const tell = (what, one) => said.push(`${what}: ${one.tagName} ${one.className} ${one.textContent.slice(0, 40)}`);
  for (const form of [...document.querySelectorAll(".itnio")].filter(seen)) {
    const { left, right } = form.getBoundingClientRect();
    if (right > document.documentElement.clientWidth + 1) tell("is beyond the window", form);
    for (let one = form; one; one = one.parentElement) {
      const scrolls = one === document.documentElement || /auto|scroll/.test(getComputedStyle(one).overflowX);
      if (scrolls && one.scrollWidth > one.clientWidth + 1) tell("scrolls sideways", one);
    }
    for (const one of [...form.querySelectorAll("button, input, select, textarea, label, p, h3, table, pre")]) {
      if (!seen(one)) continue;
      if (one.closest(".itnio-grid, .itnio-table")) continue;
      const box = one.getBoundingClientRect();
      if (box.left < left - 1 || box.right > right + 1) tell("sticks out", one);
      if (one.matches("button, label") && one.scrollWidth > one.clientWidth + 1) tell("is cut", one);
    }
    for (const one of [...form.querySelectorAll(".widget-html")].filter(seen)) {
      if (!one.textContent.trim() && !one.querySelector("img") && one.offsetHeight > 0) tell("is an empty band", one);
    }
    for (const one of [...form.querySelectorAll("button")].filter(seen)) {
      const words = one.closest(".itnio-row")?.innerText ?? "";
      if (one.disabled && !one.title && words.trim() === one.innerText.trim()) tell("is dead without a reason", one);
    }
  }
  return said;
}"""
PATIENCE = 100  # looks, 50 ms apart, until a page is ready
MAIN = """() => [...document.querySelectorAll(".itnio .mod-primary")].filter((one) => one.checkVisibility())
  .map((one) => one.innerText.trim())"""


def cut(page: Page) -> list[str]:
    """What is cut, sticks out or takes room in vain, once the page is laid out."""
    return at_last(page, CUT, [])


def at_last(page: Page, script: str, expected: list[str]) -> list[str]:
    """What a script finds, after some patience where it is not what is expected: nothing tells when a page is ready."""
    found: list[str] = page.evaluate(script)
    for _ in range(PATIENCE):
        if found == expected:
            break
        page.wait_for_timeout(50)
        found = page.evaluate(script)
    return found


class Looks:
    """A person at the forms, and what is wrong with how they look, by state."""

    def __init__(self, page: Page) -> None:
        self.page, self.person = page, Person(page)
        self.wrong: dict[str, list[str]] = {}

    def look(self, state: str, main: str | None) -> None:
        """Look at a state, whose one button that stands out is `main`."""
        said = violations(self.page)
        expected = [main] if main else []
        shown = at_last(self.page, MAIN, expected)
        said += [] if shown == expected else [f"stand out: {shown}"]
        for width, height in SIZES:
            self.page.set_viewport_size({"width": width, "height": height})
            said += [f"{width} px: {line}" for line in cut(self.page)]
        if said:
            self.wrong[state] = said

    def open_tab(self, name: str) -> None:
        self.page.get_by_role("tab", name=name).locator("visible=true").click()


@contextmanager
def looks(sandbox: Sandbox, cwd: Path, theme: str) -> Iterator[Looks]:
    """The forms on the page, in a theme."""
    settings = settings_of(sandbox)
    with a_page(1200, 900) as (page, wrong), an_app(COMMAND, cwd, settings, "--theme", theme) as address:
        page.goto(address)
        one = Looks(page)
        one.person.sees("No orders yet")
        yield one
        page.goto("about:blank")
    assert (one.wrong, wrong) == ({}, [])


def orders(*bad: str) -> bytes:
    """Ten orders, and some that have an error."""
    table = many_orders(10 + len(bad))
    table.loc[table.index[10:], "groupName"] = bad
    return table.to_csv(index=False).encode()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_state_of_a_batch(theme: str, tmp_path: Path) -> None:
    """From the empty form to the hand-over, with what is lost, refused and left on the way."""
    with Sandbox() as sandbox, looks(sandbox, tmp_path, theme) as seen:
        with Client(sandbox.account) as client:  # its phone name is taken
            client.create_phones(PhoneGroup("old-desk", "phone-9", 1, "8610850700", APP))
        person = seen.person
        seen.look("no orders", "Upload a file")
        person.open_other_ways()
        person.press("Read")
        person.sees("Error: Write the path")
        seen.look("an error", "Upload a file")
        person.upload("phones.csv", b"groupName,phoneName,quantity,displayNum,appId\nab,x,0,1,\n")
        person.sees("1 order · 1 row with errors")
        seen.look("nothing to plan", "Plan")
        person.upload("phones.csv", orders("ab", "cd"))
        person.sees("12 orders · 2 rows with errors")
        seen.look("orders", "Plan")
        seen.page.locator(".itnio-kind").first.click()
        seen.look("cells of a finding", "Plan")
        person.press("Plan")
        person.sees("Plan: 10 groups")
        seen.look("plan", "Go on to confirm")
        person.press("Go on to confirm")
        person.write("Number of phones", "3")
        person.sees("Type ")
        seen.look("not confirmed", "Submit")
        person.write("Number of phones", str(person.number_of_phones()))
        person.sees("Confirmed.")
        seen.look("confirmed", "Submit")
        sandbox.latency, sandbox.faults = 6.0, UNKNOWN
        person.press("Submit")
        person.sees("groups of 10")
        seen.look("at work", None)
        person.press("Stop")
        sandbox.latency = 0.0
        person.sees("This run is not finished")
        seen.look("unknown", "Settle unknown")
        seen.open_tab("Created ")
        seen.look("created", "Settle unknown")
        sandbox.faults = None
        person.press("Settle unknown")
        person.sees("Looked: ")
        seen.look("settled", "Go on")
        person.press("Go on")
        person.sees("Verified: ")
        seen.look("refused", "Mend the 3 rows")
        person.press("Hand over")
        person.sees("Written, for you alone")
        seen.look("handed over", "Mend the 3 rows")
        person.press("4 Submit")
        person.sees("1 refused")
        seen.look("the run again", None)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_state_of_an_order_and_the_review(theme: str, tmp_path: Path) -> None:
    """Typed wrong, ready, created; then the review before there is anything, its tabs, and a comparison."""
    with Sandbox() as sandbox, looks(sandbox, tmp_path, theme) as seen:
        person = seen.person
        seen.open_tab("Review")
        person.sees("What is submitted appears here")
        seen.look("nothing to review", "Compare with the account")
        seen.open_tab("One order")
        person.sees("Fill in all five fields")
        seen.look("no order", "Create")
        for label, text in {**ORDER, "Application": APP}.items():
            person.write(label, text)
        person.sees("error: has 6 digits")
        seen.look("typed wrong", "Create")
        person.write("Display number", "8610850777")
        person.sees("Creates 2 phones")
        seen.look("ready", "Create")
        person.press("Create")
        person.sees("Phones that exist now")
        seen.look("created", "Create")
        seen.open_tab("Review")
        person.sees("1 run, 1 group")
        for tab in ("Charts", "Comparison", "Groups"):
            seen.open_tab(tab)
            seen.look(tab, "Compare with the account")
        sandbox.delete_group(APP, "night-porter")
        person.press("Compare with the account")
        person.sees("1 to look at")
        seen.look("compared", "Compare with the account")


def test_the_forms_in_jupyterlab(tmp_path: Path) -> None:
    """Beside each other in a notebook, one of them without an account; then a sandbox, and a plan on it."""
    with (
        Sandbox() as sandbox,
        a_page(1300, 1000) as (page, wrong),
        a_lab(COMMAND, tmp_path, settings_of(sandbox)) as lab,
    ):
        open_in_lab(page, lab, tmp_path / "itnio-notebooks" / "0.1.0", LAB)
        run_all_from_the_menu(page)
        person = Person(page)
        person.sees("itnio-nb login")
        person.sees("Fill in all five fields")
        assert violations(page) == []
        assert cut(page) == []
        person.press("Rehearse on a sandbox")
        person.sees("No orders yet")
        person.upload("phones.csv", orders("ab"))
        person.press("Plan")
        person.sees("Plan: 10 groups")
        assert violations(page) == []
        assert cut(page) == []
        page.goto("about:blank")
    assert wrong == []


def test_what_is_wrong_is_found(tmp_path: Path) -> None:
    """A button without a name, words that can hardly be read, a box that sticks out: each is told."""
    bad = "<button></button><p style='color: #888; background: #999'>words to read</p>"
    bad += "<table style='width: 3000px'></table>"
    with Sandbox() as sandbox, a_page() as (page, _), an_app(COMMAND, tmp_path, settings_of(sandbox)) as address:
        page.goto(address)
        Person(page).sees("No orders yet")
        assert (violations(page), cut(page)) == ([], [])
        page.locator(".itnio").locator("visible=true").evaluate(
            "(e, bad) => e.insertAdjacentHTML('beforeend', bad)", bad
        )
        said = "\n".join(violations(page))
        assert "button-name" in said
        assert "color-contrast" in said
        assert any(line.startswith("sticks out: TABLE") for line in cut(page))
        page.goto("about:blank")


def test_nothing_jumps_and_the_focus_stays(tmp_path: Path) -> None:
    """An error moves nothing above it; where a button is gone after it was pressed, the focus is at the step."""
    with Sandbox() as sandbox, looks(sandbox, tmp_path, "light") as seen:
        page, person = seen.page, seen.person
        person.open_other_ways()
        before = person.button("Read").bounding_box()
        person.press("Read")
        person.sees("Error: Write the path")
        expect(person.button("Read")).to_be_focused()
        assert person.button("Read").bounding_box() == before
        person.upload("phones.csv", orders())
        expect(person.button("Plan")).to_be_enabled()
        person.button("Plan").focus()
        page.keyboard.press("Enter")
        person.sees("Plan: 10 groups")
        expect(page.get_by_role("button", name="2 Plan")).to_be_focused()
