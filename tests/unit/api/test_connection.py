"""The wire: one deadline for a whole answer, and no answer that is taken for another request's."""

from __future__ import annotations

import socket
import time
from itertools import cycle, repeat

import pytest

from itnio_nb import Client, Ledger, ServiceError, State, make_plan, submit_plan
from tests.support.factories import APP, group, orders_frame
from tests.support.wire import Send, WireServer, after, and_close, close_only, dripping, send_whole, twice, without_end

SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"


def in_two(connection: socket.socket, answer: bytes) -> None:
    """The answer, and a moment later more of it."""
    connection.sendall(answer)
    connection.sendall(b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n")


WHOLE: dict[str, Send] = {  # answers that are whole, whatever comes before or behind them
    "100": after("100 Continue"),
    "102": after("102 Processing"),
    "103": after("103 Early Hints"),
    "several": after("100 Continue", "102 Processing", "102 Processing", "103 Early Hints"),
    "104, which nobody knows": after("104 Upload Resumption Supported"),
    "doubled": twice,
    "another behind it": in_two,
    "closed after it": and_close,
    "slow, but in time": dripping(slice(0, 60), 0.001),
}
NO_ANSWER: dict[str, tuple[Send, str]] = {
    "dripped status line": (dripping(slice(0, 40), 0.05), "no answer in time"),
    "dripped headers": (without_end(b"X: y\r\n", 0.05), "the connection was lost"),
    "one header without end": (dripping(slice(20, 80), 0.05), "no answer in time"),
    "dripped body": (dripping(slice(90, 130), 0.05), "no answer in time"),
    "endless 100": (without_end(b"HTTP/1.1 100 Continue\r\n\r\n", 0.01), "the connection was lost"),
    "endless 102 without a pause": (without_end(b"HTTP/1.1 102 Processing\r\n\r\n"), "the connection was lost"),
    "interim headers without end": (without_end(b"HTTP/1.1 103 Early Hints\r\nX: y\r\n", 0.05), ""),
    "101": (lambda connection, _: connection.sendall(SWITCHING), "HTTP 101 instead of an answer of the API"),
    "101 before the answer": (
        lambda connection, answer: connection.sendall(SWITCHING + answer),
        "HTTP 101 instead of an answer of the API",
    ),
    "closed in place of it": (close_only, "the connection was lost before the whole answer was here"),
    "nothing": (lambda *_: time.sleep(2), "no answer in time"),
}
TIMEOUT = 1.0  # seconds for a whole answer: a machine that does much else answers within them


@pytest.mark.parametrize("way", WHOLE.values(), ids=WHOLE)
def test_no_answer_is_taken_for_anothers(way: Send) -> None:
    """Each second group is refused: were answers shifted, one that exists would be `refused`."""
    with WireServer(cycle([way, send_whole, way])) as server, Client(server.account, workers=1) as client:
        names = [f"group-{at}{'-wrong' if at % 2 else ''}" for at in range(12)]
        states = {name: client.create_phones(group(name, name)).state for name in names}
    told = {name for name, state in states.items() if state is State.CREATED}
    unknown = {name for name, state in states.items() if state is State.UNKNOWN}
    assert told - unknown == {name for name in names if not name.endswith("-wrong")} - unknown
    # What is behind an answer, or a close that was not announced, may come when the next request has left already.
    assert len(unknown) <= (6 if way in (in_two, and_close) else 0)


@pytest.mark.parametrize(("way", "reason"), NO_ANSWER.values(), ids=NO_ANSWER)
def test_every_answer_has_one_deadline(way: Send, reason: str) -> None:
    """Headers included: what is not whole by then is unknown, and its connection is not used again."""
    with WireServer(iter([send_whole, way])) as server, Client(server.account, timeout=(1, TIMEOUT)) as client:
        assert client.create_phones(group("before", "before")).state is State.CREATED
        begun = time.monotonic()
        receipt = client.create_phones(group())
        assert time.monotonic() - begun < TIMEOUT + 0.8
        assert receipt.state is State.UNKNOWN
        assert receipt.reason.startswith(reason) or not reason
        assert client.create_phones(group("behind-wrong", "behind")).status == "-22"
        assert server.connections == 2


@pytest.mark.parametrize("way", [way for way, _ in NO_ANSWER.values()], ids=NO_ANSWER)
def test_a_listing_has_the_same_deadline(way: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    """For each of its requests; then it is an error, never a part of a listing."""
    monkeypatch.setattr("itnio_nb.api.listing.pages._PAGE_TRIES", 2)
    with WireServer(repeat(way), listings=True) as server, Client(server.account, timeout=(1, TIMEOUT)) as client:
        begun = time.monotonic()
        with pytest.raises(ServiceError, match="could not be listed"):
            client.list_phones(APP)
        assert time.monotonic() - begun < 2 * TIMEOUT + 1


def test_a_connection_that_was_closed_meanwhile_is_opened_anew(ledger: Ledger) -> None:
    """The server closes idle connections: nothing of the next request has left, so it is no failure of its group."""
    with WireServer(repeat(and_close)) as server, Client(server.account, workers=1) as client:
        for at in range(6):
            time.sleep(0.05)  # the close is here before the next request is written
            assert client.create_phones(group(f"group-{at}", f"phone-{at}")).state is State.CREATED
        assert server.connections == 6


@pytest.mark.parametrize("ways", [[*WHOLE.values()], [way for way, _ in NO_ANSWER.values()]], ids=["whole", "broken"])
def test_books_and_ledger_are_equal(ways: list[Send], ledger: Ledger) -> None:
    """A run over all of it: what the ledger tells of each group is so, and it says how it ended."""
    orders = orders_frame(*((f"group-{at}{'-wrong' if at % 4 == 3 else ''}", f"phone-{at}") for at in range(60)))
    with (
        WireServer(iter([way for one in ways for way in (one, send_whole)] * 2)) as server,
        Client(server.account, timeout=(1, TIMEOUT)) as client,
    ):
        run = submit_plan(make_plan(orders, client, ledger), client, ledger, workers=4, confirm=180).wait(60)
        table = run.table
    created = table.loc[table["state"] == State.CREATED, "groupName"]
    assert set(created) == set(server.groups)
    assert table["state"].value_counts().to_dict() == {"created": 45, "refused": 15}
    assert "Verified: 135 of 135 phones." in run.summary
