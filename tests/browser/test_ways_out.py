"""Texts that others wrote, on every way out: pages in Chromium, spreadsheets in LibreOffice. Terminals: `test_cli`."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pandas as pd
import pytest

from itnio_nb import Sandbox, check_orders, read_orders, write_findings
from itnio_nb.api.text import printable_line
from itnio_nb.orders.export.tables import as_csv, as_xlsx
from itnio_nb.runbooks.page import write_page
from itnio_nb.runbooks.runner import NotebookRunner
from tests.support.browser import a_lab, a_page, run_all_from_the_menu
from tests.support.factories import APP
from tests.support.hostile import TEXTS
from tests.support.kernel import notebook_of
from tests.support.person import open_in_lab
from tests.support.processes import COMMAND, settings_of
from tests.support.required import program

TABLES = f"""
import pandas as pd
from IPython.display import HTML, display
from itnio_nb import check_orders, open_workspace, read_orders

ws = open_workspace(sandbox=True)
for at in range(0, {len(TEXTS)}, 60):
    names = {list(TEXTS)!r}[at:at + 60]
    columns = {{"groupName": names, "phoneName": [f"line-{{at}}" for at in range(len(names))], "quantity": "1"}}
    frame = pd.DataFrame(columns).assign(displayNum="8610850001", appId={APP!r})
    orders = read_orders(frame.assign(**{{f"x {{name}}": "$z$" for name in names[:3]}}))
    plan = ws.plan(orders)
    run = ws.submit(plan).wait()
    display(orders, check_orders(orders.assign(quantity="$n$")), plan, run, run.table, run.write_results("$r$"))
display(ws.reconcile(), ws.ledger.table)
"""
# Where the names of the orders stand.
SHOWN = """() => [...document.querySelectorAll('td')].map(cell => cell.textContent)"""


def test_nothing_is_typeset_in_jupyterlab(tmp_path: Path) -> None:
    """MathJax typesets what stands between dollar signs: of another's page, and of none of our tables."""
    cell = f"{TABLES}\ndisplay(HTML('<p>$x^2$</p>'))"
    with Sandbox() as sandbox, a_page() as (page, wrong), a_lab(COMMAND, tmp_path, settings_of(sandbox)) as address:
        ran: list[str] = []
        page.expose_function("p", lambda: ran.append("p"))
        open_in_lab(page, address, tmp_path / "itnio-notebooks" / "0.1.0", cell)
        run_all_from_the_menu(page)
        page.locator("mjx-container").first.wait_for()
        assert page.locator("mjx-container").count() == 1
        assert missing(page.evaluate(SHOWN)) == []
        page.goto("about:blank")
    assert (ran, wrong) == ([], [])


def test_nothing_runs_in_a_record(tmp_path: Path) -> None:
    """The page of a runbook, opened as a file of one's own."""
    with Sandbox() as sandbox, a_page() as (page, wrong):
        notebook = notebook_of(TABLES)
        output = tmp_path / "record.ipynb"
        printed: list[str] = []
        problem = NotebookRunner(printed.append).run(notebook, output, settings=settings_of(sandbox), folder=tmp_path)
        assert problem == ""
        write_page(notebook, TEXTS[0], tmp_path / "record.html")
        ran: list[str] = []
        page.expose_function("p", lambda: ran.append("p"))
        page.set_content((tmp_path / "record.html").read_text(encoding="utf-8"))
        assert missing(page.evaluate(SHOWN)) == []
    assert (ran, wrong) == ([], [])


def missing(cells: list[str]) -> list[str]:
    """The texts that are no cell as they are, blanks around them aside."""
    shown = {cell.strip() for cell in cells}
    return [text for text in TEXTS if printable_line(read(text)) not in shown]


def read(text: str) -> str:
    """What is read of a name: without what repairs take away."""
    frame = pd.DataFrame({"groupName": [text], "phoneName": "desk", "quantity": "1", "displayNum": "8610850001"})
    return str(read_orders(frame.assign(appId=APP))["groupName"].iloc[0])


@pytest.mark.parametrize("separators", ["44", "59", "9", "124", "44/59/9"])
def test_nothing_is_calculated_of_a_csv_file(separators: str, tmp_path: Path) -> None:
    """LibreOffice splits lines at what it is told, or was told last; a comma is what we write."""
    table = pd.DataFrame({"a": TEXTS, "b": [*TEXTS[1:], TEXTS[0]], "c": list(reversed(TEXTS))})
    (tmp_path / "table.csv").write_bytes(as_csv(table.set_axis(TEXTS[100:103], axis=1)))
    opened = in_libreoffice(tmp_path / "table.csv", f"Text - txt - csv (StarCalc):{separators},34,76,1,,0,false,true")
    assert "table:formula" not in opened
    assert opened.count("<table:table-row") > len(TEXTS)


def test_nothing_is_calculated_of_a_workbook(tmp_path: Path) -> None:
    """Tables, and findings for a colleague: each cell a text, no link."""
    orders = {"groupName": TEXTS, "phoneName": TEXTS, "quantity": "2", "displayNum": "8610850001", "appId": APP}
    read = read_orders(pd.DataFrame(orders))
    write_findings(read, check_orders(read), tmp_path / "findings.xlsx")
    (tmp_path / "table.xlsx").write_bytes(as_xlsx(pd.DataFrame(orders), "Phones"))
    for name in ("findings.xlsx", "table.xlsx"):
        opened = in_libreoffice(tmp_path / name)
        assert "table:formula" not in opened
        assert "xlink:href" not in opened
        assert opened.count("=1+1") > 10


def in_libreoffice(path: Path, *filters: str) -> str:
    """What LibreOffice has of a file that it opens, as its flat XML."""
    options = [f"-env:UserInstallation={(path.parent / 'office').as_uri()}", *(f"--infilter={one}" for one in filters)]
    command = [program("soffice", "libreoffice-calc"), "--headless", *options, "--convert-to", "fods", "--outdir"]
    subprocess.run([*command, path.parent / "opened", path], check=True, capture_output=True, timeout=120)
    return (path.parent / "opened" / f"{path.stem}.fods").read_text(encoding="utf-8")
