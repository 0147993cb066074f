"""Several processes and one ledger: the work of a run is shared, intents are on disk, a kill loses nothing."""

from __future__ import annotations

import json
import signal
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

from itnio_nb import Client, Ledger, Sandbox, make_plan, resume, submit_plan
from itnio_nb.ledger.locks import is_alive
from itnio_nb.sandbox.faults import Faults
from tests.support.factories import many_orders, until
from tests.support.ledgers import open_run
from tests.support.processes import start_python, tell

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
    """Start a process that has made its plan and waits for a line."""
    account = sandbox.account
    credentials = (account.api_key, account.api_secret.reveal(), account.base_url)
    process = start_python(SUBMIT, *credentials, str(path), str(groups), how)
    assert answer(process) == "ready"
    return process


def answer(process: subprocess.Popen[str]) -> str:
    """Return the next line that a process prints."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def result(process: subprocess.Popen[str]) -> Any:
    """Wait for the end of a process: name, summary and counts of its run."""
    output, _ = process.communicate(timeout=120)
    return json.loads(output)


def sends(sandbox: Sandbox) -> Counter[str]:
    return Counter(one.group for one in sandbox.log if one.endpoint == "sipAdd")


def test_three_processes_share_one_run(sandbox: Sandbox, tmp_path: Path) -> None:
    """One run, each group sent by one of them, and each of them reports the whole."""
    sandbox.latency = 0.02
    processes = [start(sandbox, tmp_path / "ledger.sqlite", 600) for _ in range(3)]
    for process in processes:
        tell(process, "go")
    results = [result(process) for process in processes]
    assert len({name for name, _, _ in results}) == 1
    assert [counts for _, _, counts in results] == [{"created": 600}] * 3
    assert all("Verified: 600 of 600 phones." in summary for _, summary, _ in results)
    assert sends(sandbox) == {f"group-{at}": 1 for at in range(600)}
    assert sum(one.endpoint == "sipQuery" for one in sandbox.log) == 3 + 6  # one for each plan; one of them verified
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        assert ledger.runs["finished"].ne("").tolist() == [True]


def test_what_a_killed_companion_had_claimed_is_resolved_by_the_others(sandbox: Sandbox, tmp_path: Path) -> None:
    """The survivor sees at once that it is gone, lists, sends what is absent: nobody has to resume anything."""
    sandbox.latency = 0.05
    one, other = (start(sandbox, tmp_path / "ledger.sqlite", 300) for _ in range(2))
    tell(one, "go")
    tell(other, "go")
    until(lambda: sends(sandbox).total() >= 60, 30)
    one.kill()
    one.communicate()
    _, summary, counts = result(other)
    assert counts == {"created": 300}
    assert "Settled by looking: " in summary
    assert sum(one.endpoint == "sipAdd" and one.status == "0" for one in sandbox.log) == 300


def test_what_a_stopped_companion_gave_back_is_sent_by_the_others(sandbox: Sandbox, tmp_path: Path) -> None:
    """Ctrl-C in one kernel stops that one, and the other goes on to the end."""
    sandbox.latency = 0.05
    one, other = (start(sandbox, tmp_path / "ledger.sqlite", 300) for _ in range(2))
    tell(one, "go")
    tell(other, "go")
    until(lambda: sends(sandbox).total() >= 60, 30)
    one.send_signal(signal.SIGINT)
    one.communicate(timeout=60)
    assert result(other)[2] == {"created": 300}
    assert sends(sandbox) == {f"group-{at}": 1 for at in range(300)}


def test_a_run_at_work_elsewhere_is_joined_by_resume(sandbox: Sandbox, tmp_path: Path) -> None:
    """It is the newest unfinished run: a second kernel helps."""
    sandbox.latency = 0.05
    one, other = (start(sandbox, tmp_path / "ledger.sqlite", 300, how) for how in ("submit", "resume"))
    tell(one, "go")
    until(lambda: sends(sandbox).total() >= 30, 30)
    tell(other, "go")
    assert result(one)[::2] == result(other)[::2]
    assert sends(sandbox) == {f"group-{at}": 1 for at in range(300)}


COUNT_CLAIMS = """
import sqlite3, sys
query = "SELECT count(*) FROM claims JOIN groups ON groups.id = group_id WHERE group_name = ?"
for name in sys.stdin:
    connection = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
    print(connection.execute(query, (name.strip(),)).fetchone()[0], flush=True)
    connection.close()
"""


def test_each_intent_is_on_disk_before_its_request(sandbox: Sandbox, client: Client, ledger: Ledger) -> None:
    """Another process reads the file when a request arrives: its claim is there, each time."""
    reader = start_python(COUNT_CLAIMS, str(ledger.path))
    found: list[str] = []

    class ReadFirst(Faults):
        """Meets each request when it arrives, and spares it."""

        def draw(self, endpoint: str, subject: str) -> str:
            if endpoint == "sipAdd":
                tell(reader, subject)
                found.append(answer(reader))
            return ""

    sandbox.faults = ReadFirst()
    run = submit_plan(make_plan(many_orders(60)), client, ledger, workers=1).wait(60)
    reader.communicate()
    assert run.counts == {"created": 60}
    assert found == ["1"] * 60
    assert resume(client, ledger).summary.endswith("no run of this account is unfinished.")


HOLD = """
import sys
from pathlib import Path
from itnio_nb.ledger.locks import OwnerLock
owner = OwnerLock(Path(sys.argv[1]))
print(owner.token, flush=True)
sys.stdin.read()
"""


def test_a_killed_owner_is_dead_at_once(tmp_path: Path) -> None:
    """The system releases its lock: no clock is asked."""
    ledger = tmp_path / "ledger.sqlite"
    process = start_python(HOLD, str(ledger))
    token = answer(process)
    assert is_alive(ledger, token)
    process.kill()
    process.communicate()
    assert not is_alive(ledger, token)


CLAIM = """
import json, sys
from itnio_nb import Ledger
store = Ledger(sys.argv[1]).run_store
owner = store.owner()
print("ready", flush=True)
sys.stdin.readline()
wanted = [[(at, 0) for at in range(first, min(first + 7, 60))] for first in range(0, 60, 7)]
print(json.dumps([at for some in wanted for at in store.sync(1, owner.token, wanted=some).claimed]), flush=True)
sys.stdin.read()
"""


def test_of_many_processes_one_claims(ledger: Ledger) -> None:
    """Three processes over one file: each group is claimed exactly once."""
    assert open_run(ledger, 60) == 1
    processes = [start_python(CLAIM, str(ledger.path)) for _ in range(3)]
    assert [answer(process) for process in processes] == ["ready"] * 3
    for process in processes:
        tell(process, "go")
    claimed = [position for process in processes for position in json.loads(answer(process))]
    for process in processes:
        process.communicate()
    assert sorted(claimed) == list(range(60))
