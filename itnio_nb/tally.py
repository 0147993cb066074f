"""What a run knows of its groups while it works: the state and the newest receipt of each."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence

import pandas as pd

from itnio_nb.claims import Exchange
from itnio_nb.model import Action, State

_OPEN = (State.PLANNED, State.SENDING, State.UNKNOWN)


class Tally:
    """Follows the ledger's receipts, whoever has written them. For those who watch; the truth is the ledger's.

    `states` and `newest` are by position; `seen` is the last receipt that is known here. `mended` are positions that
    were refused once, for what the operator has mended since: nobody has learnt more of them.
    """

    def __init__(self, kept: pd.DataFrame, table: pd.DataFrame) -> None:
        self._counting = threading.Lock()
        self.mended: set[int] = set()
        self.take_over(kept, table)

    def take_over(self, kept: pd.DataFrame, table: pd.DataFrame) -> None:
        """Begin anew with a run's table from the ledger, and what it says of each group."""
        with self._counting:
            states = table["state"].mask(sent_elsewhere(kept), str(State.PLANNED))
            self.states = [State(state) for state in states]
            self.newest = [int(newest) for newest in kept["newest"]]
            self.seen = max(self.newest, default=0)
            self._so_far = Counter(self.states)

    def learn(self, found: Exchange, returned: Sequence[int]) -> None:
        """Take over what an exchange with the ledger has told; `returned` came back unsent."""
        with self._counting:
            for at in found.claimed:
                self._set(at, State.SENDING)
            for at in returned:
                self._set(at, State.PLANNED)
            for receipt, at, state, _ in found.news:
                self._set(at, State(state))
                self.newest[at] = self.seen = receipt
                self.mended.discard(at)

    def _set(self, at: int, state: State) -> None:
        self._so_far[self.states[at]] -= 1
        self._so_far[state] += 1
        self.states[at] = state

    @property
    def counts(self) -> Counter[str]:
        """Number of groups by state."""
        with self._counting:
            return +Counter({str(state): number for state, number in self._so_far.items()})

    @property
    def answered(self) -> int:
        """How many groups are neither to be sent nor unknown."""
        return sum(number for state, number in self.counts.items() if state not in _OPEN)


def sent_elsewhere(kept: pd.DataFrame) -> pd.Series[bool]:
    """Return which groups another run is sending now: they may come back unsent, so they are asked for all the same."""
    return (kept["before"] == State.SENDING) & (kept["state"] == "") & (kept["action"] == Action.CREATE)
