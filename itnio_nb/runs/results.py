"""Results for people: tables with outcome and advice, the summary line, the result files."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Collection, Sequence
from html import escape
from pathlib import Path

import pandas as pd

from itnio_nb.api.models import API_COLUMNS, GONE, LIMITS, Action, PhoneGroup, State
from itnio_nb.api.statuses import STATUSES
from itnio_nb.api.text import plural, printable
from itnio_nb.errors import InputError
from itnio_nb.orders.export import as_csv, write_atomically
from itnio_nb.orders.models import RESULT_COLUMNS, SOURCE, Source

_SHOWN = 60  # rows that a cell shows; a longer table shows its beginning and its end
_LOOK_FIRST = "reconcile(client, ledger) looks and settles it; then plan again."
_UNSETTLED = (State.SENDING, State.UNKNOWN)
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


def outcome_table(groups: pd.DataFrame, *, over: bool = True, living: Collection[str] = ()) -> pd.DataFrame:
    """Return the groups of a run with what became of each: API columns, `state status reason advice row at created_in`.

    `groups` is what `RunStore.run_table` returns. A group that this run did not send takes its state from the
    plan's action, or from what the ledger had learnt of it elsewhere. `created_in` is the run that created it,
    this one or an earlier one, "" where nobody with this ledger has. Once the run is `over`, one that is
    still being sent is unknown, unless its owner is among the `living`: whoever sent it left no outcome.
    """
    state, action, before = groups["state"], groups["action"], groups["before"]
    elsewhere = before + " in run " + groups["run"]
    lost = (state == State.SENDING) & over & ~groups["owner"].isin(living)
    there = "Nothing was sent: the group is there."
    gone = (action == Action.IN_DOUBT) & groups["why"].str.contains(GONE, regex=False) & (before != State.PLANNED)
    unknown = (action == Action.IN_DOUBT) & before.isin(_UNSETTLED)
    elsewhere_now = (before == State.SENDING) & groups["owner"].isin(living)
    cases: list[tuple[pd.Series, State, str | pd.Series, str]] = [
        (lost, State.UNKNOWN, "sent, and what became of it was not recorded", f"It is not known. {_LOOK_FIRST}"),
        (action == Action.EXISTS, State.EXISTS, groups["why"], there),
        (gone, State.UNKNOWN, groups["why"], "Nothing was sent. make_plan(..., recreate=True) makes it again."),
        (unknown, State.UNKNOWN, groups["why"], f"Nothing was sent. {_LOOK_FIRST}"),
        (elsewhere_now, State.SENDING, elsewhere, "Another run sends it."),
        (before.isin(_UNSETTLED), State.UNKNOWN, elsewhere, f"Nothing was sent. {_LOOK_FIRST}"),
        (~before.isin(["", State.PLANNED, State.REFUSED]), State.EXISTS, elsewhere, there),
        (pd.Series(True, index=groups.index), State.PLANNED, "not sent", "Submit the plan again: it goes on here."),
    ]
    table = groups[[*API_COLUMNS, "state", "status", "reason", "advice", "row", "at"]].copy()
    table["created_in"] = groups["run"].where(before == State.CREATED, "")
    left = ((state == "") | lost).to_numpy(dtype=bool)
    for where, becomes, reason, advice in cases:
        hit = left & where.to_numpy(dtype=bool)
        left = left & ~hit
        table.loc[hit, "state"] = str(becomes)
        table.loc[hit, "reason"] = reason if isinstance(reason, str) else reason[hit]
        table.loc[hit, "advice"] = advice
    return table


def known_state(kept: pd.DataFrame) -> pd.Series[str]:
    """Return what the ledger knows of each group of a run, from this run or another."""
    return kept["state"].where(kept["state"] != "", kept["before"])


def left_to_send(kept: pd.DataFrame, table: pd.DataFrame) -> pd.Series[bool]:
    """Return which groups are to be sent: planned, or refused for what the operator has mended since."""
    mended = [status for status, meaning in STATUSES.items() if meaning.failure_scope]
    refused = (table["state"] == State.REFUSED) & table["status"].isin(mended)
    return ((table["state"] == State.PLANNED) | refused) & (kept["action"] != Action.IN_DOUBT)


def run_summary(table: pd.DataFrame, verified: int | None, note: str, *, over: bool) -> str:
    """Return the one line that says what became of a run.

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
        f"{states[State.PLANNED]:,} not sent" if over else f"{states[State.PLANNED] + states[State.SENDING]:,} to go",
    ]
    seen = f" Verified: {verified:,} of {plural(phones, 'phone')}." if verified is not None else ""
    return f"{word} Groups: {', '.join(parts)}.{seen}{' ' + note if note else ''}"


def lacking_phones(made: list[PhoneGroup], seen: list[int]) -> list[str]:
    """Return a sentence that names created groups whose phones are not all there, none if all are."""
    short = [
        f"{group.group_name} ({there} of {group.quantity})"
        for group, there in zip(made, seen, strict=True)
        if there < group.quantity
    ]
    if not short:
        return []
    named = ", ".join(short[:3]) + (", …" if len(short) > 3 else "")
    return [
        f"{plural(len(short), 'group')} {'lacks' if len(short) == 1 else 'lack'} phones that were created: {named}."
    ]


def why_nothing(states: pd.Series) -> str:
    """Return the sentence that says why a run sent nothing, from the states of its groups."""
    if states.empty:
        return "Nothing was sent: the plan has no valid group."
    if states.eq(State.EXISTS).all():
        words = "the group exists" if len(states) == 1 else f"all {len(states):,} groups exist"
        return f"Nothing was sent: {words} already."
    return "Nothing was sent: no group was left to create."


def next_step(table: pd.DataFrame) -> str:
    """Return what to do after a run, as lines of code: hand over what was created; "" where nothing was."""
    if not table["state"].eq(State.CREATED).any():
        return ""
    applications = table["appId"][table["created_in"] != ""].unique().tolist()
    lines = [
        f"export_credentials(client, {app_id!r}, run.table, {f'{stem}-phones.xlsx'!r})"
        for app_id, stem in file_stems(applications[:3]).items()
    ]
    more = [f"… and {plural(len(applications) - 3, 'more application')}"] if len(applications) > 3 else []
    why = "Next: hand the phones over to those who configure the handsets; the file holds their passwords."
    return "\n".join([why, *lines, *more])


def file_stems(applications: Sequence[str]) -> dict[str, str]:
    """Return for each application id what a file of it can be called: no two the same, whatever stands in them."""
    stems: dict[str, str] = {}
    for app_id in applications:
        stem = re.sub(r"[^0-9A-Za-z-]", "_", app_id)
        stems[app_id] = stem if stem not in stems.values() else f"{stem}-{len(stems) + 1}"
    return stems


def show_text(summary: str, *tables: pd.DataFrame, end: str = "") -> str:
    """Return a summary line, tables and closing lines as text; what is empty is left out."""
    with pd.option_context("display.unicode.east_asian_width", True):
        shown = [table.to_string(index=False, max_rows=_shown(table)) for table in tables if len(table)]
    return printable("\n\n".join([summary, *shown, *([end] if end else [])]))


def show_html(summary: str, *tables: pd.DataFrame, end: str = "") -> str:
    """Return a summary line, tables and closing lines as HTML, all escaped; what is empty is left out."""
    with pd.option_context("display.max_colwidth", None):
        shown = [
            table.to_html(index=False, max_rows=_shown(table), notebook=True, show_dimensions=len(table) > _SHOWN)
            for table in tables
            if len(table)
        ]
    return "\n".join([f"<p><b>{escape(summary)}</b></p>", *shown, *([f"<pre>{escape(end)}</pre>"] if end else [])])


def _shown(table: pd.DataFrame) -> int | None:
    return None if len(table) <= _SHOWN else 20


def order_outcomes(orders: pd.DataFrame, findings: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Return what became of each order, indexed by row: the result columns `itnio_row` … `itnio_sent_at`.

    An order takes the worst state of its groups; one with an error is `invalid`; one that had no group in
    the run is `not sent`.
    """
    outcomes = pd.DataFrame(index=orders.index, columns=list(RESULT_COLUMNS[1:]), dtype=object)
    outcomes[:] = ""
    outcomes["itnio_state"], outcomes["itnio_reason"] = "not sent", "not part of this run"
    worst = _worst_groups(_with_the_rest(orders, table))
    rows = worst.index.intersection(orders.index)
    for column, source in zip(RESULT_COLUMNS[1:], ("state", "status", "reason", "advice", "at"), strict=True):
        outcomes.loc[rows, column] = worst.loc[rows, source]
    errors = findings[findings["severity"] == "error"]
    told = errors["column"] + " " + errors["problem"]
    for column, texts, joint in (("itnio_reason", told, "; "), ("itnio_advice", errors["advice"], " ")):
        joined = texts.groupby(errors["row"]).agg(lambda several: list(dict.fromkeys(several))).str.join(joint)
        outcomes.loc[joined.index, column] = joined
    outcomes.loc[errors["row"].unique(), "itnio_state"] = "invalid"
    outcomes.insert(0, "itnio_row", outcomes.index)
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
) -> dict[str, Path]:
    """Write the six result files of a run and return their paths by kind (`created` … `invalid`).

    Every order is in exactly one of them, with all its original columns in their order and ours behind. UTF-8
    with a byte order mark, every field quoted, cells that a spreadsheet would run as a formula behind an
    apostrophe (`read_orders` takes it away again). Raises `InputError` where the folder cannot be written.
    """
    outcomes = order_outcomes(orders, findings, table)
    source: Source = orders.attrs[SOURCE]
    full = pd.concat([orders[list(source.columns)], outcomes], axis=1)
    full.columns = pd.Index([*source.headers, *RESULT_COLUMNS])
    folder = Path(folder)
    paths = {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for kind, states in _FILES.items():
            paths[kind] = folder / f"{run}-{kind}.csv"
            write_atomically(paths[kind], as_csv(full[outcomes["itnio_state"].isin(states)]))
    except OSError as error:
        raise InputError(
            f"The result files cannot be written to {folder} ({error.strerror}): choose another folder."
        ) from None
    return paths
