"""The phones of an application: all pages, or an error; never a part that looks whole."""

from __future__ import annotations

import json
import random
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import product

import pytest
import responses
from requests import PreparedRequest

from itnio_nb import AccountError, Client, InputError, Sandbox, ServiceError
from itnio_nb.api.listing.inventory import Inventory
from itnio_nb.sandbox.faults import Faults
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
        *([], {}, {"total": 1}, {"total": 1, "records": {}}, {"total": 1, "records": [1]}),
        *({"total": total, "records": []} for total in ("x", -1, True, 1.5, None)),
        {"total": 1, "records": None},
    ],
    ids=repr,
)
def test_a_listing_of_another_shape_raises(live: Client, data: object) -> None:
    """An empty listing that is none would make every group look absent."""
    responses.post(f"{NOWHERE}/sipQuery", json={"status": "0", "reason": "success", "data": data})
    with pytest.raises(ServiceError, match="not the API's shape"):
        live.list_phones(APP)


@pytest.mark.parametrize("data", [None, *({"total": total, "records": None} for total in (0, "0", None))], ids=repr)
def test_an_empty_application_may_be_null(live: Client, data: object) -> None:
    """Some services leave out what is empty."""
    responses.post(f"{NOWHERE}/sipQuery", json={"status": "0", "reason": "success", "data": data})
    assert live.list_phones(APP).empty
    assert live.fetch_inventory(APP).groups == {}


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


Served = Callable[[int, int], tuple[int, list[int]]]  # from page and number of the request to total and phones


def serve(answer: Served, size: int = 100) -> Counter[int]:
    """Answer sipQuery with totals and phones that depend on the page; return how often each page was asked for."""
    asked: Counter[int] = Counter()

    def page(request: PreparedRequest) -> tuple[int, dict[str, str], str]:
        number = json.loads(request.body or b"{}")["current"]
        total, phones = answer(number, asked.total())
        asked[number] += 1
        records = [{"groupName": "g", "phoneName": f"p-{at}", "account": str(at), "displayNum": "1"} for at in phones]
        data = {"total": total, "size": size, "current": number, "records": records}
        return 200, {}, json.dumps({"status": "0", "reason": "", "data": data})

    responses.add_callback(responses.POST, f"{NOWHERE}/sipQuery", page)
    return asked


def page_of(phones: Sequence[int], number: int, size: int = 100) -> tuple[int, list[int]]:
    """A page of these phones."""
    return len(phones), list(phones[(number - 1) * size : number * size])


def test_a_listing_that_grows_is_read_on(live: Client) -> None:
    """Each request finds 30 more phones, for a while: all are there in the end, few pages are read again."""
    asked = serve(lambda number, before: page_of(range(450 + 30 * min(before, 20)), number))
    assert len(live.list_phones(APP)) == 450 + 30 * 20
    assert asked.total() < 80


def test_a_listing_that_never_stands_still_shows_what_was_there(live: Client) -> None:
    """Presence is believed, absence is not: the inventory says that it is not complete."""
    serve(lambda number, before: page_of(range(250 + 7 * before, 0, -1), number))
    assert len(live.list_phones(APP)) > 250
    inventory = live.fetch_inventory(APP)
    assert inventory.groups["g"].phones > 250
    assert not inventory.complete


def test_new_phones_in_front_push_others_to_the_next_page(live: Client) -> None:
    """The newest first: what moved from one page to another while they were read is not lost."""
    serve(lambda number, before: page_of(range(450 + 60 * min(before, 9), 0, -1), number))
    phones = live.list_phones(APP)
    assert sorted(map(int, phones["account"])) == list(range(1, 450 + 60 * 9 + 1))


def test_pages_in_no_order_are_read_until_all_are_seen(live: Client) -> None:
    """No order is promised: each page is drawn anew, so that phones come twice and others are missing."""
    chance = random.Random(7)

    def drawn(number: int, _: int) -> tuple[int, list[int]]:
        return 250, chance.sample(range(250), 100 if number < 3 else 50)

    serve(drawn)
    assert live.list_phones(APP)["account"].nunique() == 250


@pytest.mark.parametrize("says", [100, 50, 20])
def test_a_server_that_gives_smaller_pages_is_followed(live: Client, says: int) -> None:
    """Whatever it says of their size."""
    serve(lambda number, _: page_of(range(130), number, 20), says)
    assert len(live.list_phones(APP)) == 130


def test_a_listing_that_shrinks_is_read_again(live: Client) -> None:
    """Somebody deletes phones in the console: what has vanished is not in the listing."""
    asked = serve(lambda number, before: page_of(range(350) if before < 3 else range(100, 320), number))
    assert sorted(map(int, live.list_phones(APP)["account"])) == list(range(100, 320))
    asked.clear()
    assert live.fetch_inventory(APP).groups["g"].phones == 220


NEVER: dict[str, Served] = {
    "billions": lambda number, _: (10**12, list(range(100)) if number == 1 else []),
    "nothing on page 2": lambda number, _: (250, list(range(100)) if number == 1 else []),
    "the same page again": lambda *_: (200, list(range(100))),
    "fewer than it says": lambda *_: (5, [1, 2, 3]),
    "more than it says": lambda *_: (2, [1, 2, 3]),
    "phones of none": lambda *_: (0, [1]),
    "fewer each time": lambda _, before: (1000 - before, list(range(100))),
}


@pytest.mark.parametrize("answer", NEVER.values(), ids=NEVER)
def test_a_listing_that_never_adds_up_is_not_believed(live: Client, answer: Served) -> None:
    """Though nobody adds phones: what it lacks would look absent and be sent."""
    serve(answer)
    with pytest.raises(ServiceError, match=r"do not add up, [\d,]+ of [\d,]+ phones are shown|phones vanish while"):
        live.list_phones(APP)


class Together(Faults):
    """The `faults` of a sandbox that answers pages behind the first by fours: they wait for each other."""

    def __init__(self) -> None:
        super().__init__()
        self.four = threading.Barrier(4)

    def draw(self, endpoint: str, subject: str) -> str:
        if endpoint == "sipQuery" and subject != "1":
            self.four.wait(10)
        return ""


def test_pages_are_read_in_parallel(sandbox: Sandbox) -> None:
    """As many at once as there are workers, over their connections, for all applications together."""
    apps = ["one", "two", "six"]
    with Client(sandbox.account, workers=4) as client:
        for at, app_id in product(range(17), apps):
            client.create_phones(group(f"group-{at}", f"phone-{at}", 50, app_id))
        sandbox.faults = Together()
        assert len(client.list_phones("one")) == 850
        found = client.fetch_inventories(apps)
    assert {app_id: one.total for app_id, one in found.items() if isinstance(one, Inventory)} == dict.fromkeys(
        apps, 850
    )
    assert sandbox.served["sipQuery", "0"] == 4 * 9


def test_one_application_that_fails_keeps_no_other_from_being_listed(sandbox: Sandbox, client: Client) -> None:
    """Each has its phones, or its error."""
    client.create_phones(group())
    sandbox.app_ids = [APP, "empty"]
    found = client.fetch_inventories(["gone", APP, "empty", APP])
    assert list(found) == ["gone", APP, "empty"]
    assert isinstance(found["gone"], InputError)
    assert [one.total for one in found.values() if isinstance(one, Inventory)] == [3, 0]
    assert client.fetch_inventories([]) == {}


@pytest.mark.parametrize(
    ("status", "error", "requests"),
    [
        ("-10", AccountError, 1),
        ("-32", InputError, 1),
        ("-24", InputError, 1),
        ("-15", ServiceError, 6),
        ("-99", ServiceError, 2),
    ],
)
def test_a_listing_meets_statuses_beyond_the_document(
    sandbox: Sandbox,
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
    status: str,
    error: type[Exception],
    requests: int,
) -> None:
    """What would come again is not asked again; number and words are kept."""
    monkeypatch.setattr("itnio_nb.api.listing.pages._BUSY_PAUSE", 0.01)
    sandbox.faults = f"query:{status}-before*9"
    with pytest.raises(error, match=rf"status {status}, "):
        client.list_phones(APP)
    assert sandbox.served.total() == requests
