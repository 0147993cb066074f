"""A thread that heeds what the others who work on a run have decided, and tells them Stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress

from itnio_nb.errors import ItnioError
from itnio_nb.ledger.run_control import RunControl
from itnio_nb.runs.sending.pace import RateLimiter

_TICK = 0.1  # seconds between two looks at the ledger
_LAST_ANSWERS = 60.0  # seconds for which those of the others are waited for


class RunWatch:
    """Call `halt` as soon as anybody has pressed Stop, and give the run's rate and pauses to `limiter`, until closed.

    A ledger that cannot be read changes nothing here: the run itself fails on it.
    """

    def __init__(
        self, control: RunControl, run_id: int, owner: str, limiter: RateLimiter, halt: Callable[[], None]
    ) -> None:
        self._control, self._id, self._owner, self._limiter, self._halt = control, run_id, owner, limiter, halt
        self._wake = threading.Event()
        self._to_tell = self._closed = False
        self._thread = threading.Thread(target=self._work, name="watch", daemon=True)
        self._thread.start()

    def tell_stop(self) -> None:
        """Have all who work on the run stop, soon: nothing is waited for."""
        self._to_tell = True
        self._wake.set()

    def close(self, *, wait_for_others: bool) -> None:
        """End, once all that there was to tell is told.

        After Stop, `wait_for_others` waits until the others have recorded what was under way: then all tell the same.
        """
        self._closed = True
        self._wake.set()
        self._thread.join()
        ends = time.monotonic() + (_LAST_ANSWERS if wait_for_others else 0)
        with suppress(ItnioError):
            while time.monotonic() < ends and self._control.claim_owners(self._id, stopping=True) - {self._owner}:
                self._control.expire_claims()
                time.sleep(_TICK)  # what is waited for happens in other processes

    def _work(self) -> None:
        while True:
            self._wake.wait(_TICK)
            self._wake.clear()
            closed = self._closed
            with suppress(ItnioError):
                if self._to_tell:
                    self._control.stop(self._id)
                    self._to_tell = False
                told = self._control.directions(self._id, self._owner)
                self._limiter.lower(told.rate)
                self._limiter.be_held(told.held)
                if told.stopping:
                    self._halt()
            if closed:
                return
