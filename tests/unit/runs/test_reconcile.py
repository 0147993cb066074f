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
from itnio_nb.runs.plan import groups_to_keep
from itnio_nb.runs.reconcile import UnknownGroup, resolve_group, resolve_unknown
from tests.support.factories import APP, group, many_orders


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


def test_an_inventory_has_an_application_by_group(client: Client) -> None:
    """Sizes, display numbers and the phone names as they were ordered."""
    client.create_phones(group("sales", "desk", 3))
    client.create_phones(group("support", "line", 50))
    listing = client.fetch_inventory(APP)
    assert {name: held.phones for name, held in listing.groups.items()} == {"sales": 3, "support": 50}
    assert listing.groups["sales"].display_nums == {"861000000"}
    assert listing.phone_names == {"desk": "sales", "line": "support"}
    assert client.fetch_inventory("empty").groups == {}


def test_what_differs_is_said(client: Client) -> None:
    """Fewer phones, another display number, or nothing."""
    client.create_phones(group("sales", "desk", 3))
    held = client.fetch_inventory(APP).groups["sales"]
    assert held.differences(group("sales", "desk", 3)) == ""
    assert held.differences(group("sales", "desk", 5)) == "3 phones, 5 asked for"
    assert (
        held.differences(PhoneGroup("sales", "desk", 3, "8620000", APP))
        == "display number 861000000, 8620000 asked for"
    )


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


def test_the_rule_that_names_phones_can_be_replaced(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another brand may name them otherwise: one function."""
    client.create_phones(group("sales", "desk", 3))
    monkeypatch.setattr("itnio_nb.api.listing.phone_order_name", lambda name: name.split("-")[0].upper())
    assert client.fetch_inventory(APP).groups["sales"].phone_names == {"DESK"}


def test_absence_is_believed_when_two_listings_agree(sandbox: Sandbox, client: Client) -> None:
    """A group that two listings do not show is absent; one that appears meanwhile is there."""
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


def test_a_clear_answer_needs_one_listing(sandbox: Sandbox, client: Client) -> None:
    """What is there as asked is believed at once."""
    client.create_phones(group("sales", "desk", 3))
    resolve_unknown(client, APP, {1: UnknownGroup(group("sales", "desk", 3), taken=False, tried=True)})
    assert sandbox.served["sipQuery", "0"] == 1


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


def unknown_groups(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """Five groups whose answers were lost and whose account cannot be listed."""
    sandbox.faults = "drop-after,drop-before,half,drop-after,none,query:-18-before*30"
    submit_plan(make_plan(many_orders(5, 30)), client, ledger, workers=1).wait()
    sandbox.faults = None


def test_reconcile_resolves_what_is_unknown(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """created, planned, partial; what is as it should be has its row too, below what needs attention."""
    unknown_groups(sandbox, client, ledger)
    assert ledger.table["state"].tolist() == ["unknown"] * 4 + ["created"]
    report = reconcile(client, ledger)
    assert " ".join(report.columns) == "appId groupName before after asked found advice"
    assert report.drop(columns=["appId", "advice"]).to_numpy().tolist() == [
        ["group-0", "unknown", "created", 30, 30],
        ["group-1", "unknown", "planned", 30, 0],
        ["group-2", "unknown", "partial", 30, 15],
        ["group-3", "unknown", "created", 30, 30],
        ["group-4", "created", "created", 30, 30],
    ]
    assert report["advice"].ne("").tolist() == [True] * 4 + [False]
    assert ledger.table["state"].tolist() == ["created", "planned", "partial", "created", "created"]
    assert sent_names(sandbox) == [f"group-{at}" for at in range(5)]
    again = reconcile(client, ledger)
    assert again["before"].tolist() == ["created", "planned", "partial", "created", "created"]
    assert again["advice"].eq("").all()


def sent_names(sandbox: Sandbox) -> list[str]:
    return [one.group for one in sandbox.log if one.endpoint == "sipAdd"]


def test_what_reconcile_found_absent_is_resumed(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """The run that was finished but for it has something to send again."""
    unknown_groups(sandbox, client, ledger)
    reconcile(client, ledger)
    run = resume(client, ledger).wait()
    assert run.counts == {"created": 4, "partial": 1}
    assert sent_names(sandbox)[5:] == ["group-1"]


def test_reconcile_reports_drift(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """Groups that are gone, phones that are gone, groups that the ledger never made; one listing is enough."""
    submit_plan(make_plan(many_orders(4)), client, ledger).wait()
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
    assert list(reconcile(client, ledger).columns) == [
        "appId",
        "groupName",
        "before",
        "after",
        "asked",
        "found",
        "advice",
    ]


def test_reconcile_goes_on_where_an_application_is_refused(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """The others are compared all the same."""
    orders = pd.concat([many_orders(1, app_id="gone"), many_orders(1)], ignore_index=True)
    submit_plan(make_plan(orders), client, ledger).wait()
    sandbox.app_ids = [APP]
    report = reconcile(client, ledger).set_index("appId")
    assert "Check the application id" in report["advice"]["gone"]
    assert report["advice"][APP] == ""


def test_reconcile_leaves_what_is_being_sent(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """It belongs to somebody who is at work."""
    plan = make_plan(many_orders(2))
    run = submit_plan(plan, client, ledger).wait()
    run_id = ledger.run_store.open_run(client.account, "other", groups_to_keep(make_plan(many_orders(3))), "orders")
    owner = ledger.run_store.owner()
    assert ledger.run_store.sync(run_id, owner.token, wanted=[(2, 0)]).claimed
    report = reconcile(client, ledger).set_index("groupName")
    assert report["after"].to_dict() == {"group-2": "sending", "group-0": "created", "group-1": "created"}
    assert "look again afterwards" in report["advice"]["group-2"]
    owner.release()
    assert reconcile(client, ledger).set_index("groupName")["after"]["group-2"] == "planned"
    assert run.counts == {"created": 2}


def test_phones_seen_are_never_more_than_asked_for(client: Client) -> None:
    """The read-back counts what was asked for and is there."""
    client.create_phones(group("sales", "desk", 3))
    listing = client.fetch_inventory(APP)
    assert [phones_seen(group("sales", "desk", size), listing) for size in (2, 3, 5)] == [2, 3, 3]
    assert phones_seen(group("none", "desk", 3), listing) == 0


def test_a_group_that_was_shown_late_is_ours(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """Two listings did not have it, the next has: created by this ledger, not elsewhere."""
    sandbox.faults = "stall-after,query:-18-before*30"
    with Client(client.account, timeout=(1, 0.2)) as hasty:
        submit_plan(make_plan(many_orders(1)), hasty, ledger).wait()
    sandbox.faults = None
    sandbox.hide_group(APP, "group-0", listings=2)
    assert reconcile(client, ledger)["after"].tolist() == ["planned"]
    assert reconcile(client, ledger)[["before", "after"]].to_numpy().tolist() == [["planned", "created"]]


@pytest.mark.parametrize("field", ["displayNum", "phoneName"])
def test_what_a_listing_does_not_show_is_no_difference(field: str) -> None:
    """Another brand's listing may lack a field."""
    record: dict[str, object] = {"groupName": "sales", "phoneName": "desk-1", "displayNum": "861000000"}
    for value in (None, ""):
        listing = inventory_of(iter([[record | {field: value}]]))
        assert resolved(listing, group("sales", "desk", 1)).state is State.CREATED


def test_hostile_text_of_a_listing_is_one_plain_line() -> None:
    """Escape sequences, half a surrogate pair, endless text: none of it gets into the ledger."""
    record: dict[str, object] = {"groupName": "sales", "phoneName": "desk-1", "displayNum": "\x1b[2J\ud800" + "9" * 999}
    reason = resolved(inventory_of(iter([[record]])), group("sales", "desk", 1)).reason
    assert reason.isprintable()
    assert len(reason) < 500


@pytest.mark.parametrize("wrong", [(None, None), ("ledger.sqlite", None)])
def test_reconcile_needs_a_ledger_and_a_client(wrong: tuple[Any, Any], client: Client, ledger: Ledger) -> None:
    """In this order."""
    for arguments in (wrong, (ledger, client)):
        with pytest.raises(InputError, match=r"reconcile\(client, ledger\)"):
            reconcile(*arguments)


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
