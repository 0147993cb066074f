"""Whole forms in long scenarios: stopped, lost, killed and watched from elsewhere; each group is created once."""

from __future__ import annotations

import stat
import subprocess
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import pandas as pd
import pytest

from itnio_nb import BatchForm, Client, Ledger, OrderForm, Sandbox, make_plan, submit_plan
from itnio_nb.forms.account import session_sandbox
from tests.support.factories import APP, group, many_orders, orders_frame, sent, until
from tests.support.forms import (
    Batch,
    begin_run,
    click,
    click_hastily,
    downloads_of,
    fill_order,
    lose_an_answer,
    status,
    text_of,
    wait_for_poll,
)
from tests.support.processes import start_python

SCRIPT = """
import sys
from tests.support.factories import many_orders
from itnio_nb import Account, Client, Ledger, make_plan, submit_plan
key, secret, url, groups = sys.argv[1:]
client, ledger = Client(Account(key, secret, url), timeout=(1, 4)), Ledger()
run = submit_plan(make_plan(many_orders(int(groups))), client, ledger, workers=2)
print(run.name, flush=True)
sys.stdin.readline()
run.stop()
"""


@contextmanager
def submitting_process(sandbox: Sandbox, ledger: Ledger, groups: int) -> Iterator[subprocess.Popen[str]]:
    """A process that submits so many groups to the same ledger, and stops at a line or the end."""
    account = sandbox.account
    credentials = (account.api_key, account.api_secret.reveal(), account.base_url)
    process = start_python(SCRIPT, *credentials, str(groups))
    assert process.stdout is not None
    try:
        assert process.stdout.readline().strip()
        until(lambda: sent(sandbox) >= 4, 30)
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def order(client: Client, ledger: Ledger) -> Iterator[OrderForm]:
    with closing(OrderForm(client, ledger)) as made:
        yield made


@pytest.fixture
def batch(client: Client, ledger: Ledger) -> Iterator[Batch]:
    with closing(BatchForm(client, ledger)) as made:
        yield Batch(made)


def create(order: OrderForm) -> None:
    order.create.click()
    wait_for_poll(order)


# One order.


def test_an_order_that_was_not_done_can_be_finished(order: OrderForm, sandbox: Sandbox) -> None:
    """Unknown: the form does not end in a disabled button; creating again lists the account, and sends nothing twice.

    Stopped: what was sent is listed, the rest is not sent; by the same button each group is created, once.
    """
    fill_order(order)
    sandbox.faults = ",".join(["drop-after", "query:none", *["query:-18-before"] * 40])
    create(order)
    assert "1 unknown" in repr(order)
    sandbox.faults = None
    assert not order.create.disabled
    create(order)
    assert "1 created" in repr(order)
    assert (sent(sandbox), len(sandbox.phones)) == (1, 3)
    sandbox.latency = 0.02
    fill_order(order, groupName="support", phoneName="line", quantity="2000")
    order.create.click()
    until(lambda: sent(sandbox) >= 5 and not order.monitor.stop.disabled)
    order.monitor.stop.click()
    wait_for_poll(order)
    assert "Stopped." in status(order)
    assert "not sent" in status(order)
    assert 3 < len(sandbox.phones) < 2003
    sandbox.latency = 0
    assert not order.create.disabled
    create(order)
    assert len(sandbox.phones) == 2003
    assert sandbox.served["sipAdd", "-20"] == 0


# A batch.


def test_a_stale_plan_is_refused_in_words(batch: Batch, client: Client, ledger: Ledger, sandbox: Sandbox) -> None:
    """With what differs; nothing is sent; planned again it can be."""
    batch.plan(many_orders(3))
    click(batch.form, batch.form.plan.save)
    with Client(client.account) as colleague:
        colleague.create_phones(group("group-1", "phone-1"))
    batch.read("plan.json")
    batch.submit()
    assert status(batch.form).startswith("Error: The saved plan is stale: 1 of its 3 groups needs something else now.")
    assert "group-1: create → exists" in status(batch.form)
    assert batch.step == "3 Confirm"
    assert (sent(sandbox), len(ledger.runs)) == (1, 0)
    click(batch.form, batch.form.plan.again)
    batch.submit()
    assert batch.sizes == {"Created": 2, "Existed": 1}


def test_an_unknown_group_is_resolved(batch: Batch, sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """It stays unknown as long as the account cannot be asked; Settle unknown lists the account, and sends nothing."""
    lose_an_answer(batch, sandbox)
    assert "class='warning'" in batch.form.result.summary.value
    with closing(BatchForm(client, ledger)) as other:
        assert Batch(other).sizes == {"Created": 1, "Unknown": 1}
        click(batch.form, batch.form.result.reconcile)
        assert status(batch.form).startswith("Error: ")
        sandbox.faults = None
        click(batch.form, batch.form.result.reconcile)
        assert batch.sizes == {"Created": 2}
        assert batch.form.result.reconcile.disabled
        assert sent(sandbox) == 2
        # The poll after it finds what the form has written itself, which is no news.
        assert status(batch.form).startswith("Looked: 1 group settled (1 created), 0 still unknown.")
        wait_for_poll(other)
        assert Batch(other).sizes == {"Created": 2}  # shown by another form without a click
        assert "not finished" not in status(other)  # there would be no button to finish it with


def test_what_was_refused_is_mended_and_planned_again(batch: Batch, client: Client, sandbox: Sandbox) -> None:
    """Those orders alone, in step 1; nothing is sent without another confirmation."""
    client.create_phones(group("others", "phone-1"))
    batch.create(many_orders(3))
    assert batch.sizes == {"Created": 2, "Refused": 1}
    asked = sent(sandbox)
    click(batch.form, batch.form.result.mend)
    assert batch.step == "1 Orders"
    assert batch.form.orders.orders["groupName"].tolist() == ["group-1"]
    assert status(batch.form).startswith("These rows have errors, were refused or not sent")
    assert sent(sandbox) == asked
    assert batch.form.confirm.submit.disabled
    batch.type(3, "phoneName", "another")
    click(batch.form, batch.form.plan_it)
    batch.submit()
    assert batch.sizes == {"Created": 1}
    assert sandbox.phones["groupName"].nunique() == 4


def test_the_hand_over_is_for_its_owner_alone(batch: Batch, monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox) -> None:
    """One ZIP of mode 0600 for both applications, written once, downloaded by the page; no password on a widget."""
    files, result = downloads_of(batch.form, monkeypatch), batch.form.result
    batch.create(pd.concat([many_orders(2), orders_frame(("other", "line", "3", "861000000", "app 2/x"))]))
    click(batch.form, result.hand_over)
    [path] = Path("results").glob("*-phones.*")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert f"Written, for you alone to read, with the passwords of 9 phones: {path.absolute()}" in text_of(result.note)
    click(batch.form, result.hand_over)
    assert "handed over before" in text_of(result.note)
    assert [*Path("results").glob("*-phones.*")] == [path]
    click(batch.form, result.fetch)
    assert files == {path.name: path.read_bytes()}
    with zipfile.ZipFile(path) as archive:
        tables = [pd.read_excel(archive.open(name), dtype=str, engine="calamine") for name in archive.namelist()]
    phones = pd.concat(tables)
    assert sorted(phones["password"]) == sorted(sandbox.phones["password"])
    for password in sandbox.phones["password"]:
        assert password not in repr(batch.form)


# Forms that are made anew, another process, and what dies.


def test_forms_made_anew_follow_a_run_at_work(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """Without a click; each can stop it, and all show its end."""
    sandbox.latency = 0.02
    submit_plan(make_plan(many_orders(200)), client, ledger, workers=2)
    with ExitStack() as stack:
        order, other = (stack.enter_context(closing(OrderForm(client, ledger))) for _ in range(2))
        one, another = (stack.enter_context(closing(BatchForm(client, ledger))) for _ in range(2))
        assert order.monitor.at_work
        assert order.create.disabled
        assert order.monitor.body.layout.display is None
        assert (Batch(one).step, one.monitor.at_work) == ("4 Submit", True)
        other.monitor.stop.click()
        for form in (order, other, one, another):
            wait_for_poll(form)
        for form in (order, other):
            assert status(form).startswith("Warning: Stopped.")
            assert "group-0" in form.result.value
        assert Batch(one).sizes == Batch(another).sizes
        assert Batch(one).sizes["Not sent"] > 0
        assert repr(one) == repr(another)


def test_forms_follow_a_run_of_another_process(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """It is not submitted or resolved from here, and `wait` does not wait for it.

    Its end is shown, and it can be gone on with.
    """
    sandbox.latency = 0.05
    with (
        submitting_process(sandbox, ledger, 300) as process,
        closing(OrderForm(client, ledger)) as order,
        closing(BatchForm(client, ledger)) as form,
    ):
        monitor = order.monitor
        assert (monitor.at_work, monitor.elsewhere, monitor.stop.disabled) == (False, True, False)
        assert text_of(monitor.line).startswith("At work in another page or process: ")
        assert (Batch(form).step, form.monitor.stop.disabled) == ("4 Submit", False)
        result = {"Settle unknown", "Go on", "Try again", "Download results", "Hand over", "New batch"}
        assert not result & Batch(form).enabled
        done = monitor.bar.value
        assert (order.wait(60), form.wait(60)) == (order, form)
        until(lambda: monitor.bar.value > done)
        process.communicate("stop\n", timeout=30)
        until(lambda: "Stopped." in status(order) and Batch(form).step == "5 Result")
        form.wait(60)
        assert not monitor.elsewhere
        assert Batch(form).sizes["Not sent"] > 0
        assert not form.result.resume.submit.disabled


def test_a_run_that_dies_while_one_watches_is_shown(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """As it is, at once; a form made anew offers to go on: one click, and each group is there, once."""
    sandbox.latency = 0.05
    with submitting_process(sandbox, ledger, 100) as process, closing(BatchForm(client, ledger)) as form:
        process.kill()
        process.communicate()
        until(lambda: Batch(form).step == "5 Result")
        form.wait(60)
        assert form.monitor.bar.bar_style == "warning"
        assert not form.result.resume.submit.disabled
    sandbox.latency = 0
    with closing(BatchForm(client, ledger)) as form:
        assert Batch(form).step == "5 Result"
        assert status(form).startswith("Warning: This run is not finished: ")
        assert Batch(form).sizes["Not sent"] > 50
        click(form, form.result.resume.submit)
        assert Batch(form).sizes == {"Created": 100}
    assert (sandbox.served["sipAdd", "0"], sandbox.served["sipAdd", "-20"]) == (100, 0)


def test_a_server_or_a_ledger_that_goes_during_a_run_is_shown(batch: Batch, ledger: Ledger, sandbox: Sandbox) -> None:
    """The run stops itself in words; when the server is back, the rest is tried again.

    Without its ledger the run ends, the form says why, and nothing waits for ever.
    """
    batch.plan(many_orders(60))
    sandbox.stop()
    batch.submit()
    assert batch.step == "5 Result"
    assert batch.sizes["Not sent"] >= 50
    summary = text_of(batch.form.result.summary)
    assert "does not answer" in summary or "Not verified" in summary
    sandbox.start()
    click(batch.form, batch.form.result.resume.submit)
    assert batch.sizes == {"Created": 60}
    sandbox.latency = 0.1
    begin_run(batch, many_orders(160))
    if ledger.is_shared:
        with ledger.database.transaction(write=True) as connection:
            connection.exec_driver_sql("DROP TABLE receipts")
    else:
        ledger.path.unlink()
    batch.form.wait(60)
    until(lambda: status(batch.form).startswith("Error: The ledger "))
    until(lambda: bool(batch.form.monitor.stop.disabled))


@pytest.mark.parametrize("at", range(31))
def test_a_double_click_on_any_button_sends_nothing_twice(
    at: int, batch: Batch, client: Client, ledger: Ledger, sandbox: Sandbox
) -> None:
    """Each button in turn, after a run that left something of every kind."""
    sandbox.app_ids = [APP]
    orders = pd.concat([many_orders(2), orders_frame(("other", "line", "3", "861000000", "wrong"), ("abc",))])
    plan = make_plan(orders)  # without asking: the refusal comes from the server
    plan.save("plan.json")
    batch.read("plan.json")
    batch.confirm()
    assert len(batch.form.buttons) == 31
    assert submit_plan(plan, client, ledger).wait().counts == {"created": 2, "refused": 1}
    with suppress(AssertionError):  # a click that no page would let through, on what is not there
        click_hastily(batch.form, list(batch.form.buttons)[at], 2)
    names = [served.group for served in sandbox.log if served.endpoint == "sipAdd" and served.status == "0"]
    assert sorted(names) == sorted(set(names))
    if session_sandbox.cache_info().currsize:
        session_sandbox().close()
        session_sandbox.cache_clear()
