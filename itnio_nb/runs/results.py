"""Results of a run: each group's state, derived in one place; the summary line; the six files."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Collection, Sequence
from functools import cached_property
from html import escape
from pathlib import Path

import pandas as pd

from itnio_nb.api.models import API_COLUMNS, LIMITS, Action, State
from itnio_nb.api.statuses import STATUSES
from itnio_nb.api.text import plural, printable
from itnio_nb.errors import InputError
from itnio_nb.ledger.claims import SyncResult
from itnio_nb.orders.export import WrittenFiles, as_csv, max_rows, table_as_html, write_atomically
from itnio_nb.orders.models import RESULT_COLUMNS, SOURCE, Source

# What a plan writes of a group that was created once and that the account lacks. The ledger has no column for that:
# these words alone tell it apart from a group whose outcome is unknown.
GONE = "no longer in the account"
_RECONCILE_FIRST = "reconcile(client, ledger) looks and settles it; then plan again."
# Refusals whose cause lies outside of the group: once the operator has mended it, the group is sent again.
_MENDABLE = [status for status, info in STATUSES.items() if info.failure_scope]
# The worst first: an order takes the worst state of its groups.
_WORST = (State.UNKNOWN, State.PARTIAL, State.REFUSED, State.PLANNED, State.CREATED, State.EXISTS)
_FILES = {
    "created": (State.CREATED,),
    "existed": (State.EXISTS,),
    "refused": (State.REFUSED, State.PARTIAL),
    "unknown": (State.UNKNOWN,),
    "notsent": ("not sent",),
    "invalid": ("invalid",),
}


class GroupStates:
    """Derive what became of each group of a run: the one place that turns the ledger's facts into states.

    `kept` is what `RunStore.run_table` returns. A group that this run did not send takes its state from the plan's
    action, or from what the ledger has of it from elsewhere. Once the run is `over`, a group that is still being
    sent is unknown, unless its owner is among the `living`: whoever sent it left no outcome.
    """

    def __init__(self, kept: pd.DataFrame, *, over: bool = True, living: Collection[str] = ()) -> None:
        self.kept, self._living = kept, living
        self._lost = (kept["state"] == State.SENDING) & over & ~kept["owner"].isin(living)

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row for each group: API columns, `state status reason advice row at created_in`.

        `created_in` is the run that created it, this one or an earlier one, "" where nobody with this ledger has.
        """
        kept = self.kept
        table = kept[[*API_COLUMNS, "state", "status", "reason", "advice", "row", "at"]].copy()
        table["created_in"] = kept["run"].where(kept["before"] == State.CREATED, "")
        left = ((kept["state"] == "") | self._lost).to_numpy(dtype=bool)
        for where, state, reason, advice in self._unanswered():
            hit = left & where.to_numpy(dtype=bool)
            if hit.any():
                left = left & ~hit
                table.loc[hit, "state"] = str(state)
                table.loc[hit, "reason"] = reason if isinstance(reason, str) else reason[hit]
                table.loc[hit, "advice"] = advice
        return table

    def _unanswered(self) -> list[tuple[pd.Series, State, str | pd.Series, str]]:
        """Return the cases of a group without an outcome in this run, the first that holds counts."""
        action, before, why = self.kept["action"], self.kept["before"], self.kept["why"]
        in_doubt, unresolved = action == Action.IN_DOUBT, before.isin(State.UNRESOLVED)
        gone = in_doubt & why.str.contains(GONE, regex=False) & (before != State.PLANNED)
        elsewhere = before + " in run " + self.kept["run"]
        sent_by_another = (before == State.SENDING) & self.kept["owner"].isin(self._living)
        there, unknown = "Nothing was sent: the group is there.", f"Nothing was sent. {_RECONCILE_FIRST}"
        recreate = "Nothing was sent. make_plan(..., recreate=True) makes it again."
        lost = "sent, and what became of it was not recorded", f"It is not known. {_RECONCILE_FIRST}"
        not_sent = "not sent", "Submit the plan again: it goes on here."
        return [
            (self._lost, State.UNKNOWN, *lost),
            (action == Action.EXISTS, State.EXISTS, why, there),
            (gone, State.UNKNOWN, why, recreate),
            (in_doubt & unresolved, State.UNKNOWN, why, unknown),
            (sent_by_another, State.SENDING, elsewhere, "Another run sends it."),
            (unresolved, State.UNKNOWN, elsewhere, unknown),
            (~before.isin(["", *State.SENDABLE]), State.EXISTS, elsewhere, there),
            (pd.Series(True, index=before.index), State.PLANNED, *not_sent),
        ]

    @cached_property
    def known(self) -> pd.Series[str]:
        """The state that the ledger has of each group, from this run or another; "" where it has none."""
        return self.kept["state"].where(self.kept["state"] != "", self.kept["before"])

    @cached_property
    def to_send(self) -> pd.Series[bool]:
        """Whether a group is to be sent: planned, refused for what the operator has mended since, or held elsewhere.

        What another run is sending now may come back unsent, so this run asks for it all the same.
        """
        action, state = self.kept["action"], self.table["state"]
        mended = (state == State.REFUSED) & self.table["status"].isin(_MENDABLE)
        held = (self.kept["before"] == State.SENDING) & (self.kept["state"] == "") & (action == Action.CREATE)
        return (((state == State.PLANNED) | mended) & (action != Action.IN_DOUBT)) | held

    @property
    def finished(self) -> bool:
        """Whether nothing is left to be sent or resolved."""
        return not (self.to_send | self.known.isin(State.UNRESOLVED)).any()


class RunProgress:
    """Track the state and newest receipt of each group during a run, whoever writes them. The ledger has the truth.

    `states` and `newest` are by position; `seen` is the last receipt taken over. `mended` are positions that were
    refused for what the operator has mended since, as long as nobody has written a newer receipt of them.
    """

    def __init__(self, states: GroupStates) -> None:
        self._counting = threading.Lock()
        self.refresh(states)
        self.mended = {at for at in positions(states.to_send) if self.states[at] is State.REFUSED}

    def refresh(self, states: GroupStates) -> None:
        """Begin anew with what the ledger has of each group."""
        with self._counting:
            state = states.table["state"]
            planned = states.to_send & (state != State.REFUSED)  # also what another run holds: it may come back
            self.states = [State(one) for one in state.mask(planned, str(State.PLANNED))]
            self.newest = [int(newest) for newest in states.kept["newest"]]
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


def positions(chosen: pd.Series[bool]) -> list[int]:
    """Return where a column is True."""
    return chosen.to_numpy(dtype=bool).nonzero()[0].tolist()


def why_nothing(states: pd.Series) -> str:
    """Return why a run sent nothing, as a sentence, from the states of its groups."""
    if states.empty:
        return "Nothing was sent: the plan has no valid group."
    if states.eq(State.EXISTS).all():
        words = "the group exists" if len(states) == 1 else f"all {len(states):,} groups exist"
        return f"Nothing was sent: {words} already."
    return "Nothing was sent: no group was left to create."


def run_summary(table: pd.DataFrame, verified: int | None, note: str, *, over: bool) -> str:
    """Return what became of a run, as one line.

    `Done. Groups: 11 created (310 phones), 3 existed, 0 refused, 1 unknown, 0 not sent. Verified: 310 of 310
    phones.` It begins with `Running.` until the run is over, and with `Stopped.` where a group was not sent.
    """
    states = Counter(table["state"])
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
    return f"{word} Groups: {', '.join(parts)}.{seen}{' ' + note if note else ''}"


def show_text(summary: str, *tables: pd.DataFrame, end: str = "") -> str:
    """Return a summary line, tables and closing lines as text; what is empty is left out."""
    with pd.option_context("display.unicode.east_asian_width", True):
        shown = [table.to_string(index=False, max_rows=max_rows(table)) for table in tables if len(table)]
    return printable("\n\n".join([summary, *shown, *([end] if end else [])]))


def show_html(summary: str, *tables: pd.DataFrame, end: str = "") -> str:
    """Return a summary line, tables and closing lines as HTML, all escaped; what is empty is left out."""
    shown = [table_as_html(table) for table in tables if len(table)]
    return "\n".join([f"<p><b>{escape(summary)}</b></p>", *shown, *([f"<pre>{escape(end)}</pre>"] if end else [])])


def order_outcomes(orders: pd.DataFrame, findings: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Return what became of each order, indexed by row: the result columns `itnio_row` … `itnio_sent_at`.

    An order takes the worst state of its groups; one with an error is `invalid`; one that had no group in the run
    is `not sent`.
    """
    columns = list(RESULT_COLUMNS[1:])
    outcomes = pd.DataFrame("", index=orders.index, columns=columns, dtype=object)
    outcomes["itnio_state"], outcomes["itnio_reason"] = "not sent", "not part of this run"
    worst = _worst_groups(_with_the_rest(orders, table))
    rows = worst.index.intersection(orders.index)
    for column, source in zip(columns, ("state", "status", "reason", "advice", "at"), strict=True):
        outcomes.loc[rows, column] = worst.loc[rows, source]
    errors = findings[findings["severity"] == "error"]
    problems = errors["column"] + " " + errors["problem"]
    for column, texts, joint in (("itnio_reason", problems, "; "), ("itnio_advice", errors["advice"], " ")):
        joined = texts.groupby(errors["row"]).agg(lambda several: list(dict.fromkeys(several))).str.join(joint)
        outcomes.loc[joined.index, column] = joined
    outcomes.loc[errors["row"].unique(), "itnio_state"] = "invalid"
    outcomes.insert(0, RESULT_COLUMNS[0], outcomes.index)
    return outcomes


def _with_the_rest(orders: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Add the groups that the run's orders have and the run had not: a trial may end inside an order."""
    here = table.groupby("row").size()
    here = here[here.index.isin(orders.index)]
    lacking = -(-orders["quantity"][here.index].astype("int64") // LIMITS.group_max) - here
    rest = pd.DataFrame({"row": lacking.index.repeat(lacking.clip(lower=0))})
    words = {"status": "", "reason": "not part of this run", "advice": "Plan again, and submit it.", "at": ""}
    return pd.concat([table, rest.assign(state=str(State.PLANNED), **words)], ignore_index=True)


def _worst_groups(table: pd.DataFrame) -> pd.DataFrame:
    """Return one line for each row of the orders: its worst group, and how many groups share that state."""
    state = table["state"].replace(str(State.SENDING), str(State.UNKNOWN))
    rank = state.map({str(state): at for at, state in enumerate(_WORST)})
    ranked = table.assign(state=state, rank=rank).sort_values(["row", "rank"], kind="stable")
    size = ranked.groupby("row")["state"].transform("size")
    same = ranked.groupby(["row", "rank"])["state"].transform("size")
    some = size > 1
    ranked.loc[some, "reason"] = (same.astype(str) + " of " + size.astype(str) + " groups: " + ranked["reason"])[some]
    ranked["state"] = ranked["state"].replace(str(State.PLANNED), "not sent")
    return ranked.drop_duplicates("row").set_index("row")


def write_results(
    orders: pd.DataFrame, findings: pd.DataFrame, table: pd.DataFrame, folder: str | os.PathLike[str], run: str
) -> WrittenFiles:
    """Write the six result files of a run and return their paths by kind (`created` … `invalid`).

    Every order is in exactly one of them, with all its original columns in their order and ours behind. UTF-8 with
    a byte order mark, every field quoted, cells that a spreadsheet would run as a formula behind an apostrophe
    (`read_orders` takes it away again). Raises `InputError` where the folder cannot be written.
    """
    outcomes = order_outcomes(orders, findings, table)
    source: Source = orders.attrs[SOURCE]
    full = pd.concat([orders[list(source.columns)], outcomes], axis=1)
    full.columns = pd.Index([*source.headers, *RESULT_COLUMNS])
    folder = Path(folder)
    paths = {kind: folder / f"{run}-{kind}.csv" for kind in _FILES}
    parts = {kind: full[outcomes["itnio_state"].isin(states)] for kind, states in _FILES.items()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for kind, part in parts.items():
            write_atomically(paths[kind], as_csv(part))
    except OSError as error:
        raise InputError(
            f"The result files cannot be written to {folder} ({error.strerror}): choose another folder."
        ) from None
    return WrittenFiles(paths, {kind: len(part) for kind, part in parts.items()}, "order")
