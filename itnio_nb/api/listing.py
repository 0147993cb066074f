"""The phones of an application: every page of `sipQuery`, and an inventory of them by group."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count as count_from
from threading import Event
from typing import TypeGuard, TypeVar

from itnio_nb.api.account import MASK
from itnio_nb.api.models import PhoneGroup
from itnio_nb.api.statuses import STATUSES, UNDOCUMENTED, ApiResponse, BusyError, NotSentError, UnknownOutcomeError
from itnio_nb.api.text import one_line, plural
from itnio_nb.api.transport import Transport
from itnio_nb.errors import AccountError, InputError, ServiceError

PAGE_SIZE = 100  # records; the most that sipQuery gives in one page
LISTING_COLUMNS = ("groupName", "phoneName", "account", "password", "displayNum", "appId")
_PAGE_TRIES, _CONNECT_TRIES, _LISTING_TRIES = 6, 2, 3
_PAUSE = 0.1  # seconds before a page is asked for again; doubled each time
_MAX_PAGE_WAIT = 60.0  # seconds that one page waits at most for a busy server

T = TypeVar("T")


class _ListingChangedError(Exception):
    """A listing changed while it was read: its total did, a record came twice, or one is missing."""


class _RetryableError(Exception):
    """One page could not be had: a look changes nothing, so it may be asked for again."""

    def __init__(self, error: ServiceError, tries: int, wait: float = 0.0) -> None:
        super().__init__(str(error))
        self.error, self.tries, self.wait = error, tries, wait


@dataclass(frozen=True)
class GroupInventory:
    """What an application holds of one group."""

    phones: int
    display_nums: frozenset[str]
    phone_names: frozenset[str]  # as ordered

    def differences(self, group: PhoneGroup) -> str:
        """Say how it differs from what was asked for, "" where it does not."""
        size = f"{plural(self.phones, 'phone')}, {group.quantity:,} asked for" if self.phones != group.quantity else ""
        return "; ".join(filter(None, [size, self.field_differences(group)]))

    def field_differences(self, group: PhoneGroup) -> str:
        """Say how its phones differ from those asked for, whatever their number; "" where they do not."""
        differences = []
        for noun, there, asked in (
            ("display number", self.display_nums, group.display_num),
            ("phone name", self.phone_names, group.phone_name),
        ):
            shown = there - {""}  # what a listing does not show is no difference
            if shown and shown != {asked}:
                words = ", ".join(one_line(text) for text in sorted(shown)[:3])
                differences.append(f"{noun} {words}, {asked} asked for")
        return "; ".join(differences)


@dataclass(frozen=True)
class Inventory:
    """One application as it was when it was looked at."""

    groups: dict[str, GroupInventory]  # by group name
    phone_names: dict[str, str]  # phone name as ordered -> the group that has it

    @property
    def total(self) -> int:
        """How many phones it has."""
        return sum(held.phones for held in self.groups.values())


def phone_order_name(phone_name: str) -> str:
    """Return the phone name that was ordered, from the name of a phone.

    >>> phone_order_name("sip-1")
    'sip'

    The phones of one request are named after its `phoneName` with `-1`, `-2`, … behind it. Source: the one
    published sample record of sipQuery; nothing more is known of the rule, so it stands here alone.
    """
    name, dash, number = phone_name.rpartition("-")
    return name if dash and number.isdecimal() else phone_name


def inventory_of(pages: Iterator[list[dict[str, object]]]) -> Inventory:
    """Index pages of phones by group, page by page: no more than the index is kept."""
    sizes: Counter[str] = Counter()
    numbers: dict[str, set[str]] = {}
    names: dict[str, set[str]] = {}
    owners: dict[str, str] = {}
    for page in pages:
        for record in page:
            group, phone, number = (field_text(record.get(name)) for name in ("groupName", "phoneName", "displayNum"))
            ordered = phone_order_name(phone)
            sizes[group] += 1
            numbers.setdefault(group, set()).add(number)
            names.setdefault(group, set()).add(ordered)
            owners.setdefault(ordered, group)
    held = {
        group: GroupInventory(size, frozenset(numbers[group]), frozenset(names[group])) for group, size in sizes.items()
    }
    return Inventory(held, owners)


def phones_seen(group: PhoneGroup, listing: Inventory) -> int:
    """Return how many of the phones that were asked for are there."""
    held = listing.groups.get(group.group_name)
    return min(held.phones, group.quantity) if held else 0


class ListingReader:
    """Reads the pages of `sipQuery` for a client, with patience for what goes wrong."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def read(
        self,
        app_id: str,
        read: Callable[[Iterator[list[dict[str, object]]]], T],
        *,
        reveal: bool = False,
        stopping: Event | None = None,
    ) -> T:
        """Return what `read` makes of the pages of an application's phones, each a list of records.

        Where the listing changes under it, `read` is called again with new pages. Raises what `list_phones` raises.
        """
        if not isinstance(app_id, str) or not app_id:
            raise InputError('No application id was given: list_phones needs one, as in list_phones("4luaKsL2").')
        for _ in range(_LISTING_TRIES):
            try:
                return read(self._pages(app_id, reveal, stopping))
            except _ListingChangedError:
                continue
        raise ServiceError(
            f"{_not_listed(app_id)}: the listing changes while it is read. Try again when nobody adds phones."
        )

    def count(self, app_id: str, stopping: Event | None = None) -> int:
        """Return how many phones an application has: one small request, with little patience.

        Raises what `list_phones` raises.
        """
        return self._page(app_id, 1, reveal=False, stopping=stopping, size=1, most_tries=_CONNECT_TRIES)[1]

    def _pages(self, app_id: str, reveal: bool, stopping: Event | None) -> Iterator[list[dict[str, object]]]:
        """Yield the records of all pages; raise `_ListingChangedError` if they do not make one whole."""
        seen: set[int] = set()  # hashes of records
        whole: int | None = None
        for page in count_from(1):
            records, total = self._page(app_id, page, reveal=reveal, stopping=stopping)
            whole = total if whole is None else whole
            known = len(seen)
            seen |= {hash(tuple(map(str, record.values()))) for record in records}
            if total != whole or len(seen) != known + len(records) or (not records and len(seen) < whole):
                records.clear()
                raise _ListingChangedError
            yield records
            if page * PAGE_SIZE >= whole:
                break
        if len(seen) != whole:
            raise _ListingChangedError

    def _page(
        self,
        app_id: str,
        page: int,
        *,
        reveal: bool,
        stopping: Event | None,
        size: int = PAGE_SIZE,
        most_tries: int = _PAGE_TRIES,
    ) -> tuple[list[dict[str, object]], int]:
        """Return the records of one page, and how many there are in all, with patience for what goes wrong."""
        for tried in count_from(1):
            if stopping is not None and stopping.is_set():
                raise ServiceError(f"{_not_listed(app_id)}: stopped before its last page.")
            try:
                return self._page_once(app_id, page, size, reveal)
            except _RetryableError as again:
                if tried >= min(again.tries, most_tries) or again.wait > _MAX_PAGE_WAIT:
                    error = again.error
                    break
                pause = max(again.wait, _PAUSE * 2 ** (tried - 1)) * random.uniform(1, 1.3)  # noqa: S311 - a pause
            (stopping or Event()).wait(pause)
        raise error  # outside of `except`: nothing of the answer is its context

    def _page_once(self, app_id: str, page: int, size: int, reveal: bool) -> tuple[list[dict[str, object]], int]:
        answer = self._listing_answer(app_id, page, size)
        data = answer.data if isinstance(answer.data, dict) else {}
        records, total = data.get("records"), data.get("total")
        if isinstance(total, str) and total.isdecimal() and len(total) < 10:
            total = int(total)
        if not isinstance(total, int) or isinstance(total, bool) or total < 0 or not _is_records(records):
            del answer, data, records  # a traceback may show variables, and these may hold passwords
            what = f"{_not_listed(app_id)}: page {page} has not the API's shape."
            raise _RetryableError(ServiceError(f"{what} Try again, or check ITNIO_BASE_URL."), _CONNECT_TRIES)
        if not reveal:  # at once: whatever goes wrong later shows none
            for record in records:
                record["password"] = MASK
        return records, total

    def _listing_answer(self, app_id: str, page: int, size: int) -> ApiResponse:
        body = {"current": page, "size": size, "params": {"appId": app_id}}
        wait = 0.0
        try:
            answer = self._transport.post("sipQuery", body)
        except NotSentError as why:
            advice = "Check the network and ITNIO_BASE_URL, then try again."
            if self._transport.account.is_loopback:
                advice = "Is the sandbox still running? One that a notebook or script has opened ends with it."
            problem, tries = f"{why}. {advice}", _CONNECT_TRIES
        except BusyError as why:
            problem, tries, wait = f"{why}. Try again later.", _PAGE_TRIES, why.wait
        except UnknownOutcomeError as why:
            advice = "Check that ITNIO_BASE_URL is the API's address without /sipAdd; if it is, try again."
            problem, tries = f"{why}. {advice}", 1 if why.http_status in range(400, 500) else _PAGE_TRIES
        else:
            if answer.status != "0":
                raise _listing_error(app_id, answer)
            return answer
        raise _RetryableError(
            ServiceError(f"{_not_listed(app_id)} at {self._transport.account.base_url}: {problem}"), tries, wait
        )


def _listing_error(app_id: str, answer: ApiResponse) -> Exception:
    meaning = STATUSES.get(answer.status, UNDOCUMENTED)
    what = f"{_not_listed(app_id)} (status {answer.status}, {answer.reason})."
    if meaning.failure_scope == "run":
        return AccountError(f"{what} {meaning.advice.replace('submit', 'try')}", status=answer.status)
    if answer.status == "-22":
        return InputError(f"{what} Check the application id.", status=answer.status)
    error = ServiceError(f"{what} Nothing was changed. Try again in a minute.", status=answer.status)
    return _RetryableError(error, _PAGE_TRIES)


def _is_records(records: object) -> TypeGuard[list[dict[str, object]]]:
    return isinstance(records, list) and all(isinstance(record, dict) for record in records)


def _not_listed(app_id: str) -> str:
    return f"The phones of application {app_id} could not be listed"


def collect_records(pages: Iterator[list[dict[str, object]]]) -> list[dict[str, object]]:
    """Return the records of all pages; where that fails, none stays in a variable that a traceback may show."""
    records: list[dict[str, object]] = []
    try:
        for page in pages:
            records += page
            page.clear()
    except BaseException:
        records.clear()  # these may hold passwords
        raise
    return records


def field_text(value: object) -> str:
    """Return a field of a record as text: "" where it is missing, no `.0` behind a whole number."""
    if value is None:
        return ""
    return f"{value:.0f}" if isinstance(value, float) and value.is_integer() else str(value)
