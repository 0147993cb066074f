"""The stand-in's answers, met with bytes on a socket, as other people's clients meet them."""

from __future__ import annotations

import hashlib
import http.client
import json
import socket
import threading
import time
from collections import Counter
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from itnio_nb import Client, Sandbox
from tests.support.factories import group
from tests.support.wire import SAMPLE, ask, browse


def php_request(sandbox: Sandbox, *, secret: str, offset: int = 0) -> bytes:
    """The bytes that the document's PHP sample puts on the wire (json_encode, curl), quantity as text."""
    account = sandbox.account
    stamp = int(time.time()) + offset
    signature = hashlib.md5(f"{account.api_key}{secret}{stamp}".encode()).hexdigest()
    body = '{"groupName":"sipGroup","phoneName":"sipPhone","quantity":"30","displayNum":"861000000","appId":"4luaKsL2"}'
    return (
        f"POST /voice/sipAdd HTTP/1.1\r\nHost: {account.base_url.split('/')[2]}\r\nAccept: */*\r\n"
        f"Content-Type:application/json;charset=UTF-8\r\nSign:{signature}\r\nTimestamp:{stamp}\r\n"
        f"Api-Key:{account.api_key}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


def on_the_wire(sandbox: Sandbox, request: bytes) -> dict[str, Any]:
    host, port = sandbox.base_url.split("/")[2].split(":")
    with socket.create_connection((host, int(port)), 5) as connection:
        connection.sendall(request)
        response = http.client.HTTPResponse(connection)
        response.begin()
        answer: dict[str, Any] = json.loads(response.read())
        return answer


def test_the_php_sample_is_served_unchanged(sandbox: Sandbox) -> None:
    """0 and 30 phones, then -20; a wrong secret -1; a clock 31 minutes off -16."""
    secret = sandbox.account.api_secret.reveal()
    created = {"status": "0", "reason": "success", "data": None}
    assert on_the_wire(sandbox, php_request(sandbox, secret=secret)) == created
    with Client(sandbox.account) as client:
        phones = client.list_phones("4luaKsL2")
    assert phones["phoneName"].tolist() == [f"sipPhone-{at}" for at in range(1, 31)]
    assert set(phones["groupName"]) == {"sipGroup"}
    assert on_the_wire(sandbox, php_request(sandbox, secret=secret))["status"] == "-20"
    assert on_the_wire(sandbox, php_request(sandbox, secret="wrong"))["status"] == "-1"
    for offset in (31 * 60, -31 * 60):
        assert on_the_wire(sandbox, php_request(sandbox, secret=secret, offset=offset))["status"] == "-16"
    assert len(sandbox.phones) == 30


def test_the_published_body_needs_lenient_names() -> None:
    """Its own phoneName, `sip`, breaks the rule that stands beside it: -22, or 0 with the switch."""
    body = {**SAMPLE, "phoneName": "sip"}
    with Sandbox() as strict, Sandbox(lenient_names=True) as lenient:
        assert ask(strict, body)["status"] == "-22"
        assert ask(lenient, body)["status"] == "0"
        assert lenient.phones["phoneName"].tolist()[:2] == ["sip-1", "sip-2"]


def test_signature_in_capitals_and_lower_case_headers(sandbox: Sandbox) -> None:
    """The server ignores the signature's case, and HTTP that of header names."""
    before, sign, after = php_request(sandbox, secret=sandbox.account.api_secret.reveal()).partition(b"Sign:")
    signature, _, rest = after.partition(b"\r\n")
    rest = rest.replace(b"Timestamp:", b"timestamp:").replace(b"Api-Key:", b"api-key:")
    assert on_the_wire(sandbox, before + sign.lower() + signature.upper() + b"\r\n" + rest)["status"] == "0"


BROKEN: dict[str, list[object]] = {
    "groupName": ["abc", "a" * 33, None, 12345],
    "phoneName": [""],
    "quantity": [0, 51, "51", 1.5, True, "x", None],
    "displayNum": ["123456", "1" * 14, "+861000000", "٨٦١٠٠٠٠٠٠", None],
    "appId": ["", None],
}
EDGES: dict[str, list[object]] = {
    "groupName": ["abcd", "北京客服", "😀" * 32, "line\nbreak", "\u2028\x9f\0\x1b"],
    "quantity": [1, 50, "30"],
    "displayNum": ["0123456", "1" * 13],
    "unknown": ["field"],
}


@pytest.mark.parametrize("change", [{field: value} for field, values in BROKEN.items() for value in values], ids=repr)
def test_a_broken_rule_is_22(sandbox: Sandbox, change: dict[str, object]) -> None:
    """Every limit of the document, from both sides, and nothing is created."""
    assert ask(sandbox, SAMPLE | change)["status"] == "-22"
    assert sandbox.phones.empty


@pytest.mark.parametrize("change", [{field: value} for field, values in EDGES.items() for value in values], ids=repr)
def test_the_edges_of_the_rules_are_accepted(sandbox: Sandbox, change: dict[str, object]) -> None:
    """What the document allows is created."""
    assert ask(sandbox, SAMPLE | change)["status"] == "0"
    assert len(sandbox.phones) == int(str(change.get("quantity", 30)))


def test_a_body_that_is_no_object_is_22(sandbox: Sandbox) -> None:
    """It answers, and goes on answering."""
    for body in (b"", b"{", b"[]", b'"text"', b"\xff\xfe", b"null", b"[" * 100_000):
        assert ask(sandbox, body)["status"] == "-22"
    assert ask(sandbox, SAMPLE)["status"] == "0"


def test_names_are_unique_in_an_application(sandbox: Sandbox) -> None:
    """Group name and phone name each, by application."""
    assert ask(sandbox, SAMPLE)["status"] == "0"
    assert ask(sandbox, SAMPLE | {"phoneName": "other"})["status"] == "-20"
    assert ask(sandbox, SAMPLE | {"groupName": "other"})["status"] == "-20"
    assert ask(sandbox, SAMPLE | {"appId": "another"})["status"] == "0"
    assert Counter(sandbox.phones["appId"]) == {"4luaKsL2": 30, "another": 30}


def test_two_at_once_create_once(sandbox: Sandbox) -> None:
    """The same request from 16 threads: one 0, fifteen -20."""
    statuses: list[str] = []
    threads = [threading.Thread(target=lambda: statuses.append(ask(sandbox, SAMPLE)["status"])) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(statuses) == {"0": 1, "-20": 15}
    assert len(sandbox.phones) == 30
    assert sandbox.phones["account"].is_unique


def test_a_wrong_secret_is_told_before_anything_else(sandbox: Sandbox) -> None:
    """Who is not known learns nothing of the allow-list."""
    sandbox.allowed_addresses = []
    assert ask(sandbox, SAMPLE, secret="wrong")["status"] == "-1"
    assert ask(sandbox, SAMPLE, headers={"Api-Key": "nobody"})["status"] == "-1"
    assert ask(sandbox, SAMPLE, headers={"Sign": ""})["status"] == "-1"


@pytest.mark.parametrize(("offset", "status"), [(1790, "0"), (-1790, "0"), (1810, "-16"), (-1810, "-16")])
def test_the_window_is_half_an_hour(sandbox: Sandbox, offset: int, status: str) -> None:
    """1,800 seconds to either side of the server's clock, which can be moved and dates the answers."""
    assert ask(sandbox, SAMPLE, offset=offset)["status"] == status
    sandbox.clock_offset = offset
    assert ask(sandbox, SAMPLE | {"groupName": "second", "phoneName": "second"}, offset=offset)["status"] == "0"
    connection = http.client.HTTPConnection(sandbox.base_url.split("/")[2], timeout=5)
    connection.request("POST", "/voice/sipAdd", b"{}")
    date = parsedate_to_datetime(connection.getresponse().headers["Date"])
    connection.close()
    assert abs(date.timestamp() - time.time() - offset) < 5


def test_pages_of_phones(sandbox: Sandbox) -> None:
    """25 by default, sizes 1–100, the last page short, behind it nothing."""
    for at in range(3):
        ask(sandbox, SAMPLE | {"groupName": f"group{at}", "phoneName": f"phone{at}", "quantity": 50})
    params = {"params": {"appId": "4luaKsL2"}}
    first = ask(sandbox, params, endpoint="sipQuery")["data"]
    assert (first["total"], first["size"], first["current"], first["pages"]) == (150, 25, 1, 6)
    assert set(first["records"][0]) == {"groupName", "phoneName", "account", "password", "displayNum"}
    last = ask(sandbox, {"current": 2, "size": 100, **params}, endpoint="sipQuery")["data"]
    assert (len(last["records"]), last["pages"]) == (50, 2)
    assert ask(sandbox, {"current": "3", "size": "100", **params}, endpoint="sipQuery")["data"]["records"] == []
    assert ask(sandbox, {"params": {"appId": "empty"}}, endpoint="sipQuery")["data"]["total"] == 0


def test_a_query_that_breaks_a_rule_is_22(sandbox: Sandbox) -> None:
    """Neither page nor size may be passed empty."""
    refusal = {"status": "-22", "reason": "Parameter exception", "data": None}
    bodies: list[dict[str, Any]] = [{"params": {"appId": "a"}, "size": 101}, {"params": {}}, {"params": "a"}, {}]
    bodies += [{"params": {"appId": "a"}, field: value} for field in ("current", "size") for value in ("", None, 0)]
    for body in bodies:
        assert ask(sandbox, body, endpoint="sipQuery") == refusal, body


def test_the_page_shows_what_exists(sandbox: Sandbox) -> None:
    """Accounts, applications, groups, numbers of phones; no secret, no password; nothing loaded from anywhere."""
    status, kind, text = browse(sandbox)
    assert (status, kind) == (200, "text/html;charset=UTF-8")
    assert "No phones yet." in text
    ask(sandbox, SAMPLE)
    _, _, text = browse(sandbox)
    assert f"<h2>Account {sandbox.account.api_key}</h2>" in text
    assert "<h3>Application 4luaKsL2: 1 group, 30 phones</h3>" in text
    cells = ["sipGroup", "30", "sip-phone-1 … sip-phone-30", "861000000"]
    assert "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>" in text
    assert "Answers by endpoint and status: sipAdd 0: 1." in text
    hidden = [sandbox.account.api_secret.reveal(), *sandbox.phones["password"]]
    assert not [secret for secret in hidden if secret in text]
    assert "http" not in text.replace(sandbox.base_url, "")


def test_the_page_runs_nothing(sandbox: Sandbox) -> None:
    """Hostile names are text on it, and its policy forbids all but its own style."""
    hostile = "<script>alert(1)</script>"
    ask(sandbox, SAMPLE | {"groupName": hostile, "phoneName": "\"'><img src=x>", "appId": "<b>app"})
    connection = http.client.HTTPConnection(sandbox.base_url.split("/")[2], timeout=5)
    connection.request("GET", "/")
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    assert response.getheader("Content-Security-Policy") == "default-src 'none'; style-src 'unsafe-inline'"
    assert not [tag for tag in ("<script", "<img", "<b>") if tag in text]
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


def test_the_page_of_many_groups_is_short(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first of an application, and how many more."""
    monkeypatch.setattr("itnio_nb.sandbox.store._SHOWN", 3)
    for at in range(5):
        ask(sandbox, SAMPLE | {"groupName": f"group-{at}", "phoneName": f"phone-{at}", "quantity": 1})
    _, _, text = browse(sandbox)
    assert text.count("<td>group-") == 3
    assert "and 2 more groups" in text


def test_another_name_is_refused(sandbox: Sandbox) -> None:
    """A page of another site that points its own name here learns nothing, and creates nothing.

    Its own names are answered, whatever port somebody forwards to it.
    """
    for host in ("127.0.0.1", "localhost:8080", "LOCALHOST", "[::1]:80"):
        assert browse(sandbox, host=host)[0] == 200
    for host in ("evil.example", "127.0.0.1.evil.example:80", "localhost.evil", "192.0.2.1", "::1"):
        for path, method in (("/", "GET"), ("/voice/sipAdd", "POST")):
            status, kind, text = browse(sandbox, path, host, method)
            assert (status, kind) == (403, "application/json;charset=UTF-8")
            assert "answers to 127.0.0.1 and localhost" in text
    assert not sandbox.served


def test_the_page_has_one_address(sandbox: Sandbox) -> None:
    """Other paths and methods say what there is."""
    assert browse(sandbox, method="HEAD")[::2] == (200, "")
    assert browse(sandbox, "/voice/")[0] == 404
    assert browse(sandbox, method="POST")[0] == 404


def test_the_log_is_bounded(monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox, client: Client) -> None:
    """It has the last requests, in order, and the beginning of endless names; the counts have all."""
    monkeypatch.setattr("itnio_nb.sandbox.endpoints.LOGGED", 3)
    for number in range(10):
        client.create_phones(group(f"{number}" + "x" * 1000))
    assert [one.group for one in sandbox.log] == [f"{number}" + "x" * 199 for number in (6, 7, 8, 9)]
    assert sandbox.served.total() == 10
