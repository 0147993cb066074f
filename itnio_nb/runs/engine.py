"""The work of a run: claim groups in the ledger, have them sent, record what came back, resolve what is unknown."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from itnio_nb.api.client import Client
from itnio_nb.api.listing.inventory import Inventory
from itnio_nb.api.models import Receipt, State, phone_groups
from itnio_nb.api.statuses import NAME_TAKEN, status_info
from itnio_nb.api.text import plural
from itnio_nb.errors import ItnioError
from itnio_nb.ledger.claims import Outcomes, SyncResult, Wanted
from itnio_nb.ledger.ledger import Ledger
from itnio_nb.ledger.locks import OwnerLock, exclusive_lock
from itnio_nb.runs.dispatcher import CircuitBreaker, Dispatcher, RateLimiter, RunOptions
from itnio_nb.runs.reconcile.resolver import RunResolver
from itnio_nb.runs.results import GroupStates, RunProgress, why_nothing

_TICK = 0.2  # seconds before it is asked again what other processes do
_FLUSH = 0.05  # seconds for which outcomes are gathered at most
_IDLE_RESETS = 3  # times in a row that failures stopped the sending with nothing created since: then the run gives up
_GO_ON = "Submit the plan again, or resume(client, ledger), to go on."


class RunEngine:
    """Do the work of one run, in the thread that calls `run`. Everything is in the ledger before it is counted.

    It sends, resolves and verifies, and sends again what listings have shown to be absent; `error` is what ended it.

        send: nothing left ──→ verify: nothing unknown, nothing absent ──→ close: finished
          ↑    failures in a row ─↗ │ absent → queue       others are at it ↗
          └─────────────────────────┘    too many resets, no listing → close: not finished
    """

    def __init__(
        self, run_id: int, client: Client, ledger: Ledger, options: RunOptions, owner: OwnerLock | None = None
    ) -> None:
        self._owner = owner
        self._id, self._client, self._ledger, self._store = run_id, client, ledger, ledger.run_store
        kept = self._store.run_table(run_id)
        states = GroupStates(kept)
        self._groups = list(phone_groups(kept))
        self._progress = RunProgress(states)
        self._queue = deque(states.to_send)
        self._workers = max(1, min(options.workers, len(self._groups)))
        self._limiter, self._breaker = RateLimiter(options.rate), CircuitBreaker()
        self._closed_apps: dict[str, Receipt] = {}  # applications that take no more, and the answer that says so
        self._undocumented: Counter[tuple[str, str]] = Counter()  # statuses that the document has not, with their words
        self._fatal: Receipt | None = None
        self._stopping = threading.Event()
        self._halting = threading.Lock()
        self._dispatcher: Dispatcher | None = None
        self._resolver = RunResolver(client, ledger, self._groups, self._stopping)
        self._unrecorded: list[tuple[int, Receipt]] = []
        self._nothing_to_send = not self._queue
        self._claimed_any = self._closed = False
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
        """Have what is under way finished, and nothing more sent; return at once."""
        with self._halting:
            self._stopping.set()
            if self._dispatcher is not None:
                self._dispatcher.halt.set()

    def run(self) -> None:
        """Send and resolve until there is nothing more to do, then close the run. Raises nothing: see `error`."""
        owner = self._owner
        try:
            owner = owner or self._store.owner()
            self._store.join_run(self._id, owner.token)
            joined = self._store.is_worked_on(self._id, besides=owner.token)
            if self._created_before and not joined:  # else nothing had stopped
                groups = plural(self._created_before, "group")
                self._notes.append(f"It went on where it had stopped: {groups} had been created then.")
            while self._send(owner.token) and self._verify():
                pass
        except BaseException as error:  # noqa: BLE001 - kept for Run.wait(), which raises it
            self.error = error
            self._notes.append(f"It failed: {error}")
        finally:
            if owner is not None:
                owner.release()
            with suppress(ItnioError):  # the ledger itself may be what failed
                self._store.expire_claims()  # what was claimed here and not recorded is not known
                self._close(None)

    def _send(self, owner: str) -> bool:
        """Have a dispatcher send what is in the queue, and record it; False if the run is to stop."""
        self.activity = "Submit"
        dispatcher = Dispatcher(
            self._client, self._groups, self._workers, self._limiter, self._breaker, self._closed_apps
        )
        with self._halting:
            self._dispatcher = dispatcher
            if self._stopping.is_set():
                dispatcher.halt.set()
        try:
            self._supply(dispatcher, owner)
        except BaseException:
            dispatcher.halt.set()
            dispatcher.close()
            with suppress(ItnioError):  # what was under way is recorded, if it can be
                outcomes, returned, _ = dispatcher.collect(0, want_more=False)
                self._sync(owner, self._unrecorded + outcomes, returned)
            raise
        dispatcher.close()
        if (fatal := dispatcher.fatal_receipt) is not None:
            info = status_info(fatal.status)
            number = "" if info.documented else f"status {fatal.status}, "
            advice = info.todo or (_GO_ON if fatal.wait else fatal.advice)
            self._notes.append(f"It stopped itself ({number}{fatal.reason}): {advice}")
            if not info.documented:
                self._fatal = fatal  # whether its groups are there, listings can still tell
            else:
                self._stopping.set()
        return not self._stopping.is_set()

    def _supply(self, dispatcher: Dispatcher, owner: str) -> None:
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
            self._unrecorded = outcomes
            wanted = self._next_wanted(dispatcher.capacity())
            if outcomes or returned or wanted:
                found = self._sync(owner, outcomes, returned, wanted)
                self._unrecorded = []
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
                if dispatcher.halt.is_set() or not self._wait_for_others(owner, held):
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

    def _wait_for_others(self, owner: str, held: list[int]) -> bool:
        """Wait while others hold groups of this run; True as soon as one that they held is free again."""
        while not self._stopping.is_set():
            self._store.expire_claims()
            others = self._store.claim_owners(self._id) - {owner}
            self._sync(owner)
            free = not others and any(self._progress.states[at] is State.PLANNED for at in held)
            if not others and not free:
                return False
            self._stopping.wait(_TICK)  # also where another run holds them: it is asked again before long
            if free:
                return True
        return False

    def _sync(
        self, owner: str = "", outcomes: Outcomes = (), returned: Sequence[int] = (), wanted: Wanted = ()
    ) -> SyncResult:
        """Write to the ledger what happened here, read what happened elsewhere, and count it."""
        receipts = [(at, _unknown_if_taken(receipt)) for at, receipt in outcomes]
        beyond = [one for _, one in outcomes if not status_info(one.status).documented]
        self._undocumented.update((one.status, one.reason) for one in beyond)
        found = self._store.sync(
            self._id, owner, outcomes=receipts, returned=returned, wanted=wanted, since=self._progress.seen
        )
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
        with exclusive_lock(self._ledger.path, f"run-{self._id}", self._stopping):
            if self._store.run_info(self._id, "finished")["finished"]:
                self._closed = True  # others who worked on this run have verified it already
                return False
            try:
                states, inventories = self._resolve(tripped=tripped)
                if not self._queue or self._fatal is not None:
                    verified, notes = self._resolver.verify(states, inventories)
                    self._notes += notes
                    self._close(verified)
                    return False
            except ItnioError as error:
                self._notes.append(self._why_not_verified(error))
                return False
        if dispatcher is None or not tripped:
            return True
        progress, self._answered_before = self._progress.answered > self._answered_before, self._progress.answered
        self._breaker.reset(progress=progress)
        if self._breaker.idle_resets < _IDLE_RESETS:
            return True
        self._notes.append(
            f"It stopped itself: request after request failed ({dispatcher.last_failure}) and nothing was created in "
            f"between, though the account answers. {_GO_ON}"
        )
        return False

    def _resolve(self, *, tripped: bool) -> tuple[GroupStates, dict[str, Inventory | ItnioError]]:
        """List each application that has an unknown group, queue what is absent; return the states and listings.

        Raises where none of them can be listed.
        """
        self._sync()
        states = self._refresh()
        # After failures in a row with nothing unknown, whether the account answers is the question.
        probe = self._groups[self._queue[0]].app_id if tripped and self._queue else ""
        absent, inventories = self._resolver.resolve(states, probe)
        self._queue.extend(absent)
        if inventories:
            states = self._refresh()
            errors = [one for one in inventories.values() if isinstance(one, ItnioError)]
            if len(errors) == len(inventories):
                raise errors[0]
        return states, inventories

    def _why_not_verified(self, error: ItnioError) -> str:
        if self._stopping.is_set() or self._dispatcher is None or not self._dispatcher.tripped:
            return f"Not verified: {error}"
        failures = f"{plural(self._breaker.failures, 'failure')} in a row ({self._dispatcher.last_failure})"
        return f"It stopped itself after {failures}: the account does not answer. {error} {_GO_ON}"

    def _close(self, verified: int | None) -> None:
        """Write how the run ended, once; it is finished if nothing is left to send or to resolve."""
        if self._closed:
            return
        states = GroupStates(self._store.run_table(self._id))
        notes = self._notes
        if self._nothing_to_send and not self._claimed_any:
            notes.append(why_nothing(states.states))
        if found := +self._resolver.found:
            notes.append(f"Settled by looking: {', '.join(f'{number:,} {what}' for what, number in found.items())}.")
        for app_id, answer in sorted(self._closed_apps.items()):
            notes.append(f"Nothing more was sent to application {app_id} (status {answer.status}, {answer.reason}).")
        for (status, words), number in sorted(self._undocumented.items()):
            notes.append(f"The server answered {status} ({words}) for {plural(number, 'group')}.")
        if gap := self._limiter.slowed_to:
            notes.append(f"It slowed down to a request every {gap:.2g} s, because the server asked for fewer.")
        if difference := self._client.clock_warning:
            notes.append(f"Requests were signed with the server's time: {difference}.")
        self._store.close_run(self._id, finished=states.finished, note=" ".join(notes), verified=verified)
        self._closed = True


def _unknown_if_taken(receipt: Receipt) -> Receipt:
    """Return `-20` as unknown until a listing shows which of the two names is taken."""
    return replace(receipt, state=State.UNKNOWN) if receipt.status == NAME_TAKEN else receipt
