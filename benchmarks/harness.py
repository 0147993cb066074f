"""Measure ways of doing the same beside each other: each in a process of its own, in turns; a table of ratios."""

from __future__ import annotations

import json
import multiprocessing
import os
import platform
import resource
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from multiprocessing.synchronize import Event
from pathlib import Path
from statistics import median

ROUNDS = 5
HERE = Path(__file__).parent
PACKAGES = ("requests", "urllib3", "pandas", "polars", "pyarrow", "SQLAlchemy", "ipywidgets")


@dataclass
class Way:
    """One way of doing what a case asks for: its seconds in each round, and the MB that its process had at most."""

    name: str
    seconds: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)


@dataclass
class Case:
    """Ways that do the same; the first is the one to which the others are compared."""

    title: str
    ways: list[Way]

    def rows(self) -> Iterator[str]:
        """Yield a line of a Markdown table for each way."""
        base = self.ways[0].seconds
        for way in self.ways:
            each = [own / other for own, other in zip(way.seconds, base, strict=True)]
            ratio = f"{median(way.seconds) / median(base):.2f} | {min(each):.2f} – {max(each):.2f}"
            memory = f"{median(way.memory):.0f}" if way.memory else ""
            yield f"| {self.title} | {way.name} | {median(way.seconds):.3f} | {ratio} | {memory} |"


HEAD = "| what | way | seconds | ratio | in each round | MB |\n|---|---|---:|---:|---|---:|"


def measured(
    title: str, commands: Mapping[str, Sequence[str]], *, latency: float | None = None, rounds: int = ROUNDS
) -> Case:
    """Run each command of Python in turns, so many times; each prints its `seconds` and `memory` as JSON.

    With a latency, each has a new sandbox in another process, whose key, secret and address are added to its words.
    """
    case = Case(title, [Way(name) for name in commands])
    for _ in range(rounds):
        for way in case.ways:
            told = _run(commands[way.name], latency)
            way.seconds.append(told["seconds"])
            way.memory.append(told["memory"])
    print("\n".join(case.rows()), flush=True)
    return case


def _run(words: Sequence[str], latency: float | None) -> dict[str, float]:
    environment = os.environ | {"ITNIO_PROGRESS": "off", "POLARS_MAX_THREADS": str(os.cpu_count())}
    if latency is None:
        return _told([sys.executable, *words], environment)
    with sandbox(latency) as account:
        return _told([sys.executable, *words, *account], environment)


def _told(command: list[str], environment: dict[str, str]) -> dict[str, float]:
    done = subprocess.run(command, cwd=HERE, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{command} failed:\n{done.stderr}")
    told: dict[str, float] = json.loads(done.stdout)
    return told


@contextmanager
def sandbox(latency: float) -> Iterator[tuple[str, str, str]]:
    """Serve a sandbox from a process of its own; its key, secret and address."""
    spawning = multiprocessing.get_context("spawn")
    account: multiprocessing.Queue[tuple[str, str, str]] = spawning.Queue()
    over = spawning.Event()
    server = spawning.Process(target=_serve, args=(latency, account, over))
    server.start()
    try:
        yield account.get()
    finally:
        over.set()
        server.join()


def _serve(latency: float, account: multiprocessing.Queue[tuple[str, str, str]], over: Event) -> None:
    from itnio_nb import Sandbox

    with Sandbox(latency=latency) as serving:
        first = serving.account
        account.put((first.api_key, first.api_secret.reveal(), first.base_url))
        over.wait()


def peak_memory() -> float:
    """Return the most MB that this program has had; what its process was before it was started is not counted."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text(encoding="ascii").partition("VmHWM:")[2].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def machine() -> str:
    """Describe the machine and the versions, as a paragraph."""
    lines = Path("/proc/cpuinfo").read_text(encoding="ascii").splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    cpu = f"{os.cpu_count()} × {names[0] if names else platform.processor() or platform.machine()}"
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return f"{platform.system()}, {cpu}, Python {platform.python_version()}, {versions}."
