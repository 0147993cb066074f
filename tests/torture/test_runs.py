"""Runs in processes that are killed, interrupted, forked or left, and runs that meet every fault."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from itnio_nb import Client, Ledger, Sandbox, make_plan, reconcile, resume, submit_plan
from itnio_nb.runs.run import newest_run
from itnio_nb.sandbox.faults import KINDS, Faults
from tests.support.agreement import creations, require_agreement
from tests.support.factories import ROOT, many_orders, sent, until
from tests.support.processes import start_python, tell

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
    """A process that has submitted 300 groups to the ledger."""
    account = sandbox.account
    process = start_python(SCRIPT, account.api_key, account.api_secret.reveal(), account.base_url, str(ledger.path))
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    return process


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


def test_interrupting_stops_the_run(sandbox: Sandbox, ledger: Ledger) -> None:
    """Ctrl-C while waiting: the run stops cleanly, then Python does."""
    sandbox.latency = 0.05
    process = start(sandbox, ledger)
    tell(process, "wait")
    until(lambda: sent(sandbox) >= 8, 30)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert "KeyboardInterrupt: Stopped. Groups: " in errors
    assert "Submit the plan again to go on." in errors
    states = ledger.table["state"].value_counts().to_dict()
    assert states == {"created": len(sandbox.phones) // 3}
    assert states["created"] < 300


def test_a_killed_run_sends_nothing_twice(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """SIGKILL in the middle: what was under way is unknown until it is listed; the rest is sent, each group once."""
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


def test_a_run_is_done_when_its_process_is_gone(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """Not before, and at once when it was killed: then it is unfinished, with the rest not sent."""
    sandbox.latency = 0.05
    process = start(sandbox, ledger)
    until(lambda: sent(sandbox) >= 4, 30)
    record = newest_run(ledger, ledger.runs_of(client.account))
    assert record is not None
    assert (record.done, record.finished) == (False, False)
    assert record.summary.startswith("Running. ")
    process.kill()
    process.communicate()
    assert (record.done, record.finished) == (True, False)
    assert record.summary.startswith("Stopped. ")
    assert record.counts["sending"] == 0
    assert record.counts["planned"] > 200


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


FORK = """
import os, sys
from tests.support.factories import many_orders
from itnio_nb import Account, Client, Ledger, make_plan, submit_plan
client, ledger = Client(Account.from_env()), Ledger("ledger.sqlite")
run = submit_plan(make_plan(many_orders(20)), client, ledger)
child = os.fork()
if not child:
    sys.exit(0)
_, status = os.waitpid(child, 0)
print(status, run.wait().summary)
"""


def test_a_fork_has_no_run_of_its_own(sandbox: Sandbox, client: Client, tmp_path: Path) -> None:
    """The child of a fork ends at once, and the parent's run goes on to its end."""
    sandbox.latency = 0.2
    account = client.account
    environment = {"ITNIO_API_KEY": account.api_key, "ITNIO_API_SECRET": account.api_secret.reveal()}
    environment |= {"ITNIO_BASE_URL": account.base_url, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORK],
        env=os.environ | environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.startswith("0 Done. Groups: 20 created")


@pytest.fixture
def hasty(sandbox: Sandbox) -> Client:
    """A client that does not wait for stalled answers."""
    return Client(sandbox.account, timeout=(1, 0.5))


@pytest.mark.parametrize("seed", [1, 2])
def test_every_kind_of_fault_on_a_third_of_the_requests(
    seed: int, sandbox: Sandbox, hasty: Client, ledger: Ledger, tmp_path: Path
) -> None:
    """300 groups, listings fail too: nothing is unknown in the end, and all records of it agree group by group."""
    plan = make_plan(many_orders(300), hasty, ledger)
    sandbox.faults = Faults.parse("all=0.333", seed)
    run = submit_plan(plan, hasty, ledger).wait(120)
    while "not sent" in run.summary and "0 not sent" not in run.summary:  # sent four times, each time in vain
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
