"""A ledger of 1,000,000 receipts of 200,000 groups: a copy from a file into PostgreSQL, a plan against it, first pages.

Each in a process of its own: seconds, and the most MB that it had. The server is that of `ITNIO_TEST_POSTGRES`, where a
database is made and dropped.

    ITNIO_TEST_POSTGRES=postgresql://postgres@127.0.0.1/postgres python benchmarks/large_ledger.py
    python benchmarks/large_ledger.py 100000                    # fewer groups, of five receipts each
"""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pandas as pd
from harness import peak_memory

from itnio_nb import Client, Ledger, Sandbox, make_plan, read_orders
from itnio_nb.cli.main import main as command
from itnio_nb.runs.preflight.preflight import ledger_checks

GROUPS, RUNS, TRIES = 200_000, 10, 5  # tries of each group, each with its receipt
PLANNED = 20_000  # groups
ACCOUNT = ("sandbox-large", "secret")
APP = "4luaKsL2"
_AT = "strftime('%Y-%m-%dT%H:%M:%S.000Z', 1764000000 + i / 20, 'unixepoch')"
_REST = "'861000000', 'create', i + 2, '', NULL"  # display number, action, row, why, again_after
_NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :most)"


def fill(path: Path, sandbox: Sandbox, groups: int) -> None:
    """Write so many groups in some runs, all tried several times: the last one created all but every 50th."""
    Ledger(path).close()
    each = groups // RUNS
    statements = [
        f"{_NUMBERS} INSERT INTO groups SELECT i + 1, 1, '{APP}', 'group-' || i FROM n",
        f"{_NUMBERS} INSERT INTO run_groups SELECT i / {each} + 1, i % {each}, i + 1, 'phone-' || i, 1, {_REST} FROM n",
    ]
    for number in range(1, TRIES + 1):
        last = number == TRIES
        state = "CASE WHEN i % 50 THEN 'created' ELSE 'refused' END" if last else "'refused'"
        status = "CASE WHEN i % 50 THEN '0' ELSE '-3' END" if last else "'-3'"
        statements.append(
            f"{_NUMBERS} INSERT INTO receipts (group_id, run_id, position, state, status, reason, advice, at) "
            f"SELECT i + 1, i / {each} + 1, i % {each}, {state}, {status}, 'as it was told', '', {_AT} FROM n"
        )
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("INSERT INTO accounts VALUES (1, ?, ?)", (sandbox.base_url, sandbox.account.api_key))
        for number in range(1, RUNS + 1):
            started = f"2025-11-24T1{number % 10}:00:00.000Z"
            row = (number, f"20251124T1{number % 10}0000Z", 1, "f", "c", started, started, "", 1, "{}")
            names = "id, name, account_id, fingerprint, contents, started, finished, note, verified, orders"
            connection.execute(f"INSERT INTO runs ({names}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        for statement in statements:
            connection.execute(statement, {"most": groups})
        connection.commit()


def planned() -> pd.DataFrame:
    """Return orders of half known and half new groups."""
    names = [f"group-{at * 2 if at % 2 else f'new-{at}'}" for at in range(PLANNED)]
    phones = [f"planned-{at}" for at in range(PLANNED)]
    frame = pd.DataFrame({"groupName": names, "phoneName": phones, "quantity": "1"})
    return read_orders(frame.assign(displayNum="861000000", appId=APP))


def measured(name: str, ledger: str, key: str, secret: str, url: str) -> None:
    """Do one thing, and print its seconds and memory as JSON."""
    from itnio_nb import Account

    account = Account(key, secret, url)
    orders = planned() if name == "plan" else pd.DataFrame()
    with Ledger(ledger) as opened, Client(account) as client:
        ways: dict[str, Callable[[], Any]] = {
            "plan": lambda: make_plan(orders, client, opened),
            "entries": lambda: opened.entries(account, ((APP, f"group-{at}") for at in range(PLANNED))),
            "first page of groups": lambda: opened.pages.newest_groups(account),
            "first page of receipts": opened.pages.newest_receipts,
            "next receipts": lambda: opened.pages.history_after(500_000),
            "checks of preflight": lambda: ledger_checks(account, opened),
            "the whole table": lambda: opened.table,
            "review": lambda: review(client, opened),
        }
        began = time.perf_counter()
        ways[name]()
        print(json.dumps({"seconds": time.perf_counter() - began, "memory": peak_memory()}))


def review(client: Client, ledger: Ledger) -> None:
    """Open the form of a review."""
    from itnio_nb import ReviewForm

    ReviewForm(client, ledger)


def told(what: str, *words: str) -> None:
    """Run this file with these words, and print what it tells as a line of a table."""
    began = time.perf_counter()
    program = [sys.executable, __file__, *words]
    done = subprocess.run(
        program, capture_output=True, text=True, check=False, env=os.environ | {"ITNIO_PROGRESS": "off"}
    )
    if done.returncode:
        raise SystemExit(f"{what} failed:\n{done.stderr}")
    last = done.stdout.splitlines()[-1]
    seconds, memory = (json.loads(last)[name] for name in ("seconds", "memory"))
    print(f"| {what} | {seconds:.2f} | {memory:.0f} | {time.perf_counter() - began:.1f} |", flush=True)


def moved(*words: str) -> None:
    """Run `itnio-nb ledger` with these words in this process."""
    began = time.perf_counter()
    command(["ledger", *words], standalone_mode=False)
    print(json.dumps({"seconds": time.perf_counter() - began, "memory": peak_memory()}))


def main(groups: int = GROUPS) -> None:
    """Make the ledgers, and print a line for each thing."""
    import psycopg

    server, name = os.environ["ITNIO_TEST_POSTGRES"], f"itnio_large_{secrets.token_hex(4)}"
    url = urlsplit(server)._replace(path=f"/{name}").geturl()
    with (
        tempfile.TemporaryDirectory() as folder,
        Sandbox() as sandbox,
        psycopg.connect(server, autocommit=True) as admin,
    ):
        path = Path(folder, "large.sqlite")
        began = time.perf_counter()
        fill(path, sandbox, groups)
        size = path.stat().st_size / 1_000_000
        print(f"{groups * TRIES:,} receipts of {groups:,} groups: {size:.0f} MB, {time.perf_counter() - began:.0f} s\n")
        print("| what | seconds | MB | with the start of Python |\n|---|---:|---:|---:|")
        admin.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING UTF8")
        account = (sandbox.account.api_key, sandbox.account.api_secret.reveal(), sandbox.base_url)
        try:
            told("copy, file to server", "move", "copy", str(path), url)
            told("the same again: compare", "move", "copy", str(path), url)
            told("backup of the file", "move", "backup", str(path), f"{folder}/b1.sqlite")
            told("backup of the server", "move", "backup", url, f"{folder}/b2.sqlite")
            for where, ledger in (("file", str(path)), ("server", url)):
                for what in ("plan", "entries", "first page of groups", "first page of receipts", "next receipts"):
                    told(f"{what}, {where}", "measure", what, ledger, *account)
                for what in ("checks of preflight", "review", "the whole table"):
                    told(f"{what}, {where}", "measure", what, ledger, *account)
        finally:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


if __name__ == "__main__":
    if sys.argv[1:2] == ["move"]:
        moved(*sys.argv[2:])
    elif sys.argv[1:2] == ["measure"]:
        measured(*sys.argv[2:])
    else:
        main(*map(int, sys.argv[1:]))
