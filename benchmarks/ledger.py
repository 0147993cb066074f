"""What the ledger costs: a run beside the same requests by the same client without a ledger; and runs that are shared.

500 groups at 20 ms with 16 workers; on this disk, and with 5 ms added to every commit, as on a slow disk. Then three
processes that share a run of 3,000 groups, beside one process with three times the workers. Seconds are those from the
first to the last answer, as the receipts have them.

    python benchmarks/ledger.py                     # all
    python benchmarks/ledger.py ledger 0 500 16 <key> <secret> <url>
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import sqlalchemy as sa
from harness import HEAD, Case, measured, peak_memory

from itnio_nb import Account, Client, Ledger, Plan, make_plan, submit_plan
from itnio_nb.api.models import phone_groups

LATENCY = 0.02  # seconds before each answer
GROUPS, WORKERS = 500, 16
SHARED_GROUPS, SHARED_WORKERS = 3000, 8  # workers of each of the three
SLOW_DISK = 0.005  # seconds


def planned(groups: int) -> Plan:
    """Plan so many groups of one phone."""
    rows = [(f"group-{at}", f"phone-{at}", "1", "861000000", "4luaKsL2") for at in range(groups)]
    columns = ["groupName", "phoneName", "quantity", "displayNum", "appId"]
    return make_plan(pd.DataFrame(rows, columns=columns, dtype=object))


def without_ledger(client: Client, groups: int, workers: int) -> float:
    """Send the groups from as many threads, and write nothing down."""
    with ThreadPoolExecutor(workers) as pool:
        receipts = list(pool.map(client.create_phones, phone_groups(planned(groups).table)))
    times = [receipt.at for receipt in receipts]
    return (max(times) - min(times)).total_seconds()


def with_ledger(client: Client, path: str, delay: float, groups: int, workers: int, *, together: bool = False) -> float:
    """Submit the groups as a run; each commit takes `delay` longer. `together` with others, as soon as all are told."""
    plan = planned(groups)
    with Ledger(path) as ledger:
        if delay:
            sa.event.listen(ledger.run_store.database.engine, "commit", lambda _: time.sleep(delay))
        if together:
            print("ready", flush=True)
            sys.stdin.readline()
        run = submit_plan(plan, client, ledger, workers=workers).wait()
        times = pd.to_datetime(run.table["at"], format="ISO8601")
        return float((times.max() - times.min()).total_seconds())


def shared(processes: int, path: str, words: list[str]) -> float:
    """Have so many processes submit one plan on one ledger at once."""
    command = [sys.executable, __file__, "part", path, *words]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    running = [subprocess.Popen(command, **pipes) for _ in range(processes)]  # type: ignore[call-overload] # pipes
    for process in running:
        process.stdout.readline()
    for process in running:
        print("go", file=process.stdin, flush=True)
    told = [process.communicate()[0] for process in running]
    return float(json.loads(told[0])["seconds"])  # each tells of the whole run


def main(way: str, what: str, groups: str, workers: str, key: str, secret: str, url: str) -> None:
    """Measure one way, in this process."""
    words = (int(groups), int(workers))
    with tempfile.TemporaryDirectory() as folder, Client(Account(key, secret, url), workers=words[1]) as client:
        path = f"{folder}/ledger.sqlite"
        if way == "no ledger":
            seconds = without_ledger(client, *words)
        elif way == "ledger":
            seconds = with_ledger(client, path, float(what), *words)
        elif way == "part":
            seconds = with_ledger(client, what, 0, *words, together=True)
        else:
            seconds = shared(int(what), path, [groups, workers, key, secret, url])
    print(json.dumps({"seconds": seconds, "memory": peak_memory()}))


def cases() -> list[Case]:
    """Measure all."""
    one = [str(GROUPS), str(WORKERS)]
    ways = {
        "no ledger": ["ledger.py", "no ledger", "", *one],
        "ledger": ["ledger.py", "ledger", "0", *one],
        "ledger, 5 ms a commit": ["ledger.py", "ledger", str(SLOW_DISK), *one],
    }
    many = {
        f"one process, {3 * SHARED_WORKERS} workers": ["1", str(SHARED_GROUPS), str(3 * SHARED_WORKERS)],
        f"three processes, {SHARED_WORKERS} each": ["3", str(SHARED_GROUPS), str(SHARED_WORKERS)],
    }
    shared_ways = {name: ["ledger.py", "shared", *words] for name, words in many.items()}
    return [
        measured(f"a run of {GROUPS} groups, 20 ms × {WORKERS}", ways, latency=LATENCY),
        measured(f"one run of {SHARED_GROUPS:,} groups, 20 ms", shared_ways, latency=LATENCY),
    ]


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(*sys.argv[1:])
    else:
        print(HEAD)
        cases()
