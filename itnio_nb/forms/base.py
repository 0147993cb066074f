"""What every form has: one thread for its tasks, buttons that act once, a status line, files for the browser."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import anywidget
import ipywidgets as widgets
import traitlets

from itnio_nb.errors import ItnioError
from itnio_nb.forms.layout import set_shown, show, text_area
from itnio_nb.forms.run.heartbeat import heartbeat

Action = Callable[[], None]
Condition = Callable[[], bool]
Poll = Callable[[], float | None]  # returns the seconds until the next poll, None: not before the next task

_STATIC = Path(__file__).parent / "static"
_PART = 500_000  # bytes of a file in one message: Jupyter drops what comes faster than a megabyte in a second
_AWAKE = 4  # forms that poll by themselves; one that was replaced by running its cell again is asleep
_TICK = 0.05  # seconds
_FOR_EVER = 1e8  # seconds, three years: a lock waits no more than some centuries
_RETRY = 2.0  # seconds until a ledger that could not be read is read again
_WORDS = {"error": "Error: ", "warning": "Warning: "}
_WORKING = ("Working …", "busy")


def _joined(*names: str) -> str:
    return "\n".join((_STATIC / name).read_text(encoding="utf-8") for name in names)


@dataclass(frozen=True)
class Given:
    """What was dropped on a form, chosen or pasted: a `file`, a `text`, or why there is neither."""

    kind: str  # "file", "text"; "several", "folder", "address", "words", "large", "unreadable", "nothing"
    name: str  # of the file; how many there are
    text: str = ""
    data: bytes = b""


class BrowserBridge(anywidget.AnyWidget):
    """The part of a form that lives in the browser: style, names for screen readers, downloads, files that are given.

    A file that is dropped on the form, chosen or pasted comes in parts, each when the one before has arrived. The
    browser dims a form from which no beat comes.
    """

    _esm = _joined("orders/input.js", "run/heartbeat.js", "run/page.js", "form.js")
    _css = _joined("form.css", "orders/input.css")
    names = traitlets.Dict().tag(sync=True)  # style class -> name for screen readers
    largest = traitlets.Int(0).tag(sync=True)  # bytes of a file that may be given; 0: none may
    asks = traitlets.Unicode("").tag(sync=True)  # why leaving the page asks first; "": it does not
    page = traitlets.Dict().tag(sync=True)  # `title` of the page of `itnio-nb app`, and its `account`: sandbox, live

    def __init__(self, names: Mapping[str, str] | None = None) -> None:
        super().__init__(names=dict(names or {}))
        self.on_given: Callable[[Given], None] = lambda _: None  # is called once all of it is there
        self._coming, self._parts = "", list[bytes]()  # the file that is on its way, and what is there of it
        self.on_msg(self._receive)
        heartbeat.add(self)

    def beat(self) -> None:
        """Tell the page that this process lives; from any thread. A bridge that was closed tells nothing."""
        super().send({"beat": 1})

    def _receive(self, _: object, message: dict[str, Any], buffers: list[Any]) -> None:
        if message["kind"] != "file":
            self.on_given(Given(message["kind"], str(message["name"]), str(message.get("text", ""))))
            return
        if message["part"] == 0:
            self._coming, self._parts = message["file"], []
        if (message["file"], message["part"]) == (self._coming, len(self._parts)):  # else of a file that was given up
            self._parts.append(bytes(buffers[0]))
            self.send({"arrived": message["part"], "file": message["file"]})
            if len(self._parts) == message["parts"]:
                parts, self._parts = self._parts, []
                self.on_given(Given("file", str(message["name"]), data=b"".join(parts)))

    def download(self, name: str, data: bytes) -> None:
        """Have the browser save a file. Its contents are in messages only, in no saved state of a widget."""
        parts = [data[at : at + _PART] for at in range(0, len(data), _PART)] or [b""]
        for number, part in enumerate(parts):
            self.send({"name": name, "part": number, "parts": len(parts)}, buffers=[part])
            if number % 2 and number + 1 < len(parts):
                time.sleep(1.2)

    def download_written(self, name: str, write: Callable[[Path], Path]) -> None:
        """Have the browser save the file that `write` writes to a path of this name and returns; none is left."""
        with tempfile.TemporaryDirectory() as folder:
            self.download(name, write(Path(folder, name)).read_bytes())


class Form(widgets.VBox):  # type: ignore[misc] # no types
    """A form with one thread for all that takes time, so that the kernel stays free; `wait()` returns when it is done.

    A form may set `poll`, to show what others have done, and `is_working`, for what else `wait()` waits for.
    """

    _awake: ClassVar[deque[int]] = deque(maxlen=_AWAKE)

    def __init__(self, name: str) -> None:
        """Name the form for screen readers."""
        super().__init__()
        self.add_class("itnio")
        self.browser = BrowserBridge({"itnio": name})
        self.status_line = text_area("itnio-status")
        self.poll: Poll = lambda: None
        self.is_working: Condition = lambda: False
        self.is_unsaved: Condition = lambda: False  # whether the end of this process would lose what was edited
        self.tasks = TaskQueue(self._poll, self.show_error)
        self.unreadable = False  # whether the last poll could not read the ledger
        self._status: tuple[str, str] = ("", "")
        self._acting = threading.Lock()  # one action at a time
        self._error: BaseException | None = None  # raised by the next `wait()`
        self._closed = False
        self.buttons: dict[widgets.Button, Condition] = {}  # and when each can be pressed, unless busy
        self._in_sight: dict[widgets.Button, Condition] = {}  # and when each is to be seen
        Form._awake.append(id(self))

    def describe(self) -> list[str]:
        """Return the form's state as lines of text, for a place where no widget can be shown."""
        return [f"{type(self).__name__}."]

    def refresh(self) -> None:
        """Enable the buttons that can be pressed in the present state; disable the others, and hide most of these."""
        for button, is_ready in self.buttons.items():
            button.disabled = self.busy or not is_ready()
            set_shown(button, self._in_sight[button]())

    def __repr__(self) -> str:
        try:
            lines = self.describe()
        except ItnioError as error:
            lines = [f"{type(self).__name__}.", str(error)]
        text, kind = self._status
        return "\n".join([*lines, *([_WORDS.get(kind, "") + text] if text else [])])

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        """Show the widgets and, where they cannot be shown, the text; `ITNIO_WIDGETS=off`: the text alone."""
        shown = {} if os.environ.get("ITNIO_WIDGETS") == "off" else super()._repr_mimebundle_(**options)
        return {**shown, "text/plain": repr(self)}

    @property
    def busy(self) -> bool:
        """Whether an action is queued or being done."""
        return self._acting.locked()

    def button(
        self,
        words: str,
        action: Action,
        tip: str = "",
        *,
        main: bool = False,
        is_ready: Condition = lambda: True,
        is_shown: Condition | None = None,
    ) -> widgets.Button:
        """Return a button whose action is done once, however often it is clicked; it can be pressed if `is_ready`.

        A button that cannot be pressed is hidden, unless it `is_shown`: then the form says why beside it. `main`: the
        one button of its state that one would press next.
        """
        button = widgets.Button(description=words, tooltip=tip or words, button_style="primary" if main else "")
        self.buttons[button], self._in_sight[button] = is_ready, is_shown or is_ready
        button.on_click(lambda _: None if button.disabled else self.act(action))
        return button

    def act(self, action: Action) -> None:
        """Queue an action, unless one is queued or being done: a click that came before the page knew is dropped."""
        if not self._acting.acquire(blocking=False):
            return
        self.set_status(*_WORKING)
        for button in self.buttons:
            button.disabled = True
        self.tasks.put(lambda: self._run_action(action))

    def _run_action(self, action: Action) -> None:
        try:
            action()
            if self._status == _WORKING:
                self.set_status("")
        except BaseException as error:  # noqa: BLE001 - shown, and raised by wait()
            self.show_error(error)
        finally:
            self._acting.release()
            self.refresh()

    def show_error(self, error: BaseException) -> None:
        """Show an error as words. One that is not the package's own is raised by the next `wait()` too."""
        words = str(error)
        if not isinstance(error, ItnioError):
            self._error = error
            words = f"This should not have happened: {type(error).__name__}: {words}."
            words += " What was sent is in the ledger. Please report it."
        self.set_status(words, "error")

    def set_status(self, text: str, kind: str = "") -> None:
        """Show a text in the status line; `kind` is `error`, `warning`, `good`, `busy` or nothing."""
        self._status = (text, kind)
        show(self.status_line, _WORDS.get(kind, "") + text if text else "", kind)

    def wait(self, timeout: float | None = None) -> Form:
        """Wait until what was asked for is done and shown, a run included; return the form.

            form.create.click()
            form.wait()

        Raises `TimeoutError` after `timeout` seconds; what is under way goes on.
        """
        deadline = time.monotonic() + (_FOR_EVER if timeout is None else timeout)
        while self.tasks.join(max(0.0, deadline - time.monotonic())):
            if self._error is not None:
                error, self._error = self._error, None
                raise error
            if self._closed or not self.is_working():
                return self
            if time.monotonic() >= deadline:
                raise TimeoutError(f"The run is not over after {timeout} s; it goes on.")
            time.sleep(_TICK)
        raise TimeoutError(f"The form is still at work after {timeout} s.")

    def _poll(self) -> float | None:
        try:
            pause, self.unreadable = self.poll(), False
        except Exception as error:  # noqa: BLE001 - shown once; read again, as long as it takes
            if not self.unreadable:
                self.show_error(error)
            self.unreadable = True
            pause = 4 * _TICK if self.is_working() else _RETRY
        return pause if id(self) in Form._awake or self.is_working() else None

    def close(self) -> None:
        """Take the form from the page, and end its thread. What is sent goes on."""
        self._closed = True
        self.tasks.close()
        _close_children(self)
        super().close()


def _close_children(widget: widgets.Widget) -> None:
    for child in getattr(widget, "children", ()):
        _close_children(child)
        child.close()


class TaskQueue:
    """Run tasks in their order in a thread, and `poll` after each and as often as it asks for; errors: `on_error`."""

    def __init__(self, poll: Poll, on_error: Callable[[BaseException], None]) -> None:
        self._poll, self._on_error = poll, on_error
        self._waiting: deque[tuple[str, Action]] = deque()
        self._changed = threading.Condition()
        self._busy = self._closed = False
        self._thread: threading.Thread | None = None

    def put(self, task: Action, once: str = "") -> None:
        """Add a task; where one of the same `once` is waiting already, that one will do."""
        with self._changed:
            if self._closed or (once and any(name == once for name, _ in self._waiting)):
                return
            self._waiting.append((once, task))
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="form", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def join(self, timeout: float | None = None) -> bool:
        """Wait until every task and the poll after it are done; False if they are not after `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self._closed or not (self._waiting or self._busy), timeout)

    def close(self) -> None:
        """Take no more tasks: what is under way is finished, what is waiting is dropped."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _work(self) -> None:
        pause: float | None = None
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._waiting, pause)
                if self._closed:
                    return
                self._busy = True
                task = self._waiting.popleft()[1] if self._waiting else None
            if task is not None:
                self._run(task)
            began = time.monotonic()
            pause = self._run(self._poll)
            if pause is not None:  # however slow polling is, most of the time is left for other things
                pause = max(pause, 4 * (time.monotonic() - began))
            with self._changed:
                self._busy = False
                self._changed.notify_all()

    def _run(self, task: Poll) -> float | None:
        try:
            return task()
        except BaseException as error:  # noqa: BLE001 - given to the form, which shows it
            self._on_error(error)
            return None
