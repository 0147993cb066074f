"""The commands `ledger copy`, `ledger backup`, `ledger login` and `ledger logout`: a ledger moved, kept and reached."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from itnio_nb.api.text import printable_line
from itnio_nb.errors import InputError

if TYPE_CHECKING:
    from itnio_nb.ledger.database.moving.rows import Tell
    from itnio_nb.ledger.database.postgres.connecting import ServerAddress


@click.group()
def ledger() -> None:
    """Move a ledger, keep a backup of it, and log in to the server that it is in."""


@ledger.command()
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
def copy(source: str, target: str) -> None:
    """Copy a ledger into a new one, and compare every row of both. FROM and TO are files or postgresql:// addresses.

    Nobody may work on either. Cut off at any point and started again, it goes on where it was; until it has come to its
    end TO opens as no ledger. FROM stays as it is: from then on use TO alone.
    """
    from itnio_nb.ledger.database.address import open_database
    from itnio_nb.ledger.database.moving.copying import copy_ledger
    from itnio_nb.ledger.ledger import Ledger

    _require_there(source)
    with Ledger(source) as opened, closing(open_database(target)) as database, _progress() as tell:
        sums = copy_ledger(opened.database, database, tell)
    click.echo(f"Copied: {sums}. Compared: all equal.")
    click.echo(f"From now on {printable_line(database.address)} is the ledger: have ITNIO_LEDGER name it everywhere.")


@ledger.command()
@click.argument("places", metavar="[LEDGER] TO_FILE", nargs=-1, required=True)
@click.option("--replace", is_flag=True, help="Put it in the place of an earlier backup.")
def backup(places: tuple[str, ...], replace: bool) -> None:
    """Keep a ledger in a file as it is at one moment, while runs go on. LEDGER is that of ITNIO_LEDGER unless given.

    The file is a ledger itself, for you alone to read: what was being sent at that moment is unknown in it.
    """
    from itnio_nb.ledger.database.moving.backup import backup_ledger
    from itnio_nb.ledger.ledger import Ledger

    if len(places) > 2:
        raise click.UsageError("Give a ledger and the file that it is kept in, or the file alone.")
    source, path = places[0] if len(places) > 1 else None, Path(places[-1])
    _require_there(source)
    with Ledger(source) as opened, _progress() as tell:
        sums = backup_ledger(opened.database, path, replace=replace, tell=tell)
    size = path.expanduser().stat().st_size / 1_000_000
    click.echo(f"Backup: {sums}, in {printable_line(str(path))} ({size:,.1f} MB). Checked: sound and complete.")


@ledger.command()
@click.argument("url")
@click.option("--no-check", is_flag=True, help="Keep it without having asked the server.")
def login(url: str, no_check: bool) -> None:
    """Keep the password of a ledger's server in the keyring of this machine. URL is postgresql://user@host/database.

    It is asked for and not shown; without a terminal it is the first line of standard input.
    """
    from itnio_nb.api.account.profiles import keyring_name, write_server_password
    from itnio_nb.cli.account.login import typed_secret

    address, keyring = _server(url), keyring_name()
    if address.has_password:
        raise InputError("Leave the password out of the URL: others can see it there. It is asked for.")
    password = typed_secret("Password")
    answer = "It was not tried."
    if not no_check:
        answer = "The server accepts it." if address.try_password(password) else "The server did not ask for it."
    write_server_password(address.account, password)
    click.echo(f"Kept in the keyring ({keyring}): the password of {printable_line(address.account)}. {answer}")


@ledger.command()
@click.argument("url")
def logout(url: str) -> None:
    """Delete the password of a ledger's server from the keyring of this machine."""
    from itnio_nb.api.account.profiles import delete_server_password

    account = _server(url).account
    if delete_server_password(account):
        click.echo(f"The password of {printable_line(account)} is deleted from the keyring.")
    else:
        click.echo(f"The keyring has no password of {printable_line(account)}: nothing was deleted.")


def _server(url: str) -> ServerAddress:
    from itnio_nb.ledger.database.postgres.connecting import SCHEMES, ServerAddress

    if not url.startswith(SCHEMES):
        raise InputError("A ledger in a file has no password: give the address of a server, postgresql://user@host/db.")
    return ServerAddress(url)


def _require_there(given: str | None) -> None:
    """Raise `InputError` for a file that is not there: opening it as a ledger would make a new one."""
    from itnio_nb.ledger.database.address import ledger_address

    address = ledger_address(given)
    if isinstance(address, Path) and not address.exists():
        raise InputError(f"There is no ledger {given or address}: check the name.")


@contextmanager
def _progress() -> Iterator[Tell]:
    """Show a bar of rows, whose number is known once the first were read."""
    from itnio_nb.runs.sending.background import progress_bar

    with progress_bar(0, 0, "row") as bar:

        def tell(activity: str, done: int, total: int) -> None:
            bar.total, bar.n = total, done
            bar.set_description(activity, refresh=False)
            bar.set_postfix({})

        yield tell
