"""A thread that runs a form's errands, one after another, and looks around in between."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

Look = Callable[[], float | None]


class Errands:
    """Does what it is asked, in the order in which it is asked, in a thread of its own.

    After each errand, and as often as it asks itself, `look` is called: it returns the seconds until the next look,
    None for not before the next errand. An error of an errand goes to `failed`; the thread goes on.
    """

    def __init__(self, look: Look, failed: Callable[[BaseException], None]) -> None:
        self._look, self._failed = look, failed
        self._asked: deque[tuple[str, Callable[[], None]]] = deque()
        self._changed = threading.Condition()
        self._busy = self._ended = False
        self._thread: threading.Thread | None = None

    def ask(self, errand: Callable[[], None], once: str = "") -> None:
        """Ask for an errand; where one of the same `once` is waiting already, that one will do."""
        with self._changed:
            if self._ended or (once and any(name == once for name, _ in self._asked)):
                return
            self._asked.append((once, errand))
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
        while (errand := self._next(pause)) is not None:
            self._do(errand)
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

    def _do(self, errand: Callable[[], object]) -> float | None:
        try:
            result = errand()
        except BaseException as error:  # noqa: BLE001 - told to the form, which shows it
            self._failed(error)
            return None
        return result if isinstance(result, float) else None
