"""Runs: everything sent once, nothing told before it is recorded, whatever is pressed or breaks."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from itnio_nb import (
    Account,
    Client,
    InputError,
    Ledger,
    LedgerError,
    Plan,
    Run,
    Sandbox,
    StalePlanError,
    State,
    make_plan,
    read_orders,
    resume,
    submit_plan,
)
from itnio_nb.api.models import PhoneGroup, Receipt
from itnio_nb.ledger.claims import SyncResult
from tests.support.factories import APP, ROOT, group, many_orders, orders_frame, until


def sent(sandbox: Sandbox) -> int:
    return sum(number for (call, _), number in sandbox.served.items() if call == "sipAdd")


def test_a_run_creates_what_was_planned(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """Sandbox, ledger, counts, table and summary agree, and the phones are read back."""
    orders = orders_frame(("hotline", "hotln", "120"), ("sales", "desk", "3"), ("abc",))
    plan = make_plan(orders, client, ledger)
    run = submit_plan(plan, client, ledger)
    assert run.wait() is run
    assert run.done
    assert run.counts == {"created": 4}
    assert (run.counts["refused"], run.counts[State.UNKNOWN]) == (0, 0)
    assert run.summary == (
        "Done. Groups: 4 created (123 phones), 0 existed, 0 refused, 0 unknown, 0 not sent. "
        "Verified: 123 of 123 phones."
    )
    sizes = {"hotline": 50, "hotline_2": 50, "hotline_3": 20, "sales": 3}
    assert sandbox.phones.groupby("groupName").size().to_dict() == sizes
    assert run.table["row"].tolist() == [2, 2, 2, 3]
    assert set(run.table["state"]) == {"created"}
    assert ledger.table["state"].tolist() == ["created"] * 4
    assert ledger.runs["finished"].ne("").all()


def test_submitting_again_sends_nothing_and_says_why(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """The same plan, and the plan made anew: no request, all existed, created stays created in the ledger."""
    plan = make_plan(many_orders(20), client, ledger)
    submit_plan(plan, client, ledger).wait()
    assert sent(sandbox) == 20
    for again in (plan, make_plan(many_orders(20), client, ledger)):
        run = submit_plan(again, client, ledger).wait()
        assert run.counts == {"exists": 20}
        assert run.summary == (
            "Done. Groups: 0 created (0 phones), 20 existed, 0 refused, 0 unknown, 0 not sent. "
            "Nothing was sent: all 20 groups exist already."
        )
    assert sent(sandbox) == 20
    assert set(ledger.table["state"]) == {"created"}
    assert "created in run" in run.table["reason"].iloc[0]


def test_a_double_click_is_one_run(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """Sixteen submissions of one plan at once: one run, each group sent once."""
    sandbox.latency = 0.02
    plan = make_plan(many_orders(30), client, ledger)
    runs: list[Run] = []
    threads = [threading.Thread(target=lambda: runs.append(submit_plan(plan, client, ledger))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for run in runs:
        run.wait(30)
    assert sent(sandbox) == 30
    assert sandbox.served["sipAdd", "0"] == 30
    assert len(ledger.runs) == 1


@pytest.mark.slow
def test_it_returns_at_once_and_works_with_the_asked_pace(
    sandbox: Sandbox, client: Client, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never more requests under way than workers, and no fewer while there is work."""
    sandbox.latency = 0.3
    under_way, most, lock = 0, 0, threading.Lock()
    create = client.create_phones

    def counted(one: PhoneGroup) -> Receipt:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        try:
            return create(one)
        finally:
            with lock:
                under_way -= 1

    monkeypatch.setattr(client, "create_phones", counted)
    run = submit_plan(make_plan(many_orders(30)), client, ledger, workers=12)
    assert not run.done
    run.wait(30)
    assert most == 12


def test_stop_finishes_what_is_under_way(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """What was sent is created, the rest "not sent"; nothing is unknown, and the books agree."""
    sandbox.latency = 0.05
    run = submit_plan(make_plan(many_orders(200), client, ledger), client, ledger, workers=4)
    until(lambda: sent(sandbox) >= 8)
    run.stop()
    assert run.done
    created = len(sandbox.phones) // 3
    assert 8 <= created < 200
    assert run.counts == {"created": created, "planned": 200 - created}
    assert run.summary.startswith("Stopped. Groups: ")
    assert f"{200 - created} not sent" in run.summary
    assert run.wait() is run
    assert ledger.runs["finished"].tolist() == [""]
    left = run.table[run.table["state"] == "planned"]
    assert set(left["reason"]) == {"not sent"}


def test_a_stopped_run_goes_on_where_it_was(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """Submitting the plan again goes on with its run and sends the rest, once."""
    sandbox.latency = 0.02
    plan = make_plan(many_orders(60), client, ledger)
    first = submit_plan(plan, client, ledger, workers=2)
    until(lambda: sent(sandbox) >= 5)
    first.stop()
    before = first.counts["created"]
    second = submit_plan(plan, client, ledger).wait()
    assert second.name == first.name
    assert second.counts == {"created": 60}
    assert f"Verified: 180 of 180 phones. It went on where it had stopped: {before} group" in second.summary
    assert sandbox.served["sipAdd", "0"] == sent(sandbox) == 60
    assert len(ledger.runs) == 1


def test_a_plan_made_anew_is_what_was_confirmed(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """After a stop, its numbers are the run's: what exists by then existed, and the stopped run ends."""
    sandbox.latency = 0.02
    first = submit_plan(make_plan(many_orders(60), client, ledger), client, ledger, workers=2)
    until(lambda: sent(sandbox) >= 5)
    first.stop()
    before = first.counts["created"]
    frame = pd.concat([orders_frame(("abc",)), many_orders(60)], ignore_index=True).assign(Site="Hall")
    plan = make_plan(frame, client, ledger)
    assert plan.summary.startswith(f"Plan: {60 - before} groups to create")
    second = submit_plan(plan, client, ledger).wait()
    assert second.counts == {"created": 60 - before, "exists": before}
    assert sent(sandbox) == 60
    files = second.write_results("results")
    assert sum(len(pd.read_csv(path)) for path in files.values()) == 61
    assert ledger.runs["note"].iloc[0] == f"Run {second.name} took its place."


@pytest.mark.slow
@pytest.mark.parametrize(
    ("status", "words"), [("-1", "Authentication failed"), ("-2", "Address not allowed"), ("-16", "Timestamp expired")]
)
def test_what_dooms_the_rest_stops_the_rest(sandbox: Sandbox, ledger: Ledger, status: str, words: str) -> None:
    """A few are refused, all others were never sent; mended, the same plan goes on to the end."""
    account = sandbox.account
    if status == "-2":
        sandbox.allowed_addresses = []
    if status == "-16":
        sandbox.faults = "clock=1"  # corrected once, and wrong again
    wrong = Account(account.api_key, "wrong", account.base_url) if status == "-1" else account
    plan = make_plan(many_orders(100))
    with Client(wrong) as client:
        run = submit_plan(plan, client, ledger, workers=1 if status == "-16" else 4).wait()
    assert 1 <= run.counts["refused"] <= 4
    assert run.counts["refused"] + run.counts["planned"] == 100
    assert sent(sandbox) == run.counts["refused"] * (2 if status == "-16" else 1)
    assert run.summary.startswith("Stopped.")
    assert words in run.summary
    sandbox.allowed_addresses, sandbox.faults = None, None
    with Client(account) as client:
        assert submit_plan(plan, client, ledger).wait().counts == {"created": 100}


def test_a_full_application_stops_only_itself(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """-23: its other groups are not sent, the other application's are created."""
    sandbox.cap = 6
    orders = pd.concat([many_orders(100, app_id="full"), orders_frame(("sales", "desk"), ("support", "line"))])
    run = submit_plan(make_plan(orders, client, ledger), client, ledger, workers=4).wait()
    states = run.table.groupby(["appId", "state"]).size().to_dict()
    assert states[APP, "created"] == 2
    assert states["full", "created"] == 2
    assert 1 <= states["full", "refused"] <= 4
    assert states["full", "planned"] == 98 - states["full", "refused"]
    assert run.summary.startswith("Stopped.")
    assert run.summary.endswith("Application full is full: nothing more was sent to it.")


def test_a_refused_field_concerns_its_group_alone(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """-22: refused with advice, all others go on."""
    sandbox.app_ids = [APP]
    orders = orders_frame(("sales", "desk"), ("other", "line", "3", "861000000", "wrong"), ("third", "tri3"))
    run = submit_plan(make_plan(orders), client, ledger).wait()
    assert run.table["state"].tolist() == ["created", "refused", "created"]
    assert run.table["status"].tolist() == ["0", "-22", "0"]
    assert "Field refused" in run.table["advice"].iloc[1]
    assert run.summary.startswith("Done.")


def test_minus_20_is_looked_up(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """The group is there → existed; only its phone name is → refused. Both by one listing."""
    client.create_phones(group("there", "desk"))
    orders = orders_frame(("there", "desk2"), ("other", "desk"), ("fresh", "line"))
    run = submit_plan(make_plan(orders), client, ledger).wait()
    assert run.table["state"].tolist() == ["exists", "refused", "created"]
    assert run.table["status"].tolist() == ["-20", "-20", "0"]
    assert "taken by group there" in run.table["reason"].iloc[1]
    assert sandbox.served["sipQuery", "0"] == 2  # both names are believed when two listings agree
    assert ledger.history["state"].tolist().count("unknown") == 2


def test_what_is_not_known_is_said_to_be_unknown(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """-18 for all, listings too: unknown, until somebody can look."""
    sandbox.broken = True
    run = submit_plan(make_plan(many_orders(5)), client, ledger).wait()
    assert run.counts == {"unknown": 5}
    assert "5 unknown" in run.summary
    assert "Not verified: " in run.summary
    assert ledger.runs["finished"].tolist() == [""]
    sandbox.broken = False
    again = resume(client, ledger).wait()
    assert (again.name, again.counts) == (run.name, {"created": 5})
    assert "Settled by looking: 5 absent and sent again." in again.summary


def test_what_is_in_doubt_is_looked_up_and_never_sent(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """More phones than were confirmed must never be made: settled, then to be planned again."""
    sandbox.broken = True
    submit_plan(make_plan(many_orders(4)), client, ledger).wait()
    sandbox.broken = False
    client.create_phones(group("group-1", "phone-1"))
    before = sent(sandbox)
    plan = make_plan(many_orders(6), client, ledger)
    assert plan.summary == "Plan: 2 groups to create (6 phones), 1 already exists, 0 rows invalid, 3 in doubt."
    run = submit_plan(plan, client, ledger, confirm=6).wait()
    assert run.counts == {"created": 2, "exists": 1, "planned": 3}
    assert "Settled by looking: 1 created, 3 absent: plan again to create them." in run.summary
    assert "created in run" in run.table["reason"].iloc[1] or "the account has it" in run.table["reason"].iloc[1]
    assert sent(sandbox) == before + 2
    last = make_plan(many_orders(6), client, ledger)
    assert submit_plan(last, client, ledger, confirm=9).wait().counts == {"created": 3, "exists": 3}


@pytest.mark.slow
def test_a_server_that_is_gone_stops_the_run(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """What never left is not sent, not unknown; when the server is back, the plan goes on."""
    plan = make_plan(many_orders(40), client, ledger)
    sandbox.stop()
    run = submit_plan(plan, client, ledger).wait(30)
    assert run.counts == {"planned": 40}
    assert run.summary.startswith("Stopped. Groups: 0 created")
    assert re.search(r"after 1\d failures in a row \(connection refused\): the account does not answer", run.summary)
    sandbox.start()
    assert resume(client, ledger).wait().counts == {"created": 40}


def test_phones_that_cannot_be_read_back_are_not_verified(
    sandbox: Sandbox, client: Client, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run is done; the line says that it was not verified, and why."""
    plan = make_plan(many_orders(3))
    create = client.create_phones

    def last_answer(one: PhoneGroup) -> Receipt:
        receipt = create(one)
        sandbox.broken = len(sandbox.phones) == 9
        return receipt

    monkeypatch.setattr(client, "create_phones", last_answer)
    run = submit_plan(plan, client, ledger, workers=1).wait()
    assert run.counts == {"created": 3}
    assert "Not verified: The phones of application 4luaKsL2 could not be listed" in run.summary
    assert "Verified:" not in run.summary.replace("Not verified:", "")


def test_phones_that_are_missing_are_counted(
    sandbox: Sandbox, client: Client, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server says 0 and has fewer phones: the read-back tells."""
    plan = make_plan(many_orders(3))
    create = client.create_phones

    def one_lost(one: PhoneGroup) -> Receipt:
        receipt = create(one)
        if one.group_name == "group-1":
            sandbox.edit_phone(APP, "phone-1-3", groupName="elsewhere")
        return receipt

    monkeypatch.setattr(client, "create_phones", one_lost)
    run = submit_plan(plan, client, ledger, workers=1).wait()
    assert "3 created (9 phones)" in run.summary
    assert run.summary.endswith("Verified: 8 of 9 phones. 1 group lacks phones that were created: group-1 (2 of 3).")


def test_an_empty_plan_is_a_finished_run(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """Nothing to send is said, not an error."""
    run = submit_plan(make_plan(orders_frame(("abc",)), client, ledger), client, ledger).wait()
    assert run.counts == {}
    assert run.table.empty
    assert run.summary.endswith("Nothing was sent: the plan has no valid group.")
    assert sent(sandbox) == 0


@pytest.mark.slow
def test_wait_can_time_out_and_the_run_goes_on(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """TimeoutError with the counts so far; the next wait ends it."""
    sandbox.latency = 0.2
    run = submit_plan(make_plan(many_orders(8)), client, ledger, workers=4)
    with pytest.raises(TimeoutError, match=r"it goes on\. Running\. Groups: .* to go"):
        run.wait(0.05)
    assert run.wait(30).counts == {"created": 8}


def test_a_ledger_that_fails_ends_the_run(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """Nothing more is sent once nothing more can be recorded, and wait raises what went wrong."""
    sandbox.latency = 0.02
    run = submit_plan(make_plan(many_orders(100)), client, ledger, workers=2)
    until(lambda: sent(sandbox) >= 4)
    other = sqlite3.connect(ledger.path)
    other.execute("DROP TABLE receipts")
    other.commit()
    other.close()
    with pytest.raises(LedgerError, match="no such table"):
        run.wait(30)
    assert sent(sandbox) < 100


def test_what_could_not_be_recorded_is_said(
    sandbox: Sandbox, client: Client, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk in the middle: the summary tells even those who never wait, and the answer's group is unknown."""
    exchange = ledger.run_store.sync

    def full(run_id: int, owner: str, **what: Any) -> SyncResult:
        if any(position == 5 for position, _ in what["outcomes"]):
            raise LedgerError("disk full")
        return exchange(run_id, owner, **what)

    monkeypatch.setattr(ledger.run_store, "sync", full)
    run = submit_plan(make_plan(many_orders(40)), client, ledger, workers=1)
    until(lambda: run.done)
    made = len(sandbox.phones) // 3
    assert made == sent(sandbox) < 10  # the windows that were claimed by then
    counts = run.counts
    assert (counts.total(), set(counts)) == (40, {"created", "unknown", "planned"})
    assert counts["created"] < made
    assert run.summary.endswith(f"{counts['unknown']} unknown, {counts['planned']} not sent. It failed: disk full")
    with pytest.raises(LedgerError, match="disk full"):
        run.wait()
    monkeypatch.undo()
    assert resume(client, ledger).wait().counts == {"created": 40}
    assert sandbox.served["sipAdd", "0"] == 40


def test_a_stop_ends_the_read_back(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """Thousands of pages do not keep anybody waiting: after the page under way it is over, not verified."""
    for at in range(20):
        client.create_phones(group(f"old-{at}", f"old-{at}", 50))
    sandbox.latency = 0.1
    run = submit_plan(make_plan(many_orders(1)), client, ledger)
    until(lambda: sandbox.served["sipQuery", "0"] > 0)  # the read-back is under way
    run.stop()
    assert sandbox.served["sipQuery", "0"] < 11
    assert "Not verified: " in run.summary


def test_a_plan_of_another_account_is_stale(client: Client, ledger: Ledger) -> None:
    """Numbers that were confirmed for one account are not sent to another."""
    plan = make_plan(many_orders(1), client, ledger)
    with Sandbox() as other, Client(other.account) as elsewhere, pytest.raises(StalePlanError, match="another account"):
        submit_plan(plan, elsewhere, ledger)
    assert ledger.runs.empty


@pytest.mark.parametrize("how", [{"workers": 0}, {"workers": -1}, {"rate": 0}, {"rate": -2.5}])
def test_impossible_paces_are_refused(client: Client, ledger: Ledger, how: dict[str, int]) -> None:
    """Before anything is written."""
    with pytest.raises(InputError, match="at least 1 worker"):
        submit_plan(make_plan(many_orders(1)), client, ledger, **how)
    assert ledger.runs.empty


def test_results_are_written_from_the_ledger(client: Client, ledger: Ledger, tmp_path: Path) -> None:
    """Every order is in exactly one file, under the run's name, with its own headers."""
    client.create_phones(group("there", "desk"))
    frame = orders_frame(("there", "desk"), ("sales", "line", "70"), ("abc", "xyzz"))
    orders = read_orders(frame.rename(columns={"groupName": "Group Name"}).assign(Site="Hall"))
    run = submit_plan(make_plan(orders, client, ledger), client, ledger).wait()
    files = run.write_results(tmp_path / "results")
    assert sorted(files) == ["created", "existed", "invalid", "notsent", "refused", "unknown"]
    assert all(path.name == f"{run.name}-{kind}.csv" for kind, path in files.items())
    rows = {kind: pd.read_csv(path, dtype=str)["itnio_row"].tolist() for kind, path in files.items()}
    assert rows == {"created": ["3"], "existed": ["2"], "invalid": ["4"], "notsent": [], "refused": [], "unknown": []}
    assert list(pd.read_csv(files["created"]).columns[:7]) == ["Group Name", *frame.columns[1:], "Site", "itnio_row"]


def test_a_run_shows_itself(client: Client, ledger: Ledger) -> None:
    """Summary and table, as text and as HTML, hostile text escaped."""
    run = submit_plan(make_plan(orders_frame(("<script>x</script>", "desk"))), client, ledger).wait()
    assert repr(run).startswith("Done. Groups: 1 created")
    assert "<script>" in repr(run)
    assert "<script>" not in run._repr_html_()
    assert "&lt;script&gt;" in run._repr_html_()


SCRIPT = """
import sys
from tests.support.factories import many_orders
from itnio_nb import Account, Client, Ledger, make_plan, submit_plan
key, secret, url, path = sys.argv[1:]
client, ledger = Client(Account(key, secret, url)), Ledger(path)
run = submit_plan(make_plan(many_orders(300)), client, ledger, workers=4)
print("started", flush=True)
if sys.stdin.readline() == "wait\\n":
    run.wait()
"""


def start(sandbox: Sandbox, ledger: Ledger) -> subprocess.Popen[str]:
    account = sandbox.account
    credentials = (account.api_key, account.api_secret.reveal(), account.base_url)
    command = [sys.executable, "-c", SCRIPT, *credentials, str(ledger.path)]
    here = str(ROOT)
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": here},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    return process


@pytest.mark.slow
def test_leaving_python_finishes_what_is_under_way(sandbox: Sandbox, ledger: Ledger) -> None:
    """A script that ends without waiting leaves nothing in doubt: sent is recorded, the rest is not sent."""
    sandbox.latency = 0.05
    process = start(sandbox, ledger)
    until(lambda: sent(sandbox) >= 4, 30)
    _, errors = process.communicate("leave\n", timeout=60)
    assert (process.returncode, errors) == (0, "")
    states = ledger.table["state"].value_counts().to_dict()
    assert states == {"created": len(sandbox.phones) // 3}
    assert 0 < states["created"] < 300


@pytest.mark.slow
def test_interrupting_stops_the_run(sandbox: Sandbox, ledger: Ledger) -> None:
    """Ctrl-C while waiting: the run stops cleanly, then Python does."""
    sandbox.latency = 0.05
    process = start(sandbox, ledger)
    assert process.stdin is not None
    process.stdin.write("wait\n")
    process.stdin.flush()
    until(lambda: sent(sandbox) >= 8, 30)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert "KeyboardInterrupt: Stopped. Groups: " in errors
    assert "Submit the plan again to go on." in errors
    states = ledger.table["state"].value_counts().to_dict()
    assert states == {"created": len(sandbox.phones) // 3}
    assert states["created"] < 300


@pytest.mark.slow
def test_a_killed_run_sends_nothing_twice(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """SIGKILL in the middle: what was under way is in doubt and told so; the rest is sent, each group once."""
    sandbox.latency = 0.05
    process = start(sandbox, ledger)
    until(lambda: sent(sandbox) >= 20)
    process.kill()
    process.communicate()
    sandbox.latency = 0
    in_doubt = int((ledger.table["state"] == "unknown").sum())
    assert in_doubt <= 16  # two windows of two for each worker
    run = resume(client, ledger).wait()
    assert run.counts == {"created": 300}
    assert f"Settled by looking: {in_doubt}" in run.summary or "absent and sent again" in run.summary
    assert sandbox.served["sipAdd", "0"] == 300
    assert sandbox.served["sipAdd", "-20"] == 0


SUBMIT_SAVED = """
import sys
from itnio_nb import Account, Client, ItnioError, Ledger, Plan, submit_plan
try:
    print(submit_plan(Plan.load("plan.json"), Client(Account.from_env()), Ledger("ledger.sqlite")).wait().summary)
except ItnioError as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""


def submit_saved(client: Client) -> subprocess.CompletedProcess[str]:
    """Submit the plan in plan.json from a process of its own."""
    account = client.account
    names = {"KEY": account.api_key, "SECRET": account.api_secret.reveal()}
    settings = {f"ITNIO_API_{name}": value for name, value in names.items()} | {"ITNIO_BASE_URL": account.base_url}
    command = [sys.executable, "-c", SUBMIT_SAVED]
    return subprocess.run(command, env=os.environ | settings, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_a_saved_plan_is_submitted_by_another_process(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """What was planned there is created here; a second time it is stale, and nothing is sent."""
    make_plan(many_orders(5), client, ledger).save("plan.json")
    done = submit_saved(client)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Done. Groups: 5 created (15 phones), 0 existed")
    assert ledger.table["state"].tolist() == ["created"] * 5
    again = submit_saved(client)
    assert again.stderr.startswith("StalePlanError: The saved plan is stale: 5 of its 5 groups need something else now")
    assert sent(sandbox) == 5


@pytest.mark.parametrize("is_own_ledger", [True, False])
def test_a_plan_that_a_colleague_made_stale_is_refused(
    is_own_ledger: bool, sandbox: Sandbox, client: Client, ledger: Ledger, tmp_path: Path
) -> None:
    """The differences are told, group by group; nothing is sent, nothing is opened in the ledger."""
    make_plan(many_orders(5), client, ledger).save("plan.json")
    with Ledger(tmp_path / "colleague.sqlite") as other:
        theirs = ledger if is_own_ledger else other
        submit_plan(make_plan(many_orders(5)[1:3], client, theirs), client, theirs).wait()
    runs = len(ledger.runs)
    with pytest.raises(StalePlanError) as refused:
        submit_plan(Plan.load("plan.json"), client, ledger)
    words = str(refused.value)
    assert words.startswith("The saved plan is stale: 2 of its 5 groups need something else now. ")
    assert "group-1: create → exists (the account has it: 3 phones" in words
    assert "Plan again with make_plan(plan.orders, client, ledger), and confirm what it shows." in words
    told = refused.value.differences
    assert told is not None
    assert told[["row", "groupName", "planned", "now"]].to_numpy().tolist() == [
        [3, "group-1", "create", "exists"],
        [4, "group-2", "create", "exists"],
    ]
    assert (sent(sandbox), len(ledger.runs)) == (2, runs)
    fresh = make_plan(Plan.load("plan.json").orders, client, ledger)
    assert submit_plan(fresh, client, ledger).wait().counts == {"created": 3, "exists": 2}


def test_many_differences_are_told_shortly(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """Three and a count; also where an application is refused meanwhile."""
    make_plan(many_orders(50), client, ledger).save("plan.json")
    sandbox.app_ids = []
    with pytest.raises(StalePlanError, match="; and 47 more") as refused:
        submit_plan(Plan.load("plan.json"), client, ledger)
    assert "group-0: create → invalid (its row has an error now" in str(refused.value)
    assert sent(sandbox) == 0


@pytest.mark.slow
def test_a_saved_plan_whose_run_was_stopped_goes_on(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """It is that very run: what it has made itself does not make it stale."""
    sandbox.latency = 0.05
    make_plan(many_orders(30), client, ledger).save("plan.json")
    first = submit_plan(Plan.load("plan.json"), client, ledger, workers=2)
    until(lambda: sent(sandbox) > 3)
    first.stop()
    assert 0 < first.counts["planned"] < 30
    second = submit_plan(Plan.load("plan.json"), client, ledger).wait()
    assert (second.name, second.counts) == (first.name, {"created": 30})
    assert sent(sandbox) == 30


def test_a_saved_plan_for_another_account_is_refused(client: Client, ledger: Ledger) -> None:
    """Nobody submits a rehearsal to the live account, or the other way round."""
    make_plan(many_orders(1), client, ledger).save("plan.json")
    with Sandbox() as other, Client(other.account) as theirs:
        with pytest.raises(StalePlanError, match="another account or address"):
            submit_plan(Plan.load("plan.json"), theirs, ledger)
        assert not other.served


def test_a_plan_saved_without_an_account_is_compared_when_submitted(client: Client, ledger: Ledger) -> None:
    """It knew nothing of what exists."""
    make_plan(many_orders(2)).save("plan.json")
    client.create_phones(group("group-1", "phone-1"))
    with pytest.raises(StalePlanError, match="1 of its 2 groups needs something else now"):
        submit_plan(Plan.load("plan.json"), client, ledger)
    make_plan(many_orders(2)[:1]).save("plan.json")
    assert submit_plan(Plan.load("plan.json"), client, ledger).wait().counts == {"created": 1}


def test_a_trial_then_the_rest(sandbox: Sandbox, client: Client, ledger: Ledger, tmp_path: Path) -> None:
    """Three first; their orders alone are created, an order cut by the trial is not sent yet; then all."""
    orders = orders_frame(("hotline", "hotln", "120"), ("sales", "desk", "3"), ("abc",))
    plan = make_plan(orders, client, ledger)
    trial = submit_plan(plan.first(2), client, ledger).wait()
    assert trial.counts == {"created": 2}
    files = trial.write_results(tmp_path / "results")
    rows = {kind: read_orders(path).shape[0] for kind, path in files.items()}
    assert rows == {"created": 0, "existed": 0, "refused": 0, "unknown": 0, "notsent": 2, "invalid": 1}
    cut = pd.read_csv(files["notsent"])["itnio_reason"].tolist()
    assert cut == ["1 of 3 groups: not part of this run", "not part of this run"]
    rest = submit_plan(plan, client, ledger).wait()
    assert rest.counts == {"created": 2, "exists": 2}
    assert sent(sandbox) == 4


def test_the_confirmed_number_must_be_the_plans(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """Another number sends nothing and says which it is; a plan with nothing to create needs none."""
    plan = make_plan(many_orders(4), client, ledger)
    with pytest.raises(InputError, match=r"the plan creates 12 phones, and 867 were confirmed.* confirm=12\."):
        submit_plan(plan, client, ledger, confirm=867)
    with pytest.raises(InputError, match="and '12' were confirmed"):
        submit_plan(plan, client, ledger, confirm="12")  # type: ignore[arg-type] # as a form would give it
    assert sent(sandbox) == 0
    assert submit_plan(plan, client, ledger, confirm=12).wait().counts == {"created": 4}
    assert submit_plan(make_plan(many_orders(4), client, ledger), client, ledger, confirm=12).wait().counts == {
        "exists": 4
    }


@pytest.mark.parametrize(
    "options",
    [
        {"workers": "8"},
        {"workers": 1.5},
        {"workers": None},
        {"rate": "3"},
        {"rate": float("nan")},
        {"rate": float("inf")},
    ],
)
def test_options_that_are_none_are_said(options: dict[str, Any], client: Client, ledger: Ledger) -> None:
    """Before anything is opened."""
    with pytest.raises(InputError, match="at least 1 worker"):
        submit_plan(make_plan(many_orders(1)), client, ledger, **options)
    assert ledger.runs.empty


def test_a_plan_needs_a_client_and_a_ledger(client: Client, ledger: Ledger) -> None:
    """In this order."""
    for wrong in ((client, None), (None, ledger), (ledger, client)):
        with pytest.raises(InputError, match=r"submit_plan\(plan, client, ledger\)"):
            submit_plan(make_plan(many_orders(1)), *wrong)
