"""The command `doctor`: what stands in the way of a batch, and what mends it."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import textwrap
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from itnio_nb.api.text import plural, printable_line
from itnio_nb.cli.servers import profile_option, sandbox_option
from itnio_nb.errors import AccountError, AccountWarning, ItnioError, os_error_reason

if TYPE_CHECKING:
    from itnio_nb.api.account.account import Account
    from itnio_nb.ledger.ledger import Ledger
    from itnio_nb.runs.preflight.machine import Check

_LOGIN = "itnio-nb login, or ITNIO_API_KEY and ITNIO_API_SECRET in the environment or in a file .env."
_TRIED = ("account", "address", "certificates", "allow-list", "clock")  # by requests
# What else decides where requests go and what is kept: the variables, the first that is set, and what is without them.
_FURTHER = (
    ("profile", ("ITNIO_PROFILE",), "none is asked for"),
    ("sandbox", ("ITNIO_SANDBOX",), "not asked for"),
    ("ledger's address", ("ITNIO_LEDGER",), "a file in the data folder"),
    ("operator", ("ITNIO_OPERATOR",), "the user of the operating system"),
    ("machine", ("ITNIO_MACHINE",), "as the operating system calls it"),
    ("proxy", ("HTTPS_PROXY", "ALL_PROXY"), "none"),
    ("without proxy", ("NO_PROXY",), "this machine"),
    ("root certificates", ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"), "those of certifi"),
    ("progress", ("ITNIO_PROGRESS",), "a bar"),
)
_INDENT = 33  # characters before what was found


@click.command()
@profile_option
@sandbox_option
@click.option("--app-id", "app_ids", multiple=True, help="An application of the batch; repeatable.")
def doctor(app_ids: tuple[str, ...], sandbox: bool) -> None:
    """Check this machine, the account and the ledger, and say what to mend. Nothing is created.

    Exit code 0 where no check has found an error, else 1.
    """
    from itnio_nb.runs.preflight.machine import installed_versions

    checks = []
    for check in _checks(app_ids, sandbox=sandbox):  # each as soon as it is known: a server may take its time
        checks.append(check)
        click.echo(_as_text(check))
    versions = ", ".join(f"{name} {number}" for name, number in installed_versions())
    click.echo(f"\nPython {platform.python_version()} on {platform.system()}; {versions}")
    errors, doubts = (sum(check.result == result for check in checks) for result in ("error", "warning"))
    found = ", ".join(plural(number, noun) for number, noun in ((errors, "error"), (doubts, "warning")) if number)
    if errors:
        click.echo(f"\n{found}: mend them from the top, then run itnio-nb doctor again.")
    elif any(check.found.endswith("not tried") for check in checks):
        click.echo(f"\n{found}: what was not tried may stand in the way of a batch.")
    else:
        click.echo(f"\n{found or 'No error, no warning'}: nothing stands in the way of a batch.")
    raise SystemExit(1 if errors else 0)


def _as_text(check: Check) -> str:
    """Return the lines of one check; at a terminal they break between words."""
    width = max(30, shutil.get_terminal_size().columns - _INDENT - 3) if sys.stdout.isatty() else 0
    lines = []
    for mark, text in (("", check.found), ("→ ", check.advice)):
        line = printable_line(text)
        parts = textwrap.wrap(line, width, break_long_words=False, break_on_hyphens=False) if width else [line]
        lines += [f"{mark if not number else ' ' * len(mark)}{part}" for number, part in enumerate(parts) if part]
    head = f"{check.result:9}{printable_line(check.check):24}"
    return "\n".join(f"{head if not number else ' ' * _INDENT}{line}" for number, line in enumerate(lines))


def _checks(app_ids: tuple[str, ...], *, sandbox: bool) -> Iterator[Check]:
    """Yield every check that can be made, whatever the others have found."""
    from itnio_nb.runs.preflight.machine import front_ends, versions
    from itnio_nb.sandbox.sandbox import Sandbox

    yield versions()
    if sandbox:
        with Sandbox() as running:
            yield from _of_account(running.account, app_ids)
    else:
        account, problems = _account()
        yield from problems
        yield from _of_account(account, app_ids)
    yield front_ends()


def _of_account(account: Account | None, app_ids: tuple[str, ...]) -> Iterator[Check]:
    """Yield the settings, what requests show, and the ledger."""
    yield from _settings(account)
    yield from _keyring(account)
    ledger, problems = _ledger(account)
    try:
        known, of_ledger = _look_into(ledger, account)
        yield from _account_checks(account, app_ids or known)
        yield from [*problems, *of_ledger]
    finally:
        if ledger is not None:
            ledger.close()


def _account() -> tuple[Account | None, list[Check]]:
    """Return the account that is used here, or why there is none, and what could be safer."""
    from itnio_nb.api.account.account import Account
    from itnio_nb.runs.preflight.machine import Check

    account, problems = None, list[Check]()
    with _hearing_warnings() as told:
        try:
            if Account.is_configured():
                account = Account.from_env()
            else:
                problems = [Check("settings", "error", "no account: what you start works on a sandbox", _LOGIN)]
        except AccountError as error:
            problems = [Check("settings", "error", "the account cannot be used", str(error))]
    doubts = [Check("settings", "warning", "they could be safer", words) for words in told()]
    return account, [*problems, *doubts]


@contextmanager
def _hearing_warnings() -> Iterator[Callable[[], list[str]]]:
    """Have the package's warnings kept; what is yielded returns them, each once."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        yield lambda: list(dict.fromkeys(str(one.message) for one in told if issubclass(one.category, AccountWarning)))


def _settings(account: Account | None) -> Iterator[Check]:
    """Yield where each setting comes from, and which sources of an account are not used."""
    from itnio_nb.api.account.address import DEFAULT_BASE_URL
    from itnio_nb.api.account.settings import given_sources
    from itnio_nb.runs.preflight.machine import Check

    source = "" if account is None else account.source
    if account is not None:
        yield Check("API key", "note", f"…{account.api_key[-4:]}, from {source}")
        yield Check("API secret", "note", f"there, from {source}")
        where = "the default" if account.base_url == DEFAULT_BASE_URL else f"from {source}"
        yield Check("base address", "note", f"{account.base_url}, {where}")
    sources = given_sources()
    unused = [one for one in sources if one != source] if account is not None else sources[1:]
    if unused:
        yield Check("not used", "note", f"{', '.join(unused)}: all of an account comes from one source")
    for name, variables, default in _FURTHER:
        yield Check(name, "note", _setting(variables, default))
    if os.environ.get("ITNIO_SANDBOX", "0") not in ("", "0"):
        advice = "Take it out, for the account."
        yield Check("sandbox", "warning", "ITNIO_SANDBOX is set: whatever you start works on a sandbox", advice)


def _setting(variables: tuple[str, ...], default: str) -> str:
    """Return what a setting is, and where that was set."""
    from urllib.request import getproxies

    from itnio_nb.api.account.secret import hide_passwords

    for name in variables:
        if value := os.environ.get(name) or (os.environ.get(name.lower()) if name.endswith("PROXY") else None):
            shown = hide_passwords(value) if name == "ITNIO_LEDGER" else value
            shown = value.rsplit("@", 1)[-1] if name.endswith("PROXY") else shown  # it may have a password too
            return f"{shown}, from {name} in the environment"
    if "HTTPS_PROXY" in variables and (system := getproxies().get("https")):
        return f"{system.rsplit('@', 1)[-1]}, from the settings of the operating system"
    return f"{default} ({variables[0]} is not set)"


def _keyring(account: Account | None) -> Iterator[Check]:
    """Yield which keyring there is. It is not asked for anything here: that may open a window."""
    from itnio_nb.api.account.profiles import NoKeyringError, keeps_plain_text, keyring_name, known_profiles
    from itnio_nb.api.account.settings import IN_KEYRING
    from itnio_nb.runs.preflight.machine import Check

    try:
        name = keyring_name()
    except NoKeyringError as error:
        yield Check("keyring", "note", str(error))
        return
    if keeps_plain_text(name):
        advice = "Use the keyring of the operating system: keyring --list-backends names those that there are."
        yield Check("keyring", "warning", f"{name} keeps secrets as text in a file", advice)
    else:
        was_read = account is not None and account.source.startswith(IN_KEYRING)
        words = f"{name}; profiles: {', '.join(known_profiles()) or 'none'}"
        yield Check("keyring", "ok", words) if was_read else Check("keyring", "note", f"{words}; it was not asked")


def _ledger(account: Account | None) -> tuple[Ledger | None, list[Check]]:
    """Return the ledger that is used here, None where there is none yet, and what is to be said of it."""
    from itnio_nb.ledger.database.address import ledger_address
    from itnio_nb.ledger.ledger import Ledger
    from itnio_nb.runs.preflight.machine import Check
    from itnio_nb.workspace import ledger_file_for, open_ledger_for

    ledger, problems = None, list[Check]()
    with _hearing_warnings() as told:
        try:
            is_live = account is not None and not account.is_sandbox
            path = ledger_address(None if account is None else ledger_file_for(account))
            if is_live or not isinstance(path, os.PathLike) or path.exists():  # nothing is made for nobody
                ledger = Ledger() if account is None else open_ledger_for(account)
            else:
                problems = [Check("ledger", "note", f"none yet: {path}")]
        except (ItnioError, OSError) as error:
            words = str(error) if isinstance(error, ItnioError) else f"{os_error_reason(error)}: mend its folder."
            problems = [Check("ledger", "error", "it cannot be opened", words)]
    doubts = [Check("ledger", "warning", "it was not yours alone", words) for words in told()]
    return ledger, [*problems, *doubts]


def _look_into(ledger: Ledger | None, account: Account | None) -> tuple[tuple[str, ...], list[Check]]:
    """Return the applications of an account that its ledger knows, and the checks of the ledger."""
    from itnio_nb.runs.preflight.machine import Check, disk
    from itnio_nb.runs.preflight.preflight import ledger_checks

    if ledger is None:
        return (), []
    try:
        if account is None:
            return (), [Check("ledger", "ok", "it can be opened"), *disk(ledger)]
        return tuple(ledger.pages.applications(account)), ledger_checks(account, ledger)
    except (ItnioError, OSError) as error:
        words = str(error) if isinstance(error, ItnioError) else f"{os_error_reason(error)}: mend its folder."
        return (), [Check("ledger", "error", "it cannot be read", words)]


def _account_checks(account: Account | None, app_ids: tuple[str, ...]) -> Iterator[Check]:
    """Yield what requests show, or that none was sent."""
    from itnio_nb.api.client import Client
    from itnio_nb.runs.preflight.machine import Check
    from itnio_nb.runs.preflight.preflight import account_checks, not_tried

    wrong = ""
    if account is not None:
        try:
            with Client(account) as client:
                yield from account_checks(client, list(app_ids))
                return
        except AccountError as error:  # an address that is not encrypted, root certificates that cannot be read
            wrong = "certificates" if account.base_url.startswith("https:") else "address"
            yield Check(wrong, "error", "no request can be sent", str(error))
    for check in _TRIED:
        if check != wrong:
            yield not_tried(check, "no request was sent")
