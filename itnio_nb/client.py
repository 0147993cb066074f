"""The requests of the API: signed, sent once, and answered with a receipt."""

from __future__ import annotations

import json
import os
import ssl
import time
from pathlib import Path
from threading import Event
from typing import Any, Self, TypeGuard

import numpy as np
import pandas as pd
import requests
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH, get_environ_proxies
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError, ProxyError
from urllib3.util.retry import Retry

from itnio_nb.answers import (
    NEVER_SENT,
    NO_ANSWER,
    STATUSES,
    UNDOCUMENTED,
    Answer,
    NeverSentError,
    NoAnswerError,
    read_answer,
)
from itnio_nb.errors import AccountError, InputError, ServiceError
from itnio_nb.model import PhoneGroup, Receipt, as_text, now
from itnio_nb.signing import MASK, Account, signed_headers

PAGE_SIZE = 100  # records; the most that sipQuery gives in one page
LISTING_COLUMNS = ("groupName", "phoneName", "account", "password", "displayNum", "appId")
_CALLS = ("sipAdd", "sipQuery")
_MAX_ANSWER = 8 * 2**20  # bytes; a page of 100 records has about 20 KB


class _Adapter(HTTPAdapter):
    """requests' transport with one TLS context for all its connections.

    Making a context parses the root certificates, 19 ms of CPU; requests does it again for each connection.
    """

    def __init__(self, workers: int, context: ssl.SSLContext | None) -> None:
        self._context = context
        # Only what never left is tried again: connecting. POST is not in urllib3's list of methods that it
        # repeats after a read error, and `status=0`, `other=0` leave nothing else.
        retries = Retry(total=None, connect=2, read=False, redirect=0, status=0, other=0, backoff_factor=0.2)
        super().__init__(pool_connections=1, pool_maxsize=workers, max_retries=retries, pool_block=True)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        return super().proxy_manager_for(proxy, ssl_context=self._context, **kwargs)

    def cert_verify(self, conn: Any, *_: Any, **__: Any) -> None:
        """Leave the root certificates to the context; verification itself is never off."""
        conn.cert_reqs = "CERT_REQUIRED"


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
        encrypted = account.base_url.startswith("https:")
        if not encrypted and not account.is_loopback:
            raise AccountError(
                f"{account.base_url} is not encrypted, so whoever listens could send requests in this account's name: "
                "use https (ITNIO_BASE_URL). Plain http is for loopback addresses only."
            )
        self.account = account
        self.timeout = timeout
        self._proxies = {} if account.is_loopback else get_environ_proxies(account.base_url)
        self._context = _tls_context() if encrypted else None
        self._urls = {call: f"{account.base_url}/{call}" for call in _CALLS}
        self.workers = 0
        self.widen(workers)

    def widen(self, workers: int) -> None:
        """Allow at least `workers` requests under way at once."""
        if workers > self.workers:
            self._adapter = _Adapter(workers, self._context)
            self.workers = workers

    def close(self) -> None:
        """Close the connections. A closed client opens new ones when it is used again."""
        self._adapter.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client({self.account!r})"

    def create_phones(self, group: PhoneGroup) -> Receipt:
        """Send one `sipAdd` for `group`, once, and return its receipt; nothing an answer can be raises.

        `receipt.state` is `created`, `exists`, `refused`, `unknown` (whatever is not an answer of the API:
        lost connections, timeouts, other HTTP statuses than 200, other bodies) or `planned` (it certainly
        never left). Source of the statuses: the API document.
        """
        try:
            answer = self._ask("sipAdd", group.to_wire())
        except NeverSentError as why:
            return Receipt(NEVER_SENT.state, "", str(why), NEVER_SENT.advice, now())
        except NoAnswerError as why:
            return Receipt(NO_ANSWER.state, "", str(why), NO_ANSWER.advice, now())
        meaning = STATUSES.get(answer.status, UNDOCUMENTED)
        return Receipt(meaning.state, answer.status, answer.reason, meaning.advice, now())

    def list_phones(self, app_id: str, reveal: bool = False, *, stopping: Event | None = None) -> pd.DataFrame:
        """Return every phone of an application (all pages of `sipQuery`), one row each.

        Columns, all text: `groupName phoneName account password displayNum appId`. Passwords are shown as
        `********` unless `reveal`. A listing that changes while it is read is read again, twice at most; one
        that never adds up is never believed. Raises `AccountError` for what dooms every request, `InputError`
        for an application id that is refused, `ServiceError` where the server cannot be asked or `stopping`
        is set between two pages.
        """
        if not app_id:
            raise InputError('No application id was given: list_phones needs one, as in list_phones("4luaKsL2").')
        for _ in range(3):
            records = self._all_pages(app_id, reveal, stopping)
            if records is not None:
                return as_text(pd.DataFrame(records, columns=list(LISTING_COLUMNS[:-1]), dtype=object)).assign(
                    appId=app_id
                )
        raise ServiceError(
            f"{_not_listed(app_id)}: the listing changes while it is read. Try again when nobody adds phones."
        )

    def _all_pages(self, app_id: str, reveal: bool, stopping: Event | None) -> list[dict[str, object]] | None:
        """Return the records of all pages, None if they do not make one whole."""
        records, whole = self._page(app_id, 1, reveal)
        for page in range(2, -(-whole // PAGE_SIZE) + 1):
            before = len(records)
            try:
                _require_going(app_id, stopping)
                found, total = self._page(app_id, page, reveal)
            except BaseException:
                records.clear()  # a traceback may show variables, and these may hold passwords
                raise
            records += found
            found.clear()
            if total != whole or len(records) == before:
                return None
        each = {tuple(map(str, record.values())) for record in records}
        return records if len(records) == len(each) == whole else None

    def _page(self, app_id: str, page: int, reveal: bool) -> tuple[list[dict[str, object]], int]:
        """Return the records of one page, and how many there are in all."""
        answer = self._listing_answer(app_id, page)
        data = answer.data if isinstance(answer.data, dict) else {}
        records, total = data.get("records"), data.get("total")
        if isinstance(total, str) and total.isdecimal():
            total = int(total)
        if not isinstance(total, int) or isinstance(total, bool) or total < 0 or not _is_records(records):
            del answer, data, records  # a traceback may show variables, and these may hold passwords
            raise ServiceError(
                f"{_not_listed(app_id)}: page {page} has not the API's shape. Try again, or check ITNIO_BASE_URL."
            )
        if not reveal:  # at once: whatever goes wrong later shows none
            for record in records:
                record["password"] = MASK
        return records, total

    def _listing_answer(self, app_id: str, page: int) -> Answer:
        body = {"current": page, "size": PAGE_SIZE, "params": {"appId": app_id}}
        try:
            answer = self._ask("sipQuery", body)
        except NeverSentError as why:
            advice = "Check the network and ITNIO_BASE_URL, then try again."
            if self.account.is_loopback:
                advice = "Is the sandbox still running? One that a notebook or script has opened ends with it."
            raise ServiceError(f"{_not_listed(app_id)} at {self.account.base_url}: {why}. {advice}") from None
        except NoAnswerError as why:
            advice = "Check that ITNIO_BASE_URL is the API's address without /sipAdd; if it is, try again."
            raise ServiceError(f"{_not_listed(app_id)} at {self.account.base_url}: {why}. {advice}") from None
        if answer.status != "0":
            raise _listing_error(app_id, answer)
        return answer

    def _ask(self, call: str, body: dict[str, Any]) -> Answer:
        """Send one signed request and return the API's answer to it."""
        headers = signed_headers(self.account, int(time.time()))
        data = json.dumps(body, default=_plain).encode("ascii")
        request = requests.Request("POST", self._urls[call], data=data, headers=headers)
        try:
            response = self._adapter.send(request.prepare(), stream=True, timeout=self.timeout, proxies=self._proxies)
            try:
                content = _content(response)
            finally:
                response.close()
        except requests.RequestException as error:
            failure = _classify(error)
        else:
            return read_answer(response.status_code, content)
        raise failure  # outside of `except`: the original, which carries the signed headers, is not its context


def _plain(value: object) -> object:
    """Return a number of numpy as Python's own, and anything else as text: the server has the say."""
    return value.item() if isinstance(value, np.generic) else str(value)


def _tls_context() -> ssl.SSLContext:
    bundle = Path(os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or DEFAULT_CA_BUNDLE_PATH)
    try:
        if bundle.is_dir():
            return ssl.create_default_context(capath=bundle)
        return ssl.create_default_context(cafile=bundle)
    except OSError as error:  # ssl.SSLError is one
        raise AccountError(
            f"The root certificates {bundle} cannot be read ({error}): mend REQUESTS_CA_BUNDLE."
        ) from None


def _classify(error: requests.RequestException) -> NeverSentError | NoAnswerError:
    """Tell what certainly never left from what may have arrived. In doubt, it may have."""
    if isinstance(error, requests.ConnectTimeout):
        return NeverSentError("no connection in time")
    cause = error.args[0] if error.args else None
    reason = cause.reason if isinstance(cause, MaxRetryError) else cause
    if isinstance(reason, ProxyError):
        # urllib3 says this of a request that was lost behind the proxy, too.
        met = reason.original_error
        unmet = isinstance(met, NewConnectionError | ConnectTimeoutError) or str(met).startswith(
            "Tunnel connection failed"
        )
        if unmet:
            return NeverSentError("the proxy did not connect")
    if isinstance(reason, NewConnectionError):  # refused, no route, and its subclass for an unknown host
        unknown_host = type(reason).__name__ == "NameResolutionError"
        return NeverSentError("unknown host" if unknown_host else "connection refused")
    if isinstance(error, requests.exceptions.SSLError):
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return NeverSentError("the server's certificate is not valid for this address")
        return NoAnswerError("the encrypted connection failed")
    if isinstance(error, requests.Timeout) or "timed out" in str(error).lower():
        return NoAnswerError("no answer in time")
    if isinstance(error, requests.exceptions.InvalidHeader | requests.exceptions.InvalidURL):
        return NeverSentError("the request could not be built")
    return NoAnswerError("the connection was lost before the whole answer was here")


def _content(response: requests.Response) -> bytes:
    body = bytearray()
    for chunk in response.iter_content(65536):
        body += chunk
        if len(body) > _MAX_ANSWER:
            raise NoAnswerError("an answer of more than 8 MiB")
    return bytes(body)


def _listing_error(app_id: str, answer: Answer) -> AccountError | InputError | ServiceError:
    meaning = STATUSES.get(answer.status, UNDOCUMENTED)
    what = f"{_not_listed(app_id)} (status {answer.status}, {answer.reason})."
    if meaning.stops == "run":
        return AccountError(f"{what} {meaning.advice.replace('submit', 'try')}", status=answer.status)
    if answer.status == "-22":
        return InputError(f"{what} Check the application id.", status=answer.status)
    return ServiceError(f"{what} Nothing was changed. Try again in a minute.", status=answer.status)


def _is_records(records: object) -> TypeGuard[list[dict[str, object]]]:
    return isinstance(records, list) and all(isinstance(record, dict) for record in records)


def _require_going(app_id: str, stopping: Event | None) -> None:
    if stopping is not None and stopping.is_set():
        raise ServiceError(f"{_not_listed(app_id)}: stopped before its last page.")


def _not_listed(app_id: str) -> str:
    return f"The phones of application {app_id} could not be listed"
