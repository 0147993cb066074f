"""What a request asks for and what comes of it: limits, phone groups, states, actions, receipts, resets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum, nonmember
from typing import TYPE_CHECKING

from itnio_nb.api.account.secret import Secret

if TYPE_CHECKING:
    import pandas as pd


# The one mapping of names: attribute of PhoneGroup -> field of the API.
WIRE = {
    "group_name": "groupName",
    "phone_name": "phoneName",
    "quantity": "quantity",
    "display_num": "displayNum",
    "app_id": "appId",
}
API_COLUMNS = tuple(WIRE.values())


@dataclass(frozen=True)
class Limits:
    """What the API allows in each field; lengths are in code points. Another brand of the API may have others.

    Source: the API document, except where a field says otherwise.
    """

    name_min: int = 4  # groupName and phoneName, characters
    name_max: int = 32
    group_max: int = 50  # phones in one request; a larger order is split
    display_min: int = 7  # displayNum, digits
    display_max: int = 13
    display_required: bool = True
    order_max: int = 100_000  # our own: a larger order is a display number in the wrong column


LIMITS = Limits()


class State(StrEnum):
    """What is known of a phone group; `word` is how people read it: of a group that is `planned`, "not sent"."""

    PLANNED = "planned"
    SENDING = "sending"
    CREATED = "created"
    PARTIAL = "partial"
    EXISTS = "exists"
    REFUSED = "refused"
    UNKNOWN = "unknown"

    PENDING = nonmember(frozenset({PLANNED, SENDING}))  # no outcome yet: what a progress bar still has to count
    UNRESOLVED = nonmember(frozenset({SENDING, UNKNOWN}))  # a request left, its outcome is not known: list the phones
    DONE = nonmember(frozenset({CREATED, PARTIAL, EXISTS, REFUSED}))  # final for the run
    PRESENT = nonmember(frozenset({CREATED, PARTIAL, EXISTS}))  # at least one phone of the group is in the account
    SENDABLE = nonmember(frozenset({PLANNED, REFUSED}))  # nothing was created: another request creates nothing twice
    FAILED = nonmember(frozenset({PARTIAL, REFUSED}))  # not there as asked for, and no later listing changes that

    @property
    def word(self) -> str:
        """The state as a form, a chart or a progress line says it, of groups of a run that is over."""
        return _STATE_WORDS.get(self, str(self))


_STATE_WORDS = {State.PLANNED: "not sent", State.EXISTS: "existed", State.SENDING: "being sent"}


class Action(StrEnum):
    """What a planned group needs."""

    CREATE = "create"
    EXISTS = "exists"
    IN_DOUBT = "in doubt"
    SENDING = "being sent"  # by somebody who works on a run now


@dataclass(frozen=True)
class PhoneGroup:
    """One phone group: what one `sipAdd` request asks for. Any values are accepted: the server is to refuse them.

    >>> PhoneGroup("sipGroup", "sip", 30, "861000000", "4luaKsL2").to_wire()["groupName"]
    'sipGroup'
    """

    group_name: str  # unique in its application
    phone_name: str  # unique in its application; the phones are named after it
    quantity: int  # phones, 1–50
    display_num: str  # the number that a called person sees
    app_id: str  # the voice application that the phones belong to

    def to_wire(self) -> dict[str, str | int]:
        """Return the JSON body of the request, in the API's field names and order."""
        return {wire: getattr(self, name) for name, wire in WIRE.items()}


@dataclass(frozen=True)
class Receipt:
    """The outcome of one attempt to create, or to find, one group."""

    state: State
    status: str  # the API's status, or "" where the API did not answer
    reason: str  # in the server's words, or what happened to the connection
    advice: str  # what it means, whether anything was created, what to do next
    at: datetime  # when the outcome was known, UTC
    wait: float = 0.0  # seconds for which the server wants no more requests


class ResetState(StrEnum):
    """What is known of a phone that is to get a new password. After a run, `planned` is shown as "not sent"."""

    PLANNED = "planned"
    SENDING = "sending"
    RESET = "reset"
    REFUSED = "refused"
    UNKNOWN = "unknown"  # a request left, and no answer tells: which password works is not known


@dataclass(frozen=True)
class ResetReceipt:
    """The outcome of one attempt to give a phone a new password; the other fields are those of `Receipt`."""

    state: ResetState
    status: str
    reason: str
    advice: str
    at: datetime
    wait: float = 0.0
    password: Secret | None = None  # the new one, where the answer has it


def now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


def phone_groups(groups: pd.DataFrame) -> Iterator[PhoneGroup]:
    """Yield a `PhoneGroup` for each row of a table with the API's columns."""
    for values in zip(*(groups[wire].tolist() for wire in API_COLUMNS), strict=True):
        yield PhoneGroup(*values)
