"""The command `credentials`: the hand-over file of a run."""

from __future__ import annotations

from pathlib import Path

import click

from itnio_nb.api.text import listed, plural, printable_line
from itnio_nb.cli.sandbox import account_for
from itnio_nb.cli.servers import folder_option, profile_option, sandbox_option
from itnio_nb.errors import InputError


@click.command()
@click.option("--run", "name", default="", help="The run, by its name. Default: the newest of the account.")
@folder_option("results", "Where the file goes.")
@click.option(
    "--one-table", is_flag=True, help="One XLSX file for all applications, in place of a ZIP of one for each."
)
@click.option("--again", is_flag=True, help="Write another file though the phones were handed over before.")
@profile_option
@sandbox_option
def credentials(name: str, folder: Path, one_table: bool, again: bool, sandbox: bool) -> None:
    """Write accounts and passwords of the phones of a run to one file, for those who configure the handsets.

    The other columns of the orders stand beside them. Only you can read the file, and it is written once.
    """
    from itnio_nb.api.client import Client
    from itnio_nb.runs.credentials.hand_over import hand_over, unknown_passwords
    from itnio_nb.runs.run import newest_run
    from itnio_nb.workspace import banner, open_ledger_for

    with account_for(Path(), sandbox=sandbox, kept=Path("results")) as (account, _):
        click.echo(banner(account))
        with Client(account) as client, open_ledger_for(account) as ledger:
            runs = ledger.runs_of(account)
            run = newest_run(ledger, runs, name)
            if run is None:
                which = f"There is no run {name}" if name else "There is no run"
                raise InputError(f"{which} of this account in {ledger.address}. Its runs: {listed(runs)}.")
            files = hand_over(client, run, folder, again=again, one_table=one_table)
            unknown = unknown_passwords(run)
    if not files:
        raise InputError(
            f"Run {run.name} has created no phones, nor has an earlier one: there is nothing to hand over."
        )
    path, phones = next(iter(files.values())), plural(sum(files.rows.values()), "phone")
    words = f"{phones} of {plural(len(files), 'application')}"
    if files.is_new:
        click.echo(f"Written, for you alone to read: {words}, in {printable_line(str(path))}")
    else:
        click.echo(f"Nothing was written: {words} were handed over before, in {printable_line(str(path))}")
        click.echo("--again writes another file.")
    if unknown:
        click.echo(
            f"Warning: which password works is not known of {plural(unknown, 'phone')}: ws.reset_passwords(…) of the "
            "same groups, then hand over again.",
            err=True,
        )
