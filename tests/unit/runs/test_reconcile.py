"""Reconciling: what an application's listing shows of a group, and the report over all of them."""

from __future__ import annotations

import re
from itertools import count
from typing import Any

import pandas as pd
import pytest

from itnio_nb import Client, InputError, Ledger, Sandbox, State, make_plan, reconcile, resume, submit_plan
from itnio_nb.api.listing import Inventory, inventory_of, phone_order_name, phones_seen
from itnio_nb.api.models import PhoneGroup, Receipt
from itnio_nb.runs.reconcile import UnknownGroup, resolve_group, resolve_unknown
from tests.support.factories import APP, group, many_orders, sent
from tests.support.ledgers import claim, open_run, record


def test_an_inventory_has_an_application_by_group(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sizes, display numbers and the phone names as they were ordered, by one rule that another brand can replace."""
    client.create_phones(group("sales", "desk", 3))
    client.create_phones(group("support", "line", 50))
    listing = client.fetch_inventory(APP)
    assert {name: held.phones for name, held in listing.groups.items()} == {"sales": 3, "support": 50}
    assert listing.groups["sales"].display_nums == {"861000000"}
    assert listing.phone_names == {"desk": "sales", "line": "support"}
    assert client.fetch_inventory("empty").groups == {}
    names = ("sip-1", "south-2-30", "plain", "a-b", "-1", "x-")
    assert [phone_order_name(name) for name in names] == ["sip", "south-2", "plain", "a-b", "", "x-"]
    monkeypatch.setattr("itnio_nb.api.listing.phone_order_name", lambda name: name.split("-")[0].upper())
    assert client.fetch_inventory(APP).groups["sales"].phone_names == {"DESK"}


def test_what_differs_is_named(client: Client) -> None:
    """Fewer phones, another display number, or nothing; phones that were not asked for are not counted as seen."""
    client.create_phones(group("sales", "desk", 3))
    listing = client.fetch_inventory(APP)
    other = PhoneGroup("sales", "desk", 3, "8620000", APP)
    differs = [listing.groups["sales"].differences(one) for one in (group(), group(quantity=5), other)]
    assert differs == ["", "3 phones, 5 asked for", "display number 861000000, 8620000 asked for"]
    assert [phones_seen(group(quantity=size), listing) for size in (2, 3, 5)] == [2, 3, 3]
    assert phones_seen(group("none"), listing) == 0


def resolved(listing: Inventory, asked: PhoneGroup, *, taken: bool = False, tried: bool = True) -> Receipt:
    return resolve_group(UnknownGroup(asked, taken, tried), listing)


def test_a_taken_name_is_resolved_by_a_listing(client: Client) -> None:
    """The group is there → exists; its phone name is elsewhere → refused; neither → unknown."""
    client.create_phones(group("sales", "desk", 3))
    listing = client.fetch_inventory(APP)
    there = resolved(listing, group("sales", "desk", 3), taken=True, tried=False)
    differing = resolved(listing, group("sales", "new1", 5), taken=True, tried=False)
    assert (there.state, there.status, there.reason) == (State.EXISTS, "-20", "the group was there before, as asked")
    assert differing.state is State.EXISTS
    assert "3 phones, 5 asked for; phone name desk, new1 asked for" in differing.reason
    elsewhere = resolved(listing, group("other", "desk", 3), taken=True)
    assert (elsewhere.state, elsewhere.reason) == (State.REFUSED, "the phone name is taken by group sales")
    assert resolved(listing, group("other", "new1", 3), taken=True).state is State.UNKNOWN
    ours = resolved(listing, group("sales", "desk", 3), taken=True)
    assert ours.state is State.CREATED  # an earlier try of this ledger was lost after creating it


def test_a_lost_answer_is_resolved_by_a_listing(client: Client) -> None:
    """All there as asked → created; some → partial, and what to order; otherwise → exists; none → planned."""
    client.create_phones(group("sales", "desk", 17))
    listing = client.fetch_inventory(APP)
    assert resolved(listing, group("sales", "desk", 17)).state is State.CREATED
    partial = resolved(listing, group("sales", "desk", 30))
    assert (partial.state, partial.reason) == (State.PARTIAL, "17 of 30 phones are there")
    assert partial.advice.endswith("it cannot be completed under this name. Order 13 under a new one.")
    for other in (group("sales", "desk", 5), group("sales", "new1", 17), PhoneGroup("sales", "desk", 30, "1", APP)):
        assert resolved(listing, other).state is State.EXISTS
    absent = resolved(listing, group("other", "desk", 3))
    assert absent.state is State.PLANNED
    assert re.match(r"absent as of \d\d:\d\d UTC: two listings of application 4luaKsL2 do not have it", absent.reason)


def test_absence_is_believed_when_two_listings_agree(sandbox: Sandbox, client: Client) -> None:
    """A group that two do not show is absent; one that appears meanwhile is there; a clear answer needs one listing."""
    sandbox.faults = "late,late"
    client.create_phones(group("late", "late", 3))
    unknown = {"late": UnknownGroup(group("late", "late", 3), taken=False, tried=True)}
    found, _ = resolve_unknown(client, APP, unknown)
    assert found["late"].state is State.PLANNED  # as far as anybody can see
    client.create_phones(group("second", "seco", 3))  # shown from the fourth listing on
    taken = {"second": UnknownGroup(group("second", "seco", 3), taken=True, tried=True)}
    found, listing = resolve_unknown(client, APP, taken)
    assert found["second"].state is State.CREATED
    assert listing.total == 6
    listings = sandbox.served["sipQuery", "0"]
    resolve_unknown(client, APP, unknown)
    assert sandbox.served["sipQuery", "0"] == listings + 1


def test_a_listing_that_never_stands_still_resolves_nothing(
    sandbox: Sandbox, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody adds phones between any two listings: whether the group comes too, nobody can know."""
    numbers = count()

    fetch = client.fetch_inventory

    def shifting(*args: Any) -> Inventory:
        at = next(numbers)
        client.create_phones(group(f"other-{at}", f"other-{at}", 1))
        return fetch(APP)

    monkeypatch.setattr(client, "fetch_inventory", shifting)
    found, _ = resolve_unknown(client, APP, {1: UnknownGroup(group("sales", "desk", 3), taken=False, tried=True)})
    assert found == {}
    assert next(numbers) == 5


def test_reconcile_resolves_what_is_unknown(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """created, planned, partial; what is as it should be has its row too, below what needs attention.

    The run that was finished but for what is absent has that to send again.
    """
    sandbox.faults = "drop-after,drop-before,half,drop-after,none,query:-18-before*30"
    submit_plan(make_plan(many_orders(5, 30)), client, ledger, workers=1).wait()
    sandbox.faults = None
    assert ledger.table["state"].tolist() == ["unknown"] * 4 + ["created"]
    report = reconcile(client, ledger)
    assert report.drop(columns=["appId", "advice"]).to_numpy().tolist() == [
        ["group-0", "unknown", "created", 30, 30],
        ["group-1", "unknown", "planned", 30, 0],
        ["group-2", "unknown", "partial", 30, 15],
        ["group-3", "unknown", "created", 30, 30],
        ["group-4", "created", "created", 30, 30],
    ]
    assert report["advice"].ne("").tolist() == [True] * 4 + [False]
    assert ledger.table["state"].tolist() == ["created", "planned", "partial", "created", "created"]
    assert sent(sandbox) == 5
    again = reconcile(client, ledger)
    assert again["before"].tolist() == ["created", "planned", "partial", "created", "created"]
    assert again["advice"].eq("").all()
    run = resume(client, ledger).wait()
    assert run.counts == {"created": 4, "partial": 1}
    assert [one.group for one in sandbox.log if one.endpoint == "sipAdd"][5:] == ["group-1"]


def test_reconcile_reports_drift(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """Groups that are gone, phones that are gone, groups that the ledger never made; one listing is enough."""
    run_id = open_run(ledger, 4, client.account)
    for at in range(4):
        client.create_phones(group(f"group-{at}", f"phone-{at}"))
        record(ledger, run_id, at, State.CREATED)
    client.create_phones(group("foreign", "foreign", 6))
    sandbox.delete_group(APP, "group-1")
    sandbox.edit_phone(APP, "phone-2-3", groupName="foreign")
    before = sandbox.served["sipQuery", "0"]
    report = reconcile(client, ledger).set_index("groupName")
    assert sandbox.served["sipQuery", "0"] == before + 1
    assert report["found"].to_dict() == {"group-1": 0, "group-2": 2, "foreign": 7, "group-0": 3, "group-3": 3}
    assert report["before"].tolist() == report["after"].tolist() == ["created", "created", "", "created", "created"]
    assert "no longer there" in report["advice"]["group-1"]
    assert report["advice"]["group-2"] == "Changed since: 2 phones, 3 asked for."
    assert "has not made it" in report["advice"]["foreign"]


def test_reconcile_of_nothing(client: Client, ledger: Ledger) -> None:
    """An empty ledger: a table without rows, and nobody is asked."""
    assert reconcile(client, ledger).empty
    assert " ".join(reconcile(client, ledger).columns) == "appId groupName before after asked found advice"


def test_reconcile_goes_on_where_an_application_is_refused(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """The others are compared all the same."""
    orders = pd.concat([many_orders(1, app_id="gone"), many_orders(1)], ignore_index=True)
    submit_plan(make_plan(orders), client, ledger).wait()
    sandbox.app_ids = [APP]
    report = reconcile(client, ledger).set_index("appId")
    assert "Check the application id" in report["advice"]["gone"]
    assert report["advice"][APP] == ""


def test_reconcile_leaves_what_is_being_sent(client: Client, ledger: Ledger) -> None:
    """It belongs to somebody who is at work."""
    run_id, owner = open_run(ledger, 2, client.account), ledger.run_store.owner()
    client.create_phones(group("group-0", "phone-0"))
    record(ledger, run_id, 0, State.CREATED)
    assert claim(ledger, run_id, 1, owner.token)
    report = reconcile(client, ledger).set_index("groupName")
    assert report["after"].to_dict() == {"group-1": "sending", "group-0": "created"}
    assert "look again afterwards" in report["advice"]["group-1"]
    owner.release()
    assert reconcile(client, ledger).set_index("groupName")["after"]["group-1"] == "planned"


def test_a_group_that_was_shown_late_is_ours(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """Two listings did not have it, the next has: created by this ledger, not elsewhere."""
    record(ledger, open_run(ledger, 1, client.account), 0, State.UNKNOWN)
    client.create_phones(group("group-0", "phone-0"))
    sandbox.hide_group(APP, "group-0", listings=2)
    assert reconcile(client, ledger)["after"].tolist() == ["planned"]
    assert reconcile(client, ledger)[["before", "after"]].to_numpy().tolist() == [["planned", "created"]]


def test_a_listing_of_another_brand_is_read_all_the_same() -> None:
    """A field that it lacks is no difference. Escape sequences, half a surrogate pair, endless text: one plain line."""
    phone: dict[str, object] = {"groupName": "sales", "phoneName": "desk-1", "displayNum": "861000000"}
    for lack in ({"displayNum": None}, {"displayNum": ""}, {"phoneName": None}, {"phoneName": ""}):
        assert resolved(inventory_of(iter([[phone | lack]])), group("sales", "desk", 1)).state is State.CREATED
    hostile = phone | {"displayNum": "\x1b[2J\ud800" + "9" * 999}
    reason = resolved(inventory_of(iter([[hostile]])), group("sales", "desk", 1)).reason
    assert reason.isprintable()
    assert len(reason) < 500


def test_reconcile_needs_a_client_and_a_ledger(client: Client, ledger: Ledger) -> None:
    """In this order."""
    for wrong in ((None, None), (client, "ledger.sqlite"), (ledger, client)):
        with pytest.raises(InputError, match=r"reconcile\(client, ledger\)"):
            reconcile(*wrong)


def test_the_unknown_alone_can_be_looked_at(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """Their applications alone are listed, none where nothing is unknown."""
    submit_plan(make_plan(many_orders(2, app_id="other")), client, ledger).wait()
    asked = sum(sandbox.served.values())
    assert reconcile(client, ledger, unknown_only=True).empty
    assert sum(sandbox.served.values()) == asked
    sandbox.faults = "none,drop-after,query:-18-before*30"
    submit_plan(make_plan(many_orders(2)), client, ledger, workers=1).wait()
    sandbox.faults, sandbox.app_ids = None, [APP]
    report = reconcile(client, ledger, unknown_only=True)
    assert report[["groupName", "before", "after"]].to_numpy().tolist() == [["group-1", "unknown", "created"]]
    assert not sandbox.served["sipQuery", "-22"]
