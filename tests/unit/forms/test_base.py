"""What every form has: a click acts once, errors are words, files go to the page; one thread does tasks in order."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from itnio_nb import InputError
from itnio_nb.forms.base import BrowserBridge, Form, Poll, TaskQueue
from tests.support.factories import until
from tests.support.forms import HOSTILE, assert_harmless, status


class SmallForm(Form):
    """A form with two buttons, one of which waits until it may go on."""

    def __init__(self) -> None:
        super().__init__("Small")
        self.go_on = threading.Event()
        self.done: list[str] = []
        self.error: BaseException | None = None
        self.polls = 0
        self.pause: float | None = None
        self.working = False
        self.first = self.button("First", self._first, "What it does", main=True)
        self.second = self.button("Second", lambda: self.done.append("second"))
        self.children = (self.browser, self.first, self.second, self.status_line)
        self.poll, self.is_working = self._count_poll, lambda: self.working

    def _first(self) -> None:
        assert self.go_on.wait(60)
        self.done.append("first")
        if self.error is not None:
            raise self.error

    def describe(self) -> list[str]:
        return [f"Small: {len(self.done)} done."]

    def _count_poll(self) -> float | None:
        self.polls += 1
        return self.pause


@pytest.fixture
def make_form() -> Iterator[Callable[[], SmallForm]]:
    forms: list[SmallForm] = []

    def make() -> SmallForm:
        forms.append(SmallForm())
        return forms[-1]

    yield make
    for form in forms:
        form.go_on.set()
        form.close()


@pytest.fixture
def form(make_form: Callable[[], SmallForm]) -> SmallForm:
    return make_form()


def test_a_double_click_acts_once(form: SmallForm) -> None:
    """Neither the same button nor another does anything while one is at work, nor does one that is disabled.

    Waiting ends in time: a `TimeoutError` says that an action or a run goes on.
    """
    assert (form.first.description, form.first.tooltip, form.first.button_style) == ("First", "What it does", "primary")
    assert (form.second.tooltip, form.second.button_style) == ("Second", "")
    form.first.click()
    assert form.first.disabled
    assert form.second.disabled
    assert status(form) == "Working …"
    for button in (form.first, form.second):
        button.disabled = False  # as a page that does not know yet
        button.click()
    with pytest.raises(TimeoutError, match=r"still at work after 0\.02 s"):
        form.wait(0.02)
    form.go_on.set()
    form.wait()
    assert form.done == ["first"]
    assert not form.first.disabled
    assert status(form) == ""
    form.second.click()
    form.wait(60)
    form.second.disabled = True
    form.second.click()
    form.working = True
    with pytest.raises(TimeoutError, match="run is not over"):
        form.wait(0.02)
    threading.Timer(0.05, lambda: setattr(form, "working", False)).start()
    assert form.wait(60) is form
    assert form.done == ["first", "second"]


def test_a_button_that_cannot_be_pressed_is_gone(form: SmallForm) -> None:
    """With the room that it took; one whose reason the form tells stays, disabled; being busy hides nothing."""
    ready = {"one": True, "two": True}
    gone = form.button("Gone", lambda: None, is_ready=lambda: ready["one"])
    stays = form.button("Stays", lambda: None, is_ready=lambda: ready["two"], is_shown=lambda: True)

    def seen() -> list[tuple[bool, bool]]:
        return [(button.layout.display != "none", button.disabled) for button in (gone, stays)]

    form.refresh()
    assert seen() == [(True, False), (True, False)]
    ready |= {"one": False, "two": False}
    form.refresh()
    assert seen() == [(False, True), (True, True)]
    ready |= {"one": True, "two": True}
    form.first.click()
    form.refresh()
    assert seen() == [(True, True), (True, True)]
    form.go_on.set()
    form.wait(60)
    assert seen() == [(True, False), (True, False)]


def test_an_error_with_advice_is_shown_as_words(form: SmallForm) -> None:
    """It is no traceback, `wait` raises nothing, and the form goes on."""
    form.error = InputError("Choose <b>another</b> path.")
    form.go_on.set()
    form.first.click()
    form.wait(60)
    assert status(form) == "Error: Choose <b>another</b> path."
    assert_harmless(form.status_line.value)
    assert "class='error'" in form.status_line.value
    assert repr(form) == "Small: 1 done.\nError: Choose <b>another</b> path."
    form.error = None
    form.first.click()
    form.wait(60)
    assert repr(form) == "Small: 2 done."


@pytest.mark.parametrize("error", [ZeroDivisionError("by <i>zero</i>"), SystemExit(1), KeyboardInterrupt()])
def test_what_should_not_happen_is_shown_and_raised(form: SmallForm, error: BaseException) -> None:
    """Once, by `wait`; the buttons live on."""
    form.error = error
    form.go_on.set()
    form.first.click()
    with pytest.raises(type(error)):
        form.wait(60)
    assert f"This should not have happened: {type(error).__name__}" in status(form)
    assert "What was sent is in the ledger. Please report it." in status(form)
    assert_harmless(form.status_line.value)
    assert form.wait(60) is form
    assert not form.first.disabled


def test_an_action_may_set_the_status(form: SmallForm) -> None:
    """It stays; only "Working …" is taken away. Text of others is shown as text."""
    form.button("Third", lambda: form.set_status("It is done.", "good")).click()
    form.wait(60)
    assert status(form) == "It is done."
    assert repr(form).endswith("It is done.")
    form.set_status("Look again.", "warning")
    assert status(form) == "Warning: Look again."
    for text in HOSTILE:
        form.set_status(text, "error")
        assert_harmless(form.status_line.value)
    form.set_status("")
    assert (form.status_line.value, repr(form)) == ("", "Small: 0 done.")


def test_the_text_form_is_there_wherever_widgets_are_not(form: SmallForm, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside the widgets, and alone with ITNIO_WIDGETS=off."""
    shown = form._repr_mimebundle_()
    assert shown["text/plain"] == "Small: 0 done."
    assert shown["application/vnd.jupyter.widget-view+json"]["model_id"] == form.model_id
    monkeypatch.setenv("ITNIO_WIDGETS", "off")
    assert form._repr_mimebundle_(include=None, exclude=None) == {"text/plain": "Small: 0 done."}


def test_a_closed_form_ends_its_thread(form: SmallForm) -> None:
    """Clicks do nothing more, and nobody waits for ever."""
    names = {thread for thread in threading.enumerate() if thread.name == "form"}
    form.second.click()
    form.wait(60)
    (thread,) = {thread for thread in threading.enumerate() if thread.name == "form"} - names
    form.close()
    thread.join(5)
    assert not thread.is_alive()
    form.second.click()
    assert form.wait(1) is form
    assert form.done == ["second"]
    assert form.comm is None


def test_forms_that_were_replaced_fall_asleep(make_form: Callable[[], SmallForm]) -> None:
    """The newest four poll by themselves; an older one when it is used, or its run is at work."""
    forms = [make_form() for _ in range(5)]
    for form in forms:
        form.pause = 0.01
        form.tasks.put(lambda: None)
        form.wait(60)
    until(lambda: all(form.polls > 5 for form in forms[1:]))
    assert forms[0].polls == 1
    forms[0].working = True
    forms[0].tasks.put(lambda: None)
    until(lambda: forms[0].polls > 5)


# Files for the browser.


def test_a_file_goes_to_the_page_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each below what Jupyter lets through at once, never more than a megabyte in a second; none is in a saved state.

    An empty file is one empty part.
    """
    browser, pauses = BrowserBridge(), []
    parts: list[tuple[dict[str, Any], bytes]] = []
    monkeypatch.setattr(browser, "send", lambda content, buffers: parts.append((content, buffers[0])))
    monkeypatch.setattr("itnio_nb.forms.base.time.sleep", lambda seconds: pauses.append((len(parts), seconds)))
    for size, number in ((0, 1), (500_000, 1), (500_001, 2), (1_000_001, 3)):
        parts.clear()
        assert pauses == []
        data = random.Random(size).randbytes(size)  # parts that differ: their order shows
        browser.download("file.bin", data)
        assert [content for content, _ in parts] == [
            {"name": "file.bin", "part": at, "parts": number} for at in range(number)
        ]
        assert b"".join(part for _, part in parts) == data
        assert max(len(part) for _, part in parts) <= 500_000
    assert pauses == [(2, 1.2)]
    assert "file.bin" not in str(browser.get_state())
    browser.close()


# The task queue.


class Queue:
    """A task queue whose polls and errors are noted."""

    def __init__(self, poll: Poll = lambda: None) -> None:
        self.polls: list[float] = []
        self.errors: list[BaseException] = []
        self._own_poll = poll
        self.tasks = TaskQueue(self._poll, self.errors.append)

    def _poll(self) -> float | None:
        self.polls.append(time.monotonic())
        return self._own_poll()

    @property
    def gaps(self) -> list[float]:
        """Seconds between polls."""
        return [after - before for before, after in zip(self.polls[:-1], self.polls[1:], strict=True)]


MakeQueue = Callable[..., Queue]


@pytest.fixture
def make_queue() -> Iterator[MakeQueue]:
    queues: list[Queue] = []

    def make(poll: Poll = lambda: None) -> Queue:
        queues.append(Queue(poll))
        return queues[-1]

    yield make
    for queue in queues:
        queue.tasks.close()


def raise_it(error: BaseException) -> None:
    raise error


def test_tasks_are_done_in_order_in_one_thread(make_queue: MakeQueue) -> None:
    """Of all that are put, by other tasks too, none is lost. Without any, no thread is begun."""
    before = threading.active_count()
    queue, done = make_queue(), []
    assert queue.tasks.join(0)
    assert (threading.active_count(), queue.polls) == (before, [])
    for number in range(50):
        queue.tasks.put(partial(lambda number: done.append((number, threading.get_ident())), number))
    queue.tasks.put(lambda: queue.tasks.put(lambda: done.append((50, threading.get_ident()))))
    assert queue.tasks.join(5)
    assert [number for number, _ in done] == list(range(51))
    (thread,) = {thread for _, thread in done}
    assert thread != threading.get_ident()


def test_of_those_that_wait_under_one_name_one_is_done(make_queue: MakeQueue) -> None:
    """Others, and what has no name, are done each time; what is under way counts as done already."""
    tasks, hold, started, done = make_queue().tasks, threading.Event(), threading.Event(), []

    def first() -> None:
        started.set()
        hold.wait(60)
        done.append("first")

    tasks.put(first, once="check")
    assert started.wait(60)
    for _ in range(3):
        tasks.put(lambda: done.append("check"), once="check")
        tasks.put(lambda: done.append("show"), once="show")
        tasks.put(lambda: done.append("each"))
    assert not tasks.join(0.02)
    hold.set()
    assert tasks.join(5)
    assert done == ["first", "check", "show", "each", "each", "each"]


def test_an_error_is_reported_and_the_next_task_done(make_queue: MakeQueue) -> None:
    """Whatever it is; the thread goes on. That of a poll too, which is not repeated by itself."""
    no_disk, done = OSError("no disk"), []
    queue = make_queue(lambda: raise_it(no_disk))
    expected: list[BaseException] = []
    for error in (ValueError("wrong"), KeyboardInterrupt(), SystemExit(3)):
        queue.tasks.put(partial(raise_it, error))
        assert queue.tasks.join(5)
        expected += [error, no_disk]
    queue.tasks.put(lambda: done.append("next"))
    assert queue.tasks.join(5)
    assert queue.errors == [*expected, no_disk]
    assert done == ["next"]


@pytest.mark.parametrize("pause", [None, 60.0])
def test_it_polls_after_each_task(pause: float | None, make_queue: MakeQueue) -> None:
    """And not again before the next, where the poll asks for none; a task does not wait for the next poll.

    A thread that pauses ends at once when the queue is closed: a form leaves none behind for its next poll.
    """
    queue, threads = make_queue(lambda: pause), set()
    for number in range(1, 4):
        queue.tasks.put(lambda: threads.add(threading.current_thread()))
        assert queue.tasks.join(5)
        assert len(queue.polls) == number
    queue.tasks.close()
    (thread,) = threads
    thread.join(5)
    assert not thread.is_alive()


def test_a_slow_poll_leaves_most_of_the_time_for_others(make_queue: MakeQueue) -> None:
    """It is repeated as often as it asks for, but pauses four times what polling has taken."""
    pauses = [0.03, 0.001, 0.001]

    def slow() -> float | None:
        threading.Event().wait(0.02)
        return pauses.pop() if pauses else None

    queue = make_queue(slow)
    queue.tasks.put(lambda: None)
    until(lambda: len(queue.polls) == 4)
    assert queue.tasks.join(5)
    assert min(queue.gaps) >= 0.095
    threading.Event().wait(0.1)
    assert len(queue.polls) == 4


def test_joining_waits_for_a_poll_under_way(make_queue: MakeQueue) -> None:
    """Also one that it has begun by itself: what it shows is not whole before."""
    polling, hold = threading.Event(), threading.Event()
    pauses = [0.01]

    def poll() -> float | None:
        if pauses:
            return pauses.pop()
        polling.set()
        hold.wait(60)
        return None

    queue = make_queue(poll)
    queue.tasks.put(lambda: None)
    assert polling.wait(60)
    try:
        assert not queue.tasks.join(0.05)
    finally:
        hold.set()
    assert queue.tasks.join(5)


def test_closing_drops_what_is_waiting(make_queue: MakeQueue) -> None:
    """What is under way is finished, nothing more is begun or taken, and the thread is gone."""
    tasks, hold, started, done = make_queue().tasks, threading.Event(), threading.Event(), []
    threads: list[threading.Thread] = []

    def under_way() -> None:
        threads.append(threading.current_thread())
        started.set()
        hold.wait(60)
        done.append("under way")

    tasks.put(under_way)
    tasks.put(lambda: done.append("waiting"))
    assert started.wait(60)
    tasks.close()
    tasks.put(lambda: done.append("late"))
    hold.set()
    threads[0].join(5)
    assert not threads[0].is_alive()
    assert done == ["under way"]
    assert tasks.join(0)
