"""sipReset of the stand-in: statuses, whose passwords change, and the faults that it can meet."""

from __future__ import annotations

import http.client
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from itnio_nb import Account, Client, Sandbox
from itnio_nb.sandbox.faults import ADD_ONLY, KINDS, Faults
from tests.support.factories import APP
from tests.support.wire import SAMPLE, ask

GROUPS_ONLY = {"half", "late"}


def reset(sandbox: Sandbox, account: object = "test_001", **how: Any) -> dict[str, Any]:
    """Ask for a new password; `app_id` and what `ask` takes can be given."""
    return ask(sandbox, {"account": account, "appId": how.pop("app_id", APP)}, endpoint="sipReset", **how)


def passwords(sandbox: Sandbox, app_id: str = APP, account: Account | None = None) -> dict[str, str]:
    """The password of each phone by its account, as sipQuery shows them."""
    body = {"current": 1, "size": 100, "params": {"appId": app_id}}
    records = ask(sandbox, body, endpoint="sipQuery", account=account)["data"]["records"]
    return {record["account"]: record["password"] for record in records}


@pytest.fixture
def phones(sandbox: Sandbox) -> dict[str, str]:
    """The passwords of three phones: test_001, test_002, test_003."""
    assert ask(sandbox, SAMPLE | {"quantity": 3})["status"] == "0"
    return passwords(sandbox)


def test_the_new_password_is_what_a_listing_shows(sandbox: Sandbox, phones: dict[str, str]) -> None:
    """As sipAdd makes them: eight letters and digits. The other phones keep theirs, and all else of the phone stays."""
    before = sandbox.phones
    answer = reset(sandbox, "test_002")
    assert (answer["status"], answer["reason"]) == ("0", "success")
    assert list(answer["data"]) == ["account", "password"]
    new = answer["data"]["password"]
    assert re.fullmatch("[A-Za-z0-9]{8}", new)
    assert new != phones["test_002"]
    assert passwords(sandbox) == phones | {"test_002": new}
    assert sandbox.phones.drop(columns="password").equals(before.drop(columns="password"))
    again = reset(sandbox, "test_002")["data"]["password"]
    assert again != new
    assert passwords(sandbox) == phones | {"test_002": again}


def test_a_phone_that_is_not_there_is_24(sandbox: Sandbox, phones: dict[str, str]) -> None:
    """One that never was, was deleted, or is another account's or application's; nobody's password changes."""
    second = sandbox.add_account()
    assert ask(sandbox, SAMPLE | {"appId": "another"})["status"] == "0"
    refusal = {"status": "-24", "reason": "Data not existing", "data": None}
    assert reset(sandbox, "test_999") == refusal
    assert reset(sandbox, "TEST_001") == refusal
    assert reset(sandbox, app_id="another") == refusal
    assert reset(sandbox, app_id="empty") == refusal
    answer = ask(sandbox, {"account": "test_001", "appId": APP}, endpoint="sipReset", account=second)
    assert answer == refusal
    assert passwords(sandbox).keys() == phones.keys()
    sandbox.delete_group(APP, "sipGroup")
    assert reset(sandbox) == refusal
    assert sandbox.served == {("sipAdd", "0"): 2, ("sipQuery", "0"): 2, ("sipReset", "-24"): 6}


BROKEN: dict[str, list[object]] = {
    "account": ["", "abc", "a" * 33, None, 1001, ["test_001"], True],
    "appId": ["", None, 5, ["4luaKsL2"]],
}


@pytest.mark.parametrize(("field", "value"), [(field, value) for field in BROKEN for value in BROKEN[field]], ids=repr)
def test_a_broken_rule_is_22(sandbox: Sandbox, phones: dict[str, str], field: str, value: object) -> None:
    """An account has 4–32 characters; both fields are required, as texts. Nothing changes."""
    body = {"account": "test_001", "appId": APP}
    assert ask(sandbox, body | {field: value}, endpoint="sipReset")["status"] == "-22"
    del body[field]
    assert ask(sandbox, body, endpoint="sipReset")["status"] == "-22"
    assert passwords(sandbox) == phones


def test_a_body_that_is_no_object_is_22(sandbox: Sandbox) -> None:
    """And an application that is not listed."""
    for body in (b"", b"{", b"[]", b'"test_001"', b"\xff\xfe", b"null"):
        assert ask(sandbox, body, endpoint="sipReset")["status"] == "-22"
    sandbox.app_ids = ["4luaKsL2"]
    assert reset(sandbox, app_id="another")["status"] == "-22"


def test_what_holds_for_every_request_holds_for_this_one(sandbox: Sandbox, phones: dict[str, str]) -> None:
    """-1, -2, -16 and -18, and no password changes."""
    assert reset(sandbox, secret="wrong")["status"] == "-1"
    assert reset(sandbox, headers={"Api-Key": "nobody"})["status"] == "-1"
    assert reset(sandbox, offset=1810)["status"] == "-16"
    sandbox.allowed_addresses = ["192.0.2.1"]
    assert reset(sandbox)["status"] == "-2"
    sandbox.allowed_addresses = None
    sandbox.broken = True
    assert reset(sandbox)["status"] == "-18"
    sandbox.broken = False
    assert passwords(sandbox) == phones
    assert reset(sandbox)["status"] == "0"


def test_a_group_that_listings_hide_can_be_reset(sandbox: Sandbox, phones: dict[str, str]) -> None:
    """The index of a server is behind, its phones are not."""
    sandbox.hide_group(APP, "sipGroup", listings=1)
    new = reset(sandbox)["data"]["password"]
    assert passwords(sandbox) == {}
    assert passwords(sandbox) == phones | {"test_001": new}


def test_sixteen_at_once(sandbox: Sandbox, phones: dict[str, str]) -> None:
    """Each answer is a password of its own; the phone has one of them, and no phone that of another."""
    accounts = [*phones] * 5 + ["test_001"]
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda account: reset(sandbox, account)["data"], accounts))
    assert [answer["account"] for answer in answers] == accounts
    assert len({answer["password"] for answer in answers}) == 16
    for account, password in passwords(sandbox).items():
        assert password in [answer["password"] for answer in answers if answer["account"] == account]


def test_new_passwords_survive(tmp_path: Path) -> None:
    """In a file that another sandbox opens later: the last one of each phone."""
    with Sandbox(file=tmp_path / "box.sqlite") as first:
        ask(first, SAMPLE | {"quantity": 3})
        for account in ("test_001", "test_003", "test_001"):
            reset(first, account)
    with Sandbox(file=tmp_path / "box.sqlite") as second:
        assert second.phones.equals(first.phones)
        new = reset(second)["data"]["password"]
        assert passwords(second)["test_001"] == new


def test_counts_log_and_page_tell_of_it_without_the_password(sandbox: Sandbox, phones: dict[str, str]) -> None:
    """The log has the account in the place of a group."""
    new = reset(sandbox)["data"]["password"]
    reset(sandbox, "test_999")
    assert {key: times for key, times in sandbox.served.items() if key[0] == "sipReset"} == {
        ("sipReset", "0"): 1,
        ("sipReset", "-24"): 1,
    }
    logged = [one[:5] for one in sandbox.log if one.endpoint == "sipReset"]
    assert logged == [("sipReset", "test_001", APP, "", "0"), ("sipReset", "test_999", APP, "", "-24")]
    connection = http.client.HTTPConnection(sandbox.base_url.split("/")[2], timeout=5)
    connection.request("GET", "/")
    page = connection.getresponse().read().decode()
    connection.close()
    assert "sipReset -24: 1, sipReset 0: 1" in page
    for password in (new, *phones.values()):
        assert password not in repr(sandbox.log) + repr(sandbox.served) + page


def outcome(sandbox: Sandbox) -> tuple[str, bool]:
    """What a client sees of a reset, and whether the password has changed."""
    before = sandbox.phones["password"][0]
    try:
        seen = str(reset(sandbox)["status"])
    except (http.client.HTTPException, OSError, ValueError, AssertionError) as error:
        seen = type(error).__name__
    return seen, bool(sandbox.phones["password"][0] != before)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in GROUPS_ONLY and kind != "clock"])
def test_each_fault_changes_the_password_or_not_as_its_words_say(kind: str) -> None:
    """`-before` and HTTP errors that ask to come again change nothing; all else does, and no answer is a clean one."""
    with Sandbox(stall=0.05) as sandbox:
        ask(sandbox, SAMPLE | {"quantity": 2})
        sandbox.faults = f"reset:{kind}"
        seen, changed = outcome(sandbox)
        assert changed == ("the phones are created" in KINDS[kind])
        assert (seen == "0") == (kind == "slow")
        assert outcome(sandbox) == ("0", True)
        assert [one.fault for one in sandbox.log if one.endpoint == "sipReset"] == [kind, ""]


def test_the_clock_jumps_at_a_reset_too(sandbox: Sandbox, phones: dict[str, str]) -> None:
    """And back with the next one."""
    sandbox.faults = "reset:clock*2"
    assert [outcome(sandbox) for _ in range(3)] == [("-16", False), ("0", True), ("0", True)]


def test_a_script_is_for_one_endpoint(sandbox: Sandbox, phones: dict[str, str]) -> None:
    """Listings and sipAdd pass; any other status is a fault of a reset too."""
    sandbox.faults = "reset:-18-before*3, reset:none, reset:-10-after, query:-18-before"
    assert ask(sandbox, SAMPLE | {"groupName": "more", "phoneName": "line", "quantity": 1})["status"] == "0"
    assert [outcome(sandbox) for _ in range(6)] == [*[("-18", False)] * 3, ("0", True), ("-10", True), ("0", True)]
    query = {"params": {"appId": APP}}
    assert [ask(sandbox, query, endpoint="sipQuery")["status"] for _ in range(2)] == ["-18", "0"]
    assert Counter(one.fault for one in sandbox.log if one.endpoint == "sipAdd") == {"": 2}


def test_chances_cover_resets() -> None:
    """`all=` spreads over every kind that a reset can meet; a chance of its own is seeded by the phone."""
    faults = Faults.parse("all=1")
    assert {faults.draw("sipReset", str(at)) for at in range(2000)} == set(KINDS) - GROUPS_ONLY
    assert GROUPS_ONLY < ADD_ONLY
    met = Counter(bool(Faults.parse("all=0.33", at).draw("sipReset", "test_001")) for at in range(3000))
    assert 900 < met[True] < 1080
    one, again = (Faults.parse("reset:drop-after=0.5", 7) for _ in range(2))
    names = [f"test_{at:03}" for at in range(200)]
    drawn = {name: one.draw("sipReset", name) for name in names}
    assert drawn == {name: again.draw("sipReset", name) for name in reversed(names)}
    assert set(drawn.values()) == {"", "drop-after"}
    assert {one.draw(endpoint, name) for endpoint in ("sipAdd", "sipQuery") for name in names} == {""}


@pytest.mark.parametrize(
    "text", ["reset:half", "reset:late", "reset:bogus", "reset:", "reset:query:html", "Reset:html"]
)
def test_what_a_reset_cannot_meet_is_said(text: str) -> None:
    """A phone has no halves, and a listing shows it. What there is is listed without these."""
    for given in (text, f"{text}*2", f"{text}=0.1"):
        with pytest.raises(ValueError, match=f"There is no fault '{re.escape(text)}'") as told:
            Faults.parse(given)
        if text.startswith("reset:"):
            assert not re.search(r"\b(half|late)\b", str(told.value).split("There are: ")[1])


def test_the_client_meets_the_stand_in(client: Client, sandbox: Sandbox, phones: dict[str, str]) -> None:
    """The package's own reading of the endpoint agrees with this one."""
    receipt = client.reset_password(APP, "test_003")
    assert (receipt.status, client.reset_password(APP, "test_999").status) == ("0", "-24")
    assert receipt.password is not None
    assert passwords(sandbox) == phones | {"test_003": receipt.password.reveal()}
