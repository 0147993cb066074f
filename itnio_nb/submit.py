"""Walk a plan through client and ledger, in the background: what is sent, what came back, what was left."""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections import Counter, deque
from contextlib import suppress
from dataclasses import replace
from math import inf
from pathlib import Path

import numpy as np
import pandas as pd

from itnio_nb.answers import STATUSES, stops
from itnio_nb.client import Client
from itnio_nb.errors import InputError, ItnioError, StalePlanError
from itnio_nb.ledger import Ledger
from itnio_nb.model import State, count, phone_groups
from itnio_nb.pace import Pace, is_rate
from itnio_nb.pack import pack_orders, unpack_orders
from itnio_nb.plan import Plan, fingerprint, groups_to_keep, identity, refuse_stale
from itnio_nb.progress import advance, groups_done, progress_bar
from itnio_nb.review import (
    lacking_phones,
    next_step,
    outcome_table,
    run_summary,
    show_html,
    show_text,
    why_nothing,
    write_results,
)
from itnio_nb.settle import TAKEN, look, phones_seen, settle_taken

_TICK = 0.2  # seconds between two looks at the progress
_SHOWN = ["row", "groupName", "phoneName", "quantity", "displayNum", "appId", "state", "status", "reason", "advice"]

_live: dict[tuple[str, ...], Run] = {}  # runs that work in this process, by ledger, account and fingerprint
_starting = threading.RLock()


def submit_plan(
    plan: Plan,
    client: Client,
    ledger: Ledger,
    *,
    workers: int = 8,
    rate: float | None = None,
    confirm: int | None = None,
) -> Run:
    """Send what a plan has to create, and return at once with the `Run` that works in the background.

        run = submit_plan(plan, client, ledger).wait()
        run.summary

    `workers` requests are under way at once, `rate` is the most requests in one second (None: no limit). A
    group that the ledger knows as made, being sent or in doubt is never sent. Submitting a plan whose run was
    stopped goes on with that run; while one of the same groups is at work here, that run is returned: a double
    click sends nothing twice. `confirm` is the number of phones that the plan was seen to create: where given,
    a plan that creates another number is not sent (`InputError`).

    Raises `StalePlanError` for a plan that was made for another account, or was saved and no longer fits;
    `LedgerError` where the intent cannot be written.
    """
    if not isinstance(plan, Plan):
        raise InputError("submit_plan sends a plan: submit_plan(make_plan(orders, client, ledger), client, ledger).")
    if not (isinstance(client, Client) and isinstance(ledger, Ledger)):
        raise InputError("A plan is submitted with a client and a ledger: submit_plan(plan, client, ledger).")
    if not (isinstance(workers, int) and workers >= 1 and (rate is None or is_rate(rate))):
        raise InputError("A run needs at least 1 worker and, where a rate is given, more than 0 requests a second.")
    if confirm is not None and plan.phones not in (0, confirm):
        raise InputError(
            f"Nothing was sent: the plan creates {count(plan.phones, 'phone')}, and {confirm!r} were confirmed. "
            f"Look at the plan; if it is right, submit it with confirm={plan.phones}."
        )
    account = client.account
    if plan.made_for is not None and plan.made_for != identity(account):
        raise StalePlanError(
            f"Nothing was sent: the plan was made for another account or address ({plan.made_for[0]}, not "
            f"{account.base_url}). Make it again with this client. A sandbox that a notebook or script has opened "
            "ends with it; one for several is started by itnio-nb sandbox."
        )
    wanted = fingerprint(plan.table, identity(account))
    key = (str(ledger.path), *identity(account), wanted)
    if (working := _live.get(key)) is not None:  # a double click: nothing to pack, nobody to ask
        return working
    to_keep = (account, wanted, groups_to_keep(plan), pack_orders(plan.orders, plan.findings))
    if plan.loaded and not ledger.has_unfinished(*to_keep):
        refuse_stale(plan, client, ledger)
    with _starting:
        working = _live.get(key)
        if working is None:
            run_id = ledger.open_run(*to_keep)
            client.widen(workers)
            working = _live[key] = Run(run_id, client, ledger, workers, rate, key)
        return working


class Run:
    """One execution of a plan, at work in background threads. It shows itself in a cell; it never prints."""

    def __init__(
        self, run_id: int, client: Client, ledger: Ledger, workers: int, rate: float | None, key: tuple[str, ...]
    ) -> None:
        self._id, self._client, self._ledger, self._key = run_id, client, ledger, key
        self.name = str(ledger.run_info(run_id, "name")["name"])
        kept = ledger.run_table(run_id)
        table = outcome_table(kept)
        self._groups = list(phone_groups(kept))
        self._queue = deque(
            (at, int(newest), State(state))
            for at, (newest, state, status) in enumerate(
                zip(kept["newest"], table["state"], table["status"], strict=True)
            )
            if _unsent(state, status)
        )
        self._so_far = Counter(table["state"])  # for the bar; the truth is the ledger's
        self._counting = threading.Lock()
        self._pace = Pace(rate)
        self._workers = min(workers, len(self._queue))
        self._stopping, self._over = threading.Event(), threading.Event()
        self._full: set[str] = set()  # applications that can hold no more
        self._notes: list[str] = []
        self._activity = "Submit"
        before = int((table["at"][table["state"] == State.CREATED] != "").sum())
        if before:
            self._notes.append(f"It went on where it had stopped: {count(before, 'group')} had been created then.")
        self._error: BaseException | None = None
        threading.Thread(target=self._conduct, name=f"run-{self.name}", daemon=True).start()

    @property
    def done(self) -> bool:
        """Whether the run is over: everything sent and looked at, or stopped."""
        return self._over.is_set()

    @property
    def counts(self) -> Counter[str]:
        """Number of groups by state, over the whole plan, whoever sent them; a state without groups counts 0."""
        if self.done:
            return Counter(self.table["state"])
        with self._counting:
            return +self._so_far

    @property
    def table(self) -> pd.DataFrame:
        """One row for each group, as in the ledger: API columns, `state status reason advice row at created_in`."""
        return outcome_table(self._ledger.run_table(self._id), over=self.done)

    @property
    def summary(self) -> str:
        """What became of the run, in one line."""
        return self._told()[0]

    def _told(self) -> tuple[str, pd.DataFrame]:
        """Return the summary and the table that it speaks of, read once."""
        table, info = self.table, self._ledger.run_info(self._id, "note", "verified")
        return run_summary(table, info["verified"], info["note"], over=self.done), table

    def wait(self, timeout: float | None = None) -> Run:
        """Wait until the run is over, showing a progress bar, and return the run.

        Raises `TimeoutError` after `timeout` seconds (the run goes on) and the error that ended the run, if
        one did. Interrupting the cell stops the run.
        """
        deadline = inf if timeout is None else time.monotonic() + timeout
        try:
            if not self.done:
                with progress_bar(len(self._groups), groups_done(self.counts)) as bar:
                    while not self._over.wait(max(0, min(_TICK, deadline - time.monotonic()))):
                        advance(bar, self.counts, self._activity)
                        if time.monotonic() >= deadline:
                            raise TimeoutError(f"The run is not over after {timeout} s; it goes on. {self.summary}")
                    advance(bar, self.counts, self._activity)
        except KeyboardInterrupt:
            self.stop()
            raise KeyboardInterrupt(f"{self.summary} Submit the plan again to go on.") from None
        if self._error is not None:
            raise self._error
        return self

    def stop(self) -> None:
        """Finish what is under way, leave the rest "not sent", and return when that is done.

        It takes as long as the answers that are awaited: those under way, or one page of a listing.
        """
        self._stopping.set()
        self._over.wait()

    def write_results(self, folder: str | os.PathLike[str]) -> dict[str, Path]:
        """Write `<run>-created.csv`, `-existed`, `-refused`, `-unknown`, `-notsent`, `-invalid`; return their paths.

        Every row of the orders is in exactly one of them.
        """
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

    def _conduct(self) -> None:
        """Send, look, close the run: the life of the background thread."""
        try:
            verified = self._send_and_look()
            self._close(verified)
        except BaseException as error:  # noqa: BLE001 - kept for wait(), which raises it
            self._fail(error)
            with suppress(ItnioError):  # the ledger itself may be what failed
                self._close(None)
        finally:
            with _starting:
                _live.pop(self._key, None)
            self._over.set()

    def _send_and_look(self) -> int | None:
        workers = [threading.Thread(target=self._work, name=f"worker-{at}", daemon=True) for at in range(self._workers)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return None if self._stopping.is_set() else self._look()

    def _close(self, verified: int | None) -> None:
        states = self.table["state"]
        if not self._workers:
            self._notes.append(why_nothing(states))
        finished = not states.eq(State.PLANNED).any()
        self._ledger.close_run(self._id, finished=finished, note=" ".join(self._notes), verified=verified)

    def _work(self) -> None:
        """Send one group after the other until there is none, or the run stops."""
        try:
            while not self._stopping.is_set():
                try:
                    at, newest, state = self._queue.popleft()
                except IndexError:
                    return
                if self._groups[at].app_id not in self._full and self._pace.wait(self._stopping):
                    self._send(at, newest, state)
        except BaseException as error:  # noqa: BLE001 - kept for wait(), which raises it
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        """Keep the first error, and send nothing more."""
        if self._error is None:
            self._error = error
            self._notes.append(f"It failed: {error}")
        self._stopping.set()

    def _send(self, at: int, newest: int, state: State) -> None:
        """Claim, send, record, tell: in this order."""
        group = self._groups[at]
        if not self._ledger.claim(self._id, at, newest):
            return  # another run or process has it; what became of it is in the ledger
        self._count(state, State.SENDING)
        receipt = self._client.create_phones(group)
        if receipt.status == TAKEN:  # it does not say which name: not known until it was looked up
            receipt = replace(receipt, state=State.UNKNOWN)
        self._ledger.record(self._id, at, receipt)
        self._count(State.SENDING, receipt.state)
        if stops(receipt) == "run" and not self._stopping.is_set():
            self._stopping.set()
            self._notes.append(f"It stopped itself ({receipt.reason}): {receipt.advice}")
        elif stops(receipt) == "application" and group.app_id not in self._full:
            self._full.add(group.app_id)
            self._notes.append(f"Application {group.app_id} is full: nothing more was sent to it.")

    def _count(self, before: str, after: str) -> None:
        with self._counting:
            self._so_far[before] -= 1
            self._so_far[after] += 1

    def _look(self) -> int | None:
        """Settle each name that was taken, and return how many phones of the created groups are really there."""
        self._activity = "Verify"
        table = self.table
        taken = (table["state"] == State.UNKNOWN) & (table["status"] == TAKEN)
        created = table["state"] == State.CREATED
        try:
            applications = table["appId"][taken | created].unique()
            listings = {app_id: look(self._client, app_id, self._stopping) for app_id in applications}
        except ItnioError as error:
            self._notes.append(f"Not verified: {error}")
            return None
        for at in np.flatnonzero(taken).tolist():
            group = self._groups[at]
            receipt = settle_taken(group, listings[group.app_id])
            self._ledger.record(self._id, at, receipt)
            self._count(State.UNKNOWN, receipt.state)
        if not created.any() or table["state"].eq(State.SENDING).any():  # being sent: by another process
            return None
        made = [self._groups[at] for at in np.flatnonzero(created).tolist()]
        seen = [phones_seen(group, listings[group.app_id]) for group in made]
        self._notes += lacking_phones(made, seen)
        return sum(seen)


def _unsent(state: str, status: str) -> bool:
    """Whether a group is to be sent: planned, or refused for what the operator has mended since."""
    return state == State.PLANNED or (state == State.REFUSED and status in STATUSES and bool(STATUSES[status].stops))


@atexit.register
def _stop_all() -> None:
    """Let what is under way finish when Python ends, so that nothing is left in doubt."""
    with _starting:
        working = list(_live.values())
    for run in working:
        run.stop()
