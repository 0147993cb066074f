"""One execution of a plan, as a person has it: it goes on in the background, shows itself, waits, stops."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from math import inf

from itnio_nb.client import Client
from itnio_nb.ledger import Ledger
from itnio_nb.progress import advance, groups_done, progress_bar
from itnio_nb.record import Record
from itnio_nb.walk import Walk

_TICK = 0.2  # seconds between two looks at the progress


class Run(Record):
    """One execution of a plan, at work in background threads. It shows itself in a cell; it never prints.

    Without a `run_id` it is a finished run of nothing. `on_over` is told when it is over.
    """

    def __init__(
        self,
        run_id: int | None,
        client: Client,
        ledger: Ledger,
        *,
        workers: int = 1,
        rate: float | None = None,
        on_over: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(run_id, ledger)
        self._on_over = on_over
        self._over = threading.Event()
        self._walk: Walk | None = None
        if run_id is None:
            self._over.set()
            return
        self._walk = Walk(run_id, client, ledger, workers, rate)
        threading.Thread(target=self._work, name=f"run-{self.name}", daemon=True).start()

    def _work(self) -> None:
        assert self._walk is not None  # noqa: S101 - for the type checker
        try:
            self._walk.conduct()
        finally:
            self._on_over()
            self._over.set()

    @property
    def done(self) -> bool:
        """Whether the run is over: everything sent and looked at, or stopped."""
        return self._over.is_set()

    @property
    def counts(self) -> Counter[str]:
        """Number of groups by state, over the whole plan, whoever sent them; a state without groups counts 0."""
        return super().counts if self.done or self._walk is None else self._walk.counts

    @property
    def activity(self) -> str:
        """What it is doing, in one word: `Submit` or `Verify`; "" once it is over."""
        return "" if self.done or self._walk is None else self._walk.activity

    @property
    def error(self) -> BaseException | None:
        """What ended it, if anything did: `wait` raises it."""
        return None if self._walk is None else self._walk.error

    def wait(self, timeout: float | None = None) -> Run:
        """Wait until the run is over, showing a progress bar, and return the run.

        Raises `TimeoutError` after `timeout` seconds (the run goes on) and the error that ended the run, if
        one did. Interrupting the cell stops the run.
        """
        deadline = inf if timeout is None else time.monotonic() + timeout
        try:
            if self._walk is not None and not self.done:
                counts = self.counts
                with progress_bar(counts.total(), groups_done(counts)) as bar:
                    while not self._over.wait(max(0, min(_TICK, deadline - time.monotonic()))):
                        advance(bar, self.counts, self._walk.activity)
                        if time.monotonic() >= deadline:
                            raise TimeoutError(f"The run is not over after {timeout} s; it goes on. {self.summary}")
                    advance(bar, self.counts, self._walk.activity)
        except KeyboardInterrupt:
            self.stop()
            raise KeyboardInterrupt(f"{self.summary} Submit the plan again to go on.") from None
        if self.error is not None:
            raise self.error
        return self

    def attend(self) -> Run:
        """Wait like `wait`, for a runbook: an interrupt stops the run and is not raised, so that the cells below tell.

        submit_plan(plan, client, ledger).attend()
        """
        while not self.done:
            try:
                self.wait()
            except KeyboardInterrupt:  # a second one changes nothing: what is under way is being finished
                self.halt()
        if self.error is not None:
            raise self.error
        return self

    def over(self, timeout: float | None = None) -> bool:
        """Wait until the run is over, showing and raising nothing; False if it is not after `timeout` seconds."""
        return self._over.wait(timeout)

    def halt(self) -> None:
        """Have what is under way finished and the rest left "not sent"; return at once."""
        if self._walk is not None:
            self._walk.halt()

    def stop(self) -> None:
        """Finish what is under way, leave the rest "not sent", and return when that is done.

        It takes as long as the answers that are awaited: those under way, or one page of a listing.
        """
        self.halt()
        self._over.wait()
