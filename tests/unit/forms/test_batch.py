"""A batch, by clicking: every button in every state, from a spreadsheet to phones, whatever happens in between."""

from __future__ import annotations

import io
import stat
import threading
import zipfile
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

import ipywidgets as widgets
import pandas as pd
import pytest

from itnio_nb import Account, Client, Ledger, Plan, Sandbox, make_plan, read_orders, resume, submit_plan
from itnio_nb.forms.account import _own_sandbox
from itnio_nb.forms.batch.form import BatchForm
from tests.support.factories import APP, group, many_orders, orders_frame, until
from tests.unit.forms.test_base import HOSTILE, SOME_HOSTILE, assert_harmless_below, files_of, text_of
from tests.unit.forms.test_monitor import elsewhere, sent

pytestmark = pytest.mark.slow
STEPS = ["1 Orders", "2 Plan", "3 Confirm", "4 Submit", "5 Result"]
RESULT_BUTTONS = ("settle", "rest", "download", "hand_over", "fetch", "new")


@pytest.fixture
def form(client: Client, ledger: Ledger) -> Iterator[BatchForm]:
    with closing(BatchForm(client, ledger)) as made:
        yield made


def settle(form: BatchForm, seconds: float = 20) -> None:
    """Wait for what was asked for, a run included, and for the look that may be under way after it."""
    form.wait(seconds)
    form.ask(lambda: None)
    form.wait(seconds)


def click(form: BatchForm, *buttons: widgets.Button) -> None:
    for button in buttons:
        assert not button.disabled, button.description
        button.click()
        settle(form)


def paste(form: BatchForm, frame: pd.DataFrame) -> None:
    form.orders.paste.value = frame.to_csv(sep="\t", index=False)
    click(form, form.orders.read_pasted)


def upload(form: BatchForm, name: str, data: bytes) -> None:
    """As the page gives a chosen file."""
    file = {
        "name": name,
        "type": "",
        "size": len(data),
        "content": memoryview(data),
        "last_modified": datetime.now(UTC),
    }
    form.orders.upload.value = (file,)
    settle(form)


def type_cell(form: BatchForm, row: int, column: str, value: str) -> None:
    """As the page tells what was typed into a cell."""
    grid = form.orders.table.grid
    place, index = form.orders.table.rows.index(row), grid._column_name_to_index(column)
    message = {"event_type": "cell-changed", "region": "body", "row": place, "column_index": index, "value": value}
    grid._handle_custom_msg(message, [])
    settle(form)


def select(form: BatchForm, *rows: int, column: str = "groupName") -> None:
    table = form.orders.table
    at = table.grid._column_name_to_index(column)
    places = [table.rows.index(row) for row in rows]
    table.grid.selections = [{"r1": place, "r2": place, "c1": at, "c2": at} for place in places]
    settle(form)


def plan(form: BatchForm, frame: pd.DataFrame) -> None:
    paste(form, frame)
    click(form, form.plan_it)


def confirm(form: BatchForm) -> None:
    """Type the number that is asked for."""
    assert form.confirm.plan is not None
    form.confirm.typed.value = str(form.confirm.plan.phones)


def submit(form: BatchForm, frame: pd.DataFrame) -> None:
    plan(form, frame)
    click(form, form.on_to_confirm)
    confirm(form)
    click(form, form.confirm.submit)


def step(form: BatchForm) -> str:
    """The step that is shown, as widgets and text alike say."""
    (current,) = [str(button.description) for button in form.steps if "itnio-current" in button._dom_classes]
    assert STEPS[form.panels.selected_index] == current
    assert f"Step {current}." in repr(form)
    return current


def reachable(form: BatchForm) -> list[str]:
    return [button.description[0] for button in form.steps if not button.disabled]


def live(form: BatchForm) -> set[str]:
    """The buttons that can be pressed, steps and entrance aside."""
    entrance = {"Use this account", "Rehearse on a sandbox"}
    return {button.description for button in form._buttons if not button.disabled} - entrance


def sizes(form: BatchForm) -> dict[str, int]:
    told = [title.rsplit(" ", 1) for title in form.result.tabs.titles]
    return {name: int(size) for name, size in told if size != "0"}


def said(form: BatchForm) -> str:
    return text_of(form.said)


# The steps, and what can be pressed in each state.

READING = {"Read", "Read what is pasted", "Add a row"}
HAVING = {*READING, "Delete selected rows", "Download to mend", "New batch"}
PLANNED = {*HAVING, "Plan", "Plan again", "Save the plan", "Download the plan", "Go on to confirm"}


def test_it_begins_with_orders(form: BatchForm) -> None:
    """Nothing else can be reached or pressed."""
    assert step(form) == "1 Orders"
    assert reachable(form) == ["1"]
    assert live(form) == {*READING, "New batch"}
    assert form.watch.stop.disabled
    assert text_of(form.orders.counts) == "No orders yet: upload a file, give its path, paste rows, or add one."
    assert repr(form) == "BatchForm: SANDBOX. Step 1 Orders.\n0 orders, 0 without errors."
    assert [button.description for button in form.steps] == STEPS


def test_the_buttons_live_as_far_as_one_has_come(form: BatchForm) -> None:
    """State after state, to the end and back to another batch."""
    paste(form, orders_frame(("abc",)))
    assert (reachable(form), live(form)) == (["1"], HAVING)  # nothing valid to plan
    paste(form, orders_frame(("sales",)))
    assert (reachable(form), live(form)) == (["1"], {*HAVING, "Plan"})
    click(form, form.plan_it)
    assert step(form) == "2 Plan"
    assert (reachable(form), live(form)) == (["1", "2", "3"], PLANNED)
    click(form, form.on_to_confirm)
    assert step(form) == "3 Confirm"
    assert live(form) == PLANNED
    confirm(form)
    assert live(form) == {*PLANNED, "Submit"}
    click(form, form.confirm.submit)
    assert step(form) == "5 Result"
    assert reachable(form) == ["1", "4", "5"]
    assert live(form) == {*HAVING, "Plan", "Download results", "Hand over"}
    assert form.watch.stop.disabled
    click(form, form.result.hand_over)
    assert live(form) == {*HAVING, "Plan", "Download results", "Hand over", "Download the hand-over"}
    click(form, form.result.new)
    assert step(form) == "1 Orders"
    assert live(form) == {*READING, "New batch", "Download results", "Hand over", "Download the hand-over"}


def test_the_buttons_during_a_run(form: BatchForm, sandbox: Sandbox) -> None:
    """Nothing can be submitted, settled or gone on with; one may look at the other steps."""
    sandbox.latency = 0.1
    plan(form, many_orders(200))
    confirm(form)
    form.confirm.submit.click()
    until(lambda: form.watch.at_work and step(form) == "4 Submit" and not form.watch.stop.disabled)
    until(lambda: not form._acting.locked())
    assert reachable(form) == ["1", "2", "3", "4"]
    assert form.confirm.submit.disabled
    assert [name for name in RESULT_BUTTONS if not getattr(form.result, name).disabled] == []
    confirm(form)
    assert form.confirm.submit.disabled
    form.steps[0].click()
    until(lambda: step(form) == "1 Orders")
    form.watch.stop.click()
    settle(form)
    assert step(form) == "1 Orders"  # nobody is torn away from where he looks


def test_one_goes_back_and_forth(form: BatchForm) -> None:
    """Each step that can be reached is a click away, and keeps what it has."""
    plan(form, many_orders(3))
    for at in (2, 0, 1, 2, 1):
        click(form, form.steps[at])
        assert step(form) == STEPS[at]
    assert form.plan.whole is not None
    assert len(form.orders.orders) == 3


# 1 Orders.


@pytest.mark.parametrize("name", ["orders.xlsx", "orders.csv", "ORDERS.CSV"])
def test_a_file_is_uploaded(name: str, form: BatchForm) -> None:
    """Its name, kind and size are told; its contents stay in no widget."""
    frame = many_orders(3).assign(Site="Hall")
    data = io.BytesIO()
    if name.endswith("xlsx"):
        frame.to_excel(data, index=False, engine="xlsxwriter")
    else:
        frame.to_csv(data, index=False)
    upload(form, name, data.getvalue())
    assert form.orders.orders["groupName"].tolist() == ["group-0", "group-1", "group-2"]
    assert form.orders.orders["Site"].tolist() == ["Hall"] * 3
    assert text_of(form.orders.source).startswith(f"{name}: ")
    assert text_of(form.orders.counts) == "3 orders · 0 rows with errors · 0 warnings · 0 repaired"
    assert form.orders.upload.value == ()
    assert repr(form).endswith("3 orders, 3 without errors.")


def test_the_same_file_can_be_uploaded_again(form: BatchForm) -> None:
    """Mended meanwhile, under the same name."""
    for number in (3, 2):
        upload(form, "orders.csv", many_orders(number).to_csv(index=False).encode())
        assert len(form.orders.orders) == number


def test_a_path_is_read(form: BatchForm) -> None:
    """Blanks around it do no harm."""
    many_orders(4).to_csv("orders.csv", index=False)
    form.orders.path.value = " orders.csv "
    click(form, form.orders.read)
    assert len(form.orders.orders) == 4
    assert text_of(form.orders.source).startswith("orders.csv: CSV")


def test_rows_are_pasted(form: BatchForm) -> None:
    """With their headers, as a spreadsheet gives them."""
    paste(form, many_orders(2))
    assert form.orders.table.rows == [2, 3]
    assert form.orders.table.grid.data["groupName"].tolist() == ["group-0", "group-1"]


def test_the_application_may_be_given_for_all(form: BatchForm) -> None:
    """Where the table has no such column; where it has one, that is said."""
    form.orders.app_id.value = f" {APP} "
    paste(form, many_orders(2).drop(columns="appId"))
    assert form.orders.orders["appId"].tolist() == [APP, APP]
    assert form.orders.valid == 2
    paste(form, many_orders(3))
    assert said(form).startswith("Error: ")
    assert "appId" in said(form)
    assert len(form.orders.orders) == 2


def give_nothing_pasted(form: BatchForm) -> None:
    form.orders.paste.value = "  \n "
    form.orders.read_pasted.click()


def give_one_line(form: BatchForm) -> None:
    form.orders.paste.value = "groupName\tphoneName"
    form.orders.read_pasted.click()


def give_no_headers(form: BatchForm) -> None:
    form.orders.paste.value = "a\tb\nc\td"
    form.orders.read_pasted.click()


def give_no_path(form: BatchForm) -> None:
    form.orders.path.value = " "
    form.orders.read.click()


def give_missing_file(form: BatchForm) -> None:
    form.orders.path.value = "missing.xlsx"
    form.orders.read.click()


def give_folder(form: BatchForm) -> None:
    form.orders.path.value = "."
    form.orders.read.click()


def give_no_plan(form: BatchForm) -> None:
    Path("other.json").write_text("{}")
    form.orders.path.value = "other.json"
    form.orders.read.click()


def give_damaged_plan(form: BatchForm) -> None:
    make_plan(many_orders(3)).save("plan.json")
    Path("plan.json").write_text(Path("plan.json").read_text().replace("group-0", "group-9"))
    form.orders.path.value = "plan.json"
    form.orders.read.click()


def give_empty_file(form: BatchForm) -> None:
    upload(form, "empty.csv", b"")


def give_picture(form: BatchForm) -> None:
    upload(form, "picture.xlsx", b"\x89PNG\r\n\x1a\n" + bytes(range(256)))


def give_json_upload(form: BatchForm) -> None:
    upload(form, "other.json", b"[1, 2]")


@pytest.mark.parametrize(
    ("give", "words"),
    [
        (give_nothing_pasted, "Paste a row of headers"),
        (give_one_line, "at least one order below it"),
        (give_no_headers, "no column for groupName, phoneName"),
        (give_no_path, "Write the path of a file first"),
        (give_missing_file, "There is no file missing.xlsx"),
        (give_folder, "."),
        (give_no_plan, "is not a saved plan"),
        (give_damaged_plan, "was changed or damaged after it was saved"),
        (give_empty_file, "empty.csv"),
        (give_picture, "picture.xlsx"),
        (give_json_upload, "is not a saved plan"),
    ],
)
def test_what_cannot_be_read_leaves_the_orders(give: object, words: str, form: BatchForm) -> None:
    """As they were, with their plan; it is said in words, and the next try works."""
    plan(form, many_orders(2))
    click(form, form.steps[0])
    assert callable(give)
    give(form)
    settle(form)
    assert said(form).startswith("Error: ")
    assert words in said(form)
    assert "Traceback" not in said(form)
    assert "This should not have happened" not in said(form)
    assert (len(form.orders.orders), step(form)) == (2, "1 Orders")
    assert form.plan.whole is not None
    paste(form, many_orders(3))
    assert (said(form), len(form.orders.orders)) == ("", 3)


def test_what_is_wrong_is_told(form: BatchForm) -> None:
    """In the counts, in a list, in the grid's column of findings, and for a selected cell in full."""
    paste(form, orders_frame(("abc", "desk", "x"), ("sales", "line", "3", "+861000000")))
    assert text_of(form.orders.counts) == "2 orders · 1 row with errors · 0 warnings · 1 repaired"
    assert "class='error'" in form.orders.counts.value
    assert "3 findings as a list" in form.orders.list.value
    marks = form.orders.table.grid.data["finding"].tolist()
    assert marks[0].startswith("error: groupName has 3 characters")
    assert marks[1] == "repaired: displayNum had a + before it"
    select(form, 2, column="quantity")
    told = text_of(form.orders.told)
    assert told.startswith("Row 2, quantity: error: 'x' is not a whole number.")
    assert "groupName" not in told
    select(form, 2, column="appId")
    assert len(text_of(form.orders.told).splitlines()) == 2
    paste(form, many_orders(1))
    select(form, 2)
    assert text_of(form.orders.told) == "Row 2: nothing is wrong."
    assert form.orders.list.value == ""


def test_a_bad_cell_is_mended_by_typing(form: BatchForm) -> None:
    """Checked at once, in the same grid; the order can be planned then."""
    paste(form, orders_frame(("abc", "desk"), ("sales", "line")))
    grid = form.orders.table.grid
    type_cell(form, 2, "groupName", "support")
    assert form.orders.table.grid is grid
    assert form.orders.orders["groupName"].tolist() == ["support", "sales"]
    assert text_of(form.orders.counts) == "2 orders · 0 rows with errors · 0 warnings · 0 repaired"
    assert text_of(form.orders.told) == "Row 2: nothing is wrong."
    assert grid.data["finding"].tolist() == ["", ""]
    assert form.orders.list.value == ""
    click(form, form.plan_it)
    assert "2 groups to create" in repr(form)


def test_a_cell_that_was_good_can_be_spoilt(form: BatchForm) -> None:
    """That is told as soon, with the column."""
    paste(form, many_orders(2))
    type_cell(form, 3, "displayNum", "123")
    assert "1 row with errors" in text_of(form.orders.counts)
    assert text_of(form.orders.told).startswith("Row 3, displayNum: error: '123' has 3 digits")
    assert form.orders.table.grid.data["finding"].tolist()[1].startswith("error: displayNum has 3 digits")


def test_what_is_typed_is_mended_too(form: BatchForm) -> None:
    """As a file's cells are; the grid shows what it became."""
    paste(form, many_orders(1))
    type_cell(form, 2, "displayNum", "+86 100-0000")
    assert form.orders.orders["displayNum"].tolist() == ["861000000"]
    assert form.orders.table.grid.data["displayNum"].tolist() == ["861000000"]
    assert "1 repaired" in text_of(form.orders.counts)


def test_a_duplicate_is_told_where_it_is(form: BatchForm) -> None:
    """An edit of one row may make another one wrong."""
    paste(form, many_orders(2))
    type_cell(form, 2, "groupName", "group-1")
    marks = form.orders.table.grid.data["finding"].tolist()
    assert marks[0] == ""
    assert marks[1].startswith("error: groupName")


def test_other_columns_can_be_edited_and_findings_not(form: BatchForm) -> None:
    """What the form says itself is put back."""
    paste(form, many_orders(1).assign(Site="Hall"))
    type_cell(form, 2, "Site", "Roof")
    assert form.orders.orders["Site"].tolist() == ["Roof"]
    type_cell(form, 2, "finding", "all is well")
    assert form.orders.table.grid.data["finding"].tolist() == [""]
    assert "finding" not in form.orders.orders.columns


def test_an_edit_makes_the_plan_old(form: BatchForm, sandbox: Sandbox) -> None:
    """What was planned is not what would be sent: Submit is dead until it is planned again."""
    plan(form, many_orders(2))
    confirm(form)
    assert not form.confirm.submit.disabled
    type_cell(form, 2, "quantity", "9")
    assert form.plan.whole is None
    assert form.confirm.submit.disabled
    assert reachable(form) == ["1"]
    assert text_of(form.confirm.sentence) == "Nothing is planned yet."
    form.confirm.submit.disabled = False
    click(form, form.confirm.submit)
    assert sent(sandbox) == 0
    click(form, form.plan_it)
    assert form.confirm.typed.value == ""
    assert "Type 12 to confirm." in text_of(form.confirm.hint)


def test_a_row_is_added_to_nothing(form: BatchForm) -> None:
    """And typed cell by cell, up to phones."""
    form.orders.app_id.value = APP
    click(form, form.orders.add)
    assert len(form.orders.orders) == 1
    (row,) = form.orders.table.rows
    for column, value in {
        "groupName": "sales",
        "phoneName": "desk",
        "quantity": "3",
        "displayNum": "861000000",
    }.items():
        type_cell(form, row, column, value)
    assert form.orders.valid == 1
    assert form.orders.orders["appId"].tolist() == [APP]
    click(form, form.plan_it)
    assert "1 group to create (3 phones)" in repr(form)


def test_a_row_is_added_at_the_end(form: BatchForm) -> None:
    """With the most used application, and a number of its own."""
    paste(form, many_orders(3))
    click(form, form.orders.add)
    assert form.orders.table.rows == [2, 3, 4, 5]
    assert form.orders.orders.to_numpy()[3].tolist() == ["", "", "", "", APP]
    assert text_of(form.orders.told) == "Row 5 was added at the end: type into its cells."
    assert "1 row with errors" in text_of(form.orders.counts)


def test_selected_rows_are_deleted(form: BatchForm) -> None:
    """Those alone; the others keep the numbers that the spreadsheet shows."""
    paste(form, many_orders(5))
    select(form, 3, 5)
    click(form, form.orders.delete)
    assert form.orders.table.rows == [2, 4, 6]
    assert form.orders.orders["groupName"].tolist() == ["group-0", "group-2", "group-4"]
    assert text_of(form.orders.told) == "2 rows deleted."
    type_cell(form, 6, "quantity", "7")
    assert form.orders.orders["quantity"].tolist() == ["3", "3", "7"]
    click(form, form.orders.add)
    assert form.orders.table.rows == [2, 4, 6, 7]


def test_rows_that_were_cut_to_their_first_keep_their_number(form: BatchForm) -> None:
    """Deleting may leave rows whose numbers look like a table's own."""
    paste(form, many_orders(3))
    select(form, 3, 4)
    click(form, form.orders.delete)
    assert form.orders.table.rows == [2]
    assert form.orders.orders.index.tolist() == [2]


def test_deleting_what_is_not_selected_is_said(form: BatchForm) -> None:
    """And deletes nothing."""
    paste(form, many_orders(2))
    click(form, form.orders.delete)
    assert said(form) == "Error: Select cells of the rows that are to be deleted first."
    assert len(form.orders.orders) == 2


def test_all_rows_may_be_deleted(form: BatchForm) -> None:
    """Then there is nothing to plan, and one may begin anew."""
    plan(form, many_orders(2))
    click(form, form.steps[0])
    select(form, 2, 3)
    click(form, form.orders.delete)
    assert form.orders.orders.empty
    assert form.plan_it.disabled
    assert reachable(form) == ["1"]
    assert text_of(form.orders.counts).startswith("No orders yet")
    click(form, form.orders.add)
    assert len(form.orders.orders) == 1


def test_only_rows_with_findings_are_shown(form: BatchForm) -> None:
    """An edit there reaches its row; back, all are shown."""
    paste(form, orders_frame(("sales",), ("abc", "line"), ("other", "room"), ("xyz", "hall")))
    form.orders.only.value = True
    settle(form)
    assert form.orders.table.rows == [3, 5]
    type_cell(form, 5, "groupName", "support")
    assert form.orders.orders["groupName"].tolist() == ["sales", "abc", "other", "support"]
    select(form, 3)
    click(form, form.orders.delete)
    assert form.orders.orders["groupName"].tolist() == ["sales", "other", "support"]
    form.orders.only.value = False
    settle(form)
    assert form.orders.table.rows == [2, 4, 5]


def test_the_orders_are_downloaded_to_be_mended(form: BatchForm, monkeypatch: pytest.MonkeyPatch) -> None:
    """A spreadsheet for the page that can be uploaded again; nothing is left in any folder."""
    files = files_of(form, monkeypatch)
    paste(form, orders_frame(("abc", "desk"), ("sales", "line")))
    click(form, form.orders.mend)
    assert list(files) == ["to-mend.xlsx"]
    assert files["to-mend.xlsx"].startswith(b"PK")
    upload(form, "to-mend.xlsx", files["to-mend.xlsx"])
    assert form.orders.orders["groupName"].tolist() == ["abc", "sales"]
    assert not list(Path().glob("*mend*"))


# 2 Plan.


def test_planning_tells_what_will_be_done(form: BatchForm, client: Client, sandbox: Sandbox) -> None:
    """What is to be created, what exists already, what is invalid; nothing is sent."""
    client.create_phones(group("sales", "desk"))
    plan(form, orders_frame(("sales", "desk"), ("hotline", "hotln", "120"), ("abc",)))
    words = "Plan: 3 groups to create (120 phones), 1 already exists, 1 row invalid, 0 in doubt."
    assert text_of(form.plan.summary) == words
    assert repr(form) == f"BatchForm: SANDBOX. Step 2 Plan.\n{words}"
    table = form.plan.table.grid.data
    assert table["action"].tolist() == ["exists", "create", "create", "create"]
    assert table["groupName"].tolist() == ["sales", "hotline", "hotline_2", "hotline_3"]
    assert table["why"].tolist()[0].startswith("the account has it: 3 phones")
    assert table.index.tolist() == [2, 3, 3, 3]
    assert sent(sandbox) == 1


def test_planning_again_asks_anew(form: BatchForm, client: Client) -> None:
    """What was made meanwhile exists then."""
    plan(form, many_orders(2))
    client.create_phones(group("group-1", "phone-1"))
    click(form, form.plan.again)
    assert "1 group to create (3 phones), 1 already exists" in text_of(form.plan.summary)


def test_a_trial_is_the_first_few(form: BatchForm, sandbox: Sandbox) -> None:
    """It alone is confirmed and sent; afterwards the rest can be planned."""
    plan(form, many_orders(10))
    form.plan.trial.value = True
    settle(form)
    assert text_of(form.plan.summary).startswith("Trial. Plan: 3 groups to create (9 phones)")
    assert len(form.plan.table.grid.data) == 3
    form.plan.first.value = 4
    settle(form)
    assert text_of(form.confirm.hint) == "Type 12 to confirm."
    confirm(form)
    click(form, form.confirm.submit)
    assert sent(sandbox) == 4
    assert sizes(form) == {"Created": 4}
    click(form, form.steps[0], form.plan_it)
    assert "Trial" not in text_of(form.plan.summary) or form.plan.trial.value
    form.plan.trial.value = False
    settle(form)
    assert "6 groups to create (18 phones), 4 already exist" in text_of(form.plan.summary)


def test_a_changed_trial_is_confirmed_anew(form: BatchForm) -> None:
    """What was typed for another number is taken away."""
    plan(form, many_orders(10))
    confirm(form)
    form.plan.trial.value = True
    settle(form)
    assert form.confirm.typed.value == ""
    assert form.confirm.submit.disabled


def test_what_was_deleted_in_the_account_can_be_made_again(
    form: BatchForm, sandbox: Sandbox, client: Client, ledger: Ledger
) -> None:
    """Only if one asks for it; without, it is in doubt and not sent."""
    submit_plan(make_plan(many_orders(1), client, ledger), client, ledger).wait()
    sandbox.delete_group(APP, "group-0")
    plan(form, many_orders(1))
    assert "0 groups to create (0 phones)" in text_of(form.plan.summary)
    assert "1 in doubt. What is in doubt is looked up when the plan is submitted" in text_of(form.plan.summary)
    form.plan.recreate.value = True
    click(form, form.plan.again)
    assert "1 group to create (3 phones)" in text_of(form.plan.summary)
    confirm(form)
    click(form, form.confirm.submit)
    assert sizes(form) == {"Created": 1}
    assert len(sandbox.phones) == 3


def test_a_plan_is_saved_and_read_by_path(form: BatchForm, client: Client, ledger: Ledger, sandbox: Sandbox) -> None:
    """Here or elsewhere; it is confirmed and submitted as it was planned."""
    plan(form, many_orders(3))
    form.plan.path.value = " batch.json "
    click(form, form.plan.save)
    assert said(form).startswith("The plan was saved to batch.json.")
    with closing(BatchForm(client, ledger)) as other:
        other.orders.path.value = "batch.json"
        click(other, other.orders.read)
        assert step(other) == "2 Plan"
        assert len(other.orders.orders) == 3
        confirm(other)
        click(other, other.confirm.submit)
        assert sizes(other) == {"Created": 3}
    assert len(sandbox.phones) == 9


def test_a_plan_is_downloaded_and_uploaded(form: BatchForm, monkeypatch: pytest.MonkeyPatch) -> None:
    """A trial as the trial that it is; no secret is in it."""
    files = files_of(form, monkeypatch)
    plan(form, many_orders(5))
    form.plan.trial.value = True
    settle(form)
    click(form, form.plan.download)
    assert form.tools[0].account.api_secret.reveal().encode() not in files["plan.json"]
    click(form, form.result.new)
    form.plan.trial.value = False
    upload(form, "plan.json", files["plan.json"])
    assert "3 groups to create (9 phones)" in text_of(form.plan.summary)
    assert step(form) == "2 Plan"


def test_a_file_that_is_no_plan_is_not_replaced(form: BatchForm) -> None:
    """Another name is asked for."""
    Path("plan.json").write_text("my notes")
    plan(form, many_orders(1))
    click(form, form.plan.save)
    assert "exists and is not a saved plan" in said(form)
    assert Path("plan.json").read_text() == "my notes"


def test_a_stale_plan_is_refused_in_words(form: BatchForm, client: Client, ledger: Ledger, sandbox: Sandbox) -> None:
    """With what differs; nothing is sent; planned again it can be."""
    plan(form, many_orders(3))
    click(form, form.plan.save)
    with Client(client.account) as colleague:
        colleague.create_phones(group("group-1", "phone-1"))
    form.orders.path.value = "plan.json"
    click(form, form.orders.read)
    confirm(form)
    click(form, form.confirm.submit)
    assert said(form).startswith("Error: The saved plan is stale: 1 of its 3 groups needs something else now.")
    assert "group-1: create → exists" in said(form)
    assert step(form) == "3 Confirm" or step(form) == "2 Plan"
    assert (sent(sandbox), len(ledger.runs)) == (1, 0)
    assert not form.plan.again.disabled
    click(form, form.plan.again)
    confirm(form)
    click(form, form.confirm.submit)
    assert sizes(form) == {"Created": 2, "Existed": 1}


def test_a_plan_for_another_account_is_refused(form: BatchForm, ledger: Ledger) -> None:
    """Nobody submits a rehearsal to the live account."""
    with Sandbox() as other, Client(other.account) as theirs:
        make_plan(many_orders(1), theirs, ledger).save("plan.json")
        form.orders.path.value = "plan.json"
        click(form, form.orders.read)
        confirm(form)
        click(form, form.confirm.submit)
        assert "made for another account or address" in said(form)
        assert sent(other) == 0


# 3 Confirm.


@pytest.mark.parametrize(
    ("typed", "right"),
    [
        *[("1234", True), ("1,234", True), (" 1 234 ", True), ("", False), ("1233", False), ("1234.0", False)],
        *[("-1234", False), ("x", False), ("１２３４", False), ("9" * 5000, False), ("²", False)],
    ],
)
def test_submit_is_dead_until_the_number_is_typed(typed: str, right: bool, form: BatchForm) -> None:
    """The number of phones, with or without separators; anything else leaves it dead."""
    plan(form, many_orders(1, quantity=1234))
    click(form, form.on_to_confirm)
    sentence = text_of(form.confirm.sentence)
    assert sentence.startswith(
        f"Submitting creates 1,234 phones in 25 groups on SANDBOX: 1,234 phones in application {APP}."
    )
    assert sentence.endswith("The API cannot delete them.")
    assert form.confirm.submit.disabled
    form.confirm.typed.value = typed
    assert form.confirm.submit.disabled is not right
    hint = "Confirmed." if right else "Type 1234 to confirm."
    assert text_of(form.confirm.hint) == hint
    form.confirm.typed.value = ""
    assert form.confirm.submit.disabled


def test_the_sentence_names_the_applications(form: BatchForm) -> None:
    """Each with its phones; of many the first, and how many more."""
    plan(form, pd.concat([many_orders(1, app_id=f"app-{at}") for at in range(7)]))
    sentence = text_of(form.confirm.sentence)
    assert "21 phones in 7 groups" in sentence
    assert "3 phones in application app-4, the rest in 2 more." in sentence


@pytest.mark.parametrize("rate", ["x", "nan", "0"])
def test_a_rate_that_is_none_is_said(rate: str, form: BatchForm, sandbox: Sandbox) -> None:
    """Nothing is sent, and it can be mended."""
    plan(form, many_orders(2))
    form.confirm.rate.value = rate
    confirm(form)
    click(form, form.confirm.submit)
    assert said(form).startswith("Error: ")
    assert sent(sandbox) == 0
    form.confirm.rate.value = " 50 "
    confirm(form)
    click(form, form.confirm.submit)
    assert sent(sandbox) == 2


def test_the_pace_is_kept(form: BatchForm, sandbox: Sandbox) -> None:
    """So many requests in a second, and no more."""
    plan(form, many_orders(6))
    form.confirm.rate.value, form.confirm.workers.value = "10", 1
    confirm(form)
    click(form, form.confirm.submit)
    times = [served.at for served in sandbox.log if served.endpoint == "sipAdd"]
    assert max(times) - min(times) >= 0.45


# 4 Submit.


def test_a_batch_is_created(form: BatchForm, sandbox: Sandbox, ledger: Ledger) -> None:
    """Counted in tabs, told in one line, as ledger and sandbox have it."""
    submit(form, pd.concat([many_orders(20), orders_frame(("abc",))]))
    assert sizes(form) == {"Created": 20, "Invalid": 1}
    assert text_of(form.result.summary).startswith("Done. Groups: 20 created (60 phones)")
    assert len(sandbox.phones) == 60
    assert repr(form).startswith("BatchForm: SANDBOX. Step 5 Result.\nDone. Groups: 20 created")
    assert form.result.tables["Created"].grid.data["groupName"].tolist() == [f"group-{at}" for at in range(20)]
    assert form.watch.bar.value == 20
    form.result.tabs.selected_index = 5
    settle(form)
    assert form.result.tables["Invalid"].grid.data["column"].tolist() == ["groupName"]


def test_a_double_click_on_submit_sends_nothing_twice(form: BatchForm, sandbox: Sandbox, ledger: Ledger) -> None:
    """Nor a click that comes when the run is already at work, or over."""
    sandbox.latency = 0.02
    plan(form, many_orders(20))
    confirm(form)
    for _ in range(4):
        form.confirm.submit.disabled = False
        form.confirm.submit.click()
    settle(form)
    form.confirm.submit.disabled = False
    form.confirm.submit.click()
    settle(form)
    assert sent(sandbox) == sandbox.served["sipAdd", "0"] == 20
    assert len(ledger.runs) == 1


@pytest.mark.slow
@pytest.mark.parametrize("at", range(19))
def test_a_double_click_on_any_button_sends_nothing_twice(at: int, form: BatchForm, sandbox: Sandbox) -> None:
    """Each button in turn, after a run that left something of every kind."""
    sandbox.app_ids = [APP]
    orders = pd.concat([many_orders(2), orders_frame(("other", "line", "3", "861000000", "wrong"), ("abc",))])
    plan_now = make_plan(orders)  # without asking: the refusal comes from the server
    plan_now.save("plan.json")
    form.orders.path.value = "plan.json"
    sandbox.app_ids = None
    click(form, form.orders.read)
    confirm(form)
    sandbox.app_ids = [APP]
    assert len(form._buttons) == 19
    submitted = submit_plan(plan_now, *form.tools).wait()
    assert submitted.counts == {"created": 2, "refused": 1}
    for button in [form._buttons[at]] * 2:
        button.disabled = False
        button.click()
    with suppress(AssertionError):  # a click that no page would let through, on what is not there
        settle(form)
    names = [served.group for served in sandbox.log if served.endpoint == "sipAdd" and served.status == "0"]
    assert sorted(names) == sorted(set(names))
    if _own_sandbox.cache_info().currsize:
        _own_sandbox().close()
        _own_sandbox.cache_clear()


def test_stop_leaves_the_rest_and_the_rest_can_be_tried_again(
    form: BatchForm, sandbox: Sandbox, ledger: Ledger
) -> None:
    """Stopped within a second; "not sent"; then the same run to its end, each group once."""
    sandbox.latency = 0.05
    plan(form, many_orders(200))
    confirm(form)
    form.confirm.submit.click()
    until(lambda: sent(sandbox) >= 10 and not form.watch.stop.disabled)
    form.watch.stop.click()
    form.wait(1)
    settle(form)
    assert step(form) == "5 Result"
    made = len(sandbox.phones) // 3
    assert sizes(form) == {"Created": made, "Not sent": 200 - made}
    assert said(form).startswith("Warning: This run is not finished: ")
    assert f"{200 - made} groups left" in said(form)
    assert "not sent" in repr(form)
    click(form, form.result.rest)
    assert sizes(form) == {"Created": 200}
    assert sent(sandbox) == sandbox.served["sipAdd", "0"] == 200
    assert len(ledger.runs) == 1
    assert form.result.rest.disabled
    assert said(form) == ""


def test_an_unknown_group_is_settled(form: BatchForm, sandbox: Sandbox) -> None:
    """As long as the account cannot be asked it is unknown; Settle unknown looks, and sends nothing."""
    plan(form, many_orders(3))
    sandbox.faults = ",".join(["drop-after", *["query:-18-before"] * 60])
    confirm(form)
    click(form, form.confirm.submit)
    assert sizes(form) == {"Created": 2, "Unknown": 1}
    assert not form.result.settle.disabled
    assert "class='warning'" in form.result.summary.value
    click(form, form.result.settle)
    assert said(form).startswith("Error: ")  # still down: in words
    sandbox.faults = None
    click(form, form.result.settle)
    assert sizes(form) == {"Created": 3}
    assert form.result.settle.disabled
    assert sent(sandbox) == 3


def unknown_then_settled(form: BatchForm, sandbox: Sandbox) -> None:
    """Lose an answer while the account cannot be asked, then settle it."""
    plan(form, many_orders(3))
    sandbox.faults = ",".join(["drop-after", *["query:-18-before"] * 60])
    confirm(form)
    click(form, form.confirm.submit)
    sandbox.faults = None
    click(form, form.result.settle)
    assert sizes(form) == {"Created": 3}


def test_what_settling_told_stays_told(form: BatchForm, sandbox: Sandbox) -> None:
    """The next look at the ledger finds what the form has written itself, and says nothing new."""
    unknown_then_settled(form, sandbox)
    assert said(form).startswith("Looked: 1 group settled (1 created), 0 still unknown.")


def test_a_run_with_nothing_left_is_not_called_unfinished(form: BatchForm, sandbox: Sandbox) -> None:
    """There would be no button to finish it with."""
    unknown_then_settled(form, sandbox)
    with closing(BatchForm(*form.tools)) as again:
        assert "not finished" not in said(again)


def test_an_unknown_group_that_is_absent_can_be_sent_again(form: BatchForm, sandbox: Sandbox) -> None:
    """Looking makes it "not sent", and the rest is tried again."""
    plan(form, many_orders(3))
    sandbox.faults = ",".join(["500-before", *["query:-18-before"] * 60])
    confirm(form)
    click(form, form.confirm.submit)
    assert sizes(form) == {"Created": 2, "Unknown": 1}
    sandbox.faults = None
    click(form, form.result.settle)
    assert sizes(form) == {"Created": 2, "Not sent": 1}
    click(form, form.result.rest)
    assert sizes(form) == {"Created": 3}


def test_a_lost_answer_is_settled_by_the_run_itself(form: BatchForm, sandbox: Sandbox) -> None:
    """The problem stays told, the group is created, once."""
    sandbox.faults = "none*3, drop-after"
    submit(form, many_orders(10))
    assert sizes(form) == {"Created": 10}
    assert sent(sandbox) == 10
    assert "1 problem" in text_of(form.watch.problems)


def test_what_was_refused_is_mended_and_planned_again(form: BatchForm, client: Client, sandbox: Sandbox) -> None:
    """Those orders alone, in step 1; nothing is sent without another confirmation."""
    client.create_phones(group("others", "phone-1"))
    submit(form, many_orders(3))
    assert sizes(form) == {"Created": 2, "Refused": 1}
    asked = sent(sandbox)
    click(form, form.result.rest)
    assert step(form) == "1 Orders"
    assert form.orders.orders["groupName"].tolist() == ["group-1"]
    assert said(form).startswith("These orders were refused or not sent")
    assert sent(sandbox) == asked
    assert form.confirm.submit.disabled
    type_cell(form, 3, "phoneName", "another")
    click(form, form.plan_it)
    confirm(form)
    click(form, form.confirm.submit)
    assert sizes(form) == {"Created": 1}
    assert sandbox.phones["groupName"].nunique() == 4


def test_an_account_that_is_refused_can_be_mended(sandbox: Sandbox, ledger: Ledger) -> None:
    """-1 stops the run in words; with the right secret the same run goes on."""
    account = sandbox.account
    with (
        Client(Account(account.api_key, "wrong", account.base_url)) as wrong,
        closing(BatchForm(wrong, ledger)) as form,
    ):
        paste(form, many_orders(20))
        click(form, form.plan_it)
        assert "Authentication failed" in said(form)
        make_plan(many_orders(20)).save("plan.json")
        resumed = submit_plan(make_plan(many_orders(20)), wrong, ledger, workers=1).wait()
        assert resumed.counts["refused"] == 1
    with Client(account) as client, closing(BatchForm(client, ledger)) as form:
        assert sizes(form) == {"Refused": 1, "Not sent": 19}
        assert "Authentication failed" in text_of(form.result.summary)
        click(form, form.result.rest)
        assert sizes(form) == {"Created": 20}


# 5 Result.


def test_results_are_downloaded(form: BatchForm, monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox) -> None:
    """Six files in one archive for the page, and beside the notebook; each order in exactly one."""
    files = files_of(form, monkeypatch)
    submit(form, pd.concat([many_orders(5), orders_frame(("abc",))]))
    click(form, form.result.download)
    ((name, data),) = files.items()
    assert form.result.record is not None
    assert name == f"{form.result.record.name}-results.zip"
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        rows = {entry.rsplit("-", 1)[1]: len(pd.read_csv(archive.open(entry))) for entry in archive.namelist()}
    assert rows == {
        "created.csv": 5,
        "existed.csv": 0,
        "refused.csv": 0,
        "unknown.csv": 0,
        "notsent.csv": 0,
        "invalid.csv": 1,
    }
    assert len(list(Path("results").glob("*.csv"))) == 6
    assert "Six files with 6 orders are in results/ too" in text_of(form.result.told)


def test_the_hand_over_is_for_its_owner_alone(
    form: BatchForm, monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox
) -> None:
    """Mode 0600, never overwritten, fetched by the page; the passwords are on no widget."""
    files = files_of(form, monkeypatch)
    submit(form, pd.concat([many_orders(2), orders_frame(("other", "line", "3", "861000000", "app 2/x"))]))
    click(form, form.result.hand_over)
    first = sorted(Path("results").glob("*-phones.xlsx"))
    assert len(first) == 2
    for path in first:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert path.name in text_of(form.result.told)
    click(form, form.result.hand_over)
    second = sorted(set(Path("results").glob("*.xlsx")) - set(first))
    assert sorted(path.stem.removesuffix("-2") for path in second) == sorted(path.stem for path in first)
    click(form, form.result.fetch)
    assert files == {path.name: path.read_bytes() for path in second}
    shown = pd.concat([pd.read_excel(path, dtype=str, engine="calamine") for path in second])
    assert sorted(shown["password"]) == sorted(sandbox.phones["password"])
    for password in sandbox.phones["password"]:
        assert password not in repr(form)


def test_nothing_created_is_nothing_to_hand_over(form: BatchForm, client: Client) -> None:
    """Groups that were there before are another's."""
    client.create_phones(group("group-0", "phone-0"))
    submit(form, many_orders(1))
    assert sizes(form) == {"Existed": 1}
    assert form.result.hand_over.disabled


def test_a_new_batch_begins_with_nothing(form: BatchForm) -> None:
    """The run before can still be looked at."""
    submit(form, many_orders(2))
    click(form, form.result.new)
    assert step(form) == "1 Orders"
    assert form.orders.orders.empty
    assert reachable(form) == ["1", "4", "5"]
    assert form.orders.table.rows == []
    paste(form, many_orders(4)[2:])
    click(form, form.plan_it)
    confirm(form)
    click(form, form.confirm.submit)
    assert sizes(form) == {"Created": 2}


def test_the_first_tab_that_has_something_is_opened(form: BatchForm, client: Client) -> None:
    """And the tables of the others are filled when one looks at them."""
    for name in ("group-0", "group-1"):
        client.create_phones(group(name, f"phone-{name[-1]}"))
    submit(form, many_orders(2))
    assert form.result.tabs.titles[form.result.tabs.selected_index] == "Existed 2"
    assert form.result.tables["Existed"].rows == [2, 3]
    form.result.tabs.selected_index = 0
    settle(form)
    assert form.result.tables["Created"].rows == []


# What survives.


def test_made_anew_it_shows_the_newest_run(form: BatchForm, client: Client, ledger: Ledger) -> None:
    """As after a reload of the page: orders, counts and tabs, and all buttons of its state."""
    submit(form, pd.concat([many_orders(3), orders_frame(("abc",))]))
    with closing(BatchForm(client, ledger)) as again:
        again.wait(5)
        assert repr(again) == repr(form)
        assert sizes(again) == sizes(form)
        assert len(again.orders.orders) == 4
        assert (live(again), reachable(again)) == (live(form), reachable(form))
        assert step(again) == "5 Result"


def test_made_anew_it_follows_a_run_at_work_here(
    form: BatchForm, sandbox: Sandbox, client: Client, ledger: Ledger
) -> None:
    """Without a click; both forms can stop it, and both tell the end."""
    sandbox.latency = 0.1
    plan(form, many_orders(200))
    confirm(form)
    form.confirm.submit.click()
    until(lambda: sent(sandbox) >= 5)
    with closing(BatchForm(client, ledger)) as again:
        assert step(again) == "4 Submit"
        assert again.watch.at_work
        until(lambda: not again.watch.stop.disabled)
        again.watch.stop.click()
        settle(again)
        settle(form)
        assert sizes(again) == sizes(form)
        assert sizes(again)["Not sent"] > 0
        assert repr(again) == repr(form)


@pytest.mark.slow
def test_two_forms_on_one_ledger_agree(form: BatchForm, client: Client, ledger: Ledger, sandbox: Sandbox) -> None:
    """What one settles the other shows, without a click."""
    plan(form, many_orders(2))
    sandbox.faults = ",".join(["drop-after", *["query:-18-before"] * 60])
    confirm(form)
    click(form, form.confirm.submit)
    sandbox.faults = None
    with closing(BatchForm(client, ledger)) as other:
        other.ask(lambda: None)
        assert sizes(other) == sizes(form) == {"Created": 1, "Unknown": 1}
        click(form, form.result.settle)
        until(lambda: sizes(other) == {"Created": 2}, 5)


@pytest.mark.slow
def test_a_form_made_anew_sees_what_others_do(
    form: BatchForm, client: Client, ledger: Ledger, sandbox: Sandbox
) -> None:
    """It looks by itself, though nobody has clicked in it."""
    plan(form, many_orders(2))
    sandbox.faults = ",".join(["drop-after", *["query:-18-before"] * 60])
    confirm(form)
    click(form, form.confirm.submit)
    sandbox.faults = None
    with closing(BatchForm(client, ledger)) as other:
        click(form, form.result.settle)
        until(lambda: sizes(other) == {"Created": 2}, 4)


@pytest.mark.slow
def test_a_run_of_another_process_is_followed(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """It is not stopped, submitted or settled from here; its end is shown."""
    sandbox.latency = 0.05
    with elsewhere(sandbox, ledger, 300) as process, closing(BatchForm(client, ledger)) as form:
        assert step(form) == "4 Submit"
        assert form.watch.elsewhere
        assert form.watch.stop.disabled
        assert [name for name in RESULT_BUTTONS if not getattr(form.result, name).disabled] == []
        assert form.wait(5) is form
        process.communicate("stop\n", timeout=30)
        until(lambda: step(form) == "5 Result")
        form.wait(5)
        assert sizes(form)["Not sent"] > 0
        assert not form.result.rest.disabled


@pytest.mark.slow
def test_a_run_that_died_is_offered_to_go_on(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """Killed in the middle: what was under way is unknown; one click, and each group is there, once."""
    sandbox.latency = 0.05
    with elsewhere(sandbox, ledger, 100) as process:
        until(lambda: sent(sandbox) >= 10)
        process.kill()
        process.communicate()
    sandbox.latency = 0
    with closing(BatchForm(client, ledger)) as form:
        assert step(form) == "5 Result"
        assert said(form).startswith("Warning: This run is not finished: ")
        assert sizes(form)["Not sent"] > 50
        click(form, form.result.rest)
        assert sizes(form) == {"Created": 100}
    assert sandbox.served["sipAdd", "0"] == 100
    assert sandbox.served["sipAdd", "-20"] == 0


@pytest.mark.slow
def test_a_run_that_dies_while_one_watches_is_told(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """The form that followed it shows it as it is, and offers to go on."""
    sandbox.latency = 0.05
    with elsewhere(sandbox, ledger, 300) as process, closing(BatchForm(client, ledger)) as form:
        process.kill()
        process.communicate()
        until(lambda: step(form) == "5 Result")
        form.wait(5)
        assert not form.result.rest.disabled


def test_closing_the_form_ends_its_thread_and_no_run(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """A closed page is no Stop."""
    sandbox.latency = 0.1
    before = set(threading.enumerate())
    form = BatchForm(client, ledger)
    plan(form, many_orders(60))
    confirm(form)
    form.confirm.submit.click()
    until(lambda: form.watch.at_work)
    threads = [thread for thread in set(threading.enumerate()) - before if thread.name == "form"]
    form.close()
    for thread in threads:
        thread.join(5)
        assert not thread.is_alive()
    assert resume(client, ledger).wait(20).counts == {"created": 60}
    assert sent(sandbox) == 60


# What goes wrong.


def test_a_server_that_is_down_is_said(form: BatchForm, sandbox: Sandbox) -> None:
    """When planning and when settling; the form stays as it was, and works again."""
    paste(form, many_orders(2))
    sandbox.stop()
    click(form, form.plan_it)
    assert said(form).startswith("Error: ")
    assert "This should not have happened" not in said(form)
    assert step(form) == "1 Orders"
    sandbox.start()
    click(form, form.plan_it)
    assert step(form) == "2 Plan"


@pytest.mark.slow
def test_a_server_that_goes_down_during_a_run_is_said(form: BatchForm, sandbox: Sandbox) -> None:
    """The run stops itself in words; when the server is back, the rest is tried again."""
    plan(form, many_orders(60))
    confirm(form)
    sandbox.stop()
    click(form, form.confirm.submit)
    assert step(form) == "5 Result"
    assert sizes(form)["Not sent"] >= 50
    assert "does not answer" in text_of(form.result.summary) or "Not verified" in text_of(form.result.summary)
    sandbox.start()
    click(form, form.result.rest)
    assert sizes(form) == {"Created": 60}


def test_a_ledger_that_is_gone_is_said(form: BatchForm, ledger: Ledger, sandbox: Sandbox) -> None:
    """Nothing is sent without one."""
    plan(form, many_orders(2))
    confirm(form)
    ledger.path.unlink()
    form.confirm.submit.click()
    form.wait(5)
    assert said(form).startswith("Error: The ledger ")
    assert "the file was deleted or replaced" in said(form)
    assert sent(sandbox) == 0


@pytest.mark.slow
def test_a_ledger_that_goes_during_a_run_is_said(form: BatchForm, ledger: Ledger, sandbox: Sandbox) -> None:
    """The run ends, the form says why, and nothing waits for ever."""
    sandbox.latency = 0.1
    plan(form, many_orders(100))
    confirm(form)
    form.confirm.submit.click()
    until(lambda: sent(sandbox) >= 4)
    ledger.path.unlink()
    form.wait(3)
    until(lambda: said(form).startswith("Error: The ledger "))
    until(lambda: bool(form.watch.stop.disabled))


@pytest.mark.parametrize("number", [20, 400])
@pytest.mark.slow
def test_messages_to_the_page_do_not_grow_with_the_groups(
    number: int, form: BatchForm, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the click to the end: a few for each look, five looks in a second, whatever is sent meanwhile."""
    sandbox.latency = 0.2 if number == 20 else 0.02
    plan(form, many_orders(number))
    confirm(form)
    form.confirm.workers.value = 4 if number == 20 else 8
    messages: list[object] = []
    monkeypatch.setattr(type(form.comm), "publish_msg", lambda self, *args, **rest: messages.append(rest))
    form.confirm.submit.click()
    until(lambda: form.watch.at_work, 5)
    begun = len(messages)
    assert isinstance(form.watch.record, object)
    run = form.watch.record
    assert run is not None
    until(lambda: run.done, 30)
    during = len(messages) - begun
    settle(form)
    assert sizes(form) == {"Created": number}
    assert during <= 80
    assert len(messages) - begun - during <= 150


# Text of others.


@pytest.mark.parametrize("text", [*SOME_HOSTILE, HOSTILE[-1], HOSTILE[-2]])
def test_hostile_text_is_text_everywhere(text: str, form: BatchForm, sandbox: Sandbox) -> None:
    """In every cell, in headers, file names, findings, plans, problems and results."""
    hostile = pd.DataFrame(
        [[text, text, text, text, text], [text[:32] + "....", text[:28] + ".", "3", "861000000", APP]],
        columns=["groupName", "phoneName", "quantity", "displayNum", "appId"],
        dtype=object,
    ).assign(**{text: text})
    upload(form, text, hostile.to_csv(index=False).encode())
    assert_harmless_below(form)
    type_cell(form, form.orders.table.rows[0], "groupName", text) if len(form.orders.orders) else None
    assert_harmless_below(form)
    form.orders.path.value = text + ".csv"
    click(form, form.orders.read)
    assert_harmless_below(form)
    form.confirm.rate.value = text
    if form.orders.valid:
        click(form, form.plan_it)
        confirm(form)
        click(form, form.confirm.submit)
        assert_harmless_below(form)
        form.confirm.rate.value = ""
        form.plan.path.value = f"/nowhere/{text}"
        click(form, form.plan.save)
        assert_harmless_below(form)
        confirm(form)
        click(form, form.confirm.submit)
    assert_harmless_below(form)


def test_the_text_form_tells_each_step(form: BatchForm, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside the widgets, and alone where they cannot be shown."""
    submit(form, many_orders(2))
    shown = form._repr_mimebundle_()
    assert shown["text/plain"] == repr(form)
    assert "application/vnd.jupyter.widget-view+json" in shown
    monkeypatch.setenv("ITNIO_WIDGETS", "off")
    assert form._repr_mimebundle_() == {"text/plain": repr(form)}
    assert "2 created (6 phones)" in repr(form)


def test_ten_thousand_orders_are_read_and_edited(form: BatchForm) -> None:
    """An edit is one message, not a new grid."""
    upload(form, "many.csv", many_orders(10_000).to_csv(index=False).encode())
    grid = form.orders.table.grid
    assert len(grid.data) == 10_000
    type_cell(form, 9_000, "quantity", "x")
    assert form.orders.table.grid is grid
    assert "1 row with errors" in text_of(form.orders.counts)


def test_a_saved_plan_is_what_the_package_reads(form: BatchForm) -> None:
    """The button does one line of the package."""
    plan(form, many_orders(2))
    click(form, form.plan.save)
    assert Plan.load("plan.json").summary == text_of(form.plan.summary)
    assert read_orders(form.orders.orders).equals(form.orders.orders)
