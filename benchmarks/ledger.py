"""What the ledger costs: the pace of a run as a share of the same requests without a ledger, side by side.

500 groups at 20 ms with 16 workers; on this disk, and with 5 ms added to every commit, as on a slow disk. Then three
processes that share a run of 3,000 groups, beside one process with three times the workers. The sandbox serves from a
process of its own and measures from the first to the last sipAdd. Medians of 5 rounds, taking turns.
"""

from __future__ import annotations

import multiprocessing
import os
import queue
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import sqlalchemy as sa

from itnio_nb import Account, Client, Ledger, Plan, Sandbox, make_plan, submit_plan
from itnio_nb.api.models import PhoneGroup, phone_groups

LATENCY = 0.02  # seconds before each answer
ROUNDS = 5
GROUPS, WORKERS = 500, 16
SHARED_GROUPS, SHARED_WORKERS = 3000, 8  # workers of each of the three
SLOW_DISK = 0.005  # seconds

if TYPE_CHECKING:
    Talk = multiprocessing.Queue[Any]


def serve(said: Talk, asked: Talk) -> None:
    """Serve, and tell how long it took from the first to the last sipAdd since it was asked last."""
    with Sandbox(latency=LATENCY) as sandbox:
        first = sandbox.account
        said.put((first.api_key, first.api_secret.reveal(), first.base_url))
        while asked.get() == "time":
            times = [one.at for one in sandbox.log if one.endpoint == "sipAdd"]
            sandbox.log.clear()
            said.put(max(times) - min(times))


def planned(groups: int, app_id: str) -> Plan:
    """Plan so many groups of one phone."""
    rows = [(f"group-{at}", f"phone-{at}", "1", "861000000", app_id) for at in range(groups)]
    columns = ["groupName", "phoneName", "quantity", "displayNum", "appId"]
    return make_plan(pd.DataFrame(rows, columns=columns, dtype=object))


def without_ledger(account: Account, app_id: str) -> None:
    """Send the groups from as many threads, and write nothing down."""
    client = Client(account, workers=WORKERS)
    to_do: queue.SimpleQueue[PhoneGroup] = queue.SimpleQueue()
    for group in phone_groups(planned(GROUPS, app_id).table):
        to_do.put(group)

    def work() -> None:
        while True:
            try:
                group = to_do.get_nowait()
            except queue.Empty:
                return
            client.create_phones(group)

    threads = [threading.Thread(target=work) for _ in range(WORKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def with_ledger(account: Account, app_id: str, delay: float) -> None:
    """Submit the groups as a run; each commit takes `delay` longer."""
    plan = planned(GROUPS, app_id)
    with tempfile.TemporaryDirectory() as folder, Ledger(Path(folder) / "ledger.sqlite") as ledger:
        if delay:
            sa.event.listen(ledger.run_store.database.engine, "commit", lambda _: time.sleep(delay))
        submit_plan(plan, Client(account, workers=WORKERS), ledger, workers=WORKERS).wait()


def take_part(account: tuple[str, str, str], path: str, app_id: str, workers: int, ready: Talk, go: Talk) -> None:
    """Submit the shared plan as soon as all are ready."""
    plan, client = planned(SHARED_GROUPS, app_id), Client(Account(*account))
    with Ledger(path) as ledger:
        ready.put("ready")
        go.get()
        submit_plan(plan, client, ledger, workers=workers).wait()


def shared(account: tuple[str, str, str], app_id: str, processes: int, workers: int) -> None:
    """Have so many processes submit one plan on one ledger at once."""
    spawning = multiprocessing.get_context("spawn")
    ready, go = spawning.Queue(), spawning.Queue()
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/ledger.sqlite"
        arguments = (account, path, app_id, workers, ready, go)
        running = [spawning.Process(target=take_part, args=arguments) for _ in range(processes)]
        for process in running:
            process.start()
        for _ in running:
            ready.get()
        for _ in running:
            go.put("go")
        for process in running:
            process.join()


def main() -> None:
    """Print what each way took, and its share."""
    os.environ["ITNIO_PROGRESS"] = "off"
    spawning = multiprocessing.get_context("spawn")
    said, asked = spawning.Queue(), spawning.Queue()
    server = spawning.Process(target=serve, args=(said, asked))
    server.start()
    credentials = said.get()
    account = Account(*credentials)
    ways: dict[str, Callable[[str], None]] = {
        "no ledger": lambda app: without_ledger(account, app),
        "ledger": lambda app: with_ledger(account, app, 0),
        "ledger, 5 ms a commit": lambda app: with_ledger(account, app, SLOW_DISK),
        "one process": lambda app: shared(credentials, app, 1, 3 * SHARED_WORKERS),
        "three processes": lambda app: shared(credentials, app, 3, SHARED_WORKERS),
    }
    took: dict[str, list[float]] = {way: [] for way in ways}
    for at in range(ROUNDS):
        for number, (way, run) in enumerate(ways.items()):
            run(f"app-{at}-{number}")
            asked.put("time")
            took[way].append(said.get())
    asked.put("stop")
    server.join()
    median = {way: statistics.median(times) for way, times in took.items()}
    print(f"{GROUPS} groups at {1000 * LATENCY:.0f} ms, {WORKERS} workers, from the first to the last request:")
    for way in list(ways)[:3]:
        print(
            f"  {way:22} {median[way]:6.3f} s   pace {median['no ledger'] / median[way]:.2f} of that without a ledger"
        )
    print(f"{SHARED_GROUPS:,} groups, {SHARED_WORKERS} workers for each of three, {3 * SHARED_WORKERS} for one:")
    for way in list(ways)[3:]:
        print(f"  {way:22} {median[way]:6.3f} s   {median[way] / median['one process']:.2f} of one process's time")


if __name__ == "__main__":
    main()
