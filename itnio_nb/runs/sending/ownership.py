"""Who works on a run in this process: an owner of claims, replaced where the ledger was lost and answers again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TypeVar

from itnio_nb.errors import LedgerError, LostLedgerError
from itnio_nb.ledger.claims import Outcomes
from itnio_nb.ledger.database.database import Owner
from itnio_nb.ledger.ledger import Ledger
from itnio_nb.runs.sending.pace import RateLimiter
from itnio_nb.runs.sending.watch import RunWatch

S = TypeVar("S")
R = TypeVar("R")
_FIRST_PAUSE, _LAST_PAUSE = 0.1, 2.0  # seconds between two tries to reach the ledger


class Ownership:
    """The owner of a run's claims here, and the watch over what all who work on it have decided.

    `halt` is called as soon as anybody has pressed Stop. `longest_request` is in seconds.
    """

    def __init__(
        self, run_id: int, ledger: Ledger, owner: Owner | None, limiter: RateLimiter, halt: Callable[[], None]
    ) -> None:
        self._id, self._ledger, self._owner, self._limiter, self._halt = run_id, ledger, owner, limiter, halt
        self._control, self._store = ledger.run_control, ledger.run_store
        self._watch: RunWatch | None = None
        self._stop_all = False  # whether all who work on the run are to stop
        self._stops = self._count_stops()

    def begin(self, longest_request: float) -> bool:
        """Work on the run from now on; tell whether others do already."""
        self._longest = longest_request
        if self._owner is None:
            self._owner = self._control.new_owner(longest_request)
            self._control.join(self._id, self._owner.token)
        self._watch_over(self._owner)
        return self._control.is_worked_on(self._id, besides=self.token)

    def _watch_over(self, owner: Owner) -> None:
        self._watch = RunWatch(self._control, self._id, owner.token, self._limiter, self._halt)
        if self._stop_all:  # since before there was anybody to tell
            self._watch.tell_stop()

    @property
    def token(self) -> str:
        """The owner's token."""
        assert self._owner is not None  # noqa: S101 - it has begun
        return self._owner.token

    def is_sure(self) -> bool:
        """Tell whether all others take this owner for alive; False: nothing must be sent."""
        return self._owner is not None and self._owner.is_sure()

    def require_sure(self) -> None:
        """Raise `LostLedgerError` where others may take this owner for dead."""
        if not self.is_sure():
            raise lost_error(self._ledger)

    def guarded(self, send: Callable[[S], R]) -> Callable[[S], R | None]:
        """Return `send` that returns None and sends nothing where others may take this owner for dead."""
        return lambda item: send(item) if self.is_sure() else None

    def tell_stop(self) -> None:
        """Have all who work on the run stop, soon."""
        self._stop_all = True
        if (watch := self._watch) is not None:
            watch.tell_stop()

    def regain(self, outcomes: Outcomes, unsent: Sequence[int], stopping: threading.Event) -> None:
        """Wait until the ledger answers, record what has been learnt meanwhile, and go on as a new owner.

        Raises the last error where the run is stopped before it does.
        """
        assert self._owner is not None  # noqa: S101 - it has begun
        lost, pause = self._owner, _FIRST_PAUSE
        self._end_watch(wait_for_others=False)
        while True:
            try:
                self._owner = self._succeed(lost, outcomes, unsent)
                break
            except LostLedgerError:
                if stopping.wait(pause):
                    raise
                pause = min(_LAST_PAUSE, 2 * pause)
        lost.release()
        self._watch_over(self._owner)
        if self._count_stops() != self._stops:  # pressed elsewhere while nobody here could hear of it
            self._halt()

    def _succeed(self, lost: Owner, outcomes: Outcomes, unsent: Sequence[int]) -> Owner:
        """Return a new owner that has taken the place of one that is lost."""
        owner = self._control.new_owner(self._longest)
        try:
            self._store.recover(self._id, lost.token, owner.token, outcomes=outcomes, unsent=unsent)
        except LedgerError:
            owner.release()
            raise
        return owner

    def end(self, *, wait_for_others: bool) -> None:
        """Work on the run no more."""
        self._end_watch(wait_for_others=wait_for_others)
        if self._owner is not None:
            self._owner.release()

    def _end_watch(self, *, wait_for_others: bool) -> None:
        if self._watch is not None:
            self._watch.close(wait_for_others=wait_for_others)
            self._watch = None

    def _count_stops(self) -> int:
        with suppress(LostLedgerError):
            return self._store.run_info(self._id, "stops")["stops"] or 0
        return 0


def lost_error(ledger: Ledger) -> LostLedgerError:
    """Return what to raise where others may take an owner for dead."""
    return LostLedgerError(f"The ledger {ledger.address} does not answer: nothing is sent without it.")
