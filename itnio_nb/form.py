"""What all forms share: buttons that act once, what is said as text, files for the browser, the state as a text."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from html import escape
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar
from weakref import ref

import anywidget
import ipywidgets as widgets
import pandas as pd
import traitlets

from itnio_nb.errand import Errands
from itnio_nb.errors import InputError, ItnioError

_HERE = Path(__file__).parent
_PART = 500_000  # bytes of a file in one message: Jupyter drops what comes faster than a megabyte in a second
_AWAKE = 4  # forms that look at the ledger by themselves; one that was replaced by running its cell again is asleep
_TICK = 0.05
_PATIENCE = 2.0  # seconds until a ledger that could not be read is looked at again
_WORKING = ("busy", "Working …")


class Page(anywidget.AnyWidget):
    """The part of a form that lives in the browser: style, names for screen readers, files handed over."""

    _esm = _HERE / "form.js"
    _css = _HERE / "form.css"
    names = traitlets.Dict().tag(sync=True)  # style class -> name for screen readers

    def hand_over(self, name: str, data: bytes) -> None:
        """Have the browser save a file. Its contents are in a message only, in no saved state of a widget."""
        parts = [data[at : at + _PART] for at in range(0, len(data), _PART)] or [b""]
        for number, part in enumerate(parts):
            self.send({"name": name, "part": number, "parts": len(parts)}, buffers=[part])
            if number % 2 and number + 1 < len(parts):
                time.sleep(1.2)


class Form(widgets.VBox):  # type: ignore[misc] # no types
    """A form: what it shows follows from the ledger, and a button does one line of the package.

    Everything that takes time is done by one thread, so that the kernel is free; `wait()` returns when it is done.
    """

    _awake: ClassVar[deque[ref[Form]]] = deque(maxlen=_AWAKE)

    def __init__(self, name: str) -> None:
        super().__init__()
        self.add_class("itnio")
        self.page = Page(names={"itnio": name})
        self.said = widgets.HTML()
        self.said.add_class("itnio-say")
        self._told: tuple[str, str] = ("", "")
        self._errands = Errands(self._look_around, self._failed)
        self._acting = threading.Lock()  # one button at a time
        self._fault: BaseException | None = None
        self._blind = self._closed = False  # whether the last look failed; whether the form was closed
        self._buttons: list[widgets.Button] = []
        Form._awake.append(ref(self))

    # What a form says of itself.

    def _lines(self) -> list[str]:
        """Return the form's state in words, for a place where no widget can be shown."""
        raise NotImplementedError

    def _refresh(self) -> None:
        """Show the state: which buttons can be pressed, what the lines say."""
        raise NotImplementedError

    def _look(self) -> float | None:
        """Look at what others do; return the seconds until the next look."""
        return None

    def __repr__(self) -> str:
        word, text = self._told
        try:
            lines = self._lines()
        except ItnioError as error:
            lines = [f"{type(self).__name__}.", str(error)]
        said = [f"{word.capitalize()}: {text}" if word in ("error", "warning") else text] if text else []
        return "\n".join([*lines, *said])

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        """Show the widgets and, where they cannot be shown, the text; `ITNIO_WIDGETS=off`: the text alone."""
        shown = {} if os.environ.get("ITNIO_WIDGETS") == "off" else super()._repr_mimebundle_(**options)
        return {**shown, "text/plain": repr(self)}

    # What a button does.

    def button(self, words: str, action: Callable[[], None], tip: str = "", *, main: bool = False) -> widgets.Button:
        """Return a button whose action is done once, however often it is clicked meanwhile."""
        button = widgets.Button(description=words, tooltip=tip or words, button_style="primary" if main else "")
        self._buttons.append(button)

        button.on_click(lambda _: None if button.disabled else self.act(action))
        return button

    def act(self, action: Callable[[], None]) -> None:
        """Have an action done; while one is being done, another is left: it was clicked before the page knew."""
        if not self._acting.acquire(blocking=False):
            return
        self.say(*reversed(_WORKING))
        for button in self._buttons:
            button.disabled = True
        self.ask(lambda: self._act(action))

    def _act(self, action: Callable[[], None]) -> None:
        try:
            action()
            if self._told == _WORKING:
                self.say("")
        except BaseException as error:  # noqa: BLE001 - shown, and raised by wait()
            self._failed(error)
        finally:
            self._acting.release()
            self._refresh()

    def _failed(self, error: BaseException) -> None:
        if isinstance(error, ItnioError):
            self.say(str(error), "error")
            return
        self._fault = error
        self.say(
            f"This should not have happened: {type(error).__name__}: {error}. What was sent is in the ledger. "
            "Please report it.",
            "error",
        )

    def say(self, text: str, kind: str = "") -> None:
        """Say something, as text; `kind` is `error`, `warning`, `good`, `busy` or nothing."""
        self._told = (kind, text)
        word = {"error": "Error: ", "warning": "Warning: "}.get(kind, "")
        self.said.value = f"<div class='{kind}'>{as_html(word + text)}</div>" if text else ""

    def ask(self, errand: Callable[[], None], once: str = "") -> None:
        """Have something done by the form's thread; of those that wait under one name, one is done."""
        self._errands.ask(errand, once)

    # Time.

    def wait(self, timeout: float | None = None) -> Form:
        """Wait until what was asked for is done and shown, a run included; return the form.

            form.create.click()
            form.wait()

        Raises `TimeoutError` after `timeout` seconds; what is under way goes on.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            if not self._errands.rest(left):
                raise TimeoutError(f"The form is still at work after {timeout} s.")
            if self._fault is not None:
                fault, self._fault = self._fault, None
                raise fault
            if self._closed or not self._at_work():
                return self
            if deadline is not None and time.monotonic() >= deadline:
                raise TimeoutError(f"The run is not over after {timeout} s; it goes on.")
            threading.Event().wait(_TICK)

    def _at_work(self) -> bool:
        """Whether something that this form shows is still going on in this process."""
        return False

    def _look_around(self) -> float | None:
        try:
            pause, self._blind = self._look(), False
        except ItnioError as error:
            if not self._blind:  # said once; looked for again, as long as it takes
                self._failed(error)
            self._blind = True
            pause = 4 * _TICK if self._at_work() else _PATIENCE
        awake = any(form() is self for form in Form._awake)
        return pause if awake or self._at_work() else None

    def close(self) -> None:
        """Take the form from the page, and end its thread. What is sent goes on."""
        self._closed = True
        self._errands.end()
        for widget in list(_below(self)):
            widget.close()
        super().close()


def _below(widget: widgets.Widget) -> Iterator[widgets.Widget]:
    """Yield every widget that a widget is made of."""
    for child in getattr(widget, "children", ()):
        yield from _below(child)
        yield child


def require_grid() -> None:
    """Raise `InputError` where what draws large tables is not installed."""
    if find_spec("ipydatagrid") is None:
        raise InputError('This form needs what JupyterLab brings: pip install "itnio-nb[lab]", then try again.')


def as_html(text: object) -> str:
    """Return a text as HTML that shows it and does nothing else; line breaks stay."""
    return escape(visible(str(text))).replace("\n", "<br>")


def visible(text: str) -> str:
    """Show what cannot be seen, or would turn the writing round, as what it is."""
    return "".join(char if char.isprintable() or char == "\n" else repr(char)[1:-1] for char in text)


def text_area(style: str = "", text: object = "") -> widgets.HTML:
    """Return a place for text: never for markup of others (`show` escapes)."""
    place = widgets.HTML(as_html(text))
    if style:
        place.add_class(style)
    return place


def show(place: widgets.HTML, text: object, kind: str = "") -> None:
    """Write a text into its place, if it is not there already."""
    value = f"<span class='{kind}'>{as_html(text)}</span>" if kind and text else as_html(text)
    if place.value != value:
        place.value = value


def table_html(frame: pd.DataFrame, most: int = 60) -> str:
    """Return a small table as HTML, all of it escaped; of a longer one the first rows, and how many there are."""
    head = "".join(f"<th scope='col'>{as_html(name)}</th>" for name in frame.columns)
    rows = frame.head(most).itertuples(index=False, name=None)
    body = "".join(f"<tr>{''.join(f'<td>{as_html(cell)}</td>' for cell in row)}</tr>" for row in rows)
    more = f"<p class='faint'>The first {most} of {len(frame):,}.</p>" if len(frame) > most else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def row(*parts: widgets.Widget, style: str = "") -> widgets.HBox:
    """Return widgets beside each other, below each other where the page is narrow."""
    return _styled(widgets.HBox(parts), "itnio-row", style)


def panel(*parts: widgets.Widget, style: str = "") -> widgets.VBox:
    """Return widgets below each other, as one group for screen readers."""
    return _styled(widgets.VBox(parts), "itnio-panel", style)


def _styled(box: Any, *styles: str) -> Any:
    for style in filter(None, styles):
        box.add_class(style)
    return box


def field(words: str, tip: str = "", width: str = "340px", kind: type = widgets.Text, **options: Any) -> Any:
    """Return a field with its label before it."""
    made = kind(
        description=words,
        tooltip=tip or words,
        layout=widgets.Layout(width=width, max_width="100%"),
        style={"description_width": "initial"},
        **options,
    )
    made.add_class("itnio-field")
    return made


def steps(names: Sequence[str], go: Callable[[int], None]) -> list[widgets.Button]:
    """Return a button for each step; `go` is given its number, from 0."""
    made = []
    for number, name in enumerate(names):
        button = widgets.Button(description=name, tooltip=f"Go to {name}")
        button.add_class("itnio-step")
        button.on_click(lambda _, number=number: go(number))
        made.append(button)
    return made
