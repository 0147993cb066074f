"""What a listing shows of a group: whose it is, however the server writes; what a taken name and other answers mean."""

from __future__ import annotations

import re

import pytest

from itnio_nb import Client, Sandbox, State
from itnio_nb.api.listing.inventory import Inventory, inventory_of
from itnio_nb.api.models import PhoneGroup, Receipt
from itnio_nb.runs.reconcile.rules import UnknownGroup, resolve_group
from tests.support.factories import APP, group


def resolved(
    listing: Inventory, asked: PhoneGroup, *, tried: bool = True, status: str = "", said: str = "its words"
) -> Receipt:
    return resolve_group(UnknownGroup(asked, tried, status, said), listing)


def test_a_lost_answer_is_resolved_by_a_listing(client: Client) -> None:
    """All there → created; some → partial, and what to order; more → exists; none → planned."""
    client.create_phones(group("sales", "desk", 17))
    listing = client.fetch_inventory(APP)
    ours = resolved(listing, group("sales", "desk", 17))
    assert (ours.state, ours.reason) == (State.CREATED, "found in the account, as asked")
    partial = resolved(listing, group("sales", "desk", 30))
    assert (partial.state, partial.reason) == (State.PARTIAL, "17 of 30 phones are there")
    assert partial.advice.endswith("it cannot be completed under this name by the API. Order 13 under a new one.")
    larger = resolved(listing, group("sales", "desk", 5))
    assert (larger.state, larger.reason) == (State.EXISTS, "the group was there before: 17 phones, 5 asked for")
    assert "choose another" not in larger.advice.split("If not")[0]
    absent = resolved(listing, group("other", "desk", 3))
    assert absent.state is State.PLANNED
    assert re.match(r"absent as of \d\d:\d\d UTC: two listings of application 4luaKsL2 do not have it", absent.reason)


WRITINGS = {  # how a server may name the phones of `sip2` and show the number 0861000000
    "as documented": ("sip2-{}", "0861000000"),
    "underscore": ("sip2_{}", "0861000000"),
    "padded": ("sip2-{:03}", "861000000"),
    "no separator": ("sip2{}", "861000000"),
    "dot, plus": ("sip2.{}", "+861000000"),
    "blank, international": ("sip2 {:02}", "00861000000"),
    "capitals, grouped": ("SIP2-{}", "861-000-000"),
    "hash": ("sip2#{}", "(0861) 000 000"),
    "not shown": ("", ""),
}


def listed(name: str, number: str, phones: int = 12, group_name: str = "sales") -> Inventory:
    """The inventory of one group whose phones are named and numbered so."""
    return inventory_of(
        [
            {"groupName": group_name, "phoneName": name.format(at), "account": f"a{at}", "displayNum": number}
            for at in range(1, phones + 1)
        ]
    )


@pytest.mark.parametrize(("name", "number"), WRITINGS.values(), ids=WRITINGS)
@pytest.mark.parametrize("phones", [1, 9, 12])
def test_whose_a_group_is_does_not_depend_on_how_it_is_written(name: str, number: str, phones: int) -> None:
    """A lost answer is found, and is no difference; the writing is a remark at most."""
    asked = PhoneGroup("sales", "sip2", phones, "0861000000", APP)
    listing = listed(name, number, phones)
    assert resolved(listing, asked).state is State.CREATED
    assert listing.differences(asked) == ""
    assert ("0861000000 asked for" in resolved(listing, asked).reason) == (number not in ("", "0861000000"))


@pytest.mark.parametrize(
    ("name", "number", "words"),
    [
        ("desk-{}", "0861000000", "phone name desk, sip2 asked for"),
        ("sip-{}", "0861000000", "phone name sip, sip2 asked for"),
        ("sip22-{}", "0861000000", "phone name sip22, sip2 asked for"),
        ("sip2-{}", "0862000000", "display number 0862000000, 0861000000 asked for"),
        ("sip2-{}", "10861000000", "display number 10861000000, 0861000000 asked for"),
    ],
)
def test_another_name_or_number_is_a_difference(name: str, number: str, words: str) -> None:
    """It is told; the group is ours all the same, because names are unique and ours was not answered."""
    asked, listing = PhoneGroup("sales", "sip2", 12, "0861000000", APP), listed(name, number)
    assert listing.differences(asked) == words
    ours = resolved(listing, asked)
    assert (ours.state, ours.reason) == (State.CREATED, f"found in the account, with the size asked for; {words}")
    other = resolved(listing, asked, tried=False, status="-20")
    assert (other.state, other.reason) == (State.EXISTS, f"the group was there before: {words}")


def test_how_a_server_writes_is_learnt_from_what_it_answered_with_0() -> None:
    """It adds a country code and puts its own prefix in front: that is its writing. One group that differs is drift."""
    phones: list[dict[str, object]] = [
        {"groupName": name, "phoneName": f"acme:{name}-{at}", "account": f"{name}{at}", "displayNum": "+86211000000"}
        for name in ("one", "two", "six")
        for at in (1, 2)
    ]
    asked = [PhoneGroup(name, name, 2, "0211000000", APP) for name in ("one", "two", "six")]
    listing = inventory_of(phones)
    assert "display number +86211000000" in listing.differences(asked[2])
    learnt = listing.learn_writing(asked[:2])
    assert [learnt.differences(one) for one in asked] == [""] * 3
    assert learnt.differences(PhoneGroup("six", "six", 3, "0211000000", APP)) == "2 phones, 3 asked for"
    phones[0]["displayNum"] = phones[1]["displayNum"] = "0211000000"
    mixed = inventory_of(phones).learn_writing(asked[:2])
    assert mixed.differences(asked[1]) == "display number +86211000000, 0211000000 asked for"


def test_a_server_that_changes_group_names_is_understood() -> None:
    """All in capitals: what it answered with 0 is there, and so is what it did not answer."""
    listing = listed("sip2-{}", "0861000000", group_name="SALES")
    asked = PhoneGroup("sales", "sip2", 12, "0861000000", APP)
    assert resolved(listing, asked).state is State.PLANNED  # another group, for all that is known
    assert resolved(listing.learn_writing([asked]), asked).state is State.CREATED


def test_a_taken_name_is_resolved_by_a_listing(client: Client) -> None:
    """The group is there → exists; its phone name is elsewhere → refused, and so where neither is shown."""
    client.create_phones(group("sales", "desk", 3))
    listing = client.fetch_inventory(APP)
    there = resolved(listing, group("sales", "desk", 3), status="-20", tried=False)
    differing = resolved(listing, group("sales", "new1", 5), status="-20", tried=False)
    assert (there.state, there.status, there.reason) == (State.EXISTS, "-20", "the group was there before, as asked")
    assert differing.state is State.EXISTS
    assert "3 phones, 5 asked for; phone name desk, new1 asked for" in differing.reason
    assert "Order the 2 phones that it lacks under another group name" in differing.advice
    elsewhere = resolved(listing, group("other", "desk", 3), status="-20")
    assert (elsewhere.state, elsewhere.reason) == (State.REFUSED, "the phone name is taken by group sales")
    neither = resolved(listing, group("other", "new1", 3), status="-20", tried=False)
    assert (neither.state, neither.status) == (State.REFUSED, "-20")
    assert "two listings show neither" in neither.reason
    ours = resolved(listing, group("sales", "desk", 3), status="-20")
    assert ours.state is State.CREATED  # an earlier try of this ledger was lost after creating it
    lost = resolved(listing, group("other", "new1", 3), status="-20")
    assert lost.state is State.REFUSED
    assert "look again" in lost.advice  # an earlier try may have taken the name, and be shown late


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (("SALES-desk", "new1"), "the group name is taken by Sales-Desk, which differs in case"),
        (("Sales-Desk ", "new1"), "the group name is taken by Sales-Desk, which differs in blanks"),
        (("sales-désk", "new1"), "the group name is taken by Sales-Desk, which differs in case, blanks or accents"),
        (("other", "LINE"), "the phone name is taken by group Sales-Desk: its Line differs in case"),
        (("other", "Line  "), "the phone name is taken by group Sales-Desk: its Line differs in blanks"),
        (("other", "Line"), "the phone name is taken by group Sales-Desk"),
    ],
)
def test_a_name_that_differs_in_case_or_blanks_is_named(
    sandbox: Sandbox, client: Client, asked: tuple[str, str], words: str
) -> None:
    """What a server takes for the same name, as MySQL does."""
    sandbox.ignores_case = True
    client.create_phones(group("Sales-Desk", "Line", 2))
    refused = resolved(client.fetch_inventory(APP), group(*asked, 2), status="-20", tried=False)
    assert (refused.state, refused.reason) == (State.REFUSED, words)


@pytest.mark.parametrize(
    ("status", "state"),
    [
        *((status, State.REFUSED) for status in ("-10", "-21", "-99", "7")),
        *((status, State.PLANNED) for status in ("-15", "-18", "")),
    ],
)
def test_an_answer_beyond_the_document_keeps_its_number_and_words(status: str, state: State) -> None:
    """Not there: refused, but for what may be sent again. There: created, and what the server said is still told."""
    absent = resolved(Inventory({}), group(), status=status)
    assert (absent.state, absent.status) == (state, status)
    assert ("It can be sent again" in absent.advice) == (status in ("", "-18"))
    found = resolved(listed("desk-{}", "861000000", 3), group(), status=status)
    assert (found.state, found.status) == (State.CREATED, status)
    for receipt in (absent, found):
        assert ("its words" in receipt.reason) == bool(status)


def test_a_listing_of_another_brand_is_read_all_the_same() -> None:
    """A field that it lacks is no difference. Escape sequences, half a surrogate pair, endless text: one plain line."""
    phone: dict[str, object] = {"groupName": "sales", "phoneName": "desk-1", "displayNum": "861000000"}
    for lack in ({"displayNum": None}, {"displayNum": ""}, {"phoneName": None}, {"phoneName": ""}):
        assert resolved(inventory_of([phone | lack]), group("sales", "desk", 1)).state is State.CREATED
    hostile = phone | {"displayNum": "\x1b[2J\ud800" + "9" * 999}
    reason = resolved(inventory_of([hostile]), group("sales", "desk", 1)).reason
    assert reason.isprintable()
    assert len(reason) < 500
