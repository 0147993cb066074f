"""A runbook's plan, from its parameters; its end, as an exit code and in words; the heading that says who ran what."""

from __future__ import annotations

import getpass
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from importlib.metadata import version
from os import PathLike
from pathlib import Path
from typing import Any

import pandas as pd

from itnio_nb.api.client import Client
from itnio_nb.api.models import Action, State, now
from itnio_nb.errors import InputError
from itnio_nb.orders.check import invalid_rows
from itnio_nb.orders.read import read_orders
from itnio_nb.runs.plan import Plan
from itnio_nb.runs.results import show_html
from itnio_nb.runs.run import RunRecord
from itnio_nb.runs.submit import DryRun
from itnio_nb.workspace import Workspace

# The output of a notebook that the runner, or a scheduler, reads its exit code from.
MIME = "application/vnd.itnio-nb.outcome+json"

# Where several hold, the first in this order counts.
CODES = {
    1: "could not run",
    6: "stopped, some groups were not sent",
    5: "some groups are unknown",
    4: "some groups were refused, or created in part",
    3: "all valid groups are there, some rows are invalid",
    2: "dry run, with changes to make",
    0: "nothing is left to do: all that was asked for is there",
}
_VERSIONS = ("itnio-nb", "pandas", "requests", "SQLAlchemy", "nbclient")


@dataclass(frozen=True)
class Outcome:
    """The exit code of a runbook and its words: the last value of the notebook, for people and for the runner."""

    code: int
    summary: str = ""
    applications: tuple[str, ...] = ()  # the passwords of their phones must not be in the record

    @property
    def words(self) -> str:
        """What the exit code means."""
        return CODES[self.code]

    def __repr__(self) -> str:
        return f"Exit code {self.code}: {self.words}."

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        content = {**asdict(self), "words": self.words, "applications": list(self.applications)}
        return {MIME: content, "text/plain": repr(self)}


def runbook_plan(
    workspace: Workspace,
    orders: str | PathLike[str],
    *,
    app_id: str | None = None,
    plan: str | PathLike[str] | None = None,
    limit: int | None = None,
) -> Plan:
    """Return the plan that the parameters of a runbook ask for.

        runbook_plan(ws, "phones.xlsx")

    `orders` is a spreadsheet, `app_id` the application of all its rows where it has no such column. A saved `plan`
    takes the place of both, and is executed as it is. `limit`: only the first so many groups to be created, a trial.
    Raises `InputError` for what cannot be read, and what `make_plan` raises.
    """
    if plan is not None:
        made = Plan.load(plan)
    else:
        made = workspace.plan(read_orders(orders, constants=None if app_id is None else {"appId": app_id}))
    return made if limit is None else made.first(limit)


def runbook_outcome(plan: Plan, run: RunRecord | None = None, report: pd.DataFrame | None = None) -> Outcome:
    """Return the outcome of a plan and its run.

        runbook_outcome(plan, run)          # as the last line of a runbook
        runbook_outcome(plan, run, report)  # with what `reconcile` has found since, which is the better proof
        runbook_outcome(plan)               # of a dry run

    Exit codes: 0 nothing is left to do · 2 dry run with changes to make · 3 all valid groups are there, some rows
    invalid · 4 some refused or partial · 5 some unknown, or not all that was created was seen · 6 stopped, some not
    sent. Where several hold, the first of 6, 5, 4, 3, 2, 0.
    """
    holds = {0}
    applications = tuple(plan.orders["appId"].unique())
    if len(invalid_rows(plan.findings)):
        holds.add(3)
    if run is None or isinstance(run, DryRun):
        actions = set(plan.table["action"])
        codes = {Action.IN_DOUBT: 5, Action.SENDING: 5, Action.CREATE: 2}
        holds |= {code for action, code in codes.items() if action in actions}
        if 2 in holds:
            holds.discard(3)  # the valid groups are not there yet
        return Outcome(_first(holds), plan.summary, applications)
    summary, table = run.snapshot()
    states = set(table["state"])
    holds |= {6} if State.PLANNED in states else set()
    holds |= {5} if states & State.UNRESOLVED or not _proven(run, report) else set()
    holds |= {4} if states & State.FAILED else set()
    return Outcome(_first(holds), summary, applications)


def _proven(run: RunRecord, report: pd.DataFrame | None) -> bool:
    """Return whether every created phone was seen: by `reconcile`, or at the end of the run."""
    if report is None:
        return run.proven
    created = report[report["after"] == State.CREATED]
    return bool((created["found"] >= created["asked"]).all())


def _first(holds: set[int]) -> int:
    return next(code for code in CODES if code in holds)


def exit_code(notebook: str | PathLike[str]) -> int:
    """Return the exit code of an executed runbook; 1 where it did not come to its end.

        exit_code("records/20261125T020000Z-runbook/runbook.ipynb")

    For schedulers that run the notebook themselves, such as Apache Airflow's Papermill operator. Raises `InputError`
    for a file that is no executed notebook.
    """
    try:
        content = json.loads(Path(notebook).read_bytes())
        outcome = outcome_in([output for cell in content["cells"] for output in cell.get("outputs", ())])
    except (AttributeError, OSError, ValueError, KeyError, TypeError) as error:
        problem = f"{notebook} is no executed notebook ({error}): give the one that the run has written."
        raise InputError(problem) from None
    return outcome.code if outcome else 1


def outcome_in(outputs: Sequence[Mapping[str, Any]]) -> Outcome | None:
    """Return the last outcome among the outputs of cells, None without one; after an error it is exit code 1."""
    if any(output.get("output_type") == "error" for output in outputs):
        return Outcome(1)
    found = [output["data"][MIME] for output in outputs if MIME in output.get("data", {})]
    return Outcome(int(found[-1]["code"]), str(found[-1]["summary"])) if found else None


@dataclass(frozen=True)
class Heading:
    """Who ran what, when, on which file and with which versions: the first output of a record."""

    rows: Mapping[str, str]

    def __repr__(self) -> str:
        width = max(map(len, self.rows))
        return "\n".join(f"{name:{width}}  {text}" for name, text in self.rows.items())

    def _repr_html_(self) -> str:
        return show_html("Record of a run", pd.DataFrame(self.rows.items(), columns=["what", "is"]))


def heading(client: Client, parameters: Mapping[str, object], files: Sequence[str] = ()) -> Heading:
    """Return the heading of a record: account (last four of its key), user, time, SHA-256 of files, versions."""
    account, time = client.account, now()
    rows = {"account": f"…{account.api_key[-4:]} at {account.base_url}", "user": f"{_user()} on {platform.node()}"}
    rows["began"] = f"{time:%Y-%m-%d %H:%M:%S} UTC, {time.astimezone():%Y-%m-%d %H:%M:%S %Z} here"
    for name in files:
        data = Path(name).read_bytes() if Path(name).is_file() else None
        digest = "is not there" if data is None else f"SHA-256 {sha256(data).hexdigest()}, {len(data):,} bytes"
        rows[f"file {name}"] = digest
    rows |= {f"parameter {name}": repr(value) for name, value in parameters.items()}
    versions = "".join(f"{name} {version(name)}, " for name in _VERSIONS)
    return Heading(rows | {"versions": f"{versions}Python {platform.python_version()}"})


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user may have no name
        return "an unknown user"
