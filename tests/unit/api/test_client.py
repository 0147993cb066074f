"""The client: one signed request for each group, and a receipt for whatever comes back."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from unittest.mock import Mock

import pandas as pd
import pytest
import requests
import responses
import trustme

from itnio_nb import Account, AccountError, Client, InputError, Sandbox, ServiceError, State
from itnio_nb.api.statuses import STATUSES
from tests.support.factories import APP, group

URL = "https://api.itniotech.com/voice"
SUCCESS = {"status": "0", "reason": "success", "data": None}


@pytest.fixture
def live() -> Iterator[Client]:
    """A client of the real address, whose transport `responses` replaces."""
    with responses.mock, Client(Account("key", "secret")) as made:
        yield made


def provoke(sandbox: Sandbox, status: str) -> Client:
    """Bring the sandbox, or the client, to where the next sipAdd gets `status`."""
    account = sandbox.account
    if status == "-1":
        account = Account(account.api_key, "wrong", account.base_url)
    elif status == "-2":
        sandbox.allowed_addresses = ["192.0.2.1"]
    elif status == "-16":
        sandbox.faults = "clock,clock,query:clock,query:clock"  # corrected once, and wrong again
    elif status == "-18":
        sandbox.broken = True
    elif status == "-20":
        with Client(account) as earlier:
            earlier.create_phones(group())
    elif status == "-22":
        sandbox.app_ids = ["another"]
    elif status == "-23":
        sandbox.cap = 2
    return Client(account)


@pytest.mark.parametrize("status", STATUSES)
def test_every_status_over_http(sandbox: Sandbox, status: str) -> None:
    """Each comes out as its own state with the server's reason and our advice."""
    with provoke(sandbox, status) as client:
        receipt = client.create_phones(group())
    assert (receipt.state, receipt.status) == (STATUSES[status].state, status)
    assert receipt.advice == STATUSES[status].advice
    assert receipt.reason
    assert receipt.at.tzinfo is UTC
    assert abs(datetime.now(UTC) - receipt.at).total_seconds() < 60
    assert len(sandbox.phones) == (3 if status in ("0", "-20") else 0)


def test_what_is_sent_is_what_the_document_says(live: Client) -> None:
    """POST, the four headers, the body in the API's fields."""
    responses.post(f"{URL}/sipAdd", json=SUCCESS)
    live.create_phones(group("北京", "desk", 30))
    request = responses.calls[0].request
    assert request.headers["Content-Type"] == "application/json;charset=UTF-8"
    assert request.headers["Api-Key"] == "key"
    assert len(request.headers["Sign"]) == 32
    assert request.headers["Timestamp"].isdecimal()
    assert isinstance(request.body, bytes)
    assert json.loads(request.body) == group("北京", "desk", 30).to_wire()


def test_values_of_numpy_are_sent_as_numbers(sandbox: Sandbox, client: Client) -> None:
    """A group made from a row of a frame is a group."""
    row = pd.DataFrame({"quantity": [3]}).iloc[0]
    assert client.create_phones(group("sales", "desk", row["quantity"])).state is State.CREATED
    assert client.create_phones(group("other", "line", None)).status == "-22"  # type: ignore[arg-type] # on purpose


@pytest.mark.parametrize(
    ("http_status", "body"),
    [
        (200, "<html>"),
        (200, '{"status":"ok"}'),
        (302, ""),
        (404, '{"status":"0","reason":""}'),
        (500, ""),
        (502, "bad"),
    ],
)
def test_odd_answers_leave_it_unknown(live: Client, http_status: int, body: str) -> None:
    """Neither success nor refusal; no redirect is followed."""
    responses.post(f"{URL}/sipAdd", body=body, status=http_status, headers={"Location": f"{URL}/elsewhere"})
    receipt = live.create_phones(group())
    assert (receipt.state, receipt.status) == (State.UNKNOWN, "")
    assert f"HTTP {http_status}" in receipt.reason
    assert len(responses.calls) == 1


def test_a_status_that_is_not_documented_is_unknown(live: Client) -> None:
    """With the server's words and the status itself."""
    responses.post(f"{URL}/sipAdd", json={"status": "-15", "reason": "query too frequently", "data": None})
    receipt = live.create_phones(group())
    assert (receipt.state, receipt.status, receipt.reason) == (State.UNKNOWN, "-15", "query too frequently")
    assert "not documented" in receipt.advice


def test_an_endless_answer_is_cut(live: Client) -> None:
    """More than 8 MiB is no answer of this API."""
    responses.post(f"{URL}/sipAdd", body=b" " * (8 * 2**20 + 1))
    assert live.create_phones(group()).reason == "an answer of more than 8 MiB"


class _Wire:
    """A server that does to each connection what a test says, and counts them."""

    def __init__(self, *behaviours: str) -> None:
        self.behaviours = behaviours
        self.seen = 0
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.account = Account("key", "secret", f"http://127.0.0.1:{self.socket.getsockname()[1]}/voice")
        self.hold = threading.Event()
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self) -> None:
        for behaviour in self.behaviours:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return  # closed: nobody came again
            with connection:
                self.seen += 1
                connection.recv(65536)
                if behaviour == "half":
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
                elif behaviour == "half a chunk":
                    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20\r\n{")
                elif behaviour == "stall":
                    self.hold.wait(10)
                elif behaviour == "stall in the body":
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
                    self.hold.wait(10)
                elif behaviour == "two lengths":
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}")
                elif behaviour == "nonsense":
                    connection.sendall(b"SSH-2.0-server\r\n")

    def close(self) -> None:
        self.hold.set()
        self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.socket.close()


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ("drop", "the connection was lost before the whole answer was here"),
        ("half", "the connection was lost before the whole answer was here"),
        ("half a chunk", "the connection was lost before the whole answer was here"),
        ("nonsense", "the connection was lost before the whole answer was here"),
        ("two lengths", "the connection was lost before the whole answer was here"),
        ("stall", "no answer in time"),
        ("stall in the body", "no answer in time"),
    ],
)
def test_what_left_and_was_not_answered_is_unknown(behaviour: str, reason: str) -> None:
    """And it is sent once: whoever repeats it might make phones that nobody asked for."""
    wire = _Wire(behaviour, behaviour)
    with Client(wire.account, timeout=(1, 0.3)) as client:
        receipt = client.create_phones(group())
    wire.close()
    assert (receipt.state, receipt.status, receipt.reason) == (State.UNKNOWN, "", reason)
    assert wire.seen == 1
    assert "not known whether the phones were created" in receipt.advice


@pytest.mark.slow
def test_what_never_left_is_still_planned() -> None:
    """A refused connection and an unknown host: nothing was sent, and the words say so."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    for url, reason in ((f"http://127.0.0.1:{port}/voice", "connection refused"), (URL, "unknown host")):
        with Client(Account("key", "secret", url), timeout=(1, 1)) as client:
            receipt = client.create_phones(group())
        assert (receipt.state, receipt.status, receipt.reason) == (State.PLANNED, "", reason)
        assert "Nothing was created" in receipt.advice


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("http://127.0.0.1:1/voice", True),
        ("http://127.8.9.10:1/voice", True),
        ("http://localhost:1/voice", True),
        ("http://[::1]:1/voice", True),
        ("https://example.com/voice", True),
        ("http://example.com/voice", False),
        ("http://127.0.0.1.example.com/voice", False),
        ("http://localhost.example.com/voice", False),
        ("http://0.0.0.0/voice", False),
        ("http://10.0.0.1/voice", False),
        ("http://2130706433/voice", False),
    ],
)
def test_plain_http_is_for_loopback_alone(url: str, allowed: bool) -> None:
    """Whoever sees one signed request can send others."""
    if allowed:
        Client(Account("key", "secret", url)).close()
    else:
        with pytest.raises(AccountError, match="not encrypted"):
            Client(Account("key", "secret", url))


class _Secure(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    connections: ClassVar[Counter[object]] = Counter()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.connections[self.client_address] += 1
        content = json.dumps(SUCCESS).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """An HTTPS server on loopback with a certificate of an authority of its own: address and authority."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    bundle = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(bundle))
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Secure)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign] # a client that refuses us is expected
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"https://localhost:{server.server_address[1]}/voice", bundle
    server.shutdown()
    server.server_close()


def test_tls_is_verified(secure: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """An authority that is not trusted, or another name, ends before anything is sent."""
    url, bundle = secure
    for address in (url, url.replace("localhost", "127.0.0.1")):
        with Client(Account("key", "secret", address)) as client:
            receipt = client.create_phones(group())
        assert (receipt.state, receipt.reason) == (
            State.PLANNED,
            "the server's certificate is not valid for this address",
        )
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    assert _Secure.connections.total() == 0
    with Client(Account("key", "secret", url)) as client:
        assert client.create_phones(group()).state is State.CREATED


def test_one_tls_context_and_one_connection_for_each_worker(
    secure: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root certificates are parsed once; 20 requests of 4 threads use at most 4 connections."""
    url, bundle = secure
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    create = Mock(wraps=ssl.create_default_context)
    monkeypatch.setattr(ssl, "create_default_context", create)
    _Secure.connections.clear()
    with Client(Account("key", "secret", url), workers=4) as client:

        def five() -> None:
            for _ in range(5):
                client.create_phones(group())

        threads = [threading.Thread(target=five) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert create.call_count == 1
    assert _Secure.connections.total() == 20
    assert len(_Secure.connections) <= 4


def test_unreadable_root_certificates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The setting to mend is named."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "missing.pem"))
    with pytest.raises(AccountError, match="REQUESTS_CA_BUNDLE"):
        Client(Account("key", "secret"))


def test_list_phones_reads_all_pages(sandbox: Sandbox, client: Client) -> None:
    """All of them, once, in order, as text, with masked passwords."""
    for at in range(6):
        client.create_phones(group(f"group-{at}", f"phone-{at}", 50))
    client.create_phones(group("elsewhere", "other", 2, "another"))
    phones = client.list_phones(APP)
    assert phones.columns.tolist() == ["groupName", "phoneName", "account", "password", "displayNum", "appId"]
    assert len(phones) == 300
    assert phones["account"].is_unique
    assert sandbox.served["sipQuery", "0"] == 3
    assert set(phones["password"]) == {"********"}
    assert set(phones["appId"]) == {APP}
    revealed = client.list_phones(APP, reveal=True)
    assert revealed["password"].str.len().eq(8).all()
    assert "********" not in set(revealed["password"])
    assert client.list_phones("empty").empty
    assert client.list_phones("empty").columns.tolist() == phones.columns.tolist()


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        ("-1", AccountError, "ITNIO_API_SECRET"),
        ("-2", AccountError, "allow-list"),
        ("-16", AccountError, "clock"),
        ("-18", ServiceError, "Nothing was changed"),
        ("-22", InputError, "application id"),
    ],
)
def test_a_listing_that_is_refused_raises(sandbox: Sandbox, status: str, error: type[Exception], words: str) -> None:
    """An error named by what to do next, with the status."""
    with provoke(sandbox, status) as client, pytest.raises(error, match=words) as refused:
        client.list_phones(APP)
    assert getattr(refused.value, "status", None) == status


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {},
        {"total": 1},
        {"total": "x", "records": []},
        {"total": 1, "records": {}},
        {"total": 1, "records": [1]},
    ],
)
def test_a_listing_of_another_shape_raises(live: Client, data: object) -> None:
    """An empty listing that is none would make every group look absent."""
    responses.post(f"{URL}/sipQuery", json={"status": "0", "reason": "success", "data": data})
    with pytest.raises(ServiceError, match="not the API's shape"):
        live.list_phones(APP)


def test_a_listing_without_a_server_raises(sandbox: Sandbox, client: Client) -> None:
    """It says why, and that one may try again."""
    sandbox.stop()
    with pytest.raises(ServiceError, match=r"at http://127.*connection refused\. Is the sandbox still running\?"):
        client.list_phones(APP)


def test_holes_in_records_are_empty_text(live: Client) -> None:
    """null, numbers and missing fields of a record become text."""
    record = {"groupName": "sales", "phoneName": None, "account": 7, "displayNum": "861000000"}
    responses.post(f"{URL}/sipQuery", json={"status": 0, "reason": None, "data": {"total": "1", "records": [record]}})
    assert live.list_phones(APP, reveal=True).iloc[0].tolist() == ["sales", "", "7", "", "861000000", APP]


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
        (b"HTTP/1.1 200 OK\r\n\r\n", State.UNKNOWN, "the connection was lost before the whole answer was here"),
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", State.PLANNED, "the proxy did not connect"),
    ],
)
def test_what_is_lost_behind_a_proxy_is_unknown(
    answer: bytes, state: State, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server got the request through the tunnel and dropped the connection: it may have made the phones."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("voice.example").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
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


def pages(*bodies: tuple[int, list[int]]) -> None:
    """Answer sipQuery with these totals and phones, page after page."""
    for total, phones in bodies:
        records = [{"groupName": "g", "phoneName": f"p-{at}", "account": str(at), "displayNum": "1"} for at in phones]
        responses.post(
            f"{URL}/sipQuery", json={"status": "0", "reason": "", "data": {"total": total, "records": records}}
        )


def test_a_listing_that_changes_is_read_again(live: Client) -> None:
    """A phone was added between two pages: the second reading is whole."""
    pages((101, list(range(100))), (102, [100, 101]), (102, list(range(100))), (102, [100, 101]))
    assert len(live.list_phones(APP)) == 102


@pytest.mark.parametrize(
    "bodies",
    [
        [(250, list(range(100))), (250, [])],
        [(200, list(range(100))), (200, list(range(100)))],
        [(5, [1, 2, 3])],
        [(2, [1, 2, 3])],
        [(0, [1])],
        [(101, list(range(100))), (300, [100])],
    ],
)
def test_a_listing_that_never_adds_up_is_not_believed(live: Client, bodies: list[tuple[int, list[int]]]) -> None:
    """Short, repeated or shifting pages: what it lacks would look absent and be sent."""
    pages(*bodies * 3)
    with pytest.raises(ServiceError, match="changes while it is read"):
        live.list_phones(APP)


@pytest.mark.parametrize("total", [-1, True, 1.5, None])
def test_a_total_that_is_no_number_of_phones(live: Client, total: object) -> None:
    """Not the API's shape."""
    responses.post(f"{URL}/sipQuery", json={"status": "0", "reason": "", "data": {"total": total, "records": []}})
    with pytest.raises(ServiceError, match="not the API's shape"):
        live.list_phones(APP)


@pytest.mark.parametrize("how", [{"workers": 0}, {"timeout": (0, 5)}, {"timeout": (5, -1)}])
def test_impossible_clients_are_refused(how: dict[str, Any]) -> None:
    """Timeouts always, and somebody to work."""
    with pytest.raises(InputError, match="at least 1 worker"):
        Client(Account("key", "secret"), **how)


def test_repr_shows_no_secret() -> None:
    """The account's own mask."""
    assert (
        repr(Client(Account("key", "canary")))
        == f"Client(Account(api_key='key', api_secret=********, base_url='{URL}'))"
    )


def test_errors_do_not_carry_the_signed_headers(sandbox: Sandbox, client: Client) -> None:
    """requests' exceptions hold the request: none is chained to ours."""
    sandbox.stop()
    with pytest.raises(ServiceError) as refused:
        client.list_phones(APP)
    chain: BaseException | None = refused.value
    while chain is not None:
        assert not isinstance(chain, requests.RequestException)
        chain = chain.__cause__ or chain.__context__
