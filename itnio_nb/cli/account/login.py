"""The commands `login` and `logout`: an account in the keyring, by profile."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from itnio_nb.api.account.secret import Secret, private_frames
from itnio_nb.errors import AccountError, InputError, ItnioError

if TYPE_CHECKING:
    from itnio_nb.api.account.account import Account

_REFUSED = "-1"  # key, secret or signature: nothing that waiting would mend
_LONGEST = 10_000  # bytes of a line with a secret
_NO_APPLICATION = "login"  # asked for: the API looks at key, address and time before it refuses it (-22)


def _profile_option(words: str) -> Callable[[Any], Any]:
    return click.option("--profile", envvar="ITNIO_PROFILE", default="default", show_default=True, help=words)


@click.command()
@_profile_option("Name of the profile, one for each account.")
@click.option("--api-key", help="The API key. Asked for at a terminal.")
@click.option("--base-url", help="What stands before /sipAdd, of another brand. Default: the address of ITNIO.")
@click.option("--replace", is_flag=True, help="Put it in the place of another account of that profile, unasked.")
@click.option("--no-check", is_flag=True, help="Keep it without having asked the server.")
def login(profile: str, api_key: str | None, base_url: str | None, replace: bool, no_check: bool) -> None:
    """Keep an account in the keyring of this machine, where a .env file or the environment need no secret.

    The secret is asked for and not shown; without a terminal it is the first line of standard input.
    """
    from itnio_nb.api.account.account import Account
    from itnio_nb.api.account.address import DEFAULT_BASE_URL
    from itnio_nb.api.account.profiles import Profile, keyring_name, profile_name, read_profile, write_profile

    name, keyring = profile_name(profile), keyring_name()
    key = (api_key or _prompted("API key")).strip()
    account = Account(
        key, typed_secret("API secret"), base_url or DEFAULT_BASE_URL, source=f"the keyring's profile {name}"
    )
    kept = None if replace else read_profile(name)
    if kept is not None and (kept.key, kept.base_url) != (account.api_key, account.base_url):
        _agree(f"Profile {name} has API key …{kept.key[-4:]} at {kept.base_url} now")
    answer = "It was not tried." if no_check else _try(account)
    write_profile(name, Profile(account.api_key, account.api_secret, account.base_url))
    click.echo(
        f"Kept in the keyring ({keyring}) as profile {name}: API key …{key[-4:]} at {account.base_url}. {answer}"
    )
    _tell_source(name)


@click.command()
@_profile_option("Name of the profile.")
def logout(profile: str) -> None:
    """Delete an account from the keyring of this machine."""
    from itnio_nb.api.account.profiles import NoKeyringError, delete_profile, profile_name

    name = profile_name(profile)
    try:
        was_there = delete_profile(name)
    except NoKeyringError as error:
        words = (
            f"{error} Nothing was deleted from it. The profile {name} is forgotten here: it is read by its name alone."
        )
        raise NoKeyringError(words) from None
    if was_there:
        click.echo(f"Profile {name} is deleted from the keyring. The account itself and its key are as they were.")
    else:
        click.echo(f"The keyring has no profile {name}: nothing was deleted.")
    _tell_source("")


def _prompted(words: str, *, hidden: bool = False) -> str:
    if not sys.stdin.isatty():
        raise InputError("There is no terminal to ask at: give --api-key, and the secret as a line of standard input.")
    return str(click.prompt(words, hide_input=hidden))


@private_frames
def typed_secret(name: str) -> Secret:
    """Return what is typed unseen, or the first line of standard input; its last word says what it is."""
    noun = name.split()[-1].lower()
    if sys.stdin.isatty():
        secret = Secret(_prompted(f"{name} (not shown)", hidden=True).strip())
    else:
        line = sys.stdin.buffer.readline(_LONGEST)
        secret = Secret(line.decode("utf-8-sig", errors="replace").strip())
    if not secret.reveal():
        raise InputError(f"There is no {noun}: type it, or give it as the first line of standard input.")
    if "\ufffd" in secret.reveal():
        raise InputError(f"The {noun} on standard input is not UTF-8 text: give it as its first line.")
    return secret


def _agree(problem: str) -> None:
    if not sys.stdin.isatty():
        raise InputError(f"{problem}: give --replace to put the new one in its place, or another --profile.")
    click.confirm(f"{problem}. Put the new one in its place?", abort=True)


def _try(account: Account) -> str:
    """Return what the server says to the account; raise `AccountError` where it refuses key or secret."""
    from itnio_nb.api.client import Client

    try:
        with Client(account) as client:
            client.count_phones(_NO_APPLICATION)
    except InputError:
        pass  # the application: so key and secret are right
    except ItnioError as error:
        if error.status == _REFUSED:
            raise AccountError(f"Nothing was kept: the server refuses key or secret (status {_REFUSED}).") from None
        if isinstance(error, AccountError) and not error.status:
            raise
        return f"Whether the server accepts it is not known: {error}"
    return "The server accepts it."


def _tell_source(name: str) -> None:
    """Say which account is used in this folder, after a change of the keyring."""
    from itnio_nb.api.account.account import Account

    source = ""
    try:
        if Account.is_configured():
            source = Account.from_env().source
            click.echo(f"In this folder the account comes from {source}.")
        else:
            click.echo("In this folder no account is configured: what you start works on a sandbox.")
    except AccountError as error:
        click.echo(f"In this folder: {error}")
    if name and source != f"the keyring's profile {name}":
        click.echo(f"The profile is used with --profile {name}, or ITNIO_PROFILE={name}.")
    if os.environ.get("ITNIO_SANDBOX", "0") not in ("", "0"):
        click.echo("ITNIO_SANDBOX is set: whatever you start works on a sandbox.")
