"""One signed request over a kept connection, and the API's answer to it; the only user of requests and urllib3."""

from __future__ import annotations

import json
import os
import ssl
import time
from pathlib import Path
from queue import LifoQueue
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from requests.utils import DEFAULT_CA_BUNDLE_PATH, get_environ_proxies
from urllib3 import exceptions
from urllib3.util.retry import Retry

from itnio_nb.api.account.account import Account
from itnio_nb.api.connection import POOLS
from itnio_nb.api.signing import signed_headers
from itnio_nb.api.statuses import (
    TIMESTAMP_EXPIRED,
    ApiResponse,
    CertificateError,
    NotSentError,
    RequestError,
    UnknownOutcomeError,
    parse_response,
)
from itnio_nb.api.text import duration
from itnio_nb.errors import AccountError

_MAX_ANSWER = 8 * 2**20  # bytes; a page of 100 phones has about 20 KB
_CLOCK_SLACK = 60.0  # seconds; clocks that are closer are not why a timestamp was refused
# Seconds by which a server is believed that this machine's clock is off. Whoever could have any time signed could keep
# the signatures of next year.
_MOST_CORRECTED = 24 * 3600.0
_PAUSE = 0.2  # seconds; retries of connecting wait 0, 2 and 4 times that, and up to a half of it more
_CONNECTS = 3  # further tries to connect
# What is wrong with a certificate and what helps, by OpenSSL's number of it (X509_V_ERR_…).
_UNKNOWN_AUTHORITY = (
    "the server's certificate is signed by an authority that this machine does not know",
    "If a proxy or your company signs it, name its root certificate in REQUESTS_CA_BUNDLE.",
)
_CERTIFICATE_WORDS = {
    9: ("the server's certificate is not valid yet", "Check this machine's clock: it may be behind."),
    10: ("the server's certificate has expired", "Check this machine's clock; if it is right, tell your provider."),
    62: ("the server's certificate is for another address", "Check ITNIO_BASE_URL."),
    64: ("the server's certificate is for another address", "Check ITNIO_BASE_URL: certificates are for names."),
}
_LOST = "the connection was lost before the whole answer was here"


class _Adapter(HTTPAdapter):
    """The adapter of requests with one connection, a shared TLS context, and retries while connecting.

    Making a context parses the root certificates (19 ms of CPU); requests would do it for each connection.
    """

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self._context = context
        # Only connecting is retried, since nothing has left then: urllib3 does not repeat a POST after a read error,
        # and the zeros rule out the rest.
        retries = Retry(
            None,
            connect=_CONNECTS,
            read=False,
            redirect=0,
            status=0,
            other=0,
            backoff_factor=_PAUSE,
            backoff_jitter=_PAUSE / 2,
        )
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=retries, pool_block=True)
        self._pool: Any = None

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)
        self.poolmanager.pool_classes_by_scheme = POOLS

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, ssl_context=self._context, **kwargs)
        manager.pool_classes_by_scheme = POOLS
        return manager

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        """Return the pool of the one server: looking it up takes long."""
        self._pool = self._pool or super().get_connection_with_tls_context(*args, **kwargs)
        return self._pool

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        self._pool = None
        super().close()

    def cert_verify(self, conn: Any, *_: Any, **__: Any) -> None:
        """Require a valid certificate; the root certificates are those of the context."""
        conn.cert_reqs = "CERT_REQUIRED"


class Transport:
    """Sign and send the requests of one account, from any thread, over at most `workers` kept connections."""

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
        self.clock_skew: float | None = None  # seconds by which the server's clock was ahead at its last answer
        self.clock_offset = 0.0  # seconds by which the server's clock is ahead, 0 unless it has refused a timestamp
        self._disbelieved: float | None = None  # seconds that a server asked for, and that were too many
        self._closes_at_once = False  # the server closes each connection after its answer, and does not say so
        self._adapters: list[_Adapter] = []
        self._idle: LifoQueue[_Adapter] = LifoQueue()  # the last used first: its connection is the least likely gone
        self.widen(workers)

    @property
    def longest_request(self) -> float:
        """Seconds after which a request has certainly ended: tries to connect with pauses, and two answers."""
        to_connect, to_answer = self._timeout
        pauses = 1.5 * _PAUSE * 2**_CONNECTS
        return float((_CONNECTS + 1) * to_connect + pauses + 2 * to_answer)

    @property
    def workers(self) -> int:
        """How many requests can be under way at once."""
        return len(self._adapters)

    def widen(self, workers: int) -> None:
        """Allow at least `workers` requests under way at once."""
        while self.workers < workers:
            self._adapters.append(_Adapter(self._context))
            self._idle.put(self._adapters[-1])

    def close(self) -> None:
        """Close the connections; new ones are opened when needed."""
        for adapter in self._adapters:
            adapter.close()

    @property
    def clock_warning(self) -> str:
        """What was done about a clock that differs, in words; "" unless the server has refused a timestamp."""
        if self._disbelieved is not None:
            return f"{_difference(self._disbelieved)}, and of more than a day no server is believed; set the clock"
        if abs(self.clock_offset) < _CLOCK_SLACK:
            return ""
        return f"requests were signed with the server's time: {_difference(self.clock_offset)}"

    def post(self, endpoint: str, body: dict[str, Any]) -> ApiResponse:
        """Send one signed request and return the API's answer; send it again if only the clocks differed.

        Raises `RequestError` where no answer of the API came back.
        """
        offset = self.clock_offset
        answer = self._send(endpoint, body, offset)
        skew = None if answer.server_time is None else answer.server_time + 0.5 - time.time()  # whole seconds
        self.clock_skew = self.clock_skew if skew is None else skew
        if answer.status == TIMESTAMP_EXPIRED and self._correct_clock(offset, skew):
            answer = self._send(endpoint, body, self.clock_offset)
        return answer

    def _correct_clock(self, used: float, skew: float | None) -> bool:
        """Adopt the server's time; return False if the request was signed with that time already."""
        offset = used if skew is None else skew
        if abs(offset - used) < _CLOCK_SLACK:
            return False
        if abs(offset) > _MOST_CORRECTED:
            self._disbelieved = offset
            return False
        self.clock_offset = offset
        return True

    def _send(self, endpoint: str, body: dict[str, Any], offset: float) -> ApiResponse:
        """Send one request, signed `offset` seconds ahead of this machine's clock."""
        headers = signed_headers(self.account, int(time.time() + offset))
        data = json.dumps(body, default=_plain).encode("ascii")
        request = requests.PreparedRequest()  # filled by hand: there is nothing to escape, and checking takes long
        request.method, request.url, request.body = "POST", f"{self.account.base_url}/{endpoint}", data
        request.headers = CaseInsensitiveDict({**headers, "Content-Length": str(len(data))})
        adapter, answer = self._idle.get(), None
        try:
            response = adapter.send(request, stream=True, timeout=self._timeout, proxies=self._proxies)
            # Where a server drops connections right after its answers, one that is used again makes an unknown group.
            self._closes_at_once |= getattr(response.raw.connection, "was_dropped_at_once", False)
            try:
                content = _content(response)
            finally:
                response.close()
            answer = parse_response(response.status_code, content, response.headers)
        except RequestError as error:
            failure = error
        except requests.RequestException as error:
            failure = _request_error(error)
        except exceptions.ReadTimeoutError:
            failure = UnknownOutcomeError("no answer in time")
        except exceptions.HTTPError:
            failure = UnknownOutcomeError(_LOST)
        finally:
            # What comes over a connection behind anything but a whole answer would be taken for another request's.
            if answer is None or self._closes_at_once:
                adapter.close()
            self._idle.put(adapter)
        if answer is None:
            raise failure  # outside of `except`: its context would be the original, which carries the signed headers
        return answer


def _difference(offset: float) -> str:
    """Return in words by how many seconds the server's clock is ahead."""
    return f"this machine's clock is {duration(abs(offset))} {'behind' if offset > 0 else 'ahead of'} the server's"


def _plain(value: object) -> object:
    """Return a number of numpy as one of Python, anything else as text: the server decides what is wrong with it."""
    item = getattr(value, "item", None)
    return item() if callable(item) else str(value)


def _tls_context() -> ssl.SSLContext:
    bundle = Path(os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or DEFAULT_CA_BUNDLE_PATH)
    try:
        if bundle.is_dir():
            context = ssl.create_default_context(capath=bundle)
        else:
            context = ssl.create_default_context(cafile=bundle)
    except OSError as error:  # ssl.SSLError is one
        problem = f"The root certificates {bundle} cannot be read ({error}): mend REQUESTS_CA_BUNDLE."
        raise AccountError(problem) from None
    context.hostname_checks_common_name = False  # a certificate names its hosts as alternatives, or is for none
    return context


def _request_error(error: requests.RequestException) -> NotSentError | UnknownOutcomeError:
    """Return `NotSentError` for what certainly never left, `UnknownOutcomeError` for all else."""
    if isinstance(error, requests.ConnectTimeout):
        return NotSentError("no connection in time")
    cause = error.args[0] if error.args else None
    reason = cause.reason if isinstance(cause, exceptions.MaxRetryError) else cause
    if isinstance(reason, exceptions.ProxyError):
        # urllib3 raises it also for a request that was lost behind the proxy.
        original = reason.original_error
        refused = str(original).startswith("Tunnel connection failed")
        if refused or isinstance(original, exceptions.NewConnectionError | exceptions.ConnectTimeoutError):
            return NotSentError("the proxy did not connect")
    if isinstance(reason, exceptions.NameResolutionError):
        return NotSentError("unknown host")
    if isinstance(reason, exceptions.NewConnectionError):  # refused, or no route
        return NotSentError("connection refused")
    if (problem := _certificate_problem(error)) is not None:
        return CertificateError(*_CERTIFICATE_WORDS.get(getattr(problem, "verify_code", 0), _UNKNOWN_AUTHORITY))
    if isinstance(error, requests.exceptions.SSLError):
        return UnknownOutcomeError("the encrypted connection failed")
    if isinstance(error, requests.Timeout) or "timed out" in str(error).lower():
        return UnknownOutcomeError("no answer in time")
    return UnknownOutcomeError(_LOST)


def _certificate_problem(error: BaseException | None) -> ssl.SSLCertVerificationError | None:
    """Return the refusal of a certificate that is somewhere inside an error of requests, None where there is none."""
    while error is not None and not isinstance(error, ssl.SSLCertVerificationError):
        inner = (getattr(error, "reason", None), getattr(error, "original_error", None), *error.args)
        error = next((one for one in inner if isinstance(one, BaseException)), None)
    return error


def _content(response: requests.Response) -> bytes:
    """Return the body; raise `UnknownOutcomeError` for one larger than any answer of the API."""
    body: bytes = response.raw.read(_MAX_ANSWER + 1, decode_content=True)
    if len(body) > _MAX_ANSWER:
        raise UnknownOutcomeError("an answer of more than 8 MiB")
    return body
