"""What the tests of runs share."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _no_pause_before_connecting_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is gone is asked as often, and sooner."""
    monkeypatch.setattr("urllib3.util.retry.Retry.get_backoff_time", lambda _: 0)
