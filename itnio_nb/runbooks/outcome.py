"""How a runbook ended, as an exit code and in words; a runbook's plan, from its parameters."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from os import PathLike
from pathlib import Path
from typing import Any

import pandas as pd

from itnio_nb.api.models import Action, State
from itnio_nb.api.text import plural
from itnio_nb.errors import InputError
from itnio_nb.orders.check import invalid_rows
from itnio_nb.orders.formats.settings import RUNBOOK, settings_named
from itnio_nb.orders.read import read_orders
from itnio_nb.runs.plan import Plan
from itnio_nb.runs.results import differing_groups
from itnio_nb.runs.run import RunRecord
from itnio_nb.runs.submit import DryRun
from itnio_nb.workspace import Workspace

# The output of a notebook that the runner, or a scheduler, reads its exit code from.
MIME = "application/vnd.itnio-nb.outcome+json"
RECORDED = "itnio_nb"  # where the metadata of a record have what `itnio-nb run` has made of it

# Where several hold, the first in this order counts.
CODES = {
    1: "could not run",
    6: "stopped, some groups were not sent",
    5: "some groups are unknown",
    4: "some groups were refused, created in part, or are not as asked for",
    3: "all valid groups are there, some rows are invalid",
    2: "dry run, with changes to make",
    0: "nothing is left to do: all that was asked for is there",
}
NO_CONCLUSION = "the notebook came to its end without a conclusion: let its last line be runbook_outcome(plan, run)"
_NO_ORDERS = "nothing was asked for: the orders have no rows"
_NO_VALID_ROW = "nothing can be created: no row of the orders is valid"


@dataclass(frozen=True)
class Outcome:
    """The exit code of a runbook and its words: the last value of the notebook, for people and for the runner."""

    code: int
    summary: str = ""
    applications: tuple[str, ...] = ()  # the passwords of their phones must not be in the record
    left: int | None = None  # phones that a run with --apply would create now, None where that is not known
    because: str = ""  # what else is to be said of the code

    @property
    def words(self) -> str:
        """What the exit code means, here."""
        return self.because or CODES[self.code]

    def __repr__(self) -> str:
        return f"Exit code {self.code}: {self.words}."

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        content = {**asdict(self), "words": self.words, "applications": list(self.applications)}
        return {MIME: content, "text/plain": repr(self)}


def runbook_orders(
    orders: str | PathLike[str],
    *,
    app_id: str | None = None,
    sheet: str | None = None,
    match: Mapping[str, str] | None = None,
    plan: str | PathLike[str] | None = None,
) -> pd.DataFrame:
    """Return the orders that the parameters of a runbook ask for: those of a saved `plan`, else of a spreadsheet.

        wanted = runbook_orders("phones.xlsx")
        ws.reconcile(app_ids=wanted["appId"], unknown_only=True)

    `app_id` is the application of all rows of a spreadsheet that has no such column, `sheet` the name of the sheet to
    be read, if not the one that is found, `match` the headers of columns that are not recognised. Raises `InputError`
    for what cannot be read.
    """
    if plan is not None:
        return Plan.load(plan).orders
    with settings_named(RUNBOOK):
        return read_orders(orders, sheet=sheet, match=match, constants=None if app_id is None else {"appId": app_id})


def runbook_plan(
    workspace: Workspace,
    orders: pd.DataFrame | str | PathLike[str],
    *,
    app_id: str | None = None,
    sheet: str | None = None,
    match: Mapping[str, str] | None = None,
    plan: str | PathLike[str] | None = None,
    limit: int | None = None,
) -> Plan:
    """Return the plan that the parameters of a runbook ask for.

        runbook_plan(ws, "phones.xlsx")

    `orders`, `app_id`, `sheet` and `match`: as for `runbook_orders`, or what that has returned. A saved `plan` takes
    their place, and is executed as it is. `limit`: only the first so many groups to be created, a trial. Raises
    `InputError` for what cannot be read, and what `make_plan` raises.
    """
    if plan is not None:
        made = Plan.load(plan)
    elif isinstance(orders, pd.DataFrame):
        made = workspace.plan(orders)
    else:
        made = workspace.plan(runbook_orders(orders, app_id=app_id, sheet=sheet, match=match))
    return made if limit is None else made.first(limit)


def runbook_outcome(
    plan: Plan | None = None, run: RunRecord | None = None, report: pd.DataFrame | None = None
) -> Outcome:
    """Return the outcome of a plan and its run, judged on the groups of the plan alone.

        runbook_outcome(plan, run)          # as the last line of a runbook
        runbook_outcome(plan, run, report)  # with what `reconcile` has found since, which is the better proof
        runbook_outcome(plan)               # of a dry run
        runbook_outcome(report=report)      # of an audit: a table of `reconcile`, or of `preflight`

    Exit codes: 0 every order is there as asked · 1 there is no valid row · 2 dry run with changes to make · 3 all valid
    groups are there, some rows invalid · 4 some refused, partial or not as asked for; an audit found something · 5 some
    unknown, or not all that was created was seen · 6 some not sent: stopped, or left alone by a trial. Where several
    hold, the first of 1, 6, 5, 4, 3, 2, 0.
    """
    if plan is None:
        return _outcome_of_audit(report)
    applications = tuple(plan.whole_table["appId"].unique())
    invalid = len(invalid_rows(plan.findings))
    if invalid == len(plan.orders):
        return Outcome(1, plan.summary, applications, because=_NO_VALID_ROW if invalid else _NO_ORDERS)
    holds = {0, 3} if invalid else {0}
    rest, left = plan.whole_table.iloc[len(plan.groups) :], plan.phones
    if run is None or isinstance(run, DryRun):
        summary = plan.summary
        holds |= _holding(plan.whole_table, sends=False)
        holds -= {3} if 2 in holds else set()  # the valid groups are not there yet
        is_known = 5 not in holds
    else:
        summary, table = run.snapshot()
        holds |= _holding(rest, sends=True) | _states_holding(table)
        # What was refused is planned again: somebody may have mended what it was refused for.
        left = int(table.loc[table["state"].isin([*State.SENDABLE]), "quantity"].sum())
        holds |= {5} if not _proven(plan, run, report) else set()
        is_known = not set(table["state"]) & State.UNRESOLVED
    left += int(rest.loc[rest["action"] == Action.CREATE, "quantity"].sum())
    return Outcome(_first(holds), summary, applications, left if is_known else None)


def run_outcome(run: RunRecord) -> Outcome:
    """Return the outcome of a run by what the ledger has of it alone, with the codes of `runbook_outcome`.

    A trial is judged on its own groups: the rest of its orders is no part of it.
    """
    summary, table = run.snapshot()
    holds = {0} | _states_holding(table) | (set() if run.proven else {5})
    holds |= {3} if invalid_rows(run.orders[1]) else set()
    return Outcome(_first(holds), summary, tuple(table["appId"].unique()))


def _holding(planned: pd.DataFrame, *, sends: bool) -> set[int]:
    """Return the codes that hold of planned groups to which nothing was done."""
    actions = set(planned["action"])
    codes = {Action.IN_DOUBT: 5, Action.SENDING: 5, Action.CREATE: 6 if sends else 2}
    holds = {code for action, code in codes.items() if action in actions}
    return holds | ({4} if differing_groups(planned["action"], planned["why"]).any() else set())


def _states_holding(table: pd.DataFrame) -> set[int]:
    """Return the codes that hold of the groups of a run."""
    states = set(table["state"])
    holds = {6} if State.PLANNED in states else set()
    holds |= {5} if states & State.UNRESOLVED else set()
    failed = states & State.FAILED or differing_groups(table["state"], table["reason"]).any()
    return holds | ({4} if failed else set())


def _proven(plan: Plan, run: RunRecord, report: pd.DataFrame | None) -> bool:
    """Return whether every created phone of the plan was seen: by `reconcile`, or at the end of the run."""
    if report is None:
        return run.proven
    planned = set(zip(plan.table["appId"], plan.table["groupName"], strict=True))
    ours = [key in planned for key in zip(report["appId"], report["groupName"], strict=True)]
    created = report[pd.Series(ours, report.index, dtype=bool) & (report["after"] == State.CREATED)]
    return bool((created["found"] >= created["asked"]).all())


def _outcome_of_audit(report: pd.DataFrame | None) -> Outcome:
    """Return what a table of `reconcile` or `preflight` means: 4 where it has found something."""
    if report is None:
        raise InputError("An outcome is that of a plan and its run, or of a report: runbook_outcome(plan, run).")
    if "result" in report:
        errors, found = int((report["result"] == "error").sum()), plural(len(report), "check")
        because = f"{plural(errors, 'error')} in {found}: see the advice"
        return Outcome(4, because, because=because) if errors else Outcome(0, found, because=f"{found}, no error")
    applications = tuple(report["appId"].unique())
    unknown = int((report["after"] == State.UNKNOWN).sum())
    differing = int((report["advice"] != "").sum())
    summary = f"{plural(len(report), 'group')} compared, {differing:,} to be looked at, {unknown:,} unknown"
    if unknown:
        return Outcome(5, summary, applications)
    if differing:
        return Outcome(4, summary, applications, because=f"ledger and account differ: {summary}")
    return Outcome(0, summary, applications, because=f"ledger and account agree: {summary}")


def _first(holds: set[int]) -> int:
    return next(code for code in CODES if code in holds)


def exit_code(notebook: str | PathLike[str]) -> int:
    """Return the exit code of an executed runbook; 1 where it did not come to its end, or to no conclusion.

        exit_code("records/20261125T020000Z-runbook/runbook.ipynb")

    For schedulers that run the notebook themselves, such as Apache Airflow's Papermill operator. Raises `InputError`
    for a file that is no executed notebook.
    """
    try:
        content = json.loads(Path(notebook).read_bytes())
        told = content.get("metadata", {}).get(RECORDED)
        outcome = _outcome_of(told) if told else outcome_in(content["cells"])
    except (AttributeError, OSError, ValueError, KeyError, TypeError) as error:
        problem = f"{notebook} is no executed notebook ({error}): give the one that the run has written."
        raise InputError(problem) from None
    return outcome.code


def outcome_in(cells: Sequence[Mapping[str, Any]]) -> Outcome:
    """Return the last outcome that cells show; after an error, or without one, it is exit code 1."""
    outputs = [(cell, output) for cell in cells for output in cell.get("outputs", ())]
    found = [output["data"][MIME] for _, output in outputs if MIME in output.get("data", {})]
    if any(output.get("output_type") == "error" and not _may_fail(cell) for cell, output in outputs):
        return Outcome(1)
    if not found:
        return Outcome(1, because=NO_CONCLUSION)
    return _outcome_of(found[-1])


def _outcome_of(content: Mapping[str, Any]) -> Outcome:
    names = {field.name for field in fields(Outcome)}
    told = {name: value for name, value in content.items() if name in names}
    return Outcome(**{**told, "code": int(told["code"]), "applications": tuple(told.get("applications", ()))})


def _may_fail(cell: Mapping[str, Any]) -> bool:
    """Return whether an error of a cell ends no notebook, by Jupyter's convention."""
    return "raises-exception" in cell.get("metadata", {}).get("tags", ())
