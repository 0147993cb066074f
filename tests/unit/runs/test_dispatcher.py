"""The workers of a run: options, rate, and the circuit breaker."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from itnio_nb import InputError
from itnio_nb.runs.dispatcher import CircuitBreaker, RateLimiter, RunOptions


def test_workers_have_bounds() -> None:
    """From 1 to 64, whoever asks: command, form or function."""
    wrong: list[Any] = [0, -1, 65, 300, "8", 1.5, None]
    for workers in wrong:
        with pytest.raises(InputError, match="at least 1 worker and at most 64, not "):
            RunOptions(workers)
    assert (RunOptions(1).workers, RunOptions(64).workers) == (1, 64)


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


def test_a_rate_limits_the_requests() -> None:
    """50 turns at 200 a second end no sooner than 49 gaps after the first, whoever takes them."""
    limiter, stopping = RateLimiter(200), threading.Event()
    begun = time.monotonic()
    threads = [threading.Thread(target=lambda: [limiter.wait(stopping) for _ in range(10)]) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - begun >= 49 / 200
    limiter.hold(3600)  # nobody waits for a server that asks for an hour
    thread = threading.Timer(0.05, stopping.set)
    thread.start()
    assert not limiter.wait(stopping)
    thread.join()


def test_a_busy_server_holds_everybody() -> None:
    """Those who wait already, too; afterwards requests are slowed, until answers ease it."""
    limiter, stopping = RateLimiter(None), threading.Event()
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
