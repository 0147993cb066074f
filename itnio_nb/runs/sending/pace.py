"""How fast a run sends: what was asked for (`RunOptions`), and what lets each request pass (`RateLimiter`)."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from math import inf
from typing import Self

from itnio_nb.errors import InputError

DEFAULT_WORKERS = 8  # requests under way at once
MAX_WORKERS = 64  # each is a thread and a connection to the server
_MIN_RATE = 1 / 86_400  # requests a second: one in a day
_MAX_GAP = 1.0  # seconds between two requests to which a server that is busy can slow a run down
_FIRST_GAP = 0.02  # seconds between two requests after it was busy for the first time
_MEASURED = 20  # requests over which the pace of a run is measured
_EASING = 0.9  # of the gap is left after each answer
_AHEAD = 0.5  # seconds for which turns are reserved at once
_LATE = 0.02  # seconds after which a turn that was not used is lost: what the ledger leaves between them allows for it


def is_whole(value: object) -> bool:
    """Tell whether a value is a whole number: True and False are none."""
    return isinstance(value, int) and not isinstance(value, bool)


@dataclass(frozen=True)
class RunOptions:
    """How fast a run sends, checked: `InputError` for what is out of bounds."""

    workers: int | None = None  # requests under way at once, from 1 to MAX_WORKERS; None: as the run has it
    rate: float | None = None  # the most requests in one second, at least one in a day; None: as the run has it

    def __post_init__(self) -> None:
        if self.workers is not None and not (is_whole(self.workers) and 1 <= self.workers <= MAX_WORKERS):
            raise InputError(f"A run has at least 1 worker and at most {MAX_WORKERS}, not {self.workers!r}.")
        is_number = is_whole(self.rate) or isinstance(self.rate, float)
        if self.rate is not None and not (is_number and _MIN_RATE <= self.rate < inf):
            raise InputError(f"The most requests in a second are a number, such as 5 or 0.5, not {self.rate!r}.")

    @classmethod
    def from_text(cls, workers: int, rate: str) -> Self:
        """Return the options that a form has: its `rate` is text, empty for no limit."""
        try:
            return cls(workers, float(rate) if rate else None)
        except ValueError:
            return cls(workers, rate)  # type: ignore[arg-type] # refused, in the words for any rate


class RateLimiter:
    """Let the requests of a run pass: at most `rate` in a second; a busy server slows down those of this process.

    All who work on the run keep to the rate together, in whatever process: `reserve` gives the next turns of all, as
    Unix times, `share` tells all a lower rate, and `hold_all` for how many seconds the server wants no request. Turns
    are reserved for some requests at once, `turns_wanted` by whoever claims groups: no more than there are `workers`
    to use them, since nobody else can.
    """

    def __init__(
        self,
        rate: float | None,
        reserve: Callable[[int], Sequence[float]],
        share: Callable[[float], None],
        hold_all: Callable[[float], None] = lambda _: None,
        workers: int = MAX_WORKERS,
    ) -> None:
        self.rate = rate  # as the run has it now; others may slow it down
        self._reserve, self._share, self._hold_all, self._workers = reserve, share, hold_all, workers
        self._reserved: list[float] = []  # turns of the run that nobody here has used, as monotonic times: a heap
        self._gap = 0.0  # seconds between two requests, since the server is busy
        self._passed: deque[float] = deque(maxlen=_MEASURED)  # when the last requests passed
        self.slowed_to = 0.0  # seconds between two requests since the server asked for fewer; 0 if it did not
        self._slowed = 0.0  # when it did
        self._next = 0.0
        self._held_until = 0.0
        self._lock = threading.Lock()
        self._entrance = threading.Lock()  # one waits for its turn, the others for it: none is taken long before

    def wait(self, stopping: threading.Event) -> bool:
        """Wait for a turn to create phones; False if the run stops meanwhile."""
        if self.rate is None and not self._gap and self._held_until <= time.monotonic():
            self._passed.append(time.monotonic())
            return not stopping.is_set()
        with self._entrance:
            while not stopping.wait(max(0.0, self._next_own() - time.monotonic())):
                if not self._wait_for_turn(stopping):
                    return False
                if self._held_until <= time.monotonic():  # else all were held in the meantime
                    self._passed.append(time.monotonic())
                    return True
        return False

    def wait_to_list(self, stopping: threading.Event | None = None) -> None:
        """Wait for a turn to ask for a page: it counts in the rate of the run, and is not slowed down otherwise."""
        if self.rate is not None:
            with self._entrance:
                self._wait_for_turn(stopping or threading.Event())

    @property
    def turns_wanted(self) -> int:
        """How many turns to reserve now, so that some are always there."""
        if self.rate is None:
            return 0
        with self._lock:
            return max(0, max(1, int(min(self.rate * _AHEAD, self._workers))) - len(self._reserved))

    def add_turns(self, turns: Sequence[float]) -> None:
        """Take turns that were reserved."""
        ahead = time.monotonic() - time.time()  # so that nobody waits longer where this machine's clock is set
        with self._lock:
            for turn in turns:  # two threads may bring theirs in any order
                heappush(self._reserved, turn + ahead)

    def _wait_for_turn(self, stopping: threading.Event) -> bool:
        """Wait for a turn of the run; False if it stops meanwhile."""
        while self.rate is not None and not stopping.is_set():
            pause = self._take_turn()
            if pause is None:
                self.add_turns(self._reserve(max(1, self.turns_wanted)))
            elif pause:
                stopping.wait(pause)
            else:
                return True
        return not stopping.is_set()

    def _take_turn(self) -> float | None:
        """Take the next turn if it is there, else return in how many seconds it is; None where none is reserved.

        One that was missed is lost: others had the next.
        """
        with self._lock:
            now = time.monotonic()
            while self._reserved and self._reserved[0] <= now - _LATE:
                heappop(self._reserved)
            if not self._reserved:
                return None
            pause = self._reserved[0] - now
            if pause <= 0:
                heappop(self._reserved)
            return max(0.0, pause)

    def _next_own(self) -> float:
        """Return when the next request may pass, as far as the server's pauses go."""
        with self._lock:
            turn = max(self._next, self._held_until, time.monotonic())
            self._next = turn + self._gap
            return turn

    def slow_down(self, begun: float) -> None:
        """Halve the pace of the run for good: the server finds a request too frequent that was sent at `begun`."""
        with self._lock:
            if begun < self._slowed:  # it was under way already when the pace was halved
                return
            self._slowed = time.monotonic()
            span = (self._passed[-1] - self._passed[0]) / max(1, len(self._passed) - 1) if self._passed else 0.0
            gap = max(self._gap, span, _FIRST_GAP / 2, 1 / self.rate if self.rate else 0.0)
            self.slowed_to = max(gap, min(_MAX_GAP, 2 * gap))
            self._held_until = max(self._held_until, self._slowed + self.slowed_to)
            self._reserved.clear()
            self.rate = rate = 1 / self.slowed_to
        self._share(rate)

    def lower(self, rate: float | None) -> None:
        """Take over a lower rate of the run: while it is at work nobody can raise it, and one read before is old."""
        with self._lock:
            if rate is not None and (self.rate is None or rate < self.rate):
                self.rate = rate

    def hold(self, seconds: float) -> None:
        """Let nothing pass for so long, and less in a second afterwards: the server is busy."""
        now = time.monotonic()
        with self._lock:
            if self._held_until <= now:  # several answers at once count once
                self._gap = min(_MAX_GAP, max(2 * self._gap, _FIRST_GAP))
            is_longer = now + seconds > self._held_until
            self._held_until = max(self._held_until, now + seconds)
        if is_longer:
            self._hold_all(seconds)

    def be_held(self, seconds: float) -> None:
        """Let nothing pass for so long: somebody who works on the run was told so."""
        with self._lock:
            self._held_until = max(self._held_until, time.monotonic() + seconds)

    def ease(self) -> None:
        """Come a little nearer to the rate that was asked for: the server has answered."""
        if self._gap:
            with self._lock:
                self._gap *= _EASING
                if self._gap < _FIRST_GAP / 10:
                    self._gap = 0.0
