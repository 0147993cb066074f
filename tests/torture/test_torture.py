"""The short form of the torture test: `make torture` runs long."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.ledgers import new_place
from tests.torture.torture import torture


@pytest.mark.parametrize(("seed", "processes"), [(1, 0), (2, 3)])
def test_killed_at_random_on_a_server_that_fails_at_random(
    seed: int, processes: int, ledger_kind: str, tmp_path: Path
) -> None:
    """Nothing is created twice, sent again after success, or lost; ledger, files and server agree."""
    for repeated in range(5):  # there is no summary to compare where each process was killed, the last one too
        folder = tmp_path / str(repeated)
        folder.mkdir()
        with new_place(ledger_kind, folder, durable=True) as place:
            figures = torture(seed + 100 * repeated, folder, place, groups=80, processes=processes)
        assert (figures.created_twice, figures.sent_after_success, figures.lost, figures.mismatches) == (0, 0, 0, [])
        if figures.ended:
            break
    assert figures.groups >= 80
    assert figures.kills >= 1
    assert figures.ended >= 1
    assert figures.faults.total() >= 30
