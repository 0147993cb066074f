"""Step 5 of a batch: what became of each order; resolved, tried again, downloaded, handed over."""

from __future__ import annotations

import io
import sqlite3
import zipfile
from contextlib import closing, suppress
from pathlib import Path

import pandas as pd
import pytest

from itnio_nb import Account, BatchForm, Client, Ledger, LedgerError, Sandbox, make_plan, resume, submit_plan
from itnio_nb.runs.run import RunRecord
from tests.support.factories import Gate, group, many_orders, orders_frame, sent, until
from tests.support.forms import (
    Batch,
    click,
    click_hastily,
    data_of,
    downloads_of,
    lose_an_answer,
    status,
    text_of,
    type_into,
    wait_for_poll,
)
from tests.support.live import live_account


def test_a_batch_is_created(batch: Batch, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted in tabs, each filled once it is looked at; said in one line, as ledger and sandbox have it.

    Its results are six files in one archive for the page, and beside the notebook: each order is in exactly one.
    """
    batch.create(pd.concat([many_orders(5), orders_frame(("abc",))]))
    result = batch.form.result
    assert batch.sizes == {"Created": 5, "Invalid": 1}
    assert text_of(result.summary).startswith("Done. Groups: 5 created (15 phones)")
    assert len(sandbox.phones) == 15
    assert repr(batch.form).startswith("BatchForm: SANDBOX. Step 5 Result.\nDone. Groups: 5 created")
    assert data_of(result.grids["Invalid"])["column"].tolist() == ["groupName"]  # the worst that there is
    assert batch.form.monitor.bar.value == 5
    assert result.grids["Created"].view is None
    result.tabs.selected_index = list(result.grids).index("Created")
    wait_for_poll(batch.form)
    assert data_of(result.grids["Created"])["groupName"].tolist() == [f"group-{at}" for at in range(5)]
    files = downloads_of(batch.form, monkeypatch)
    click(batch.form, result.download)
    ((name, data),) = files.items()
    assert result.record is not None
    assert name == f"{result.record.name}-results.zip"
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        rows = {entry.rsplit("-", 1)[1]: len(pd.read_csv(archive.open(entry))) for entry in archive.namelist()}
    none = dict.fromkeys(("existed.csv", "refused.csv", "unknown.csv", "notsent.csv"), 0)
    assert rows == {"created.csv": 5, "invalid.csv": 1, **none}
    assert len(list(Path("results").glob("*.csv"))) == 6
    assert "Six files with 6 orders are in results/ too" in text_of(result.note)


def stand_out(batch: Batch) -> list[str]:
    """What stands out among the buttons of the result."""
    result = batch.form.result
    buttons = (result.resume.submit, result.reconcile, result.mend, result.hand_over, result.fetch, result.new)
    return [one.description for one in buttons if one.button_style and one.layout.display != "none"]


def test_a_run_elsewhere_is_named(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one goes on nothing of an earlier result can be pressed: the reason stands in place of the buttons."""
    batch.create(many_orders(1))
    result = batch.form.result
    assert text_of(result.going) == ""
    monkeypatch.setattr(batch.form.monitor, "elsewhere", True)
    batch.form.refresh()
    assert text_of(result.going) == "A run is going on: step 4 shows it."
    assert stand_out(batch) == []


def test_groups_that_were_there_are_nothing_to_hand_over(batch: Batch, client: Client) -> None:
    """They are another's; their tab is the first that has something, and is opened."""
    client.create_phones(group("group-0", "phone-0"))
    batch.create(many_orders(1))
    assert batch.sizes == {"Existed": 1}
    assert batch.form.result.hand_over.disabled
    assert stand_out(batch) == ["New batch"]
    assert batch.form.result.tabs.titles[batch.form.result.tabs.selected_index] == "Existed 1 group"
    assert batch.form.result.grids["Existed"].rows == [2]


def test_an_unknown_group_that_is_absent_can_be_sent_again(batch: Batch, sandbox: Sandbox) -> None:
    """Listing makes it "not sent", and the rest is tried again."""
    lose_an_answer(batch, sandbox, "500-before")
    sandbox.faults = None
    assert stand_out(batch) == ["Settle unknown"]
    click(batch.form, batch.form.result.reconcile)
    assert batch.sizes == {"Created": 1, "Not sent": 1}
    assert stand_out(batch) == ["Go on"]
    assert batch.form.result.reconcile.layout.display == "none"
    click(batch.form, batch.form.result.resume.submit)
    assert batch.sizes == {"Created": 2}
    assert stand_out(batch) == ["Hand over"]


def open_tab(batch: Batch) -> str:
    tabs = batch.form.result.tabs
    return str(tabs.titles[tabs.selected_index])


def test_each_number_adds_up_to_the_file(batch: Batch, sandbox: Sandbox, client: Client) -> None:
    """Created, existing, differing, refused, unsent, unknown and invalid rows; groups are counted, and invalid rows.

    Only where every row is there as it was asked for it is green; the worst tab that has something is opened.
    """
    result = batch.form.result
    for name, size in (("group-0", 3), ("group-1", 8)):
        client.create_phones(group(name, f"phone-{name[-1]}", size))
    client.create_phones(group("others", "phone-2"))
    batch.create(pd.concat([many_orders(6), orders_frame(("abc",), ("ab",))]))
    assert batch.sizes == {"Created": 3, "Existed": 1, "Existed otherwise": 1, "Refused": 1, "Invalid": 2}
    assert result.record is not None
    assert sum(batch.sizes.values()) == result.record.rows == 8  # one group a row
    assert [title for title in result.tabs.titles if not title.endswith(" 0")] == [
        "Refused 1 group",
        "Invalid 2 rows",
        "Existed otherwise 1 group",
        "Created 3 groups",
        "Existed 1 group",
    ]
    assert open_tab(batch) == "Refused 1 group"
    assert "2 of 8 rows left out" in text_of(result.summary)
    assert "class='warning'" in result.summary.value
    assert result.mend.description == "Mend the 3 rows"
    batch.create(pd.concat([many_orders(2)[:1], orders_frame(("abc",))]))
    assert (open_tab(batch), "class='warning'" in result.summary.value) == ("Invalid 1 row", True)
    batch.create(many_orders(2))
    assert (open_tab(batch), "class='warning'" in result.summary.value) == ("Existed otherwise 1 group", True)
    batch.create(orders_frame(("sales", "desk", "120")))
    assert (open_tab(batch), "class='good'" in result.summary.value) == ("Created 3 groups", True)
    batch.create(orders_frame(("sales", "desk", "120")))
    assert (open_tab(batch), "class='good'" in result.summary.value) == ("Existed 3 groups", True)
    assert len(sandbox.phones) == 3 + 8 + 3 + 9 + 120


def test_a_trial_is_not_green(batch: Batch) -> None:
    """The rest of the file is not there."""
    batch.plan(many_orders(5))
    batch.form.plan.trial.value = True
    wait_for_poll(batch.form)
    batch.submit()
    assert batch.sizes == {"Created": 3}
    assert "2 of 5 rows left out" in text_of(batch.form.result.summary)
    assert "class='warning'" in batch.form.result.summary.value


def test_rows_are_mended_in_step_1(batch: Batch, client: Client, sandbox: Sandbox) -> None:
    """Those that are invalid or were refused, with their numbers; edits are replaced once it was asked, never before.

    Mended, they are planned and confirmed like any others.
    """
    form = batch.form
    client.create_phones(group("others", "phone-1"))
    batch.create(pd.concat([many_orders(3), orders_frame(("abc", "line"))], ignore_index=True))
    assert form.result.mend.description == "Mend the 2 rows"
    assert stand_out(batch) == ["Mend the 2 rows"]
    type_into(form.orders.grid, 2, "quantity", "9")
    wait_for_poll(form)
    click(form, form.result.mend)
    assert batch.step == "1 Orders"
    assert text_of(form.orders.question.text) == "Replace 4 edited orders by 2 rows of the run?"
    assert len(form.orders.orders) == 4
    click(form, form.orders.question.yes)
    assert form.orders.orders.index.tolist() == [3, 5]
    assert status(form).startswith("These rows have errors, were refused or not sent: mend them")
    asked = sent(sandbox)
    batch.type(3, "phoneName", "another")
    batch.type(5, "groupName", "abcd")
    click(form, form.plan_it)
    assert sent(sandbox) == asked
    batch.submit()
    assert batch.sizes == {"Created": 2}
    assert "class='good'" in form.result.summary.value
    assert form.result.mend.layout.display == "none"


def stopped(batch: Batch, sandbox: Sandbox, number: int = 20) -> None:
    """A run at 50 requests a second, two at once, that was stopped before anything was sent."""
    form = batch.form
    form.confirm.rate.value, form.confirm.workers.value = "50", 2
    sandbox.faults = gate = Gate()
    gate.opened.set()
    batch.plan(many_orders(number))
    gate.opened.clear()
    batch.confirm()
    form.confirm.submit.click()
    until(lambda: form.monitor.at_work and not form.busy)
    form.monitor.stop.click()
    gate.opened.set()
    wait_for_poll(form)


def test_go_on_keeps_what_was_set(batch: Batch, sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """One click, its number was confirmed with the run; the fields of step 3 change nothing, nor does another page."""
    stopped(batch, sandbox)
    result = batch.form.result
    made = len(sandbox.phones) // 3
    words = f"Goes on with what was confirmed: {3 * (20 - made)} phones in {20 - made} groups on SANDBOX, application "
    assert text_of(result.resume.sentence).startswith(words)
    assert text_of(result.resume.sentence).endswith("Sent at most 50 a second, 2 at once.")
    assert result.resume.typed.layout.display == "none"
    assert stand_out(batch) == ["Go on"]
    assert status(batch.form).endswith("groups left. “Go on” goes on with it.")
    batch.form.confirm.rate.value, batch.form.confirm.workers.value = "", 64
    with closing(BatchForm(client, ledger)) as other:
        assert (other.confirm.rate.value, other.confirm.workers.value) == ("50", 2)
        other.confirm.rate.value = ""
        click(other, other.result.resume.submit)
        assert Batch(other).sizes == {"Created": 20}
    assert tuple(ledger.run_control.terms(1)) == (2, 50.0, 60)
    assert sent(sandbox) == 20


def refused(batch: Batch, sandbox: Sandbox) -> None:
    """A run of which one group was refused for the account's sake, and the others were not sent; mended since."""
    sandbox.cap = 3
    batch.form.confirm.workers.value = 1
    batch.create(many_orders(5))
    assert batch.sizes == {"Created": 1, "Refused": 1, "Not sent": 3}
    sandbox.cap = None


def test_try_again_asks_for_the_number(batch: Batch, sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """Refused groups are sent anew: so on a sandbox too, as in step 3. Another number sends nothing.

    Where others have gone on with the run since, it is asked again.
    """
    refused(batch, sandbox)
    asked, resuming = sent(sandbox), batch.form.result.resume
    assert stand_out(batch) == ["Try again"]
    assert text_of(resuming.sentence).startswith("Sends 12 phones in 4 groups on SANDBOX, application ")
    assert "1 of these groups was refused before. The API cannot delete them." in text_of(resuming.sentence)
    assert status(batch.form).endswith("4 groups left. “Try again” goes on with it.")
    for typed in ("", "11", "15"):
        resuming.typed.value = typed
        assert (resuming.submit.disabled, text_of(resuming.hint)) == (True, "Type 12 to confirm.")
    resuming.typed.value = "12"
    resuming.submit.click()
    resume(client, ledger, confirm=12)  # somebody else is as quick: that run is joined
    wait_for_poll(batch.form)
    assert batch.sizes == {"Created": 5}
    assert sent(sandbox) == asked + 4
    assert resuming.body.layout.display == "none"


def test_what_has_changed_since_it_was_shown_is_asked_again(
    batch: Batch, sandbox: Sandbox, client: Client, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The number that was typed is the number that is sent, or none."""
    refused(batch, sandbox)
    form, resuming = batch.form, batch.form.result.resume
    monkeypatch.setattr(form, "poll", lambda: None)  # the page has not heard of it
    sandbox.cap = 6
    resume(client, ledger, workers=1).wait()
    sandbox.cap, asked = None, sent(sandbox)
    resuming.typed.value = "12"
    click(form, resuming.submit)
    assert status(form) == "Error: Nothing was sent: what is left of this run has changed. Look at it again."
    assert sent(sandbox) == asked
    assert text_of(resuming.hint) == "Type 9 to confirm."
    resuming.typed.value = "9"
    monkeypatch.undo()
    click(form, resuming.submit)
    assert batch.sizes == {"Created": 5}


def test_a_click_on_go_on_sends_nothing_that_was_refused_meanwhile(batch: Batch, sandbox: Sandbox) -> None:
    """Its button was pressed as Go on; the poll has shown since that groups would be sent anew."""
    refused(batch, sandbox)
    asked = sent(sandbox)
    click_hastily(batch.form, batch.form.result.resume.submit, 1)
    assert status(batch.form) == "Error: Nothing was sent: type 12 to send the groups that were refused anew."
    assert sent(sandbox) == asked


@pytest.mark.parametrize("error", [LedgerError("The ledger is busy."), RuntimeError("out of memory")])
def test_a_result_that_could_not_be_shown_is_shown_by_the_next_poll(
    batch: Batch, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """One read that fails at the end of a run, for whatever reason, ends nothing."""
    failures = [error]
    read = RunRecord.snapshot

    def snapshot(record: RunRecord) -> tuple[str, pd.DataFrame]:
        if failures:
            raise failures.pop()
        return read(record)

    monkeypatch.setattr(RunRecord, "snapshot", snapshot)
    batch.plan(many_orders(3))
    batch.confirm()
    batch.form.confirm.submit.click()
    with suppress(RuntimeError):  # what is none of the package's own errors is raised by `wait` too
        batch.form.wait(60)
    until(lambda: batch.step == "5 Result")
    wait_for_poll(batch.form)
    assert batch.sizes == {"Created": 3}
    assert failures == []


def test_what_is_unknown_is_settled_before_a_number_is_asked_for(sandbox: Sandbox, ledger: Ledger) -> None:
    """What turns out to be absent would be sent as well: more than was typed."""
    account = sandbox.account
    with Client(account) as client:
        sandbox.faults = ",".join(["500-before", *["query:-18-before"] * 60])
        submit_plan(make_plan(many_orders(3)[:1]), client, ledger).wait()
        sandbox.faults = ",".join(["500-before", "-23-before", *["query:-18-before"] * 60])
        submit_plan(make_plan(many_orders(5)[1:]), client, ledger, workers=1).wait()
        sandbox.faults = None
        with closing(BatchForm(client, ledger)) as form:
            batch = Batch(form)
            assert batch.sizes == {"Unknown": 1, "Refused": 1, "Not sent": 2}
            resuming = form.result.resume
            assert "First settle what is unknown (1 group)" in text_of(resuming.sentence)
            assert (resuming.submit.disabled, resuming.typed.layout.display) == (True, "none")
            assert stand_out(batch) == ["Settle unknown"]
            click(form, form.result.reconcile)
            assert batch.sizes == {"Refused": 1, "Not sent": 3}
            resuming.typed.value = "12"
            click(form, resuming.submit)
            assert batch.sizes == {"Created": 4}


def test_a_run_on_a_live_account(sandbox: Sandbox, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped, it goes on at one click; one whose number nobody has confirmed does not, and says what to do."""
    with Client(live_account(sandbox, monkeypatch)) as client, closing(BatchForm(client, ledger)) as form:
        batch = Batch(form)
        stopped(batch, sandbox)
        assert "groups on LIVE ACCOUNT …abcd, application " in text_of(form.result.resume.sentence)
        with closing(
            sqlite3.connect(ledger.path, isolation_level=None)
        ) as database:  # as before there was such a number
            database.execute("UPDATE runs SET confirmed = NULL")
        asked = sent(sandbox)
        click(form, form.result.resume.submit)
        assert status(form).startswith("Error: Nothing was sent: nobody has confirmed how many phones run ")
        assert "Plan the same orders again" in status(form)
        assert sent(sandbox) == asked
        click(form, form.steps[0], form.plan_it)
        batch.submit()
        assert sum(batch.sizes[name] for name in batch.sizes if name in ("Created", "Existed")) == 20


def test_an_account_that_was_refused_is_tried_again_with_the_number(sandbox: Sandbox, ledger: Ledger) -> None:
    """-1 stops the run in words; with the right secret the same run goes on, once its phones were confirmed."""
    account = sandbox.account
    with Client(Account(account.api_key, "wrong", account.base_url)) as wrong:
        submit_plan(make_plan(many_orders(4)), wrong, ledger, workers=1).wait()
    with Client(account) as client, closing(BatchForm(client, ledger)) as form:
        assert Batch(form).sizes == {"Refused": 1, "Not sent": 3}
        assert form.result.resume.submit.disabled
        form.result.resume.typed.value = "12"
        click(form, form.result.resume.submit)
        assert Batch(form).sizes == {"Created": 4}


def test_the_hand_over_tells_how_far_it_is(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the status line, for each application once it is listed; nothing stays of it but what was written."""
    apps = ("a-one", "a-two")
    batch.create(orders_frame(*((f"group-{app}", f"phone-{app}", "2", "861000000", app) for app in apps)))
    told: list[str] = []
    monkeypatch.setattr(batch.form, "set_status", lambda text, _="": told.append(text))
    click(batch.form, batch.form.result.hand_over)
    assert told[1:] == [f"Hand over: application {at} of 2 listed" for at in (1, 2)] + [""]
    assert text_of(batch.form.result.note).startswith("Written, for you alone to read, with the passwords of 4 phones")
