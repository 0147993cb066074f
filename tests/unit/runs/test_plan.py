"""Plans: which groups, which action each, and nothing sent."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from itnio_nb import Client, InputError, Ledger, Sandbox, ServiceError, make_plan, submit_plan
from itnio_nb.runs.plan import account_key, fingerprint
from tests.support.factories import APP, COLUMNS, group, many_orders, orders_frame


def test_a_plan_without_a_client_is_offline() -> None:
    """Groups, where each came from, and the summary line."""
    plan = make_plan(orders_frame(("sales", "desk", "120"), ("abc",), ("support", "line", "50")))
    assert plan.table.columns.tolist() == [*COLUMNS, "action", "row", "why"]
    assert plan.table["groupName"].tolist() == ["sales", "sales_2", "sales_3", "support"]
    assert plan.table["quantity"].tolist() == [50, 50, 20, 50]
    assert plan.table["row"].tolist() == [2, 2, 2, 4]
    assert set(plan.table["action"]) == {"create"}
    assert plan.summary == "Plan: 4 groups to create (170 phones), 0 already exist, 1 row invalid, 0 in doubt."


def test_summary_is_grammatical(client: Client) -> None:
    """One of each."""
    client.create_phones(group("sales", "desk"))
    plan = make_plan(orders_frame(("sales", "desk"), ("other", "line", "1"), ("abc", "xyzz")), client)
    assert plan.summary == "Plan: 1 group to create (1 phone), 1 already exists, 1 row invalid, 0 in doubt."


def test_no_orders_make_an_empty_plan(client: Client, ledger: Ledger) -> None:
    """It says so and can be shown."""
    plan = make_plan(orders_frame(), client, ledger)
    assert plan.summary == "Plan: 0 groups to create (0 phones), 0 already exist, 0 rows invalid, 0 in doubt."
    assert repr(plan) == plan.summary
    assert plan.summary in plan._repr_html_()


def test_nothing_is_sent(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """Planning lists each application once, and creates nothing."""
    make_plan(pd.concat([many_orders(5), many_orders(5, app_id="other")]), client, ledger)
    assert sandbox.served == {("sipQuery", "0"): 2}
    assert ledger.table.empty


def test_what_the_account_has_exists(client: Client) -> None:
    """Found by asking, with what differs from the order."""
    client.create_phones(group("sales", "desk", 3))
    plan = make_plan(orders_frame(("sales", "desk", "5"), ("sales", "desk", "3", "861000000", "other")), client)
    assert plan.table["action"].tolist() == ["exists", "create"]
    assert plan.table["why"].tolist() == ["the account has it: 3 phones, 5 asked for", ""]


def test_a_phone_name_that_the_account_has_is_foretold(client: Client) -> None:
    """It stays in the plan, since the server has the last word."""
    client.create_phones(group("sales", "desk", 3))
    plan = make_plan(orders_frame(("other", "desk")), client)
    assert plan.table["action"].tolist() == ["create"]
    assert plan.table["why"].tolist() == ["likely to be refused: the phone name belongs to group sales of the account"]


def test_what_the_ledger_does_not_know_is_in_doubt(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """Unless the account has it."""
    sandbox.broken = True
    submit_plan(make_plan(many_orders(2)), client, ledger).wait()
    sandbox.broken = False
    client.create_phones(group("group-0", "phone-0"))
    plan = make_plan(many_orders(2), client, ledger)
    assert plan.table["action"].tolist() == ["exists", "in doubt"]
    assert "is not known" in plan.table["why"].iloc[1]
    assert plan.summary.endswith("1 in doubt.")
    assert plan.findings.empty


def test_what_was_made_and_is_gone_is_in_doubt(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """A finding names the way; recreate=True takes it, and makes it once."""
    submit_plan(make_plan(many_orders(2), client, ledger), client, ledger).wait()
    for name in ("group-0", "group-1"):
        sandbox.delete_group(APP, name)
    plan = make_plan(many_orders(2), client, ledger)
    assert plan.table["action"].tolist() == ["in doubt"] * 2
    assert plan.findings["severity"].tolist() == ["warning"] * 2
    assert plan.findings["advice"].str.contains("recreate=True").all()
    assert submit_plan(plan, client, ledger).wait().counts == {"unknown": 2}
    again = make_plan(many_orders(2), client, ledger, recreate=True)
    assert again.table["action"].tolist() == ["create"] * 2
    assert submit_plan(again, client, ledger).wait().counts == {"created": 2}
    assert sandbox.served["sipAdd", "0"] == 4
    assert submit_plan(again, client, ledger).wait().counts == {"exists": 2}


def test_what_was_refused_is_planned_again(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """Nothing was created, so nothing stands in the way."""
    sandbox.app_ids = []
    submit_plan(make_plan(many_orders(2)), client, ledger).wait()
    assert set(ledger.table["state"]) == {"refused"}
    sandbox.app_ids = None
    assert set(make_plan(many_orders(2), client, ledger).table["action"]) == {"create"}


def test_an_application_that_the_account_refuses_is_a_finding(client: Client, sandbox: Sandbox) -> None:
    """Its rows are invalid, the others go on."""
    sandbox.app_ids = [APP]
    plan = make_plan(orders_frame(("sales", "desk", "3", "861000000", "wrong"), ("other", "line")), client)
    assert plan.summary == "Plan: 1 group to create (3 phones), 0 already exist, 1 row invalid, 0 in doubt."
    assert plan.findings[["row", "column", "value"]].to_numpy().tolist() == [[2, "appId", "wrong"]]


def test_an_account_that_cannot_be_asked_is_an_error(client: Client, sandbox: Sandbox) -> None:
    """No plan is made that would hide what exists."""
    sandbox.stop()
    with pytest.raises(ServiceError):
        make_plan(many_orders(1), client)


def test_fingerprints(client: Client) -> None:
    """The groups in order and the account decide, not the actions, the rows or the time."""
    table = make_plan(many_orders(3)).table
    account = account_key(client.account)
    client.create_phones(group("group-0", "phone-0"))
    planned = make_plan(many_orders(3), client)
    assert planned.fingerprint == fingerprint(table, account) == fingerprint(table.assign(row=7), account)
    different = [
        fingerprint(table, None),
        fingerprint(table, ("other", account[1])),
        fingerprint(table[::-1], account),
        fingerprint(table.assign(quantity=4), account),
        fingerprint(table.iloc[:2], account),
    ]
    assert len({planned.fingerprint, *different}) == 6


def test_a_plan_shows_itself_and_hostile_text_is_text() -> None:
    """Summary and table, escaped; a long one is shortened."""
    hostile = "<img src=x onerror=alert(1)>"
    plan = make_plan(orders_frame((hostile, "desk")))
    assert plan.summary in repr(plan)
    assert hostile in repr(plan)
    assert hostile not in plan._repr_html_()
    assert "&lt;img src=x" in plan._repr_html_()
    assert len(make_plan(many_orders(5000))._repr_html_()) < 20_000


def test_a_plan_can_be_made_from_a_file(tmp_path: Path) -> None:
    """Reading is part of it where the source is not a frame."""
    many_orders(2).to_csv(tmp_path / "phones.csv", index=False)
    assert len(make_plan(tmp_path / "phones.csv").table) == 2
    with pytest.raises(InputError):
        make_plan(tmp_path / "none.csv")


def test_look_is_not_repeated_for_each_group(client: Client, sandbox: Sandbox) -> None:
    """2,000 orders of one application: one listing."""
    client.fetch_inventory(APP)
    before = sandbox.served["sipQuery", "0"]
    make_plan(many_orders(2000), client)
    assert sandbox.served["sipQuery", "0"] == before + 1


def test_a_trial_is_the_first_groups_to_create(client: Client) -> None:
    """What exists already is no trial; the rest of the orders is not part of it."""
    client.create_phones(group("group-0", "phone-0"))
    plan = make_plan(many_orders(5), client)
    trial = plan.first(3)
    assert trial.table["groupName"].tolist() == ["group-1", "group-2", "group-3"]
    assert trial.summary == "Plan: 3 groups to create (9 phones), 0 already exist, 0 rows invalid, 0 in doubt."
    assert (trial.phones, plan.phones) == (9, 12)
    assert trial.fingerprint != plan.fingerprint
    assert len(plan.first(100).table) == 4
    assert plan.first(3).first(2).table["groupName"].tolist() == ["group-1", "group-2"]


@pytest.mark.parametrize("number", [0, -1, True, 1.5, "3"])
def test_a_trial_has_a_whole_number_of_groups(number: int) -> None:
    """Anything else is said in words."""
    with pytest.raises(InputError, match=r"as in plan.first\(3\)"):
        make_plan(many_orders(5)).first(number)


def test_a_trial_of_nothing_is_empty(client: Client) -> None:
    """A plan without groups to create has a trial without groups."""
    assert make_plan(orders_frame(), client).first(3).table.empty


def test_a_plan_never_steers_a_terminal() -> None:
    """Escape sequences from other people's spreadsheets are shown as what they are."""
    shown = repr(make_plan(orders_frame(("\x1b[2J\x1b[31mred", "desk"), ("\u202egnp", "line"))))
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "\\x1b[2J\\x1b[31mred" in shown
