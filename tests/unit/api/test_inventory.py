"""The phones of an application by group."""

from __future__ import annotations

from itnio_nb import Client
from itnio_nb.api.listing.inventory import fold, how_names_differ, phone_order_name, phones_seen
from itnio_nb.api.models import PhoneGroup
from tests.support.factories import APP, group


def test_an_inventory_has_an_application_by_group(client: Client) -> None:
    """Sizes, display numbers and the phone names as they were ordered."""
    client.create_phones(group("sales", "desk", 3))
    client.create_phones(group("support", "line", 50))
    inventory = client.fetch_inventory(APP)
    assert {name: held.phones for name, held in inventory.groups.items()} == {"sales": 3, "support": 50}
    assert inventory.groups["sales"].display_nums == {"861000000"}
    assert [inventory.owner_of(name) for name in ("line", "Desk", "none")] == [
        ("line", "support"),
        ("desk", "sales"),
        ("", ""),
    ]
    assert [inventory.similar_group(name) for name in ("SALES", "sales", "none")] == ["sales", "", ""]
    assert client.fetch_inventory("empty").groups == {}


def test_the_name_that_was_ordered_is_found_in_that_of_a_phone() -> None:
    """Any separator, any padding; a name without one is kept."""
    names = (
        "sip-1",
        "sip_1",
        "sip-001",
        "sip 1",
        "sip - 1",
        "south-2-30",
        "plain",
        "plain1",
        "a-b",
        "-1",
        "x-",
        "süd-1",
    )
    ordered = ["sip", "sip", "sip", "sip", "sip", "south-2", "plain", "plain1", "a-b", "", "x-", "süd"]
    assert [phone_order_name(name) for name in names] == ordered


def test_what_differs_is_named(client: Client) -> None:
    """Fewer phones, another display number, or nothing; phones that were not asked for are not counted as seen."""
    client.create_phones(group("sales", "desk", 3))
    inventory = client.fetch_inventory(APP)
    other = PhoneGroup("sales", "desk", 3, "8620000", APP)
    differs = [inventory.differences(one) for one in (group(), group(quantity=5), other, group("none"))]
    assert differs == ["", "3 phones, 5 asked for", "display number 861000000, 8620000 asked for", ""]
    assert [phones_seen(group(quantity=size), inventory) for size in (2, 3, 5)] == [2, 3, 3]
    assert phones_seen(group("none"), inventory) == 0


def test_names_that_a_server_may_take_for_the_same() -> None:
    """Case, accents, blanks; and in what they differ."""
    same = ("Sales", "SALES", "sales ", " sales", "sáles", "ſales", "ｓales")
    assert {fold(name) for name in same} == {"sales"}
    assert fold("sales 1") != fold("sales1")
    assert how_names_differ("Sales", "sALES") == "case"
    assert how_names_differ("Sales", "Sales ") == "blanks"
    assert how_names_differ("Sales", "sáles ") == "case, blanks or accents"
