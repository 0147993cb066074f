"""The thread of a form: in order, once where that will do, looking around in between, whatever fails."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from itnio_nb.forms.base import Poll, TaskQueue
from tests.support.factories import until


class Desk:
    """TaskQueue whose looks and failures are noted."""

    def __init__(self, look: Poll | None = None) -> None:
        self.looks: list[float] = []
        self.failures: list[BaseException] = []
        self._own = look
        self.tasks = TaskQueue(self._look, self.failures.append)

    def _look(self) -> float | None:
        self.looks.append(time.monotonic())
        return None if self._own is None else self._own()


Desks = Callable[..., Desk]


@pytest.fixture
def desks() -> Iterator[Desks]:
    made: list[Desk] = []

    def make(look: Poll | None = None) -> Desk:
        made.append(Desk(look))
        return made[-1]

    yield make
    for desk in made:
        desk.tasks.end()


def assert_true(it: bool) -> None:
    assert it


def raise_it(error: BaseException) -> None:
    raise error


def test_errands_are_done_in_order_in_one_thread(desks: Desks) -> None:
    """Of all that are asked for, none is lost, and never two at once."""
    tasks, done = desks().tasks, []
    for number in range(50):
        tasks.ask(partial(lambda number: done.append((number, threading.get_ident())), number))
    assert tasks.rest(5)
    assert [number for number, _ in done] == list(range(50))
    (thread,) = {thread for _, thread in done}
    assert thread != threading.get_ident()


def test_nothing_asked_for_is_done_at_once(desks: Desks) -> None:
    """It does not even begin a thread."""
    desk, before = desks(), threading.active_count()
    assert desk.tasks.rest(0)
    assert (threading.active_count(), desk.looks) == (before, [])


def test_of_those_that_wait_under_one_name_one_is_done(desks: Desks) -> None:
    """Others, and what has no name, are done each time; what is under way counts as done already."""
    tasks, hold, done = desks().tasks, threading.Event(), []
    started = threading.Event()

    def first() -> None:
        started.set()
        hold.wait(5)
        done.append("first")

    tasks.ask(first, once="check")
    assert started.wait(5)
    for _ in range(3):
        tasks.ask(lambda: done.append("check"), once="check")
        tasks.ask(lambda: done.append("show"), once="show")
        tasks.ask(lambda: done.append("each"))
    hold.set()
    assert tasks.rest(5)
    assert done == ["first", "check", "show", "each", "each", "each"]


def test_an_error_is_told_and_the_next_errand_done(desks: Desks) -> None:
    """Whatever it is; the thread goes on."""
    desk, done = desks(), []
    errors = (ValueError("wrong"), KeyboardInterrupt(), SystemExit(3))
    for error in errors:
        desk.tasks.ask(partial(raise_it, error))
    desk.tasks.ask(lambda: done.append("next"))
    assert desk.tasks.rest(5)
    assert desk.failures == list(errors)
    assert done == ["next"]


def test_it_looks_around_after_each_errand(desks: Desks) -> None:
    """And not again before the next, where the look asks for none; resting includes the look."""
    desk = desks()
    for number in range(1, 4):
        desk.tasks.ask(lambda: None)
        assert desk.tasks.rest(5)
        assert len(desk.looks) == number


def test_it_looks_again_as_often_as_it_asks_itself(desks: Desks) -> None:
    """Until it asks for no more."""
    left = [0.01] * 5
    desk = desks(lambda: left.pop() if left else None)
    desk.tasks.ask(lambda: None)
    until(lambda: len(desk.looks) == 6)
    assert desk.tasks.rest(5)
    gaps = [after - before for before, after in zip(desk.looks[:-1], desk.looks[1:], strict=True)]
    assert min(gaps) >= 0.009
    threading.Event().wait(0.05)
    assert len(desk.looks) == 6


def test_a_slow_look_leaves_most_of_the_time_for_others(desks: Desks) -> None:
    """The pause is four times what looking has taken, whatever it asks for."""

    def slow() -> float:
        threading.Event().wait(0.02)
        return 0.001

    desk = desks(slow)
    desk.tasks.ask(lambda: None)
    until(lambda: len(desk.looks) == 4)
    gaps = [after - before for before, after in zip(desk.looks[:-1], desk.looks[1:], strict=True)]
    assert min(gaps) >= 0.095


def test_an_errand_does_not_wait_for_the_next_look(desks: Desks) -> None:
    """However long the pause."""
    desk = desks(lambda: 60.0)
    for number in range(1, 3):
        desk.tasks.ask(lambda: None)
        assert desk.tasks.rest(2)
        assert len(desk.looks) == number


def test_a_look_that_fails_is_told_once(desks: Desks) -> None:
    """It is not repeated by itself, and the next errand is done."""
    error, done = OSError("no disk"), []
    desk = desks(lambda: raise_it(error))
    desk.tasks.ask(lambda: None)
    assert desk.tasks.rest(5)
    assert desk.failures == [error]
    desk.tasks.ask(lambda: done.append(1))
    assert desk.tasks.rest(5)
    assert (desk.failures, done) == ([error, error], [1])


def test_resting_ends_at_the_time_that_was_given(desks: Desks) -> None:
    """False then; what is under way goes on, and a later rest sees it done."""
    tasks, hold = desks().tasks, threading.Event()
    tasks.ask(lambda: assert_true(hold.wait(5)))
    assert not tasks.rest(0.02)
    hold.set()
    assert tasks.rest(5)


def test_resting_waits_for_a_look_under_way(desks: Desks) -> None:
    """Also one that it has begun by itself: what it shows is not whole before."""
    looking, hold = threading.Event(), threading.Event()
    pauses = [0.01]

    def look() -> float | None:
        if pauses:
            return pauses.pop()
        looking.set()
        assert_true(hold.wait(5))
        return None

    desk = desks(look)
    desk.tasks.ask(lambda: None)
    assert looking.wait(5)
    try:
        assert not desk.tasks.rest(0.05)
    finally:
        hold.set()
    assert desk.tasks.rest(5)


def test_an_errand_may_ask_for_another(desks: Desks) -> None:
    """It waits its turn; resting waits for it too."""
    tasks, done = desks().tasks, []

    def outer() -> None:
        tasks.ask(lambda: done.append("inner"))
        done.append("outer")

    tasks.ask(outer)
    assert tasks.rest(5)
    assert done == ["outer", "inner"]


def test_the_end_leaves_what_is_waiting(desks: Desks) -> None:
    """What is under way is finished, nothing more is begun or taken, and the thread is gone."""
    tasks, hold, done = desks().tasks, threading.Event(), []
    threads: list[threading.Thread] = []
    started = threading.Event()

    def under_way() -> None:
        threads.append(threading.current_thread())
        started.set()
        hold.wait(5)
        done.append("under way")

    tasks.ask(under_way)
    tasks.ask(lambda: done.append("waiting"))
    assert started.wait(5)
    tasks.end()
    tasks.ask(lambda: done.append("late"))
    hold.set()
    threads[0].join(5)
    assert not threads[0].is_alive()
    assert done == ["under way"]
    assert tasks.rest(0)


def test_the_end_wakes_a_thread_that_pauses(desks: Desks) -> None:
    """A form that is closed leaves no thread behind for its next look."""
    threads: list[threading.Thread] = []
    desk = desks(lambda: 60.0)
    desk.tasks.ask(lambda: threads.append(threading.current_thread()))
    assert desk.tasks.rest(5)
    desk.tasks.end()
    threads[0].join(5)
    assert not threads[0].is_alive()
