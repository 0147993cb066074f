"""Requests as other people's clients send them, and servers as they are on the wire: both without the package."""

from __future__ import annotations

import hashlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from typing import Any

from itnio_nb import Account, Sandbox

SAMPLE: dict[str, Any] = {
    "groupName": "sipGroup",
    "phoneName": "sip-phone",
    "quantity": 30,
    "displayNum": "861000000",
    "appId": "4luaKsL2",
}


def ask(
    sandbox: Sandbox,
    body: dict[str, Any] | bytes,
    *,
    endpoint: str = "sipAdd",
    base: str = "/voice/",
    account: Account | None = None,
    secret: str | None = None,
    offset: int = 0,
    headers: dict[str, str] | None = None,
) -> dict[str, Any]:
    """Ask with headers made here, by the document, not by the package."""
    account = account or sandbox.account
    timestamp = str(int(time.time()) + offset)
    text = account.api_key + (secret or account.api_secret.reveal()) + timestamp
    signed = {"Sign": hashlib.md5(text.encode()).hexdigest(), "Timestamp": timestamp, "Api-Key": account.api_key}
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    with closing(http.client.HTTPConnection(sandbox.base_url.split("/")[2], timeout=5)) as connection:
        connection.request("POST", f"{base}{endpoint}", content, {**signed, **(headers or {})})
        response = connection.getresponse()
        assert response.status == 200
        answer: dict[str, Any] = json.loads(response.read())
    assert list(answer) == ["status", "reason", "data"]
    assert isinstance(answer["status"], str)
    return answer


def ask_as(sandbox: Sandbox, account: Account, body: dict[str, Any]) -> dict[str, Any]:
    return ask(sandbox, body, account=account)


def browse(sandbox: Sandbox, path: str = "/", host: str | None = None, method: str = "GET") -> tuple[int, str, str]:
    """Ask as a browser asks; return status, content type and text."""
    connection = http.client.HTTPConnection("127.0.0.1", int(sandbox.base_url.split(":")[2].split("/")[0]), timeout=5)
    connection.request(method, path, headers={} if host is None else {"Host": host})
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return response.status, response.getheader("Content-Type", ""), text


Send = Callable[[socket.socket, bytes], object]  # how an answer goes over a connection


class WireServer:
    """The two endpoints on bare sockets: it keeps books of its groups, and sends each answer as it is told.

    `ways` are taken one after another, for sipAdd alone unless `listings`; when they are used up, answers are sent as
    they should be. A group whose name has `-wrong` behind it is answered with -22.
    """

    def __init__(self, ways: Iterator[Send], *, listings: bool = False) -> None:
        self.groups: dict[str, dict[str, Any]] = {}
        self.connections = 0
        self._ways, self._listings = ways, listings
        self._lock = threading.Lock()
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._open: set[socket.socket] = set()
        self.account = Account("key", "secret", f"http://127.0.0.1:{self._socket.getsockname()[1]}/voice")
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> WireServer:
        return self

    def __exit__(self, *_: object) -> None:
        for connection in (self._socket, *list(self._open)):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                self.connections += 1
                self._open.add(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError, ValueError), connection, connection.makefile("rb") as received:
            while first := received.readline():
                length = 0
                while line := received.readline().strip():
                    name, _, value = line.partition(b":")
                    length = int(value) if name.lower() == b"content-length" else length
                body = json.loads(received.read(length))
                adds = b"sipAdd" in first
                answer = self._add(body) if adds else self._query(body)
                with self._lock:
                    way = next(self._ways, send_whole) if adds or self._listings else send_whole
                if way(connection, _response(answer)) is False:
                    return

    def _add(self, body: dict[str, Any]) -> dict[str, Any]:
        name = body["groupName"]
        if name.endswith("-wrong"):
            return {"status": "-22", "reason": "Parameter exception", "data": None}
        with self._lock:
            if name in self.groups:
                return {"status": "-20", "reason": "Data existing", "data": None}
            self.groups[name] = body
        return {"status": "0", "reason": "success", "data": None}

    def _query(self, body: dict[str, Any]) -> dict[str, Any]:
        number, size = body["current"], body["size"]
        with self._lock:
            phones = [
                {"groupName": name, "phoneName": f"{group['phoneName']}-{at}", "account": f"{name}{at}"}
                | {"password": "secret", "displayNum": group["displayNum"]}
                for name, group in self.groups.items()
                for at in range(group["quantity"])
            ]
        page = phones[(number - 1) * size : number * size]
        data = {"total": len(phones), "size": size, "current": number, "pages": -(-len(phones) // size)}
        return {"status": "0", "reason": "success", "data": data | {"records": page}}


def _response(answer: dict[str, Any]) -> bytes:
    content = json.dumps(answer).encode()
    head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length:"
    return f"{head} {len(content)}\r\n\r\n".encode() + content


def send_whole(connection: socket.socket, answer: bytes) -> None:
    """Send an answer as it should be."""
    connection.sendall(answer)


def after(*interim: str) -> Send:
    """Send interim answers first, such as `103 Early Hints`."""
    before = "".join(f"HTTP/1.1 {line}\r\nLink: </style.css>\r\n\r\n" for line in interim).encode()
    return lambda connection, answer: connection.sendall(before + answer)


def twice(connection: socket.socket, answer: bytes) -> None:
    """Send an answer, and the same once more."""
    connection.sendall(answer + answer)


def and_close(connection: socket.socket, answer: bytes) -> bool:
    """Send an answer and close, without having said so."""
    connection.sendall(answer)
    return False


def close_only(_: socket.socket, __: bytes) -> bool:
    """Close in place of an answer."""
    return False


def without_end(piece: bytes, pause: float = 0.0) -> Send:
    """Send a piece again and again, in place of an answer."""

    def send(connection: socket.socket, _: bytes) -> None:
        while True:
            connection.sendall(piece)
            time.sleep(pause)

    return send


def dripping(part: slice, pause: float) -> Send:
    """Send an answer of which a part comes byte by byte."""

    def send(connection: socket.socket, answer: bytes) -> None:
        connection.sendall(answer[: part.start])
        for byte in answer[part]:
            connection.sendall(bytes([byte]))
            time.sleep(pause)
        connection.sendall(answer[part.stop :])

    return send
