"""A beat for every form that a browser may show: what is on a page is known to be alive, or said to be old."""

from __future__ import annotations

import threading
import weakref
from contextlib import suppress
from typing import Protocol

PAUSE = 2.0  # seconds between two beats; the page waits for four (`static/run/heartbeat.js`)


class Beating(Protocol):
    """What can tell its page that this process lives."""

    def beat(self) -> None:
        """Send one small message."""


class Heartbeat:
    """Beat for all that are added, as long as anything else has a use for them, in one thread for the process.

        heartbeat = Heartbeat()
        heartbeat.add(form.browser)

    It is a thread of its own, so that a cell or a task of a form that takes long is no silence.
    """

    def __init__(self, pause: float = PAUSE) -> None:
        self._pause = pause
        self._members: weakref.WeakSet[Beating] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, member: Beating) -> None:
        """Beat for one more; the first one begins the thread."""
        with self._lock:
            self._members.add(member)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="heartbeat", daemon=True)
                self._thread.start()

    def _work(self) -> None:
        while True:
            threading.Event().wait(self._pause)
            self._beat()

    def _beat(self) -> None:
        """Beat once for each; none of them is held between two beats."""
        with self._lock:
            members = list(self._members)
        for member in members:
            with suppress(Exception):  # a beat that cannot be sent is missed: that is what it is for
                member.beat()


heartbeat = Heartbeat()
