"""`itnio-nb run --join`: work on a run that is in the ledger, beside whoever works on it."""

from __future__ import annotations

import os
import shlex
import sys
from functools import partial
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import click

from itnio_nb.api.text import listed
from itnio_nb.cli.servers import command_name
from itnio_nb.errors import InputError

if TYPE_CHECKING:
    from itnio_nb.api.account.account import Account
    from itnio_nb.runbooks.interrupts import Interrupts
    from itnio_nb.runbooks.outcome import Outcome
    from itnio_nb.runs.run import RunRecord

_STOPPED = 6
_LEAVING = "Interrupt received: what is under way here is finished and recorded; whoever else works on the run goes on."
_STEPS = {
    3: "Correct the invalid rows (the result file -invalid.csv has them), and run them as a table of their own.",
    4: "Do what the advice of these groups says, then join again:",
    5: "What is unknown is looked up by whoever joins again:",
    _STOPPED: "Join again: it sends what is missing.",
}


def join_run(account: Account, name: str, results: str = "results", **terms: Any) -> int:
    """Work on the run of that name until it is over, and write its result files; return the exit code.

    `terms` are `workers`, `rate` and `confirm` of `resume`. A run that is finished is only told of. Raises `InputError`
    for a run that there is not.
    """
    from itnio_nb.api.client import Client
    from itnio_nb.runbooks.interrupts import Interrupts
    from itnio_nb.runbooks.outcome import run_outcome
    from itnio_nb.runs.run import newest_run
    from itnio_nb.runs.submit import resume
    from itnio_nb.workspace import banner, open_ledger_for

    click.echo(banner(account))
    with Client(account) as client, open_ledger_for(account) as ledger:
        known = newest_run(ledger, ledger.runs_of(account), name) if name else None
        if known is None:
            unfinished = listed(ledger.runs_of(account, unfinished=True)) or "none"
            raise InputError(f"There is no run {name!r} of this account in {ledger.address}. Unfinished: {unfinished}.")
        if known.finished:
            outcome = run_outcome(known)
            click.echo(f"{outcome.summary}\nRun {name} is finished: nothing is sent.")
            click.echo(f"Exit code {outcome.code}: {outcome.words}.")
            return outcome.code
        with Interrupts(click.echo, _LEAVING) as interrupts:
            run = resume(client, ledger, run=name, **terms)
            with interrupts.handled(run.leave, partial(_leave_at_once, interrupts)):
                run.wait(raise_interrupt=False)
        outcome = run_outcome(run)
        click.echo(f"{outcome.summary}\n{run.write_results(results)!r}")
        click.echo(f"Exit code {outcome.code}: {outcome.words}.")
        _tell_next(outcome, run, results)
    return outcome.code


def _tell_next(outcome: Outcome, run: RunRecord, results: str) -> None:
    """Print what is to be done next, the command that goes on as the last line."""
    from itnio_nb.runbooks.execute import HAND_OVER

    with_profile = ["--profile", os.environ["ITNIO_PROFILE"]] if "--profile" in sys.argv else []
    with_sandbox = ["--sandbox"] if "--sandbox" in sys.argv else []
    options = [*with_sandbox, *with_profile]
    if outcome.code == 0:
        folder = [] if Path(results) == Path("results") else ["--folder", results]
        words = [HAND_OVER, shlex.join([command_name(), "credentials", "--run", run.name, *options, *folder])]
        if not run.table["created_in"].any():
            return
    else:
        again = shlex.join([command_name(), "run", "--join", run.name, *options])
        words = [_STEPS[outcome.code], *([again] if outcome.code in (4, 5, _STOPPED) else [])]
    click.echo("\n".join(words))


def _leave_at_once(interrupts: Interrupts) -> None:
    """End this process without waiting for answers: what they would have told is unknown."""

    def leave() -> None:
        interrupts.wait_told()
        sys.stdout.flush()
        os._exit(_STOPPED)

    Thread(target=leave, name="leave", daemon=True).start()
