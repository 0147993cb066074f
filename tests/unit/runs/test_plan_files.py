"""Plans as text: what a run keeps of its orders, and plans in files."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from itnio_nb import Client, InputError, Ledger, Plan, Sandbox, StalePlanError, make_plan, read_orders, submit_plan
from itnio_nb.orders.export import orders_from_json, orders_to_json
from tests.support.factories import APP, group, many_orders, orders_frame


def strange_orders() -> pd.DataFrame:
    frame = orders_frame((" sales", "desk", "120"), ("abc", "ü\ud800"), ("北京客服", "line"), ("there", "phone"))
    frame["Site"] = pd.Series(['"a"', "\n", None, "=1+1"], dtype=object)
    return read_orders(frame)


def assert_same(left: Plan, right: Plan) -> None:
    pd.testing.assert_frame_equal(left.orders, right.orders)
    pd.testing.assert_frame_equal(left.findings, right.findings)
    pd.testing.assert_frame_equal(left.table, right.table, check_dtype=False)
    assert vars(left.orders.attrs["itnio"]) == vars(right.orders.attrs["itnio"])
    assert (left.fingerprint, left.made_for, left.again) == (right.fingerprint, right.made_for, right.again)
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
    """With a client and without, with existing groups, with groups to be made again, and empty."""
    client.create_phones(group("there", "phone"))
    submit_plan(make_plan(many_orders(1), client, ledger), client, ledger).wait()
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


def test_what_is_made_again_is_saved_with_its_receipt(
    sandbox: Sandbox, client: Client, ledger: Ledger, tmp_path: Path
) -> None:
    """A plan made with recreate=True keeps which receipts it overrules."""
    submit_plan(make_plan(many_orders(2), client, ledger), client, ledger).wait()
    for name in ("group-0", "group-1"):
        sandbox.delete_group(APP, name)
    again = make_plan(many_orders(2), client, ledger, recreate=True)
    assert len(again.again) == 2
    loaded = Plan.load(again.save(tmp_path / "plan.json"))
    assert_same(loaded, again)
    assert submit_plan(loaded, client, ledger).wait().counts == {"created": 2}


def test_a_saved_plan_holds_no_secret(client: Client, ledger: Ledger, tmp_path: Path) -> None:
    """It can be sent to a colleague."""
    text = make_plan(many_orders(3), client, ledger).save(tmp_path / "plan.json").read_text(encoding="utf-8")
    assert client.account.api_secret.reveal() not in text
    assert client.account.api_key in text


def test_only_a_plan_is_replaced(tmp_path: Path) -> None:
    """The orders' own file survives a slip of the hand, and nothing unfinished stays behind."""
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
    assert sorted(path.name for path in tmp_path.iterdir()) == ["orders.csv", "plan.json"]
    with pytest.raises(InputError, match=r"cannot be written .*choose another path"):
        plan.save(tmp_path / "no" / "folder.json")
    with pytest.raises(InputError, match="cannot be written"):
        plan.save(tmp_path)


def test_what_is_no_plan_is_said_in_words(tmp_path: Path) -> None:
    """Missing, something else, cut off, changed by hand, from a newer version: each says what to do."""
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


def test_neighbours_of_a_saved_plan_are_left_alone(tmp_path: Path) -> None:
    """Whatever lies beside it, by whatever name."""
    (tmp_path / "plan.json.unfinished").write_text("mine")
    (tmp_path / "plan.tmp").write_text("mine too")
    make_plan(many_orders(1)).save(tmp_path / "plan.json")
    assert (tmp_path / "plan.json.unfinished").read_text() == "mine"
    assert (tmp_path / "plan.tmp").read_text() == "mine too"


@pytest.mark.parametrize("path", ["", ".", "/", "nul\0byte", "sur\ud800rogate", None, 5])
def test_a_path_that_is_none_is_said(path: str) -> None:
    """For saving and loading."""
    with pytest.raises(InputError, match="choose another path"):
        make_plan(many_orders(1)).save(path)
    with pytest.raises(InputError, match=r"check the name|is not a saved plan"):
        Plan.load(path)


def test_a_plan_with_other_columns_is_damaged(tmp_path: Path) -> None:
    """It would fail later, where nobody looks for the file."""
    path = make_plan(many_orders(2)).save(tmp_path / "plan.json")
    good = path.read_text(encoding="ascii")
    row, endless = '\\"rows\\": [2,', f'\\"rows\\": [{10**30},'
    for old, new in (('\\"severity\\"', '\\"sternness\\"'), ('"why"', '"reason"'), (row, endless)):
        assert old in good
        path.write_text(good.replace(old, new), encoding="ascii")
        with pytest.raises(InputError, match="changed or damaged"):
            Plan.load(path)


def test_a_plan_to_make_again_is_stale_once_it_was_made_again(
    sandbox: Sandbox, client: Client, ledger: Ledger, tmp_path: Path
) -> None:
    """Deleted once more, it is not told as existing: somebody has to look."""
    submit_plan(make_plan(many_orders(1), client, ledger), client, ledger).wait()
    sandbox.delete_group(APP, "group-0")
    make_plan(many_orders(1), client, ledger, recreate=True).save(tmp_path / "plan.json")
    assert submit_plan(Plan.load(tmp_path / "plan.json"), client, ledger).wait().counts == {"created": 1}
    sandbox.delete_group(APP, "group-0")
    with pytest.raises(StalePlanError, match=r"create → create anew \(sent again since\)"):
        submit_plan(Plan.load(tmp_path / "plan.json"), client, ledger)
