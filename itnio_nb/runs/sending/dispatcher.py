"""The workers of a run, and the circuit breaker that stops them."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

from itnio_nb.api.models import State
from itnio_nb.api.statuses import TOO_FREQUENT, status_info
from itnio_nb.runs.sending.pace import RateLimiter

_MAX_WAIT = 300.0  # seconds; a server that asks for more is asked again by the operator
_FIRST_LIMIT = 10  # failures in a row


class Sendable(Protocol):
    """What one request is about: a phone group, or a phone."""

    @property
    def app_id(self) -> str:
        """The application that it belongs to."""


class Outcome(Protocol):
    """What became of one request, as `Receipt` has it."""

    @property
    def state(self) -> str:
        """`planned` for what was certainly not done, `unknown` for what may have been."""

    @property
    def status(self) -> str:
        """The API's status, "" where it did not answer."""

    @property
    def reason(self) -> str:
        """In the server's words."""

    @property
    def wait(self) -> float:
        """Seconds for which the server wants no more requests."""


S = TypeVar("S", bound=Sendable)
R = TypeVar("R", bound=Outcome)


class Dispatcher(Generic[S, R]):
    """Have `send` called for the items whose positions are submitted, `size` at once, until it is closed.

    Once `halt` is set nothing more is sent: what was submitted comes back unsent. The dispatcher sets `halt` itself
    where `send` returns None, since it must not send any more, where an answer stops all other groups
    (`fatal_receipt`), or after too many failures in a row (`tripped`). To an application in `closed`, which has given
    an answer that all its items would get, it sends nothing; it adds those that it finds closed, with that answer.
    """

    def __init__(
        self,
        send: Callable[[S], R | None],
        items: Sequence[S],
        size: int,
        limiter: RateLimiter,
        breaker: CircuitBreaker,
        closed: dict[str, R],
    ) -> None:
        self._send_one, self._items, self._limiter, self._breaker = send, items, limiter, breaker
        self._closed_apps, self.size = closed, size
        self.halt = threading.Event()
        self.tripped, self.last_failure = False, ""
        self.fatal_receipt: R | None = None
        self._ready: deque[int] = deque()
        self._outcomes: list[tuple[int, R]] = []
        self._returned: list[int] = []
        self.lost: list[int] = []  # what may have been sent, by a worker that has failed
        self._under_way, self._closed, self._want_more = 0, False, False
        self._error: BaseException | None = None
        lock = threading.Lock()
        self._work_ready = threading.Condition(lock)  # for the workers
        self._results_ready = threading.Condition(lock)  # for the one who collects: woken only when it is time
        self._threads = [threading.Thread(target=self._work, name=f"worker-{at}", daemon=True) for at in range(size)]
        for thread in self._threads:
            thread.start()

    def submit(self, positions: Sequence[int]) -> None:
        """Queue items to be sent; the caller has recorded that each is about to be."""
        with self._work_ready:
            self._ready.extend(positions)
            self._work_ready.notify(len(positions))

    def capacity(self) -> int:
        """Return how many more items to submit, so that no worker waits: a window of two for each worker."""
        with self._work_ready:
            return 2 * self.size - len(self._ready) if self._runs_low() else 0

    def collect(self, seconds: float, *, want_more: bool) -> tuple[list[tuple[int, R]], list[int], bool]:
        """Wait at most `seconds` for results; return outcomes, positions that come back unsent, and idleness.

        It returns when there is an outcome for each worker; at once where it is idle, or runs low while the caller
        has more items (`want_more`). Raises what a worker did.
        """
        with self._results_ready:
            self._want_more = want_more
            self._results_ready.wait_for(self._is_time, seconds)
            if self._error is not None:
                raise self._error
            outcomes, self._outcomes = self._outcomes, []
            returned, self._returned = self._returned, []
            return outcomes, returned, self._is_idle()

    def close(self) -> tuple[list[tuple[int, R]], list[int]]:
        """End the workers; return what came back until the last answer was here, and has not been collected."""
        with self._work_ready:
            self._closed = True
            self._work_ready.notify_all()
        for thread in self._threads:
            thread.join()
        return self._outcomes, self._returned

    def _is_idle(self) -> bool:
        return not (self._under_way or self._ready)

    def _runs_low(self) -> bool:
        return len(self._ready) <= self.size and not self.halt.is_set()

    def _is_time(self) -> bool:
        enough = len(self._outcomes) >= self.size or self._error is not None
        return enough or self._is_idle() or (self._want_more and self._runs_low())

    def _work(self) -> None:
        while (at := self._take()) is not None:
            item, receipt, error, may_be_sent = self._items[at], None, None, False
            try:
                if self._may_send(item):
                    begun, may_be_sent = time.monotonic(), True
                    receipt = self._send_one(item)
                    if receipt is None:
                        may_be_sent = False
                        self.halt.set()
                    else:
                        self._react(item, receipt, begun)
            except BaseException as failed:  # noqa: BLE001 - kept for the run, which raises it
                error = failed
                self.halt.set()
            with self._results_ready:
                self._under_way -= 1
                self._error = self._error or error
                if receipt is not None:
                    self._outcomes.append((at, receipt))
                else:
                    (self.lost if may_be_sent else self._returned).append(at)
                if self._is_time():
                    self._results_ready.notify()

    def _take(self) -> int | None:
        with self._work_ready:
            self._work_ready.wait_for(lambda: self._ready or self._closed)
            if not self._ready:
                return None
            self._under_way += 1
            return self._ready.popleft()

    def _may_send(self, item: S) -> bool:
        """Wait for a turn; False where an item is not to be sent, because of what became known in the meantime."""
        return not self.halt.is_set() and item.app_id not in self._closed_apps and self._limiter.wait(self.halt)

    def _react(self, item: S, receipt: R, begun: float) -> None:
        """Act on what an answer means for the items that are still to be sent; `begun`: when it was asked for."""
        info = status_info(receipt.status)
        # A status that the document does not list is an answer all the same: the server works.
        works = not info.documented and receipt.status != TOO_FREQUENT
        failed = receipt.state in (State.UNKNOWN, State.PLANNED) and not works
        if failed:
            self.last_failure = receipt.reason
        else:
            self._limiter.ease()
        if receipt.status == TOO_FREQUENT:
            self._limiter.slow_down(begun)
        if receipt.wait:
            self._limiter.hold(receipt.wait)
        if info.failure_scope == "application":
            self._closed_apps.setdefault(item.app_id, receipt)
        if info.failure_scope == "run" or receipt.wait > _MAX_WAIT:
            self.fatal_receipt = self.fatal_receipt or receipt
            self.halt.set()
        if self._breaker.count(failed=failed):
            self.tripped = True
            self.halt.set()


class CircuitBreaker:
    """Count failures in a row; at the limit the run stops and lists the account. Each reset doubles the limit."""

    def __init__(self) -> None:
        self.limit = _FIRST_LIMIT
        self.failures = 0  # in a row
        self.idle_resets = 0  # in a row, with no progress in between
        self._lock = threading.Lock()

    def count(self, *, failed: bool) -> bool:
        """Count one outcome; True as long as it is time to stop."""
        with self._lock:
            self.failures = self.failures + 1 if failed else 0
            return self.failures >= self.limit

    def reset(self, *, progress: bool) -> None:
        """Go on with twice the patience; `progress`: whether any group was answered since the last reset."""
        with self._lock:
            self.limit, self.failures = 2 * self.limit, 0
            self.idle_resets = 0 if progress else self.idle_resets + 1
