"""The requests of the API: create a group, answered with a receipt; list the phones, read with patience."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from itertools import count as count_from
from threading import Event
from typing import Self, TypeGuard, TypeVar

import pandas as pd

from itnio_nb.api.account import MASK, Account
from itnio_nb.api.models import PhoneGroup, Receipt, now
from itnio_nb.api.statuses import (
    BUSY,
    NEVER_SENT,
    NO_ANSWER,
    STATUSES,
    UNDOCUMENTED,
    ApiResponse,
    BusyError,
    NotSentError,
    UnknownOutcomeError,
)
from itnio_nb.api.transport import Transport
from itnio_nb.errors import AccountError, InputError, ServiceError
from itnio_nb.orders.models import as_text

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


class Client:
    """Sends signed requests of one account, from any thread, over at most `workers` kept connections.

        with Client(Account.from_env()) as client:
            receipt = client.create_phones(PhoneGroup("sales", "desk", 30, "861000000", "4luaKsL2"))
            phones = client.list_phones("4luaKsL2")

    `timeout` is (to connect, between bytes of the answer), in seconds. TLS is always verified, redirects are
    never followed, and plain `http` is for loopback addresses only: whoever sees one signed request can send
    others (`AccountError`). Proxies and `REQUESTS_CA_BUNDLE` are read from the environment once.
    """

    def __init__(self, account: Account, *, workers: int = 8, timeout: tuple[float, float] = (5, 30)) -> None:
        if workers < 1 or min(timeout) <= 0:
            raise InputError("A client needs at least 1 worker, and two timeouts above 0: timeout=(5, 30), in seconds.")
        self.account = account
        self._transport = Transport(account, workers, timeout)

    @property
    def workers(self) -> int:
        """The most requests that may be under way at once."""
        return self._transport.workers

    def widen(self, workers: int) -> None:
        """Allow at least `workers` requests under way at once."""
        self._transport.widen(workers)

    def close(self) -> None:
        """Close the connections. A closed client opens new ones when it is used again."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client({self.account!r})"

    @property
    def clock_offset(self) -> float:
        """Seconds by which the server's clock is ahead, as far as requests were signed with its time."""
        return self._transport.clock_offset

    @property
    def clock_warning(self) -> str:
        """How far this machine's clock is off, in words; "" as long as the server has not refused a timestamp."""
        return self._transport.clock_warning

    def create_phones(self, group: PhoneGroup) -> Receipt:
        """Send one `sipAdd` for `group`, once, and return its receipt; nothing an answer can be raises.

        `receipt.state` is `created`, `exists`, `refused`, `unknown` (whatever is not an answer of the API:
        lost connections, timeouts, other HTTP statuses than 200, other bodies) or `planned` (it certainly
        never left, or the server is busy and asks to `wait`). A timestamp that is refused (-16) is corrected by
        the server's clock and sent once more. Source of the statuses: the API document.
        """
        try:
            answer = self._transport.ask("sipAdd", group.to_wire())
        except NotSentError as why:
            return Receipt(NEVER_SENT.state, "", str(why), NEVER_SENT.advice, now())
        except BusyError as why:
            return Receipt(BUSY.state, "", str(why), BUSY.advice, now(), why.wait)
        except UnknownOutcomeError as why:
            return Receipt(NO_ANSWER.state, "", str(why), NO_ANSWER.advice, now())
        meaning = STATUSES.get(answer.status, UNDOCUMENTED)
        return Receipt(meaning.state, answer.status, answer.reason, meaning.advice, now())

    def list_phones(self, app_id: str, reveal: bool = False, *, stopping: Event | None = None) -> pd.DataFrame:
        """Return every phone of an application (all pages of `sipQuery`), one row each.

        Columns, all text: `groupName phoneName account password displayNum appId`. Passwords are shown as
        `********` unless `reveal`. What goes wrong with a page is tried again, a few times, with growing pauses; a
        listing that changes while it is read is read again, twice at most; one that never adds up is never
        believed. Raises `AccountError` for what dooms every request, `InputError` for an application id that is
        refused, `ServiceError` where the server cannot be asked or `stopping` is set between two pages.
        """

        def collect(pages: Iterator[list[dict[str, object]]]) -> list[dict[str, object]]:
            records: list[dict[str, object]] = []
            try:
                for page in pages:
                    records += page
                    page.clear()
            except BaseException:
                records.clear()  # a traceback may show variables, and these may hold passwords
                raise
            return records

        records = self.read_listing(app_id, collect, reveal=reveal, stopping=stopping)
        return as_text(pd.DataFrame(records, columns=list(LISTING_COLUMNS[:-1]), dtype=object)).assign(appId=app_id)

    def read_listing(
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

    def count_phones(self, app_id: str, stopping: Event | None = None) -> int:
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
            answer = self._transport.ask("sipQuery", body)
        except NotSentError as why:
            advice = "Check the network and ITNIO_BASE_URL, then try again."
            if self.account.is_loopback:
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
        raise _RetryableError(ServiceError(f"{_not_listed(app_id)} at {self.account.base_url}: {problem}"), tries, wait)


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
