"""A form worked on from Python, as its page does: what one reads on it, the files it hands over, hostile text."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import ipywidgets as widgets
import pandas as pd
import pytest

from itnio_nb import BatchForm, OrderForm, Sandbox
from itnio_nb.forms.base import Form
from itnio_nb.forms.grid import Grid
from tests.support.factories import APP, many_orders, until

HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "</pre><script>alert(1)</script>",
    "</div></span></table><svg onload=alert(1)>",
    "'\"><b onclick='alert(1)'>x</b>",
    "$\\href{javascript:alert(1)}{y}$",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "<!--",
    "=1+1",
    "\u202egnp.exe",
    "a\x00b\x1b[31mc",
)
PRINTABLE_HOSTILE = tuple(text for text in HOSTILE if text.isprintable())
GOOD_ORDER = {"groupName": "sales", "phoneName": "desk", "quantity": "3", "displayNum": "861000000", "appId": APP}
_OUR_TAGS = {"div", "span", "p", "b", "i", "br", "h3", "pre", "img", "details", "summary"}
_OUR_TAGS |= {"table", "thead", "tbody", "tr", "th", "td"}
_PICTURE = "data:image/png;base64,"


class _Html(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_comment(self, data: str) -> None:
        self.tags.append(("comment", {}))

    def handle_data(self, data: str) -> None:
        self.text += data


def assert_harmless(html: str) -> None:
    """Only our own tags, with our own attributes, and nothing that cannot be seen."""
    for tag, attributes in _Html(html).tags:
        assert tag in _OUR_TAGS, html
        assert set(attributes) <= {"align", "alt", "class", "colspan", "scope", "src", "style"}, html
        assert (attributes.get("src") or _PICTURE).startswith(_PICTURE), html
        assert tag != "img" or "src" in attributes, html
    assert "\u202e" not in html
    assert not {char for char in html if ord(char) < 32} - {"\n"}


def all_widgets(widget: widgets.Widget) -> Iterator[widgets.Widget]:
    """Yield a widget and all that is shown below it, whatever tab or step is open."""
    yield widget
    for child in getattr(widget, "children", ()):
        yield from all_widgets(child)


def assert_form_harmless(form: widgets.Widget) -> None:
    """No widget of a form shows markup of others."""
    for widget in all_widgets(form):
        if isinstance(widget, widgets.HTML):
            assert_harmless(widget.value)
        if isinstance(widget, widgets.HTMLMath | widgets.Output):
            pytest.fail("a widget that shows markup, or what others have made of it")


def text_of(area: widgets.HTML) -> str:
    """The text that a person reads in a text area."""
    return _Html(area.value.replace("<br>", "\n")).text


def status(form: Form) -> str:
    """The text of the status line."""
    return text_of(form.status_line)


def downloads_of(form: Form, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """What the page is asked to save from now on, by name, put together as the page does."""
    files: dict[str, bytes] = {}

    def send(content: dict[str, Any], buffers: list[bytes]) -> None:
        before = files[content["name"]] if content["part"] else b""
        files[content["name"]] = before + buffers[0]

    monkeypatch.setattr(form.browser, "send", send)
    return files


def wait_for_poll(form: Form, seconds: float = 60) -> None:
    """Wait for what was asked for, a run included, and for the poll that may be under way after it."""
    form.wait(seconds)
    form.tasks.put(lambda: None)
    form.wait(seconds)


def click(form: Form, *buttons: widgets.Button) -> None:
    """Click buttons that can be pressed, each when the one before has done its work."""
    for button in buttons:
        assert not button.disabled, button.description
        button.click()
        wait_for_poll(form)


def click_hastily(form: Form, button: widgets.Button, times: int = 3) -> None:
    """Click a button as on a page that does not know yet that it is disabled."""
    for _ in range(times):
        button.disabled = False
        button.click()
    wait_for_poll(form)


def data_of(grid: Grid) -> pd.DataFrame:
    """The table that the page has of a grid, once it has what was sent to it."""
    assert grid.view is not None
    sent = json.loads(gzip.decompress(grid.view.get_state()["table"]))
    names = [column["name"] for column in sent["columns"]]
    return pd.DataFrame(dict(enumerate(sent["cells"])), index=sent["labels"], dtype=object).set_axis(names, axis=1)


def columns_of(grid: Grid) -> list[dict[str, Any]]:
    """What the page knows of the columns of a grid."""
    assert grid.view is not None
    columns: list[dict[str, Any]] = json.loads(gzip.decompress(grid.view.get_state()["table"]))["columns"]
    return columns


def marks_in(grid: Grid) -> list[Any]:
    """The rows that the page shows with a mark, as it knows them."""
    assert grid.view is not None
    return [row for row, *_ in json.loads(gzip.decompress(grid.view.get_state()["table"]))["marks"]]


def send_from_page(widget: widgets.Widget, **data: object) -> None:
    """Give a widget a message as a page does."""
    widget.comm.handle_msg({"content": {"data": data}, "buffers": []})


def tell_grid(grid: Grid, **message: object) -> None:
    """Give a grid a message as its page does."""
    assert grid.view is not None
    send_from_page(grid.view, method="custom", content=message)


def messages_of(grid: Grid) -> list[dict[str, Any]]:
    """What a grid tells its page from now on, besides whole tables."""
    assert grid.view is not None
    sent: list[dict[str, Any]] = []
    grid.view.send = lambda content, buffers=None: sent.append(content)
    return sent


def type_into(grid: Grid, row: Any, column: str, text: str) -> None:
    """Tell what a page tells when a cell was typed into."""
    tell_grid(grid, kind="edit", words="Edit", rows=[row], columns=[column], cells=[[text]])


def select_cells(grid: Grid, rows: Sequence[Any], column: str = "groupName") -> None:
    """Select cells of a column as a page does; the first is the active one."""
    tell_grid(grid, kind="selected", rows=list(rows), row=rows[0] if rows else None, column=column)


def fill_order(form: OrderForm, **values: str) -> None:
    """Type a good order, some of its fields otherwise."""
    for name, value in {**GOOD_ORDER, **values}.items():
        form.fields[name].value = value


class Batch:
    """A person at a batch form."""

    def __init__(self, form: BatchForm) -> None:
        self.form = form

    def paste(self, orders: pd.DataFrame) -> None:
        self.form.orders.paste.value = orders.to_csv(sep="\t", index=False)
        click(self.form, self.form.orders.read_pasted)

    def upload(self, name: str, data: bytes) -> None:
        """Choose a file, as the page gives it."""
        file = {"name": name, "type": "", "size": len(data), "content": memoryview(data)}
        self.form.orders.upload.value = ({**file, "last_modified": datetime.now(UTC)},)
        wait_for_poll(self.form)

    def read(self, path: str) -> None:
        self.form.orders.path.value = path
        click(self.form, self.form.orders.read)

    def type(self, row: int, column: str, value: str) -> None:
        """Type into the cell of an order."""
        type_into(self.form.orders.grid, row, column, value)
        wait_for_poll(self.form)

    def paste_cells(self, row: int, column: str, text: str, html: str = "", size: tuple[int, int] = (1, 1)) -> None:
        """Paste a block from the clipboard with this cell selected, and `size` rows and columns from it on."""
        grid = self.form.orders.grid
        names = [one["name"] for one in columns_of(grid) if one["editable"]]
        lines = max(len(text.splitlines()), html.count("<tr"), size[0])
        at = grid.rows.index(row)
        block = {"rows": grid.rows[at : at + lines], "columns": names[names.index(column) :], "known": names}
        block["size"] = list(size)
        tell_grid(grid, kind="paste", text=text, html=html, **block)
        wait_for_poll(self.form)

    def select(self, *rows: int, column: str = "groupName") -> None:
        select_cells(self.form.orders.grid, rows, column)
        wait_for_poll(self.form)

    def plan(self, orders: pd.DataFrame) -> None:
        self.paste(orders)
        click(self.form, self.form.plan_it)

    def confirm(self) -> None:
        """Type the number that is asked for."""
        assert self.form.confirm.plan is not None
        self.form.confirm.typed.value = str(self.form.confirm.plan.phones)

    def submit(self) -> None:
        """Confirm and submit the plan, and wait for the end of the run."""
        self.confirm()
        click(self.form, self.form.confirm.submit)

    def create(self, orders: pd.DataFrame) -> None:
        self.plan(orders)
        self.submit()

    @property
    def step(self) -> str:
        """The step that is shown, as widgets and text alike say."""
        (current,) = [button.description for button in self.form.steps if "itnio-current" in button._dom_classes]
        assert self.form.steps[self.form.panels.selected_index].description == current
        assert f"Step {current}." in repr(self.form)
        return str(current)

    @property
    def reachable(self) -> str:
        """The numbers of the steps that can be reached."""
        return "".join(button.description[0] for button in self.form.steps if not button.disabled)

    @property
    def enabled(self) -> set[str]:
        """The buttons that can be pressed, those of steps, of the account panel, and Undo and Redo aside."""
        aside = {self.form.account.use_account, self.form.account.use_sandbox}
        aside |= {self.form.orders.undo, self.form.orders.redo}
        return {button.description for button in set(self.form.buttons) - aside if not button.disabled}

    @property
    def sizes(self) -> dict[str, int]:
        """The tabs of the result that have something, and how much."""
        titles = [re.fullmatch(r"(.+?) ([\d,]+)( groups?| rows?)?", title) for title in self.form.result.tabs.titles]
        sizes = {one[1]: int(one[2].replace(",", "")) for one in titles if one}
        return {name: size for name, size in sizes.items() if size}


def begin_run(batch: Batch, orders: pd.DataFrame) -> None:
    """Submit orders, and wait until their run is at work and can be stopped."""
    batch.plan(orders)
    batch.confirm()
    batch.form.confirm.submit.click()
    until(lambda: batch.form.monitor.at_work and not batch.form.monitor.stop.disabled and not batch.form.busy)


def lose_an_answer(batch: Batch, sandbox: Sandbox, fault: str = "drop-after") -> None:
    """Submit two groups; one answer is lost, and the account cannot be listed."""
    batch.plan(many_orders(2))
    sandbox.faults = ",".join([fault, *["query:-18-before"] * 60])
    batch.submit()
    assert batch.sizes == {"Created": 1, "Unknown": 1}
