"""The small HTTP server under the sandbox: what other people's HTTP clients may send."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from itnio_nb.sandbox.server import LoopbackServer, Reply, Request


def echo(request: Request) -> Reply:
    content = {"method": request.method, "path": request.path}
    return Reply(200, content | {"body": request.body.decode(), "x": request.header("X")})


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    running = LoopbackServer(0, echo, time.time)
    threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
    yield running
    running.shutdown()
    running.server_close()
    running.cut_connections()


def talk(server: LoopbackServer, request: bytes) -> bytes:
    """Send bytes, half-close, and return all that comes back."""
    with socket.create_connection(("127.0.0.1", server.server_address[1]), 5) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_chunked_bodies_are_read(server: LoopbackServer) -> None:
    """Clients that do not know the length beforehand send chunks, with extensions and trailers."""
    chunked = b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = talk(server, chunked + b"3;note\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: t\r\n\r\n")
    assert b" 200 " in answer
    assert b'"body": "abcde"' in answer


def test_a_body_without_a_usable_length_is_413(server: LoopbackServer) -> None:
    """It is refused and the connection ends, since nobody knows where the next request begins."""
    chunked = b"Transfer-Encoding: chunked\r\n\r\n"
    lengths = (b"Content-Length: 99999999\r\n\r\n", b"Content-Length: -1\r\n\r\n")
    for rest in (*lengths, chunked + b"zz\r\n", chunked + b"fffffff\r\n"):
        assert talk(server, b"POST / HTTP/1.1\r\nHost: x\r\n" + rest).startswith(b"HTTP/1.1 413 ")


def test_a_client_that_asks_whether_to_go_on_is_told_at_once(server: LoopbackServer) -> None:
    """`Expect: 100-continue`: it sends its body only then. The connection serves others afterwards."""
    with socket.create_connection(("127.0.0.1", server.server_address[1]), 5) as connection:
        for body in (b"first", b"second"):
            head = f"POST /a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: {len(body)}\r\n\r\n"
            connection.sendall(head.encode())
            assert connection.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
            connection.sendall(body)
            response = http.client.HTTPResponse(connection)
            response.begin()
            assert f'"body": "{body.decode()}"'.encode() in response.read()


def test_connections_are_kept_for_every_method(server: LoopbackServer) -> None:
    """One connection serves many requests, with and without a body."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=5)
    connection.connect()
    own = connection.sock.getsockname()
    for method, body in (("POST", b"one"), ("GET", None), ("PUT", b"two"), ("HEAD", None), ("DELETE", None)):
        connection.request(method, "/a", body, {"X": "ü".encode("latin-1")})
        response = connection.getresponse()
        content = response.read()
        assert response.status == 200
        assert bool(content) == (method != "HEAD")
    assert connection.sock.getsockname() == own
    connection.close()
