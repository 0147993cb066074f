"""The phones of an application: all pages of `sipQuery`, one by one or indexed by group."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count as count_from
from threading import Event
from typing import Any, NamedTuple, TypeVar

from itnio_nb.api.account import MASK
from itnio_nb.api.models import PhoneGroup
from itnio_nb.api.statuses import FIELD_REFUSED, ApiResponse, BusyError, NotSentError, RequestError, status_info
from itnio_nb.api.text import one_line, plural
from itnio_nb.api.transport import Transport
from itnio_nb.errors import AccountError, InputError, ServiceError

PAGE_SIZE = 100  # phones; the most that sipQuery gives in one page
LISTING_COLUMNS = ("groupName", "phoneName", "account", "password", "displayNum", "appId")
_PAGE_TRIES, _CONNECT_TRIES, _LISTING_TRIES = 6, 2, 3
_PAUSE = 0.1  # seconds before a page is asked for again; doubled each time
_MAX_PAGE_WAIT = 60.0  # seconds that one page waits at most for a busy server

T = TypeVar("T")
Page = list[dict[str, object]]  # phones, in the API's fields


class _ListingChangedError(Exception):
    """A listing changed while it was read: its total did, a phone came twice, or one is missing."""


class _Failure(NamedTuple):
    """A page that failed; a listing changes nothing, so it may be asked for again."""

    error: ServiceError
    tries: int  # how many in all are worth it
    wait: float = 0.0  # seconds for which the server wants no more requests


@dataclass(frozen=True)
class GroupInventory:
    """What an application holds of one group."""

    phones: int
    display_nums: frozenset[str]
    phone_names: frozenset[str]  # as ordered

    def differences(self, group: PhoneGroup) -> str:
        """Describe how the group differs from what was asked for, "" where it does not."""
        size = f"{plural(self.phones, 'phone')}, {group.quantity:,} asked for" if self.phones != group.quantity else ""
        return "; ".join(filter(None, [size, self.field_differences(group)]))

    def field_differences(self, group: PhoneGroup) -> str:
        """Describe how the fields of its phones differ from those asked for; their number is not compared."""
        number, name = (self.display_nums, group.display_num), (self.phone_names, group.phone_name)
        return "; ".join(
            f"{noun} {', '.join(map(one_line, sorted(shown)[:3]))}, {asked} asked for"
            for noun, (present, asked) in (("display number", number), ("phone name", name))
            if (shown := present - {""}) and shown != {asked}  # a field that a listing does not show is no difference
        )


@dataclass(frozen=True)
class Inventory:
    """The phones of one application at one time, by group."""

    groups: dict[str, GroupInventory]  # by group name
    phone_names: dict[str, str]  # phone name as ordered -> the group that has it

    @property
    def total(self) -> int:
        """How many phones the application has."""
        return sum(held.phones for held in self.groups.values())


def phone_order_name(phone_name: str) -> str:
    """Return the phone name that was ordered, from the name of a phone.

    >>> phone_order_name("sip-1")
    'sip'

    The phones of one request are named after its `phoneName` with `-1`, `-2`, … appended. Source: the only published
    sample record of sipQuery; the rule is not documented.
    """
    name, dash, number = phone_name.rpartition("-")
    return name if dash and number.isdecimal() else phone_name


def inventory_of(pages: Iterator[Page]) -> Inventory:
    """Index pages of phones by group, page by page: only the index is kept."""
    sizes: Counter[str] = Counter()
    numbers: dict[str, set[str]] = {}
    names: dict[str, set[str]] = {}
    groups_by_phone: dict[str, str] = {}
    for page in pages:
        for phone in page:
            group, name, number = (field_text(phone.get(field)) for field in ("groupName", "phoneName", "displayNum"))
            ordered = phone_order_name(name)
            sizes[group] += 1
            numbers.setdefault(group, set()).add(number)
            names.setdefault(group, set()).add(ordered)
            groups_by_phone.setdefault(ordered, group)
    groups = {one: GroupInventory(sizes[one], frozenset(numbers[one]), frozenset(names[one])) for one in sizes}
    return Inventory(groups, groups_by_phone)


def phones_seen(group: PhoneGroup, inventory: Inventory) -> int:
    """Return how many of the phones that were asked for exist: more than those are not counted."""
    held = inventory.groups.get(group.group_name)
    return min(held.phones, group.quantity) if held else 0


def collect_phones(pages: Iterator[Page]) -> Page:
    """Return the phones of all pages; if that fails, none stays in a variable that a traceback may show."""
    phones: Page = []
    try:
        for page in pages:
            phones += page
            page.clear()
    except BaseException:
        phones.clear()  # they may hold passwords
        raise
    return phones


def field_text(value: object) -> str:
    """Return a field of a phone as text: "" where it is missing, no `.0` behind a whole number."""
    if value is None:
        return ""
    return f"{value:.0f}" if isinstance(value, float) and value.is_integer() else str(value)


@dataclass(frozen=True)
class ListingReader:
    """Read the phones of one application: repeat what fails, and believe only a listing that adds up."""

    transport: Transport
    app_id: str
    stopping: Event | None = None  # once it is set, no further page is asked for
    reveal: bool = False  # False: passwords are masked before anything else is done with a page

    def read(self, collect: Callable[[Iterator[Page]], T]) -> T:
        """Return what `collect` makes of the pages. If the listing changes meanwhile, it is given new ones."""
        if not isinstance(self.app_id, str) or not self.app_id:
            raise InputError('No application id was given: list_phones needs one, as in list_phones("4luaKsL2").')
        for _ in range(_LISTING_TRIES):
            try:
                return collect(self._pages())
            except _ListingChangedError:
                continue
        raise ServiceError(f"{self._problem}: the listing changes while it is read. Try again when nobody adds phones.")

    def count(self) -> int:
        """Return how many phones there are, from one small request that is repeated once at most."""
        return self._page(1, size=1, most_tries=_CONNECT_TRIES)[1]

    def _pages(self) -> Iterator[Page]:
        """Yield the phones of all pages; raise `_ListingChangedError` if they do not add up."""
        seen: set[int] = set()  # hashes of phones
        whole: int | None = None
        for number in count_from(1):
            phones, total = self._page(number)
            whole = total if whole is None else whole
            known = len(seen)
            seen |= {hash(tuple(map(str, phone.values()))) for phone in phones}
            if total != whole or len(seen) != known + len(phones) or (not phones and len(seen) < whole):
                phones.clear()
                raise _ListingChangedError
            yield phones
            if number * PAGE_SIZE >= whole:
                break
        if len(seen) != whole:
            raise _ListingChangedError

    def _page(self, number: int, size: int = PAGE_SIZE, most_tries: int = _PAGE_TRIES) -> tuple[Page, int]:
        """Return one page and the total of phones; repeat what fails, with growing pauses."""
        tried = 0
        while True:
            if self.stopping is not None and self.stopping.is_set():
                raise ServiceError(f"{self._problem}: stopped before its last page.")
            page = self._page_once(number, size)
            if not isinstance(page, _Failure):
                return page
            tried += 1
            if tried >= min(page.tries, most_tries) or page.wait > _MAX_PAGE_WAIT:
                raise page.error
            pause = max(page.wait, _PAUSE * 2 ** (tried - 1)) * random.uniform(1, 1.3)  # noqa: S311 - a pause
            (self.stopping or Event()).wait(pause)

    def _page_once(self, number: int, size: int) -> tuple[Page, int] | _Failure:
        body = {"current": number, "size": size, "params": {"appId": self.app_id}}
        try:
            answer = self.transport.post("sipQuery", body)
        except RequestError as error:
            return self._no_answer(error)
        if answer.status != "0":
            return self._refused(answer)
        data: Any = answer.data if isinstance(answer.data, dict) else {}
        phones, total = data.get("records"), data.get("total")
        if isinstance(total, str) and total.isdecimal() and len(total) < 10:
            total = int(total)
        are_phones = isinstance(phones, list) and all(isinstance(phone, dict) for phone in phones)
        if not are_phones or not isinstance(total, int) or isinstance(total, bool) or total < 0:
            what = f"{self._problem}: page {number} has not the API's shape."
            return _Failure(ServiceError(f"{what} Try again, or check ITNIO_BASE_URL."), _CONNECT_TRIES)
        if not self.reveal:
            for phone in phones:
                phone["password"] = MASK
        return phones, total

    def _no_answer(self, error: RequestError) -> _Failure:
        tries = _PAGE_TRIES
        advice = "Check that ITNIO_BASE_URL is the API's address without /sipAdd; if it is, try again."
        if isinstance(error, NotSentError):
            advice, tries = "Check the network and ITNIO_BASE_URL, then try again.", _CONNECT_TRIES
            if self.transport.account.is_loopback:
                advice = "Is the sandbox still running? One that a notebook or script has opened ends with it."
        elif isinstance(error, BusyError):
            advice = "Try again later."
        elif error.http_status in range(400, 500):
            tries = 1  # the address is wrong, and stays so
        where = f"{self._problem} at {self.transport.account.base_url}"
        return _Failure(ServiceError(f"{where}: {error}. {advice}"), tries, error.wait)

    def _refused(self, answer: ApiResponse) -> _Failure:
        """Raise the error for a status that would come back again, return a failure for any other."""
        info = status_info(answer.status)
        what = f"{self._problem} (status {answer.status}, {answer.reason})."
        if info.failure_scope == "run":
            raise AccountError(f"{what} {info.advice.replace('submit', 'try')}", status=answer.status)
        if answer.status == FIELD_REFUSED:
            raise InputError(f"{what} Check the application id.", status=answer.status)
        error = ServiceError(f"{what} Nothing was changed. Try again in a minute.", status=answer.status)
        return _Failure(error, _PAGE_TRIES)

    @property
    def _problem(self) -> str:
        return f"The phones of application {self.app_id} could not be listed"
