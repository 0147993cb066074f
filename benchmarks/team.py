"""A team on one ledger in PostgreSQL, beside as many processes with a file each; and one pace for all.

Eight processes of four workers at 100 ms: on a SQLite file each, on one server with a run each, and on one run. One
process on a file, and on a server. Seconds are those from the first to the last answer, as the receipts have them.
Then eight processes on one run at 50 requests a second: those that the sandbox has met. The server is that of
`ITNIO_TEST_POSTGRES`, where databases are made and dropped; what it has committed must be on its disk, as with a file.

    ITNIO_TEST_POSTGRES=postgresql://postgres@127.0.0.1/postgres python benchmarks/team.py
    python benchmarks/team.py --groups 50 --rounds 1        # fewer groups of each process: a look whether it works
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pandas as pd
from harness import HEAD, ROUNDS, Case, measured, peak_memory

from itnio_nb import Account, Client, Ledger, Plan, Sandbox, make_plan, submit_plan

LATENCY, WORKERS, PROCESSES, GROUPS = 0.1, 4, 8, 400  # seconds before each answer; of each process
ALONE_LATENCY, ALONE_WORKERS = 0.02, 16
RATE = 50
OWN, RUNS, RUN = "a file each", "one server, a run each", "one server, one run"


def planned(first: int, groups: int) -> Plan:
    """Plan so many groups of one phone, numbered from `first`."""
    rows = [(f"group-{at}", f"phone-{at}", "1", "861000000", "4luaKsL2") for at in range(first, first + groups)]
    columns = ["groupName", "phoneName", "quantity", "displayNum", "appId"]
    return make_plan(pd.DataFrame(rows, columns=columns, dtype=object))


@contextmanager
def new_database() -> Iterator[str]:
    """The address of a new database, which is dropped in the end."""
    import psycopg

    server, name = os.environ["ITNIO_TEST_POSTGRES"], f"itnio_bench_{secrets.token_hex(4)}"
    with psycopg.connect(server, autocommit=True) as connection:
        if connection.execute("SELECT current_setting('fsync')").fetchone() == ("off",):
            raise SystemExit("The server of ITNIO_TEST_POSTGRES has fsync off: what it has committed is on no disk.")
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING UTF8")
    try:
        yield urlsplit(server)._replace(path=f"/{name}").geturl()
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def part(place: str, first: str, groups: str, workers: str, rate: str, key: str, secret: str, url: str) -> None:
    """Be one process: submit, as soon as all are told; tell when the first and the last answer of its run came."""
    plan = planned(int(first), int(groups))
    with Client(Account(key, secret, url), workers=int(workers)) as client, Ledger(place) as ledger:
        print("ready", flush=True)
        sys.stdin.readline()
        run = submit_plan(plan, client, ledger, workers=int(workers), rate=float(rate) or None).wait()
        if run.counts["created"] != int(groups):
            raise SystemExit(run.summary)
        times = pd.to_datetime(run.table["at"], format="ISO8601")
        print(json.dumps([times.min().timestamp(), times.max().timestamp()]))


def together(places: list[str], firsts: list[int], groups: int, workers: int, rate: float, account: list[str]) -> float:
    """Have a process at each place submit its groups, all at once; return the seconds from first to last answer."""
    shared = [str(groups), str(workers), str(rate), *account]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    pipes["env"] = {**os.environ, "ITNIO_PROGRESS": "off"}
    running = [
        subprocess.Popen([sys.executable, __file__, "--part", place, str(first), *shared], **pipes)
        for place, first in zip(places, firsts, strict=True)
    ]
    for process in running:
        assert process.stdout is not None
        process.stdout.readline()
    for process in running:
        print("go", file=process.stdin, flush=True)
    told: list[list[float]] = [json.loads(process.communicate()[0]) for process in running]
    return max(last for _, last in told) - min(first for first, _ in told)


def way(name: str, processes: str, groups: str, workers: str, *account: str) -> None:
    """Measure one way, in this process and those that it starts."""
    number, each = int(processes), int(groups)
    firsts, size = ([0] * number, number * each) if name == RUN else ([at * each for at in range(number)], each)
    with tempfile.TemporaryDirectory() as folder, new_database() as url:
        places = [f"{folder}/ledger-{at}.sqlite" if name == OWN else url for at in range(number)]
        Ledger(places[0]).close()
        seconds = together(places, firsts, size, int(workers), 0, list(account))
    print(json.dumps({"seconds": seconds, "memory": peak_memory()}))


def cases(groups: int = GROUPS, rounds: int = ROUNDS) -> list[Case]:
    """Measure eight processes, and one."""
    words = [__file__, "--way"]
    eight = {name: [*words, name, str(PROCESSES), str(groups), str(WORKERS)] for name in (OWN, RUNS, RUN)}
    alone = {name: [*words, name, "1", str(groups), str(ALONE_WORKERS)] for name in (OWN, RUN)}
    title = f"{PROCESSES} processes, {WORKERS} workers each, {1000 * LATENCY:.0f} ms: {PROCESSES * groups} groups"
    title_alone = f"one process, {ALONE_WORKERS} workers, {1000 * ALONE_LATENCY:.0f} ms: {groups} groups"
    return [
        measured(title, eight, latency=LATENCY, rounds=rounds),
        measured(title_alone, alone, latency=ALONE_LATENCY, rounds=rounds),
    ]


def pace(groups: int) -> str:
    """Return how many requests a second came from eight processes on one run that has a rate."""
    with Sandbox(latency=LATENCY) as sandbox, new_database() as url:
        Ledger(url).close()
        account = sandbox.account
        words = [account.api_key, account.api_secret.reveal(), account.base_url]
        together([url] * PROCESSES, [0] * PROCESSES, PROCESSES * groups, WORKERS, RATE, words)
        times = sorted(one.at for one in sandbox.log if one.endpoint == "sipAdd")
    busiest = max(sum(at <= other < at + 1 for other in times[number:]) for number, at in enumerate(times))
    mean = (len(times) - 1) / (times[-1] - times[0])
    return (
        f"rate={RATE} over {PROCESSES} processes: {mean:.1f} requests a second over {times[-1] - times[0]:.0f} s, "
        f"{busiest} in the busiest second."
    )


def main() -> None:
    """Measure all, and print it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--groups", type=int, default=GROUPS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    for name in ("--part", "--way"):
        parser.add_argument(name, nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.part:
        part(*asked.part)
    elif asked.way:
        way(*asked.way)
    else:
        print(HEAD, flush=True)
        cases(asked.groups, asked.rounds)
        print(pace(asked.groups))


if __name__ == "__main__":
    main()
