"""The workers of a run: each sends one group after the other, and lays down what came back."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from math import inf

from itnio_nb.api.client import Client
from itnio_nb.api.models import PhoneGroup, Receipt, State
from itnio_nb.api.statuses import failure_scope

_LONGEST_WAIT = 300.0  # seconds; a server that asks for more is asked again by the operator


class Dispatcher:
    """Sends the groups whose positions it is handed, `size` at once, until it is dismissed.

    Once `halt` is set nothing more is sent: what was handed over comes back unsent. It sets `halt` itself where
    the server's answer dooms the rest, or where failures in a row call for a look (`tripped`). `full` are the
    applications that can hold no more: it sends nothing to them, and adds to them.
    """

    def __init__(
        self,
        client: Client,
        groups: Sequence[PhoneGroup],
        size: int,
        pace: RateLimiter,
        brake: CircuitBreaker,
        full: set[str],
    ) -> None:
        self._client, self._groups, self._pace, self._brake = client, groups, pace, brake
        self._full = full
        self.halt = threading.Event()
        self.tripped = False
        self.fatal_receipt: Receipt | None = None  # the answer that dooms the rest
        self.last_failure = ""
        self._ready: deque[int] = deque()
        self._outcomes: list[tuple[int, Receipt]] = []
        self._returned: list[int] = []
        self._under_way = 0
        self._dismissed = False
        self._error: BaseException | None = None
        lock = threading.Lock()
        self._more_work = threading.Condition(lock)  # for the workers
        self._more_news = threading.Condition(lock)  # for the one who collects: woken only when it is time
        self._hungry = False
        self.size = size
        self._threads = [threading.Thread(target=self._work, name=f"worker-{at}", daemon=True) for at in range(size)]
        for thread in self._threads:
            thread.start()

    def hand_over(self, positions: Sequence[int]) -> None:
        """Give it groups to send; each has been claimed."""
        with self._more_work:
            self._ready.extend(positions)
            self._more_work.notify(len(positions))

    def room(self) -> int:
        """Return how many more groups it should be handed, so that nobody waits: a window of two for each worker."""
        with self._more_work:
            return 2 * self.size - len(self._ready) if self._runs_out() else 0

    def collect(self, seconds: float, *, want_more: bool) -> tuple[list[tuple[int, Receipt]], list[int], bool]:
        """Wait for work to record, at most so long; return outcomes, positions that come back unsent, and idleness.

        Outcomes are gathered until there is one for each worker, or the time is up; at once where it runs out of
        groups while there are more (`want_more`), or has nothing left to do.
        """
        with self._more_news:
            self._hungry = want_more
            self._more_news.wait_for(self._is_time, seconds)
            if self._error is not None:
                raise self._error
            outcomes, self._outcomes = self._outcomes, []
            returned, self._returned = self._returned, []
            return outcomes, returned, self._is_idle()

    def close(self) -> None:
        """Send the workers home; return when the last answer is here."""
        with self._more_work:
            self._dismissed = True
            self._more_work.notify_all()
        for thread in self._threads:
            thread.join()

    def _is_idle(self) -> bool:
        return not self._under_way and not self._ready

    def _runs_out(self) -> bool:
        return len(self._ready) <= self.size and not self.halt.is_set()

    def _is_time(self) -> bool:
        enough = len(self._outcomes) >= self.size or self._error is not None
        return enough or self._is_idle() or (self._hungry and self._runs_out())

    def _work(self) -> None:
        while (at := self._take()) is not None:
            receipt, error = None, None
            try:
                receipt = self._send(self._groups[at])
            except BaseException as failed:  # noqa: BLE001 - kept for the run, which raises it
                error = failed
                self.halt.set()
            with self._more_news:
                self._under_way -= 1
                if error is not None:
                    self._error = self._error or error
                elif receipt is not None:
                    self._outcomes.append((at, receipt))
                else:
                    self._returned.append(at)
                if self._is_time():
                    self._more_news.notify()

    def _take(self) -> int | None:
        with self._more_work:
            self._more_work.wait_for(lambda: self._ready or self._dismissed)
            if not self._ready:
                return None
            self._under_way += 1
            return self._ready.popleft()

    def _send(self, group: PhoneGroup) -> Receipt | None:
        """Send a group; None where it was not sent, because of what became known in the meantime."""
        if self.halt.is_set() or group.app_id in self._full or not self._pace.wait(self.halt):
            return None
        receipt = self._client.create_phones(group)
        self._heed(group, receipt)
        return receipt

    def _heed(self, group: PhoneGroup, receipt: Receipt) -> None:
        """Act on what an answer says about the groups that are still to be sent."""
        failed = receipt.state in (State.UNKNOWN, State.PLANNED)
        if failed:
            self.last_failure = receipt.reason
        else:
            self._pace.ease()
        if receipt.wait:
            self._pace.hold(receipt.wait)
        if failure_scope(receipt) == "application":
            self._full.add(group.app_id)
        if failure_scope(receipt) == "run" or receipt.wait > _LONGEST_WAIT:
            self.fatal_receipt = self.fatal_receipt or receipt
            self.halt.set()
        if self._brake.tell(failed=failed):
            self.tripped = True
            self.halt.set()


_FIRST_LIMIT = 10  # failures in a row
_SLOWEST = 1.0  # seconds between two requests that a busy server can bring a run to by itself
_FIRST_GAP = 0.02  # seconds between two requests after it was busy for the first time
_EASING = 0.9  # of the gap is left after each answer


def is_rate(number: object) -> bool:
    """Tell whether a number can be a rate: at least one request in a day, and not endless."""
    return isinstance(number, int | float) and 1 / 86400 <= number < inf


class RateLimiter:
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


class CircuitBreaker:
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
