"""The work of a run of resets: record that a phone is about to be reset, send, record what came back, compare."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from math import inf

from itnio_nb.api.account.secret import Secret, private_frames
from itnio_nb.api.client import Client
from itnio_nb.api.models import ResetReceipt, ResetState, now
from itnio_nb.api.statuses import NOT_EXISTING, reset_outcome
from itnio_nb.api.text import plural
from itnio_nb.errors import ItnioError
from itnio_nb.ledger.database.database import Owner
from itnio_nb.ledger.ledger import Ledger
from itnio_nb.ledger.resets import ResetPhone, ResetRequest
from itnio_nb.runs.sending.dispatcher import CircuitBreaker, Dispatcher
from itnio_nb.runs.sending.ownership import lost_error
from itnio_nb.runs.sending.pace import DEFAULT_WORKERS, RateLimiter, RunOptions

_FLUSH = 0.05  # seconds for which outcomes are gathered at most
_USED = 0.95  # of a rate: some requests come a little late
GO_ON = "Reset the same phones again to go on."


class ResetEngine:
    """Reset the phones of one run, in the thread that calls `run`. Everything is in the ledger before it is counted.

    Each phone is sent at most once here, unless it certainly was not done (no connection, a busy server): one whose
    outcome is unknown is sent again only when somebody asks for it. `error` is what ended the run.
    """

    def __init__(
        self,
        run_id: int,
        to_send: Collection[str],
        client: Client,
        ledger: Ledger,
        owner: Owner,
        options: RunOptions,
        notes: Sequence[str] = (),
    ) -> None:
        """`to_send` are accounts of phones of the run; all others of it are left alone."""
        self._id, self._client, self._owner = run_id, client, owner
        self._ledger, self._store = ledger, ledger.reset_store
        kept = self._store.run_table(run_id)
        columns = kept[["appId", "groupName", "phoneName", "account"]]
        self._phones = [ResetPhone(*cells) for cells in columns.itertuples(index=False, name=None)]
        wanted = ResetRequest(client.account, self._phones[0].app_id, self._phones)
        before = self._store.newest(wanted)["state"]
        # Phones of which no answer has told yet which password works: only a new one ends that.
        self._unknown = {at for at, state in enumerate(before) if state == ResetState.UNKNOWN}
        self._queue = deque(at for at, phone in enumerate(self._phones) if phone.account in to_send)
        self._states: list[str] = kept["state"].tolist()
        self._counts = Counter(self._states[at] for at in self._queue)
        self._counting = threading.Lock()
        self._passwords: dict[int, Secret] = {}  # what was answered, by position, to be compared with the account's
        self._workers = max(1, min(options.workers or DEFAULT_WORKERS, len(self._queue)))
        client.widen(self._workers)
        self._next_turn = 0.0
        self._limiter = RateLimiter(options.rate, self._turns, lambda _: None)
        self._closed_apps: dict[str, ResetReceipt] = {}
        self._untold = 0  # phones whose answer has no password
        self._answered: Counter[tuple[str, str]] = Counter()  # statuses other than 0, with their words
        self._stopping, self._halting = threading.Event(), threading.Lock()
        self._dispatcher: Dispatcher[ResetPhone, ResetReceipt] | None = None
        self._notes = list(notes)
        self.activity = "Reset"
        self.error: BaseException | None = None

    def _turns(self, number: int) -> list[float]:
        """Return the next turns to send, evenly spaced, as Unix times: nobody else works on this run."""
        gap, since_boot = 1 / (_USED * (self._limiter.rate or inf)), time.monotonic()
        start = max(self._next_turn, since_boot)
        self._next_turn = start + number * gap
        return [time.time() - since_boot + start + turn * gap for turn in range(number)]

    @property
    def counts(self) -> Counter[str]:
        """Number of phones that it sends by state, as far as it has come."""
        with self._counting:
            return +self._counts

    def stop(self) -> None:
        """Finish what is under way and send nothing more; return at once."""
        with self._halting:
            self._stopping.set()
            if self._dispatcher is not None:
                self._dispatcher.halt.set()

    leave = stop  # nobody else works on this run

    def run(self) -> None:
        """Send all that is left, compare passwords, close the run. Raises nothing: see `error`."""
        try:
            self._send()
            if self._passwords and not self._stopping.is_set():
                self._verify()
        except BaseException as error:  # noqa: BLE001 - kept for wait(), which raises it
            self.error = error
            self._notes.append(f"It failed: {error}")
        finally:
            self._note_answers()
            with suppress(ItnioError):  # the ledger itself may be what failed
                self._store.close_run(self._id, " ".join(self._notes))
            self._owner.release()

    def _send(self) -> None:
        dispatcher = Dispatcher(
            self._reset, self._phones, self._workers, self._limiter, CircuitBreaker(), self._closed_apps
        )
        with self._halting:
            self._dispatcher = dispatcher
            if self._stopping.is_set():
                dispatcher.halt.set()
        try:
            self._supply(dispatcher)
        except BaseException:
            dispatcher.halt.set()
            dispatcher.close()
            with suppress(ItnioError):  # what was under way is recorded, if it can be
                outcomes, returned, _ = dispatcher.collect(0, want_more=False)
                self._record(outcomes, returned, ())
            raise
        dispatcher.close()
        if not self._owner.is_sure():
            raise lost_error(self._ledger)
        if (fatal := dispatcher.fatal_receipt or next(iter(self._closed_apps.values()), None)) is not None:
            status = f"status {fatal.status}, " if fatal.status else ""
            self._notes.append(f"It stopped itself ({status}{fatal.reason}). {fatal.advice}")
        elif dispatcher.tripped:
            self._notes.append(f"It stopped itself: request after request failed ({dispatcher.last_failure}). {GO_ON}")

    def _supply(self, dispatcher: Dispatcher[ResetPhone, ResetReceipt]) -> None:
        """Keep the workers supplied, a window ahead, and record in groups what comes back, until nothing is left."""
        while True:
            outcomes, returned, idle = dispatcher.collect(_FLUSH, want_more=bool(self._queue))
            if self._closed_apps:  # an answer that every phone of this application would get
                dispatcher.halt.set()
            claimed = [self._queue.popleft() for _ in range(min(dispatcher.capacity(), len(self._queue)))]
            if outcomes or returned or claimed:
                self._record(outcomes, returned, claimed)
                dispatcher.submit(claimed)
                self._queue.extend(at for at, receipt in outcomes if receipt.state is ResetState.PLANNED)
                self._queue.extend(returned)
            elif idle and (dispatcher.halt.is_set() or not self._queue):
                return

    def _reset(self, phone: ResetPhone) -> ResetReceipt | None:
        """Reset a phone; return None, and send nothing, where others may take this owner for dead."""
        return self._client.reset_password(phone.app_id, phone.account) if self._owner.is_sure() else None

    def _record(
        self, outcomes: Sequence[tuple[int, ResetReceipt]], returned: Sequence[int], claimed: Sequence[int]
    ) -> None:
        """Write to the ledger what came of some phones and which are about to be sent, then count it."""
        unsent = ResetReceipt(*_planned("not sent"), now())
        learnt = [(at, self._still_unknown(at, one)) for at, one in [*outcomes, *((at, unsent) for at in returned)]]
        self._store.record(self._id, learnt, claimed)
        with self._counting:
            for at, state in [*((at, one.state) for at, one in learnt), *((at, ResetState.SENDING) for at in claimed)]:
                self._counts[self._states[at]] -= 1
                self._counts[state] += 1
                self._states[at] = state
        for at, one in outcomes:
            if one.password is not None:
                self._passwords[at] = one.password
            elif one.state is ResetState.RESET:
                self._untold += 1
            if one.status and one.state is not ResetState.RESET:
                self._answered[one.status, one.reason] += 1

    def _still_unknown(self, at: int, receipt: ResetReceipt) -> ResetReceipt:
        """Return the receipt to keep: what was not known before is known by a new password alone."""
        if receipt.state in (ResetState.RESET, ResetState.UNKNOWN):
            (self._unknown.discard if receipt.state is ResetState.RESET else self._unknown.add)(at)
        elif at in self._unknown and receipt.status != NOT_EXISTING:
            state, advice = reset_outcome("")
            return replace(receipt, state=state, advice=advice)
        return receipt

    def _verify(self) -> None:
        """Compare the passwords that were answered with those that the account shows."""
        self.activity = "Verify"
        try:
            shown = self._shown()
        except ItnioError as error:
            self._notes.append(f"Not verified: {error}")
            return
        answered = len(self._passwords)
        told = f"; {plural(self._untold, 'answer')} had none" if self._untold else ""
        self._notes.append(f"The account shows {shown:,} of the {plural(answered, 'new password')}{told}.")
        if shown < answered:
            self._notes.append(
                "The others were changed again since, or its listing is behind: try one before you hand them over."
            )

    @private_frames
    def _shown(self) -> int:
        """Return how many phones are listed with the password that was answered."""
        client = self._client.paced(self._limiter.wait_to_list)
        groups = {self._phones[at].group_name for at in self._passwords}
        listed = client.list_phones(self._phones[0].app_id, reveal=True, groups=groups, stopping=self._stopping)
        passwords = dict(zip(listed["account"], listed["password"], strict=True))
        answers = ((self._phones[at].account, secret.reveal()) for at, secret in self._passwords.items())
        return sum(passwords.get(account) == password for account, password in answers)

    def _note_answers(self) -> None:
        for (status, words), number in sorted(self._answered.items()):
            self._notes.append(f"The server answered {status} ({words}) for {plural(number, 'phone')}.")
        if clock := self._client.clock_warning:
            self._notes.append(f"{clock[0].upper()}{clock[1:]}.")
        if gap := self._limiter.slowed_to:
            self._notes.append(f"It slowed down to a request every {gap:.2g} s, because the server asked for fewer.")
        self._passwords.clear()


def _planned(reason: str) -> tuple[ResetState, str, str, str]:
    state, advice = reset_outcome(ResetState.PLANNED)
    return state, "", reason, advice
