"""One signed request: what is sent, over which connection, and what of it certainly never left."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from unittest.mock import Mock

import pandas as pd
import pytest
import requests
import responses
import trustme

from itnio_nb import Account, AccountError, Client, Sandbox, ServiceError, State
from tests.support.factories import APP, NOWHERE, group
from tests.support.https import serving_https

URL = "https://api.itniotech.com/voice"
LOST = "the connection was lost before the whole answer was here"
SUCCESS = {"status": "0", "reason": "success", "data": None}


def test_what_is_sent_is_what_the_document_says(live: Client) -> None:
    """POST, the four headers, the body in the API's fields."""
    responses.post(f"{NOWHERE}/sipAdd", json=SUCCESS)
    live.create_phones(group("北京", "desk", 30))
    request = responses.calls[0].request
    assert request.headers["Content-Type"] == "application/json;charset=UTF-8"
    assert request.headers["Api-Key"] == "key"
    assert len(request.headers["Sign"]) == 32
    assert request.headers["Timestamp"].isdecimal()
    assert isinstance(request.body, bytes)
    assert json.loads(request.body) == group("北京", "desk", 30).to_wire()


def test_values_of_numpy_are_sent_as_numbers(client: Client) -> None:
    """A group made from a row of a frame is a group."""
    row = pd.DataFrame({"quantity": [3]}).iloc[0]
    assert client.create_phones(group("sales", "desk", row["quantity"])).state is State.CREATED
    assert client.create_phones(group("other", "line", None)).status == "-22"  # type: ignore[arg-type] # on purpose


def test_an_endless_answer_is_cut(live: Client) -> None:
    """More than 8 MiB is no answer of this API."""
    responses.post(f"{NOWHERE}/sipAdd", body=b" " * (8 * 2**20 + 1))
    assert live.create_phones(group()).reason == "an answer of more than 8 MiB"


LENGTH_100 = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"
ON_THE_WIRE = {  # what a server sends before it drops the connection, or lets it stall
    "drop": b"",
    "half": LENGTH_100,
    "half a chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20\r\n{",
    "nonsense": b"SSH-2.0-server\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
    "stall": b"",
    "stall in the body": LENGTH_100,
}


class _Wire:
    """A server that does the same to each connection, twice at most, and counts them."""

    def __init__(self, behaviour: str) -> None:
        self.behaviour = behaviour
        self.seen = 0
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.account = Account("key", "secret", f"http://127.0.0.1:{self.socket.getsockname()[1]}/voice")
        self.hold = threading.Event()
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self) -> None:
        for _ in range(2):
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return  # closed: nobody came again
            with connection:
                self.seen += 1
                connection.recv(65536)
                connection.sendall(ON_THE_WIRE[self.behaviour])
                if self.behaviour.startswith("stall"):
                    self.hold.wait(10)

    def close(self) -> None:
        self.hold.set()
        self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.socket.close()


@pytest.mark.parametrize("behaviour", ON_THE_WIRE)
def test_what_left_and_was_not_answered_is_unknown(behaviour: str) -> None:
    """And it is sent once: whoever repeats it might make phones that nobody asked for."""
    wire = _Wire(behaviour)
    with Client(wire.account, timeout=(1, 0.2)) as client:
        receipt = client.create_phones(group())
    wire.close()
    reason = "no answer in time" if behaviour.startswith("stall") else LOST
    assert (receipt.state, receipt.status, receipt.reason) == (State.UNKNOWN, "", reason)
    assert wire.seen == 1
    assert "not known whether the phones were created" in receipt.advice


def test_what_never_left_is_still_planned() -> None:
    """A refused connection and an unknown host: nothing was sent, and the words say so."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    for url, reason in ((f"http://127.0.0.1:{port}/voice", "connection refused"), (URL, "unknown host")):
        with Client(Account("key", "secret", url), timeout=(1, 1)) as client:
            receipt = client.create_phones(group())
        assert (receipt.state, receipt.status, receipt.reason) == (State.PLANNED, "", reason)
        assert "Nothing was created" in receipt.advice


def test_plain_http_is_for_loopback_alone() -> None:
    """Whoever sees one signed request can send others."""
    for url in (
        "http://127.0.0.1:1",
        "http://127.8.9.10:1",
        "http://localhost:1",
        "http://[::1]:1",
        "https://a.example",
    ):
        Client(Account("key", "secret", f"{url}/voice")).close()
    others = ("example.com", "127.0.0.1.example.com", "localhost.example.com", "0.0.0.0", "10.0.0.1")
    for host in others:
        with pytest.raises(AccountError, match="not encrypted"):
            Client(Account("key", "secret", f"http://{host}/voice"))


def certified(host: str, bundle: Path) -> ssl.SSLContext:
    """The context of a server with a certificate for this host, of an authority that is written to a file."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(host).configure_cert(context)
    authority.cert_pem.write_to_path(str(bundle))
    return context


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[tuple[str, Path, Counter[object]]]:
    """A server with a certificate of an authority of its own: address, authority, requests by connection."""
    bundle = tmp_path / "authority.pem"
    with serving_https(certified("localhost", bundle)) as (address, connections):
        yield address, bundle, connections


def test_tls_is_verified(secure: tuple[str, Path, Counter[object]], monkeypatch: pytest.MonkeyPatch) -> None:
    """An authority that is not trusted, or another name, ends before anything is sent; one that is missing is named."""
    url, bundle, connections = secure
    signed = "is signed by an authority that this machine does not know", "REQUESTS_CA_BUNDLE"
    named = "is for another address", "ITNIO_BASE_URL"
    for address, (reason, todo) in {url: signed, url.replace("localhost", "127.0.0.1"): named}.items():
        with Client(Account("key", "secret", address)) as client:
            receipt = client.create_phones(group())
            with pytest.raises(ServiceError, match=f"certificate {reason}.*{todo}"):
                client.list_phones(APP)
        assert (receipt.state, receipt.reason) == (State.PLANNED, f"the server's certificate {reason}")
        assert todo in receipt.advice
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    assert connections.total() == 0
    with Client(Account("key", "secret", url)) as client:
        assert client.create_phones(group()).state is State.CREATED
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "missing.pem")
    with pytest.raises(AccountError, match=r"missing\.pem cannot be read .* mend REQUESTS_CA_BUNDLE"):
        Client(Account("key", "secret"))


def test_one_tls_context_and_one_connection_for_each_worker(
    secure: tuple[str, Path, Counter[object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root certificates are parsed once; 20 requests of 4 threads use at most 4 connections."""
    url, bundle, connections = secure
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    create = Mock(wraps=ssl.create_default_context)
    monkeypatch.setattr(ssl, "create_default_context", create)
    with Client(Account("key", "secret", url), workers=4) as client, ThreadPoolExecutor(4) as pool:
        list(pool.map(client.create_phones, [group()] * 20))
    assert create.call_count == 1
    assert connections.total() == 20
    assert len(connections) <= 4


def test_proxies_are_read_once_and_never_used_for_loopback(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Signed headers in plain http never leave the machine."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    with Client(sandbox.account) as client:
        assert client.create_phones(group()).state is State.CREATED
    with Client(Account("key", "secret"), timeout=(1, 1)) as client:
        receipt = client.create_phones(group())
    assert (receipt.state, receipt.reason) == (State.PLANNED, "the proxy did not connect")


class _Tunnel:
    """A CONNECT proxy that leads every host to one loopback port, or refuses."""

    def __init__(self, port: int, answer: bytes = b"HTTP/1.1 200 OK\r\n\r\n") -> None:
        self.port, self.answer = port, answer
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self) -> None:
        try:
            near, _ = self.socket.accept()
        except OSError:
            return
        with near, socket.create_connection(("127.0.0.1", self.port)) as far:
            near.recv(65536)
            near.sendall(self.answer)
            back = threading.Thread(target=self._copy, args=(far, near))
            back.start()
            self._copy(near, far)
            back.join()

    @staticmethod
    def _copy(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.socket.close()
        self.thread.join()


@pytest.mark.parametrize(
    ("answer", "state", "reason"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", State.UNKNOWN, LOST),
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", State.PLANNED, "the proxy did not connect"),
    ],
)
def test_what_is_lost_behind_a_proxy_is_unknown(
    answer: bytes, state: State, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server got the request through the tunnel and dropped the connection: it may have made the phones."""
    context = certified("voice.example", tmp_path / "authority.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "authority.pem"))
    got: list[bytes] = []

    def take_and_drop(server: socket.socket) -> None:
        connection, _ = server.accept()
        with suppress(OSError), context.wrap_socket(connection, server_side=True) as secure:
            got.append(secure.recv(65536))
        connection.close()

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=take_and_drop, args=(server,))
        thread.start()
        tunnel = _Tunnel(server.getsockname()[1], answer)
        monkeypatch.setenv("HTTPS_PROXY", tunnel.url)
        with Client(Account("key", "secret", "https://voice.example/voice"), timeout=(2, 2)) as client:
            receipt = client.create_phones(group())
        tunnel.close()
        thread.join()
    assert (receipt.state, receipt.reason) == (state, reason)
    assert bool(got) == (state is State.UNKNOWN)


def test_errors_do_not_carry_the_signed_headers(sandbox: Sandbox, client: Client) -> None:
    """requests' exceptions hold the request: none is chained to ours."""
    sandbox.stop()
    with pytest.raises(ServiceError) as refused:
        client.list_phones(APP)
    chain: BaseException | None = refused.value
    while chain is not None:
        assert not isinstance(chain, requests.RequestException)
        chain = chain.__cause__ or chain.__context__
