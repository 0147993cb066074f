"""What an application's phones say about a group."""

from __future__ import annotations

from conftest import APP, group

from itnio_nb import Client, State
from itnio_nb.model import PhoneGroup
from itnio_nb.settle import look, phone_order_name, phones_seen, settle_taken


def test_phone_names_lead_back_to_the_order() -> None:
    """The one rule that stands on a published sample."""
    assert [phone_order_name(name) for name in ("sip-1", "south-2-30", "plain", "a-b", "-1", "x-")] == [
        "sip",
        "south-2",
        "plain",
        "a-b",
        "",
        "x-",
    ]


def test_look_reads_an_application_by_group(client: Client) -> None:
    """Sizes, display numbers and the phone names as they were ordered."""
    client.create_phones(group("sales", "desk", 3))
    client.create_phones(group("support", "line", 50))
    listing = look(client, APP)
    assert {name: held.phones for name, held in listing.groups.items()} == {"sales": 3, "support": 50}
    assert listing.groups["sales"].display_nums == {"861000000"}
    assert listing.phone_names == {"desk": "sales", "line": "support"}
    assert look(client, "empty").groups == {}


def test_what_differs_is_said(client: Client) -> None:
    """Fewer phones, another display number, or nothing."""
    client.create_phones(group("sales", "desk", 3))
    held = look(client, APP).groups["sales"]
    assert held.differs(group("sales", "desk", 3)) == ""
    assert held.differs(group("sales", "desk", 5)) == "3 phones, 5 asked for"
    assert held.differs(PhoneGroup("sales", "desk", 3, "8620000", APP)) == "display number 861000000, 8620000 asked for"


def test_taken_is_settled_by_looking(client: Client) -> None:
    """The group is there → exists; its phone name is elsewhere → refused; neither → unknown."""
    client.create_phones(group("sales", "desk", 3))
    listing = look(client, APP)
    there, differing = (
        settle_taken(group("sales", "desk", 3), listing),
        settle_taken(group("sales", "new1", 5), listing),
    )
    assert (there.state, there.status, there.reason) == (State.EXISTS, "-20", "the group was there before, as asked")
    assert differing.state is State.EXISTS
    assert "3 phones, 5 asked for" in differing.reason
    elsewhere = settle_taken(group("other", "desk", 3), listing)
    assert (elsewhere.state, elsewhere.reason) == (State.REFUSED, "the phone name is taken by group sales")
    assert settle_taken(group("other", "new1", 3), listing).state is State.UNKNOWN


def test_phones_seen_are_never_more_than_asked_for(client: Client) -> None:
    """The read-back counts what was asked for and is there."""
    client.create_phones(group("sales", "desk", 3))
    listing = look(client, APP)
    assert [phones_seen(group("sales", "desk", size), listing) for size in (2, 3, 5)] == [2, 3, 3]
    assert phones_seen(group("none", "desk", 3), listing) == 0
