"""A kept connection with one deadline for each answer, and no answer that is taken for another request's."""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import time
from typing import Any

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

_BUFFER = 65536  # bytes that are read at once: a page of 100 phones has about 20 KB
_MOST_INTERIM = 20  # answers 1xx before the one that counts
_CLOSE = 0.05  # seconds that make no difference
_AT_ONCE = 1.0  # seconds after an answer in which a server that keeps connections drops none
_SWITCHING_PROTOCOLS = 101  # the only 1xx after which no other answer follows


class _TimedReader(io.RawIOBase):
    """Read from a socket until a deadline, however slowly its bytes come."""

    def __init__(self, raw: io.RawIOBase, connected: socket.socket, deadline: float) -> None:
        self._raw, self._socket, self._deadline = raw, connected, deadline
        self.at_end = False  # of the answer: nothing more is read

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self.at_end:
            return None
        _allow(self._socket, self._deadline)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


def _allow(connected: socket.socket, deadline: float) -> None:
    """Let the next read last until the deadline; nothing is set where that is when it would end anyway."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    if abs(left - (connected.gettimeout() or 0)) > _CLOSE:
        connected.settimeout(left)


class _Answer(http.client.HTTPResponse):
    """An answer that is whole before its deadline; `clean` tells whether nothing came before or behind it."""

    def __init__(self, sock: socket.socket, *args: Any, deadline: float, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self._socket = sock
        self._timed = _TimedReader(self.fp.detach(), sock, deadline)
        self.fp = io.BufferedReader(self._timed, _BUFFER)
        self.clean, self.ended = True, 0.0

    def _read_status(self) -> tuple[str, int, str]:
        """Return the status line, skipping interim answers: the library knows 100 alone, and takes 103 for the end."""
        for _ in range(_MOST_INTERIM):
            version, status, reason = super()._read_status()  # type: ignore[misc] # the library's, not public
            if status // 100 != 1 or status == _SWITCHING_PROTOCOLS:
                return version, status, reason
            self.clean = False
            http.client.parse_headers(self.fp)
        raise http.client.BadStatusLine("interim answers without end")

    def _close_conn(self) -> None:
        """End the answer: whatever was read behind it belongs to no request."""
        self._timed.at_end = True
        encrypted = self._socket.pending() if isinstance(self._socket, ssl.SSLSocket) else 0
        self.clean = self.clean and not self.fp.peek(1) and not encrypted
        self.ended = time.monotonic()
        super()._close_conn()  # type: ignore[misc] # the library's, not public


class _Connection(HTTPConnection):
    """A connection that is used again only after an answer that was whole and alone."""

    debuglevel = 0  # else who sets it on all connections of Python has headers printed
    was_dropped_at_once = False  # by the server, right after an answer, without a word
    _answer: _Answer | None = None
    _begun = 0.0
    _parts: list[bytes] | None = None  # of the request that is being written

    def connect(self) -> None:
        self._answer, self._begun = None, time.monotonic()
        super().connect()

    def request(self, *args: Any, **kwargs: Any) -> None:
        """Send head and body of a request at once: each call to the system lets another thread in."""
        self._begun = time.monotonic()
        self._parts = []
        try:
            super().request(*args, **kwargs)
        finally:
            parts, self._parts = self._parts, None
        if self.sock is not None and (self.sock.gettimeout() or 0) < self._seconds:
            self.sock.settimeout(self._seconds)  # the last answer has left what remained of its own time
        self.send(b"".join(parts))

    def send(self, data: Any) -> None:
        if self._parts is None:
            super().send(data)
        else:
            self._parts.append(data)

    @property
    def _seconds(self) -> float:
        return float(self.timeout or 0)

    def response_class(self, sock: socket.socket, *args: Any, **kwargs: Any) -> _Answer:  # type: ignore[override]
        """Make the answer of a request, or of a proxy to CONNECT; its time counts from the request."""
        self._answer = _Answer(sock, *args, deadline=self._begun + self._seconds, **kwargs)
        return self._answer

    @property
    def is_connected(self) -> bool:
        """Whether the connection can be used again: the pool asks before each request, and opens a new one if not.

        Bytes that nobody has asked for are taken for its end.
        """
        if self._answer is not None and not (self._answer.clean and self._answer.isclosed()):
            return False
        connected = super().is_connected
        if self._answer is not None and self.sock is not None and not connected:
            self.was_dropped_at_once = time.monotonic() - self._answer.ended < _AT_ONCE
        return connected


class _SecureConnection(_Connection, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


POOLS = {"http": _Pool, "https": _SecurePool}
