"""Several processes and one ledger: the work of a run is shared, intents are on disk, a kill loses nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from itnio_nb import Client, Ledger, Sandbox, make_plan, resume, submit_plan
from itnio_nb.sandbox.faults import Faults
from tests.support.factories import ROOT, many_orders, until

SUBMIT = """
import json, sys
from tests.support.factories import many_orders
from itnio_nb import Account, Client, Ledger, make_plan, resume, submit_plan
key, secret, url, path, number, how = sys.argv[1:]
client, ledger = Client(Account(key, secret, url)), Ledger(path)
plan = make_plan(many_orders(int(number), 1), client, ledger)
print("ready", flush=True)
sys.stdin.readline()
run = resume(client, ledger) if how == "resume" else submit_plan(plan, client, ledger)
run.wait()
print(json.dumps([run.name, run.summary, run.counts]))
"""


def start(sandbox: Sandbox, path: Path, groups: int, how: str = "submit") -> subprocess.Popen[str]:
    """A process that has made its plan and waits for a word."""
    account = sandbox.account
    arguments = (account.api_key, account.api_secret.reveal(), account.base_url, str(path), str(groups), how)
    process = subprocess.Popen(
        [sys.executable, "-c", SUBMIT, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def told(process: subprocess.Popen[str]) -> Any:
    output, _ = process.communicate(timeout=120)
    return json.loads(output)


def sends(sandbox: Sandbox) -> Counter[str]:
    return Counter(one.group for one in sandbox.log if one.endpoint == "sipAdd")


@pytest.mark.slow
def test_three_processes_share_one_run(sandbox: Sandbox, tmp_path: Path) -> None:
    """One run, each group sent by one of them, and each of them tells of the whole."""
    sandbox.latency = 0.02
    processes = [start(sandbox, tmp_path / "ledger.sqlite", 600) for _ in range(3)]
    for process in processes:
        go(process)
    results = [told(process) for process in processes]
    assert len({name for name, _, _ in results}) == 1
    assert [counts for _, _, counts in results] == [{"created": 600}] * 3
    assert all("Verified: 600 of 600 phones." in summary for _, summary, _ in results)
    assert sends(sandbox) == {f"group-{at}": 1 for at in range(600)}
    assert sum(one.endpoint == "sipQuery" for one in sandbox.log) == 3 + 6  # one for each plan; one of them looked
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        assert ledger.runs["finished"].ne("").tolist() == [True]


@pytest.mark.slow
def test_what_a_killed_companion_had_claimed_is_settled_by_the_others(sandbox: Sandbox, tmp_path: Path) -> None:
    """The survivor sees at once that it is gone, looks, sends what is absent: nobody has to resume anything."""
    sandbox.latency = 0.05
    one, other = (start(sandbox, tmp_path / "ledger.sqlite", 300) for _ in range(2))
    go(one)
    go(other)
    until(lambda: sends(sandbox).total() >= 60, 30)
    one.kill()
    one.communicate()
    _, summary, counts = told(other)
    assert counts == {"created": 300}
    assert "Settled by looking: " in summary
    assert sum(one.endpoint == "sipAdd" and one.status == "0" for one in sandbox.log) == 300


@pytest.mark.slow
def test_what_a_stopped_companion_gave_back_is_sent_by_the_others(sandbox: Sandbox, tmp_path: Path) -> None:
    """Ctrl-C in one kernel stops that one; it tells what it left, and the other goes on to the end."""
    sandbox.latency = 0.05
    one, other = (start(sandbox, tmp_path / "ledger.sqlite", 300) for _ in range(2))
    go(one)
    go(other)
    until(lambda: sends(sandbox).total() >= 60, 30)
    one.send_signal(signal.SIGINT)
    one.communicate(timeout=60)
    assert told(other)[2] == {"created": 300}
    assert sends(sandbox) == {f"group-{at}": 1 for at in range(300)}


@pytest.mark.slow
def test_a_run_at_work_elsewhere_is_joined_by_resume(sandbox: Sandbox, tmp_path: Path) -> None:
    """It is the newest unfinished run: a second kernel helps."""
    sandbox.latency = 0.05
    one, other = (start(sandbox, tmp_path / "ledger.sqlite", 300, how) for how in ("submit", "resume"))
    go(one)
    until(lambda: sends(sandbox).total() >= 30, 30)
    go(other)
    assert told(one)[::2] == told(other)[::2]
    assert sends(sandbox) == {f"group-{at}": 1 for at in range(300)}


LOOK = """
import sqlite3, sys
query = "SELECT count(*) FROM claims JOIN groups ON groups.id = group_id WHERE group_name = ?"
for name in sys.stdin:
    connection = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
    print(connection.execute(query, (name.strip(),)).fetchone()[0], flush=True)
    connection.close()
"""


@pytest.mark.slow
def test_each_intent_is_on_disk_before_its_request(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """Another process looks into the file when a request arrives: its claim is there, each time."""
    looker = subprocess.Popen(
        [sys.executable, "-c", LOOK, str(ledger.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert looker.stdin is not None
    assert looker.stdout is not None
    found: list[str] = []

    class LookFirst(Faults):
        """Meets each request when it arrives, and spares it."""

        def draw(self, endpoint: str, subject: str) -> str:
            assert looker.stdin is not None
            assert looker.stdout is not None
            if endpoint == "sipAdd":
                looker.stdin.write(f"{subject}\n")
                looker.stdin.flush()
                found.append(looker.stdout.readline().strip())
            return ""

    sandbox.faults = LookFirst()
    run = submit_plan(make_plan(many_orders(60)), client, ledger, workers=1).wait(60)
    looker.communicate()
    assert run.counts == {"created": 60}
    assert found == ["1"] * 60
    assert resume(client, ledger).summary.endswith("no run of this account is unfinished.")
