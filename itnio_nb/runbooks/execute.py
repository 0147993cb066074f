"""`itnio-nb run`: execute a notebook for people and schedulers, search and keep its record, return its exit code."""

from __future__ import annotations

import ast
import shlex
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nbformat.v4 import new_code_cell

from itnio_nb.api.account import Account
from itnio_nb.api.client import Client
from itnio_nb.api.models import now
from itnio_nb.errors import InputError
from itnio_nb.runbooks.outcome import MIME, Outcome, outcome_in
from itnio_nb.runbooks.page import write_page
from itnio_nb.runbooks.records import PendingRecord, SecretScanner, public_path, publish, unpublished_records
from itnio_nb.runbooks.runner import PARAMETERS_TAG, NotebookRunner, read_notebook, tagged_cells
from itnio_nb.workspace import open_ledger_for


@dataclass(frozen=True)
class RunbookJob:
    """What to run: a notebook, its parameters, the folder of records, and the account to work on."""

    notebook: Path
    parameters: Mapping[str, Any]
    records: Path
    account: Account
    command: Sequence[str]  # the words given after `itnio-nb`: the command that goes on is made of them


def run_runbook(job: RunbookJob, settings: Mapping[str, str], echo: Callable[[str], None]) -> int:
    """Execute a runbook, keep its record, and return its exit code; the last line echoed is the command that goes on.

    `settings` are added to the kernel's environment. Raises `InputError` for a notebook that cannot be read,
    parameters that it does not have, and a folder of records that cannot be written.
    """
    if job.parameters.get("apply"):
        echo(f"Should this be cut off, this goes on: {_command(job.command)}")
    with Client(job.account) as client:
        _publish_left(job.records, client, echo)
        notebook = read_notebook(job.notebook)
        _require_parameters(notebook, job)
        began = now()
        pending = PendingRecord(job.records, job.notebook.stem)
        try:
            notebook.cells.insert(0, new_code_cell(_heading_source(job)))  # type: ignore[no-untyped-call] # nbformat
            runner = NotebookRunner(echo)
            problem = runner.run(notebook, pending.path / job.notebook.name, job.parameters, settings)
            outputs = _complete(pending.path)
            failed = Outcome(6 if runner.interrupted else 1)
            outcome = failed if problem else outcome_in(outputs) or Outcome(0)
            scanner = SecretScanner(client, began, _applications(outputs, client))
            place, withheld = publish(pending.path, scanner)
        finally:
            pending.release()
    if problem:
        echo(problem)
    echo(f"Record: {place}" if place else withheld)
    if place is None and outcome.code == 0:
        outcome = Outcome(1)  # all went well, and there is no record to show for it
    echo(f"Exit code {outcome.code}: {outcome.words}.")
    echo(_next_command(outcome, job))
    return outcome.code


def _complete(folder: Path) -> list[dict[str, Any]]:
    """Write the page of a record from its notebook, and return the outputs of its cells, as far as it came."""
    outputs: list[dict[str, Any]] = []
    for path in folder.glob("*.ipynb"):
        with suppress(InputError, OSError, ValueError):  # cut off while it was written: it is the record as it is
            notebook = read_notebook(path)
            outputs += [output for cell in notebook.cells for output in cell.get("outputs", ())]
            write_page(notebook, public_path(folder).name, path.with_suffix(".html"))
    return outputs


def _publish_left(records: Path, client: Client, echo: Callable[[str], None]) -> None:
    """Search and publish the records of runs that were killed."""
    for path in unpublished_records(records):
        # No signature in a record is older than its oldest file by more than an hour.
        oldest = min((file.stat().st_mtime for file in path.rglob("*")), default=path.stat().st_mtime)
        applications = _applications(_complete(path), client)
        scanner = SecretScanner(client, datetime.fromtimestamp(oldest, UTC), applications)
        place, withheld = publish(path, scanner)
        echo(f"A record that was left behind: {place}" if place else withheld)


def _applications(outputs: Sequence[Mapping[str, Any]], client: Client) -> set[str]:
    """Return the applications whose phones' passwords to search for: those of the outcome, and of the ledger."""
    with open_ledger_for(client.account) as ledger:
        known = set(ledger.table_for(client.account)["appId"])
    outcomes = [output["data"].get(MIME, {}) for output in outputs if "data" in output]
    return known | {app_id for outcome in outcomes for app_id in outcome.get("applications", ())}


def _require_parameters(notebook: Any, job: RunbookJob) -> None:
    """Raise `InputError` for a parameter that the notebook does not have."""
    tagged = [notebook.cells[at] for at in tagged_cells(notebook, PARAMETERS_TAG)]
    if job.parameters and not tagged:
        raise InputError(f"{job.notebook.name} has no cell tagged `parameters`: it takes none.")
    known = {name for cell in tagged for name in _assigned(cell.source)}
    unknown = [name for name in job.parameters if name not in known]
    if unknown:
        own = ", ".join(sorted(known))
        raise InputError(f"{job.notebook.name} has no parameter {', '.join(unknown)}: it has {own}.")


def _assigned(source: str) -> set[str]:
    """Return the names that a cell assigns, several on a line included."""
    with suppress(SyntaxError):
        nodes = ast.parse(source).body
        targets = [target for node in nodes if isinstance(node, ast.Assign) for target in node.targets]
        targets += [node.target for node in nodes if isinstance(node, ast.AnnAssign)]
        names = [part for target in targets for part in (target.elts if isinstance(target, ast.Tuple) else [target])]
        return {name.id for name in names if isinstance(name, ast.Name)}
    return set()


def _heading_source(job: RunbookJob) -> str:
    files = [str(job.parameters[name]) for name in ("orders", "plan") if job.parameters.get(name)]
    return (
        "from itnio_nb import Account, Client\nfrom itnio_nb.runbooks.outcome import heading\n\n"
        f"heading(Client(Account.from_env()), {dict(job.parameters)!r}, {files!r})"
    )


def _next_command(outcome: Outcome, job: RunbookJob) -> str:
    apply = ["--apply"] if outcome.code == 2 else []
    return _command([*job.command, *apply] if outcome.code else ["run", "06-audit"])


def _command(words: Sequence[str]) -> str:
    return shlex.join(["itnio-nb", *words])
