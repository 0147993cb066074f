"""One execution of a plan, as a person has it: it goes on in the background, shows itself, waits, stops."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable
from math import inf
from pathlib import Path

import pandas as pd

from itnio_nb.client import Client
from itnio_nb.ledger import Ledger
from itnio_nb.owners import lives
from itnio_nb.pack import unpack_orders
from itnio_nb.progress import advance, groups_done, progress_bar
from itnio_nb.review import next_step, outcome_table, run_summary, show_html, show_text, write_results
from itnio_nb.walk import Walk

_TICK = 0.2  # seconds between two looks at the progress
_NO_RUN = -1  # no run of a ledger has this number
_SHOWN = ["row", "groupName", "phoneName", "quantity", "displayNum", "appId", "state", "status", "reason", "advice"]


class Run:
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
        self._id, self._ledger, self._on_over = run_id, ledger, on_over
        self._over = threading.Event()
        self.name = ""
        self._walk: Walk | None = None
        if run_id is None:
            self._over.set()
            return
        self.name = str(ledger.run_info(run_id, "name")["name"])
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
        return Counter(self.table["state"]) if self.done or self._walk is None else self._walk.counts

    @property
    def table(self) -> pd.DataFrame:
        """One row for each group, as in the ledger: API columns, `state status reason advice row at created_in`."""
        kept = self._ledger.run_table(_NO_RUN if self._id is None else self._id)
        living = {owner for owner in kept["owner"].unique() if owner and lives(self._ledger.path, owner)}
        return outcome_table(kept, over=self.done, living=living)

    @property
    def summary(self) -> str:
        """What became of the run, in one line."""
        return self._told()[0]

    def _told(self) -> tuple[str, pd.DataFrame]:
        """Return the summary and the table that it speaks of, read once."""
        table = self.table
        if self._id is None:
            return run_summary(table, None, "Nothing was sent: no run of this account is unfinished.", over=True), table
        info = self._ledger.run_info(self._id, "note", "verified")
        return run_summary(table, info["verified"], info["note"], over=self.done), table

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
        if self._walk is not None and self._walk.error is not None:
            raise self._walk.error
        return self

    def stop(self) -> None:
        """Finish what is under way, leave the rest "not sent", and return when that is done.

        It takes as long as the answers that are awaited: those under way, or one page of a listing.
        """
        if self._walk is not None:
            self._walk.halt()
        self._over.wait()

    def write_results(self, folder: str | os.PathLike[str]) -> dict[str, Path]:
        """Write `<run>-created.csv`, `-existed`, `-refused`, `-unknown`, `-notsent`, `-invalid`; return their paths.

        Every row of the orders is in exactly one of them. A run without a plan writes nothing.
        """
        if self._id is None:
            return {}
        orders, findings = unpack_orders(self._ledger.run_info(self._id, "orders")["orders"])
        return write_results(orders, findings, self.table, folder, self.name)

    def __repr__(self) -> str:
        summary, table = self._told()
        return show_text(summary, table[_SHOWN[:-1]], end=self._next(table))

    def _repr_html_(self) -> str:
        summary, table = self._told()
        return show_html(summary, table[_SHOWN], end=self._next(table))

    def _next(self, table: pd.DataFrame) -> str:
        return next_step(table) if self.done else ""
