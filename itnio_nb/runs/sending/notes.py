"""What is said of a run besides its numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from itnio_nb.api.models import Receipt
from itnio_nb.api.statuses import status_info
from itnio_nb.api.text import plural
from itnio_nb.errors import ItnioError

_GO_ON = "Submit the plan again, or resume(client, ledger), to go on."


def where_it_went_on(created: int) -> list[str]:
    """Return what is said of a run that had created so many groups before; nothing where it had created none."""
    return [f"It went on where it had stopped: {plural(created, 'group')} had been created then."] if created else []


def why_stopped(answer: Receipt) -> str:
    """Return why a run sends nothing more: an answer that all other groups would get."""
    info = status_info(answer.status)
    number = "" if info.documented else f"status {answer.status}, "
    advice = info.todo or (_GO_ON if answer.wait else answer.advice)
    return f"It stopped itself ({number}{answer.reason}): {advice}"


def why_not_verified(error: ItnioError, failures: int, last_failure: str) -> str:
    """Return why a run ends without a listing; after `failures` in a row it gives up."""
    if not failures:
        return f"Not verified: {error}"
    words = f"{plural(failures, 'failure')} in a row ({last_failure})"
    return f"It stopped itself after {words}: the account does not answer. {error} {_GO_ON}"


def why_given_up(last_failure: str) -> str:
    """Return why a run gives up though the account can be listed."""
    return (
        f"It stopped itself: request after request failed ({last_failure}) and nothing was created in between, though "
        f"the account answers. {_GO_ON}"
    )


def what_happened(
    found: Counter[str],
    closed_apps: Mapping[str, Receipt],
    undocumented: Counter[tuple[str, str]],
    gap: float,
    clock: str,
) -> list[str]:
    """Return sentences on what listings have found, applications that take no more, statuses beyond the document.

    `gap` is the time between two requests, in seconds, since the server asked for fewer; 0 if it did not. `clock` says
    what is wrong with this machine's, if anything is.
    """
    notes = []
    if found := +found:
        notes.append(f"Settled by looking: {', '.join(f'{number:,} {what}' for what, number in found.items())}.")
    for app_id, answer in sorted(closed_apps.items()):
        notes.append(f"Nothing more was sent to application {app_id} (status {answer.status}, {answer.reason}).")
    for (status, words), number in sorted(undocumented.items()):
        notes.append(f"The server answered {status} ({words}) for {plural(number, 'group')}.")
    if gap:
        notes.append(f"It slowed down to a request every {gap:.2g} s, because the server asked for fewer.")
    if clock:
        notes.append(f"{clock[0].upper()}{clock[1:]}.")
    return notes
