"""Work in a thread that one can wait for, with a progress bar, and stop."""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import inf
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, Self, TypeVar

from itnio_nb.api.models import State
from itnio_nb.ledger.database.database import Owner

# Progress as a message of a kernel: whoever runs the notebook shows it, and keeps it out of the notebook.
PROGRESS_MIME = "application/vnd.itnio-nb.progress+json"
COUNTED = (State.CREATED, State.EXISTS, State.PARTIAL, State.REFUSED, State.UNKNOWN)  # beside the bar, of groups
_TICK = 0.2  # seconds between two updates of the progress bar


class Engine(Protocol):
    """What does the work."""

    activity: str  # what it is doing, in one word
    error: BaseException | None  # what ended it

    @property
    def counts(self) -> Counter[str]:
        """How many items are in which state."""

    def run(self) -> None:
        """Do the work; raise nothing."""

    def stop(self) -> None:
        """Have all who do this work finish what is under way; return at once."""

    def leave(self) -> None:
        """Have what is under way here finished; return at once."""


class BackgroundWork:
    """Run an engine in a thread; without one there is nothing to do, and it is over. Calls `on_over` when it is."""

    UNIT = "group"  # what the bar counts
    COUNTED: Sequence[str] = COUNTED
    GO_ON = "Submit the plan again to go on."
    if TYPE_CHECKING:  # who inherits has them

        @property
        def counts(self) -> Counter[str]:
            """How many items are in which state."""

        @property
        def summary(self) -> str:
            """What became of it, in one line."""

    def __init__(self, engine: Engine | None, name: str, on_over: Callable[[], None] = lambda: None) -> None:
        self._engine = engine
        self._over = threading.Event()
        if engine is None:
            self._over.set()
            return

        def work() -> None:
            try:
                engine.run()
            finally:
                on_over()
                self._over.set()

        threading.Thread(target=work, name=name, daemon=True).start()

    @property
    def done(self) -> bool:
        """Whether the run is over: everything sent and verified, or stopped."""
        return self._over.is_set()

    @property
    def activity(self) -> str:
        """What it is doing, in one word: `Submit` or `Verify`; "" once it is over."""
        return "" if self.done or self._engine is None else self._engine.activity

    @property
    def error(self) -> BaseException | None:
        """What ended it, if anything did: `wait` raises it."""
        return None if self._engine is None else self._engine.error

    def wait(self, timeout: float | None = None, raise_interrupt: bool = True) -> Self:
        """Wait until the run is over, showing a progress bar, and return the run.

            submit_plan(plan, client, ledger).wait()

        Interrupting the cell stops the run. For a runbook, whose cells below report how it ended,
        `raise_interrupt=False` then waits for the end of the stopped run in place of raising `KeyboardInterrupt`.
        Raises `TimeoutError` after `timeout` seconds (the run goes on), and the error that ended the run, if any.
        """
        deadline = inf if timeout is None else time.monotonic() + timeout
        while (engine := self._engine) is not None and not self.done:
            try:
                if not self._show_progress(engine, deadline):
                    raise TimeoutError(f"The run is not over after {timeout} s; it goes on. {self.summary}")
            except KeyboardInterrupt:  # a second one changes nothing: what is under way is being finished
                self.stop(wait=raise_interrupt)
                if raise_interrupt:
                    raise KeyboardInterrupt(f"{self.summary} {self.GO_ON}") from None
        if self.error is not None:
            raise self.error
        return self

    def _show_progress(self, engine: Engine, deadline: float) -> bool:
        """Show a progress bar until the run is over; False where the time is up before."""
        counts = self.counts
        with progress_bar(counts.total(), items_done(counts), self.UNIT) as bar:
            while not self._over.wait(max(0, min(_TICK, deadline - time.monotonic()))):
                advance(bar, self.counts, engine.activity, self.COUNTED)
                if time.monotonic() >= deadline:
                    return False
            advance(bar, self.counts, engine.activity, self.COUNTED)
        return True

    def join(self, timeout: float | None = None) -> bool:
        """Wait until the run is over, showing and raising nothing; False if it is not after `timeout` seconds."""
        return self._over.wait(timeout)

    def stop(self, wait: bool = True) -> None:
        """Have what is under way finished, at most one page of a listing, and leave the rest "not sent".

        All who work on the run stop, in other processes too. `wait=False` returns at once.
        """
        if self._engine is not None:
            self._engine.stop()
        if wait:
            self._over.wait()

    def leave(self) -> None:
        """Have what is under way here finished, and return at once: whoever else works on the run goes on."""
        if self._engine is not None:
            self._engine.leave()


W = TypeVar("W", bound=BackgroundWork)


class AtWork(Generic[W]):
    """What is at work in this process, by key: a double click finds it, and the end of Python leaves nothing in doubt.

    `lock` is held while one begins.
    """

    _all: ClassVar[list[AtWork[Any]]] = []

    def __init__(self) -> None:
        self._all.append(self)
        self.forget_all()

    def forget_all(self) -> None:
        """Forget what is at work: after a fork its threads are not in the child, and what they hold is the parent's."""
        self.by_key: dict[tuple[str, ...], W] = {}
        self.lock = threading.RLock()

    def begin(self, key: tuple[str, ...], owner: Owner, make: Callable[[Callable[[], None]], W]) -> W:
        """Return what `make` makes, at work until it is over; it is given what to call then. The caller has the lock.

        The owner is released where that fails.
        """
        try:
            self.by_key[key] = make(lambda: self._forget(key))
        except BaseException:
            owner.release()
            raise
        return self.by_key[key]

    def _forget(self, key: tuple[str, ...]) -> None:
        with self.lock:
            self.by_key.pop(key, None)

    def leave(self) -> None:
        """Let what is under way finish, in all of them at once, so that nothing is left in doubt; others go on."""
        with self.lock:
            working = list(self.by_key.values())
        for work in working:
            work.leave()
        for work in working:
            work.join()

    @classmethod
    def leave_all(cls) -> None:
        """Do so for everything that is at work."""
        for one in cls._all:
            one.leave()

    @classmethod
    def forget_everything(cls) -> None:
        """Do so for everything that is at work."""
        for one in cls._all:
            one.forget_all()


atexit.register(AtWork.leave_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=AtWork.forget_everything)


class _MessageBar:
    """Publish `total done activity counts` as a display message of the kernel, in place of a tqdm bar."""

    def __init__(self, total: int) -> None:
        self._total, self._activity = total, ""
        self.n = 0

    def set_description(self, activity: str, refresh: bool = True) -> None:  # noqa: ARG002 - as tqdm has it
        self._activity = activity

    def set_postfix(self, counts: dict[str, int]) -> None:
        from IPython.display import publish_display_data

        progress = {"total": self._total, "done": self.n, "activity": self._activity, "counts": counts}
        publish_display_data({PROGRESS_MIME: progress})  # type: ignore[no-untyped-call] # IPython


@contextmanager
def progress_bar(total: int, done: int, unit: str = "group") -> Iterator[Any]:
    """Show a tqdm bar over `total` items, `done` at its start, while the context lasts: a widget in a notebook.

    `ITNIO_PROGRESS` in the environment decides otherwise: `text` for text in a notebook too, `off` for none,
    `messages` for display messages that the runner of the notebook shows.
    """
    wanted = os.environ.get("ITNIO_PROGRESS", "")
    if wanted == "messages":
        yield _MessageBar(total)
        return
    from tqdm.std import tqdm as text_tqdm

    options: dict[str, Any] = {"total": total, "initial": done, "unit": f" {unit}s", "disable": wanted == "off"}
    if wanted or not _in_notebook():
        with text_tqdm(**options) as bar:
            yield bar
        return
    from IPython.display import publish_display_data
    from tqdm.auto import tqdm as auto_tqdm

    widget_bar: Any = auto_tqdm  # the class has a container in a notebook only
    with widget_bar(**options, display=False) as bar:
        # The view alone: tqdm's own display adds a text that a saved notebook would show for ever as 0 %.
        view = {"version_major": 2, "version_minor": 0, "model_id": bar.container.model_id}
        publish_display_data({"application/vnd.jupyter.widget-view+json": view})  # type: ignore[no-untyped-call] # IPython
        yield bar


def _in_notebook() -> bool:
    """Tell whether tqdm would show a widget; outside of IPython it is not asked, which takes long."""
    if "IPython" not in sys.modules:
        return False
    from tqdm.auto import tqdm as auto_tqdm
    from tqdm.notebook import tqdm_notebook

    return issubclass(auto_tqdm, tqdm_notebook)


def items_done(counts: Counter[str]) -> int:
    """Return how many items need no more sending."""
    return counts.total() - sum(counts[state] for state in State.PENDING)


def advance(bar: Any, counts: Counter[str], activity: str, counted: Sequence[str] = COUNTED) -> None:
    """Show on a bar how far a run is, what it is doing, and its counts by state; `partial` only where there is one."""
    bar.n = items_done(counts)
    bar.set_description(activity, refresh=False)
    bar.set_postfix({str(state): counts[state] for state in counted if counts[state] or state != State.PARTIAL})
