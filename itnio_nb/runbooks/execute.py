"""`itnio-nb run`: execute a notebook for people and schedulers, search and keep its record, return its exit code."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pandas as pd
from nbformat.v4 import new_code_cell, new_markdown_cell

from itnio_nb.api.account.account import Account
from itnio_nb.api.account.secret import private_frames
from itnio_nb.api.client import Client
from itnio_nb.api.listing.parallel import for_each
from itnio_nb.api.models import State, now
from itnio_nb.api.text import html_block, html_text, plural
from itnio_nb.errors import InputError, ItnioError
from itnio_nb.ledger.ledger import Ledger
from itnio_nb.runbooks.interrupts import Interrupts
from itnio_nb.runbooks.outcome import CODES, RECORDED, Outcome, outcome_in
from itnio_nb.runbooks.page import write_page
from itnio_nb.runbooks.parameters import as_python, check_parameters, read_defaults, require_known
from itnio_nb.runbooks.records import LeftRecord, PendingRecord, left_records, public_path, publish
from itnio_nb.runbooks.runner import NotebookRunner, keep_what_is_executed, read_notebook, save_notebook
from itnio_nb.runbooks.secrets import SecretFinder
from itnio_nb.runs.run import newest_run
from itnio_nb.workspace import open_ledger_for

_CHECKED = ("apply", "confirm", "limit", "workers", "rate", "orders", "app_id", "sheet", "match", "plan")
_LISTED_AT_ONCE = 4  # applications
_MARGIN = timedelta(minutes=1)  # between a record's files and what the ledger has of its run
HAND_OVER = "Hand the phones over, accounts and passwords for those who configure the handsets:"
_MENDING = "Correct what it says, then run the same again:"


@dataclass(frozen=True)
class RunbookJob:
    """What to run: a notebook, its parameters, the folder of records, and the account to work on."""

    notebook: Path
    parameters: Mapping[str, Any]
    records: Path
    account: Account
    command: Sequence[str]  # its words, as it was called: the command that goes on is made of them


@private_frames
def run_runbook(job: RunbookJob, settings: Mapping[str, str], echo: Callable[[str], object]) -> int:
    """Execute a runbook, keep its record, and return its exit code; the last line echoed is the command that goes on.

    `settings` are added to the kernel's environment. Nothing secret is echoed. Raises `InputError` for a notebook that
    cannot be read, parameters that it does not have or that cannot be right, and folders that cannot be written, all
    before anything is asked.
    """
    notebook = read_notebook(job.notebook)
    _require_right(notebook, job)
    keep_what_is_executed(notebook)
    with Client(job.account) as client, open_ledger_for(job.account) as ledger:
        return _Execution(job, client, ledger, echo).run(notebook, settings)


def _require_right(notebook: Any, job: RunbookJob) -> None:
    """Raise `InputError` for parameters that the notebook does not have, or that cannot be right."""
    defaults = read_defaults(notebook)
    require_known(job.notebook.name, job.parameters, defaults)
    folder = job.parameters.get("results", defaults.get("results"))
    folders = [folder] if isinstance(folder, str) or "results" in job.parameters else []
    check_parameters(**{name: job.parameters[name] for name in _CHECKED if name in job.parameters}, folders=folders)


class _Execution:
    """One execution of a runbook: what it has found out so far."""

    def __init__(self, job: RunbookJob, client: Client, ledger: Ledger, echo: Callable[[str], object]) -> None:
        self._job, self._client, self._ledger = job, client, ledger
        self._began = now()
        self._finder = SecretFinder(job.account, self._began)
        self._newest = ledger.pages.newest_receipt()  # receipt before it began
        self._runs_before = ledger.runs_of(job.account).keys() - ledger.runs_of(job.account, unfinished=True).keys()
        self._passwords: dict[str, list[str] | ItnioError] = {}  # by application, listed once
        self._tell: Callable[[str], object] = lambda text: echo(self._finder.mask(text))
        self._interrupts = Interrupts(self._tell)
        self._stopping = Event()  # set by a signal while the records are searched

    def run(self, notebook: Any, settings: Mapping[str, str]) -> int:
        """Execute the notebook and keep its record; return the exit code."""
        with self._interrupts:
            pending = PendingRecord(self._job.records, self._job.notebook.stem, self._job.account)
            try:
                with self._interrupts.handled(self._stopping.set, self._stopping.set):
                    self._publish_left()
                problem = "Interrupted before the first cell." if self._stopping.is_set() else ""
                problem = problem or self._execute(notebook, settings, pending)
                with self._interrupts.handled(self._stopping.set, self._stopping.set):
                    outcome = self._judge(problem, pending.path / self._job.notebook.name)
                    _write_page(pending.path, self._tell)
                    place = self._keep(pending, outcome)
            finally:
                pending.release()
        if problem:
            self._tell(problem)
        if place is None and outcome.code == 0 and not self._interrupts.count:
            outcome = replace(outcome, code=1, because="all went well, and there is no record to show for it")
        self._tell(f"Exit code {outcome.code}: {outcome.words}.")
        for line in _next_lines(outcome, self._job) if outcome.code else self._hand_over_lines():
            self._tell(line)
        return outcome.code

    def _execute(self, notebook: Any, settings: Mapping[str, str], pending: PendingRecord) -> str:
        """Execute the notebook into its record; return what went wrong, in one line."""

        def note(app_id: str, passwords: list[str]) -> None:
            pending.add_application(app_id)
            self._finder.add_passwords(passwords)

        if self._job.parameters.get("apply") is True:
            self._tell(f"Should this be cut off, this goes on: {shlex.join(_without_number(self._job.command))}")
        notebook.cells.insert(0, new_code_cell(_heading_source(self._job)))  # type: ignore[no-untyped-call] # nbformat
        runner = NotebookRunner(self._tell, interrupts=self._interrupts, on_revealed=note)
        return runner.run(notebook, pending.path / self._job.notebook.name, self._job.parameters, settings)

    def _judge(self, problem: str, path: Path) -> Outcome:
        """Return how it ended, and write it into the record."""
        try:
            notebook = read_notebook(path)
        except InputError:  # a disk may have been full
            return self._outcome_by_ledger()
        outcome = self._outcome_by_ledger() if problem else outcome_in(notebook.cells)
        notebook.metadata[RECORDED] = asdict(outcome)
        if problem:
            # As HTML: in Markdown the words of a problem could be a link, a picture or a formula.
            words = html_block(f"<b>{html_text(outcome.words)}</b> (exit code {outcome.code}). {html_text(problem)}")
            notebook.cells.append(new_markdown_cell(words))  # type: ignore[no-untyped-call] # nbformat
        with suppress(OSError):
            save_notebook(notebook, path)
        return outcome

    def _hand_over_lines(self) -> list[str]:
        """Return the command that hands the phones of this run over, where there are any."""
        sent = self._since_it_began()["run"].mode().tolist()  # others may be at work on runs of their own
        names = sent or [one for one in self._runs() if one not in self._runs_before]
        run = newest_run(self._ledger, self._runs(), names[0]) if names else None
        if run is None or not run.table["created_in"].any():
            return []
        command = [self._job.command[0], "credentials", "--run", run.name]
        for name in ("--sandbox", "--profile"):
            command += _option(self._job.command, name)
        folder = self._job.parameters.get("results")
        return [HAND_OVER, shlex.join([*command, *(["--folder", str(folder)] if folder else [])])]

    def _runs(self) -> dict[str, int]:
        return self._ledger.runs_of(self._job.account)

    def _outcome_by_ledger(self) -> Outcome:
        """Return how it ended where the notebook has no conclusion: by what the ledger has since."""
        self._ledger.run_control.expire_claims()  # a kernel that was killed has left some
        since = self._since_it_began()
        created = since[since["state"] == State.CREATED]
        unknown = int(since["state"].isin([str(state) for state in State.UNRESOLVED]).sum())
        code = 6 if self._interrupts.count else 1
        words = "stopped before its end" if code == 6 else "could not go on"
        if since.empty:
            return Outcome(code, because=f"{words}: nothing was sent" if code == 6 else CODES[1])
        made = f"{plural(len(created), 'group')} ({plural(int(created['quantity'].sum()), 'phone')})"
        doubt = f", {unknown:,} unknown until the next run has looked" if unknown else ""
        return Outcome(code, because=f"{words}: {made} created before that{doubt}")

    def _since_it_began(self) -> pd.DataFrame:
        """Return the groups of this account of which the ledger has something newer, or that are being sent."""
        return self._ledger.pages.groups_since(self._job.account, self._newest)

    def _keep(self, pending: PendingRecord, outcome: Outcome) -> Path | None:
        """Search and publish the record, and tell where it is; None where it stays private."""
        place, why_not = None, f"The record stays in {pending.path}, and the next run searches it."
        if not self._stopping.is_set() and self._interrupts.count < 2:
            applications = {*outcome.applications, *pending.applications, *self._since_it_began()["appId"]}
            place, why_not = self._search(pending.path, self._finder, applications)
        self._tell(f"Record: {place}" if place else why_not)
        return place

    def _search(self, path: Path, finder: SecretFinder, applications: Iterable[str]) -> tuple[Path | None, str]:
        """Publish a record that has neither secret nor password; without the passwords nobody can tell."""
        lacking = [app_id for app_id in dict.fromkeys(applications) if app_id not in self._passwords]
        self._passwords |= for_each(lacking, self._list_passwords, self._stopping, _LISTED_AT_ONCE)
        for app_id in dict.fromkeys(applications):
            listed = self._passwords[app_id]
            if isinstance(listed, InputError):  # an application that the account does not have has no phones
                continue
            if isinstance(listed, ItnioError):
                return None, f"The record was not searched yet ({listed}); it stays in {path}, and the next run does."
            finder.add_passwords(listed)
        return publish(path, finder.find)

    def _list_passwords(self, app_id: str) -> list[str]:
        return list(self._client.list_phones(app_id, reveal=True, stopping=self._stopping)["password"])

    def _publish_left(self) -> None:
        """Search and publish the records of runs that were killed; tell of those that nobody can search."""
        left_alone = []
        for left in left_records(self._job.records, self._job.account):
            if left.reason:
                left_alone.append(left)
            elif not self._stopping.is_set():
                self._publish_one(left)
        if left_alone:
            first = left_alone[0]
            more = f"; and {len(left_alone) - 1:,} more" if len(left_alone) > 1 else ""
            self._tell(f"A record stays private, look at it and delete it: {first.path}: {first.reason}{more}.")

    def _publish_one(self, left: LeftRecord) -> None:
        _write_page(left.path, self._tell)
        finder = SecretFinder(self._job.account, left.since, left.until, self._client.clock_offset)
        table = self._ledger.table_for(self._job.account)
        at = pd.to_datetime(table["at"], utc=True, errors="coerce")
        theirs = table[(at >= left.since - _MARGIN) & (at <= left.until + _MARGIN)]
        applications = [*left.applications, *theirs["appId"]]
        place, why_not = self._search(left.path, finder, applications)
        self._tell(f"A record that was left behind: {place}" if place else why_not)


def _write_page(folder: Path, tell: Callable[[str], object]) -> None:
    """Write the page of a record from its notebook, as far as it came."""
    for path in sorted(folder.glob("*.ipynb")):
        with suppress(InputError):  # cut off while it was written: it is the record as it is
            notebook = read_notebook(path)
            try:
                write_page(notebook, public_path(folder).name, path.with_suffix(".html"))
            except Exception as error:  # noqa: BLE001 - whatever cells hold, the notebook is the record
                tell(f"The record has no page ({type(error).__name__}: {error}): open {path.name} in JupyterLab.")


def _heading_source(job: RunbookJob) -> str:
    files = [str(job.parameters[name]) for name in ("orders", "plan") if job.parameters.get(name)]
    given = "".join(f"{name!r}: {as_python(value)}, " for name, value in job.parameters.items())
    return f"from itnio_nb.runbooks.kernel import begin\n\nbegin({{{given.removesuffix(', ')}}}, {files!r})"


def _next_lines(outcome: Outcome, job: RunbookJob) -> list[str]:
    """Return what is to be done next after a code that is not 0, the command that goes on as the last line."""
    command = _without_number(job.command)
    if outcome.code in (2, 6) and outcome.left:
        applied = [*command, *([] if "--apply" in command else ["--apply"])]
        trial = _without(applied, "--limit")
        return [shlex.join([*trial, "--confirm", str(outcome.left)])]
    steps = {
        1: _MENDING,
        3: "Correct the invalid rows (the result file -invalid.csv has them), then run the same again:",
        4: "Do what the advice of these groups says, then run the same again:",
        5: "What is unknown is looked up by the next run:",
        6: "Run the same again: it sends what is missing.",
    }
    return [*([steps[outcome.code]] if outcome.code in steps else []), shlex.join(command)]


def _without_number(command: Sequence[str]) -> list[str]:
    """Return the words of a command without the number that was confirmed: the next run creates another number."""
    return _without(command, "--confirm")


def _option(command: Sequence[str], option: str) -> list[str]:
    """Return an option of a command as it was given, with its value if it has one."""
    for at, word in enumerate(command):
        if word == option:
            return [word] if option == "--sandbox" else list(command[at : at + 2])
        if word.startswith(f"{option}="):
            return [word]
    return []


def _without(command: Sequence[str], option: str) -> list[str]:
    words, kept = iter(command), list[str]()
    for word in words:
        if word == option:
            next(words, None)
        elif not word.startswith(f"{option}="):
            kept.append(word)
    return kept
