"""How far a run is: a bar, and a line with what is done, how fast, how long it takes, and on which terms."""

from __future__ import annotations

import time
from collections import Counter, deque

import ipywidgets as widgets

from itnio_nb.api.models import State
from itnio_nb.api.text import duration, plural
from itnio_nb.forms.layout import show, text_area
from itnio_nb.ledger.run_control import RunTerms
from itnio_nb.runs.sending.background import COUNTED, items_done
from itnio_nb.runs.sending.pace import DEFAULT_WORKERS

_RATE_SPAN = 20.0  # seconds over which the rate is taken
_SHORTEST = 0.4  # seconds after which it is known
_STILL = 5.0  # seconds without a group done after which nobody can say how long it takes
_GAPS = 3  # at a low rate: so many pauses between two groups


class RunProgress:
    """The bar and the line of a run, at work or over."""

    def __init__(self) -> None:
        self.bar = widgets.IntProgress(min=0, max=1, layout=widgets.Layout(width="100%"))
        self.bar.add_class("itnio-bar")
        self.line = text_area("itnio-live")
        self.restart()

    def restart(self) -> None:
        """Begin with another run."""
        self._reached: deque[tuple[float, int]] = deque()  # groups done by when, over the last seconds
        self._moved = (time.monotonic(), -1)  # when a group was done last, and how many were then
        self.bar.value, self.bar.bar_style = 0, "info"

    def show_going(self, counts: Counter[str], activity: str, seconds: float, terms: RunTerms) -> None:
        """Show a run that is at work: what it does, and how many seconds ago it began."""
        total, done = self._count(counts)
        words = [f"{activity}: {plural(done, 'group')} of {total:,}", f"began {duration(seconds)} ago"]
        words += [*self._speed(done, total, terms), terms_words(terms)]
        self._write(words, counts, total - done, "to go")

    def show_over(self, counts: Counter[str], summary: str, *, as_asked: bool) -> None:
        """Show a run that is over; it is green only where every row of the orders is there as asked."""
        total, done = self._count(counts)
        self.bar.bar_style = "success" if as_asked else "warning"
        self._write([summary], counts, total - done, "not sent")

    @property
    def words(self) -> str:
        """How far it is, in the fewest words: `42 % · 840 of 2,000`."""
        return f"{self.bar.value * 100 // self.bar.max} % · {self.bar.value:,} of {self.bar.max:,}"

    def _count(self, counts: Counter[str]) -> tuple[int, int]:
        total, done = counts.total(), items_done(counts)
        self.bar.max, self.bar.value = max(total, 1), done
        return total, done

    def _write(self, words: list[str], counts: Counter[str], rest: int, rest_is: str) -> None:
        parts = [f"{one.word} {counts[one]:,}" for one in COUNTED if counts[one] or one != State.PARTIAL]
        show(self.line, " · ".join(words) + "\n" + " · ".join([*parts, f"{rest_is} {rest:,}"]))

    def _speed(self, done: int, total: int, terms: RunTerms) -> list[str]:
        """Return groups in a second and the time that is left, in words, as far as they are known."""
        now = time.monotonic()
        if done != self._moved[1]:
            self._moved = (now, done)
        still = now - self._moved[0]
        if done < total and still > max(_STILL, _GAPS / terms.rate if terms.rate else 0):
            return [f"nothing new for {duration(still)}"]
        self._reached.append((now, done))
        while self._reached[0][0] < now - _RATE_SPAN:
            self._reached.popleft()
        began, before = self._reached[0]
        if now - began < _SHORTEST or done <= before:
            return []
        rate = (done - before) / (now - began)
        words = f"{rate:,.0f} a second" if rate >= 10 else f"{rate:.1f} a second"
        return [words, f"about {duration(max(1.0, (total - done) / rate))} left"] if done < total else [words]


def terms_words(terms: RunTerms) -> str:
    """Return the terms on which a run works: `at most 5 a second, 4 at once`."""
    at_once = f"{terms.workers or DEFAULT_WORKERS} at once"
    return f"at most {terms.rate:g} a second, {at_once}" if terms.rate else at_once
