"""The command `run`: a runbook for people and schedulers; with `--join` a run of the ledger."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from itnio_nb.cli.sandbox import account_for
from itnio_nb.cli.servers import command_name, find_notebooks, profile_option, require_installed, sandbox_option
from itnio_nb.errors import InputError

_OF_JOIN = ("workers", "rate", "confirm", "results")  # what a run that is joined can be given


@click.command()
@click.argument("notebook", default="runbook", required=False)
@click.option("--orders", help="The spreadsheet with the orders.")
@click.option("--app-id", help="One application for all rows, where the spreadsheet has no such column.")
@click.option("--sheet", help="The sheet with the orders, by its name, if not the one that is found.")
@click.option(
    "--column", "columns", multiple=True, metavar="NAME=HEADER", help="Which header a column has, as phoneName=Handset."
)
@click.option("--plan", help="Execute exactly this saved plan; refused if it has become stale.")
@click.option("--save-plan", help="Write the plan to this file, for a colleague to look at and for --plan.")
@click.option("--apply", is_flag=True, help="Send what the plan creates. Without it nothing is sent.")
@click.option("--limit", type=click.IntRange(1), help="Only the first so many groups: a trial.")
@click.option("--confirm", type=click.IntRange(0), help="The phones that must be created; else nothing is sent.")
@click.option("--workers", type=int, help="Requests at once. Default: 8.")
@click.option("--rate", type=float, help="The most requests in a second.")
@click.option("--results", help="Folder of the result files. Default: results.")
@click.option("--join", metavar="RUN", help="Work on this unfinished run of the ledger, also with others: no orders.")
@click.option("-p", "parameters", nargs=2, multiple=True, metavar="NAME VALUE", help="Any other parameter; repeatable.")
@click.option("--records", type=click.Path(path_type=Path, file_okay=False), default=Path("records"), show_default=True)
@profile_option
@sandbox_option
def run(
    notebook: str,
    columns: tuple[str, ...],
    parameters: tuple[tuple[str, str], ...],
    records: Path,
    sandbox: bool,
    join: str | None,
    **given: Any,
) -> None:
    """Execute a runbook, dry unless --apply, and keep its record: the executed notebook and a page without code.

    NOTEBOOK is a path, or a notebook that comes with the package: runbook (the default), 05-go-live, 06-audit.
    The last line that is printed is the command that goes on; after 0 the one that hands over the phones that were
    created. --join needs no orders: it goes on with a run that is in the ledger, beside whoever works on it, and ends
    with it; an interrupt leaves the run to the others. Exit codes, the first of 1, 6, 5, 4, 3, 2, 0 that holds:

    \b
    0  nothing is left to do: all that was asked for is there, and verified
    1  could not go on, wrong usage and a notebook without a conclusion included
    2  dry run, with changes to make
    3  all valid groups are there, some rows are invalid
    4  some groups were refused, created in part, or are not as asked for
    5  some groups are unknown
    6  stopped, or a trial: some groups were not sent
    """  # noqa: D301 - the backslash is click's
    values = {name: value for name, value in given.items() if value is not None and value is not False}
    if join is not None:
        raise SystemExit(_join(join, [notebook, columns, parameters], values, sandbox=sandbox))
    if columns:
        values["match"] = _matched(columns)
    raise SystemExit(_execute(_notebook_path(notebook), values, parameters, records, sandbox=sandbox))


def _execute(
    path: Path, values: dict[str, Any], parameters: tuple[tuple[str, str], ...], records: Path, *, sandbox: bool
) -> int:
    """Execute a notebook with the values that options give and with further parameters; return the exit code."""
    require_installed("What executes runbooks", "runbook", "bleach", "matplotlib", "nbconvert")
    from itnio_nb.runbooks.execute import RunbookJob, run_runbook
    from itnio_nb.runbooks.parameters import parse_given, read_defaults
    from itnio_nb.runbooks.runner import read_notebook
    from itnio_nb.workspace import banner

    defaults = read_defaults(read_notebook(path))
    values |= {name: parse_given(name, value, defaults) for name, value in parameters}
    with account_for(Path(), sandbox=sandbox, kept=Path("results")) as (account, environment):
        click.echo(banner(account))
        words = [command_name(), *sys.argv[1:]]
        return run_runbook(RunbookJob(path, values, records, account, words), environment, click.echo)


def _join(name: str, of_runbook: list[Any], values: dict[str, Any], *, sandbox: bool) -> int:
    """Work on a run of the ledger; return the exit code."""
    others = sorted(values.keys() - {*_OF_JOIN, "apply"})  # who joins sends what was confirmed
    if of_runbook != ["runbook", (), ()] or others:
        raise InputError(f"--join takes its orders from the run {name} in the ledger: leave the runbook's own out.")
    from itnio_nb.cli.batch.join import join_run

    with account_for(Path(), sandbox=sandbox, kept=Path("results")) as (account, _):
        return join_run(account, name, **{one: values[one] for one in _OF_JOIN if one in values})


def _matched(columns: tuple[str, ...]) -> dict[str, str]:
    """Return the headers by column that `--column` gives."""
    pairs = [text.partition("=") for text in columns]
    wrong = [
        text for text, (name, _, header) in zip(columns, pairs, strict=True) if not name.strip() or not header.strip()
    ]
    if wrong:
        raise InputError(f'--column is a name, = and a header, as --column phoneName="Handset prefix", not {wrong[0]}.')
    return {name.strip(): header.strip() for name, _, header in pairs}


def _notebook_path(name: str) -> Path:
    """Return the path of a notebook: one of the user's, or one that comes with the package."""
    packaged = find_notebooks() / (name if name.endswith(".ipynb") else f"{name}.ipynb")
    for path in (Path(name), packaged):
        if path.is_file():
            return path
    raise InputError(f"There is no notebook {name}: give a path, or runbook, 05-go-live, 06-audit.")
