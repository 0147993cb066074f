"""The progress bar of a run: a widget in a notebook, text elsewhere."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pandas as pd

from itnio_nb.api.models import Action, State
from itnio_nb.ledger.claims import SyncResult

# Progress as a message of a kernel: whoever runs the notebook shows it, and keeps it out of the notebook.
PROGRESS_MIME = "application/vnd.itnio-nb.progress+json"
_TOLD = (State.CREATED, State.EXISTS, State.REFUSED, State.UNKNOWN)


class _MessageBar:
    """Stands in for a tqdm bar: publishes `total done activity counts` as a display message of the kernel."""

    def __init__(self, total: int) -> None:
        self._total, self._activity = total, ""
        self.n = 0

    def set_description(self, activity: str, refresh: bool = True) -> None:  # noqa: ARG002 - as tqdm has it
        self._activity = activity

    def set_postfix(self, counts: dict[str, int]) -> None:
        from IPython.display import publish_display_data

        progress = {"total": self._total, "done": self.n, "activity": self._activity, "counts": counts}
        publish_display_data({PROGRESS_MIME: progress})  # type: ignore[no-untyped-call] # IPython


@contextmanager
def progress_bar(total: int, done: int) -> Iterator[Any]:
    """Show a tqdm bar over `total` groups, of which `done` are done already, while the context lasts.

    `ITNIO_PROGRESS` in the environment decides otherwise: `text` for text in a notebook too, `off` for none,
    `messages` for display messages that the runner of the notebook shows.
    """
    from tqdm.auto import tqdm as auto_tqdm
    from tqdm.notebook import tqdm_notebook
    from tqdm.std import tqdm as text_tqdm

    wanted = os.environ.get("ITNIO_PROGRESS", "")
    if wanted == "messages":
        yield _MessageBar(total)
        return
    options: dict[str, Any] = {"total": total, "initial": done, "unit": " groups", "disable": wanted == "off"}
    if wanted or not issubclass(auto_tqdm, tqdm_notebook):
        with text_tqdm(**options) as bar:
            yield bar
        return
    from IPython.display import publish_display_data

    widget_bar: Any = auto_tqdm  # the class has a container in a notebook only
    with widget_bar(**options, display=False) as bar:
        # The view alone: tqdm's own display adds a text that a saved notebook would show for ever as 0 %.
        view = {"version_major": 2, "version_minor": 0, "model_id": bar.container.model_id}
        publish_display_data({"application/vnd.jupyter.widget-view+json": view})  # type: ignore[no-untyped-call] # IPython
        yield bar


def groups_done(counts: Counter[str]) -> int:
    """Return how many groups need no more sending."""
    return counts.total() - counts[State.PLANNED] - counts[State.SENDING]


def advance(bar: Any, counts: Counter[str], activity: str) -> None:
    """Show how far a run is and what it is doing, with its counts by state."""
    bar.n = groups_done(counts)
    bar.set_description(activity, refresh=False)
    bar.set_postfix({str(state): counts[state] for state in _TOLD})


_OPEN = (State.PLANNED, State.SENDING, State.UNKNOWN)


class RunProgress:
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

    def learn(self, found: SyncResult, returned: Sequence[int]) -> None:
        """Take over what an exchange with the ledger has told; `returned` came back unsent."""
        with self._counting:
            for at in found.claimed:
                self._set(at, State.SENDING)
            for at in returned:
                self._set(at, State.PLANNED)
            for number, at, state in found.new_receipts:
                self._set(at, State(state))
                self.newest[at] = self.seen = number
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
