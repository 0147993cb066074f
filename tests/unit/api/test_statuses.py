"""What is an answer of the API, and what each status means."""

from __future__ import annotations

import json
import time
from email.utils import formatdate

import pytest

from itnio_nb import State
from itnio_nb.api.statuses import (
    STATUSES,
    UNDOCUMENTED,
    BusyError,
    NotSentError,
    UnknownOutcomeError,
    parse_response,
    status_info,
)

PAST = "Wed, 21 Oct 2015 07:28:00 GMT"
DOCUMENTED = ["0", "-1", "-2", "-16", "-18", "-20", "-22", "-23"]


def test_every_status_of_the_document_has_its_own_words() -> None:
    """Its own outcome, its own advice, which tells whether anything was created."""
    assert list(STATUSES) == DOCUMENTED
    infos = [*STATUSES.values(), UNDOCUMENTED, UnknownOutcomeError.info, NotSentError.info]
    assert len({info.advice for info in infos}) == len(infos)
    creation = {State.CREATED: "Created.", State.UNKNOWN: "not known whether the phones were created"}
    creation |= {State.EXISTS: "created nothing"}
    for info in infos:
        assert creation.get(info.state, "Nothing was created") in info.advice
        assert info.reason


def test_states_of_the_statuses() -> None:
    """What each status makes of the group that was asked for."""
    others = {status: info.state for status, info in STATUSES.items() if info.state is not State.REFUSED}
    assert others == {"0": State.CREATED, "-18": State.UNKNOWN, "-20": State.EXISTS}


def test_failure_scopes() -> None:
    """-1, -2 and -16 stop the run, -23 its application, all others nothing; nor does a lost connection by itself."""
    scopes = {status: status_info(status).failure_scope for status in (*STATUSES, "", "-99")}
    expected = {"-1": "run", "-2": "run", "-16": "run", "-23": "application"}
    assert {status: scope for status, scope in scopes.items() if scope} == expected


def test_status_may_be_text_or_number() -> None:
    """Both are the same answer; an operator always reads a reason, the document's where the server gives none."""
    for status in ("0", 0, "-20", -20, "-99", "200"):
        answer = parse_response(200, json.dumps({"status": status, "reason": "words", "data": None}).encode(), {})
        assert (answer.status, answer.reason, answer.data) == (str(status), "words", None)
    for reason in (None, "", "   ", 7):
        assert parse_response(200, json.dumps({"status": "-23", "reason": reason}).encode(), {}).reason == "Data caps"


NO_STATUS = ["null", "true", "false", "0.0", '""', '"ok"', '"00"', '"-0"', '"+0"', '"٠"', '["0"]', '"0 "', "9" * 5000]
NO_ANSWER = [
    *('{"status": %s, "reason": "success"}' % status for status in NO_STATUS),  # noqa: UP031 - braces
    *("", "<html><body>Log in to the hotel's network</body></html>", "{", "null", "0", '"0"', "[]", "{}"),
    *('{"status": "0"}', '{"status": 0}', '{"reason": "success", "data": null}'),
    *('{"status": "0", "reason": "success"', '\udcff{"status": "0", "reason": "success"}', "[" * 100_000),
]


@pytest.mark.parametrize("body", NO_ANSWER, ids=lambda body: ascii(body[:40]))
def test_what_has_not_the_apis_shape_is_no_answer(body: str) -> None:
    """Never a success, never a refusal."""
    with pytest.raises(UnknownOutcomeError):
        parse_response(200, body.encode(errors="surrogateescape"), {})


@pytest.mark.parametrize("http_status", [201, 204, 301, 400, 401, 403, 404, 500, 502, 503])
def test_http_200_alone_is_an_answer(http_status: int) -> None:
    """The document knows no other; a proxy's error page may well be JSON."""
    with pytest.raises(UnknownOutcomeError, match=f"HTTP {http_status}"):
        parse_response(http_status, b'{"status": "0", "reason": "success", "data": null}', {})


WAITS = [(429, "", 1), (429, "7", 7), (429, "x", 1), (429, "-5", 1), (429, "9" * 30, 1e6)]


@pytest.mark.parametrize(("http_status", "retry_after", "seconds"), [*WAITS, (503, "120", 120), (503, PAST, 0)])
def test_a_busy_server_says_how_long_to_wait(http_status: int, retry_after: str, seconds: float) -> None:
    """In seconds or by a date; one second where it does not say. Whatever the body is, nothing was done."""
    with pytest.raises(BusyError, match=f"HTTP {http_status}: the server is busy and asks to wait ") as busy:
        parse_response(http_status, b'{"status": "0", "reason": "success", "data": null}', {"Retry-After": retry_after})
    assert busy.value.wait == seconds


def test_a_date_to_wait_for_is_one_of_the_servers_clock() -> None:
    """Whatever this machine's clock says, which takes its place where the server gives no time."""
    dates = {"Retry-After": formatdate(1_000_000_007, usegmt=True), "Date": formatdate(1_000_000_000, usegmt=True)}
    with pytest.raises(BusyError) as busy:
        parse_response(429, b"", dates)
    assert busy.value.wait == 7
    with pytest.raises(BusyError) as busy:
        parse_response(503, b"", {"Retry-After": formatdate(time.time() + 90, usegmt=True)})
    assert 85 < busy.value.wait <= 90


def test_a_hostile_reason_is_one_short_plain_line() -> None:
    """Whatever the server writes into it."""
    body = json.dumps({"status": "-1", "reason": "a\n\x1b[31mred" + "x" * 10_000}).encode()
    assert parse_response(200, body, {}).reason == f"a [31mred{'x' * 291}"
