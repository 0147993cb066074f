"""The torture test: runs that are killed at random, on a server that fails at random, until all is done.

    python -m tests.torture.torture --kills 200 --faults 2000 --of-each 50
    python -m tests.torture.torture --seed 4711 --rounds 1          # that round again

Each round has a sandbox in this process, with a way of writing and of listing of its own, under seeded faults of every
kind and answers beyond the document, while a colleague adds groups; and submitters in processes of their own, one to
three at once, over one ledger. They are killed with SIGKILL when so many more requests have come in as chance
says, and started again, until nothing is left to send or to resolve. Then ledger, history, result files, the server's
log and its phones are compared, group by group.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pandas as pd

from itnio_nb import Account, Client, Ledger, PhoneGroup, Run, Sandbox, make_plan, read_orders, resume, submit_plan
from itnio_nb.api.listing import pages
from itnio_nb.api.models import State
from itnio_nb.runs.reconcile import resolver
from itnio_nb.sandbox.faults import KINDS, Faults
from tests.support.agreement import FILES, requests
from tests.support.factories import orders_frame
from tests.support.ledgers import new_place
from tests.support.processes import settings_of

GROUPS = 300
TOLD = "told.jsonl"  # what each process that came to its end has told, a line for each
CHANCE = 0.35  # of a fault, for each request
# Answers beyond the document, and a taken name that no listing shows: what was created all the same, what was not.
ANSWERS = "-10-before=0.002,-15-before=0.001,-20-before=0.005,-21-before=0.005,-21-after=0.01,-99-after=0.01"
NUMBER = "0861000000"
# How a server writes the name of a phone and a display number; each round is another server.
NAMES = ("{}-{}", "{}_{}", "{}-{:03}", "{}{}", "{} {}")
NUMBERS: tuple[Callable[[str], str], ...] = (str, lambda number: number.lstrip("0"), lambda number: f"+{number}")


@dataclass
class Figures:
    """What a torture has done, and what it has found."""

    kills: int = 0
    groups: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    in_doubt: int = 0  # groups whose sender was killed, and what became of them not recorded
    created_twice: int = 0
    sent_after_success: int = 0
    ended: int = 0  # processes that came to their end, and told a summary
    lost: int = 0  # groups that are nowhere, or in no final state
    mismatches: list[str] = field(default_factory=list)

    def add(self, other: Figures) -> None:
        """Add the figures of another round."""
        for name in ("kills", "groups", "in_doubt", "created_twice", "sent_after_success", "ended", "lost"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.faults += other.faults
        self.mismatches += other.mismatches

    @property
    def bad(self) -> int:
        """How much of it must not be."""
        return self.created_twice + self.sent_after_success + self.lost + len(self.mismatches)


def orders_of(chance: random.Random, groups: int) -> pd.DataFrame:
    """Orders of different sizes, in two applications; some are split."""
    rows: list[tuple[object, ...]] = []
    made = 0
    while made < groups:
        quantity = chance.choice([1, 1, 1, 1, 2, 2, 3, 4, 5, 5, 70])
        app_id = chance.choice(["4luaKsL2", "second-app"])
        rows.append((f"group-{len(rows)}", f"phone-{len(rows)}", str(quantity), NUMBER, app_id))
        made += -(-quantity // 50)
    return orders_frame(*rows)


def submit(settings: Mapping[str, str], folder: Path, workers: int) -> None:
    """What an operator does again and again: go on with what there is, or begin."""
    os.environ.update(settings, ITNIO_PROGRESS="off")
    resolver.PAUSES = (0.1, 0.2, 0.4, 0.8)  # patience is tested by how often, not by how long
    pages._PAUSE, pages._MAX_PAUSE = 0.01, 0.1
    with Client(Account.from_env(), timeout=(1, 0.3)) as client, Ledger() as ledger:
        run = resume(client, ledger, workers=workers)
        if not len(run.table):
            plan = make_plan(read_orders(folder / "orders.csv"))
            run = submit_plan(plan, client, ledger, workers=workers)
        run.wait()
        told = {"run": run.name, "summary": run.summary, "counts": run.counts, "finished": run.finished}
        with (folder / TOLD).open("a") as file:
            print(json.dumps(told), file=file)


def live_and_die(chance: random.Random, sandbox: Sandbox, folder: Path, place: str, groups: int, processes: int) -> int:
    """Start submitters of so many groups, kill each after some requests unless it ends before; return the kills."""
    settings = settings_of(sandbox) | {"ITNIO_LEDGER": place}
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(["itnio_nb.orders.read", "itnio_nb.runs.submit"])  # what takes long to import
    submitters: list[ForkServerProcess] = [
        server.Process(target=submit, args=(settings, folder, chance.choice([1, 4, 8])))
        for _ in range(processes or chance.choice([1, 1, 2, 3]))
    ]
    kills, begun = 0, theirs_aside(sandbox)
    for process in submitters:
        process.start()
    for process in submitters:
        begun += chance.randrange(1, groups)
        while process.is_alive() and theirs_aside(sandbox) < begun:
            process.join(0.002)
        process.join(chance.random() * 0.03)  # anywhere between two requests
        if process.is_alive():
            process.kill()
            kills += 1
        process.join()
        if process.exitcode not in (0, -9):
            raise RuntimeError(f"a submitter ended with {process.exitcode}")
    return kills


def torture(seed: int, folder: Path, place: str, groups: int = GROUPS, processes: int = 0) -> Figures:
    """One round: kill and start again until all is done, then compare all of it.

    The ledger is new, a file or a database at `place`; other files are in the folder. So many `processes` work on the
    run at once, 0 for one to three.
    """
    chance = random.Random(seed)
    figures = Figures()
    orders = orders_of(chance, groups)
    orders.to_csv(folder / "orders.csv", index=False)
    with another_server(chance, seed) as sandbox, colleague(sandbox):
        lives = 0
        while not is_done(place):
            lives += 1
            if lives > 50 + groups:
                raise RuntimeError(f"not done after {lives} lives")
            figures.kills += live_and_die(chance, sandbox, folder, place, groups, processes)
        sandbox.faults = None
        with Client(sandbox.account) as client, Ledger(place) as ledger:
            plan = make_plan(read_orders(folder / "orders.csv"), client, ledger)
            compare(figures, plan.table, ledger, sandbox)
            before = asked_for(sandbox)
            finished = Run(int(ledger.runs.index[-1]) + 1, client, ledger).wait()
            compare_files(figures, finished, folder)
            compare_summaries(figures, finished, folder)
            if asked_for(sandbox) != before:
                figures.mismatches.append("something was sent after all was done")
        figures.faults = Counter(one.fault for one in sandbox.log if one.fault)
    return figures


def another_server(chance: random.Random, seed: int) -> Sandbox:
    """A sandbox with a way of writing, an order of listing and a size of pages of its own."""
    sandbox = Sandbox(faults=Faults.parse(f"all={CHANCE},{ANSWERS}", seed), stall=5)
    sandbox.writes_name, sandbox.writes_number = chance.choice(NAMES).format, chance.choice(NUMBERS)
    sandbox.newest_first, sandbox.page_limit = chance.random() < 0.5, chance.choice([100, 100, 60])
    sandbox.ignores_case = chance.random() < 0.5
    return sandbox


@contextmanager
def colleague(sandbox: Sandbox) -> Iterator[None]:
    """Somebody adds groups to both applications, 50 to each: more would make a listing longer than any life."""
    over = threading.Event()

    def add() -> None:
        with Client(sandbox.account, timeout=(1, 0.3)) as client:
            for at in range(50):
                if over.wait(0.2):
                    return
                for app_id in ("4luaKsL2", "second-app"):
                    client.create_phones(PhoneGroup(f"colleague-{at}", f"their-{at}", 3, NUMBER, app_id))

    adding = threading.Thread(target=add)
    adding.start()
    try:
        yield
    finally:
        over.set()
        adding.join()


def is_done(place: str) -> bool:
    """Whether the ledger has a run, and nothing of it is left to send or to resolve."""
    with Ledger(place) as ledger:
        return len(ledger.runs) > 0 and bool(ledger.runs["finished"].ne("").all())


def theirs_aside(sandbox: Sandbox) -> int:
    """How many requests there were, without the colleague's."""
    theirs = sum(number for name, number in requests(sandbox).items() if name.startswith("colleague-"))
    return len(sandbox.log) - theirs


def asked_for(sandbox: Sandbox) -> int:
    """How many of our requests to create phones there were."""
    return sum(one.endpoint == "sipAdd" and not one.group.startswith("colleague-") for one in sandbox.log)


def compare(figures: Figures, planned: pd.DataFrame, ledger: Ledger, sandbox: Sandbox) -> None:
    """Compare the ledger and its history with the server's log and phones, group by group."""
    known = ledger.table.set_index(["appId", "groupName"])
    history = ledger.history
    phones = sandbox.phones[~sandbox.phones["groupName"].str.startswith("colleague-")].groupby(["appId", "groupName"])
    shown = {sandbox.writes_number(NUMBER)}
    there = {key: (len(part), set(part["displayNum"])) for key, part in phones}
    asked = [one for one in sandbox.log if one.endpoint == "sipAdd" and not one.group.startswith("colleague-")]
    made = Counter((one.app_id, one.group) for one in asked if one.status == "0")
    last = {(one.app_id, one.group): one.at for one in asked}
    created = history[history["state"] == "created"].groupby(["appId", "groupName"])["at"].agg(["first", "size"])
    figures.groups = len(planned)
    figures.in_doubt = int(history["reason"].str.startswith("what became of it was not recorded").sum())
    figures.created_twice = sum(number > 1 for number in made.values())
    for group, app_id, quantity in zip(planned["groupName"], planned["appId"], planned["quantity"], strict=True):
        key = app_id, group
        state = known["state"].get(key, "nowhere")
        number, displayed = there.get(key, (0, set()))
        figures.lost += state not in State.DONE
        right = {"created": number == quantity and displayed == shown, "partial": 0 < number < quantity}
        if not right.get(state, number == 0):
            figures.mismatches.append(f"{key}: {state}, {number} of {quantity} phones")
        if key in created.index:
            first = datetime.fromisoformat(created.loc[key, "first"]).timestamp()
            figures.sent_after_success += last[key] > first + 0.001  # the ledger has milliseconds
            if created.loc[key, "size"] != 1:
                figures.mismatches.append(f"{key}: {created.loc[key, 'size']} receipts of its creation")
    if set(there) - set(zip(planned["appId"], planned["groupName"], strict=True)):
        figures.mismatches.append("the server has groups that nobody asked for")


def compare_files(figures: Figures, run: Run, folder: Path) -> None:
    """Compare the result files with the run's table: every order once, in the file of its worst group."""
    worst = ["partial", "refused", "created", "exists"]
    by_row = run.table.groupby("row")["state"].agg(lambda states: min(states, key=worst.index)).to_dict()
    filed = [
        (int(row), kind)
        for kind, path in run.write_results(folder / "results").items()
        for row in pd.read_csv(path, dtype=str)["itnio_row"]
    ]
    if sorted(filed) != sorted((row, FILES[state]) for row, state in by_row.items()):
        figures.mismatches.append("the result files differ from the run's table")


def compare_summaries(figures: Figures, run: Run, folder: Path) -> None:
    """Compare what each process that came to its end has told: of the whole run, and at the last all the same."""
    told_by_all = folder / TOLD
    for line in told_by_all.read_text().splitlines() if told_by_all.exists() else []:  # each may have been killed
        told = json.loads(line)
        figures.ended += 1
        if sum(told["counts"].values()) != len(run.table):
            figures.mismatches.append(f"a process told of {told['counts']}")
        if told["finished"] and told["run"] == run.name and told["summary"] != run.summary:
            figures.mismatches.append(f"a process told {told['summary']}, at last it was {run.summary}")


def main() -> None:
    """Torture until there were so many kills and faults; print the figures."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", 1)[0])
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--faults", type=int, default=0)
    parser.add_argument("--of-each", type=int, default=0, help="faults of each kind")
    parser.add_argument("--processes", type=int, default=0, help="that work on a run at once; 0: one to three")
    parser.add_argument("--ledger", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--rounds", type=int, default=1, help="at least")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    asked = parser.parse_args()
    total, rounds, begun = Figures(), 0, time.monotonic()
    while (
        rounds < asked.rounds
        or total.kills < asked.kills
        or total.faults.total() < asked.faults
        or min(total.faults[kind] for kind in KINDS) < asked.of_each
    ):
        seed = asked.seed + rounds
        with tempfile.TemporaryDirectory() as folder, new_place(asked.ledger, Path(folder), durable=True) as place:
            found = torture(seed, Path(folder), place, processes=asked.processes)
        total.add(found)
        rounds += 1
        wrong = f", {found.bad} WRONG: {found.mismatches[:5]}" if found.bad else ""
        print(
            f"seed {seed}: {found.kills} kills, {found.faults.total()} faults, {found.groups} groups{wrong}", flush=True
        )
    print(f"\n{rounds} rounds from seed {asked.seed}, {time.monotonic() - begun:.0f} s")
    print(f"kills: {total.kills}   faults: {total.faults.total()}   groups: {total.groups}")
    print("faults by kind: " + ", ".join(f"{kind} {total.faults[kind]}" for kind in KINDS))
    print(f"groups left in doubt by a kill and resolved by a listing: {total.in_doubt}")
    print(f"created twice: {total.created_twice}   sent again after success: {total.sent_after_success}")
    print(f"summaries of processes that came to their end: {total.ended}")
    print(f"lost: {total.lost}   mismatches: {len(total.mismatches)}")
    sys.exit(1 if total.bad else 0)


if __name__ == "__main__":
    main()
