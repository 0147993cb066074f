"""The workers of a run: each sends one group after the other, and lays down what came back."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence

from itnio_nb.answers import stops
from itnio_nb.client import Client
from itnio_nb.model import PhoneGroup, Receipt, State
from itnio_nb.pace import Brake, Pace

_LONGEST_WAIT = 300.0  # seconds; a server that asks for more is asked again by the operator


class Crew:
    """Sends the groups whose positions it is handed, `size` at once, until it is dismissed.

    Once `halt` is set nothing more is sent: what was handed over comes back unsent. It sets `halt` itself where
    the server's answer dooms the rest, or where failures in a row call for a look (`braked`). `full` are the
    applications that can hold no more: it sends nothing to them, and adds to them.
    """

    def __init__(
        self, client: Client, groups: Sequence[PhoneGroup], size: int, pace: Pace, brake: Brake, full: set[str]
    ) -> None:
        self._client, self._groups, self._pace, self._brake = client, groups, pace, brake
        self._full = full
        self.halt = threading.Event()
        self.braked = False
        self.doom: Receipt | None = None  # the answer that dooms the rest
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

    def collect(self, seconds: float, *, hungry: bool) -> tuple[list[tuple[int, Receipt]], list[int], bool]:
        """Wait for work to record, at most so long; return outcomes, positions that come back unsent, and idleness.

        Outcomes are gathered until there is one for each worker, or the time is up; at once where it runs out of
        groups while there are more (`hungry`), or has nothing left to do.
        """
        with self._more_news:
            self._hungry = hungry
            self._more_news.wait_for(self._is_time, seconds)
            if self._error is not None:
                raise self._error
            outcomes, self._outcomes = self._outcomes, []
            returned, self._returned = self._returned, []
            return outcomes, returned, self._is_idle()

    def dismiss(self) -> None:
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
        if stops(receipt) == "application":
            self._full.add(group.app_id)
        if stops(receipt) == "run" or receipt.wait > _LONGEST_WAIT:
            self.doom = self.doom or receipt
            self.halt.set()
        if self._brake.tell(failed=failed):
            self.braked = True
            self.halt.set()
