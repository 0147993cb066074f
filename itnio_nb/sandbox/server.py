"""A small HTTP/1.1 server on 127.0.0.1 that hands each request to one function."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from select import select
from socket import SHUT_RDWR, socket
from time import sleep
from typing import Any

_MAX_BODY = 1 << 20


@dataclass(frozen=True)
class Request:
    """One request."""

    method: str
    path: str
    address: str  # of the client
    header: Callable[[str], str]  # by name in any case, "" for one that is missing
    body: bytes


@dataclass(frozen=True)
class Reply:
    """What is sent back, and what happens to it on its way."""

    code: int  # the HTTP status
    content: dict[str, Any] | str  # a JSON object, or a page of HTML that loads nothing
    headers: dict[str, str] = field(default_factory=dict)  # besides those of every answer
    wait: float = 0.0  # seconds before it leaves, unless the client goes away sooner
    cut: int | None = None  # the connection is cut after so many bytes of the content; 0: before anything is sent
    drip: float = 0.0  # seconds between two bytes of the content


class LoopbackServer(ThreadingHTTPServer):
    """Serve on 127.0.0.1 what `answer` returns; the server's clock is `now`."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, port: int, answer: Callable[[Request], Reply], now: Callable[[], float]) -> None:
        self.answer = answer
        self.now = now
        self._open: set[socket] = set()
        super().__init__(("127.0.0.1", port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection in its own thread, and remember it."""
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """End a connection."""
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print no traceback for a client that went away."""

    def cut_connections(self) -> None:
        """End the connections that clients keep open."""
        for connection in list(self._open):
            with suppress(OSError):  # it has just gone by itself
                connection.shutdown(SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # connections are kept
    wbufsize = -1  # the answer leaves in one piece
    disable_nagle_algorithm = True
    server: LoopbackServer

    def _serve(self) -> None:
        if (body := self._body()) is None:
            self._send(Reply(413, {"error": "The body is longer than 1 MiB, or its length cannot be read."}))
            return
        address = str(self.client_address[0])
        request = Request(self.command, self.path, address, lambda name: self.headers.get(name, ""), body)
        self._send(self.server.answer(request))

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _serve  # noqa: N815 - the library's names

    def handle_expect_100(self) -> bool:
        """Say at once that the body may come: the client waits for it, and the answers are buffered."""
        proceeds = super().handle_expect_100()
        self.wfile.flush()
        return proceeds

    def _body(self) -> bytes | None:
        """Return the body, None for one that is too long or whose length cannot be read."""
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return self._chunks()
        length = self.headers.get("Content-Length", "0")
        if not (length.isascii() and length.isdigit()) or len(length) > 9 or int(length) > _MAX_BODY:
            self.close_connection = True
            return None
        return self.rfile.read(int(length))

    def _chunks(self) -> bytes | None:
        body = bytearray()
        while re.fullmatch(rb"[0-9A-Fa-f]+", digits := self.rfile.readline(100).split(b";")[0].strip()):
            size = int(digits, 16)
            if len(body) + size > _MAX_BODY:
                break
            if size == 0:
                while self.rfile.readline(1000).strip():
                    pass  # trailers say nothing here
                return bytes(body)
            body += self.rfile.read(size)
            self.rfile.readline(10)
        self.close_connection = True
        return None

    def _send(self, reply: Reply) -> None:
        if reply.wait:
            select([self.connection], [], [], reply.wait)  # a connection that the client has closed is readable
        if reply.cut is not None:
            self.close_connection = True
        if reply.cut == 0:
            return
        page = isinstance(reply.content, str)
        text = reply.content if isinstance(reply.content, str) else json.dumps(reply.content, ensure_ascii=False)
        content = text.encode("utf-8", "replace")
        headers = {"Content-Type": f"{'text/html' if page else 'application/json'};charset=UTF-8"}
        if page:
            headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'"
        self.send_response(reply.code)
        for name, value in (headers | reply.headers | {"Content-Length": str(len(content))}).items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        content = b"" if self.command == "HEAD" else content[: reply.cut]
        step = 1 if reply.drip else len(content) or 1
        for start in range(0, len(content), step):
            self.wfile.write(content[start : start + step])
            if reply.drip:
                self.wfile.flush()
                sleep(reply.drip)

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Date the answers by the server's clock."""
        return formatdate(timestamp or self.server.now(), usegmt=True)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Log nothing: the headers would show signatures."""
