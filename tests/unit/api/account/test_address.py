"""Base addresses: one spelling each, and nothing that one program reads in another way than the next."""

from __future__ import annotations

import re

import pytest
import requests

from itnio_nb import Account, AccountError

VENDOR = "https://api.itniotech.com/voice"
SPELLINGS = {
    VENDOR: [
        f"{VENDOR}/", " HTTPS://API.ITNIOTECH.COM:443/voice ", f"{VENDOR}//", "https://api.itniotech.com:/voice",
        "https://api.itniotech.com.:443//voice/", "https://api.itniotech.com:0443/voice", f"\t{VENDOR}\n",
    ],
    "https://api.onbuka.com/v3/voice": ["https://api.onbuka.com//v3///voice/", "https://API.onbuka.com/v3/voice"],
    "http://127.0.0.1:8080/voice": ["http://127.0.0.1:08080/voice"],
    "http://127.0.0.1/voice": ["http://127.0.0.1:80/voice", "http://127.0.0.1.:80/voice"],
    "http://localhost:8080": ["http://LOCALHOST:8080/", "http://localhost.:8080"],
    "http://[::1]:8080/voice": ["http://[0:0:0:0:0:0:0:1]:8080/voice", "http://[::0001]:8080/voice"],
    "https://my_proxy.example/voice-2/v~1": ["https://My_Proxy.example/voice-2/v~1"],
    "https://xn--bcher-kva.example/voice": ["https://XN--Bcher-kva.example/voice"],
}  # fmt: skip

REFUSED = [
    "", " ", "api.itniotech.com/voice", "ftp://host/voice", "https://", "https:///voice", "https:/host/voice",
    "https:host", "//host/voice", "https://host:port/", "https://host:0/voice", "https://host:65536/voice",
    "https://host:-1/voice", f"https://host:{'9' * 5000}/voice", "https://host/?a=b", "https://host/voice?",
    "https://host/voice#", "https://host/voice#x", "https://user@host/voice", "https://user:pass@host/voice",
    "https://@host/voice", "https://api.itniotech.com@evil.example/voice", "https://host\\@evil.example/voice",
    "https://host\\evil.example/voice", "https:\\\\host\\voice", "https://ho st/voice", "https://host/vo ice",
    "https://host\n.evil.example/voice", "https://host\x00/voice", "https://host/\x1b]52;c;eA==\x07", "https://host\t/voice",
    "https://host\u202e/voice", "https://.host/voice", "https://host..example/voice", "https://host../voice",
    "https://*.itniotech.com/voice", "https://-host/voice", "https://host-/voice", f"https://{'a' * 64}.example/voice",
    f"https://{'a.' * 130}example/voice", "https://аpi.itniotech.com/voice", "https://api.itniotech。com/voice",
    "https://ａpi.itniotech.com/voice", "https://bücher.example/voice", "https://host%2eexample/voice",
    "https://host/%2e%2e/voice", "https://host/voice/%73ip", "https://host/../voice", "https://host/./voice",
    "https://host/voice/..", "https://127.1/voice", "http://2130706433/voice", "http://0x7f000001/voice",
    "http://0177.0.0.1/voice", "http://127.0.0.01/voice", "https://1.2.3.256/voice", "https://1.2.3.4.5/voice",
    "https://host.example.0x7f/voice", "https://[::1/voice", "https://[::1%25lo]/voice", "https://[fe80::1%eth0]/voice",
    "https://[127.0.0.1]/voice", "https://[]/voice", "https://host;x/voice", "https://host,evil.example/voice",
    "https://<b>x</b>/voice", "https://host/<script>", "https://host/voice;x", "javascript:alert(1)", "file:///etc/hosts",
]  # fmt: skip


@pytest.mark.parametrize("one", SPELLINGS)
def test_one_address_is_written_in_one_way(one: str) -> None:
    """The ledger knows a group by its base address: spelling must not make a second one."""
    for spelling in (one, *SPELLINGS[one]):
        assert Account("key", "secret", spelling).base_url == one, spelling


@pytest.mark.parametrize("one", SPELLINGS)
def test_requests_connects_to_what_is_shown(one: str) -> None:
    """The library changes nothing of an address in its one spelling."""
    assert requests.Request("POST", f"{one}/sipAdd").prepare().url == f"{one}/sipAdd"


@pytest.mark.parametrize("address", REFUSED)
def test_odd_addresses_are_refused_with_an_example(address: str) -> None:
    """In words on one line of a terminal, with what an address looks like; no password is repeated."""
    with pytest.raises(AccountError, match=re.escape(f"Write it like {VENDOR} (ITNIO_BASE_URL).")) as refused:
        Account("key", "secret", address)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 250
    assert "pass" not in str(refused.value).replace("password", "")


@pytest.mark.parametrize("address", [None, 5, b"https://host", ["https://host"]])
def test_what_is_no_text_is_refused(address: object) -> None:
    """Also where a program gives it."""
    with pytest.raises(AccountError, match="is not an http address"):
        Account("key", "secret", address)  # type: ignore[arg-type] # on purpose
