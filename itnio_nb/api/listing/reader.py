"""All pages of `sipQuery` for one application, read in parallel, while others may be adding phones."""

from __future__ import annotations

import random
import threading
from collections.abc import Collection, Sequence
from concurrent.futures import Executor, wait
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeVar

from itnio_nb.api.account import MASK
from itnio_nb.api.listing.inventory import Page, field_text
from itnio_nb.api.statuses import (
    CREATED_STATUS,
    FIELD_REFUSED,
    NOT_EXISTING,
    TIMESTAMP_EXPIRED,
    TOO_FREQUENT,
    ApiResponse,
    BusyError,
    CertificateError,
    NotSentError,
    RequestError,
    status_info,
)
from itnio_nb.api.text import plural
from itnio_nb.api.transport import Transport
from itnio_nb.errors import AccountError, InputError, ItnioError, ServiceError

PAGE_SIZE = 100  # phones; the most that sipQuery gives in one page
LISTING_COLUMNS = ("groupName", "phoneName", "account", "password", "displayNum", "appId")
_PAGE_TRIES, _CLOCK_TRIES, _CONNECT_TRIES, _LISTING_TRIES = 6, 3, 2, 4
_PASSES, _TAIL_PASSES = 10, 3  # over the pages of one listing until no phone is missing; over its ends, in a row
_WINDOW = 500  # pages that are asked for before their answers are looked at
_PAUSE = 0.1  # seconds before anything is asked for again; doubled each time
_BUSY_PAUSE = 1.0  # seconds before a page that was asked for too frequently is asked for again
_MAX_PAUSE = 2.0  # seconds between two passes
_MAX_PAGE_WAIT = 60.0  # seconds that one page waits at most for a busy server


class Collector(Protocol):
    """What becomes of the phones of a listing."""

    def add(self, number: int, phones: Page) -> None:
        """Take phones of page `number` that no page had before. One thread at a time calls it."""

    def clear(self) -> None:
        """Forget all: the listing is read again, or has failed, and a traceback must not show passwords."""


C = TypeVar("C", bound=Collector)


class PhoneList:
    """The phones of all pages, or of some groups, in the order of the pages."""

    def __init__(self, groups: Collection[str] | None = None) -> None:
        self._groups = groups
        self._pages: list[tuple[int, Page]] = []

    def add(self, number: int, phones: Page) -> None:
        """Keep the phones of a page."""
        if self._groups is not None:
            phones = [phone for phone in phones if phone.get("groupName") in self._groups]
        self._pages.append((number, phones))

    def clear(self) -> None:
        """Forget all: they may hold passwords."""
        for _, phones in self._pages:
            phones.clear()
        self._pages.clear()

    def phones(self) -> Page:
        """Return all phones."""
        return [phone for _, phones in sorted(self._pages, key=lambda page: page[0]) for phone in phones]


class _ShrunkError(Exception):
    """Phones have vanished while the listing was read: the console can delete them."""


class _Failure(NamedTuple):
    """A page that failed; a listing changes nothing, so it may be asked for again."""

    error: ItnioError
    tries: int  # how many in all are worth it
    wait: float = 0.0  # seconds for which the server wants no more requests


class _PageRead(NamedTuple):
    """One page as the server gave it."""

    phones: Page
    total: int  # phones of the application, as the server counts them
    size: int  # phones that the server gives in a page


@dataclass(frozen=True)
class ListingReader:
    """Read the phones of one application: repeat what fails, and tell what can be believed of the listing.

    The API never deletes, so a phone that a page has shown is there, and a listing may grow while it is read: the
    reader goes on to the new total. One that shrinks (the vendor's console can delete) is read again.
    """

    transport: Transport
    pool: Executor  # for the pages, as many at once as the transport has connections
    app_id: str
    stopping: threading.Event | None = None  # once it is set, no further page is asked for
    reveal: bool = False  # False: passwords are masked before anything else is done with a page

    def read(self, collector: C) -> tuple[C, bool]:
        """Give each phone to `collector` once; return it, and whether it has all.

        It has not where phones were added faster than pages could be read. Raises `ServiceError` where pages and total
        do not agree though nobody adds phones, or phones keep vanishing; and what a page raises.
        """
        if not isinstance(self.app_id, str) or not self.app_id:
            raise InputError('No application id was given: list_phones needs one, as in list_phones("4luaKsL2").')
        try:
            for attempt in range(_LISTING_TRIES):
                self.pause(attempt - 1)
                try:
                    return collector, _Reading(self, collector).complete()
                except _ShrunkError:
                    collector.clear()
        except BaseException:
            collector.clear()
            raise
        raise ServiceError(f"{self.problem}: phones vanish while it is read. Try again when nobody deletes phones.")

    def count(self) -> int:
        """Return how many phones there are, from one small request that is repeated once at most."""
        return self.page(1, size=1, most_tries=_CONNECT_TRIES).total

    def pause(self, times: int) -> None:
        """Wait before something is done again, longer each time; `times` below 0: not at all."""
        if times >= 0:
            (self.stopping or threading.Event()).wait(min(_MAX_PAUSE, _PAUSE * 2**times))

    def page(self, number: int, size: int = PAGE_SIZE, most_tries: int = _PAGE_TRIES) -> _PageRead:
        """Return one page; repeat what fails, with growing pauses."""
        tried = 0
        while True:
            if self.stopping is not None and self.stopping.is_set():
                raise ServiceError(f"{self.problem}: stopped before its last page.")
            page = self._page_once(number, size)
            if not isinstance(page, _Failure):
                return page
            tried += 1
            if tried >= min(page.tries, most_tries) or page.wait > _MAX_PAGE_WAIT:
                raise page.error
            pause = max(page.wait, _PAUSE * 2 ** (tried - 1)) * random.uniform(1, 1.3)  # noqa: S311 - a pause
            (self.stopping or threading.Event()).wait(pause)

    def _page_once(self, number: int, size: int) -> _PageRead | _Failure:
        body = {"current": number, "size": size, "params": {"appId": self.app_id}}
        try:
            answer = self.transport.post("sipQuery", body)
        except RequestError as error:
            return self._no_answer(error)
        if answer.status != CREATED_STATUS:
            return self._refused(answer)
        page = _parse_page(answer.data, size)
        if page is None:
            what = f"{self.problem}: page {number} has not the API's shape."
            return _Failure(ServiceError(f"{what} Try again, or check ITNIO_BASE_URL."), _CONNECT_TRIES)
        if not self.reveal:
            for phone in page.phones:
                phone["password"] = MASK
        return page

    def _no_answer(self, error: RequestError) -> _Failure:
        tries = _PAGE_TRIES
        advice = "Check that ITNIO_BASE_URL is the API's address without /sipAdd; if it is, try again."
        if isinstance(error, CertificateError):
            advice, tries = error.todo, 1
        elif isinstance(error, NotSentError):
            advice, tries = "Check the network and ITNIO_BASE_URL, then try again.", _CONNECT_TRIES
            if self.transport.account.is_loopback:
                advice = "Is the sandbox still running? One that a notebook or script has opened ends with it."
        elif isinstance(error, BusyError):
            advice = "Try again later."
        elif error.http_status in range(400, 500):
            tries = 1  # the address is wrong, and stays so
        where = f"{self.problem} at {self.transport.account.base_url}"
        return _Failure(ServiceError(f"{where}: {error}. {advice}"), tries, error.wait)

    def _refused(self, answer: ApiResponse) -> _Failure:
        """Raise the error for a status that would come back again, return a failure for any other."""
        info = status_info(answer.status)
        what = f"{self.problem} (status {answer.status}, {answer.reason})."
        if info.failure_scope == "run":
            refusal = AccountError(f"{what} {info.advice.replace('submit', 'try')}", status=answer.status)
            if answer.status != TIMESTAMP_EXPIRED:
                raise refusal
            return _Failure(refusal, _CLOCK_TRIES)  # the clock was corrected and has jumped again, or it stays wrong
        if answer.status in (FIELD_REFUSED, NOT_EXISTING) or info.failure_scope == "application":
            raise InputError(f"{what} Check the application id.", status=answer.status)
        error = ServiceError(f"{what} Nothing was changed. Try again in a minute.", status=answer.status)
        if answer.status == TOO_FREQUENT:
            return _Failure(error, _PAGE_TRIES, _BUSY_PAUSE)
        return _Failure(error, _PAGE_TRIES if info.documented else _CONNECT_TRIES)

    @property
    def problem(self) -> str:
        """How an error begins."""
        return f"The phones of application {self.app_id} could not be listed"


class _Reading:
    """One attempt to see every phone of an application."""

    def __init__(self, reader: ListingReader, collector: Collector) -> None:
        self._reader, self._collector = reader, collector
        self._seen: set[int] = set()  # hashes of phones
        self._lock = threading.Lock()
        self._total, self._floor = 0, 0  # the largest total, and what no page may fall below
        self._size = PAGE_SIZE

    def complete(self) -> bool:
        """Read pages until every phone was seen; False if more were added all the time."""
        first = self._read_first()
        pages: Sequence[int] = self._pages_from(2)
        tail_passes = 0
        for tries in range(_PASSES):
            before = self._floor = self._total
            self._read(pages)
            missing, grown = self._total - len(self._seen), self._total > before
            if missing == 0:
                return True
            if missing < 0 and tries > 0 and not grown:
                raise _ShrunkError
            # What was added stands at one end of the listing, most likely; if not, all pages are read again.
            if grown and tail_passes < _TAIL_PASSES:
                tail_passes += 1
                ends = self._pages_from(-(-before // self._size) or 1)
                pages = [*self._pages_from(1)[: len(ends) + 1], *ends]
            else:
                tail_passes = 0
                pages = self._pages_from(1)
                self._reader.pause(tries)
        if self._total > first and len(self._seen) >= first:
            return False
        shown = f"{len(self._seen):,} of {plural(self._total, 'phone')} are shown"
        raise ServiceError(f"{self._reader.problem}: its pages do not add up, {shown}. Try again in a minute.")

    def _read_first(self) -> int:
        """Read the first page, which tells how many there are; return the total."""
        page = self._reader.page(1)
        self._size = page.size
        if page.phones and len(page.phones) < min(page.size, page.total):
            self._size = len(page.phones)  # whatever it says of itself, this is what it gives
        self._take(1, page)
        return page.total

    def _pages_from(self, number: int) -> range:
        """Return the pages from this one to the last."""
        return range(number, -(-self._total // self._size) + 1)

    def _read(self, numbers: Sequence[int]) -> None:
        """Read pages in parallel, up to one that is empty: whatever the total says, there is nothing behind it."""
        for start in range(0, len(numbers), _WINDOW):
            window = numbers[start : start + _WINDOW]
            futures = [self._reader.pool.submit(self._read_page, number) for number in window]
            try:
                sizes = [future.result() for future in futures]
            except BaseException as error:
                for future in futures:
                    future.cancel()
                if isinstance(error, _ShrunkError):
                    wait(futures)  # what is under way must not come into the next reading
                raise
            if 0 in sizes:
                break

    def _read_page(self, number: int) -> int:
        page = self._reader.page(number)
        self._take(number, page)
        return len(page.phones)

    def _take(self, number: int, page: _PageRead) -> None:
        """Count a page, and pass on those of its phones that were not seen before."""
        new: Page = []
        with self._lock:
            for phone in page.phones:
                key = _identity(phone)
                if key not in self._seen:
                    self._seen.add(key)
                    new.append(phone)
            self._collector.add(number, new)
            self._total = max(self._total, page.total)
            if page.total < self._floor:
                raise _ShrunkError


def _identity(phone: dict[str, object]) -> int:
    """Return what tells one phone from all others, however its number or password changes meanwhile."""
    name, account = field_text(phone.get("phoneName")), field_text(phone.get("account"))
    return hash((field_text(phone.get("groupName")), name, account) if name or account else str(phone))


def _parse_page(data: Any, asked: int) -> _PageRead | None:
    """Return the page in an answer's `data`, None for what has not the API's shape; null is an empty application."""
    if data is None:
        return _PageRead([], 0, asked)
    if not isinstance(data, dict) or "records" not in data:
        return None
    phones, total, size = data["records"], _whole(data.get("total")), _whole(data.get("size"))
    if phones is None and not total:
        phones, total = [], 0
    if total is None or not isinstance(phones, list) or not all(isinstance(phone, dict) for phone in phones):
        return None
    return _PageRead(phones, total, size if size and size < asked else asked)


def _whole(value: object) -> int | None:
    """Return a whole number from 0, also one that was written as text; None for anything else."""
    if isinstance(value, str) and value.isdecimal() and len(value) < 10:
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
