"""The six result files of a run: what became of each order."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

from itnio_nb.api.models import LIMITS, State
from itnio_nb.errors import InputError
from itnio_nb.orders.export.files import WrittenFiles, write_atomically
from itnio_nb.orders.export.tables import as_csv
from itnio_nb.orders.models import RESULT_COLUMNS, SOURCE, Source

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


def order_outcomes(orders: pd.DataFrame, findings: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Return what became of each order, indexed by row: the result columns `itnio_row` … `itnio_sent_at`.

    An order takes the worst state of its groups; one with an error is `invalid`, one without groups is `not sent`.
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

    Every order is in exactly one of them, with all its original columns in their order and ours behind; see `as_csv`.
    Raises `InputError` where the folder cannot be written.
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
        words = f"The result files cannot be written to {folder} ({error.strerror}): choose another folder."
        raise InputError(words) from None
    return WrittenFiles(paths, {kind: len(part) for kind, part in parts.items()}, "order")
