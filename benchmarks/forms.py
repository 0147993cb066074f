"""What the forms cost: rows loaded, checked and edited; messages to the page, by the size of the run.

    python benchmarks/forms.py

Messages are counted where they leave for the page. The times are those of the kernel; what a browser adds is measured
in one: from the click on Submit to the first progress that is seen.
"""

from __future__ import annotations

import io
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager
from pathlib import Path

import pandas as pd
from comm.base_comm import BaseComm
from playwright.sync_api import sync_playwright
from start import started

from itnio_nb import BatchForm, Client, Ledger, ReviewForm, Sandbox

APP = "4luaKsL2"


@contextmanager
def counted() -> Iterator[list[int]]:
    """Count the messages that leave for the page."""
    sent: list[int] = []
    publish = BaseComm.send

    def count(self: BaseComm, *arguments: object, **options: object) -> None:
        sent.append(1)
        publish(self, *arguments, **options)  # type: ignore[arg-type] # handed on as they came

    BaseComm.send = count  # type: ignore[method-assign] # that is the measurement
    try:
        yield sent
    finally:
        BaseComm.send = publish  # type: ignore[method-assign] # as it was


def orders(number: int) -> str:
    """Return so many orders of one phone, as they are pasted."""
    names = [f"group-{at:06}" for at in range(number)]
    frame = pd.DataFrame({"groupName": names, "phoneName": [f"phone-{at:06}" for at in range(number)]})
    frame = frame.assign(quantity="1", displayNum="8610850001", appId=APP)
    return frame.to_csv(sep="\t", index=False)


def timed(form: BatchForm, click: Callable[[], object]) -> float:
    """Return the seconds until what a click asks for is shown."""
    began = time.perf_counter()
    click()
    form.wait()
    return time.perf_counter() - began


def loading(number: int) -> tuple[float, float]:
    """Return the seconds to load, check and show so many orders, and those of one edit."""
    with Sandbox() as sandbox, Client(sandbox.account) as client, Ledger("load.sqlite") as ledger:
        form = BatchForm(client, ledger)
        form.orders.paste.value = orders(number)
        load = timed(form, form.orders.read_pasted.click)
        cell = {"kind": "edit", "words": "Edit", "rows": [number // 2], "columns": ["groupName"], "cells": [["ab"]]}
        edit = timed(form, lambda: form.orders.grid.receive(cell))
        form.close()
    return load, edit


def running(number: int) -> tuple[float, int, float]:
    """Return the seconds of a run of so many groups, the messages meanwhile, and the seconds to show it anew."""
    name = f"run-{number}.sqlite"
    with Sandbox() as sandbox, Client(sandbox.account) as client, Ledger(name) as ledger:
        form = BatchForm(client, ledger)
        form.orders.paste.value = orders(number)
        timed(form, form.orders.read_pasted.click)
        timed(form, form.plan_it.click)
        form.confirm.typed.value = str(number)
        with counted() as sent:
            seconds = timed(form, form.confirm.submit.click)
        began = time.perf_counter()
        again = BatchForm(client, ledger)
        shown = time.perf_counter() - began
        for each in (form, again, ReviewForm(client, ledger)):
            each.close()
    return seconds, len(sent), shown


_BEGIN = "(kind) => addEventListener(kind, (event) => { window.began = event.timeStamp }, true)"
_UNTIL = """([what, about]) => new Promise((done) => {
  const tests = {
    loaded: () => document.querySelector(".itnio-grid[aria-rowcount='10001']") && document.querySelector(".itnio-line"),
    checked: () => document.querySelector(`[id$="-${about}-0"].itnio-error`),
    picked: () => document.querySelectorAll(".itnio-grid [aria-selected=true]").length > 5,
  };
  const look = () => (tests[what]() ? done(performance.now() - window.began) : requestAnimationFrame(look));
  look();
})"""


def messy_orders(number: int) -> bytes:
    """Return so many orders as CSV, each with a finding: half of them errors, half repaired."""
    numbers = ["8610850001x" if at % 2 else f"+861085000{at % 10}" for at in range(number)]
    frame = pd.read_csv(io.StringIO(orders(number)), sep="\t", dtype=str).assign(displayNum=numbers)
    return frame.to_csv(index=False).encode()


def in_a_page() -> Iterator[tuple[str, float]]:
    """Work on 10,000 orders with 10,000 findings in Chromium; yield what was done and its milliseconds."""
    with started("app") as (address, _), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1200, "height": 1000})
        page.goto(address)
        with page.expect_file_chooser() as chooser:
            page.get_by_role("button", name="Upload a file").click()
        page.evaluate("() => { window.began = performance.now() }")
        file = {"name": "phones.csv", "mimeType": "text/csv", "buffer": messy_orders(10_000)}
        chooser.value.set_files(file)  # type: ignore[arg-type] # a payload
        yield "the file is read, checked and shown", page.evaluate(_UNTIL, ["loaded", 0])
        page.evaluate(_BEGIN, "keydown")
        for row in range(20, 25):
            page.locator(f"[id$='-{row}-0']").dblclick()
            page.keyboard.type("ab")
            page.keyboard.press("Enter")
            yield "an edit is checked", page.evaluate(_UNTIL, ["checked", row])
            page.wait_for_timeout(300)
        page.evaluate(_BEGIN, "click")
        page.locator(".itnio-kind").first.click()
        yield "the cells of a kind are selected", page.evaluate(_UNTIL, ["picked", 0])
        browser.close()


def main() -> None:
    """Print the three tables."""
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        print("orders    load + check + show    edit of a cell")
        for number in (1_000, 10_000, 20_000, 100_000):
            load, edit = loading(number)
            print(f"{number:7,}{load:18.2f} s{edit:15.3f} s")
            Path("load.sqlite").unlink()
        print("\nin a page, 10,000 orders with 10,000 findings")
        for what, milliseconds in in_a_page():
            print(f"{what:40}{milliseconds:8.0f} ms")
        print("\ngroups    run         messages    a second    made anew")
        for number in (200, 2_000, 20_000):
            seconds, messages, shown = running(number)
            print(f"{number:6,}{seconds:9.1f} s{messages:13,}{messages / seconds:12.1f}{shown:11.2f} s")


if __name__ == "__main__":
    main()
