"""The pace of a run: how many requests may leave in a second."""

from __future__ import annotations

import threading
import time
from math import inf


def is_rate(number: object) -> bool:
    """Tell whether a number can be a rate: above 0, and not endless."""
    return isinstance(number, int | float) and 0 < number < inf


class Pace:
    """Lets at most `rate` requests pass in a second, evenly; None lets all pass."""

    def __init__(self, rate: float | None) -> None:
        self._gap = 1 / rate if rate else 0.0
        self._next = 0.0
        self._lock = threading.Lock()

    def wait(self, stopping: threading.Event) -> bool:
        """Wait for a turn; False if the run stops meanwhile."""
        with self._lock:
            turn = max(self._next, time.monotonic())
            self._next = turn + self._gap
        return not stopping.wait(max(0.0, turn - time.monotonic()))
