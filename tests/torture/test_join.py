"""Several processes and one ledger: the work of a run is shared, intents are on disk, a kill loses nothing."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from bisect import bisect_right
from typing import Any

import pytest

from itnio_nb import Client, Ledger, Sandbox, make_plan, resume, submit_plan
from itnio_nb.sandbox.faults import Faults
from tests.support.agreement import creations, requests
from tests.support.factories import many_orders, sent, until
from tests.support.processes import read_line, start_python, tell

pytestmark = pytest.mark.usefixtures("ledger_place")  # where the processes find it
SUBMIT = """
import json, sys, threading
from tests.support.factories import many_orders
from itnio_nb import Account, Client, Ledger, make_plan, resume, submit_plan
client, ledger = Client(Account.from_env(), timeout=(1, 4)), Ledger()
plan = make_plan(many_orders(int(sys.argv[1]), 1), client, ledger)
print("ready", flush=True)
how, *rate = sys.stdin.readline().strip().split(" at ")
at_most = float(rate[0]) if rate else None
run = resume(client, ledger) if how == "resume" else submit_plan(plan, client, ledger, rate=at_most)
if how == "submit and end":
    sys.stdin.readline()
    sys.exit()
threading.Thread(target=lambda: sys.stdin.readline() and run.stop(), daemon=True).start()
run.wait(raise_interrupt=False)
print(json.dumps([run.name, run.summary, run.counts]))
"""


def companions(sandbox: Sandbox, number: int, groups: int, latency: float = 0.05) -> list[subprocess.Popen[str]]:
    """Start processes that have made the same plan, and wait for a line: to `submit` it or to `resume`."""
    sandbox.latency = latency
    processes = [start_python(SUBMIT, str(groups), sandbox=sandbox) for _ in range(number)]
    assert [read_line(process) for process in processes] == ["ready"] * number
    return processes


PLAN_LATE = SUBMIT.replace("plan = make_plan", "print('waiting', flush=True); sys.stdin.readline()\nplan = make_plan")


def result(process: subprocess.Popen[str]) -> Any:
    """Wait for the end of a process: name, summary and counts of its run."""
    output, _ = process.communicate(timeout=120)
    return json.loads(output)


def test_three_processes_that_plan_at_different_moments_share_one_run(sandbox: Sandbox) -> None:
    """One before, one with a fifth, one with half of the groups created: none ends the run of another."""
    sandbox.latency = 0.05
    processes = [start_python(PLAN_LATE, "300", sandbox=sandbox) for _ in range(3)]
    assert [read_line(process) for process in processes] == ["waiting"] * 3
    for process, made in zip(processes, (0, 60, 150), strict=True):
        until(lambda made=made: creations(sandbox).total() >= made, 60)  # type: ignore[misc] # bound at once
        tell(process, "plan")
        assert read_line(process) == "ready"
        tell(process, "submit")
    results = [result(process) for process in processes]
    assert results[0] == results[1] == results[2]
    end = "0 existed, 0 refused, 0 unknown, 0 not sent. Verified: 300 of 300 phones."
    assert results[0][1] == f"Done. Groups: 300 created (300 phones), {end}"
    assert set(requests(sandbox).values()) == {1}


def test_three_processes_share_one_run(sandbox: Sandbox, ledger: Ledger) -> None:
    """One run, each group sent by one of them, and each of them reports the whole."""
    processes = companions(sandbox, 3, 300)
    for process in processes:
        tell(process, "submit")
    results = [result(process) for process in processes]
    assert len({name for name, _, _ in results}) == 1
    assert [counts for _, _, counts in results] == [{"created": 300}] * 3
    assert all("Verified: 300 of 300 phones." in summary for _, summary, _ in results)
    assert requests(sandbox) == {f"group-{at}": 1 for at in range(300)}
    assert sum(one.endpoint == "sipQuery" for one in sandbox.log) == 3 + 3  # one for each plan; one of them verified
    assert ledger.runs["finished"].ne("").tolist() == [True]


def test_a_plan_of_what_is_half_made_joins_the_run_that_makes_it(sandbox: Sandbox, ledger: Ledger) -> None:
    """It was planned while the run was at work: nobody's run is replaced, and each of them reports the whole."""
    [first] = companions(sandbox, 1, 300)
    tell(first, "submit")
    until(lambda: sent(sandbox) >= 40, 30)
    late = companions(sandbox, 2, 300, latency=2)  # it cannot come to its end before they are ready
    for process in late:
        tell(process, "submit")
    sandbox.latency = 0.3
    results = [result(process) for process in (first, *late)]
    assert results[0] == results[1] == results[2]
    assert results[0][1].startswith("Done. Groups: 300 created (300 phones), 0 existed, 0 refused, 0 unknown")
    assert "Verified: 300 of 300 phones." in results[0][1]
    assert requests(sandbox) == {f"group-{at}": 1 for at in range(300)}
    assert len(ledger.runs) == 1


@pytest.mark.parametrize("how", ["killed", "ended"])
def test_the_others_send_what_one_that_ends_had_claimed(how: str, sandbox: Sandbox) -> None:
    """Killed: the survivor sees at once that it is gone, and lists. Ended: it gave back. Nobody has to resume."""
    one, other = companions(sandbox, 2, 200)
    tell(one, "submit" if how == "killed" else "submit and end")
    tell(other, "submit")
    until(lambda: sent(sandbox) >= 40, 30)
    if how == "killed":
        one.kill()
    else:
        tell(one, "end")
    one.communicate(timeout=60)
    _, summary, counts = result(other)
    assert counts == {"created": 200}
    assert creations(sandbox) == {f"group-{at}": 1 for at in range(200)}
    if how == "killed":
        assert "Settled by looking: " in summary
    else:
        assert sent(sandbox) == 200


@pytest.mark.parametrize("how", ["Stop", "Ctrl-C"])
def test_stop_in_one_process_stops_all(how: str, sandbox: Sandbox, ledger: Ledger) -> None:
    """Within the time of one answer; what was not sent is "not sent" everywhere. Who resumes goes on."""
    processes = companions(sandbox, 3, 600, latency=0.1)
    for process in processes:
        tell(process, "submit")
    until(lambda: sent(sandbox) >= 60, 30)
    stopped = time.time()
    if how == "Stop":
        tell(processes[1], "stop")
    else:
        processes[1].send_signal(signal.SIGINT)
    results = [result(process) for process in processes]
    last = max(one.at for one in sandbox.log if one.endpoint == "sipAdd")
    assert last - stopped < 0.1 + 0.3  # an answer; a look at the ledger, and what a busy machine adds
    [summary] = {summary for _, summary, _ in results}
    made = len(creations(sandbox))
    assert summary == (
        f"Stopped. Groups: {made} created ({made} phones), 0 existed, 0 refused, 0 unknown, {600 - made} not sent."
    )
    assert [counts for _, _, counts in results] == [{"created": made, "planned": 600 - made}] * 3
    sandbox.latency = 0.01
    with Client(sandbox.account) as client:
        assert resume(client, ledger).wait(60).counts == {"created": 600}
    assert set(requests(sandbox).values()) == {1}


@pytest.mark.parametrize("how", ["resume", "submit"])
def test_all_who_work_on_a_run_keep_its_rate(how: str, sandbox: Sandbox, ledger: Ledger) -> None:
    """Begun at 30 a second and killed, it goes on so from three processes, pages of its listings included."""
    processes = companions(sandbox, 4, 200, latency=0.02)
    tell(processes[0], "submit at 30")
    until(lambda: sent(sandbox) >= 45, 30)
    processes[0].kill()
    processes[0].communicate()
    for process in processes[1:]:
        tell(process, how)
    results = [result(process) for process in processes[1:]]
    assert [counts for _, _, counts in results] == [{"created": 200}] * 3, results
    assert creations(sandbox) == {f"group-{at}": 1 for at in range(200)}
    planned = 4  # each of them has listed once before it was told to begin
    times = sorted(one.at for one in sandbox.log)[planned:]
    assert max(bisect_right(times, at + 1) - first for first, at in enumerate(times)) <= 31
    assert ledger.run_control.terms(1).rate == 30


def test_a_run_at_work_elsewhere_is_joined_by_resume(sandbox: Sandbox) -> None:
    """It is the newest unfinished run: a second kernel helps."""
    one, other = companions(sandbox, 2, 200)
    tell(one, "submit")
    until(lambda: sent(sandbox) >= 20, 30)
    tell(other, "resume")
    assert result(one)[::2] == result(other)[::2]
    assert requests(sandbox) == {f"group-{at}": 1 for at in range(200)}


COUNT_CLAIMS = """
import sys
import sqlalchemy as sa
from itnio_nb.ledger.database.address import open_database
database = open_database(None)
query = sa.text("SELECT count(*) FROM claims JOIN groups ON groups.id = group_id WHERE group_name = :name")
for name in sys.stdin:
    with database.transaction() as connection:
        print(connection.execute(query, {"name": name.strip()}).scalar(), flush=True)
"""


def test_each_intent_is_on_disk_before_its_request(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """Another process reads the ledger when a request arrives: its claim is there, each time."""
    reader = start_python(COUNT_CLAIMS)
    found: list[str] = []

    class ReadFirst(Faults):
        """Meet each request when it arrives, and spare it."""

        def draw(self, endpoint: str, subject: str) -> str:
            if endpoint == "sipAdd":
                tell(reader, subject)
                found.append(read_line(reader))
            return ""

    sandbox.faults = ReadFirst()
    run = submit_plan(make_plan(many_orders(60)), client, ledger, workers=1).wait(60)
    reader.communicate()
    assert run.counts == {"created": 60}
    assert found == ["1"] * 60
    assert resume(client, ledger).summary.endswith("no run of this account is unfinished.")


HOLD = """
import sys
from itnio_nb import Ledger
owner = Ledger().run_control.new_owner()
print(owner.token, flush=True)
sys.stdin.read()
"""


def test_a_killed_owner_is_dead_at_once(ledger: Ledger) -> None:
    """The system releases its lock, or ends its connection: no clock is asked."""
    process = start_python(HOLD)
    token = read_line(process)
    assert ledger.database.are_alive([token]) == {token}
    process.kill()
    process.communicate()
    until(lambda: not ledger.database.are_alive([token]), 5 if ledger.is_shared else 0)
