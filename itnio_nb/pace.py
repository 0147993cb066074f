"""The pace of a run: how many requests may leave in a second, and when failures in a row call for a look."""

from __future__ import annotations

import threading
import time
from math import inf

_FIRST_LIMIT = 10  # failures in a row
_SLOWEST = 1.0  # seconds between two requests that a busy server can bring a run to by itself
_FIRST_GAP = 0.02  # seconds between two requests after it was busy for the first time
_EASING = 0.9  # of the gap is left after each answer


def is_rate(number: object) -> bool:
    """Tell whether a number can be a rate: at least one request in a day, and not endless."""
    return isinstance(number, int | float) and 1 / 86400 <= number < inf


class Pace:
    """Lets at most `rate` requests pass in a second, evenly; None lets all pass. A busy server slows all down."""

    def __init__(self, rate: float | None) -> None:
        self._least = self._gap = 1 / rate if rate else 0.0
        self._next = 0.0
        self._held_until = 0.0
        self._lock = threading.Lock()

    def wait(self, stopping: threading.Event) -> bool:
        """Wait for a turn; False if the run stops meanwhile."""
        turn = self._take_turn()
        while not stopping.wait(max(0.0, turn - time.monotonic())):
            if self._held_until <= turn:
                return True
            turn = self._take_turn()  # all were told to wait in the meantime
        return False

    def _take_turn(self) -> float:
        with self._lock:
            turn = max(self._next, self._held_until, time.monotonic())
            self._next = turn + self._gap
            return turn

    def hold(self, seconds: float) -> None:
        """Let nothing pass for so long, and less in a second afterwards: the server is busy."""
        now = time.monotonic()
        with self._lock:
            if self._held_until <= now:  # several answers at once say it once
                self._gap = max(self._least, min(_SLOWEST, max(2 * self._gap, _FIRST_GAP)))
            self._held_until = max(self._held_until, now + seconds)

    def ease(self) -> None:
        """Come a little nearer to the pace that was asked for: the server has answered."""
        if self._gap > self._least:
            with self._lock:
                gap = self._gap * _EASING
                self._gap = gap if gap > max(self._least, _FIRST_GAP / 10) else self._least


class Brake:
    """Counts failures in a row; at the limit it asks for a look, and each look doubles the limit."""

    def __init__(self) -> None:
        self.limit = _FIRST_LIMIT
        self.row = 0
        self.idle_looks = 0  # looks in a row with no progress in between
        self._lock = threading.Lock()

    def tell(self, *, failed: bool) -> bool:
        """Count one outcome; True as long as it is time to stop and look."""
        with self._lock:
            self.row = self.row + 1 if failed else 0
            return self.row >= self.limit

    def release(self, *, progress: bool) -> None:
        """Go on after a look, with twice the patience; `progress`: whether any group was settled since the last."""
        with self._lock:
            self.limit, self.row = 2 * self.limit, 0
            self.idle_looks = 0 if progress else self.idle_looks + 1
