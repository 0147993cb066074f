"""The work of a run: claim groups in the ledger, have them sent, record what came back, resolve what is unknown."""

from __future__ import annotations

import secrets
import threading
from collections import Counter, deque
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from itnio_nb.api.client import Client
from itnio_nb.api.listing.inventory import Inventory
from itnio_nb.api.models import Action, PhoneGroup, Receipt, State, phone_groups
from itnio_nb.api.statuses import status_info
from itnio_nb.errors import ItnioError, LostLedgerError
from itnio_nb.ledger.claims import Outcomes, SyncResult, Wanted
from itnio_nb.ledger.database.database import Owner
from itnio_nb.ledger.ledger import Ledger
from itnio_nb.ledger.schema.rows import not_recorded
from itnio_nb.runs.reconcile.resolver import RunResolver
from itnio_nb.runs.reconcile.rules import unknown_if_taken
from itnio_nb.runs.results import GroupStates, RunProgress, group_counts, why_nothing
from itnio_nb.runs.sending.dispatcher import CircuitBreaker, Dispatcher
from itnio_nb.runs.sending.notes import what_happened, where_it_went_on, why_given_up, why_not_verified, why_stopped
from itnio_nb.runs.sending.ownership import Ownership
from itnio_nb.runs.sending.pace import DEFAULT_WORKERS, RateLimiter

_TICK = 0.2  # seconds before it is asked again what other processes do
_FLUSH = 0.05  # seconds for which outcomes are gathered at most
_PAUSE = 5.0  # seconds for which all others send nothing after failures in a row
_IDLE_RESETS = 3  # times in a row that failures stopped the sending with nothing created since: then the run gives up


class RunEngine:
    """Do the work of one run, in the thread that calls `run`. Everything is in the ledger before it is counted.

    It sends, resolves and verifies, and sends again what listings have shown to be absent; `error` is what ended it.

        send: nothing left ──→ verify: nothing unknown, nothing absent ──→ close: finished
          ↑    failures in a row ─↗ │ absent → queue       others are at it ↗
          └─────────────────────────┘    too many resets, no listing → close: not finished
    """

    def __init__(self, run_id: int, client: Client, ledger: Ledger, owner: Owner | None = None) -> None:
        self._id, self._client, self._ledger = run_id, client, ledger
        self._store, self._control = ledger.run_store, ledger.run_control
        kept = self._store.run_table(run_id)
        states = GroupStates(kept)
        self._groups = list(phone_groups(kept))
        self._to_create: list[bool] = kept["action"].eq(Action.CREATE).tolist()
        self._progress = RunProgress(states)
        self._queue = deque(states.to_send)
        terms = self._control.terms(run_id)
        self._workers = max(1, min(terms.workers or DEFAULT_WORKERS, len(self._groups)))
        client.widen(self._workers)
        take_turns, share = partial(self._control.take_turns, run_id), partial(self._control.slow_down, run_id)
        hold = partial(self._control.hold, run_id)
        self._limiter = RateLimiter(terms.rate, take_turns, share, hold, self._workers)
        self._breaker = CircuitBreaker()
        self._closed_apps: dict[str, Receipt] = {}  # applications that take no more, and the answer that says so
        self._undocumented: Counter[tuple[str, str]] = Counter()  # statuses that the document has not, with their words
        self._fatal: Receipt | None = None
        self._stopping = threading.Event()
        self._halting = threading.Lock()
        self._dispatcher: Dispatcher[PhoneGroup, Receipt] | None = None
        self._ownership = Ownership(run_id, ledger, owner, self._limiter, self.leave)
        paced = client.paced(self._limiter.wait_to_list)
        self._resolver = RunResolver(paced, ledger, self._groups, self._stopping)
        self._unrecorded: list[tuple[int, Receipt]] = []  # what came back, as long as it may not be in the ledger
        self._unsent: list[int] = []
        self._nothing_to_send = not self._queue
        self._claimed_any = self._closed = self._is_lost = False
        self._answered_before = self._progress.answered
        self._notes: list[str] = []
        self.activity = "Submit"
        self.error: BaseException | None = None
        self._created_before = states.states.count(State.CREATED)

    @property
    def counts(self) -> Counter[str]:
        """Number of groups by state, as far as it has come."""
        return self._progress.counts

    def stop(self) -> None:
        """Have all who work on the run finish what is under way, and send nothing more; return at once."""
        self._ownership.tell_stop()
        self.leave()

    def leave(self) -> None:
        """Have what is under way here finished, and nothing more sent from here; return at once. Others go on."""
        with self._halting:
            self._stopping.set()
            if self._dispatcher is not None:
                self._dispatcher.halt.set()

    def run(self) -> None:
        """Send and resolve until there is nothing more to do, then close the run. Raises nothing: see `error`."""
        try:
            if not self._ownership.begin(self._client.longest_request):  # others at work: nothing had stopped
                self._notes += where_it_went_on(self._created_before)
            while self._go_on():
                pass
        except BaseException as error:  # noqa: BLE001 - kept for Run.wait(), which raises it
            self.error = error
            self._notes.append(f"It failed: {error}")
        finally:
            self._ownership.end(wait_for_others=self.error is None)
            with suppress(ItnioError):  # the ledger itself may be what failed
                self._control.expire_claims()  # what was claimed here and not recorded is not known
                self._close(None)

    def _go_on(self) -> bool:
        """Send and verify once; True if there is more to do, or the ledger does not answer and is waited for."""
        try:
            if self._is_lost:  # what came back meanwhile is recorded, and what others have written taken over
                self.activity = "Wait for the ledger"
                self._ownership.regain(unknown_if_taken(self._unrecorded), self._unsent, self._stopping)
                self._unrecorded, self._unsent = [], []
                self._queue = deque(self._refresh().to_send)
                self._is_lost = False
            return self._send() and self._verify()
        except LostLedgerError:
            if self._is_lost and self._stopping.is_set():
                raise
            self._is_lost = True
            return True

    def _send(self) -> bool:
        """Have a dispatcher send what is in the queue, and record it; False if the run is to stop."""
        self.activity = "Submit"
        terms = (self._workers, self._limiter, self._breaker, self._closed_apps)
        dispatcher = Dispatcher(self._ownership.guarded(self._client.create_phones), self._groups, *terms)
        with self._halting:
            self._dispatcher = dispatcher
            if self._stopping.is_set():
                dispatcher.halt.set()
        try:
            self._supply(dispatcher)
            self._ownership.require_sure()
        except BaseException as error:
            dispatcher.halt.set()
            outcomes, returned = dispatcher.close()
            lost = [(at, not_recorded()) for at in dispatcher.lost]
            self._unrecorded, self._unsent = self._unrecorded + outcomes + lost, self._unsent + returned
            if not isinstance(error, LostLedgerError):
                with suppress(ItnioError):  # what was under way is recorded, if it can be
                    self._sync(self._unrecorded, self._unsent)
            raise
        dispatcher.close()
        if (fatal := dispatcher.fatal_receipt) is not None:
            self._notes.append(why_stopped(fatal))
            if not status_info(fatal.status).documented:
                self._fatal = fatal  # whether its groups are there, listings can still tell
            else:  # for all who work on the run
                self._stopping.set()
                self._ownership.tell_stop()
        return not self._stopping.is_set()

    def _supply(self, dispatcher: Dispatcher[PhoneGroup, Receipt]) -> None:
        """Claim a window ahead of the workers and record in groups what comes back, until nothing is left.

        Where a position is, and what moves it (each arrow into or out of `claimed` is one `_sync`):

            queue ──wanted──→ claimed ──submit──→ worker ──→ outcome ──→ recorded
              ↑                 │ not ours         │           │ certainly not created
              ├──── returned ───│──────────────────┘ (halted)  │
              ├─────────────────│──────────────────────────────┘
              ├── free again ── held    by others who work on this run: waited for when idle
              └── PLANNED ───── passed  a newer receipt is in the ledger: refreshed when idle
        """
        held: list[int] = []
        passed: list[int] = []
        while True:
            outcomes, returned, idle = dispatcher.collect(_FLUSH, want_more=bool(self._queue))
            self._unrecorded, self._unsent = outcomes, returned
            wanted = self._next_wanted(dispatcher.capacity())
            if outcomes or returned or wanted:
                found = self._sync(outcomes, returned, wanted)
                self._limiter.add_turns(found.turns)
                self._unrecorded, self._unsent = [], []
                if found.held and self._queue:  # others are here: elsewhere there may be nobody
                    self._queue.rotate(-secrets.randbelow(len(self._queue)))
                held += found.held
                passed += {at for at, _ in wanted}.difference(found.claimed, found.held)
                dispatcher.submit(found.claimed)
                # What certainly was not created is tried again; failures in a row end in a listing before long.
                self._queue.extend(at for at, receipt in outcomes if receipt.state is State.PLANNED)
                self._queue.extend(returned)
            elif idle and passed and not dispatcher.halt.is_set() and not self._queue:
                self._refresh()
                self._queue.extend(at for at in passed if self._progress.states[at] is State.PLANNED)
                passed = []
            elif idle and (dispatcher.halt.is_set() or not self._queue):
                if dispatcher.halt.is_set() or not self._wait_for_others(held):
                    return
                self._queue.extend(at for at in held if self._progress.states[at] is State.PLANNED)
                held = []

    def _next_wanted(self, capacity: int) -> list[tuple[int, int]]:
        """Take groups from the queue, each with the newest receipt known of it; what is not to be sent is dropped."""
        wanted: list[tuple[int, int]] = []
        while self._queue and len(wanted) < capacity:
            at = self._queue.popleft()
            sendable = self._progress.states[at] is State.PLANNED or at in self._progress.mended
            if sendable and self._groups[at].app_id not in self._closed_apps:
                wanted.append((at, self._progress.newest[at]))
        return wanted

    def _wait_for_others(self, held: list[int]) -> bool:
        """Wait while others hold groups of this run; True as soon as one that they held is free again."""
        while not self._stopping.is_set():
            self._control.expire_claims()
            others = self._control.claim_owners(self._id) - {self._ownership.token}
            self._sync()
            free = not others and any(self._progress.states[at] is State.PLANNED for at in held)
            if not others and not free:
                return False
            self._stopping.wait(_TICK)  # also where another run holds them: it is asked again before long
            if free:
                return True
        return False

    def _sync(self, outcomes: Outcomes = (), returned: Sequence[int] = (), wanted: Wanted = ()) -> SyncResult:
        """Write to the ledger what happened here, read what happened elsewhere, and count it."""
        self._ownership.require_sure()
        beyond = [one for _, one in outcomes if not status_info(one.status).documented]
        token, turns = self._ownership.token, min(len(wanted), self._limiter.turns_wanted)
        learnt, seen = unknown_if_taken(outcomes), self._progress.seen
        found = self._store.sync(
            self._id, token, outcomes=learnt, returned=returned, wanted=wanted, since=seen, turns=turns
        )
        self._undocumented.update((one.status, one.reason) for one in beyond)
        self._claimed_any = self._claimed_any or bool(found.claimed)
        self._progress.learn(found, returned)
        return found

    def _refresh(self) -> GroupStates:
        """Take over what the ledger has of each group, whoever has written it."""
        states = GroupStates(self._store.run_table(self._id), over=False)
        self._progress.refresh(states)
        return states

    def _verify(self) -> bool:
        """Resolve what is unknown, then verify; True if there is something to be sent again, or still."""
        self.activity = "Verify"
        dispatcher = self._dispatcher
        tripped = dispatcher is not None and dispatcher.tripped
        if tripped and self._control.is_worked_on(self._id, besides=self._ownership.token):
            self._control.hold(self._id, _PAUSE)  # until it is known whether the account answers
        with self._ledger.database.exclusive(f"run-{self._id}", self._stopping):
            if self._store.run_info(self._id, "finished")["finished"]:
                self._closed = True  # others who worked on this run have verified it already
                return False
            try:
                inventories = self._resolve(tripped=tripped)
                if self._fatal is None:
                    self._take_up_rest()
                if not self._queue or self._fatal is not None:
                    verified, notes = self._resolver.verify(self._progress.states, inventories)
                    if self._sync().new_receipts:  # somebody has sent more since
                        return True
                    self._notes += notes
                    self._close(verified)
                    return False
            except LostLedgerError:
                raise
            except ItnioError as error:
                failures = 0 if not tripped or self._stopping.is_set() else self._breaker.failures
                self._notes.append(why_not_verified(error, failures, dispatcher.last_failure if dispatcher else ""))
                return False
        if dispatcher is None or not tripped:
            return True
        progress, self._answered_before = self._progress.answered > self._answered_before, self._progress.answered
        self._breaker.reset(progress=progress)
        if self._breaker.idle_resets < _IDLE_RESETS:
            return True
        self._notes.append(why_given_up(dispatcher.last_failure))
        return False

    def _resolve(self, *, tripped: bool) -> dict[str, Inventory | ItnioError]:
        """List each application that has an unknown group and queue what is absent; return the listings.

        Raises where none of them can be listed. The groups are read where one is unknown, and not for nothing.
        """
        self._sync()
        if State.UNKNOWN not in GroupStates(self._store.run_facts(self._id), over=False).known:
            if tripped and self._queue:  # failures in a row: whether the account answers is the question
                self._resolver.probe(self._groups[self._queue[0]].app_id)
            return {}
        absent, inventories = self._resolver.resolve(self._refresh())
        self._queue.extend(absent)
        self._refresh()
        errors = [one for one in inventories.values() if isinstance(one, ItnioError)]
        if errors and len(errors) == len(inventories):
            raise errors[0]
        return inventories

    def _take_up_rest(self) -> None:
        """Queue what others who work on the run are about to send, or were: they may end before they do."""
        queued = set(self._queue)
        for at, state in enumerate(self._progress.states):
            here = at in queued or self._groups[at].app_id in self._closed_apps or not self._to_create[at]
            if state is State.PLANNED and not here and self._resolver.may_send_again(at):
                self._queue.append(at)

    def _close(self, verified: int | None) -> None:
        """Write how the run ended, once; it is finished if nothing is left to send or to resolve."""
        if self._closed:
            return
        states = GroupStates(self._store.run_facts(self._id))
        if self._nothing_to_send and not self._claimed_any:
            self._notes.append(why_nothing(group_counts(states.totals)))
        gap, clock = self._limiter.slowed_to, self._client.clock_warning
        self._notes += what_happened(self._resolver.found, self._closed_apps, self._undocumented, gap, clock)
        self._store.close_run(self._id, finished=states.finished, note=" ".join(self._notes), verified=verified)
        self._closed = True
