"""The client: a receipt for whatever comes back."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from email.utils import formatdate
from typing import Any

import pytest
import responses

from itnio_nb import Account, Client, InputError, Sandbox, State
from itnio_nb.api.statuses import STATUSES
from tests.support.factories import NOWHERE, group, provoke


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


ODD = [(200, "<html>"), (200, '{"status":"ok"}'), (302, ""), (404, '{"status":"0","reason":""}'), (502, "bad")]


@pytest.mark.parametrize(("http_status", "body"), ODD)
def test_odd_answers_leave_it_unknown(live: Client, http_status: int, body: str) -> None:
    """Neither success nor refusal; no redirect is followed."""
    responses.post(f"{NOWHERE}/sipAdd", body=body, status=http_status, headers={"Location": f"{NOWHERE}/elsewhere"})
    receipt = live.create_phones(group())
    assert (receipt.state, receipt.status) == (State.UNKNOWN, "")
    assert f"HTTP {http_status}" in receipt.reason
    assert len(responses.calls) == 1


def test_a_status_that_is_not_documented_is_unknown(live: Client) -> None:
    """With the server's words and the status itself."""
    responses.post(f"{NOWHERE}/sipAdd", json={"status": "-99", "reason": "query too frequently", "data": None})
    receipt = live.create_phones(group())
    assert (receipt.state, receipt.status, receipt.reason) == (State.UNKNOWN, "-99", "query too frequently")
    assert "not documented" in receipt.advice


def test_a_clock_is_corrected_by_the_answer_that_refused_it(live: Client) -> None:
    """Not by the time of another answer, which another thread may just have got; the skew is that of the last one."""
    hour_ahead = formatdate(time.time() + 3600, usegmt=True)
    query, expired = f"{NOWHERE}/sipQuery", {"status": "-16", "reason": "Timestamp expires"}
    empty = {"status": "0", "reason": "success", "data": {"records": [], "total": 0}}
    responses.post(query, json=empty, headers={"Date": hour_ahead})
    assert live.count_phones("4luaKsL2") == 0
    assert live.clock_skew == pytest.approx(3600, abs=30)
    responses.post(f"{NOWHERE}/sipAdd", json=expired)
    assert live.create_phones(group()).status == "-16"
    assert (live.clock_offset, len(responses.calls)) == (0, 2)


@pytest.mark.parametrize("how", [{"workers": 0}, {"timeout": (0, 5)}, {"timeout": (5, -1)}])
def test_impossible_clients_are_refused(how: dict[str, Any]) -> None:
    """Timeouts always, and somebody to work."""
    with pytest.raises(InputError, match="at least 1 worker"):
        Client(Account("key", "secret"), **how)


def test_repr_shows_no_secret() -> None:
    """The account's own mask."""
    address = "https://api.itniotech.com/voice"
    expected = f"Client(Account(api_key='key', api_secret=********, base_url='{address}'))"
    assert repr(Client(Account("key", "canary"))) == expected
