"""Make the pictures of the forms, light and dark, from the running application on a sandbox.

Run by `make screenshots`; needs Chromium. Nothing in them is drawn: a browser does what a person does.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from itnio_nb import PhoneGroup, Sandbox  # noqa: E402
from itnio_nb.workspace import settings_of  # noqa: E402
from tests.support.browser import a_page, an_app  # noqa: E402 - found now
from tests.support.person import Person  # noqa: E402

FOLDER = ROOT / "docs" / "forms"
COMMAND = [Path(sys.executable).with_name("itnio-nb")]
ORDERS = (ROOT / "notebooks" / "data" / "phones.xlsx").read_bytes()
DRAWN = """() => {
  const charts = [...document.querySelectorAll('.itnio-charts img')];
  return charts.length > 0 && charts.every((one) => one.complete);
}"""
ORDER = {"Group name": "night-porter", "Phone name": "porter", "Phones": "2", "Display number": "861085"}


def main() -> None:
    """Go through all forms in both themes."""
    FOLDER.mkdir(exist_ok=True)
    for theme in ("light", "dark"):
        for name, picture in pictures(theme).items():
            if not name.startswith("new-"):  # forms without anything in them, for the notebooks
                (FOLDER / f"{name}-{theme}.png").write_bytes(picture)


def pictures(theme: str) -> dict[str, bytes]:
    """Go through all forms in one theme, and return a picture of each state, by name."""
    # One answer is lost, one phone name is taken: so that there is something to resolve and something refused.
    with Sandbox(latency=0.4, faults="none*25, drop-after") as sandbox, tempfile.TemporaryDirectory() as folder:
        settings = settings_of(sandbox.account) | {"ITNIO_OPERATOR": "anna", "ITNIO_MACHINE": "ops1"}
        make_lobby(sandbox)
        with an_app(COMMAND, Path(folder), settings, "--theme", theme) as address, a_page(1180, 1000) as (page, _):
            page.goto(address)
            taken = take_all(page)
            page.goto("about:blank")
    return taken


def make_lobby(sandbox: Sandbox) -> None:
    """Create a group that takes a phone name which the orders ask for too."""
    from itnio_nb import Client

    with Client(sandbox.account) as client:
        client.create_phones(PhoneGroup("old-lobby", "lobby", 2, "8610850700", sandbox.app_id))


def take_all(page: Page) -> dict[str, bytes]:
    """Take the pictures of one theme."""
    person, taken = Person(page), dict[str, bytes]()

    def take(name: str) -> None:
        page.mouse.move(0, 0)
        page.wait_for_timeout(600)  # nothing tells when a canvas is drawn
        bottom = page.evaluate(
            "() => Math.max(...[...document.querySelectorAll('.itnio')].map(e => e.getBoundingClientRect().bottom))"
        )
        taken[name] = page.screenshot(clip={"x": 0, "y": 0, "width": 1180, "height": min(1000, bottom + 30)})

    def open_tab(name: str) -> None:
        page.get_by_role("tab", name=name, exact=True).click()

    person.sees("No orders yet")
    take("new-batch")
    open_tab("One order")
    take("new-order")
    open_tab("Review")
    take("new-review")
    open_tab("Batch")
    person.upload("phones.xlsx", ORDERS)
    person.sees("44 orders")
    person.cell(9, "groupName").click()
    person.sees("Row 9, groupName")
    take("1-orders")
    person.press("Plan")
    person.sees("Plan: 43 groups")
    take("2-plan")
    person.press("Go on to confirm")
    person.write("Number of phones", str(person.number_of_phones()))
    person.sees("Confirmed.")
    take("3-confirm")
    person.press("Submit")
    page.wait_for_function("() => /created (2[4-9]|3\\d) /.test(document.body.innerText)")
    take("4-submit")
    person.sees("Verified: ")
    page.get_by_role("tab", name="Refused ").click()
    take("5-result")
    open_tab("One order")
    for label, text in ORDER.items():
        person.write(label, text)
    person.write("Application", "4luaKsL2")
    take("one-order-typing")
    person.write("Display number", "8610850777")
    person.press("Create")
    person.sees("Phones that exist now")
    take("one-order")
    open_tab("Review")
    open_tab("Charts")
    page.wait_for_function(DRAWN)
    take("review")
    return taken


if __name__ == "__main__":
    main()
