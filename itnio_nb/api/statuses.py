"""What an answer of the API means: every status in words, the errors of a request, and the parser of its response.

`STATUSES` is about groups of phones; what the same statuses mean for a password is `reset_outcome`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from typing import Any

from itnio_nb.api.models import ResetState, State, now
from itnio_nb.api.text import duration, one_line

CREATED_STATUS = "0"
NAME_TAKEN = "-20"  # it does not say which of the two names is taken: only a listing tells
TIMESTAMP_EXPIRED = "-16"
FIELD_REFUSED = "-22"
TOO_FREQUENT = "-15"
NOT_EXISTING = "-24"
_BUSY_WAIT = 1.0  # seconds, where a busy server names no time


@dataclass(frozen=True)
class StatusInfo:
    """What one status of the API means for the group that was asked for."""

    state: State
    advice: str  # what it means, whether anything was created, what to do next
    reason: str = "no reason given"  # the document's own words
    failure_scope: str = ""  # which other groups would fail alike: "run", "application" or "" for none
    source: str = ""  # "" for the API document; else where the vendor lists it, for another service
    documented: bool = True
    todo: str = ""  # of a status that the document does not list: what helps once nothing was created


# Every status of the API document.
STATUSES = {
    CREATED_STATUS: StatusInfo(State.CREATED, "Created. Next: hand it over.", "success"),
    "-1": StatusInfo(
        State.REFUSED,
        "Authentication failed: the API key, the secret or the signature is wrong. Nothing was created. "
        "Check ITNIO_API_KEY and ITNIO_API_SECRET, then submit again.",
        reason="Authentication error",
        failure_scope="run",
    ),
    "-2": StatusInfo(
        State.REFUSED,
        "Address not allowed: this machine's IP address is not on the account's allow-list. Nothing was created. "
        "Add the address in the ITNIO console, then submit again.",
        reason="Restricted IP access",
        failure_scope="run",
    ),
    TIMESTAMP_EXPIRED: StatusInfo(
        State.REFUSED,
        "Timestamp expired: the clocks of this machine and of the server differ by more than half an hour. "
        "Nothing was created. Set this machine's clock, then submit again.",
        reason="Timestamp expires",
        failure_scope="run",
    ),
    "-18": StatusInfo(
        State.UNKNOWN,
        "Server fault: the server failed inside. It is not known whether the phones were created. "
        "A run looks by itself; otherwise look with client.list_phones(appId) before anything is sent again.",
        reason="Port program unusual",
    ),
    NAME_TAKEN: StatusInfo(
        State.EXISTS,
        "Name taken: the group name or the phone name is in use in this application. This request created nothing. "
        "Look with client.list_phones(appId): the group may be there already; otherwise choose another phone name.",
        reason="Data existing",
    ),
    FIELD_REFUSED: StatusInfo(
        State.REFUSED,
        "Field refused: a field breaks a rule of the API, or the application id is wrong. Nothing was created. "
        "Mend the order, then submit it again.",
        reason="Parameter exception",
    ),
    "-23": StatusInfo(
        State.REFUSED,
        "Application full: it can hold no more phones. Nothing was created. "
        "Have the limit raised or use another application, then submit again.",
        reason="Data caps",
        failure_scope="application",
    ),
}


def _beyond_document(words: str, source: str, todo: str, failure_scope: str = "") -> StatusInfo:
    """Return a status that the API document does not list: whether it has created anything, only a listing tells."""
    advice = (
        f"{words}: a status that the API document does not list. It is not known whether the phones were created. "
        "A run looks by itself; otherwise look with client.list_phones(appId) before anything is sent again."
    )
    return StatusInfo(State.UNKNOWN, advice, words, failure_scope, source, documented=False, todo=todo)


_VOICE, _MESSAGES = "the vendor's list of voice statuses", "the vendor's list for messages"
_AGAIN = "then submit again."
# Statuses of the vendor's sibling services, from their public pages: a voice request may meet any of them.
SIBLING_STATUSES = {
    "-10": _beyond_document("Balance insufficient", _VOICE, f"Top the account up, {_AGAIN}", "run"),
    "-13": _beyond_document("User locked", _MESSAGES, f"Have the account unlocked, {_AGAIN}", "run"),
    TOO_FREQUENT: _beyond_document(
        "Frequent query", _MESSAGES, "Submit the plan again, with fewer requests a second: rate=5."
    ),
    "-21": _beyond_document("Data validation exception", _VOICE, "Correct the order, then submit it again."),
    NOT_EXISTING: _beyond_document(
        "Data not existing", "sipReset", "Check the application id, then submit the order again."
    ),
    "-29": _beyond_document("Workspace disabled", _MESSAGES, f"Have the workspace enabled, {_AGAIN}", "run"),
    "-30": _beyond_document("Key disabled", _MESSAGES, f"Have the API key enabled, or use another, {_AGAIN}", "run"),
    "-31": _beyond_document("Address not in the whitelist", _MESSAGES, f"Have this address allowed, {_AGAIN}", "run"),
    "-32": _beyond_document(
        "No permission for the application", _MESSAGES, f"Have the API key allowed to use it, {_AGAIN}", "application"
    ),
    "-36": _beyond_document(
        "More than can be created",
        "the vendor's call-centre service",
        f"Have the limit raised, or use another application, {_AGAIN}",
        "application",
    ),
}
UNDOCUMENTED = _beyond_document("Status not documented", "no list", "Ask your provider what the status means.")


_NO_STATUS = StatusInfo(State.UNKNOWN, "No answer of the API: look with client.list_phones(appId).")


_ALL = STATUSES | SIBLING_STATUSES | {"": _NO_STATUS}


def status_info(status: str) -> StatusInfo:
    """Return what a status means, `UNDOCUMENTED` for one that no list of the vendor has; "" is no answer at all."""
    return _ALL.get(status, UNDOCUMENTED)


# What the statuses of `sipReset` mean for the phone: the vendor's public documentation lists these and no others.
_UNCHANGED = "No password was changed."
_RESETS = {
    CREATED_STATUS: (ResetState.RESET, "New password. Next: hand it over; the old one does not work any more."),
    "-1": (ResetState.REFUSED, f"Authentication failed: key, secret or signature is wrong. {_UNCHANGED} Check them."),
    "-2": (
        ResetState.REFUSED,
        f"Address not allowed: this machine's is not on the account's allow-list. {_UNCHANGED} Add it in the console.",
    ),
    TIMESTAMP_EXPIRED: (ResetState.REFUSED, f"Timestamp expired. {_UNCHANGED} Set this machine's clock."),
    FIELD_REFUSED: (ResetState.REFUSED, f"Account or application id refused. {_UNCHANGED} Check both."),
    NOT_EXISTING: (ResetState.REFUSED, f"The application has no phone of that account. {_UNCHANGED} List its phones."),
    # Of a request, not of an answer.
    ResetState.PLANNED: (ResetState.PLANNED, f"Not sent, or the server is busy. {_UNCHANGED} Reset it again."),
}
_RESET_UNKNOWN = (
    "It is not known whether the password was changed, nor, while the request may still be under way, which one works. "
    "Reset the phone again before it is handed over."
)


def reset_outcome(status: str) -> tuple[ResetState, str]:
    """Return state and advice of a phone by the status of `sipReset`, or by "planned" where nothing was done.

    Any status that is not in the vendor's list, and no answer at all (""), leave it unknown.
    """
    return _RESETS.get(status, (ResetState.UNKNOWN, _RESET_UNKNOWN))


class RequestError(Exception):
    """A request that got no answer of the API. Its text is the reason."""

    info: StatusInfo  # what that means for a group

    def __init__(self, reason: str, http_status: int = 0, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.http_status = http_status  # of the response, 0 where there was none
        self.wait = wait  # seconds for which the server wants no more requests


class NotSentError(RequestError):
    """The request certainly never left this machine."""

    info = StatusInfo(
        State.PLANNED,
        "Not sent: no connection to the server. Nothing was created. "
        "Check the network and ITNIO_BASE_URL, then submit again: the group is still planned.",
    )


class CertificateError(NotSentError):
    """The server's certificate was refused, so nothing left; `todo` is what helps."""

    def __init__(self, reason: str, todo: str) -> None:
        super().__init__(reason)
        self.todo = todo
        self.info = replace(self.info, advice=f"Not sent: {reason}. Nothing was created. {todo} Then submit again.")


class UnknownOutcomeError(RequestError):
    """The request may have arrived, and what came back is no answer of the API."""

    info = StatusInfo(
        State.UNKNOWN,
        "No answer of the API: the request left, and what came back does not tell. It is not known whether the phones "
        "were created. Look with client.list_phones(appId) before anything is sent again.",
    )


class BusyError(RequestError):
    """The server did nothing, and asks to wait (HTTP 429, or 503 with Retry-After)."""

    info = StatusInfo(
        State.PLANNED,
        "Not created: the server is busy and asks to wait. A run waits as long as it asks, and sends the group again.",
    )


@dataclass(frozen=True)
class ApiResponse:
    """An answer in the API's own shape."""

    status: str
    reason: str
    data: Any
    server_time: float | None  # Unix time of the response's `Date`


def parse_response(http_status: int, content: bytes, headers: Mapping[str, str]) -> ApiResponse:
    """Parse a response; of its headers, `Date` and `Retry-After` are read.

    An answer of the API is HTTP 200 with a JSON object that has `status` (text or whole number) and `reason`. HTTP 429,
    and 503 with `Retry-After`, raise `BusyError`: nothing was done (RFC 6585 and 9110). All else raises
    `UnknownOutcomeError`: it may be a portal's or a proxy's, and is neither a success nor a refusal.
    """
    server_time, retry_after = _http_time(headers.get("Date", "")), headers.get("Retry-After", "")
    if http_status == 429 or (http_status == 503 and retry_after):
        wait = _seconds(retry_after, server_time)
        raise BusyError(f"HTTP {http_status}: the server is busy and asks to wait {duration(wait)}", http_status, wait)
    if http_status != 200:
        raise UnknownOutcomeError(f"HTTP {http_status} instead of an answer of the API", http_status)
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        raise UnknownOutcomeError("HTTP 200, but the body is not JSON") from None
    status = body.get("status") if isinstance(body, dict) else None
    if isinstance(status, int) and not isinstance(status, bool):
        status = str(status)
    if not isinstance(status, str) or not re.fullmatch(r"0|-?[1-9][0-9]{0,8}", status) or "reason" not in body:
        raise UnknownOutcomeError("HTTP 200, but the body has not the API's shape")
    reason = one_line(body["reason"]) if isinstance(body["reason"], str) else ""
    return ApiResponse(status, reason or status_info(status).reason, body.get("data"), server_time)


def _http_time(text: str) -> float | None:
    """Return the Unix time of a header's date, None for one that is missing or cannot be read."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def _seconds(retry_after: str, server_time: float | None) -> float:
    """Return the seconds that `Retry-After` asks to wait, given as a number or as a date of the server's clock."""
    if retry_after.isascii() and retry_after.isdigit():
        return min(float(retry_after), 1e6)
    if (until := _http_time(retry_after)) is None:
        return _BUSY_WAIT
    return max(0.0, until - (now().timestamp() if server_time is None else server_time))
