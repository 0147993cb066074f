"""What the ledger has of one run: its table, its summary, its orders, its result files; nothing is sent."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import cached_property
from math import inf
from pathlib import Path

import pandas as pd

from itnio_nb.api.client import Client
from itnio_nb.api.models import State
from itnio_nb.ledger.ledger import Ledger
from itnio_nb.ledger.locks import is_alive
from itnio_nb.orders.export import orders_from_json
from itnio_nb.runs.engine import RunEngine
from itnio_nb.runs.progress import advance, groups_done, progress_bar
from itnio_nb.runs.results import next_step, outcome_table, run_summary, show_html, show_text, write_results

_NO_RUN = -1  # no run of a ledger has this number
_SHOWN = ["row", "groupName", "phoneName", "quantity", "displayNum", "appId", "state", "status", "reason", "advice"]


class RunRecord:
    """One run as the ledger has it, whoever works on it or did. It shows itself in a cell.

    Without a `run_id` it is that of a finished run of nothing.
    """

    def __init__(self, run_id: int | None, ledger: Ledger) -> None:
        self._id, self._ledger = run_id, ledger
        self._number = _NO_RUN if run_id is None else run_id
        self.name = "" if run_id is None else str(ledger.run_store.run_info(run_id, "name")["name"])

    @property
    def done(self) -> bool:
        """Whether nobody is at work on it."""
        return self._id is None or not any(
            is_alive(self._ledger.path, owner) for owner in self._ledger.run_store.claim_owners(self._id)
        )

    @property
    def finished(self) -> bool:
        """Whether nothing of it is left to be sent or settled."""
        return self._id is None or self._ledger.run_store.run_info(self._id, "finished")["finished"] is not None

    @property
    def proven(self) -> bool:
        """Whether every phone of its created groups was seen in the account."""
        table, seen = (
            self.table,
            self._ledger.run_store.run_info(self._number, "verified")["verified"] if self.name else 0,
        )
        asked = int(table.loc[table["state"] == State.CREATED, "quantity"].sum())
        return asked == 0 or (seen is not None and seen >= asked)

    @property
    def counts(self) -> Counter[str]:
        """Number of groups by state, over the whole plan, whoever sent them; a state without groups counts 0."""
        return Counter(self.table["state"])

    @property
    def table(self) -> pd.DataFrame:
        """One row for each group, as in the ledger: API columns, `state status reason advice row at created_in`."""
        kept = self._ledger.run_store.run_table(self._number)
        living = {owner for owner in kept["owner"].unique() if owner and is_alive(self._ledger.path, owner)}
        return outcome_table(kept, over=self.done, living=living)

    @property
    def summary(self) -> str:
        """What became of the run, in one line."""
        return self.told()[0]

    def told(self) -> tuple[str, pd.DataFrame]:
        """Return the summary and the table that it speaks of, read once."""
        table = self.table
        if self._id is None:
            return run_summary(table, None, "Nothing was sent: no run of this account is unfinished.", over=True), table
        info = self._ledger.run_store.run_info(self._id, "note", "verified")
        return run_summary(table, info["verified"], info["note"], over=self.done), table

    @cached_property
    def orders(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """The orders that it was made from, and their findings."""
        return orders_from_json(self._ledger.run_store.run_info(self._number, "orders")["orders"])

    def problems(self, since: int = 0) -> pd.DataFrame:
        """Return what was not created as asked, in the order in which it was learnt, after receipt `since`.

        `receipt groupName state reason advice`, one row for each receipt: an unknown may have been settled since.
        """
        return self._ledger.run_store.problems(self._number, since)

    def write_results(self, folder: str | os.PathLike[str]) -> dict[str, Path]:
        """Write `<run>-created.csv`, `-existed`, `-refused`, `-unknown`, `-notsent`, `-invalid`; return their paths.

        Every row of the orders is in exactly one of them. A run without a plan writes nothing.
        """
        if self._id is None:
            return {}
        orders, findings = self.orders
        return write_results(orders, findings, self.table, folder, self.name)

    def __repr__(self) -> str:
        summary, table = self.told()
        return show_text(summary, table[_SHOWN[:-1]], end=self._next(table))

    def _repr_html_(self) -> str:
        summary, table = self.told()
        return show_html(summary, table[_SHOWN], end=self._next(table))

    def _next(self, table: pd.DataFrame) -> str:
        return next_step(table) if self.done else ""


def newest_run(ledger: Ledger, runs: dict[str, int], name: str = "") -> RunRecord | None:
    """Return the record of a run by its name, or of the newest of these `runs`; None where there is none."""
    number = runs.get(name) if name else next(iter(runs.values()), None)
    return None if number is None else RunRecord(number, ledger)


_TICK = 0.2  # seconds between two looks at the progress


class Run(RunRecord):
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
        self._engine: RunEngine | None = None
        if run_id is None:
            self._over.set()
            return
        self._engine = RunEngine(run_id, client, ledger, workers, rate)
        threading.Thread(target=self._work, name=f"run-{self.name}", daemon=True).start()

    def _work(self) -> None:
        assert self._engine is not None  # noqa: S101 - for the type checker
        try:
            self._engine.conduct()
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
        return super().counts if self.done or self._engine is None else self._engine.counts

    @property
    def activity(self) -> str:
        """What it is doing, in one word: `Submit` or `Verify`; "" once it is over."""
        return "" if self.done or self._engine is None else self._engine.activity

    @property
    def error(self) -> BaseException | None:
        """What ended it, if anything did: `wait` raises it."""
        return None if self._engine is None else self._engine.error

    def wait(self, timeout: float | None = None) -> Run:
        """Wait until the run is over, showing a progress bar, and return the run.

        Raises `TimeoutError` after `timeout` seconds (the run goes on) and the error that ended the run, if
        one did. Interrupting the cell stops the run.
        """
        deadline = inf if timeout is None else time.monotonic() + timeout
        try:
            if self._engine is not None and not self.done:
                counts = self.counts
                with progress_bar(counts.total(), groups_done(counts)) as bar:
                    while not self._over.wait(max(0, min(_TICK, deadline - time.monotonic()))):
                        advance(bar, self.counts, self._engine.activity)
                        if time.monotonic() >= deadline:
                            raise TimeoutError(f"The run is not over after {timeout} s; it goes on. {self.summary}")
                    advance(bar, self.counts, self._engine.activity)
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
        if self._engine is not None:
            self._engine.halt()

    def stop(self) -> None:
        """Finish what is under way, leave the rest "not sent", and return when that is done.

        It takes as long as the answers that are awaited: those under way, or one page of a listing.
        """
        self.halt()
        self._over.wait()
