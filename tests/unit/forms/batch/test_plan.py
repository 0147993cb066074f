"""Steps 2 and 3 of a batch: what will be done is shown, saved, tried on a few, and confirmed by a number."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest

from itnio_nb import BatchForm, Client, Ledger, Plan, Sandbox, make_plan, submit_plan
from tests.support.factories import APP, group, many_orders, orders_frame, sent
from tests.support.forms import (
    Batch,
    click,
    columns_of,
    data_of,
    downloads_of,
    marks_in,
    status,
    text_of,
    wait_for_poll,
)


def summary(batch: Batch) -> str:
    return text_of(batch.form.plan.summary)


def try_out(batch: Batch, on: bool, first: int = 3) -> None:
    batch.form.plan.trial.value, batch.form.plan.first.value = on, first
    wait_for_poll(batch.form)


def test_planning_shows_what_will_be_done(batch: Batch, client: Client, sandbox: Sandbox) -> None:
    """What is to be created, what exists already, what is invalid; nothing is sent; planning again asks anew."""
    client.create_phones(group("sales", "desk"))
    batch.plan(orders_frame(("sales", "desk"), ("hotline", "hotln", "120"), ("abc",)))
    words = "Plan: 3 groups to create (120 phones), 1 already exists, 1 row invalid, 0 in doubt."
    assert summary(batch) == words
    assert repr(batch.form) == f"BatchForm: SANDBOX. Step 2 Plan.\n{words}"
    table = data_of(batch.form.plan.grid)
    assert table["action"].tolist() == ["exists", "create", "create", "create"]
    assert table["groupName"].tolist() == ["sales", "hotline", "hotline_2", "hotline_3"]
    assert table["why"].tolist()[0].startswith("the account has it: 3 phones")
    assert table.index.tolist() == [2, 3, 3, 3]
    assert sent(sandbox) == 1
    client.create_phones(group("hotline", "hotln", 50))
    click(batch.form, batch.form.plan.again)
    assert "2 groups to create (70 phones), 2 already exist" in summary(batch)


def test_a_trial_is_the_first_few(batch: Batch, sandbox: Sandbox) -> None:
    """It alone is confirmed, anew, and sent; afterwards the rest can be planned."""
    batch.plan(many_orders(6))
    batch.confirm()
    try_out(batch, on=True)
    assert summary(batch).startswith("Trial. Plan: 3 groups to create (9 phones)")
    assert len(data_of(batch.form.plan.grid)) == 3
    assert (batch.form.confirm.typed.value, batch.form.confirm.submit.disabled) == ("", True)
    try_out(batch, on=True, first=4)
    assert text_of(batch.form.confirm.hint) == "Type 12 to confirm."
    batch.submit()
    assert sent(sandbox) == 4
    assert batch.sizes == {"Created": 4}
    assert "2 orders were not part of this run, a trial." in text_of(batch.form.result.summary)
    click(batch.form, batch.form.steps[0], batch.form.plan_it)
    try_out(batch, on=False)
    assert "2 groups to create (6 phones), 4 already exist" in summary(batch)


def test_what_was_deleted_in_the_account_can_be_made_again(
    batch: Batch, sandbox: Sandbox, client: Client, ledger: Ledger
) -> None:
    """Only if one asks for it; without, it is in doubt and not sent."""
    submit_plan(make_plan(many_orders(1), client, ledger), client, ledger).wait()
    sandbox.delete_group(APP, "group-0")
    batch.plan(many_orders(1))
    assert "0 groups to create (0 phones)" in summary(batch)
    assert "1 in doubt. What is in doubt is looked up when the plan is submitted" in summary(batch)
    assert "1 group in doubt will be looked up and not sent." in text_of(batch.form.confirm.sentence)
    batch.form.plan.recreate.value = True
    click(batch.form, batch.form.plan.again)
    assert "1 group to create (3 phones)" in summary(batch)
    batch.submit()
    assert batch.sizes == {"Created": 1}
    assert len(sandbox.phones) == 3


def test_a_plan_is_saved_and_read(
    batch: Batch, client: Client, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the package saves it, for this form or another, by path or from the page: it goes on with the plan.

    A trial is saved as the trial that it is; no secret is in it. A file that is no plan is not replaced.
    """
    files, form = downloads_of(batch.form, monkeypatch), batch.form
    Path("plan.json").write_text("my notes")
    batch.plan(many_orders(5))
    click(form, form.plan.save)
    assert "exists and is not a saved plan" in status(form)
    assert Path("plan.json").read_text() == "my notes"
    form.plan.path.value = " batch.json "
    click(form, form.plan.save)
    assert status(form).startswith("The plan was saved to batch.json.")
    assert Plan.load("batch.json").summary == summary(batch)
    with closing(BatchForm(client, ledger)) as other:
        Batch(other).read("batch.json")
        assert Batch(other).step == "2 Plan"
        assert len(other.orders.orders) == 5
        assert text_of(other.confirm.hint) == "Type 15 to confirm."
    try_out(batch, on=True)
    click(form, form.plan.download)
    assert client.account.api_secret.reveal().encode() not in files["plan.json"]
    click(form, form.result.new)
    try_out(batch, on=False)
    batch.upload("plan.json", files["plan.json"])
    assert "3 groups to create (9 phones)" in summary(batch)
    assert batch.step == "2 Plan"


def test_a_plan_for_another_account_is_refused(batch: Batch, ledger: Ledger) -> None:
    """Nobody submits a rehearsed plan to the live account."""
    with Sandbox() as other, Client(other.account) as theirs:
        make_plan(many_orders(1), theirs, ledger).save("plan.json")
        batch.read("plan.json")
        batch.submit()
        assert "made for another account or address" in status(batch.form)
        assert sent(other) == 0


def test_submit_is_disabled_until_the_number_is_typed(batch: Batch) -> None:
    """The number of phones, with or without separators; anything else leaves it disabled.

    The sentence names the applications, each with its phones; of many the first, and how many more.
    """
    batch.plan(pd.concat([many_orders(1, app_id=f"app-{at}") for at in range(7)]))
    sentence = text_of(batch.form.confirm.sentence)
    assert "21 phones in 7 groups" in sentence
    assert "3 phones in application app-4, the rest in 2 more." in sentence
    batch.plan(many_orders(1, quantity=1234))
    click(batch.form, batch.form.on_to_confirm)
    confirm = batch.form.confirm
    sentence = f"Submitting creates 1,234 phones in 25 groups on SANDBOX, application {APP}."
    assert text_of(confirm.sentence) == f"{sentence} The API cannot delete them."
    for typed in ("", "1233", "1234.0", "-1234", "x", "１２３４", "9" * 5000, "²"):
        confirm.typed.value = typed
        assert (confirm.submit.disabled, text_of(confirm.hint)) == (True, "Type 1234 to confirm.")
    for typed in ("1234", "1,234", " 1 234 "):
        confirm.typed.value = typed
        assert (confirm.submit.disabled, text_of(confirm.hint)) == (False, "Confirmed.")


def test_a_rate_that_is_none_is_shown(batch: Batch, sandbox: Sandbox) -> None:
    """Nothing is sent, and it can be mended; the rate is kept, and so are the requests at once."""
    batch.plan(many_orders(6))
    for rate in ("x", "nan", "0"):
        batch.form.confirm.rate.value = rate
        batch.submit()
        assert status(batch.form).startswith("Error: ")
        assert sent(sandbox) == 0
    batch.form.confirm.rate.value, batch.form.confirm.workers.value = " 10 ", 1
    batch.submit()
    times = [served.at for served in sandbox.log if served.endpoint == "sipAdd"]
    assert max(times) - min(times) >= 0.25  # half a second, but for how late the first was served


def test_what_stands_out_comes_first(batch: Batch, client: Client) -> None:
    """What exists otherwise than ordered and what may be refused, marked and counted; the rest in its order."""
    client.create_phones(group("group-1", "phone-1", 8))
    client.create_phones(group("group-2", "phone-2"))
    client.create_phones(group("others", "phone-3"))
    batch.plan(many_orders(5))
    table = data_of(batch.form.plan.grid)
    assert table["groupName"].tolist() == ["group-1", "group-3", "group-0", "group-2", "group-4"]
    assert table["why"].tolist()[:2] == [
        "the account has it: 8 phones, 3 asked for",
        "likely to be refused: the phone name belongs to group others of the account",
    ]
    assert marks_in(batch.form.plan.grid) == [3, 5]
    words = "1 group exists otherwise than ordered and 1 group may be refused."
    assert summary(batch).endswith(f"0 in doubt.\nLook at these first: {words}")
    assert text_of(batch.form.confirm.warning) == words
    client.create_phones(group("large", "lines", 20))
    batch.plan(orders_frame(("large", "lines", "120"), ("hotline", "hotln", "60")))
    table = data_of(batch.form.plan.grid)
    assert table["groupName"].tolist() == ["large", "large_2", "large_3", "hotline", "hotline_2"]
    assert marks_in(batch.form.plan.grid) == [0]  # by place, since rows have several groups


def test_a_column_that_says_nothing_is_hidden(batch: Batch, client: Client) -> None:
    """Where all is to be created there is no `why`; it comes back with the first reason."""
    batch.plan(many_orders(2))
    shown = [column["name"] for column in columns_of(batch.form.plan.grid)]
    assert shown == ["groupName", "action", "phoneName", "quantity", "displayNum", "appId"]
    client.create_phones(group("group-1", "phone-1"))
    click(batch.form, batch.form.plan.again)
    assert "why" in [column["name"] for column in columns_of(batch.form.plan.grid)]


def test_rows_that_are_left_out_are_said_before_they_are(batch: Batch) -> None:
    """Those with errors, and those that a trial leaves alone, each counted in rows of the file."""
    confirm = batch.form.confirm
    batch.plan(many_orders(3))
    assert text_of(confirm.warning) == ""
    batch.plan(pd.concat([many_orders(6, 70), orders_frame(("abc",), ("ab",))]))
    assert text_of(confirm.warning) == "2 of 8 rows are left out: they have errors."
    assert "class='warning'" in confirm.warning.value
    try_out(batch, on=True)  # three groups: the first row, and a half of the second
    words = "2 of 8 rows are left out: they have errors.\n5 of 8 rows are left alone: this is a trial."
    assert text_of(confirm.warning) == words
    batch.plan(pd.concat([many_orders(2), orders_frame(("abc",))]))
    try_out(batch, on=False)
    assert text_of(confirm.warning) == "1 of 3 rows is left out: it has errors."


def test_nothing_to_create_asks_for_no_number(batch: Batch, sandbox: Sandbox, client: Client) -> None:
    """It says that nothing will be sent, and sends nothing; what is there is recorded at one click."""
    confirm = batch.form.confirm
    submit_plan(make_plan(many_orders(42)), client, batch.form.account.workspace.ledger).wait()
    batch.plan(many_orders(42))
    words = "All 42 groups exist already: nothing is left to create on SANDBOX. Submitting sends nothing, and records"
    assert text_of(confirm.sentence) == f"{words} what is there."
    assert confirm.typed.layout.display == "none"
    assert text_of(confirm.hint) == ""
    asked = sent(sandbox)
    click(batch.form, confirm.submit)
    assert (sent(sandbox), batch.sizes) == (asked, {"Existed": 42})
    sandbox.app_ids = []
    batch.plan(many_orders(1, app_id="gone"))
    assert text_of(confirm.sentence) == "Nothing can be submitted: no row is without errors."
    assert confirm.submit.disabled


def test_what_is_in_doubt_alone_needs_no_number(batch: Batch, sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """It is looked up, and not sent."""
    submit_plan(make_plan(many_orders(1), client, ledger), client, ledger).wait()
    sandbox.delete_group(APP, "group-0")
    batch.plan(many_orders(1))
    words = "Nothing is left to create on SANDBOX. Submitting sends nothing, and records what is there."
    assert text_of(batch.form.confirm.sentence) == f"{words} 1 group in doubt will be looked up and not sent."
    asked = sent(sandbox)
    click(batch.form, batch.form.confirm.submit)
    assert (sent(sandbox), batch.sizes) == (asked, {"Unknown": 1})
