"""How far a run is, in words: how fast, how long still, on which terms; and when nobody can say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from itnio_nb.forms.run.progress import RunProgress, terms_words
from itnio_nb.ledger.run_control import NO_TERMS, RunTerms
from tests.support.forms import text_of

Show = Callable[..., str]


@pytest.fixture
def show(monkeypatch: pytest.MonkeyPatch) -> Show:
    """Show so many groups created of 100 after so many seconds, and return the first line."""
    clock = [0.0]
    monkeypatch.setattr("itnio_nb.forms.run.progress.time.monotonic", lambda: clock[0])
    progress = RunProgress()

    def shown(seconds: float, done: int, terms: RunTerms = NO_TERMS) -> str:
        clock[0] = seconds
        progress.show_going(Counter(created=done, planned=100 - done), "Submit", seconds, terms)
        return text_of(progress.line).split("\n")[0]

    return shown


def test_what_is_left_is_said_while_there_is_progress(show: Show) -> None:
    """Once nothing was done for five seconds, it is said for how long; and said again when there is."""
    assert show(0, 0) == "Submit: 0 groups of 100 · began 0 s ago · 8 at once"
    assert show(4, 40) == "Submit: 40 groups of 100 · began 4 s ago · 10 a second · about 6 s left · 8 at once"
    assert "left" in show(8, 40)
    assert show(10, 40) == "Submit: 40 groups of 100 · began 10 s ago · nothing new for 6 s · 8 at once"
    assert "nothing new for 1 h" in show(3604, 40)
    assert "left" not in show(3605, 41)
    assert " a second · about " in show(3607, 50)
    assert show(3700, 100).endswith("began 1 h 1 min 40 s ago · 8 at once")


def test_a_slow_rate_is_no_standstill(show: Show) -> None:
    """One group in ten seconds was asked for: nothing new is said after three of these pauses."""
    slow = RunTerms(rate=0.1)
    show(0, 0, slow)
    assert "nothing new" not in show(29, 0, slow)
    assert "nothing new for 31 s · at most 0.1 a second, 8 at once" in show(31, 0, slow)


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        (RunTerms(4, 5.0), "at most 5 a second, 4 at once"),
        (RunTerms(4), "4 at once"),
        (RunTerms(rate=0.5), "at most 0.5 a second, 8 at once"),
        (NO_TERMS, "8 at once"),
    ],
)
def test_the_terms_in_words(terms: RunTerms, words: str) -> None:
    """What nobody has said is what is usual: eight requests at once, no limit."""
    assert terms_words(terms) == words


@pytest.mark.parametrize(
    ("done", "total", "words"), [(840, 2000, "42 % · 840 of 2,000"), (1999, 2000, "99 % · 1,999 of 2,000")]
)
def test_the_fewest_words(done: int, total: int, words: str) -> None:
    """For a title: 100 % is said of the whole only."""
    progress = RunProgress()
    progress.show_going(Counter(created=done, planned=total - done), "Submit", 0, NO_TERMS)
    assert progress.words == words


@pytest.mark.parametrize(("as_asked", "style"), [(True, "success"), (False, "warning")])
def test_green_is_as_asked(as_asked: bool, style: str) -> None:
    """All groups are there, but whether the file is, the record knows."""
    progress = RunProgress()
    progress.show_over(Counter(created=3), "Done.", as_asked=as_asked)
    assert progress.bar.bar_style == style
