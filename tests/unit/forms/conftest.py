"""Forms poll often in the tests: nobody waits for a second of theirs."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _frequent_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("itnio_nb.forms.base._TICK", 0.005)
    monkeypatch.setattr("itnio_nb.forms.run.monitor._FAST", 0.02)
    monkeypatch.setattr("itnio_nb.forms.run.monitor.POLL_PAUSE", 0.05)
    monkeypatch.setattr("itnio_nb.forms.run.progress._SHORTEST", 0.04)
    monkeypatch.setattr("itnio_nb.forms.review.form.POLL_PAUSE", 0.05)
