"""What is given to be read: dropped or pasted on the page, chosen, named by its path; and why nothing is read of it."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial
from typing import Any

from itnio_nb.api.text import shortened
from itnio_nb.errors import InputError
from itnio_nb.forms.base import Action, Form, Given
from itnio_nb.orders.formats.headers import api_column

Read = Callable[[str | io.BytesIO, str], None]  # of a path, a text or a file's contents, and its name

LARGEST = 100 * 2**20  # bytes of a file that goes through the page: it is whole in the memory of browser and kernel
_MEGABYTE = 2**20


class Sources:
    """Give to `read` whatever comes in, once nothing else is being done; `on_given` is called before."""

    def __init__(self, form: Form, read: Read) -> None:
        self._form, self._read = form, read
        self.on_given: Action = lambda: None
        form.browser.on_given = lambda given: when_free(form, partial(self._take, given))

    def _take(self, given: Given) -> None:
        self.on_given()
        if given.kind == "file":
            self._read_bytes(given.name, given.data)
        elif given.kind == "text":
            self.read_text(given.text)
        else:
            raise InputError(refusal(given))

    def on_upload(self, change: dict[str, Any]) -> None:
        """Read a file that a widget has uploaded by itself; none of its states holds the contents then."""
        if change["new"]:
            name, data = str(change["new"][0]["name"]), bytes(change["new"][0]["content"])
            change["owner"].value = ()  # the same file can be given again, mended
            when_free(self._form, partial(self._read_bytes, name, data))

    def read_path(self, path: str) -> None:
        """Read a file where the notebook runs."""
        if not path.strip():
            raise InputError("Write the path of a file first, or upload one.")
        self._read(path.strip(), path.strip())

    def read_text(self, text: str) -> None:
        """Read rows that were copied from a spreadsheet."""
        lines = text.strip().splitlines()
        cells = lines[0].split("\t") if len(lines) == 1 else []
        if not lines or len(cells) == 1 or any(map(api_column, cells)):
            raise InputError("Paste a row of headers and at least one order below it.")
        self._read(text, "")

    def _read_bytes(self, name: str, data: bytes) -> None:
        file = io.BytesIO(data)
        file.name = name  # which read_orders shows
        self._read(file, name)


def when_free(form: Form, action: Action) -> None:
    """Act once a form does nothing else: what was given or chosen on the page is not dropped, as a second click is."""
    if form.busy:
        form.tasks.put(lambda: when_free(form, action))
    else:
        form.act(action)


def refusal(given: Given) -> str:
    """Return why nothing is read of what was dropped or pasted, and what to do."""
    name = shortened(given.name)
    words = {
        "several": f"{name} files were dropped, and none was read: drop one file at a time.",
        "folder": f"{name} is a folder, and nothing was read: drop the file in it that has the orders.",
        "address": f"An address was dropped, and nothing was read ({name}): download the file, then drop that.",
        "words": f"A text without rows was dropped, and nothing was read ({name}): drop a file, or rows with headers.",
        "unreadable": f"The browser cannot read {name}: it was moved or changed, or is a folder. Choose it again.",
        "large": _too_large(name, given.text),
    }
    return words.get(given.kind, "What was dropped has nothing that can be read: drop a file that has the orders.")


def _too_large(name: str, size: str) -> str:
    megabytes = f"{-(-int(size) // _MEGABYTE):,} MB" if size.isdecimal() else "more"
    why = "what comes through the page is held whole in the memory of the browser"
    way = "Copy it to where the notebook runs, and give its path under “Other ways”"
    return f"{name} has {megabytes}, and a file of up to {LARGEST // _MEGABYTE} MB is read here: {why}. {way}."
