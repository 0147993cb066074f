"""How reconcile grows with the phones listed: seconds and memory at 1,000, 3,000 and 10,000 groups of 30 phones.

Every group is unknown before and there as asked, so each is looked up and settled. The sandbox serves from a process of
its own, and each size is measured in a new process: its memory is that of the work alone.
"""

from __future__ import annotations

import json
import multiprocessing
import subprocess
import sys
import tempfile
import time
from multiprocessing.synchronize import Event
from pathlib import Path

from harness import peak_memory

SIZES = (1000, 3000, 10_000)
PHONES = 30
APP = "4luaKsL2"


def serve(groups: int, account: multiprocessing.Queue[tuple[str, str, str]], over: Event) -> None:
    """Serve a sandbox that has so many groups already."""
    from itnio_nb import Sandbox

    with Sandbox() as sandbox:
        first = sandbox.account
        for at in range(groups):
            names = [f"phone-{at}-{number}" for number in range(1, PHONES + 1)]
            # By HTTP it would take longer than what is measured.
            sandbox._store.add_group(first.api_key, APP, f"group-{at}", f"phone-{at}", names, "861000000")
        account.put((first.api_key, first.api_secret.reveal(), first.base_url))
        over.wait()


def measure(groups: int, key: str, secret: str, url: str) -> dict[str, float]:
    """Reconcile a ledger in which all groups are unknown; return seconds and MB above what was there before."""
    import pandas as pd

    from itnio_nb import Account, Client, Ledger, State, make_plan, reconcile
    from itnio_nb.api.models import Receipt, now
    from itnio_nb.orders.export.stored import orders_to_json
    from itnio_nb.runs.plan import groups_to_keep

    columns = ("groupName", "phoneName", "quantity", "displayNum", "appId")
    rows = [(f"group-{at}", f"phone-{at}", str(PHONES), "861000000", APP) for at in range(groups)]
    plan = make_plan(pd.DataFrame(rows, columns=columns, dtype=object))
    with tempfile.TemporaryDirectory() as folder, Ledger(Path(folder) / "ledger.sqlite") as ledger:
        client = Client(Account(key, secret, url))
        kept = groups_to_keep(plan), orders_to_json(plan.orders, plan.findings)
        run_id = ledger.run_store.open_run(client.account, plan.fingerprint, *kept, "")
        lost = Receipt(State.UNKNOWN, "", "no answer in time", "", now())
        ledger.run_store.sync(run_id, "", outcomes=[(at, lost) for at in range(groups)])
        before, begun = peak_memory(), time.perf_counter()
        report = reconcile(client, ledger)
        seconds = time.perf_counter() - begun
        grown = peak_memory() - before
        assert (report["after"] == "created").all()
        assert len(report) == groups
    return {"seconds": seconds, "memory": grown}


def main() -> None:
    """Print a line for each size."""
    spawning = multiprocessing.get_context("spawn")
    print("groups   phones  seconds  µs/phone  memory, MB above the plan and the ledger")
    for groups in SIZES:
        account, over = spawning.Queue(), spawning.Event()
        server = spawning.Process(target=serve, args=(groups, account, over))
        server.start()
        command = [sys.executable, __file__, str(groups), *account.get()]
        told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        over.set()
        server.join()
        phones = groups * PHONES
        each = 1e6 * told["seconds"] / phones
        print(f"{groups:6,} {phones:8,} {told['seconds']:8.2f} {each:9.1f} {told['memory']:7.0f}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measure(int(sys.argv[1]), *sys.argv[2:])))
    else:
        main()
