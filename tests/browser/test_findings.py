"""The findings of the orders by kind, in Chromium: in JupyterLab and on the page."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from itnio_nb import __version__
from itnio_nb.runbooks.runner import save_notebook
from tests.support.browser import a_lab, a_page, an_app, run_all_from_the_menu
from tests.support.factories import APP, COLUMNS, ROOT
from tests.support.hostile import TEXTS
from tests.support.kernel import notebook_of
from tests.support.person import Person, open_in_lab
from tests.support.processes import COMMAND

# The panel alone; what it tells stands in the status line.
PANEL = """
import pandas as pd
from itnio_nb import check_orders, read_orders
from itnio_nb.forms.base import Form
from itnio_nb.forms.batch.findings import FindingsPanel
from itnio_nb.orders.rules.accepted import Accepted

findings = {findings}
form = Form("Batch")
panel = FindingsPanel(
    form,
    lambda severity: form.set_status(f"Filter: {{severity}}."),
    lambda cells: form.set_status(f"Picked: {{cells}}."),
    lambda accepted: form.set_status(f"Accepted: {{accepted.mask(findings).sum()}}."),
)
form.children = (form.browser, form.status_line, panel.body)
panel.show(findings, Accepted())
form
"""
OF_ORDERS = "check_orders(read_orders(pd.DataFrame({rows!r}, columns={columns!r})))"
OF_TEXTS = """pd.DataFrame([
    (row, "groupName", text, text, text, ("error", "warning", "repaired")[row % 3])
    for row, text in enumerate({texts!r}, 2)
], columns=["row", "column", "value", "problem", "advice", "severity"])"""
# The page's command, which serves a notebook of the test's in place of the forms.
SERVE = """
import sys
from pathlib import Path
from itnio_nb.cli import jupyter
from itnio_nb.cli.main import main

jupyter._STATIC = Path(sys.argv.pop(1))
sys.exit(main())
"""
LINES = ".itnio-findings .itnio-line"
# For each text that can be seen, how much it differs from its ground: 4.5 is enough for everybody.
CONTRASTS = """() => {
  const pen = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const paint = (colour) => {
    pen.fillStyle = colour;
    pen.fillRect(0, 0, 1, 1);
    return [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3).map((part) => part / 255);
  };
  const linear = (part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  const light = ([red, green, blue]) => 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
  const contrast = (element) => {
    paint("white");
    const over = [];
    for (let one = element; one; one = one.parentElement) over.unshift(getComputedStyle(one).backgroundColor);
    const [ground, text] = [...over, getComputedStyle(element).color].map(paint).slice(-2).map(light);
    return (Math.max(ground, text) + 0.05) / (Math.min(ground, text) + 0.05);
  };
  const texts = [...document.querySelectorAll(".itnio-findings *")].filter((element) =>
    [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim()));
  return texts.map((element) => [element.textContent, contrast(element)]);
}"""
# What is wider than the panel, or cut; and buttons that a finger misses.
MISFITS = """() => {
  const root = document.querySelector(".itnio-findings"), right = root.getBoundingClientRect().right + 1;
  const shown = [...root.querySelectorAll("*")].filter((one) => !one.closest(".itnio-said"));
  const wide = shown.filter((one) => one.getBoundingClientRect().right > right || one.scrollWidth > one.clientWidth + 1
    && getComputedStyle(one).display !== "inline");
  const small = shown.filter((one) => one.matches("button") && one.getBoundingClientRect().height < 24);
  const page = document.documentElement.scrollWidth > innerWidth ? ["the page"] : [];
  return [...page, ...wide, ...small].map((one) => one.outerHTML ?? one);
}"""
# Buttons whose name for screen readers lacks what is to be seen on them.
MISNAMED = """() => [...document.querySelectorAll(".itnio-findings button")].filter((button) => {
  const name = button.getAttribute("aria-label") ?? button.textContent;
  const seen = button.children.length ? [...button.children].map((one) => one.textContent) : [button.textContent];
  return !name.trim() || seen.some((text) => !text.split(" ").every((word) => name.includes(word)));
}).map((button) => button.outerHTML)"""


def orders() -> str:
    """Fourteen kinds of findings, of which two are warnings of three cells each."""
    rows = []
    for at in range(42):
        cells = {"groupName": f"group-{at:03}", "phoneName": f"phone-{at:03}", "quantity": "3"}
        cells |= {"displayNum": f"8610850{at:03}", "appId": APP}
        turn = at // 14
        odd = [
            *(
                {"groupName": "abc"[: turn + 1]},
                {"groupName": f"Group-{at + 2:03}"},
                {"displayNum": "12345"[:turn]},
                {},
            ),
            *({"quantity": f"{at}x"}, {"phoneName": "phone-003"}, {"displayNum": f"86 10 850{at:03}"}),
            *({"phoneName": "p" * (33 + turn)}, {"groupName": f"{turn + 1}-Mar"}, {"quantity": ""}, {"appId": ""}),
            *({"groupName": ["null", "none", "n.a."][turn]}, {"displayNum": "8.61E+09"}, {"groupName": f"{turn}:30"}),
        ]
        rows.append(tuple({**cells, **odd[at % 14]}.values()))
    return OF_ORDERS.format(rows=rows, columns=COLUMNS)


@contextmanager
def a_panel(front_end: str, page: Page, cwd: Path, findings: str, *options: str) -> Iterator[Person]:
    """The panel alone, open in a page, with these findings."""
    cell, settings = PANEL.format(findings=findings), {"ITNIO_SANDBOX": "1"}
    if front_end == "lab":
        serving = a_lab(COMMAND, cwd, settings)
    else:
        files = cwd / "files"
        files.mkdir()
        shutil.copy(ROOT / "itnio_nb" / "forms" / "static" / "app.html.j2", files)
        save_notebook(notebook_of(cell), files / "app.ipynb")
        serving = an_app([sys.executable, "-c", SERVE, files], cwd, settings, *options)
    with serving as address:
        if front_end == "lab":
            open_in_lab(page, address, cwd / "itnio-notebooks" / __version__, cell)
            run_all_from_the_menu(page)
        else:
            page.goto(address)
        page.locator(LINES).first.wait_for()
        yield Person(page)
        page.goto("about:blank")


@pytest.mark.parametrize("front_end", ["app", "lab"])
def test_findings_are_worked_on(front_end: str, tmp_path: Path) -> None:
    """By mouse and by keyboard: lines are opened, picked, filtered, accepted, taken back; the focus is never lost."""
    with a_page(1300, 1200) as (page, wrong), a_panel(front_end, page, tmp_path, orders()) as person:
        filters, lines = page.get_by_role("group", name="Findings", exact=True), page.locator(LINES)
        assert filters.get_by_role("button").all_inner_texts() == ["Errors 30", "Warnings 6", "Repaired 3"]
        expect(lines).to_have_count(6)
        assert page.get_by_role("list", name="Kinds of findings").get_by_role("listitem").count() == 6
        lines.filter(has_text="is a date").get_by_role("button").click()
        person.sees("Picked: [(10, 'groupName'), (24, 'groupName'), (38, 'groupName')].")
        others = page.get_by_role("button", name=re.compile("^Show the "))
        expect(others).to_have_attribute("aria-expanded", "false")
        others.focus()
        page.keyboard.press("Enter")
        expect(others).to_be_focused()
        expect(others).to_have_attribute("aria-expanded", "true")
        expect(others).to_have_text("Show the first 6 kinds only")
        alike = lines.filter(has_text="only in case")
        alike.get_by_role("button", name=re.compile("^Warning: groupName differs from … in row")).focus()
        page.keyboard.press("Tab")
        expect(alike.get_by_role("button", name=re.compile("^Accept all 3: groupName differs"))).to_be_focused()
        page.keyboard.press("Enter")
        person.sees("Accepted: 3.")
        expect(lines.last).to_contain_text("Accepted")
        assert page.evaluate("() => document.activeElement.matches('.itnio-findings button')")
        expect(page.locator(".itnio-said")).to_have_text("3 warnings accepted.")
        warnings = filters.get_by_role("button", name="Warnings 3 (3 accepted)", exact=True)
        warnings.focus()
        page.keyboard.press("Space")
        person.sees("Filter: warning.")
        expect(warnings).to_have_attribute("aria-pressed", "true")
        expect(warnings).to_be_focused()
        expect(lines).to_have_count(2)
        page.get_by_role("button", name=re.compile("^Accept all 3: groupName is what programs write")).click()
        person.sees("Accepted: 6.")
        expect(filters.get_by_role("button")).to_have_count(2)  # nothing is left to be filtered
        expect(filters).to_contain_text("Warnings 0 (6 accepted)")
        lines.filter(has_text="only in case").get_by_role("button", name=re.compile("^Take back: ")).click()
        person.sees("Accepted: 3.")
        expect(filters.get_by_role("button", name="Warnings 3 (3 accepted)")).to_have_attribute("aria-pressed", "false")
    assert wrong == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_state_can_be_read(theme: str, tmp_path: Path) -> None:
    """Each text stands out from its ground, wraps where the page is narrow, and is in the name that is read out."""
    with a_page() as (page, wrong), a_panel("app", page, tmp_path, orders(), "--theme", theme) as person:

        def look() -> None:
            contrasts = page.evaluate(CONTRASTS)
            assert len(contrasts) > 10
            assert [pair for pair in contrasts if pair[1] < 4.5] == []
            assert page.evaluate(MISNAMED) == []
            for width in (1200, 900, 600, 400):
                page.set_viewport_size({"width": width, "height": 1000})
                assert page.evaluate(MISFITS) == []

        look()
        page.get_by_role("button", name="Show the other 8 kinds", exact=True).click()
        page.locator(LINES).first.get_by_role("button").hover()
        look()
        page.locator(LINES).filter(has_text="only in case").get_by_role("button", name="Accept all 3").click()
        person.sees("Accepted: 3.")
        page.get_by_role("button", name="Warnings 3 (3 accepted)", exact=True).click()
        person.sees("Filter: warning.")
        look()
        page.locator(LINES).last.get_by_role("button").first.hover()
        look()
    assert wrong == []


@pytest.mark.parametrize("part", range(2))
def test_nothing_hostile_runs(part: int, tmp_path: Path) -> None:
    """What a file says of itself is text, in lines, names and tooltips; a long one is cut, and wraps."""
    texts = ["x" * 5000, *TEXTS[part::2]]
    assert 120 < len(texts) < 200  # all of them are listed
    findings = OF_TEXTS.format(texts=texts)
    with a_page() as (page, wrong):
        ran: list[str] = []
        page.expose_function("p", lambda: ran.append("p"))
        page.on("dialog", lambda dialog: ran.append(dialog.message))
        with a_panel("app", page, tmp_path, findings) as person:
            page.get_by_role("button", name=re.compile("^Show the other")).click()
            assert page.locator(LINES).count() > 120
            page.locator(LINES).nth(80).get_by_role("button").first.click()
            person.sees("Picked: ")
            page.locator(".itnio-act").nth(3).click()
            person.sees("Accepted: ")
            assert page.locator(".itnio-findings :is(script, img, svg, iframe, style, a, input)").count() == 0
            assert page.locator("mjx-container, .MathJax").count() == 0
            page.set_viewport_size({"width": 500, "height": 900})
            assert page.evaluate(MISFITS) == []
    assert (ran, wrong) == ([], [])
