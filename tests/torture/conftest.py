"""What the tortures share: the programs that they start find the test's ledger in `ITNIO_LEDGER`."""

from __future__ import annotations

import pytest


@pytest.fixture
def ledger_place(ledger_place: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("ITNIO_LEDGER", ledger_place)
    return ledger_place
