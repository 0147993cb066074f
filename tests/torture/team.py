"""The torture of a team: machines of a network on one run, over one ledger, while everything fails that can.

    python -m tests.torture.team                        # 5,000 groups, some minutes; needs root
    python -m tests.torture.team --groups 300 --seed 4711

Eight machines, PostgreSQL and sandbox are each in a network namespace of their own, with TLS and passwords between
them. The sandbox has seeded faults. Processes are killed and started again, sessions ended, the server is stopped and
started, once as if it had lost power, and one machine's cable is pulled for a while. At last ledger, history, the
server's log and its phones are compared, group by group.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import psycopg
import trustme

from itnio_nb import Account, Client, Ledger, Run, Sandbox, make_plan, read_orders, resume, submit_plan
from itnio_nb.api.listing import pages
from itnio_nb.errors import LedgerError
from itnio_nb.runs.reconcile import resolver
from itnio_nb.sandbox.faults import Faults
from tests.support.cluster import Cluster, end_with_parent, running
from tests.support.factories import ROOT
from tests.support.namespaces import Network
from tests.support.processes import settings_of
from tests.support.team import GRANTS
from tests.torture.torture import TOLD, Figures, asked_for, compare, compare_files, compare_summaries, orders_of

_PASSWORD = "of-the-team"
_NO_LEDGER = 3  # exit code of a process that could not open the ledger
_PROGRESS = "SELECT count(DISTINCT group_id) FROM receipts"
_OPEN = "SELECT count(*) FROM runs WHERE finished IS NULL"
_SESSIONS = "SELECT pid FROM pg_stat_activity WHERE usename = 'anna'"
_PATIENCE = 1800.0  # seconds for all of it


class Task(NamedTuple):
    """What is done to whom: so many groups by so many machines, killed, ended and cut so often."""

    groups: int = 5000
    machines: int = 8
    kills: int = 40
    ended: int = 40  # sessions
    restarts: int = 2
    cut: float = 20.0  # seconds
    rate: float = 60.0
    chance: float = 0.03  # of a fault, for each request


def work(folder: Path) -> None:
    """What a machine does, again and again: go on with what there is, or begin."""
    resolver.PAUSES = (0.1, 0.2, 0.4, 0.8)  # patience is tested by how often, not by how long
    pages._PAUSE, pages._MAX_PAUSE = 0.01, 0.1
    task = Task(**json.loads((folder / "task.json").read_text()))
    try:
        with Client(Account.from_env(), timeout=(2, 3)) as client, Ledger() as ledger:
            run = resume(client, ledger, workers=4)
            if not len(run.table) and not len(ledger.runs):
                run = submit_plan(
                    make_plan(read_orders(folder / "orders.csv")), client, ledger, workers=4, rate=task.rate
                )
            run.wait()
            told = {"run": run.name, "summary": run.summary, "counts": run.counts, "finished": run.finished}
            if len(run.table):
                with (folder / TOLD).open("a") as file:
                    file.write(f"{json.dumps(told)}\n")
    except LedgerError as error:
        print(error, file=sys.stderr)
        sys.exit(_NO_LEDGER)


class Team:
    """The machines, and the process that each has at work."""

    def __init__(self, network: Network, folder: Path, names: Sequence[str], settings: dict[str, str]) -> None:
        self._network, self._folder, self._settings = network, folder, settings
        self._processes: dict[str, subprocess.Popen[str]] = {name: self._start(name) for name in names}
        self.kills, self.turned_away = 0, Counter[str]()

    def _start(self, name: str) -> subprocess.Popen[str]:
        words = [sys.executable, "-m", "tests.torture.team", "--work", str(self._folder)]
        own = {**os.environ, **self._settings, "ITNIO_MACHINE": name, "ITNIO_PROGRESS": "off"}
        with (self._folder / f"{name}.log").open("w") as log:
            return subprocess.Popen(
                self._network.command(name, words),
                cwd=ROOT,
                env=own,
                stdout=log,
                stderr=log,
                text=True,
                preexec_fn=end_with_parent,
            )

    def kill(self, name: str) -> None:
        """Kill a machine's process, in the middle of whatever it does."""
        if self._processes[name].poll() is None:
            self._processes[name].kill()
            self._processes[name].wait()
            self.kills += 1

    def start_again(self) -> None:
        """Start whatever has ended; raise `RuntimeError` for what has ended in a way that it must not."""
        for name, process in self._processes.items():
            if process.poll() is not None:
                self._judge(name, process.returncode)
                self._processes[name] = self._start(name)

    def _judge(self, name: str, code: int) -> None:
        told = (self._folder / f"{name}.log").read_text()
        if code == _NO_LEDGER:
            self.turned_away[told.partition("(")[0].partition("postgresql")[0].strip()] += 1
        elif code not in (0, -signal.SIGKILL):
            raise RuntimeError(f"{name} ended with {code}: {told}")

    def wait(self, seconds: float) -> None:
        """Wait until all have come to their end."""
        for name, process in self._processes.items():
            try:
                self._judge(name, process.wait(seconds))
            except subprocess.TimeoutExpired:
                raise RuntimeError(f"{name} does not end: {(self._folder / f'{name}.log').read_text()}") from None

    def close(self) -> None:
        """Kill whatever is left."""
        for process in self._processes.values():
            process.kill()
            process.wait()


class Mishaps:
    """What happens to a team, when so many groups have been answered: drawn by chance, told in `figures`."""

    def __init__(self, chance: random.Random, task: Task, network: Network, team: Team, cluster: Cluster) -> None:
        self._chance, self._task, self._network, self._team, self._cluster = chance, task, network, team, cluster
        kinds = [*("kill",) * task.kills, *("end",) * task.ended, *("restart",) * task.restarts]
        plan = [(chance.uniform(0.02, 0.9), kind) for kind in kinds] + [(chance.uniform(0.2, 0.5), "cut")]
        self._plan = sorted((at * task.groups, kind) for at, kind in plan)
        self._names = [f"pc-{number}" for number in range(1, task.machines + 1)]
        self._cut = ""  # the machine whose cable is out, and until when
        self._until = 0.0
        self.happened: Counter[str] = Counter()

    def happen(self, progress: int) -> None:
        """Do what is due."""
        if self._cut and time.monotonic() > self._until:
            self._network.mend(self._cut)
            self._cut = ""
        while self._plan and self._plan[0][0] <= progress:
            _, kind = self._plan.pop(0)
            getattr(self, f"_{kind}_one")()
            self.happened[kind] += 1

    def _kill_one(self) -> None:
        self._team.kill(self._chance.choice(self._names))

    def _end_one(self) -> None:
        if sessions := self._cluster.sql(_SESSIONS):
            self._cluster.sql(f"SELECT pg_terminate_backend({self._chance.choice(sessions)[0]})")

    def _restart_one(self) -> None:
        self._cluster.stop([signal.SIGINT, signal.SIGQUIT][self.happened["restart"] % 2])
        time.sleep(self._chance.uniform(0.5, 3))
        self._cluster.start()

    def _cut_one(self) -> None:
        self._cut, self._until = self._chance.choice(self._names), time.monotonic() + self._task.cut
        self._network.cut(self._cut)

    @property
    def is_over(self) -> bool:
        """Whether no cable is out."""
        return not self._cut


def torture(seed: int, task: Task, folder: Path) -> tuple[Figures, Team, Mishaps, float]:
    """Have a team work on one run until all is done, then compare all of it; return also the seconds that it took."""
    chance, figures = random.Random(seed), Figures()
    orders_of(chance, task.groups).to_csv(folder / "orders.csv", index=False)
    (folder / "task.json").write_text(json.dumps(task._asdict()))
    names = [f"pc-{number}" for number in range(1, task.machines + 1)]
    with ExitStack() as stack:
        network = stack.enter_context(Network(["database", "api", *names]))
        network.enter("api")
        cluster = stack.enter_context(_database(network, folder))
        sandbox = stack.enter_context(Sandbox(faults=Faults.parse(f"all={task.chance}", seed), stall=5))
        for name in names:
            _relay(stack, network, name, f"127.0.0.1:{sandbox.port}", f"{network.address('api')}:{sandbox.port}")
        _relay(stack, network, "api", f"{network.address('api')}:{sandbox.port}", f"127.0.0.1:{sandbox.port}")
        place = f"postgresql://anna@{network.address('database')}:{cluster.port}/phones?sslrootcert={folder}/roots.pem"
        began = time.monotonic()
        team = Team(network, folder, names, {**settings_of(sandbox), "ITNIO_LEDGER": place, "PGPASSWORD": _PASSWORD})
        stack.callback(team.close)
        mishaps = Mishaps(chance, task, network, team, cluster)
        _attend(cluster, team, mishaps)
        seconds = time.monotonic() - began
        sandbox.faults = None
        _compare(figures, sandbox, f"postgresql://postgres@/phones?host={cluster.folder}&port={cluster.port}", folder)
        figures.kills, figures.faults = team.kills, Counter(one.fault for one in sandbox.log if one.fault)
    return figures, team, mishaps, seconds


@contextmanager
def _database(network: Network, folder: Path) -> Iterator[Cluster]:
    """A server on its machine, with a ledger, and an operator whose password goes over TLS."""
    authority, address = trustme.CA(), network.address("database")
    authority.cert_pem.write_to_path(folder / "roots.pem")
    with running(["fsync=on"], address, network.command("database", [])) as cluster:
        cluster.encrypt(authority.issue_cert(address))
        cluster.sql("ALTER SYSTEM SET ssl = on")
        cluster.sql("CREATE DATABASE phones")
        cluster.reload()
        cluster.sql(GRANTS, "phones")
        cluster.sql(f"CREATE ROLE anna LOGIN IN ROLE itnio_operator PASSWORD '{_PASSWORD}'")
        Ledger(f"postgresql://postgres@/phones?host={cluster.folder}&port={cluster.port}").close()
        cluster.sql(GRANTS, "phones")
        yield cluster


def _relay(stack: ExitStack, network: Network, name: str, here: str, there: str) -> None:
    words = network.command(name, [sys.executable, "-m", "tests.support.relay", here, there])
    process = stack.enter_context(
        subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True, preexec_fn=end_with_parent)
    )
    stack.callback(process.kill)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"


def _attend(cluster: Cluster, team: Team, mishaps: Mishaps) -> None:
    """Let things happen until the run is finished, and all machines have seen that."""
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            progress, left = cluster.sql(_PROGRESS, "phones")[0][0], cluster.sql(_OPEN, "phones")[0][0]
            if progress and not left and mishaps.is_over:
                break
            mishaps.happen(progress)
        except psycopg.OperationalError:  # our own session may be the one that is ended
            pass
        team.start_again()
        if time.monotonic() > until:
            raise RuntimeError("not done in time")
        time.sleep(0.05)
    team.wait(120)


def _compare(figures: Figures, sandbox: Sandbox, place: str, folder: Path) -> None:
    with Client(sandbox.account) as client, Ledger(place) as ledger:
        plan = make_plan(read_orders(folder / "orders.csv"), client, ledger)
        compare(figures, plan.table, ledger, sandbox)
        before = asked_for(sandbox)
        if len(ledger.runs) != 1:
            figures.mismatches.append(f"{len(ledger.runs)} runs")
        finished = Run(1, client, ledger).wait()
        compare_files(figures, finished, folder)
        compare_summaries(figures, finished, folder)
        if asked_for(sandbox) != before:
            figures.mismatches.append("something was sent after all was done")
        by = Counter(ledger.history["machine"])
        print("receipts by machine: " + ", ".join(f"{name} {by[name]}" for name in sorted(by)))
        if set(ledger.history["role"]) != {"anna"}:
            figures.mismatches.append(f"receipts by {set(ledger.history['role'])}")


def main() -> None:
    """Torture once; print the figures."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", 1)[0])
    for name, default in Task()._asdict().items():
        parser.add_argument(f"--{name}", type=type(default), default=default)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--work", type=Path, help="be one of the machines")
    asked = vars(parser.parse_args())
    seed, folder = asked.pop("seed"), asked.pop("work")
    if folder is not None:
        work(folder)
        return
    print(f"seed {seed}", flush=True)
    os.environ["ITNIO_PROGRESS"] = "off"
    place = Path(tempfile.mkdtemp(prefix="itnio-team-"))
    place.chmod(0o755)
    figures, team, mishaps, seconds = torture(seed, Task(**asked), place)
    shutil.rmtree(place)
    done = ", ".join(f"{name} {number}" for name, number in sorted(mishaps.happened.items()))
    print(f"{figures.groups} groups by {asked['machines']} machines in {seconds:.0f} s; {done}; killed {figures.kills}")
    print(f"turned away at opening: {dict(team.turned_away) or 'nobody'}")
    print(f"faults: {figures.faults.total()}; left in doubt, and looked up: {figures.in_doubt}; told: {figures.ended}")
    print(f"created twice: {figures.created_twice}   sent again after success: {figures.sent_after_success}")
    print(f"lost: {figures.lost}   mismatches: {len(figures.mismatches)} {figures.mismatches[:5] or ''}")
    sys.exit(1 if figures.bad else 0)


if __name__ == "__main__":
    main()
