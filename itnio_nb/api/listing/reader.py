"""All pages of `sipQuery` for one application, read in parallel, while others may be adding phones."""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from concurrent.futures import Executor, wait
from dataclasses import dataclass
from typing import Protocol, TypeVar

from itnio_nb.api.listing.inventory import Page, field_text
from itnio_nb.api.listing.pages import PAGE_SIZE, PageRead, PageReader
from itnio_nb.api.text import plural
from itnio_nb.errors import InputError, ServiceError

LISTING_COLUMNS = ("groupName", "phoneName", "account", "password", "displayNum", "appId")
_LISTING_TRIES = 4
_PASSES, _TAIL_PASSES = 10, 3  # over the pages of one listing until no phone is missing; over its ends, in a row
_WINDOW = 500  # pages that are asked for before their answers are looked at


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


@dataclass(frozen=True)
class ListingReader:
    """Read the phones of one application: repeat what fails, and tell what can be believed of the listing.

    The API never deletes, so a phone that a page has shown is there, and a listing may grow while it is read: the
    reader goes on to the new total. One that shrinks (the vendor's console can delete) is read again.
    """

    pages: PageReader
    pool: Executor  # for the pages, as many at once as the transport has connections

    def read(self, collector: C) -> tuple[C, bool]:
        """Give each phone to `collector` once; return it, and whether it has all.

        It has not where phones were added faster than pages could be read. Raises `ServiceError` where pages and total
        do not agree though nobody adds phones, or phones keep vanishing; and what a page raises.
        """
        if not isinstance(self.pages.app_id, str) or not self.pages.app_id:
            raise InputError('No application id was given: list_phones needs one, as in list_phones("4luaKsL2").')
        try:
            for attempt in range(_LISTING_TRIES):
                self.pages.pause(attempt - 1)
                try:
                    return collector, _Reading(self.pages, self.pool, collector).complete()
                except _ShrunkError:
                    collector.clear()
        except BaseException:
            collector.clear()
            raise
        raise ServiceError(
            f"{self.pages.problem}: phones vanish while it is read. Try again when nobody deletes phones."
        )


class _Reading:
    """One attempt to see every phone of an application."""

    def __init__(self, pages: PageReader, pool: Executor, collector: Collector) -> None:
        self._pages, self._pool, self._collector = pages, pool, collector
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
                self._pages.pause(tries)
        if self._total > first and len(self._seen) >= first:
            return False
        shown = f"{len(self._seen):,} of {plural(self._total, 'phone')} are shown"
        raise ServiceError(f"{self._pages.problem}: its pages do not add up, {shown}. Try again in a minute.")

    def _read_first(self) -> int:
        """Read the first page, which tells how many there are; return the total."""
        page = self._pages.page(1)
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
            futures = [self._pool.submit(self._read_page, number) for number in window]
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
        page = self._pages.page(number)
        self._take(number, page)
        return len(page.phones)

    def _take(self, number: int, page: PageRead) -> None:
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
