"""How fast a run sends: options, rate, and the circuit breaker."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from itnio_nb import InputError
from itnio_nb.runs.sending.dispatcher import CircuitBreaker
from itnio_nb.runs.sending.pace import RateLimiter, RunOptions


def test_workers_have_bounds() -> None:
    """From 1 to 64, whoever asks: command, form or function."""
    wrong: list[Any] = [0, -1, 65, 300, "8", 1.5]
    for workers in wrong:
        with pytest.raises(InputError, match="at least 1 worker and at most 64, not "):
            RunOptions(workers)
    assert (RunOptions(1).workers, RunOptions(64).workers, RunOptions().workers) == (1, 64, None)


def test_a_rate_is_a_number_of_requests_in_a_second() -> None:
    """At least one in a day; None is no limit."""
    wrong: list[Any] = [0, -2.5, 1e-9, "3", "", float("nan"), float("inf")]
    for rate in wrong:
        with pytest.raises(InputError, match=r"The most requests in a second are a number, such as 5 or 0\.5, not "):
            RunOptions(rate=rate)
    assert (RunOptions(rate=None).rate, RunOptions(rate=0.5).rate) == (None, 0.5)


def test_a_form_gives_its_rate_as_text() -> None:
    """Empty is no limit; what is no number is refused in the same words."""
    assert RunOptions.from_text(4, "") == RunOptions(4, None)
    assert RunOptions.from_text(4, "2.5") == RunOptions(4, 2.5)
    for text in ("nan", "-1", "many"):
        with pytest.raises(InputError, match=r"such as 5 or 0\.5, not "):
            RunOptions.from_text(4, text)


class Turns:
    """Turns of a run at a fixed rate, as the ledger gives them."""

    def __init__(self, rate: float) -> None:
        self.gap, self.next, self.asked, self.shared = 1 / rate, 0.0, list[int](), list[float]()

    def reserve(self, number: int) -> list[float]:
        self.asked.append(number)
        at = max(time.time(), self.next)
        self.next = at + number * self.gap
        return [at + turn * self.gap for turn in range(number)]


def unlimited() -> RateLimiter:
    """A limiter without a rate: it asks for no turn."""
    return RateLimiter(None, lambda _: pytest.fail("a turn was taken"), lambda _: pytest.fail("slowed down"))


def test_a_rate_limits_the_requests() -> None:
    """50 turns at 200 a second end no sooner than 49 gaps after the first, whoever takes them; pages count."""
    turns, stopping = Turns(200), threading.Event()
    limiter = RateLimiter(200, turns.reserve, turns.shared.append)
    begun = time.monotonic()

    def work() -> None:
        for _ in range(5):
            limiter.wait(stopping)
            limiter.wait_to_list(stopping)

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - begun >= 49 / 200
    assert sum(turns.asked) >= 50
    assert len(turns.asked) < 25  # several at once
    limiter.hold(3600)  # nobody waits for a server that asks for an hour
    thread = threading.Timer(0.05, stopping.set)
    thread.start()
    assert not limiter.wait(stopping)
    thread.join()


def test_a_turn_that_is_missed_is_lost() -> None:
    """Others had the next ones: what is used late would make a second with too many."""
    turns, stopping = Turns(1000), threading.Event()
    limiter = RateLimiter(1000, turns.reserve, turns.shared.append)
    limiter.add_turns([time.time() - 1] * 100)
    assert limiter.wait(stopping)
    assert sum(turns.asked) > 0


def test_a_slow_rate_reserves_one_turn_at_a_time() -> None:
    """What a process that is killed has reserved is lost to the others: half a second at most, or one turn."""
    turns = Turns(30)
    limiters = [RateLimiter(rate, turns.reserve, turns.shared.append) for rate in (None, 0.1, 1, 5, 30)]
    assert [limiter.turns_wanted for limiter in limiters] == [0, 1, 1, 2, 15]
    limiter = limiters[-1]
    limiter.add_turns([time.time()] * 10)
    assert limiter.turns_wanted == 5
    assert RateLimiter(30, turns.reserve, turns.shared.append, workers=4).turns_wanted == 4


def test_turns_are_used_in_their_order() -> None:
    """Two threads that have reserved some may bring the later ones first."""
    turns, stopping = Turns(1000), threading.Event()
    limiter = RateLimiter(1000, turns.reserve, turns.shared.append)
    soon, sooner = (time.time() + seconds for seconds in (0.2, 0.1))
    for turn in (soon, sooner):
        limiter.add_turns([turn])
    for turn in (sooner, soon):
        assert limiter.wait(stopping)
        assert time.time() >= turn - 0.001
    assert turns.asked == []


def test_a_server_that_asks_for_fewer_halves_the_pace_for_all() -> None:
    """Requests that were under way then do not halve it again."""
    turns, stopping = Turns(1000), threading.Event()
    limiter = RateLimiter(None, turns.reserve, turns.shared.append)
    begun = time.monotonic()
    for _ in range(5):
        limiter.slow_down(begun)
    assert turns.shared == [50]  # the first time to a request every 0.02 s
    limiter.slow_down(time.monotonic())
    assert turns.shared == [50, 25]
    assert (limiter.rate, limiter.slowed_to) == (25, 0.04)
    for old in (None, 50.0):  # read from the ledger before it was slowed down
        limiter.lower(old)
    assert limiter.rate == 25
    limiter.lower(20)
    assert limiter.rate == 20
    assert limiter.wait(stopping)
    assert turns.asked
    slow = RateLimiter(0.1, turns.reserve, turns.shared.append)
    slow.slow_down(time.monotonic())
    assert slow.rate == 0.1  # never below one in a second, unless it was


def test_a_busy_server_holds_everybody() -> None:
    """Those who wait already, too; afterwards requests are slowed, until answers ease it."""
    limiter, stopping = unlimited(), threading.Event()
    begun = time.monotonic()
    passed: list[float] = []

    def work() -> None:
        for _ in range(3):
            limiter.wait(stopping)
            passed.append(time.monotonic() - begun)

    limiter.hold(0.3)
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    limiter.hold(0.1)  # a shorter one shortens nothing
    for thread in threads:
        thread.join()
    assert min(passed) >= 0.3
    assert max(passed) >= 0.3 + 11 * 0.02  # twelve turns have eleven gaps
    for _ in range(100):
        limiter.ease()
    assert limiter._gap == 0
    assert all(limiter.wait(stopping) for _ in range(100))


def test_the_breaker_counts_failures_in_a_row() -> None:
    """Ten, any success starts anew; each reset doubles the limit, and resets without progress are counted."""
    breaker = CircuitBreaker()
    assert not any(breaker.count(failed=True) for _ in range(9))
    breaker.count(failed=False)
    assert [breaker.count(failed=True) for _ in range(10)] == [False] * 9 + [True]
    breaker.reset(progress=True)
    assert [breaker.count(failed=True) for _ in range(20)] == [False] * 19 + [True]
    assert breaker.idle_resets == 0
    breaker.reset(progress=False)
    breaker.reset(progress=False)
    assert (breaker.limit, breaker.idle_resets) == (80, 2)
