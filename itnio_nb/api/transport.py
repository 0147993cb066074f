"""One signed request over a kept connection, and the API's answer to it: the home of requests and urllib3."""

from __future__ import annotations

import json
import os
import ssl
import time
from pathlib import Path
from threading import Lock
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH, get_environ_proxies
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    MaxRetryError,
    NewConnectionError,
    ProxyError,
    ReadTimeoutError,
)
from urllib3.util.retry import Retry

from itnio_nb.api.account import Account
from itnio_nb.api.signing import signed_headers
from itnio_nb.api.statuses import ApiResponse, NotSentError, UnknownOutcomeError, http_time, parse_response
from itnio_nb.api.text import duration
from itnio_nb.errors import AccountError

_MAX_ANSWER = 8 * 2**20  # bytes; a page of 100 records has about 20 KB
_MAX_TIME = 4  # times the time allowed between two bytes: an answer that drips longer than that is none
_CLOCK_SLACK = 60.0  # seconds; closer than that, a timestamp was not refused for the clocks
_LOST = "the connection was lost before the whole answer was here"


class _Adapter(HTTPAdapter):
    """requests' transport with one TLS context for all its connections.

    Making a context parses the root certificates, 19 ms of CPU; requests does it again for each connection.
    """

    def __init__(self, workers: int, context: ssl.SSLContext | None) -> None:
        self._context = context
        # Only what never left is tried again: connecting. POST is not in urllib3's list of methods that it
        # repeats after a read error, and `status=0`, `other=0` leave nothing else.
        # Pauses: none, then 0.4 and 0.8 s, and up to 0.1 s more.
        retries = Retry(
            total=None, connect=3, read=False, redirect=0, status=0, other=0, backoff_factor=0.2, backoff_jitter=0.1
        )
        super().__init__(pool_connections=1, pool_maxsize=workers, max_retries=retries, pool_block=True)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        return super().proxy_manager_for(proxy, ssl_context=self._context, **kwargs)

    def cert_verify(self, conn: Any, *_: Any, **__: Any) -> None:
        """Leave the root certificates to the context; verification itself is never off."""
        conn.cert_reqs = "CERT_REQUIRED"


class Transport:
    """Signs and sends the requests of one account, from any thread, over at most `workers` kept connections."""

    def __init__(self, account: Account, workers: int, timeout: tuple[float, float]) -> None:
        encrypted = account.base_url.startswith("https:")
        if not encrypted and not account.is_loopback:
            raise AccountError(
                f"{account.base_url} is not encrypted, so whoever listens could send requests in this account's name: "
                "use https (ITNIO_BASE_URL). Plain http is for loopback addresses only."
            )
        self.account = account
        self._timeout = timeout
        self._proxies = {} if account.is_loopback else get_environ_proxies(account.base_url)
        self._context = _tls_context() if encrypted else None
        self._offset = 0.0  # seconds by which the server's clock is ahead, as far as that mattered
        self._correcting = Lock()
        self.workers = 0
        self.widen(workers)

    def widen(self, workers: int) -> None:
        """Allow at least `workers` requests under way at once."""
        if workers > self.workers:
            self._adapter = _Adapter(workers, self._context)
            self.workers = workers

    def close(self) -> None:
        """Close the connections; new ones are opened when they are needed."""
        self._adapter.close()

    @property
    def clock_offset(self) -> float:
        """Seconds by which the server's clock is ahead, 0 as long as it has not refused a timestamp."""
        return self._offset

    @property
    def clock_warning(self) -> str:
        """How far this machine's clock is off, in words; "" as long as the server has not refused a timestamp."""
        if abs(self._offset) < _CLOCK_SLACK:
            return ""
        side = "behind" if self._offset > 0 else "ahead of"
        return f"this machine's clock is {duration(abs(self._offset))} {side} the server's"

    def post(self, endpoint: str, body: dict[str, Any]) -> ApiResponse:
        """Send one signed request and return the API's answer to it; once more where the clock was to blame."""
        offset = self._offset
        answer, server_time = self._send(endpoint, body, offset)
        if answer.status == "-16" and self._correct_clock(offset, server_time):
            answer, _ = self._send(endpoint, body, self._offset)
        return answer

    def _correct_clock(self, used: float, server_time: float | None) -> bool:
        """Take the time from the server's answer; False where a request was signed with that time already."""
        if server_time is None:
            return False
        with self._correcting:
            offset = server_time + 0.5 - time.time()  # the header has whole seconds
            if abs(offset - used) < _CLOCK_SLACK:
                return False
            self._offset = offset
            return True

    def _send(self, endpoint: str, body: dict[str, Any], offset: float) -> tuple[ApiResponse, float | None]:
        """Send one request, signed for a clock that is `offset` seconds ahead; return answer and server's time."""
        headers = signed_headers(self.account, int(time.time() + offset))
        data = json.dumps(body, default=_plain).encode("ascii")
        request = requests.Request("POST", f"{self.account.base_url}/{endpoint}", data=data, headers=headers).prepare()
        try:
            response = self._adapter.send(request, stream=True, timeout=self._timeout, proxies=self._proxies)
            try:
                content = _content(response, _MAX_TIME * self._timeout[1])
            finally:
                response.close()
        except requests.RequestException as error:
            failure = _classify(error)
        except ReadTimeoutError:
            failure = UnknownOutcomeError("no answer in time")
        except HTTPError:
            failure = UnknownOutcomeError(_LOST)
        else:
            server_time = http_time(response.headers.get("Date"))
            asked = response.headers.get("Retry-After", "")
            return parse_response(response.status_code, content, asked, server_time), server_time
        raise failure  # outside of `except`: the original, which carries the signed headers, is not its context


def _plain(value: object) -> object:
    """Return a number of numpy as Python's own, and anything else as text: the server has the say."""
    item = getattr(value, "item", None)
    return item() if callable(item) else str(value)


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


def _classify(error: requests.RequestException) -> NotSentError | UnknownOutcomeError:
    """Tell what certainly never left from what may have arrived. In doubt, it may have."""
    if isinstance(error, requests.ConnectTimeout):
        return NotSentError("no connection in time")
    cause = error.args[0] if error.args else None
    reason = cause.reason if isinstance(cause, MaxRetryError) else cause
    if isinstance(reason, ProxyError):
        # urllib3 says this of a request that was lost behind the proxy, too.
        met = reason.original_error
        unmet = isinstance(met, NewConnectionError | ConnectTimeoutError) or str(met).startswith(
            "Tunnel connection failed"
        )
        if unmet:
            return NotSentError("the proxy did not connect")
    if isinstance(reason, NewConnectionError):  # refused, no route, and its subclass for an unknown host
        unknown_host = type(reason).__name__ == "NameResolutionError"
        return NotSentError("unknown host" if unknown_host else "connection refused")
    if isinstance(error, requests.exceptions.SSLError):
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return NotSentError("the server's certificate is not valid for this address")
        return UnknownOutcomeError("the encrypted connection failed")
    if isinstance(error, requests.Timeout) or "timed out" in str(error).lower():
        return UnknownOutcomeError("no answer in time")
    return UnknownOutcomeError(_LOST)


def _content(response: requests.Response, most_time: float) -> bytes:
    """Return the body, as it comes: neither a larger one nor a slower one than any answer of the API is."""
    body = bytearray()
    deadline = time.monotonic() + most_time
    while chunk := response.raw.read1(65536, decode_content=True):
        body += chunk
        if len(body) > _MAX_ANSWER:
            raise UnknownOutcomeError("an answer of more than 8 MiB")
        if time.monotonic() > deadline:
            raise UnknownOutcomeError("no whole answer in time")
    return bytes(body)
