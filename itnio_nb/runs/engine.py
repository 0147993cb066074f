"""Walk the groups of a run through client and ledger: claim, send, record, look, send again, verify."""

from __future__ import annotations

import threading
from collections import Counter, deque
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pandas as pd

from itnio_nb.api.client import Client
from itnio_nb.api.listing import Inventory
from itnio_nb.api.models import Action, Receipt, State, phone_groups
from itnio_nb.api.text import plural
from itnio_nb.errors import ItnioError
from itnio_nb.ledger.claims import Resolution, SyncResult
from itnio_nb.ledger.ledger import Ledger
from itnio_nb.ledger.locks import exclusive_lock
from itnio_nb.runs.dispatcher import CircuitBreaker, Dispatcher, RateLimiter
from itnio_nb.runs.progress import RunProgress, sent_elsewhere
from itnio_nb.runs.reconcile import TAKEN, UnknownGroup, resolve_unknown, verify_created
from itnio_nb.runs.results import known_state, lacking_phones, left_to_send, outcome_table, why_nothing

_TICK = 0.2  # seconds between two looks at what others do
_FLUSH = 0.05  # seconds for which outcomes are gathered at most
_RESENDS = 3  # times that a group which looking has shown to be absent is sent again in one run
_IDLE_LOOKS = 3  # looks in a row without anything settled in between, after which a run gives up
_GO_ON = "Submit the plan again, or resume(client, ledger), to go on."
_OPEN = (State.UNKNOWN, State.SENDING)


class RunEngine:
    """The work of one run, in the thread that calls `conduct`. What it learns is in the ledger before it is told.

    `activity` is what it is doing, `error` what ended it, if anything did.
    """

    def __init__(self, run_id: int, client: Client, ledger: Ledger, workers: int, rate: float | None) -> None:
        self._id, self._client, self._ledger = run_id, client, ledger
        kept = ledger.run_store.run_table(run_id)
        table = outcome_table(kept)
        self._groups = list(phone_groups(kept))
        self._progress = RunProgress(kept, table)
        unsent = left_to_send(kept, table) | sent_elsewhere(kept)
        self._queue = deque(unsent.to_numpy(dtype=bool).nonzero()[0].tolist())
        # Refused once, for what the operator has mended since: sent again, unless others have learnt more of it.
        self._progress.mended = {at for at in self._queue if self._progress.states[at] is State.REFUSED}
        self._workers = max(1, min(workers, len(self._groups)))
        self._pace, self._brake = RateLimiter(rate), CircuitBreaker()
        self._resent: Counter[int] = Counter()
        self._full: set[str] = set()  # applications that can hold no more
        self._stopping = threading.Event()
        self._halting = threading.Lock()
        self._crew: Dispatcher | None = None
        self._unrecorded: list[tuple[int, Receipt]] = []
        self._nothing_to_send = not self._queue
        self._claimed_any = self._closed = False
        self._settled: Counter[str] = Counter()  # what looking has told, in words
        self._answered_before = self._progress.answered
        self._notes: list[str] = []
        self.activity = "Submit"
        self.error: BaseException | None = None
        before = int((table["at"][table["state"] == State.CREATED] != "").sum())
        if before and not ledger.run_store.claim_owners(
            run_id
        ):  # somebody who is at work is joined: nothing had stopped
            self._notes.append(f"It went on where it had stopped: {plural(before, 'group')} had been created then.")

    @property
    def counts(self) -> Counter[str]:
        """Number of groups by state, as far as it has come."""
        return self._progress.counts

    def halt(self) -> None:
        """Have what is under way finished, and nothing more sent."""
        with self._halting:
            self._stopping.set()
            if self._crew is not None:
                self._crew.halt.set()

    def conduct(self) -> None:
        """Send and look until there is nothing more to do, then close the run. Raises nothing: see `error`."""
        owner = None
        try:
            owner = self._ledger.run_store.owner()
            while self._send(owner.token) and self._look():
                pass
        except BaseException as error:  # noqa: BLE001 - kept for Run.wait(), which raises it
            self.error = error
            self._notes.append(f"It failed: {error}")
        finally:
            if owner is not None:
                owner.release()
            with suppress(ItnioError):  # the ledger itself may be what failed
                self._ledger.run_store.expire_claims()  # what was claimed here and not recorded is not known
                self._close(None)

    def _send(self, owner: str) -> bool:
        """Have a crew send what is in the queue, and record it; False if the run is to stop."""
        self.activity = "Submit"
        dispatcher = Dispatcher(self._client, self._groups, self._workers, self._pace, self._brake, self._full)
        with self._halting:
            self._crew = dispatcher
            if self._stopping.is_set():
                dispatcher.halt.set()
        try:
            self._supply(dispatcher, owner)
        except BaseException:
            dispatcher.halt.set()
            dispatcher.close()
            self._record_the_last(dispatcher, owner)
            raise
        dispatcher.close()
        if dispatcher.fatal_receipt is not None:
            self._stopping.set()
            advice = _GO_ON if dispatcher.fatal_receipt.wait else dispatcher.fatal_receipt.advice
            self._notes.append(f"It stopped itself ({dispatcher.fatal_receipt.reason}): {advice}")
        return not self._stopping.is_set()

    def _supply(self, dispatcher: Dispatcher, owner: str) -> None:
        """Claim a window ahead of the workers, and record in groups what comes back, until nothing is left."""
        held: list[int] = []  # by others who work on this run
        passed: list[int] = []  # others have learnt something of them
        while True:
            outcomes, returned, idle = dispatcher.collect(_FLUSH, want_more=bool(self._queue))
            self._unrecorded = outcomes
            wanted = self._next_wanted(dispatcher.room())
            if outcomes or returned or wanted:
                found = self._sync(owner, outcomes, returned, wanted)
                self._unrecorded = []
                held += found.held
                passed += {at for at, _ in wanted}.difference(found.claimed, found.held)
                dispatcher.hand_over(found.claimed)
                # What certainly was not created is tried again; failures in a row call for a look before long.
                self._queue.extend(at for at, receipt in outcomes if receipt.state is State.PLANNED)
                self._queue.extend(returned)
            elif idle and passed and not dispatcher.halt.is_set() and not self._queue:
                self._refresh()
                self._queue.extend(at for at in passed if self._progress.states[at] is State.PLANNED)
                passed = []
            elif idle and (dispatcher.halt.is_set() or not self._queue):
                if dispatcher.halt.is_set() or not self._wait_for_others(owner, held):
                    return
                self._queue.extend(at for at in held if self._progress.states[at] is State.PLANNED)
                held = []

    def _next_wanted(self, room: int) -> list[tuple[int, int]]:
        wanted: list[tuple[int, int]] = []
        while self._queue and len(wanted) < room:
            at = self._queue.popleft()
            sendable = self._progress.states[at] is State.PLANNED or at in self._progress.mended
            if sendable and self._groups[at].app_id not in self._full:
                wanted.append((at, self._progress.newest[at]))
        return wanted

    def _wait_for_others(self, owner: str, held: list[int]) -> bool:
        """Wait while others hold groups of this run; True as soon as one that they held is free again."""
        while not self._stopping.is_set():
            self._ledger.run_store.expire_claims()
            others = self._ledger.run_store.claim_owners(self._id) - {owner}
            self._sync(owner)
            free = not others and any(self._progress.states[at] is State.PLANNED for at in held)
            if not others and not free:
                return False
            self._stopping.wait(_TICK)  # also where another run holds them: it is asked again before long
            if free:
                return True
        return False

    def _sync(
        self,
        owner: str = "",
        outcomes: list[tuple[int, Receipt]] | None = None,
        returned: list[int] | None = None,
        wanted: list[tuple[int, int]] | None = None,
    ) -> SyncResult:
        """Exchange with the ledger what happened here and elsewhere, then count it."""
        learnt = [(at, _looked_up_first(receipt)) for at, receipt in outcomes or ()]
        found = self._ledger.run_store.sync(
            self._id, owner, outcomes=learnt, returned=returned or (), wanted=wanted or (), since=self._progress.seen
        )
        self._claimed_any = self._claimed_any or bool(found.claimed)
        self._progress.learn(found, returned or ())
        return found

    def _refresh(self) -> None:
        """Take over what the ledger knows of each group, whoever has learnt it."""
        kept = self._ledger.run_store.run_table(self._id)
        self._progress.take_over(kept, outcome_table(kept, over=False))

    def _record_the_last(self, dispatcher: Dispatcher, owner: str) -> None:
        """Record what was under way when something failed, if it can be."""
        with suppress(ItnioError):
            outcomes, returned, _ = dispatcher.collect(0, want_more=False)
            self._sync(owner, self._unrecorded + outcomes, returned)

    def _look(self) -> bool:
        """Settle what is unknown, then verify; True if there is something to be sent again, or still."""
        self.activity = "Verify"
        with exclusive_lock(self._ledger.path, f"run-{self._id}", self._stopping):
            if self._ledger.run_store.run_info(self._id, "finished")["finished"]:
                self._closed = True  # others who worked on this run have looked already
                return False
            dispatcher = self._crew
            try:
                listings = self._settle(tripped=dispatcher is not None and dispatcher.tripped)
                if not self._queue:
                    self._close(self._verify(listings))
                    return False
            except ItnioError as error:
                self._notes.append(self._why_not_looked(error))
                return False
        if dispatcher is None or not dispatcher.tripped:
            return True
        progress, self._answered_before = self._progress.answered > self._answered_before, self._progress.answered
        self._brake.release(progress=progress)
        if self._brake.idle_looks < _IDLE_LOOKS:
            return True
        self._notes.append(
            f"It stopped itself: request after request failed ({dispatcher.last_failure}) and nothing was created in "
            f"between, though the account answers. {_GO_ON}"
        )
        return False

    def _settle(self, *, tripped: bool) -> dict[str, Inventory]:
        """Look at each application that has something unknown, queue what is absent, return what was seen."""
        self._sync()
        kept = self._ledger.run_store.run_table(self._id)
        unknown = kept[known_state(kept) == State.UNKNOWN]
        listings: dict[str, Inventory] = {}
        if tripped and unknown.empty and self._queue:  # whether the account answers is the question
            self._client.count_phones(self._groups[self._queue[0]].app_id, self._stopping)
        problem: ItnioError | None = None
        for app_id, part in unknown.groupby("appId", sort=False):
            try:
                listings[str(app_id)] = self._settle_application(str(app_id), part)
            except ItnioError as error:  # the other applications are settled all the same
                problem = problem or error
        self._refresh()
        if problem is not None:
            raise problem
        return listings

    def _settle_application(self, app_id: str, unknown: pd.DataFrame) -> Inventory:
        rows: dict[int, dict[str, Any]] = unknown.to_dict("index")  # type: ignore[assignment] # its index is positions
        doubts = {at: self._doubt(at, row) for at, row in rows.items()}
        settled, listing = resolve_unknown(self._client, app_id, doubts, self._stopping)
        resolutions = {_resolution(rows[at], receipt): at for at, receipt in settled.items()}
        for resolution in self._ledger.run_store.write_resolutions(list(resolutions)):
            at, state = resolutions[resolution], resolution.receipt.state
            lost = not doubts[at].taken
            if state is not State.PLANNED:
                self._settled[str(state)] += lost
            elif rows[at]["action"] != Action.CREATE:  # more than was confirmed is never made
                self._settled["absent: plan again to create them"] += 1
            elif self._resent[at] < _RESENDS:
                self._resent[at] += 1
                self._settled["absent and sent again"] += 1
                self._queue.append(at)
            else:
                self._settled["absent"] += 1
        return listing

    def _doubt(self, at: int, row: dict[str, Any]) -> UnknownGroup:
        """Return a group as it was asked for when it was sent, by this run or another: that is what to look for."""
        sent = replace(
            self._groups[at],
            phone_name=row["sent_phone_name"],
            quantity=int(row["sent_quantity"]),
            display_num=row["sent_display_num"],
        )
        return UnknownGroup(sent, row["newest_status"] == TAKEN, bool(row["tried"]))

    def _verify(self, listings: dict[str, Inventory]) -> int | None:
        """Return how many phones of the created groups are really there."""
        created = outcome_table(self._ledger.run_store.run_table(self._id))["state"] == State.CREATED
        if not created.any():
            return None
        made = [self._groups[at] for at in created.index[created]]
        seen = verify_created(self._client, made, listings, self._stopping)
        self._notes += lacking_phones(made, seen)
        return sum(seen)

    def _why_not_looked(self, error: ItnioError) -> str:
        if self._stopping.is_set() or self._crew is None or not self._crew.tripped:
            return f"Not verified: {error}"
        failures = f"{plural(self._brake.row, 'failure')} in a row ({self._crew.last_failure})"
        return f"It stopped itself after {failures}: the account does not answer. {error} {_GO_ON}"

    def _close(self, verified: int | None) -> None:
        """Write how the run ended, once; it is finished if nothing is left to send or to settle."""
        if self._closed:
            return
        kept = self._ledger.run_store.run_table(self._id)
        table = outcome_table(kept)
        notes = self._notes
        if self._nothing_to_send and not self._claimed_any:
            notes.append(why_nothing(table["state"]))
        if settled := +self._settled:
            notes.append(f"Settled by looking: {', '.join(f'{number:,} {what}' for what, number in settled.items())}.")
        notes += [f"Application {app_id} is full: nothing more was sent to it." for app_id in sorted(self._full)]
        if difference := self._client.clock_warning:
            notes.append(f"Requests were signed with the server's time: {difference}.")
        finished = not (left_to_send(kept, table) | known_state(kept).isin(_OPEN)).any()
        self._ledger.run_store.close_run(self._id, finished=finished, note=" ".join(notes), verified=verified)
        self._closed = True


def _looked_up_first(receipt: Receipt) -> Receipt:
    """`-20` does not say which name is taken: not known until it was looked up."""
    return replace(receipt, state=State.UNKNOWN) if receipt.status == TAKEN else receipt


def _resolution(row: dict[str, Any], receipt: Receipt) -> Resolution:
    """Return what looking has told, for the run that has sent the group."""
    return Resolution(int(row["newest"]), receipt)
