"""Plans: which groups, which action each, and nothing sent; saved plans."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from itnio_nb import (
    AccountError,
    Client,
    InputError,
    Ledger,
    Plan,
    Sandbox,
    ServiceError,
    StalePlanError,
    State,
    make_plan,
    read_orders,
    submit_plan,
)
from itnio_nb.orders.export.stored import orders_from_json, orders_to_json
from itnio_nb.runs.plan import account_key, fingerprint
from tests.support.factories import APP, COLUMNS, group, many_orders, orders_frame
from tests.support.ledgers import claim, open_run, record


def test_a_plan_without_a_client_is_offline() -> None:
    """Groups, where each came from, and the summary line."""
    plan = make_plan(orders_frame(("sales", "desk", "120"), ("abc",), ("support", "line", "50")))
    assert plan.table.columns.tolist() == [*COLUMNS, "action", "row", "why"]
    assert plan.table["groupName"].tolist() == ["sales", "sales_2", "sales_3", "support"]
    assert plan.table["quantity"].tolist() == [50, 50, 20, 50]
    assert plan.table["row"].tolist() == [2, 2, 2, 4]
    assert set(plan.table["action"]) == {"create"}
    assert plan.summary == "Plan: 4 groups to create (170 phones), 0 already exist, 1 row invalid, 0 in doubt."


def test_no_orders_make_an_empty_plan(client: Client, ledger: Ledger) -> None:
    """Its summary has zeros, and it can be shown."""
    plan = make_plan(orders_frame(), client, ledger)
    assert plan.summary == "Plan: 0 groups to create (0 phones), 0 already exist, 0 rows invalid, 0 in doubt."
    assert repr(plan) == plan.summary
    assert plan.summary in plan._repr_html_()


def test_nothing_is_sent(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """Planning lists each application once, however many its orders are, and creates nothing."""
    make_plan(pd.concat([many_orders(2000), many_orders(5, app_id="other")]), client, ledger)
    assert sandbox.served == {("sipQuery", "0"): 2}
    assert ledger.table.empty


def test_what_the_account_has_exists(client: Client) -> None:
    """Found by asking, with what differs from the order; the summary of one of each is grammatical."""
    client.create_phones(group("sales", "desk", 3))
    orders = orders_frame(("sales", "desk", "5"), ("sales", "desk", "1", "861000000", "other"), ("abc", "xyzz"))
    plan = make_plan(orders, client)
    assert plan.table["action"].tolist() == ["exists", "create"]
    assert plan.table["why"].tolist() == ["the account has it: 3 phones, 5 asked for", ""]
    assert plan.summary == "Plan: 1 group to create (1 phone), 1 already exists, 1 row invalid, 0 in doubt."


def test_a_phone_name_that_the_account_has_is_expected_to_be_refused(client: Client) -> None:
    """It stays in the plan, since the server has the last word."""
    client.create_phones(group("sales", "desk", 3))
    plan = make_plan(orders_frame(("other", "desk")), client)
    assert plan.table["action"].tolist() == ["create"]
    assert plan.table["why"].tolist() == ["likely to be refused: the phone name belongs to group sales of the account"]


def test_what_the_ledger_does_not_know_is_in_doubt(client: Client, ledger: Ledger) -> None:
    """Unless the account has it; what was refused is planned again: nothing was created, nothing stands in the way."""
    run_id = open_run(ledger, 3, client.account)
    for at, state in enumerate((State.UNKNOWN, State.UNKNOWN, State.REFUSED)):
        record(ledger, run_id, at, state)
    client.create_phones(group("group-0", "phone-0"))
    plan = make_plan(many_orders(3), client, ledger)
    assert plan.table["action"].tolist() == ["exists", "in doubt", "create"]
    assert plan.table["why"].iloc[0].endswith("and not answered: reconcile settles it")
    assert "is not known" in plan.table["why"].iloc[1]
    assert plan.summary.endswith("1 in doubt.")
    assert plan.findings.empty


def test_what_was_made_and_is_gone_is_in_doubt(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """A finding names the way; recreate=True takes it and makes it once, from a saved plan too.

    Deleted once more, it does not count as existing: somebody has to decide.
    """
    record(ledger, open_run(ledger, 1, client.account), 0, State.CREATED)
    plan = make_plan(many_orders(1), client, ledger)
    assert plan.table["action"].tolist() == ["in doubt"]
    assert plan.findings["severity"].tolist() == ["warning"]
    assert plan.findings["advice"].str.contains("recreate=True").all()
    assert submit_plan(plan, client, ledger).wait().counts == {"unknown": 1}
    again = make_plan(many_orders(1), client, ledger, recreate=True)
    assert again.table["action"].tolist() == ["create"]
    assert len(again.recreated) == 1
    path = again.save("plan.json")
    assert_same(Plan.load(path), again)
    assert submit_plan(Plan.load(path), client, ledger).wait().counts == {"created": 1}
    assert submit_plan(again, client, ledger).wait().counts == {"exists": 1}
    assert sandbox.served["sipAdd", "0"] == 1
    sandbox.delete_group(APP, "group-0")
    with pytest.raises(StalePlanError, match=r"create → create anew \(sent again since\)"):
        submit_plan(Plan.load(path), client, ledger)


def test_an_application_that_the_account_refuses_is_a_finding(client: Client, sandbox: Sandbox) -> None:
    """Its rows are invalid, the others go on."""
    sandbox.app_ids = [APP]
    plan = make_plan(orders_frame(("sales", "desk", "3", "861000000", "wrong"), ("other", "line")), client)
    assert plan.summary == "Plan: 1 group to create (3 phones), 0 already exist, 1 row invalid, 0 in doubt."
    assert plan.findings[["row", "column", "value"]].to_numpy().tolist() == [[2, "appId", "wrong"]]


def test_an_application_that_cannot_be_listed_is_a_finding_on_its_rows(sandbox: Sandbox) -> None:
    """Whatever its status or failure is; where no application can be listed, that is an error."""
    orders = orders_frame(("sales", "desk", "3", "861000000", "gone"), ("other", "line"))
    client = Client(sandbox.account, workers=1)  # one application after the other
    client.create_phones(group("other", "line", 3))
    for status, tries in {"-18": 6, "-99": 2, "-32": 1, "-10": 1}.items():
        sandbox.faults = f"query:{status}-before*{tries}"
        plan = make_plan(orders, client)
        assert plan.summary == "Plan: 0 groups to create (0 phones), 1 already exists, 1 row invalid, 0 in doubt."
        [finding] = plan.findings[["row", "column", "value", "severity"]].to_numpy().tolist()
        assert finding == [2, "appId", "gone", "error"]
        assert f"status {status}" in plan.findings["problem"].iloc[0] + plan.findings["advice"].iloc[0]
    sandbox.faults = "query:-10-before"
    with pytest.raises(AccountError, match="status -10"):
        make_plan(orders.iloc[:1], client)


def test_a_name_that_the_account_has_in_another_case_is_told(client: Client) -> None:
    """It may be another one for the server, so it stays in the plan."""
    client.create_phones(group("Sales", "Desk", 3))
    plan = make_plan(orders_frame(("SALES", "new1"), ("other", "DESK")), client)
    assert plan.table["action"].tolist() == ["create", "create"]
    assert plan.table["why"].tolist() == [
        "may be refused: the account has group Sales, whose name differs in case alone",
        "may be refused: phone name Desk of group Sales differs in case alone",
    ]


def test_an_account_that_cannot_be_asked_is_an_error(client: Client, sandbox: Sandbox) -> None:
    """No plan is made that would hide what exists."""
    sandbox.stop()
    with pytest.raises(ServiceError):
        make_plan(many_orders(1), client)


def test_what_a_living_run_sends_is_being_sent(client: Client, ledger: Ledger) -> None:
    """Not in doubt: somebody is at it, and nobody else sends it. A killed one's is in doubt."""
    owner, control = ledger.run_control.new_owner(), ledger.run_control
    run_id = control.join(open_run(ledger, 4, client.account), owner.token)
    assert claim(ledger, run_id, 0, owner.token)
    assert claim(ledger, run_id, 1, owner.token)
    record(ledger, run_id, 1, State.CREATED, "0", owner.token)  # and the account does not show it yet
    plan = make_plan(many_orders(5), client, ledger)
    assert plan.table["action"].tolist() == ["being sent", "being sent", "create", "create", "create"]
    assert plan.table["why"].iloc[0].startswith("being sent in run 20")
    assert plan.table["why"].iloc[1].endswith("which is at work: not shown yet")
    ending = "0 already exist, 0 rows invalid, 0 in doubt, 2 being sent."
    assert plan.summary == f"Plan: 3 groups to create (9 phones), {ending}"
    dry = submit_plan(plan, client, ledger, apply=False)
    assert dry.counts == {"sending": 2, "planned": 3}
    run = submit_plan(plan, client, ledger).wait()
    assert run.summary.startswith(
        "Done. Groups: 3 created (9 phones), 1 existed, 0 refused, 0 unknown, 1 being sent by"
    )
    store = ledger.run_store
    store.sync(run_id, owner.token, returned=[0])
    assert run.table["state"].tolist() == ["planned", "exists", "created", "created", "created"]
    assert run.table["advice"].iloc[0] == "Another run gave it back unsent. Plan again, and submit it."
    owner.release()
    again = make_plan(many_orders(5), client, ledger)
    assert again.table["action"].tolist() == ["create", "in doubt", "exists", "exists", "exists"]


def test_what_is_created_while_the_account_is_listed_is_not_gone(
    client: Client, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger is asked first: a group that has come since is new, not deleted."""
    run_id = open_run(ledger, 1, client.account)
    fetch = Client.fetch_inventories

    def before_it_is_created(self: Client, *arguments: Any, **options: Any) -> Any:
        found = fetch(self, *arguments, **options)
        record(ledger, run_id, 0, State.CREATED, "0")
        return found

    monkeypatch.setattr(Client, "fetch_inventories", before_it_is_created)
    assert make_plan(many_orders(1), client, ledger).table["action"].tolist() == ["create"]


def test_fingerprints(client: Client) -> None:
    """The groups in order and the account decide, not the actions, the rows or the time."""
    groups = [one.group for one in make_plan(many_orders(3)).groups]
    account = account_key(client.account)
    client.create_phones(group("group-0", "phone-0"))
    planned = make_plan(many_orders(3), client)
    assert planned.fingerprint == fingerprint(groups, account)
    different = [
        fingerprint(groups, None),
        fingerprint(groups, ("other", account[1])),
        fingerprint(groups[::-1], account),
        fingerprint([*groups[:2], group("group-2", "phone-2", 4)], account),
        fingerprint(groups[:2], account),
    ]
    assert len({planned.fingerprint, *different}) == 6


def test_a_fingerprint_is_that_of_earlier_versions() -> None:
    """By it a ledger finds the unfinished run of a plan that was submitted before an upgrade."""
    groups = [one.group for one in make_plan(many_orders(3)).groups]
    of_today = "3bbd04d9a00498f7f2f98f6bbfac05be12335bce572ed3a88512ed077e43689d"
    assert fingerprint(groups, ("https://voice.example/voice", "key")) == of_today


def test_a_plan_shows_itself_and_hostile_text_is_text() -> None:
    """Summary and table, escaped, also for a terminal; a long one is shortened."""
    hostile = "<img src=x onerror=alert(1)>"
    plan = make_plan(orders_frame((hostile, "desk"), ("\x1b[2J\x1b[31mred", "desk"), ("\u202egnp", "line")))
    assert plan.summary in repr(plan)
    assert hostile in repr(plan)
    assert hostile not in plan._repr_html_()
    assert "&lt;img src=x" in plan._repr_html_()
    assert not {"\x1b", "\u202e"} & set(repr(plan))
    assert "\\x1b[2J\\x1b[31mred" in repr(plan)
    assert len(make_plan(many_orders(1000))._repr_html_()) < 20_000


def test_a_plan_can_be_made_from_a_file(tmp_path: Path) -> None:
    """Reading is part of it where the source is not a frame."""
    many_orders(2).to_csv(tmp_path / "phones.csv", index=False)
    assert len(make_plan(tmp_path / "phones.csv").table) == 2
    with pytest.raises(InputError):
        make_plan(tmp_path / "none.csv")


def test_a_trial_is_the_first_groups_to_create(client: Client) -> None:
    """What exists already is no trial; the rest of the orders is not part of it; only a whole number is a size."""
    client.create_phones(group("group-0", "phone-0"))
    plan = make_plan(many_orders(5), client)
    trial = plan.first(3)
    assert trial.table["groupName"].tolist() == ["group-1", "group-2", "group-3"]
    assert trial.summary == "Plan: 3 groups to create (9 phones), 0 already exist, 0 rows invalid, 0 in doubt."
    assert (trial.phones, plan.phones) == (9, 12)
    assert trial.fingerprint != plan.fingerprint
    assert len(plan.first(100).table) == 4
    assert plan.first(3).first(2).table["groupName"].tolist() == ["group-1", "group-2"]
    numbers: list[Any] = [0, -1, True, 1.5, "3"]
    for number in numbers:
        with pytest.raises(InputError, match=r"as in plan.first\(3\)"):
            plan.first(number)


def strange_orders() -> pd.DataFrame:
    frame = orders_frame((" sales", "desk", "120"), ("abc", "ü\ud800"), ("北京客服", "line"), ("there", "phone"))
    frame["Site"] = pd.Series(['"a"', "\n", None, "=1+1"], dtype=object)
    return read_orders(frame)


def assert_same(left: Plan, right: Plan) -> None:
    pd.testing.assert_frame_equal(left.orders, right.orders)
    pd.testing.assert_frame_equal(left.findings, right.findings)
    pd.testing.assert_frame_equal(left.table, right.table, check_dtype=False)
    assert vars(left.orders.attrs["itnio"]) == vars(right.orders.attrs["itnio"])
    assert (left.fingerprint, left.account_key, left.groups) == (right.fingerprint, right.account_key, right.groups)
    assert (left.summary, repr(left)) == (right.summary, repr(right))


def test_orders_are_packed_without_loss() -> None:
    """Cells, rows, extra columns, repairs and findings come back as they were, byte for byte when packed again."""
    plan = make_plan(strange_orders())
    packed = orders_to_json(plan.orders, plan.findings)
    orders, findings = orders_from_json(packed)
    pd.testing.assert_frame_equal(orders, plan.orders)
    pd.testing.assert_frame_equal(findings, plan.findings)
    assert vars(orders.attrs["itnio"]) == vars(plan.orders.attrs["itnio"])
    assert orders_to_json(orders, findings) == packed


def test_a_saved_plan_comes_back_as_it_was(client: Client, ledger: Ledger, tmp_path: Path) -> None:
    """With a client and without, with existing groups, and empty; no secret is in it: a colleague may have it."""
    client.create_phones(group("there", "phone"))
    client.create_phones(group("group-0", "phone-0"))
    record(ledger, open_run(ledger, 1, client.account), 0, State.CREATED)
    plans = [
        make_plan(strange_orders(), client, ledger),
        make_plan(strange_orders()),
        make_plan(orders_frame(), client, ledger),
        make_plan(orders_frame(("abc",))),
        make_plan(many_orders(2), client, ledger).first(1),
    ]
    for number, plan in enumerate(plans):
        path = plan.save(tmp_path / f"{number}.json")
        assert_same(Plan.load(path), plan)
        assert client.account.api_secret.reveal() not in path.read_text(encoding="utf-8")


def test_only_a_plan_is_replaced(tmp_path: Path) -> None:
    """The orders' own file survives a slip of the hand, and what lies beside it; nothing unfinished stays behind."""
    neighbours = [tmp_path / "plan.json.unfinished", tmp_path / "plan.tmp"]
    for path in neighbours:
        path.write_text("mine")
    orders = tmp_path / "orders.csv"
    many_orders(1).to_csv(orders, index=False)
    before = orders.read_bytes()
    plan = make_plan(many_orders(2))
    with pytest.raises(InputError, match="exists and is not a saved plan: choose another name"):
        plan.save(orders)
    assert orders.read_bytes() == before
    plan.first(1).save(tmp_path / "plan.json")
    plan.save(tmp_path / "plan.json")
    assert len(Plan.load(tmp_path / "plan.json").table) == 2
    assert set(tmp_path.iterdir()) == {orders, tmp_path / "plan.json", *neighbours}
    assert [path.read_text() for path in neighbours] == ["mine"] * 2
    with pytest.raises(InputError, match=r"cannot be written .*choose another path"):
        plan.save(tmp_path / "no" / "folder.json")
    with pytest.raises(InputError, match="cannot be written"):
        plan.save(tmp_path)


def test_what_is_no_plan_is_an_input_error(tmp_path: Path) -> None:
    """Missing, something else, cut off, changed by hand, from a newer version: each error ends with what to do."""
    path = make_plan(many_orders(2)).save(tmp_path / "plan.json")
    good = json.loads(path.read_text(encoding="utf-8"))

    def refused(contents: object, words: str) -> None:
        text = contents if isinstance(contents, str) else json.dumps(contents)
        path.write_text(text, encoding="utf-8")
        with pytest.raises(InputError, match=words):
            Plan.load(path)

    with pytest.raises(InputError, match=r"cannot be read .*check the name"):
        Plan.load(tmp_path / "none.json")
    refused("", "is not a saved plan")
    refused("{}", "is not a saved plan")
    refused("\ufeff\x00", "is not a saved plan")
    refused(json.dumps(good)[:-100], "changed or damaged")
    refused(good | {"version": 2}, "newer itnio-nb .*upgrade")
    for key in ("groups", "account", "fingerprint", "again", "orders"):
        refused({name: value for name, value in good.items() if name != key}, "changed or damaged")
        refused(good | {key: 7}, "changed or damaged")
    more = good["groups"] | {"data": [[*good["groups"]["data"][0]], [*good["groups"]["data"][1]]]}
    more["data"][0][2] = 50
    refused(good | {"groups": more}, "changed or damaged")
    more["data"][0][2], more["data"][0][5] = 3, "delete"
    refused(good | {"groups": more}, "changed or damaged")


def test_a_path_that_is_none_is_an_input_error() -> None:
    """For saving and loading."""
    plan = make_plan(many_orders(1))
    paths: list[Any] = ["", ".", "/", "nul\0byte", "sur\ud800rogate", None, 5]
    for path in paths:
        with pytest.raises(InputError, match="choose another path"):
            plan.save(path)
        with pytest.raises(InputError, match=r"check the name|is not a saved plan"):
            Plan.load(path)


def test_a_plan_with_other_columns_is_damaged(tmp_path: Path) -> None:
    """It would fail later, where nobody thinks of the file."""
    path = make_plan(many_orders(2)).save(tmp_path / "plan.json")
    good = path.read_text(encoding="ascii")
    row, endless = '\\"rows\\": [2,', f'\\"rows\\": [{10**30},'
    for old, new in (('\\"severity\\"', '\\"sternness\\"'), ('"why"', '"reason"'), (row, endless)):
        assert old in good
        path.write_text(good.replace(old, new), encoding="ascii")
        with pytest.raises(InputError, match="changed or damaged"):
            Plan.load(path)
