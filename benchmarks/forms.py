"""What the forms cost: rows loaded, checked and edited; messages to the page, by the size of the run.

    python benchmarks/forms.py

Messages are counted where they leave for the page. The times are those of the kernel; what a browser adds is measured
in one: from the click on Submit to the first progress that is seen.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager
from pathlib import Path

import pandas as pd
from comm.base_comm import BaseComm

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
        cell = {"row": number // 2, "column_index": 0, "value": "ab"}
        edit = timed(form, lambda: form.orders.grid._on_cell_change(cell))
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


def main() -> None:
    """Print both tables."""
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        print("orders    load + check + show    edit of a cell")
        for number in (1_000, 10_000, 20_000, 100_000):
            load, edit = loading(number)
            print(f"{number:7,}{load:18.2f} s{edit:15.3f} s")
            Path("load.sqlite").unlink()
        print("\ngroups    run         messages    a second    made anew")
        for number in (200, 2_000, 20_000):
            seconds, messages, shown = running(number)
            print(f"{number:6,}{seconds:9.1f} s{messages:13,}{messages / seconds:12.1f}{shown:11.2f} s")


if __name__ == "__main__":
    main()
