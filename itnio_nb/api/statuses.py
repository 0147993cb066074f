"""What an answer of the API means: its shape, and every status of the document in words."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from itnio_nb.api.models import Receipt, State, now
from itnio_nb.api.text import duration, one_line

NAME_TAKEN = "-20"  # it does not say which of the two names is taken: only a listing tells
_BUSY_WAIT = 1.0  # seconds, where a busy server does not say how long


@dataclass(frozen=True)
class StatusInfo:
    """What one status of the API means for the group that was asked for, in words."""

    state: State
    reason: str  # the document's own words
    advice: str  # what it means, whether anything was created, what to do next
    failure_scope: str = ""  # what else it dooms: "run", "application", or nothing


# Every status of the API document. The advice says: meaning, whether anything was created, next step.
STATUSES = {
    "0": StatusInfo(State.CREATED, "success", "Created. Next: hand it over."),
    "-1": StatusInfo(
        State.REFUSED,
        "Authentication error",
        "Authentication failed: the API key, the secret or the signature is wrong. Nothing was created. "
        "Check ITNIO_API_KEY and ITNIO_API_SECRET, then submit again.",
        failure_scope="run",
    ),
    "-2": StatusInfo(
        State.REFUSED,
        "Restricted IP access",
        "Address not allowed: this machine's IP address is not on the account's allow-list. Nothing was created. "
        "Add the address in the ITNIO console, then submit again.",
        failure_scope="run",
    ),
    "-16": StatusInfo(
        State.REFUSED,
        "Timestamp expires",
        "Timestamp expired: the clocks of this machine and of the server differ by more than half an hour. "
        "Nothing was created. Set this machine's clock, then submit again.",
        failure_scope="run",
    ),
    "-18": StatusInfo(
        State.UNKNOWN,
        "Port program unusual",
        "Server fault: the server failed inside. It is not known whether the phones were created. "
        "A run looks by itself; otherwise look with client.list_phones(appId) before anything is sent again.",
    ),
    NAME_TAKEN: StatusInfo(
        State.EXISTS,
        "Data existing",
        "Name taken: the group name or the phone name is in use in this application. This request created nothing. "
        "Look with client.list_phones(appId): the group may be there already; otherwise choose another phone name.",
    ),
    "-22": StatusInfo(
        State.REFUSED,
        "Parameter exception",
        "Field refused: a field breaks a rule of the API, or the application id is wrong. Nothing was created. "
        "Mend the order, then submit it again.",
    ),
    "-23": StatusInfo(
        State.REFUSED,
        "Data caps",
        "Application full: it can hold no more phones. Nothing was created. "
        "Have the limit raised or use another application, then submit again.",
        failure_scope="application",
    ),
}
UNDOCUMENTED = StatusInfo(
    State.UNKNOWN,
    "no reason given",
    "Status not documented: the API document does not list it. It is not known whether the phones were created. "
    "A run looks by itself; otherwise look with client.list_phones(appId) before anything is sent again.",
)
NO_ANSWER = StatusInfo(
    State.UNKNOWN,
    "no reason given",
    "No answer of the API: the request left, and what came back does not tell. It is not known whether the phones "
    "were created. Look with client.list_phones(appId) before anything is sent again.",
)
NEVER_SENT = StatusInfo(
    State.PLANNED,
    "no reason given",
    "Not sent: no connection to the server. Nothing was created. "
    "Check the network and ITNIO_BASE_URL, then submit again: the group is still planned.",
)
BUSY = StatusInfo(
    State.PLANNED,
    "no reason given",
    "Not created: the server is busy and asks to wait. A run waits as long as it asks, and sends the group again.",
)


def failure_scope(receipt: Receipt) -> str:
    """Return what a receipt dooms besides its own group: "run", "application" or ""."""
    return STATUSES[receipt.status].failure_scope if receipt.status in STATUSES else ""


class NotSentError(Exception):
    """The request certainly never left this machine."""


class UnknownOutcomeError(Exception):
    """The request may have arrived, and nothing that came back is an answer of the API.

    `http_status` is that of what came back, 0 where nothing did.
    """

    def __init__(self, words: str, http_status: int = 0) -> None:
        super().__init__(words)
        self.http_status = http_status


class BusyError(Exception):
    """The server did not do it, and asks to wait (HTTP 429, or 503 with Retry-After)."""

    def __init__(self, http_status: int, wait: float) -> None:
        super().__init__(f"HTTP {http_status}: the server is busy and asks to wait {duration(wait)}")
        self.wait = wait


@dataclass(frozen=True)
class ApiResponse:
    """An answer in the API's own shape."""

    status: str
    reason: str
    data: Any


def parse_response(
    http_status: int, content: bytes, retry_after: str = "", server_time: float | None = None
) -> ApiResponse:
    """Accept a body in the API's own shape that came with HTTP 200; anything else is no answer of the API.

    `status` may be text or a whole number, `reason` must be there. The document knows no other HTTP status
    than 200: portals and proxies answer too, and theirs is neither a success nor a refusal. HTTP 429, and 503 with
    `Retry-After`, say that nothing was done (`BusyError`; RFC 9110 and 6585). A date in it
    is one of the server's clock, `server_time` the same answer's `Date`.
    """
    if http_status == 429 or (http_status == 503 and retry_after):
        raise BusyError(http_status, _seconds(retry_after, server_time))
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
    reason = body["reason"]
    words = one_line(reason) if isinstance(reason, str) else ""
    return ApiResponse(status, words or STATUSES.get(status, UNDOCUMENTED).reason, body.get("data"))


def http_time(text: str | None) -> float | None:
    """Return the Unix time that a `Date` header names, None for one that is missing or cannot be read."""
    try:
        return parsedate_to_datetime(text or "").timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def _seconds(retry_after: str, server_time: float | None) -> float:
    """Return the seconds that a `Retry-After` header asks for: a number, or a date by which they have passed."""
    if retry_after.isascii() and retry_after.isdigit():
        return min(float(retry_after), 1e6)
    until = http_time(retry_after)
    if until is None:
        return _BUSY_WAIT
    return max(0.0, until - (now().timestamp() if server_time is None else server_time))
