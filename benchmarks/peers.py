"""Ways of creating groups of phones and of reading them back, each at its best; one is done in a process of its own.

    python benchmarks/peers.py <peer> <what> <groups> <workers> <key> <secret> <url>

`what` is `submit` (from the first request to the last answer) or `whole` (then every page of the listing too; a run
is measured from `submit_plan` to its verified end). Groups have 50 phones. It prints the seconds that it took and the
MB that its process had at most as JSON; its connections were open before.
"""

from __future__ import annotations

import http.client
import json
import queue
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from hashlib import md5
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from harness import peak_memory

APP = "4luaKsL2"
SIZE, PAGE = 50, 100  # phones of a group and of a page
Bodies = Iterable[dict[str, Any]]


class Connection(Protocol):
    """One kept connection, or what stands for it: used by one thread at a time."""

    def post(self, path: str, headers: dict[str, str], body: bytes) -> bytes:
        """Send one request and return the body of its answer."""


class RawSocket:
    """A socket, a request written by hand, and as much of HTTP as the answers of the sandbox need: the floor."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self._socket = socket.create_connection((address.hostname, address.port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._host, self._prefix = address.netloc, address.path

    def post(self, path: str, headers: dict[str, str], body: bytes) -> bytes:
        """Send one request and return the body of its answer."""
        lines = [f"POST {self._prefix}{path} HTTP/1.1", f"Host: {self._host}", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self._socket.sendall("\r\n".join([*lines, "", ""]).encode() + body)
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._socket.recv(65536)
        head, _, content = data.partition(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        parts, have = [content], len(content)
        while have < length:
            parts.append(self._socket.recv(65536))
            have += len(parts[-1])
        return b"".join(parts)


class HttpClient:
    """`http.client` of the standard library."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self._connection = http.client.HTTPConnection(address.netloc)
        self._prefix = address.path
        self._connection.connect()

    def post(self, path: str, headers: dict[str, str], body: bytes) -> bytes:
        """Send one request and return the body of its answer."""
        self._connection.request("POST", self._prefix + path, body, headers)
        return self._connection.getresponse().read()


class Adapter:
    """An `HTTPAdapter` of requests without a session, and a request that is filled by hand."""

    def __init__(self, url: str) -> None:
        from requests.adapters import HTTPAdapter

        self._url, self._adapter = url, HTTPAdapter()

    def post(self, path: str, headers: dict[str, str], body: bytes) -> bytes:
        """Send one request and return the body of its answer."""
        from requests import PreparedRequest
        from requests.structures import CaseInsensitiveDict

        request = PreparedRequest()
        request.method, request.url, request.body = "POST", self._url + path, body
        request.headers = CaseInsensitiveDict({**headers, "Content-Length": str(len(body))})
        return self._adapter.send(request).content


class Session:
    """A session of requests."""

    def __init__(self, url: str) -> None:
        from requests import Session as RequestsSession

        self._url, self._session = url, RequestsSession()

    def post(self, path: str, headers: dict[str, str], body: bytes) -> bytes:
        """Send one request and return the body of its answer."""
        return self._session.post(self._url + path, data=body, headers=headers).content


class Sample:
    """What the API document's own samples do: a new connection for each request, one after the other."""

    def __init__(self, url: str) -> None:
        self._url = url

    def post(self, path: str, headers: dict[str, str], body: bytes) -> bytes:
        """Send one request and return the body of its answer."""
        import requests

        return requests.post(self._url + path, data=body, headers=headers, timeout=60).content


CONNECTIONS: dict[str, Callable[[str], Connection]] = {
    "raw sockets": RawSocket,
    "http.client": HttpClient,
    "HTTPAdapter": Adapter,
    "requests sessions": Session,
    "document's sample": Sample,
}
OURS = "itnio-nb"


class Pool:
    """Threads that send requests over a kept connection each."""

    def __init__(self, kind: str, account: tuple[str, str, str], workers: int) -> None:
        self._key, self._secret, url = account
        self._connections = [CONNECTIONS[kind](url) for _ in range(1 if CONNECTIONS[kind] is Sample else workers)]
        self.each("sipQuery", [page(1, "no-such-app") for _ in self._connections])  # so that all are open

    def each(self, endpoint: str, bodies: Bodies) -> list[dict[str, Any]]:
        """Send a request for each body; return the answers, as they have come."""
        to_do: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        for body in bodies:
            to_do.put(body)
        answers: list[dict[str, Any]] = []

        def work(connection: Connection) -> None:
            while True:
                try:
                    body = to_do.get_nowait()
                except queue.Empty:
                    return
                answers.append(self._post(connection, endpoint, body))

        threads = [threading.Thread(target=work, args=(connection,)) for connection in self._connections]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return answers

    def _post(self, connection: Connection, endpoint: str, body: dict[str, Any]) -> dict[str, Any]:
        now = str(int(time.time()))
        headers = {"Content-Type": "application/json;charset=UTF-8", "Api-Key": self._key, "Timestamp": now}
        headers["Sign"] = md5(f"{self._key}{self._secret}{now}".encode(), usedforsecurity=False).hexdigest()
        answer: dict[str, Any] = json.loads(connection.post(f"/{endpoint}", headers, json.dumps(body).encode()))
        if answer["status"] != "0":
            raise RuntimeError(f"{endpoint} was answered with {answer}")
        return answer


def pooled(kind: str, what: str, account: tuple[str, str, str], groups: int, workers: int) -> float:
    """Create the groups, and list them if that is asked for; return the seconds."""
    pool = Pool(kind, account, workers)
    begun = time.perf_counter()
    pool.each("sipAdd", map(group, range(groups)))
    if what == "whole":
        [first] = pool.each("sipQuery", [page(1)])
        pages = range(2, -(-first["data"]["total"] // PAGE) + 1)
        answers = [first, *pool.each("sipQuery", map(page, pages))]
        seen = {phone["phoneName"] for answer in answers for phone in answer["data"]["records"]}
        if len(seen) != groups * SIZE:
            raise RuntimeError(f"{len(seen)} of {groups * SIZE} phones were seen")
    return time.perf_counter() - begun


def group(at: int) -> dict[str, Any]:
    """Return the body that creates a group."""
    names = {"groupName": f"group-{at}", "phoneName": f"phone-{at}"}
    return names | {"quantity": SIZE, "displayNum": "861000000", "appId": APP}


def page(number: int, app_id: str = APP) -> dict[str, Any]:
    """Return the body that asks for a page of phones."""
    return {"current": number, "size": PAGE, "params": {"appId": app_id}}


def ours(what: str, account: tuple[str, str, str], groups: int, workers: int) -> float:
    """Submit a plan, and wait for its verified end or for the last answer; return the seconds."""
    import pandas as pd

    from itnio_nb import Account, Client, Ledger, PhoneGroup, make_plan, submit_plan
    from itnio_nb.api.models import Receipt

    class Timed(Client):
        """A client that keeps when its first request left, and when its last answer came."""

        first, last = float("inf"), 0.0

        def create_phones(self, group: PhoneGroup) -> Receipt:
            self.first = min(self.first, time.perf_counter())
            receipt = super().create_phones(group)
            self.last = time.perf_counter()
            return receipt

    columns = ["groupName", "phoneName", "quantity", "displayNum", "appId"]
    rows = [tuple(str(value) for value in group(at).values()) for at in range(groups)]
    plan = make_plan(pd.DataFrame(rows, columns=columns, dtype=object))
    repr(plan)  # it is looked at, and confirmed
    client = Timed(Account(*account), workers=workers)
    with tempfile.TemporaryDirectory() as folder, client, Ledger(Path(folder) / "ledger.sqlite") as ledger:
        threads = [threading.Thread(target=client.count_phones, args=("no-such-app",)) for _ in range(workers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        begun = time.perf_counter()
        run = submit_plan(plan, client, ledger, workers=workers).wait()
        seconds = time.perf_counter() - begun
        if f"Verified: {groups * SIZE:,} of {groups * SIZE:,} phones." not in run.summary:
            raise RuntimeError(run.summary)
        if what == "submit":
            seconds = client.last - client.first
    return seconds


def main(peer: str, what: str, groups: str, workers: str, key: str, secret: str, url: str) -> None:
    """Do it, and print what it took."""
    work = (what, (key, secret, url), int(groups), int(workers))
    seconds = ours(*work) if peer == OURS else pooled(peer, *work)
    print(json.dumps({"seconds": seconds, "memory": peak_memory()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
