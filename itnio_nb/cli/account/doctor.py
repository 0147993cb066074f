"""The command `doctor`: what stands in the way of a batch, and what mends it."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from itnio_nb.api.text import plural, printable_line
from itnio_nb.cli.servers import profile_option
from itnio_nb.errors import AccountError, ItnioError

if TYPE_CHECKING:
    from itnio_nb.api.account.account import Account
    from itnio_nb.ledger.ledger import Ledger
    from itnio_nb.runs.preflight.machine import Check

_LOGIN = "itnio-nb login, or ITNIO_API_KEY and ITNIO_API_SECRET in the environment or in a file .env."
# What else decides where requests go and what is kept.
_FURTHER = {
    "ITNIO_SANDBOX": "off",
    "ITNIO_LEDGER": "the data folder",
    "HTTPS_PROXY": "none",
    "REQUESTS_CA_BUNDLE": "those of certifi",
    "ITNIO_PROGRESS": "a bar",
}


@click.command()
@profile_option
@click.option("--app-id", "app_ids", multiple=True, help="An application of the batch; repeatable.")
def doctor(app_ids: tuple[str, ...]) -> None:
    """Check this machine, the account and the ledger, and say what to mend. Nothing is created.

    Exit code 0 where no check has found an error, else 1.
    """
    from itnio_nb.runs.preflight.machine import installed_versions

    checks = []
    for check in _checks(app_ids):  # each as soon as it is known: a server may take its time
        checks.append(check)
        click.echo(f"{check.result:9}{printable_line(check.check):24}{printable_line(check.found)}")
        if check.advice:
            click.echo(f"{'':33}→ {printable_line(check.advice)}")
    versions = ", ".join(f"{name} {number}" for name, number in installed_versions())
    click.echo(f"\nPython {platform.python_version()} on {platform.system()}; {versions}")
    errors, warnings = (sum(check.result == result for check in checks) for result in ("error", "warning"))
    found = [plural(number, noun) for number, noun in ((errors, "error"), (warnings, "warning")) if number]
    mend = (
        "mend them from the top, then run itnio-nb doctor again." if errors else "nothing stands in the way of a batch."
    )
    click.echo(f"\n{', '.join(found) or 'No error, no warning'}: {mend}")
    raise SystemExit(1 if errors else 0)


def _checks(app_ids: tuple[str, ...]) -> Iterator[Check]:
    """Yield every check that can be made, whatever the others have found."""
    from itnio_nb.runs.preflight.machine import front_ends, versions
    from itnio_nb.runs.preflight.preflight import ledger_checks

    yield versions()
    account, problem = _account()
    yield from _settings(account, problem)
    yield from _keyring()
    ledger, state = _ledger(account)
    try:
        yield from _account_checks(account, ledger, app_ids)
        if ledger is not None and account is not None:
            yield from ledger_checks(account, ledger)
        else:
            yield state
    finally:
        if ledger is not None:
            ledger.close()
    yield front_ends()


def _account() -> tuple[Account | None, str]:
    """Return the account that is used here, or why there is none."""
    from itnio_nb.api.account.account import Account

    try:
        return (Account.from_env(), "") if Account.is_configured() else (None, "")
    except AccountError as error:
        return None, str(error)


def _settings(account: Account | None, problem: str) -> Iterator[Check]:
    """Yield where each setting comes from, and what is not used."""
    from itnio_nb.api.account.address import DEFAULT_BASE_URL
    from itnio_nb.runs.preflight.machine import Check

    if account is not None:
        yield Check("API key", "ok", f"…{account.api_key[-4:]}, from {account.source}")
        yield Check("API secret", "ok", f"there, from {account.source}")
        source = "the default" if account.base_url == DEFAULT_BASE_URL else f"from {account.source}"
        yield Check("base address", "ok", f"{account.base_url}, {source}")
    elif problem:
        yield Check("settings", "error", "the account cannot be read", problem)
    else:
        yield Check("settings", "error", "no account is configured: what you start works on a sandbox", _LOGIN)
    yield from _unused(account)
    for name, default in _FURTHER.items():
        value = os.environ.get(name) or os.environ.get(name.lower()) or ""
        shown = value.rsplit("@", 1)[-1]  # a proxy may have a password
        yield Check(name, "note", f"{shown}, from the environment" if value else f"{default}; not set")
    if os.environ.get("ITNIO_SANDBOX", "0") not in ("", "0"):
        advice = "Take it out, for the account."
        yield Check("sandbox", "warning", "ITNIO_SANDBOX is set: whatever you start works on a sandbox", advice)


def _unused(account: Account | None) -> Iterator[Check]:
    """Yield the sources of an account that stand below the one that is used."""
    from itnio_nb.api.account.profiles import DEFAULT_PROFILE, known_profiles
    from itnio_nb.api.account.settings import ENVIRONMENT, find_file
    from itnio_nb.runs.preflight.machine import Check

    source = "" if account is None else account.source
    below = []
    if any(os.environ.get(f"ITNIO_API_{name}") for name in ("KEY", "SECRET")) and source != ENVIRONMENT:
        below.append(ENVIRONMENT)
    if (path := find_file()) is not None and source != str(path):
        below.append(str(path))
    if (names := known_profiles()) and source != f"the keyring's profile {DEFAULT_PROFILE}":
        below.append(f"the keyring (profiles: {', '.join(names)})")
    if account is not None and below:
        yield Check("not used", "note", "; ".join(below))


def _keyring() -> Iterator[Check]:
    from itnio_nb.api.account.profiles import NoKeyringError, keeps_plain_text, keyring_name
    from itnio_nb.runs.preflight.machine import Check

    try:
        name = keyring_name()
        plain = keeps_plain_text()
    except NoKeyringError as error:
        yield Check("keyring", "note", str(error))
        return
    if plain:
        advice = "Use the keyring of the operating system: keyring --list-backends names those that there are."
        yield Check("keyring", "warning", f"{name} keeps secrets in a file, readable for all who have it", advice)
    else:
        yield Check("keyring", "ok", name)


def _ledger(account: Account | None) -> tuple[Ledger | None, Check]:
    """Return the ledger that is used here, and a line about it."""
    from itnio_nb.ledger.file.storage import ledger_path
    from itnio_nb.ledger.ledger import Ledger
    from itnio_nb.runs.preflight.machine import Check
    from itnio_nb.workspace import open_ledger_for

    try:
        if account is None and not ledger_path(None).exists():  # nothing is made for nobody
            return None, Check("ledger", "note", f"none yet: {ledger_path(None)}")
        return (Ledger() if account is None else open_ledger_for(account)), Check("ledger", "ok", "it can be opened")
    except ItnioError as error:
        return None, Check("ledger", "error", "it cannot be opened", str(error))


def _account_checks(account: Account | None, ledger: Ledger | None, app_ids: tuple[str, ...]) -> Iterator[Check]:
    """Yield what requests show, or that none was sent."""
    from itnio_nb.api.client import Client
    from itnio_nb.runs.preflight.machine import Check
    from itnio_nb.runs.preflight.preflight import account_checks, not_tried

    if account is None:
        for check in ("address", "certificates", "allow-list", "clock"):
            yield not_tried(check, "there is no account to try it with")
        return
    known = () if ledger is None else dict.fromkeys(ledger.table_for(account)["appId"])
    try:
        with Client(account) as client:
            yield from account_checks(client, list(app_ids or known))
    except AccountError as error:  # an address that no client connects to, root certificates that cannot be read
        yield Check("address", "error", f"{account.base_url}; no request was sent", str(error))
