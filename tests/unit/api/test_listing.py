"""The phones of an application: all pages, or an error; never a part that looks whole."""

from __future__ import annotations

import pytest
import responses

from itnio_nb import AccountError, Client, InputError, Sandbox, ServiceError
from tests.support.factories import APP, NOWHERE, group, provoke


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
        *(None, [], {}, {"total": 1}, {"total": 1, "records": {}}, {"total": 1, "records": [1]}),
        *({"total": total, "records": []} for total in ("x", -1, True, 1.5, None)),
    ],
    ids=repr,
)
def test_a_listing_of_another_shape_raises(live: Client, data: object) -> None:
    """An empty listing that is none would make every group look absent."""
    responses.post(f"{NOWHERE}/sipQuery", json={"status": "0", "reason": "success", "data": data})
    with pytest.raises(ServiceError, match="not the API's shape"):
        live.list_phones(APP)


def test_a_listing_without_a_server_raises(sandbox: Sandbox, client: Client) -> None:
    """It says why, and that one may try again."""
    sandbox.stop()
    with pytest.raises(ServiceError, match=r"at http://127.*connection refused\. Is the sandbox still running\?"):
        client.list_phones(APP)


def test_holes_in_records_are_empty_text(live: Client) -> None:
    """null, numbers and missing fields of a phone become text."""
    phone = {"groupName": "sales", "phoneName": None, "account": 7, "displayNum": "861000000"}
    answer = {"status": 0, "reason": None, "data": {"total": "1", "records": [phone]}}
    responses.post(f"{NOWHERE}/sipQuery", json=answer)
    assert live.list_phones(APP, reveal=True).iloc[0].tolist() == ["sales", "", "7", "", "861000000", APP]


def pages(*bodies: tuple[int, list[int]]) -> None:
    """Answer sipQuery with these totals and phones, page after page."""
    for total, phones in bodies:
        records = [{"groupName": "g", "phoneName": f"p-{at}", "account": str(at), "displayNum": "1"} for at in phones]
        answer = {"status": "0", "reason": "", "data": {"total": total, "records": records}}
        responses.post(f"{NOWHERE}/sipQuery", json=answer)


FIRST = list(range(100))


def test_a_listing_that_changes_is_read_again(live: Client) -> None:
    """A phone was added between two pages: the second reading is whole."""
    pages((101, FIRST), (102, [100, 101]), (102, FIRST), (102, [100, 101]))
    assert len(live.list_phones(APP)) == 102


NEVER = [[(250, FIRST), (250, [])], [(200, FIRST), (200, FIRST)], [(101, FIRST), (300, [100])]]


@pytest.mark.parametrize("bodies", [*NEVER, [(5, [1, 2, 3])], [(2, [1, 2, 3])], [(0, [1])]])
def test_a_listing_that_never_adds_up_is_not_believed(live: Client, bodies: list[tuple[int, list[int]]]) -> None:
    """Short, repeated or shifting pages: what it lacks would look absent and be sent."""
    pages(*bodies * 3)
    with pytest.raises(ServiceError, match="changes while it is read"):
        live.list_phones(APP)
