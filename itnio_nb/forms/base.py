"""What all forms share: buttons that act once, what is said as text, files for the browser, the state as a text."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar
from weakref import ref

import anywidget
import ipywidgets as widgets
import traitlets

from itnio_nb.errors import ItnioError
from itnio_nb.forms.layout import as_html

_HERE = Path(__file__).parent / "static"
_PART = 500_000  # bytes of a file in one message: Jupyter drops what comes faster than a megabyte in a second
_AWAKE = 4  # forms that look at the ledger by themselves; one that was replaced by running its cell again is asleep
_TICK = 0.05
_PATIENCE = 2.0  # seconds until a ledger that could not be read is looked at again
_WORKING = ("busy", "Working …")


class BrowserBridge(anywidget.AnyWidget):
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
        self.page = BrowserBridge(names={"itnio": name})
        self.said = widgets.HTML()
        self.said.add_class("itnio-say")
        self._told: tuple[str, str] = ("", "")
        self._tasks = TaskQueue(self._look_around, self._failed)
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

    def ask(self, task: Callable[[], None], once: str = "") -> None:
        """Have something done by the form's thread; of those that wait under one name, one is done."""
        self._tasks.ask(task, once)

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
            if not self._tasks.rest(left):
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
        self._tasks.end()
        for widget in list(_below(self)):
            widget.close()
        super().close()


def _below(widget: widgets.Widget) -> Iterator[widgets.Widget]:
    """Yield every widget that a widget is made of."""
    for child in getattr(widget, "children", ()):
        yield from _below(child)
        yield child


Poll = Callable[[], float | None]


class TaskQueue:
    """Does what it is asked, in the order in which it is asked, in a thread of its own.

    After each errand, and as often as it asks itself, `look` is called: it returns the seconds until the next look,
    None for not before the next errand. An error of an errand goes to `failed`; the thread goes on.
    """

    def __init__(self, look: Poll, failed: Callable[[BaseException], None]) -> None:
        self._look, self._failed = look, failed
        self._asked: deque[tuple[str, Callable[[], None]]] = deque()
        self._changed = threading.Condition()
        self._busy = self._ended = False
        self._thread: threading.Thread | None = None

    def ask(self, task: Callable[[], None], once: str = "") -> None:
        """Ask for an errand; where one of the same `once` is waiting already, that one will do."""
        with self._changed:
            if self._ended or (once and any(name == once for name, _ in self._asked)):
                return
            self._asked.append((once, task))
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="form", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def rest(self, timeout: float | None = None) -> bool:
        """Wait until everything that was asked for is done; False if it is not after `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self._ended or not (self._asked or self._busy), timeout)

    def end(self) -> None:
        """Ask nothing more of it: what is under way is finished, what is waiting is left."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _work(self) -> None:
        pause: float | None = None
        while (task := self._next(pause)) is not None:
            self._do(task)
            began = time.monotonic()
            pause = self._do(self._look)
            if pause is not None:  # however slow looking is, most of the time is left for other things
                pause = max(pause, 4 * (time.monotonic() - began))
            with self._changed:
                self._busy = False
                self._changed.notify_all()

    def _next(self, pause: float | None) -> Callable[[], object] | None:
        """Return the next errand, one that does nothing after `pause` seconds without any, None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._asked, pause)
            if self._ended:
                return None
            self._busy = True
            return self._asked.popleft()[1] if self._asked else lambda: None

    def _do(self, task: Callable[[], object]) -> float | None:
        try:
            result = task()
        except BaseException as error:  # noqa: BLE001 - told to the form, which shows it
            self._failed(error)
            return None
        return result if isinstance(result, float) else None
