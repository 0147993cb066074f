"""Where the stand-in answers: the paths below which other brands and the vendor's SDK ask, and names of hosts."""

from __future__ import annotations

import re
import socket
from typing import Any
from urllib.parse import urlsplit

import pytest

from itnio_nb import Account, Client, Sandbox
from tests.support.factories import APP, group
from tests.support.wire import SAMPLE, ask, browse

BASES = ["/", "/voice/", "/v3/voice/", "//", "//voice/", "/voice//", "//v3//voice///"]
QUERY = {"params": {"appId": APP}}


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("end", ["", "?", "?trace=1", "?next=/voice//sipQuery"])
def test_the_three_endpoints_are_below_each_base(sandbox: Sandbox, base: str, end: str) -> None:
    """They are one API: what is created below one is there below all. Slashes too many come of joining."""
    assert ask(sandbox, SAMPLE, endpoint=f"sipAdd{end}", base=base)["status"] == "0"
    new = ask(sandbox, {"account": "test_001", "appId": APP}, endpoint=f"sipReset{end}", base=base)["data"]["password"]
    for other in ("/", "/voice/", "/v3/voice/", base):
        listed = ask(sandbox, QUERY, endpoint=f"sipQuery{end}", base=other)["data"]
        assert (listed["total"], listed["records"][0]["password"]) == (30, new)
        assert ask(sandbox, SAMPLE, base=other)["status"] == "-20"
    endpoints = [one.endpoint for one in sandbox.log]
    assert endpoints == ["sipAdd", "sipReset", *["sipQuery", "sipAdd"] * 4]


@pytest.mark.parametrize("path", ["", "/", "/voice", "/voice/", "/v3/voice"])
def test_the_client_works_on_each_base(sandbox: Sandbox, path: str) -> None:
    """With the base address as a setting, as an operator of another brand has it."""
    account = sandbox.account
    address = urlsplit(sandbox.base_url)._replace(path=path).geturl()
    with Client(Account(account.api_key, account.api_secret, address)) as client:
        assert client.create_phones(group()).status == "0"
        assert len(client.list_phones(APP)) == 3
        assert client.reset_password(APP, "test_001").status == "0"


WRONG = [
    *("/voice/", "/voice/sipDelete", "/voice/sipadd", "/voice/sipAdd/", "/voice/sipAdd/x", "/voice/sip%41dd", "/v3"),
    *(
        "/voicevoice/sipAdd",
        "/voice/voice/sipAdd",
        "/voicesipAdd",
        "/v3/sipAdd",
        "/v2/voice/sipAdd",
        "/V3/voice/sipAdd",
    ),
    *("/voice/v3/sipAdd", "/api/voice/sipAdd", "/../voice/sipAdd", "/voice/../sipAdd", "/sipAdd;x", "/?sipAdd", "/ü"),
]


@pytest.mark.parametrize("path", WRONG)
def test_another_path_is_404_in_words(sandbox: Sandbox, path: str) -> None:
    """With what there is, and what was asked for; it is no request of the API, and not counted as one."""
    status, kind, text = browse(sandbox, path.replace("ü", "%C3%BC"), method="POST")
    assert (status, kind) == (404, "application/json;charset=UTF-8")
    assert "The sandbox knows sipAdd, sipQuery, sipReset below /voice/, /v3/voice/, /, not /" in text
    assert not sandbox.served
    assert not sandbox.log


@pytest.mark.parametrize("base", BASES)
def test_another_method_is_405(sandbox: Sandbox, base: str) -> None:
    """An endpoint is asked by POST."""
    for method in ("GET", "HEAD", "PUT", "DELETE", "OPTIONS"):
        assert browse(sandbox, f"{base}sipReset", method=method)[0] == 405
    assert not sandbox.served


OTHERS = [
    "sub.box.test",
    "box.test.evil",
    "evilbox.test",
    "box",
    "test",
    "user@box.test",
    "box.test:80:80",
    "[box.test]",
]


@pytest.mark.parametrize("given", ["box.test", "Box.TEST", "box.test."])
def test_a_host_that_is_allowed_is_answered(sandbox: Sandbox, given: str) -> None:
    """In any case, with any port, with a final dot; its own names still are, and no others."""
    sandbox.allowed_hosts = ["other", given]
    for host in (
        "box.test",
        "BOX.test",
        "box.test:80",
        "box.test:",
        "box.test.",
        "box.test.:8080",
        "other:1",
        "localhost",
    ):
        assert browse(sandbox, host=host)[0] == 200, host
        assert ask(sandbox, QUERY, endpoint="sipQuery", headers={"Host": host})["status"] == "0"
    for host in OTHERS:
        status, _, text = browse(sandbox, "/voice/sipAdd", host, "POST")
        assert status == 403, host
        assert f"not to {host}: start it with --allow-host NAME" in text
    sandbox.allowed_hosts = ()
    assert browse(sandbox, host="box.test")[0] == 403


def test_a_host_can_be_an_address_or_one_text(sandbox: Sandbox) -> None:
    """IPv6 has its brackets, as in a Host header; a text is one name, not its letters."""
    sandbox.allowed_hosts = ["[FD00::1]", "192.0.2.1", "my_box-2"]
    for host in ("[fd00::1]", "[fd00::1]:8080", "192.0.2.1:80", "MY_BOX-2"):
        assert browse(sandbox, host=host)[0] == 200, host
    for host in ("[fd00::2]", "fd00::1", "192.0.2.10", "b"):
        assert browse(sandbox, host=host)[0] == 403, host
    sandbox.allowed_hosts = "box.test"
    assert browse(sandbox, host="box.test")[0] == 200
    assert browse(sandbox, host="b")[0] == 403


NONSENSE: list[Any] = [
    *(
        "",
        " ",
        "http://box.test",
        "box.test:80",
        "box.test/voice",
        "*",
        "*.box.test",
        "box test",
        " box.test",
        "box.test\n",
    ),
    *("-box", ".", "..", ".box", "box..test", "box.test..", "b\N{LATIN SMALL LETTER U WITH DIAERESIS}cher.test"),
    *("fd00::1", "[fd00::1", "[]", "[fd00::1]:80", "box,other", "user@box", "a" * 254, None, 5, True, b"box", ["box"]),
]


@pytest.mark.parametrize("host", NONSENSE, ids=repr)
def test_what_no_host_header_has_is_refused_at_once(host: object) -> None:
    """It would never be answered to, and its owner would look for the mistake elsewhere."""
    with pytest.raises(ValueError, match=f"^{re.escape(repr(host))} is no .*: give .* without http://"):
        Sandbox(allowed_hosts=["box.test", host])  # type: ignore[list-item]
    sandbox = Sandbox()
    with pytest.raises(ValueError, match="is no "):
        sandbox.allowed_hosts = [host]  # type: ignore[list-item]
    assert not sandbox.allowed_hosts


@pytest.mark.parametrize("hosts", [None, 5, b"box", object()], ids=["None", "5", "bytes", "object"])
def test_hosts_are_a_list_of_names(hosts: Any) -> None:
    """Refused in words too."""
    with pytest.raises(ValueError, match="is no "):
        Sandbox(allowed_hosts=hosts)


def test_it_listens_on_loopback_alone(sandbox: Sandbox) -> None:
    """Whatever hosts are allowed: something on this machine has to pass the requests on."""
    sandbox.allowed_hosts = ["127.0.0.2"]
    with pytest.raises(OSError, match=r"refused|assign|unreachable"):
        socket.create_connection(("127.0.0.2", sandbox.port), 2)
