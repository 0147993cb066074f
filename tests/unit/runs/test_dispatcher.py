"""The pace of a run."""

from __future__ import annotations

import threading
import time

from itnio_nb.runs.dispatcher import CircuitBreaker, RateLimiter


def test_a_rate_spaces_the_requests() -> None:
    """50 turns at 200 a second end no sooner than 49 gaps after the first, whoever takes them."""
    pace, stopping = RateLimiter(200), threading.Event()
    begun = time.monotonic()
    threads = [threading.Thread(target=lambda: [pace.wait(stopping) for _ in range(10)]) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - begun >= 49 / 200
    stopping.set()
    assert not pace.wait(stopping)


def test_a_busy_server_holds_everybody() -> None:
    """Those who wait already, too; afterwards requests are spaced, until answers ease it."""
    pace, stopping = RateLimiter(None), threading.Event()
    begun = time.monotonic()
    passed: list[float] = []

    def work() -> None:
        for _ in range(3):
            pace.wait(stopping)
            passed.append(time.monotonic() - begun)

    pace.hold(0.3)
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    pace.hold(0.1)  # a shorter one shortens nothing
    for thread in threads:
        thread.join()
    assert min(passed) >= 0.3
    assert max(passed) >= 0.3 + 11 * 0.02  # twelve turns have eleven gaps
    for _ in range(100):
        pace.ease()
    at = time.monotonic()
    assert all(pace.wait(stopping) for _ in range(100))
    assert pace._gap == 0
    assert time.monotonic() - at < 1


def test_a_stop_ends_a_hold() -> None:
    """Nobody waits for a server that asks for an hour."""
    pace, stopping = RateLimiter(None), threading.Event()
    pace.hold(3600)
    thread = threading.Timer(0.05, stopping.set)
    thread.start()
    assert not pace.wait(stopping)
    thread.join()


def test_the_brake_counts_failures_in_a_row() -> None:
    """Ten, any success starts anew; each look doubles the limit, and looks without progress are counted."""
    brake = CircuitBreaker()
    assert not any(brake.tell(failed=True) for _ in range(9))
    brake.tell(failed=False)
    assert [brake.tell(failed=True) for _ in range(10)] == [False] * 9 + [True]
    brake.release(progress=True)
    assert [brake.tell(failed=True) for _ in range(20)] == [False] * 19 + [True]
    assert brake.idle_looks == 0
    brake.release(progress=False)
    brake.release(progress=False)
    assert (brake.limit, brake.idle_looks) == (80, 2)
