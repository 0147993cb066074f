"""A batch, by clicking: what can be reached and pressed in each state, what survives, what goes wrong."""

from __future__ import annotations

import io
import threading
from contextlib import closing

import pandas as pd
import pytest

from itnio_nb import BatchForm, Client, Ledger, Sandbox, resume
from tests.support.factories import APP, Gate, many_orders, orders_frame, sent, until
from tests.support.forms import (
    HOSTILE,
    PRINTABLE_HOSTILE,
    Batch,
    all_widgets,
    assert_form_harmless,
    begin_run,
    click,
    click_hastily,
    status,
    text_of,
    wait_for_poll,
)

READING = {"Read", "Read what is pasted", "Add a row", "Download a template"}
EMPTY = {*READING, "Write one row by hand", "New batch"}
HAVING = {*READING, "Change the columns", "Delete selected rows", "Download to mend", "New batch"}
PLANNED = {*HAVING, "Plan", "Plan again", "Save the plan", "Download the plan", "Go on to confirm"}
DONE = {*HAVING, "Plan", "Mend the row", "Download results", "Hand over"}


def main_buttons(form: BatchForm) -> list[str]:
    """The buttons of the open step that stand out and are to be seen."""
    (step,) = [form.panels.children[form.panels.selected_index]]
    buttons = [one for one in all_widgets(step) if getattr(one, "button_style", "") == "primary"]
    return [one.description for one in buttons if one.layout.display != "none"]


def test_buttons_are_enabled_as_far_as_one_has_come(
    batch: Batch, sandbox: Sandbox, client: Client, ledger: Ledger
) -> None:
    """State after state, to the end and back to another batch, while the run before can still be looked at.

    A double click on Submit sends nothing twice, nor does a later one. Made anew, as after a reload of the page, the
    form shows the newest run: orders, counts and tabs, and all buttons of its state.
    """
    form = batch.form
    assert batch.step == "1 Orders"
    assert (batch.reachable, batch.enabled) == ("1", EMPTY)
    assert form.monitor.stop.disabled
    words = "No orders yet: upload a file, give its path, paste rows, or add one."
    assert text_of(form.orders.counts) == words
    assert repr(form) == "BatchForm: SANDBOX. Step 1 Orders.\n0 orders, 0 without errors."
    steps = ["1 Orders", "2 Plan", "3 Confirm", "4 Submit", "5 Result"]
    assert [step.description for step in form.steps] == steps
    reasons = ["There is no plan now: make one in step 1"] * 2 + ["No run yet", "No run is over yet"]
    assert [step.tooltip for step in form.steps] == ["Go to 1 Orders", *reasons]
    assert main_buttons(form) == ["Upload a file"]
    batch.paste(orders_frame(("abc",)))
    assert (batch.reachable, batch.enabled) == ("1", HAVING)  # nothing valid to plan
    assert main_buttons(form) == ["Plan"]
    assert text_of(form.plan_hint) == "Nothing to plan yet: every row has an error."
    batch.paste(pd.concat([many_orders(3), orders_frame(("abc",))]))
    assert (batch.reachable, batch.enabled) == ("1", {*HAVING, "Plan"})
    assert main_buttons(form) == ["Plan"]
    assert text_of(form.plan_hint) == "1 row with errors will be left out."
    click(form, form.plan_it)
    assert batch.step == "2 Plan"
    assert (batch.reachable, batch.enabled) == ("123", PLANNED)
    assert form.steps[1].tooltip == "Go to 2 Plan"
    assert main_buttons(form) == ["Go on to confirm"]
    click(form, form.on_to_confirm)
    assert batch.step == "3 Confirm"
    assert ["itnio-done" in step._dom_classes for step in form.steps] == [True, True, False, False, False]
    assert main_buttons(form) == ["Submit"]
    assert form.confirm.submit.disabled
    for at in (1, 0, 2):
        click(form, form.steps[at])
        assert batch.step == form.steps[at].description
    assert batch.enabled == PLANNED
    batch.confirm()
    assert batch.enabled == {*PLANNED, "Submit"}
    for _ in range(2):
        click_hastily(form, form.confirm.submit)
        assert sent(sandbox) == sandbox.served["sipAdd", "0"] == 3
        assert len(ledger.runs) == 1
    assert batch.step == "5 Result"
    assert (batch.reachable, batch.enabled) == ("145", DONE)
    assert main_buttons(form) == ["Mend the row"]
    assert form.monitor.stop.disabled
    with closing(BatchForm(client, ledger)) as made:
        again = Batch(made)
        assert repr(made) == repr(form)
        assert again.sizes == batch.sizes == {"Created": 3, "Invalid": 1}
        assert len(made.orders.orders) == 4
        assert (again.enabled, again.reachable, again.step) == (DONE - {"Change the columns"}, "145", "5 Result")
    click(form, form.result.hand_over)
    assert batch.enabled == {*DONE, "Download the hand-over"}
    assert form.result.note.value
    click(form, form.result.new)
    assert batch.step == "1 Orders"
    assert (form.orders.grid.rows, batch.reachable) == ([], "145")
    assert batch.enabled == {*EMPTY, "Mend the row", "Download results", "Hand over", "Download the hand-over"}


def test_what_cannot_be_submitted_is_not_sent(batch: Batch, sandbox: Sandbox, ledger: Ledger) -> None:
    """An error of the account is shown and leaves the form as it was; an edit drops the plan, to be confirmed again.

    Without its ledger nothing is sent, and nothing waits for ever.
    """
    form = batch.form
    batch.paste(many_orders(2))
    sandbox.allowed_addresses = []
    click(form, form.plan_it)
    assert status(form).startswith("Error: ")
    assert "This should not have happened" not in status(form)
    assert batch.step == "1 Orders"
    sandbox.allowed_addresses = None
    click(form, form.plan_it)
    assert batch.step == "2 Plan"
    batch.confirm()
    assert not form.confirm.submit.disabled
    batch.type(2, "quantity", "9")
    assert form.plan.whole is None
    assert form.confirm.submit.disabled
    assert batch.reachable == "1"
    assert text_of(form.confirm.sentence) == "Nothing is planned yet."
    click_hastily(form, form.confirm.submit)
    assert sent(sandbox) == 0
    click(form, form.plan_it)
    assert form.confirm.typed.value == ""
    assert "Type 12 to confirm." in text_of(form.confirm.hint)
    batch.confirm()
    ledger.path.unlink()
    click(form, form.confirm.submit)
    assert status(form).startswith("Error: The ledger ")
    assert "the file was deleted or replaced" in status(form)
    assert sent(sandbox) == 0


def test_a_run_is_stopped_and_finished(batch: Batch, sandbox: Sandbox, ledger: Ledger) -> None:
    """While it is at work nothing can be submitted, resolved or gone on with; one may look at other steps.

    What was not sent is said; then the same run goes on to its end, each group once.
    """
    form = batch.form
    sandbox.faults = gate = Gate()
    gate.opened.set()
    batch.plan(many_orders(20))
    gate.opened.clear()
    batch.confirm()
    form.confirm.submit.click()
    until(lambda: form.monitor.at_work and not form.busy)
    assert (batch.step, batch.reachable) == ("4 Submit", "1234")
    assert batch.enabled == PLANNED - {"New batch"}
    batch.confirm()
    assert form.confirm.submit.disabled
    form.steps[0].click()
    until(lambda: batch.step == "1 Orders")
    form.monitor.stop.click()
    gate.opened.set()
    wait_for_poll(form)
    assert batch.step == "1 Orders"
    made = len(sandbox.phones) // 3
    assert batch.sizes.get("Created", 0) == made
    assert batch.sizes["Not sent"] == 20 - made > 0
    assert status(form).startswith(f"Warning: This run is not finished: {20 - made} groups left")
    click(form, form.result.resume.submit)
    assert batch.sizes == {"Created": 20}
    assert (batch.step, status(form)) == ("5 Result", "")
    assert sent(sandbox) == sandbox.served["sipAdd", "0"] == 20
    assert len(ledger.runs) == 1
    assert form.result.resume.submit.disabled


def test_closing_the_form_ends_its_thread_and_no_run(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """A closed page is no Stop."""
    before = set(threading.enumerate())
    form = BatchForm(client, ledger)
    Batch(form).plan(many_orders(20))
    sandbox.faults = gate = Gate()
    Batch(form).confirm()
    form.confirm.submit.click()
    until(lambda: form.monitor.at_work)
    (thread,) = [thread for thread in set(threading.enumerate()) - before if thread.name == "form"]
    form.close()
    thread.join(5)
    assert not thread.is_alive()
    gate.opened.set()
    assert resume(client, ledger).wait(20).counts == {"created": 20}
    assert sent(sandbox) == 20


def test_messages_to_the_page_do_not_grow_with_the_groups(
    batch: Batch, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few for each poll, whatever is sent meanwhile."""
    monkeypatch.setattr("itnio_nb.forms.run.monitor._FAST", 0.2)
    sandbox.latency = 0.02
    messages: list[object] = []
    monkeypatch.setattr(type(batch.form.comm), "publish_msg", lambda self, *args, **rest: messages.append(rest))
    begin_run(batch, many_orders(60))
    run = batch.form.monitor.record
    assert run is not None
    begun, counted = len(messages), run.counts["created"]
    until(lambda: run.counts["created"] > counted + 30)
    assert len(messages) - begun < 25
    wait_for_poll(batch.form)
    assert batch.sizes == {"Created": 60}
    assert len(messages) - begun < 200


def test_hostile_text_is_text_everywhere(batch: Batch, sandbox: Sandbox) -> None:
    """In cells, headers, file names, findings, plans, fields, problems and results."""
    texts = PRINTABLE_HOSTILE
    orders = orders_frame(
        *((text, text, text, text, text) for text in texts),
        *((text[:28] + "....", text[:24] + f"-{at:02}", "3", "861000000", APP) for at, text in enumerate(texts)),
    ).assign(**{text: text for text in texts})
    data, plain = io.BytesIO(), {"options": {"strings_to_formulas": False}}
    with pd.ExcelWriter(data, engine="xlsxwriter", engine_kwargs=plain) as book:
        orders.to_excel(book, index=False)
    batch.upload(texts[0], data.getvalue())
    batch.type(batch.form.orders.grid.rows[0], "groupName", HOSTILE[-1])
    assert_form_harmless(batch.form)
    batch.read(f"{texts[1]}.csv")
    assert_form_harmless(batch.form)
    click(batch.form, batch.form.plan_it)
    batch.form.plan.path.value = f"/nowhere/{texts[2]}"
    click(batch.form, batch.form.plan.save)
    assert_form_harmless(batch.form)
    batch.form.confirm.rate.value = texts[3]
    batch.submit()
    assert_form_harmless(batch.form)
    batch.form.confirm.rate.value = ""
    sandbox.app_ids = []
    batch.submit()
    assert batch.sizes["Refused"] > 5
    assert_form_harmless(batch.form)
