"""`itnio-nb run`: a notebook executed for people and schedulers, its record searched and kept, its exit code told."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import nbformat

from itnio_nb.api.account import Account
from itnio_nb.api.client import Client
from itnio_nb.api.models import now
from itnio_nb.errors import InputError
from itnio_nb.runbooks.outcome import MIME, Outcome, outcome_in
from itnio_nb.runbooks.records import PendingRecord, SecretScanner, publish, unpublished_records
from itnio_nb.sandbox.sandbox import Sandbox
from itnio_nb.workspace import open_ledger_for

_PARAMETERS = "parameters"  # the tag of the cell whose values are overruled


@dataclass(frozen=True)
class RunbookJob:
    """What is to be run: a notebook, its parameters, where its record goes, and the account that it works on."""

    notebook: Path
    parameters: Mapping[str, Any]
    records: Path
    account: Account
    command: Sequence[str]  # as it was given: what goes on is told from it


def require_papermill() -> None:
    """Raise `InputError` where what executes runbooks is not installed."""
    if any(find_spec(name) is None for name in ("papermill", "nbconvert", "matplotlib")):
        raise InputError('Papermill is not installed: pip install "itnio-nb[runbook]", then start this again.')


def run_runbook(job: RunbookJob, settings: Mapping[str, str], tell: Callable[[str], None]) -> int:
    """Execute a runbook, keep its record, and return its exit code; the last line told is the command that goes on."""
    from itnio_nb.runbooks.runner import NotebookRunner, read_notebook

    if job.parameters.get("apply"):
        tell(f"Should this be cut off, this goes on: {_command(job.command)}")
    with Client(job.account) as client:
        _take_up_what_was_left(job.records, client, tell)
        notebook = read_notebook(job.notebook)
        _require_parameters(notebook, job)
        began = now()
        private = PendingRecord(job.records, job.notebook.stem)
        try:
            output = private.path / job.notebook.name
            notebook.cells.insert(0, nbformat.v4.new_code_cell(_heading_of(job)))  # type: ignore[no-untyped-call] # nbformat
            runner = NotebookRunner(tell, private.path / ".progress")
            problem = runner.run(notebook, output, job.parameters, settings)
            (private.path / ".progress").unlink(missing_ok=True)
            outcome = _outcome_of(output, problem, interrupted=runner.interrupted)
            _finish(private.path, private.name)
            scanner = SecretScanner(client, began, _applications(output, client))
            place, withheld = publish(private.path, job.records, private.name, scanner)
        finally:
            private.release()
    if problem:
        tell(problem)
    tell(f"Record: {place}" if place else withheld)
    if place is None and outcome.code == 0:
        outcome = Outcome(1)  # all went well, and there is no record to show for it
    tell(f"Exit code {outcome.code}: {outcome.words}.")
    tell(_goes_on(outcome, job))
    return outcome.code


def _outcome_of(notebook: Path, problem: str, *, interrupted: bool) -> Outcome:
    outputs = [output for cell in _cells(notebook) for output in cell.get("outputs", ())]
    ended = any(MIME in output.get("data", {}) for output in outputs)
    outcome = outcome_in(outputs) if ended or problem else Outcome(0)  # a notebook that concludes nothing
    if problem and interrupted:
        return Outcome(6)
    return Outcome(1) if problem else outcome


def _cells(notebook: Path) -> list[dict[str, Any]]:
    try:
        cells: list[dict[str, Any]] = json.loads(notebook.read_bytes())["cells"]
    except (OSError, ValueError, KeyError):
        return []  # it never began
    return cells


def _finish(folder: Path, title: str) -> None:
    """Write the page of a record, from its notebook as far as it came."""
    from itnio_nb.runbooks.page import write_page
    from itnio_nb.runbooks.runner import read_notebook

    for path in folder.glob("*.ipynb"):
        try:
            write_page(read_notebook(path), title, path.with_suffix(".html"))
        except (InputError, OSError, ValueError):
            continue  # one that was cut off: the notebook alone is the record


def _take_up_what_was_left(records: Path, client: Client, tell: Callable[[str], None]) -> None:
    """Search and move the records of runs that were killed."""
    for name, path in unpublished_records(records):
        (path / ".progress").unlink(missing_ok=True)
        _finish(path, name)
        applications = {app for notebook in path.glob("*.ipynb") for app in _applications(notebook, client)}
        place, withheld = publish(path, records, name, SecretScanner(client, _day_of(path), applications))
        tell(f"A record that was left behind: {place}" if place else withheld)


def _day_of(path: Path) -> datetime:
    """Return when the oldest file of a record was written: no signature in it is older by more than an hour."""
    oldest = min((file.stat().st_mtime for file in path.rglob("*")), default=path.stat().st_mtime)
    return datetime.fromtimestamp(oldest, UTC)


def _applications(notebook: Path, client: Client) -> set[str]:
    """Return the application ids that a runbook has told of, and all that the ledger knows.

    Their phones' passwords are searched for.
    """
    with open_ledger_for(client.account) as ledger:
        known = set(ledger.account_table(client.account)["appId"])
    told = [
        output["data"].get(MIME, {})
        for cell in _cells(notebook)
        for output in cell.get("outputs", ())
        if "data" in output
    ]
    return known | {app for outcome in told for app in outcome.get("applications", ())}


def _require_parameters(notebook: Any, job: RunbookJob) -> None:
    tagged = [cell for cell in notebook.cells if _PARAMETERS in cell.metadata.get("tags", ())]
    if job.parameters and not tagged:
        raise InputError(f"{job.notebook.name} has no cell tagged `parameters`: it takes none.")
    known = {line.split("=")[0].strip() for cell in tagged for line in cell.source.splitlines() if "=" in line}
    unknown = [name for name in job.parameters if name not in known]
    if unknown:
        raise InputError(
            f"{job.notebook.name} has no parameter {', '.join(unknown)}: it has {', '.join(sorted(known))}."
        )


def _heading_of(job: RunbookJob) -> str:
    files = [str(job.parameters[name]) for name in ("orders", "plan") if job.parameters.get(name)]
    given = dict(job.parameters)
    return (
        "from itnio_nb import Account, Client\nfrom itnio_nb.runbooks.outcome import heading\n\n"
        f"heading(Client(Account.from_env()), {given!r}, {files!r})"
    )


def _goes_on(outcome: Outcome, job: RunbookJob) -> str:
    """Return the command that goes on from here."""
    if outcome.code == 0:
        return _command(["run", "06-audit"])
    return _command([*job.command, *(["--apply"] if outcome.code == 2 else [])])


def _command(words: Sequence[str]) -> str:
    return shlex.join(["itnio-nb", *words])


@contextmanager
def kept_sandbox(folder: Path) -> Iterator[Sandbox]:
    """Serve the sandbox of a folder: its phones, its key and, if it is free, its port are those of the last time."""
    folder.mkdir(parents=True, exist_ok=True)
    remembered = folder / "sandbox.port"
    try:
        port = int(remembered.read_text())
    except (OSError, ValueError):
        port = 0
    try:
        sandbox = Sandbox(port, file=folder / "sandbox.db").start()
    except OSError:
        sandbox = Sandbox(file=folder / "sandbox.db").start()
    try:
        remembered.write_text(sandbox.base_url.rsplit(":", 1)[1].split("/")[0])
        yield sandbox
    finally:
        sandbox.stop()
