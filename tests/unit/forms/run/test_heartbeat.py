"""The beat of all forms: each gets it, from one thread, whatever becomes of the others."""

from __future__ import annotations

import gc
import threading
import weakref

from itnio_nb.forms.base import BrowserBridge
from itnio_nb.forms.run.heartbeat import Heartbeat
from tests.support.factories import until

PAUSE = 0.01


class Member:
    """Counts its beats, and notes who sent them."""

    def __init__(self, error: Exception | None = None) -> None:
        self.beats, self.threads, self._error = 0, set[int](), error

    def beat(self) -> None:
        self.beats += 1
        self.threads.add(threading.get_ident())
        if self._error is not None:
            raise self._error


def test_all_get_it_from_one_thread() -> None:
    """Not the one that added them: it may be busy. One that fails takes it from no other, and is tried again."""
    heartbeat, broken, member = Heartbeat(PAUSE), Member(RuntimeError("the socket is closed")), Member()
    heartbeat.add(broken)
    heartbeat.add(member)
    until(lambda: min(member.beats, broken.beats) > 2)
    assert member.threads == broken.threads
    assert len(member.threads) == 1
    assert threading.get_ident() not in member.threads


def test_it_keeps_nobody() -> None:
    """What nothing else has a use for any more is let go, and the others live on."""
    heartbeat, members, stays = Heartbeat(PAUSE), [Member() for _ in range(3)], Member()
    for member in [*members, stays]:
        heartbeat.add(member)
    until(lambda: members[-1].beats > 0)
    gone = [weakref.ref(member) for member in members]
    members.clear()
    del member
    until(lambda: gc.collect() is not None and not any(one() for one in gone))
    before = stays.beats
    until(lambda: stays.beats > before)


def test_no_thread_before_there_is_anything() -> None:
    """An import begins none."""
    before = threading.active_count()
    Heartbeat(PAUSE)
    assert threading.active_count() == before


def test_a_bridge_tells_its_page_and_keeps_nothing() -> None:
    """A message, and no state that a notebook would save; one that was closed tells nothing, and raises nothing."""
    bridge = BrowserBridge()
    before, sent = bridge.get_state(), []
    bridge.comm.send = lambda data, *_, **__: sent.append(data)
    bridge.beat()
    assert sent == [{"method": "custom", "content": {"beat": 1}}]
    assert bridge.get_state() == before
    bridge.close()
    bridge.beat()
    assert len(sent) == 1
