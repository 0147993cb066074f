"""Runs in processes that are killed, interrupted, forked or left, and runs that meet every fault."""

from __future__ import annotations

import re
import signal
import subprocess
from pathlib import Path

import pytest

from itnio_nb import Client, Ledger, Sandbox, make_plan, reconcile, resume, submit_plan
from itnio_nb.runs.run import newest_run
from itnio_nb.sandbox.faults import KINDS, Faults
from tests.support.agreement import creations, require_agreement
from tests.support.factories import many_orders, sent, until
from tests.support.processes import read_line, start_python, tell

pytestmark = pytest.mark.usefixtures("ledger_place")  # where the processes find it
IMPORTS = """
import os, sys
from tests.support.factories import many_orders
from itnio_nb import Account, Client, ItnioError, Ledger, Plan, make_plan, submit_plan
client, ledger = Client(Account.from_env(), timeout=(2, 5)), Ledger()
"""
SUBMIT = """
run = submit_plan(make_plan(many_orders(300)), client, ledger, workers=4)
print("started", flush=True)
if sys.stdin.readline() == "wait\\n":
    print("waiting", flush=True)
    run.wait()
"""


def submitting(sandbox: Sandbox) -> subprocess.Popen[str]:
    """A process with a run of 300 groups at work, some of them sent."""
    sandbox.latency = 0.05
    process = start_python(IMPORTS + SUBMIT, sandbox=sandbox)
    assert read_line(process) == "started"
    until(lambda: sent(sandbox) >= 8, 30)
    return process


def require_clean_stop(sandbox: Sandbox, ledger: Ledger) -> None:
    """Nothing is in doubt: sent is recorded, the rest is not sent."""
    states = ledger.table["state"].value_counts().to_dict()
    assert states == {"created": len(sandbox.phones) // 3}
    assert 0 < states["created"] < 300


def test_leaving_python_finishes_what_is_under_way(sandbox: Sandbox, ledger: Ledger) -> None:
    """A script that ends without waiting stops cleanly."""
    process = submitting(sandbox)
    _, errors = process.communicate("leave\n", timeout=60)
    assert (process.returncode, errors) == (0, "")
    require_clean_stop(sandbox, ledger)


def test_interrupting_stops_the_run(sandbox: Sandbox, ledger: Ledger) -> None:
    """Ctrl-C while waiting: the run stops cleanly, then Python does."""
    process = submitting(sandbox)
    tell(process, "wait")
    assert read_line(process) == "waiting"
    before = sent(sandbox)
    until(lambda: sent(sandbox) >= before + 12, 30)  # by then it does
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert "KeyboardInterrupt: Stopped. Groups: " in errors
    assert "Submit the plan again to go on." in errors
    require_clean_stop(sandbox, ledger)


def test_a_killed_run_sends_nothing_twice(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """SIGKILL in the middle: not done before, unfinished at once after it, with the rest not sent.

    What was under way is unknown until it is listed; resumed, each group is created once.
    """
    process = submitting(sandbox)
    record = newest_run(ledger, ledger.runs_of(client.account))
    assert record is not None
    assert (record.done, record.finished) == (False, False)
    assert record.summary.startswith("Running. ")
    process.kill()
    process.communicate()
    until(lambda: record.done, 5 if ledger.is_shared else 0)  # a server sees that a connection has ended
    assert not record.finished
    assert record.summary.startswith("Stopped. ")
    assert record.counts["sending"] == 0
    assert record.counts["planned"] > 200
    sandbox.latency = 0
    in_doubt = int((ledger.table["state"] == "unknown").sum())
    assert in_doubt <= 16  # two windows of two for each worker
    run = resume(client, ledger).wait()
    assert run.counts == {"created": 300}
    assert f"Settled by looking: {in_doubt}" in run.summary or "absent and sent again" in run.summary
    assert sandbox.served["sipAdd", "0"] == 300
    assert sandbox.served["sipAdd", "-20"] == 0


SUBMIT_SAVED = """
try:
    print(submit_plan(Plan.load("plan.json"), client, ledger).wait().summary)
except ItnioError as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""


def test_a_saved_plan_is_submitted_by_another_process(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """What was planned there is created here; a second time it is stale, and nothing is sent."""
    make_plan(many_orders(5), client, ledger).save("plan.json")
    done, errors = start_python(IMPORTS + SUBMIT_SAVED, sandbox=sandbox).communicate(timeout=60)
    assert errors == ""
    assert done.startswith("Done. Groups: 5 created (15 phones), 0 existed")
    assert ledger.table["state"].tolist() == ["created"] * 5
    _, errors = start_python(IMPORTS + SUBMIT_SAVED, sandbox=sandbox).communicate(timeout=60)
    assert errors.startswith("StalePlanError: The saved plan is stale: 5 of its 5 groups need something else now")
    assert sent(sandbox) == 5


FORK = """
run = submit_plan(make_plan(many_orders(20)), client, ledger)
child = os.fork()
if not child:
    sys.exit(0)
_, status = os.waitpid(child, 0)
print(status, run.wait().summary)
"""


def test_a_fork_has_no_run_of_its_own(sandbox: Sandbox) -> None:
    """The child of a fork ends at once, and the parent's run goes on to its end."""
    sandbox.latency = 0.2
    output, _ = start_python(IMPORTS + FORK, sandbox=sandbox).communicate(timeout=60)
    assert output.startswith("0 Done. Groups: 20 created")


@pytest.fixture
def hasty(sandbox: Sandbox) -> Client:
    """A client that does not wait for stalled answers."""
    return Client(sandbox.account, timeout=(1, 0.5))


@pytest.mark.parametrize("seed", [19, 105])  # with these every kind is met by so few groups
def test_every_kind_of_fault_on_a_third_of_the_requests(
    seed: int, sandbox: Sandbox, hasty: Client, ledger: Ledger, tmp_path: Path
) -> None:
    """120 groups, listings fail too: nothing is unknown in the end, and all records of it agree group by group."""
    plan = make_plan(many_orders(120), hasty, ledger)
    sandbox.faults = Faults.parse("all=0.333", seed)
    run = submit_plan(plan, hasty, ledger).wait(120)
    while run.counts["planned"]:  # sent four times, each time in vain, or stopped after many failures in a row
        run = resume(hasty, ledger).wait(120)
    assert {one.fault for one in sandbox.log if one.endpoint == "sipAdd"} == {"", *KINDS}
    assert set(run.counts) <= {"created", "partial"}
    require_agreement(run, ledger, sandbox, tmp_path)
    sandbox.faults = None
    assert reconcile(hasty, ledger)["advice"].eq("").all()


def test_a_server_that_goes_in_the_middle(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """The run stops itself; what was not sent is "not sent"; resume finishes when the server is back."""
    sandbox.latency = 0.02
    run = submit_plan(make_plan(many_orders(500), client, ledger), client, ledger)
    until(lambda: sandbox.served["sipAdd", "0"] >= 50)
    sandbox.stop()
    run.wait(60)
    counts = run.counts
    assert set(counts) <= {"created", "unknown", "planned"}
    assert counts["unknown"] <= 8
    assert counts["planned"] > 300
    assert run.summary.startswith("Stopped. ")
    assert re.search(r"It stopped itself after 1\d failures in a row \(.*\): the account does not answer", run.summary)
    assert "Submit the plan again, or resume(client, ledger), to go on." in run.summary
    sandbox.latency = 0
    sandbox.start()
    again = resume(client, ledger).wait(60)
    assert (again.name, again.counts) == (run.name, {"created": 500})
    assert creations(sandbox) == {f"group-{at}": 1 for at in range(500)}
    assert resume(client, ledger).done
