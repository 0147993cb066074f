"""The pace of a run."""

from __future__ import annotations

import threading
import time

from itnio_nb.pace import Pace


def test_a_rate_spaces_the_requests() -> None:
    """50 turns at 200 a second end no sooner than 49 gaps after the first, whoever takes them."""
    pace, stopping = Pace(200), threading.Event()
    begun = time.monotonic()
    threads = [threading.Thread(target=lambda: [pace.wait(stopping) for _ in range(10)]) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - begun >= 49 / 200
    stopping.set()
    assert not pace.wait(stopping)
