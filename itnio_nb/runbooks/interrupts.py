"""Signals to a command that works for hours: the first asks it to stop cleanly, the second to leave at once."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from time import monotonic
from types import FrameType

SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
# A shell, `timeout` and a terminal that is closed send a signal twice, to the process and to its group.
SAME = 1.0  # seconds within which signals are one
_STOPPING = "Interrupt received: what is under way is finished and recorded, the rest is not sent."
_LEAVING = "Interrupt received again: left at once. What was under way is unknown; the next run looks it up."


class Interrupts:
    """Hears SIGINT, SIGTERM and SIGHUP in the main thread while it is entered.

        with Interrupts(print) as interrupts:
            with interrupts.handled(stop, kill):
                work()
        interrupts.count        # 0, 1 for a clean stop, 2 for leaving at once

    Outside of `handled` a signal raises `KeyboardInterrupt`. A third one ends the process. A signal that was ignored
    when Python began stays ignored: `nohup`, and jobs in the background.
    """

    def __init__(self, echo: Callable[[str], object], stopping: str = _STOPPING) -> None:
        """`stopping` is what is said when the first signal is heard."""
        self._echo, self._stopping = echo, stopping
        self._steps: tuple[Callable[[], object], Callable[[], object]] | None = None
        self._before: dict[int, object] = {}
        self._last = -SAME
        self._telling: list[Thread] = []
        self.count = 0

    def __enter__(self) -> Interrupts:
        heard = [number for number in SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
        self._before = {number: signal.signal(number, self._hear) for number in heard}
        return self

    def __exit__(self, *_: object) -> None:
        self.wait_told()
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type] # as it was given

    def wait_told(self) -> None:
        """Wait until what was heard has been said."""
        for thread in self._telling:
            thread.join()

    @contextmanager
    def handled(self, stop: Callable[[], object], leave: Callable[[], object]) -> Iterator[None]:
        """Call `stop` for the first signal and `leave` for the second, while the context lasts."""
        self._steps = stop, leave
        try:
            yield
        finally:
            self._steps = None

    def _hear(self, number: int, _: FrameType | None) -> None:
        before, self._last = self._last, monotonic()
        if self.count and self._last - before < SAME:
            return
        self.count += 1
        if self.count > 2:
            os._exit(128 + number)
        # By another thread: this one may be in the middle of printing, which cannot be begun twice.
        self._telling.append(Thread(target=self._echo, args=(self._stopping if self.count == 1 else _LEAVING,)))
        self._telling[-1].start()
        if self._steps is None:
            raise KeyboardInterrupt
        self._steps[self.count - 1]()
