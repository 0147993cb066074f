"""Results of a run: each group's state, derived in one place; the summary line; how both are shown."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import pandas as pd

from itnio_nb.api.models import API_COLUMNS, Action, State
from itnio_nb.api.statuses import SIBLING_STATUSES, STATUSES
from itnio_nb.api.text import html_block, html_text, plural, printable
from itnio_nb.ledger.claims import SyncResult
from itnio_nb.ledger.queries import SHARED
from itnio_nb.orders.export.tables import table_as_html, table_as_text
from itnio_nb.orders.export.view import DIFFERS, Choice, Kind, choose

# What a plan writes of a group that was created once and that the account lacks: in the ledger, which has no column
# for that, these words alone tell it apart from a group whose outcome is unknown.
GONE = "no longer in the account"
_RECONCILE_FIRST = "reconcile(client, ledger) looks and settles it; then plan again."
_THERE, _UNRESOLVED = "Nothing was sent: the group is there.", f"Nothing was sent. {_RECONCILE_FIRST}"
_FACTS = ("state", "reason", "advice", "owner", "action", "before", "why", "run")  # columns of `RunStore.run_table`
# Refusals whose cause lies outside of the group: once the operator has mended it, the group is sent again.
_MENDABLE = [status for status, info in (STATUSES | SIBLING_STATUSES).items() if info.failure_scope]


class GroupStates:
    """Derive what became of each group of a run: the one place that turns the ledger's facts into states.

    `kept` is what `RunStore.run_table` returns; lists are in its order. A group that this run did not send takes its
    state from the plan's action, or from what the ledger has of it from elsewhere. What `RunStore.run_facts` returns
    will do where words are not asked for: each row is a kind of groups then. Once the run is `over`, a group that
    is still being sent is unknown, unless its owner is among the `living`: whoever sent it left no outcome.
    """

    def __init__(self, kept: pd.DataFrame, *, over: bool = True, living: Collection[str] = ()) -> None:
        self.kept, self._over, self._living = kept, over, living
        # Row by row: as quick as whole columns for thousands of groups, and five times quicker for a few.
        self._outcomes = [self._outcome(cells) for cells in self._rows(*_FACTS)]
        self.states = [State(state) for state, _, _ in self._outcomes]

    def _rows(self, *names: str) -> Iterator[tuple[str, ...]]:
        return zip(*(self.kept[name].tolist() for name in names), strict=True)

    def _outcome(self, facts: tuple[str, ...]) -> tuple[str, str, str]:
        """Return `state reason advice` of a group from its `_FACTS`."""
        state, reason, advice, owner, action, before, why, run = facts
        elsewhere, alive = f"{before} in run {run}", owner in self._living
        if state == State.SENDING and self._over and not alive:
            return State.UNKNOWN, "sent, and what became of it was not recorded", f"It is not known. {_RECONCILE_FIRST}"
        if state:
            return state, reason, advice
        if action == Action.EXISTS:
            return State.EXISTS, why, _THERE
        if action == Action.IN_DOUBT and GONE in why and before != State.PLANNED:
            return State.UNKNOWN, why, "Nothing was sent. make_plan(..., recreate=True) makes it again."
        if before in State.UNRESOLVED and action == Action.IN_DOUBT:
            return State.UNKNOWN, why, _UNRESOLVED
        if before == State.SENDING and alive:
            return State.SENDING, elsewhere, "Another run sends it."
        if before in State.UNRESOLVED:
            return State.UNKNOWN, elsewhere, _UNRESOLVED
        if before in State.PRESENT:
            return State.EXISTS, elsewhere, _THERE
        if action == Action.SENDING:
            return (State.PLANNED, "not sent", "Another run gave it back unsent. Plan again, and submit it.")
        return State.PLANNED, "not sent", "Submit the plan again: it goes on here."

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row for each group: API columns, `state status reason advice row at created_in`.

        `created_in` is the run that created it, this one or an earlier one, "" where nobody with this ledger has.
        """
        names = (*API_COLUMNS, "state", "status", "reason", "advice", "row", "at")
        columns: dict[str, Any] = {name: self.kept[name] for name in names}
        for at, name in enumerate(("state", "reason", "advice")):
            columns[name] = [str(outcome[at]) for outcome in self._outcomes]
        columns["reason"] = list(map(str.__add__, columns["reason"], self._sent_otherwise()))
        columns["created_in"] = [run if before == State.CREATED else "" for before, run in self._rows("before", "run")]
        table = pd.DataFrame(columns)
        return table if len(table) else table.astype(object)  # lists of nothing would be numbers

    def _sent_otherwise(self) -> Iterator[str]:
        """Yield how each group that another run has met since it was planned differs, "" if it does not.

        From what it was asked for there, and from what that run found. What was there before is compared by the plan,
        with the account.
        """
        asked = self._rows("quantity", "displayNum", "phoneName")
        sent = self._rows("sent_quantity", "sent_display_num", "sent_phone_name")
        known = self._rows("action", "before", "newest_reason")
        for now_is, then, outcome, (action, before, found) in zip(asked, sent, self._outcomes, known, strict=True):
            elsewhere = outcome[0] == State.EXISTS and before in State.PRESENT and action != Action.EXISTS
            pairs = zip(now_is, then, ("phones", "display number", "phone name"), strict=True)
            differing = [f"{what} {there}, {here}{DIFFERS}" for here, there, what in pairs if here != there]
            differing += [found] if before == State.EXISTS and DIFFERS in found else []
            differing += [f"not all phones that it{DIFFERS}"] if before == State.PARTIAL and not differing else []
            yield f": {'; '.join(differing)}" if elsewhere and differing else ""

    @property
    def totals(self) -> pd.DataFrame:
        """How many groups and phones there are, `state groups quantity`, of what `RunStore.run_facts` returns."""
        return self.kept[["groups", "quantity"]].assign(state=[str(state) for state in self.states])

    @cached_property
    def known(self) -> list[str]:
        """The state that the ledger has of each group, from this run or another; "" where it has none."""
        return [state or before for state, before in self._rows("state", "before")]

    @cached_property
    def to_send(self) -> list[int]:
        """Positions of what is to be sent: planned, refused for what the operator has mended since, or held elsewhere.

        What another run is sending now may come back unsent, so this run asks for it all the same.
        """
        facts = enumerate(zip(self.states, self._rows("status", "action", "before", "state"), strict=True))
        return [at for at, (state, cells) in facts if _is_to_send(state, *cells)]

    @property
    def finished(self) -> bool:
        """Whether nothing is left to be sent or resolved."""
        return not self.to_send and State.UNRESOLVED.isdisjoint(self.known)


def _is_to_send(state: State, status: str, action: str, before: str, here: str) -> bool:
    if before == State.SENDING and not here:
        return action == Action.CREATE
    mended = state is State.REFUSED and status in _MENDABLE
    return action in (Action.CREATE, Action.EXISTS) and (state is State.PLANNED or mended)


class RunProgress:
    """Track the state and newest receipt of each group during a run, whoever writes them. The ledger has the truth.

    `states` and `newest` are by position; `seen` is the last receipt taken over. `mended` are positions that were
    refused for what the operator has mended since, as long as nobody has written a newer receipt of them.
    """

    def __init__(self, states: GroupStates) -> None:
        self._counting = threading.Lock()
        self.refresh(states)
        self.mended = {at for at in states.to_send if states.states[at] is State.REFUSED}

    def refresh(self, states: GroupStates) -> None:
        """Begin anew with what the ledger has of each group."""
        with self._counting:
            self.states = list(states.states)
            for at in states.to_send:  # also what another run holds: it may come back, and what is sent anew
                self.states[at] = State.PLANNED
            self.newest: list[int] = states.kept["newest"].tolist()
            self.seen = max(self.newest, default=0)
            self._counts = Counter(self.states)

    def learn(self, found: SyncResult, returned: Sequence[int]) -> None:
        """Take over what `RunStore.sync` has found; `returned` are positions that came back unsent."""
        with self._counting:
            for at in found.claimed:
                self._set(at, State.SENDING)
            for at in returned:
                self._set(at, State.PLANNED)
            for number, at, state in found.new_receipts:
                self._set(at, State(state))
                self.newest[at] = self.seen = number
                self.mended.discard(at)

    def _set(self, at: int, state: State) -> None:
        self._counts[self.states[at]] -= 1
        self._counts[state] += 1
        self.states[at] = state

    @property
    def counts(self) -> Counter[str]:
        """Number of groups by state."""
        with self._counting:
            return +Counter({str(state): number for state, number in self._counts.items()})

    @property
    def answered(self) -> int:
        """How many groups are neither to be sent nor unknown."""
        return sum(number for state, number in self.counts.items() if state in State.DONE)


def group_counts(table: pd.DataFrame) -> Counter[str]:
    """Return the number of groups by state; `table` has a row for each group, or says in `groups` how many."""
    if "groups" not in table:
        return Counter(table["state"])
    return Counter({str(state): int(number) for state, number in table.groupby("state")["groups"].sum().items()})


def differing_groups(state: pd.Series, reason: pd.Series) -> pd.Series:
    """Tell of each group whether it is there otherwise than it was asked for, beyond how the server writes it.

    `state` and `reason` are those of a run, or the actions and the `why` of a plan.
    """
    return (state == State.EXISTS) & reason.str.contains(DIFFERS, regex=False)


def why_nothing(counts: Counter[str]) -> str:
    """Return why a run sent nothing, as a sentence, from the number of its groups by state."""
    if not counts:
        return "Nothing was sent: the plan has no valid group."
    if set(counts) == {State.EXISTS}:
        words = "the group exists" if counts.total() == 1 else f"all {counts.total():,} groups exist"
        return f"Nothing was sent: {words} already."
    return "Nothing was sent: no group was left to create."


def all_as_asked(table: pd.DataFrame) -> bool:
    """Tell whether every group of a run's table is there as it was asked for, whoever created it."""
    is_there = table["state"].isin([State.CREATED, State.EXISTS])
    return bool((is_there & ~differing_groups(table["state"], table["reason"])).all())


def run_summary(
    table: pd.DataFrame, verified: int | None, note: str, *, over: bool, rows: int = 0, left_out: int = 0
) -> str:
    """Return what became of a run, as one line.

    `Done. Groups: 11 created (310 phones), 3 existed, 0 refused, 1 unknown, 0 not sent. Verified: 310 of 310
    phones.` It begins with `Running.` until the run is over, and with `Stopped.` where a group was not sent. Where
    `left_out` of the file's `rows` are not in the run, `14 of 61 rows left out.` follows. For `table` see
    `group_counts`; `quantity` is the number of phones.
    """
    states = group_counts(table)
    phones = int(table.loc[table["state"] == State.CREATED, "quantity"].sum())
    word = "Running." if not over else "Stopped." if states[State.PLANNED] else "Done."
    parts = [
        f"{states[State.CREATED]:,} created ({plural(phones, 'phone')})",
        f"{states[State.EXISTS]:,} existed",
        *([f"{states[State.PARTIAL]:,} partial"] if states[State.PARTIAL] else []),
        f"{states[State.REFUSED]:,} refused",
        f"{states[State.UNKNOWN]:,} unknown",
        *([f"{states[State.SENDING]:,} being sent by another process"] if over and states[State.SENDING] else []),
        f"{states[State.PLANNED]:,} not sent" if over else f"{sum(states[one] for one in State.PENDING):,} to go",
    ]
    seen = f" Verified: {verified:,} of {plural(phones, 'phone')}." if verified is not None else ""
    left = f" {left_out:,} of {plural(rows, 'row')} left out." if left_out else ""
    return f"{word} Groups: {', '.join(parts)}.{seen}{left}{' ' + note if note else ''}"


def choose_groups(kinds: GroupStates) -> Choice:
    """Choose the groups of a run that a cell shows, from what `RunStore.run_kinds` returns."""
    kept = kinds.kept
    places = [list(map(int, positions.split())) for positions in kept["positions"]]
    differ = [bool(one) for one in kept["differs"]]
    rows = zip(kinds.states, differ, places, strict=True)
    choice = choose(Kind(str(state), state is State.EXISTS and differs, found) for state, differs, found in rows)
    names = [*SHARED[:3], *(SHARED[3:] if all(kept["state"]) else ())]  # else their words are not the receipts'
    shared = {name for name in names if len({*kept[f"least_{name}"], *kept[f"most_{name}"]}) == 1}
    return replace(choice, shared=shared | ({"status"} if len({*kept["status"]}) == 1 else set()))


def show_text(summary: str, *tables: pd.DataFrame, end: str = "") -> str:
    """Return a summary line, tables and closing lines as text; what is empty is left out."""
    shown = [table_as_text(table) for table in tables if len(table)]
    return printable("\n\n".join(filter(None, [summary, *shown, end])))


def show_html(summary: str, *tables: pd.DataFrame, end: str = "", choice: Choice | None = None) -> str:
    """Return a summary line, tables and closing lines as HTML, all escaped; what is empty is left out.

    For `choice`, of the first table, see `view_of`.
    """
    shown = [table_as_html(table, None if at else choice) for at, table in enumerate(tables) if len(table)]
    closing = f"<p>{html_text(end)}</p>" if end else ""
    return html_block(f"<p><b>{html_text(summary)}</b></p>", *shown, closing)
