"""Somebody else's client, in Java, against the sandbox command: each way in which it may join its addresses."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

import pytest

from itnio_nb import Account, Client
from tests.support.factories import APP, DATA
from tests.support.processes import serving, start
from tests.support.required import lacking, program


class Answer(NamedTuple):
    """One line of the client."""

    base: str
    endpoint: str
    http: str
    body: dict[str, Any]


def ask_all(settings: dict[str, str], *words: str) -> list[Answer]:
    """Run the client; each pair of words is a way of joining and a base address."""
    java = program("java", "default-jre-headless")
    process = start([java, DATA / "VendorClient.java", *words], settings)
    try:
        out, err = process.communicate(timeout=120)
    finally:
        process.kill()
    if process.returncode and not re.search(r"Exception in thread|VendorClient\.java:\d", err):
        # Before Java 11, without its compiler (Debian's has it), or a stand-in that tells where to get Java.
        lacking(f"this Java runs no file ({err.strip()}): on Debian and Ubuntu, apt install default-jre-headless")
    assert process.returncode == 0, err
    lines = [line.split("\t") for line in out.splitlines()]
    return [Answer(base, endpoint, http, json.loads(body)) for base, endpoint, http, body in lines]


def test_it_is_served_whatever_base_it_joins() -> None:
    """The vendor's SDK and the document's sample: 0 for all three endpoints, the new password in the next listing.

    The same group again is -20, a quantity of 51 -22, an account that is not there -24, a wrong secret -1. The client
    offers HTTP/2 and is answered in HTTP/1.1.
    """
    with serving() as (_, settings):
        assert settings["ITNIO_BASE_URL"].endswith("/voice")
        address = settings["ITNIO_BASE_URL"].removesuffix("voice")
        bases = [address, f"{address}v3/", f"{address}voice", f"{address}v3/voice", address.removesuffix("/")]
        bases.append(f"{address}/voice/")
        styles = ["sdk", "sdk", "document", "document", "document", "odd"]
        answers = ask_all(settings, *(word for pair in zip(styles, bases, strict=True) for word in pair))
        with Client(Account.from_env()) as client:
            phones = client.list_phones(APP, reveal=True)
    assert list(dict.fromkeys(answer.base for answer in answers)) == bases
    assert {answer.http for answer in answers} == {"HTTP_1_1 200"}
    shown = dict(zip(phones["account"], phones["password"], strict=True))
    for at, base in enumerate(bases, 1):
        asked = [(one.endpoint, one.body["status"]) for one in answers if one.base == base]
        assert asked == [
            *[("sipAdd", "0"), ("sipQuery", "0"), ("sipReset", "0"), ("sipQuery", "0")],
            *[("sipAdd", "-20"), ("sipAdd", "-22"), ("sipReset", "-24"), ("sipReset", "-1")],
        ]
        added, before, reset, after, *_ = [one.body["data"] for one in answers if one.base == base]
        assert added is None
        assert (before["total"], before["records"][-1]["groupName"]) == (10 * at, f"\u5317\u4eacsipGroup{at - 1}")
        assert reset["password"] != before["records"][-1]["password"]
        assert after["records"] == [*before["records"][:-1], before["records"][-1] | reset]
        assert shown[reset["account"]] == reset["password"]


@pytest.mark.parametrize(
    ("option", "value", "statuses"),
    [
        ("--allow", "192.0.2.1", ["-2"] * 3),
        ("--clock-offset", "1900", ["-16"] * 3),
        ("--faults", "-18-before,query:-18-before,reset:-18-before", ["-18"] * 3),
        ("--cap", "9", ["-23", "0", "-22"]),  # nothing is listed, so the account is an empty text
        ("--app-id", "another", ["-22"] * 3),
    ],
)
def test_it_meets_the_other_statuses(option: str, value: str, statuses: list[str]) -> None:
    """Each as HTTP 200 with the status, words and an empty `data`, for sipAdd, sipQuery and sipReset."""
    with serving(option, value) as (_, settings):
        answers = ask_all(settings, "document", settings["ITNIO_BASE_URL"])[:3]
    assert [answer.endpoint for answer in answers] == ["sipAdd", "sipQuery", "sipReset"]
    assert [answer.body["status"] for answer in answers] == statuses
    assert {answer.http for answer in answers} == {"HTTP_1_1 200"}
    for answer in answers:
        assert answer.body["reason"]
        assert answer.body["data"] is None or answer.body["status"] == "0"
