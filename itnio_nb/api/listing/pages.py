"""One page of `sipQuery`: asked for again when it fails, checked, passwords masked."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from itnio_nb.api.account.secret import MASK
from itnio_nb.api.listing.inventory import Page
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
from itnio_nb.api.transport import Transport
from itnio_nb.errors import AccountError, InputError, ItnioError, ServiceError

PAGE_SIZE = 100  # phones; the most that sipQuery gives in one page
_PAGE_TRIES, _CLOCK_TRIES, _CONNECT_TRIES = 6, 3, 2
_PAUSE = 0.1  # seconds before anything is asked for again; doubled each time
_BUSY_PAUSE = 1.0  # seconds before a page that was asked for too frequently is asked for again
_MAX_PAUSE = 2.0  # seconds between two passes over the pages
_MAX_PAGE_WAIT = 60.0  # seconds that one page waits at most for a busy server


class _Failure(NamedTuple):
    """A page that failed; a listing changes nothing, so it may be asked for again."""

    error: ItnioError
    tries: int  # how many in all are worth it
    wait: float = 0.0  # seconds for which the server wants no more requests


class PageRead(NamedTuple):
    """One page as the server gave it."""

    phones: Page
    total: int  # phones of the application, as the server counts them
    size: int  # phones that the server gives in a page


@dataclass(frozen=True)
class PageReader:
    """Ask for single pages of one application."""

    transport: Transport
    app_id: str
    stopping: threading.Event | None = None  # once it is set, no further page is asked for
    reveal: bool = False  # False: passwords are masked before anything else is done with a page
    wait_to_list: Callable[[threading.Event | None], object] | None = None  # called before each request

    def count(self) -> int:
        """Return how many phones there are, from one small request that is repeated once at most."""
        return self.page(1, size=1, most_tries=_CONNECT_TRIES).total

    def pause(self, times: int) -> None:
        """Wait before something is done again, longer each time; `times` below 0: not at all."""
        if times >= 0:
            (self.stopping or threading.Event()).wait(min(_MAX_PAUSE, _PAUSE * 2**times))

    def page(self, number: int, size: int = PAGE_SIZE, most_tries: int = _PAGE_TRIES) -> PageRead:
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

    def _page_once(self, number: int, size: int) -> PageRead | _Failure:
        body = {"current": number, "size": size, "params": {"appId": self.app_id}}
        if self.wait_to_list is not None:
            self.wait_to_list(self.stopping)
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
            if "proxy" in str(error):
                advice = "Check HTTPS_PROXY and the proxy, or take it out, then try again."
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


def _parse_page(data: Any, asked: int) -> PageRead | None:
    """Return the page in an answer's `data`, None for what has not the API's shape; null is an empty application."""
    if data is None:
        return PageRead([], 0, asked)
    if not isinstance(data, dict) or "records" not in data:
        return None
    phones, total, size = data["records"], _whole(data.get("total")), _whole(data.get("size"))
    if phones is None and not total:
        phones, total = [], 0
    if total is None or not isinstance(phones, list) or not all(isinstance(phone, dict) for phone in phones):
        return None
    return PageRead(phones, total, size if size and size < asked else asked)


def _whole(value: object) -> int | None:
    """Return a whole number from 0, also one that was written as text; None for anything else."""
    if isinstance(value, str) and value.isdecimal() and len(value) < 10:
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
