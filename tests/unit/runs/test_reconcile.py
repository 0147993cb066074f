"""Reconciling: what an application's listing shows of a group, and the report over all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count, product
from threading import Event
from typing import Any

import pandas as pd
import pytest

from itnio_nb import Client, InputError, Ledger, Sandbox, ServiceError, State, make_plan, reconcile, resume, submit_plan
from itnio_nb.api.listing.inventory import Inventory
from itnio_nb.api.models import PhoneGroup, Receipt
from itnio_nb.runs.reconcile.resolver import resolve_unknown
from itnio_nb.runs.reconcile.rules import UnknownGroup
from tests.support.factories import APP, group, many_orders, sent
from tests.support.ledgers import claim, open_run, record


def unknown(asked: PhoneGroup, *, tried: bool = True, status: str = "", said: str = "") -> UnknownGroup:
    return UnknownGroup(asked, tried, status, said)


def resolve_all(
    list_phones: Callable[[], Inventory], groups: dict[Any, UnknownGroup]
) -> tuple[dict[Any, Receipt], Inventory]:
    """Everything that becomes clear, and the last listing."""
    found: dict[Any, Receipt] = {}
    return found, resolve_unknown(list_phones, groups, found.update, Event())


def test_absence_is_believed_when_two_listings_agree(sandbox: Sandbox, client: Client) -> None:
    """A group that two do not show is absent; one that appears meanwhile is there; a clear answer needs one listing."""
    sandbox.faults = "late,late"
    client.create_phones(group("late", "late", 3))
    late = {"late": unknown(group("late", "late", 3))}

    def inventory() -> Inventory:
        return client.fetch_inventory(APP)

    found, _ = resolve_all(inventory, late)
    assert found["late"].state is State.PLANNED  # as far as anybody can see
    client.create_phones(group("second", "seco", 3))  # shown from the fourth listing on
    found, listing = resolve_all(inventory, {"second": unknown(group("second", "seco", 3), status="-20")})
    assert found["second"].state is State.CREATED
    assert listing.total == 6
    listings = sandbox.served["sipQuery", "0"]
    resolve_all(inventory, late)
    assert sandbox.served["sipQuery", "0"] == listings + 1


def test_a_name_that_our_own_lost_request_may_have_taken_is_looked_for_longer(
    sandbox: Sandbox, client: Client, ledger: Ledger
) -> None:
    """-20 after a lost answer: five listings, and if it is shown later still, reconcile finds that it is ours."""
    client.create_phones(group("group-0", "phone-0"))
    ours = {1: unknown(group("group-0", "phone-0"), status="-20")}
    for hidden, state in ((4, State.CREATED), (5, State.REFUSED)):
        sandbox.hide_group(APP, "group-0", listings=hidden)
        found, _ = resolve_all(lambda: client.fetch_inventory(APP), ours)
        assert found[1].state is state
    run_id = open_run(ledger, 1, client.account)
    record(ledger, run_id, 0, State.UNKNOWN)
    record(ledger, run_id, 0, State.REFUSED, "-20")
    assert reconcile(client, ledger)[["before", "after"]].to_numpy().tolist() == [["refused", "created"]]


def test_others_may_add_phones_between_two_listings(client: Client) -> None:
    """What is absent from both is absent, and half a group stays half."""
    numbers = count()
    client.create_phones(group("half", "half", 2))

    def shifting() -> Inventory:
        at = next(numbers)
        client.create_phones(group(f"other-{at}", f"other-{at}", 1))
        return client.fetch_inventory(APP)

    found, _ = resolve_all(shifting, {1: unknown(group("gone", "desk")), 2: unknown(group("half", "half", 3))})
    assert [found[at].state for at in (1, 2)] == [State.PLANNED, State.PARTIAL]
    assert next(numbers) == 2


def test_an_incomplete_listing_proves_no_absence(client: Client) -> None:
    """What it shows is there; what it does not show may be."""
    client.create_phones(group("sales", "desk", 3))

    def incomplete() -> Inventory:
        return replace(client.fetch_inventory(APP), complete=False)

    found, _ = resolve_all(incomplete, {1: unknown(group("sales", "desk", 3)), 2: unknown(group("gone", "line"))})
    assert {key: receipt.state for key, receipt in found.items()} == {1: State.CREATED}


def test_one_application_that_cannot_be_listed_keeps_no_other_from_being_reconciled(
    sandbox: Sandbox, client: Client, ledger: Ledger
) -> None:
    """Its rows say why; where none can be listed, that is an error."""
    orders = pd.concat([many_orders(1, app_id="gone"), many_orders(2)], ignore_index=True)
    submit_plan(make_plan(orders, client, ledger), client, ledger).wait()
    sandbox.delete_group(APP, "group-0")
    sandbox.app_ids = [APP]
    report = reconcile(client, ledger).set_index(["appId", "groupName"])["advice"]
    assert "could not be listed (status -22" in report["gone", "group-0"]
    assert "no longer there" in report[APP, "group-0"]
    assert report[APP, "group-1"] == ""
    sandbox.broken = True
    with pytest.raises(ServiceError, match="status -18"):
        reconcile(client, ledger)


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


def test_a_group_that_is_shown_under_another_name_is_not_foreign(
    sandbox: Sandbox, client: Client, ledger: Ledger
) -> None:
    """The server writes all group names in capitals: what it answered with 0 tells so."""
    submit_plan(make_plan(many_orders(2), client, ledger), client, ledger).wait()
    for at, phone in product(range(2), range(1, 4)):
        sandbox.edit_phone(APP, f"phone-{at}-{phone}", groupName=f"GROUP-{at}")
    report = reconcile(client, ledger)
    assert report[["groupName", "after", "advice"]].to_numpy().tolist() == [
        ["group-0", "created", ""],
        ["group-1", "created", ""],
    ]


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
    run_id, owner = open_run(ledger, 2, client.account), ledger.run_control.new_owner()
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
