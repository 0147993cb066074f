"""What must be right before a batch, and what is irreversible, in one table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd

from itnio_nb.api.account.account import Account
from itnio_nb.api.client import Client
from itnio_nb.api.models import State
from itnio_nb.api.text import duration, plural
from itnio_nb.errors import AccountError, InputError, ItnioError
from itnio_nb.ledger.ledger import Ledger
from itnio_nb.runs.preflight.machine import Check, disk, front_ends, versions

_CLOCK_SLACK = 60  # seconds; half an hour is where the API refuses a timestamp
_ADDRESS_REFUSED, _TIMESTAMP_EXPIRED = ("-2", "-31"), "-16"
# Asked for where no application is known: the API looks at key, address and time before it refuses it (-22).
_NO_APPLICATION = "preflight"


def preflight(client: Client, ledger: Ledger, *, app_ids: Iterable[str] | None = None) -> pd.DataFrame:
    """Check all that a first batch needs, and name what cannot be undone. Nothing is created.

        preflight(client, ledger, app_ids=["4luaKsL2"])

    Returns one row for each check, with columns `check result found advice`. `result` is `ok`; `warning` for what may
    be left as it is; `error` for what would stop the batch; `note` for what one has to know. Each application is asked
    for one phone (`sipQuery`), which also tries credentials, allow-list, certificate and clock; without `app_ids`,
    those that the ledger has of this account. Whatever is wrong is a row: nothing is raised for it. Raises
    `LedgerError` where the ledger cannot be read, `InputError` for `app_ids` that is one text.
    """
    if isinstance(app_ids, str):
        raise InputError(f"Applications are given as a list: app_ids=[{app_ids!r}].")
    asked = list(dict.fromkeys(ledger.pages.applications(client.account) if app_ids is None else app_ids))
    checks = [
        versions(),
        settings(client.account),
        *account_checks(client, asked),
        *ledger_checks(client.account, ledger),
        front_ends(),
        *IRREVERSIBLE,
    ]
    return as_table(checks)


def as_table(checks: Iterable[Check]) -> pd.DataFrame:
    """Return checks as a table: `check result found advice`."""
    return pd.DataFrame(checks, columns=list(Check._fields))


def settings(account: Account) -> Check:
    """Tell where the account comes from."""
    return Check("settings", "ok", f"the account comes from {_short(account.source)}")


def account_checks(client: Client, app_ids: Sequence[str]) -> list[Check]:
    """Check the account, what leads to it, and its applications, by a request for each of these."""
    answers = {app_id: _phones_or_error(client, app_id) for app_id in app_ids or [_NO_APPLICATION]}
    return [
        _account(client, answers),
        _address(client, answers),
        _certificates(client, answers),
        _allow_list(answers),
        _clock(client, answers),
        *(_applications(answers) if app_ids else [_no_application(answers)]),
    ]


IRREVERSIBLE = (
    Check(
        "irreversible", "note", "a phone that is created stays: the API cannot delete it", "Begin with plan.first(1)."
    ),
    Check(
        "irreversible",
        "note",
        "group names and phone names are taken for ever in their application",
        "Choose them to last.",
    ),
    Check(
        "irreversible",
        "note",
        "a group of which only some phones were created cannot be completed",
        "What is missing is ordered under a new name.",
    ),
)


_Answers = Mapping[str, int | ItnioError]  # of each application: how many phones it has, or why that is not known


def _phones_or_error(client: Client, app_id: str) -> int | ItnioError:
    try:
        return client.count_phones(app_id)
    except ItnioError as error:
        return error


def _errors(answers: _Answers) -> list[ItnioError]:
    return [answer for answer in answers.values() if isinstance(answer, ItnioError)]


def _was_answered(answers: _Answers) -> bool:
    """Return whether the API answered: with a number of phones, or with a status."""
    return any(isinstance(answer, int) or answer.status for answer in answers.values())


def not_tried(check: str, found: str) -> Check:
    """Return the line of a check that another one stands in the way of."""
    return Check(check, "warning", f"{found}; not tried", "Mend the errors first.")


def _account(client: Client, answers: _Answers) -> Check:
    kind = "SANDBOX" if client.account.is_sandbox else f"LIVE ACCOUNT …{client.account.api_key[-4:]}"
    if any(isinstance(answer, int | InputError) for answer in answers.values()):
        return Check("account", "ok", f"{kind}; key and secret are accepted")
    for error in _errors(answers):
        if isinstance(error, AccountError) and error.status not in (*_ADDRESS_REFUSED, _TIMESTAMP_EXPIRED):
            return Check("account", "error", kind, str(error))
    return not_tried("account", kind)


def _address(client: Client, answers: _Answers) -> Check:
    where = "this machine" if client.account.is_sandbox else client.account.base_url
    if not _was_answered(answers):
        return Check("address", "error", f"{where}; no answer of the API", str(_errors(answers)[0]))
    return Check("address", "ok", f"{where}; it answers")


def _allow_list(answers: _Answers) -> Check:
    for error in _errors(answers):
        if error.status in _ADDRESS_REFUSED:
            return Check("allow-list", "error", "the account does not allow this machine's address", str(error))
    if not any(isinstance(answer, int | InputError) for answer in answers.values()):
        return not_tried("allow-list", "whether the account allows this machine is not known")
    return Check("allow-list", "ok", "the account allows this machine's address")


def _certificates(client: Client, answers: _Answers) -> Check:
    if not client.account.base_url.startswith("https:"):
        return Check("certificates", "ok", "none needed: plain http does not leave this machine")
    if refused := [str(error) for error in _errors(answers) if "the server's certificate" in str(error)]:
        return Check("certificates", "error", "the server's certificate is refused", refused[0])
    if not _was_answered(answers):
        return not_tried("certificates", "no encrypted answer came back")
    return Check("certificates", "ok", "the server's is valid for its address")


def _clock(client: Client, answers: _Answers) -> Check:
    ahead = client.clock_skew
    if ahead is None:
        return not_tried("clock", "the server's time is not known")
    found = f"{duration(abs(ahead))} {'behind' if ahead > 0 else 'ahead of'} the server's"
    if any(error.status == _TIMESTAMP_EXPIRED for error in _errors(answers)):
        return Check("clock", "error", f"{found}; the server refuses its time", "Set this machine's clock.")
    if abs(ahead) > _CLOCK_SLACK:
        return Check("clock", "warning", found, "Set this machine's clock: half an hour is the most that is accepted.")
    return Check("clock", "ok", "agrees with the server's to a minute")


def ledger_checks(account: Account, ledger: Ledger) -> list[Check]:
    """Check the ledger, its disk, and what earlier runs have left."""
    known = ledger.pages.counts(account)
    place = "in a server" if ledger.is_shared else "on a disk of this machine"
    where = f"{_short(ledger.address)}: {plural(known.total(), 'group')} of this account, {place}"
    unfinished = len(ledger.runs_of(account, unfinished=True))
    unknown = sum(known[state] for state in State.UNRESOLVED)
    resets = ledger.reset_store.left(account)
    earlier = [Check("earlier runs", "ok", "none is unfinished")] if not (unfinished or unknown or resets) else []
    if unfinished or unknown:
        found = f"{plural(unfinished, 'run')} unfinished, {plural(unknown, 'group')} unknown"
        earlier.append(Check("earlier runs", "warning", found, "ws.resume().wait() looks them up and goes on."))
    if resets:
        found = f"{plural(resets, 'phone')} of an unfinished reset: which password works may not be known"
        earlier.append(Check("earlier resets", "warning", found, "ws.reset_passwords(…) of the same groups goes on."))
    return [Check("ledger", "ok", where), *disk(ledger), *earlier]


def _no_application(answers: _Answers) -> Check:
    """Return the line for no application: what was asked for one that there is not tells whether listing works."""
    for error in _errors(answers):
        if error.status and not isinstance(error, AccountError | InputError):
            return Check("applications", "error", f"could not be listed (status {error.status})", str(error))
    advice = "Name those of the batch, by their ids: app_ids=[…], or --app-id."
    return Check("applications", "warning", "none is known", advice)


def _applications(answers: _Answers) -> Iterator[Check]:
    for app_id, answer in answers.items():
        check = f"application {app_id}"
        if isinstance(answer, int):
            yield Check(check, "ok", f"{plural(answer, 'phone')} in it", "Ask your provider how many it can hold.")
        elif not answer.status and _was_answered(answers):
            yield Check(check, "error", "could not be listed, as another one was", str(answer))
        elif isinstance(answer, AccountError) or not answer.status:
            yield not_tried(check, "its phones are not known")
        else:
            yield Check(check, "error", f"could not be listed (status {answer.status})", str(answer))


def _short(path: str) -> str:
    """Return a path as people write it, from the working folder or from the home folder; other words as they are."""
    for folder, sign in ((Path.cwd(), ""), (Path.home(), "~/")):
        if Path(path).is_relative_to(folder):
            return f"{sign}{Path(path).relative_to(folder)}"
    return path
