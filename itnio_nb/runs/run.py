"""Runs: one as the ledger has it (`RunRecord`), and one at work in this process (`Run`), with its progress bar."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from math import inf
from typing import Any

import pandas as pd

from itnio_nb.api.client import Client
from itnio_nb.api.models import API_COLUMNS, State
from itnio_nb.ledger.charts import Charts
from itnio_nb.ledger.file.locks import OwnerLock, is_alive
from itnio_nb.ledger.ledger import Ledger
from itnio_nb.orders.export.files import WrittenFiles
from itnio_nb.orders.export.stored import orders_from_json
from itnio_nb.orders.export.tables import ends_shown
from itnio_nb.runs.credentials import next_step
from itnio_nb.runs.result_files import write_results
from itnio_nb.runs.results import GroupStates, group_counts, run_summary, show_html, show_text
from itnio_nb.runs.sending.engine import RunEngine

# Progress as a message of a kernel: whoever runs the notebook shows it, and keeps it out of the notebook.
PROGRESS_MIME = "application/vnd.itnio-nb.progress+json"
_NO_RUN = -1  # no run of a ledger has this number
_SHOWN = ["row", *API_COLUMNS, "state", "status", "reason"]
_COUNTED = (State.CREATED, State.EXISTS, State.PARTIAL, State.REFUSED, State.UNKNOWN)
_TICK = 0.2  # seconds between two updates of the progress bar


class RunRecord:
    """One run as the ledger has it, whoever works on it or did. It shows itself in a cell.

    Without a `run_id` it is that of a finished run of nothing.
    """

    def __init__(self, run_id: int | None, ledger: Ledger) -> None:
        self._id = _NO_RUN if run_id is None else run_id
        self._ledger, self._store = ledger, ledger.run_store
        self.name = "" if run_id is None else str(self._store.run_info(run_id, "name")["name"])

    @property
    def done(self) -> bool:
        """Whether nobody is at work on it."""
        return not self._ledger.run_control.is_worked_on(self._id)

    @property
    def finished(self) -> bool:
        """Whether nothing of it is left to be sent or resolved."""
        return not self.name or self._store.run_info(self._id, "finished")["finished"] is not None

    @property
    def proven(self) -> bool:
        """Whether every phone of its created groups was seen in the account."""
        totals, seen = self._totals, self._store.run_info(self._id, "verified")["verified"] if self.name else 0
        asked = int(totals.loc[totals["state"] == State.CREATED, "quantity"].sum())
        return asked == 0 or (seen is not None and seen >= asked)

    @property
    def counts(self) -> Counter[str]:
        """Number of groups by state, over the whole plan, whoever sent them; a state without groups counts 0."""
        return group_counts(self._totals)

    @property
    def table(self) -> pd.DataFrame:
        """One row for each group, as in the ledger: API columns, `state status reason advice row at created_in`."""
        return _states(self._store.run_table(self._id), self._ledger, over=self.done).table

    @property
    def _totals(self) -> pd.DataFrame:
        """How many groups and phones there are in each state: read without the groups."""
        return _states(self._store.run_facts(self._id), self._ledger, over=self.done).totals

    @property
    def summary(self) -> str:
        """What became of the run, in one line."""
        return self._summary_of(self._totals)

    def snapshot(self) -> tuple[str, pd.DataFrame]:
        """Return the summary and the table that it is about, read once."""
        table = self.table
        return self._summary_of(table), table

    def _summary_of(self, table: pd.DataFrame) -> str:
        if not self.name:
            return run_summary(table, None, "Nothing was sent: no run of this account is unfinished.", over=True)
        info = self._store.run_info(self._id, "note", "verified")
        return run_summary(table, info["verified"], info["note"], over=self.done)

    @cached_property
    def orders(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """The orders that it was made from, and their findings."""
        try:
            return orders_from_json(self._store.run_info(self._id, "orders")["orders"])
        except ValueError:
            raise self._store.database.error(f"the orders of run {self.name} are damaged", is_damaged=True) from None

    def problems(self, since: int = 0) -> pd.DataFrame:
        """Return what was not created as asked, in the order of the receipts, after receipt `since`.

        `receipt groupName state reason advice`, one row for each receipt: an unknown may have been resolved since.
        """
        return self._store.problems(self._id, since)

    def write_results(self, folder: str | os.PathLike[str]) -> WrittenFiles:
        """Write `<run>-created.csv`, `-existed`, `-refused`, `-unknown`, `-notsent`, `-invalid`; return their paths.

        Every row of the orders is in exactly one of them. A run of nothing writes none.
        """
        return (
            write_results(*self.orders, self.table, folder, self.name) if self.name else WrittenFiles({}, {}, "order")
        )

    def charts(self) -> Charts:
        """Return a picture for a cell: how many groups are in which state, and how many phones were created by when."""
        return Charts(self.table, "at")

    def __repr__(self) -> str:
        summary, table = self.snapshot()
        troubled = table[~table["state"].isin([State.CREATED, State.EXISTS]) & (table["advice"] != "")]
        advice = troubled[["groupName", "state", "advice"]]  # apart from the others: a terminal is not so wide
        return show_text(summary, table[_SHOWN], advice, end=self._next(table))

    def _repr_html_(self) -> str:
        totals = self._totals
        rows = int(totals["groups"].sum())
        table = _states(self._store.run_table(self._id, ends_shown(rows)), self._ledger, over=self.done).table
        return show_html(self._summary_of(totals), table[[*_SHOWN, "advice"]], end=self._next(totals), rows=rows)

    def _next(self, table: pd.DataFrame) -> str:
        return next_step(table) if self.done else ""


def _states(kept: pd.DataFrame, ledger: Ledger, *, over: bool) -> GroupStates:
    living = {owner for owner in kept["owner"].unique() if owner and is_alive(ledger.path, owner)}
    return GroupStates(kept, over=over, living=living)


def newest_run(ledger: Ledger, runs: dict[str, int], name: str = "") -> RunRecord | None:
    """Return the record of a run by its name, or of the newest of these `runs`; None where there is none."""
    number = runs.get(name) if name else next(iter(runs.values()), None)
    return None if number is None else RunRecord(number, ledger)


class Run(RunRecord):
    """One execution of a plan, at work in background threads. It never prints; `on_over` is called when it is over."""

    def __init__(
        self,
        run_id: int | None,
        client: Client,
        ledger: Ledger,
        owner: OwnerLock | None = None,
        on_over: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(run_id, ledger)
        self._over = threading.Event()
        if run_id is None:
            self._engine = None
            self._over.set()
            return
        self._engine = engine = RunEngine(run_id, client, ledger, owner)

        def work() -> None:
            try:
                engine.run()
            finally:
                on_over()
                self._over.set()

        threading.Thread(target=work, name=f"run-{self.name}", daemon=True).start()

    @property
    def done(self) -> bool:
        """Whether the run is over: everything sent and verified, or stopped."""
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

    def wait(self, timeout: float | None = None, raise_interrupt: bool = True) -> Run:
        """Wait until the run is over, showing a progress bar, and return the run.

            submit_plan(plan, client, ledger).wait()

        Interrupting the cell stops the run. For a runbook, whose cells below report how it ended,
        `raise_interrupt=False` then waits for the end of the stopped run in place of raising `KeyboardInterrupt`.
        Raises `TimeoutError` after `timeout` seconds (the run goes on), and the error that ended the run, if any.
        """
        deadline = inf if timeout is None else time.monotonic() + timeout
        while (engine := self._engine) is not None and not self.done:
            try:
                if not self._show_progress(engine, deadline):
                    raise TimeoutError(f"The run is not over after {timeout} s; it goes on. {self.summary}")
            except KeyboardInterrupt:  # a second one changes nothing: what is under way is being finished
                self.stop(wait=raise_interrupt)
                if raise_interrupt:
                    raise KeyboardInterrupt(f"{self.summary} Submit the plan again to go on.") from None
        if self.error is not None:
            raise self.error
        return self

    def _show_progress(self, engine: RunEngine, deadline: float) -> bool:
        """Show a progress bar until the run is over; False where the time is up before."""
        counts = self.counts
        with progress_bar(counts.total(), groups_done(counts)) as bar:
            while not self._over.wait(max(0, min(_TICK, deadline - time.monotonic()))):
                advance(bar, self.counts, engine.activity)
                if time.monotonic() >= deadline:
                    return False
            advance(bar, self.counts, engine.activity)
        return True

    def join(self, timeout: float | None = None) -> bool:
        """Wait until the run is over, showing and raising nothing; False if it is not after `timeout` seconds."""
        return self._over.wait(timeout)

    def stop(self, wait: bool = True) -> None:
        """Have what is under way finished, at most one page of a listing, and leave the rest "not sent".

        All who work on the run stop, in other processes too. `wait=False` returns at once.
        """
        if self._engine is not None:
            self._engine.stop()
        if wait:
            self._over.wait()

    def leave(self) -> None:
        """Have what is under way here finished, and return at once: whoever else works on the run goes on."""
        if self._engine is not None:
            self._engine.leave()


class _MessageBar:
    """Publish `total done activity counts` as a display message of the kernel, in place of a tqdm bar."""

    def __init__(self, total: int) -> None:
        self._total, self._activity = total, ""
        self.n = 0

    def set_description(self, activity: str, refresh: bool = True) -> None:  # noqa: ARG002 - as tqdm has it
        self._activity = activity

    def set_postfix(self, counts: dict[str, int]) -> None:
        from IPython.display import publish_display_data

        progress = {"total": self._total, "done": self.n, "activity": self._activity, "counts": counts}
        publish_display_data({PROGRESS_MIME: progress})  # type: ignore[no-untyped-call] # IPython


@contextmanager
def progress_bar(total: int, done: int) -> Iterator[Any]:
    """Show a tqdm bar over `total` groups, `done` at its start, while the context lasts: a widget in a notebook.

    `ITNIO_PROGRESS` in the environment decides otherwise: `text` for text in a notebook too, `off` for none,
    `messages` for display messages that the runner of the notebook shows.
    """
    wanted = os.environ.get("ITNIO_PROGRESS", "")
    if wanted == "messages":
        yield _MessageBar(total)
        return
    from tqdm.std import tqdm as text_tqdm

    options: dict[str, Any] = {"total": total, "initial": done, "unit": " groups", "disable": wanted == "off"}
    if wanted or not _in_notebook():
        with text_tqdm(**options) as bar:
            yield bar
        return
    from IPython.display import publish_display_data
    from tqdm.auto import tqdm as auto_tqdm

    widget_bar: Any = auto_tqdm  # the class has a container in a notebook only
    with widget_bar(**options, display=False) as bar:
        # The view alone: tqdm's own display adds a text that a saved notebook would show for ever as 0 %.
        view = {"version_major": 2, "version_minor": 0, "model_id": bar.container.model_id}
        publish_display_data({"application/vnd.jupyter.widget-view+json": view})  # type: ignore[no-untyped-call] # IPython
        yield bar


def _in_notebook() -> bool:
    """Tell whether tqdm would show a widget; outside of IPython it is not asked, which takes long."""
    if "IPython" not in sys.modules:
        return False
    from tqdm.auto import tqdm as auto_tqdm
    from tqdm.notebook import tqdm_notebook

    return issubclass(auto_tqdm, tqdm_notebook)


def groups_done(counts: Counter[str]) -> int:
    """Return how many groups need no more sending."""
    return counts.total() - sum(counts[state] for state in State.PENDING)


def advance(bar: Any, counts: Counter[str], activity: str) -> None:
    """Show on a bar how far a run is, what it is doing, and its counts by state; `partial` only where there is one."""
    bar.n = groups_done(counts)
    bar.set_description(activity, refresh=False)
    bar.set_postfix({str(state): counts[state] for state in _COUNTED if counts[state] or state is not State.PARTIAL})
