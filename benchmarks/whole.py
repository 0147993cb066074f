"""A job from the first request to the verified end, and its requests alone, beside pools that send the same.

512 groups of 50 phones. The pools know nothing but the answers; itnio-nb writes each intent to disk before its request
leaves, each outcome before it is counted, and proves at the end that every phone is there. `--large` adds one round
with 20,000 groups, a million phones: a quarter of an hour.
"""

from __future__ import annotations

import sys

from harness import HEAD, ROUNDS, Case, measured
from peers import CONNECTIONS, OURS

GROUPS, LARGE = 512, 20_000
PLACES = ((0.005, 8), (0.02, 8), (0.02, 16), (0.1, 32))  # seconds before each answer, requests at once


def case(what: str, latency: float, workers: int, groups: int, names: list[str]) -> Case:
    """Measure so many groups over a network with this latency."""
    words = {name: ["peers.py", name, what, str(groups), str(workers)] for name in names}
    kind = "requests and pages" if what == "whole" else "requests"
    title = f"{groups:,} groups, {kind}, {1000 * latency:.0f} ms × {workers}"
    rounds = 1 if groups == LARGE else ROUNDS
    return measured(title, words, latency=latency, rounds=rounds)


def cases(*, large: bool = False) -> list[Case]:
    """Measure all."""
    three = ["raw sockets", "HTTPAdapter", OURS]
    found = [case("submit", 0.02, 16, GROUPS, [*CONNECTIONS, OURS])]
    found += [case("whole", latency, workers, GROUPS, three) for latency, workers in PLACES]
    if large:
        found += [case("whole", latency, 16, LARGE, three) for latency in (0.005, 0.05)]
    return found


if __name__ == "__main__":
    print(HEAD)
    cases(large="--large" in sys.argv)
