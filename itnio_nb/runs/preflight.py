"""What must be right before a batch, and what is irreversible: account, address, clock, ledger, applications."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from itnio_nb.api.client import Client
from itnio_nb.api.models import State
from itnio_nb.api.text import duration, plural
from itnio_nb.errors import AccountError, InputError, ItnioError
from itnio_nb.ledger.file.storage import free_bytes
from itnio_nb.ledger.ledger import Ledger

_ROOM = 1_000_000_000  # bytes that should be free: a ledger of a million groups has less
_CLOCK_SLACK = 60  # seconds; half an hour is where the API refuses a timestamp
_ADDRESS_REFUSED, _TIMESTAMP_EXPIRED = "-2", "-16"
# Asked for where no application is known: the API looks at key, address and time before it refuses it (-22).
_NO_APPLICATION = "preflight"


class _Check(NamedTuple):
    """One line of the table: `result` is `ok`, `warning`, `error`, or `note` for what only has to be known."""

    check: str
    result: str
    found: str
    advice: str = ""


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
    known = ledger.table_for(client.account)
    asked = list(dict.fromkeys(known["appId"] if app_ids is None else app_ids))
    answers = {app_id: _phones_or_error(client, app_id) for app_id in asked or [_NO_APPLICATION]}
    checks = [
        _account(client, answers),
        _address(client, answers),
        _certificates(client, answers),
        _clock(client, answers),
        *_ledger(client, ledger, known),
        *(_applications(answers) if asked else [_NONE_KNOWN]),
        *_IRREVERSIBLE,
    ]
    return pd.DataFrame(checks, columns=list(_Check._fields))


_NONE_KNOWN = _Check("applications", "warning", "none is known", "Name those of the batch, by their ids: app_ids=[…].")
_IRREVERSIBLE = (
    _Check(
        "irreversible", "note", "a phone that is created stays: the API cannot delete it", "Begin with plan.first(1)."
    ),
    _Check(
        "irreversible",
        "note",
        "group names and phone names are taken for ever in their application",
        "Choose them to last.",
    ),
    _Check(
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


def _not_tried(check: str, found: str) -> _Check:
    return _Check(check, "warning", f"{found}; not tried", "Mend the errors first.")


def _account(client: Client, answers: _Answers) -> _Check:
    kind = "SANDBOX" if client.account.is_sandbox else f"LIVE ACCOUNT …{client.account.api_key[-4:]}"
    if any(isinstance(answer, int | InputError) for answer in answers.values()):
        return _Check("account", "ok", f"{kind}; key and secret are accepted")
    for error in _errors(answers):
        if isinstance(error, AccountError) and error.status not in (_ADDRESS_REFUSED, _TIMESTAMP_EXPIRED):
            return _Check("account", "error", kind, str(error))
    return _not_tried("account", kind)


def _address(client: Client, answers: _Answers) -> _Check:
    where = "this machine" if client.account.is_sandbox else client.account.base_url
    for error in _errors(answers):
        if error.status == _ADDRESS_REFUSED:
            return _Check("address", "error", f"{where}; it does not allow this machine's address", str(error))
    if not _was_answered(answers):
        return _Check("address", "error", f"{where}; no answer of the API", str(_errors(answers)[0]))
    return _Check("address", "ok", f"{where}; it answers, and allows this machine")


def _certificates(client: Client, answers: _Answers) -> _Check:
    if not client.account.base_url.startswith("https:"):
        return _Check("certificates", "ok", "none needed: plain http does not leave this machine")
    if refused := [str(error) for error in _errors(answers) if "certificate" in str(error)]:
        return _Check("certificates", "error", "the server's certificate is refused", refused[0])
    if not _was_answered(answers):
        return _not_tried("certificates", "no encrypted answer came back")
    return _Check("certificates", "ok", "the server's is valid for its address")


def _clock(client: Client, answers: _Answers) -> _Check:
    ahead = client.clock_skew
    if ahead is None:
        return _not_tried("clock", "the server's time is not known")
    found = f"{duration(abs(ahead))} {'behind' if ahead > 0 else 'ahead of'} the server's"
    if any(error.status == _TIMESTAMP_EXPIRED for error in _errors(answers)):
        return _Check("clock", "error", f"{found}; the server refuses its time", "Set this machine's clock.")
    if abs(ahead) > _CLOCK_SLACK:
        return _Check("clock", "warning", found, "Set this machine's clock: half an hour is the most that is accepted.")
    return _Check("clock", "ok", "agrees with the server's to a minute")


def _ledger(client: Client, ledger: Ledger, known: pd.DataFrame) -> Iterator[_Check]:
    where = f"{_short(ledger.path)}: {plural(len(known), 'group')} of this account"
    free = free_bytes(ledger.path)
    if free < _ROOM:
        found = f"{where}; only {free // 1_000_000:,} MB are free on its disk"
        yield _Check("ledger", "warning", found, "Make room: nothing is sent that could not be recorded.")
    else:
        yield _Check("ledger", "ok", f"{where}; on a disk of this machine, with room for a million more")
    unfinished = len(ledger.runs_of(client.account, unfinished=True))
    unknown = int(known["state"].isin(State.UNRESOLVED).sum())
    if unfinished or unknown:
        found = f"{plural(unfinished, 'run')} unfinished, {plural(unknown, 'group')} unknown"
        yield _Check("earlier runs", "warning", found, "ws.resume().wait() looks them up and goes on.")
    else:
        yield _Check("earlier runs", "ok", "none is unfinished")


def _applications(answers: _Answers) -> Iterator[_Check]:
    for app_id, answer in answers.items():
        check = f"application {app_id}"
        if isinstance(answer, int):
            yield _Check(check, "ok", f"{plural(answer, 'phone')} in it", "Ask your provider how many it can hold.")
        elif isinstance(answer, AccountError) or not answer.status:
            yield _not_tried(check, "its phones are not known")
        else:
            yield _Check(check, "error", f"could not be listed (status {answer.status})", str(answer))


def _short(path: Path) -> str:
    """Return a path as people write it: from the working folder, or from the home folder."""
    for folder, sign in ((Path.cwd(), ""), (Path.home(), "~/")):
        if path.is_relative_to(folder):
            return f"{sign}{path.relative_to(folder)}"
    return str(path)
