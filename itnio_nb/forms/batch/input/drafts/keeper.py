"""Keep the edits of a form as a draft, at most once a second; offer one that was left, in one line."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

import pandas as pd

from itnio_nb.api.text import plural, shortened
from itnio_nb.errors import InputError
from itnio_nb.forms.base import Action, Form
from itnio_nb.forms.batch.input.drafts.draft import Draft, DraftStore
from itnio_nb.forms.batch.input.question import Question
from itnio_nb.forms.layout import panel, show, text_area
from itnio_nb.orders.models import SOURCE

_PAUSE = 1.0  # seconds between two writes


class DraftKeeper:
    """The draft of a form: `keep` what was edited, `drop` it once it is in a run or was replaced.

    While a draft of before is offered, nothing is written over it.
    """

    def __init__(
        self, form: Form, restore: Callable[[Draft], None], ask: Callable[[str, Action, Action], None]
    ) -> None:
        """`ask` is given what is to be restored, and does the first action, or the second where it may not be."""
        self._form, self._restore, self._ask = form, restore, ask
        self._pending = _Pending()
        # Also when the form is forgotten or its process ends: edits of the last second are none the less edits.
        self._end = weakref.finalize(self, self._pending.write)
        self._timer: threading.Timer | None = None
        self.offer = Question(form, "Go on with them", "Discard")
        self.note = text_area("itnio-note")
        self.note.layout.display = "none"
        self.body = panel(self.offer.body, self.note)

    def open(self, store: DraftStore, shown: pd.DataFrame) -> None:
        """Keep drafts in a store from now on; offer the one that is there, unless it is what is shown."""
        self._pending.forget()
        self._pending.store = store
        draft = store.load()
        self._tell(store.problem)
        if draft is None:
            return
        if draft.orders.equals(shown):  # submitted, and then the form died
            store.discard()
            return
        self._pending.is_held = True
        self._offer(draft)

    def _offer(self, draft: Draft) -> None:
        by = f"the draft ({plural(len(draft.orders), 'row')})"
        go_on = partial(self._ask, by, partial(self._go_on, draft), partial(self._offer, draft))
        self.offer.ask(lambda: _words(draft), go_on, self._discard)

    def keep(self, orders: pd.DataFrame, extra: Any) -> None:
        """Keep edited orders: now, or as soon as a second has passed since the last time."""
        if self._pending.take(orders, extra):
            self._plan_write()

    @property
    def is_kept(self) -> bool:
        """Whether the next form finds what was edited, that of the last second included."""
        return not self._pending.has_failed and not (self._pending.is_held and self._pending.latest is not None)

    def drop(self) -> None:
        """Forget the edits: they are in a run, or were replaced. What another form has written since stays."""
        self._pending.forget()

    def _plan_write(self) -> None:
        pause = self._pending.written + _PAUSE - time.monotonic()
        if pause <= 0:
            self._form.tasks.put(self._write, once="draft")
        elif self._timer is None:  # in a thread of its own: a form that is closed takes no task
            self._timer = threading.Timer(pause, self._write)
            self._timer.daemon = True
            self._timer.start()

    def _write(self) -> None:
        self._timer = None
        self._tell(self._pending.write())

    def _tell(self, problem: str) -> None:
        show(self.note, problem, "warning")
        self.note.layout.display = None if problem else "none"

    def _go_on(self, draft: Draft) -> None:
        self._pending.is_held = False
        self._pending.latest, self._pending.last = None, (draft.orders, draft.extra)
        self._restore(draft)

    def _discard(self) -> None:
        latest, self._pending.is_held = self._pending.latest, False
        self._pending.forget()
        if latest is not None:
            self.keep(*latest)


class _Pending:
    """What is still to be written; it knows no form, so that it can be written when the form is gone."""

    def __init__(self) -> None:
        self.store: DraftStore | None = None
        self.is_held = False  # a draft is offered: it is not to be replaced yet
        self.has_failed = False  # the latest edits could not be written
        self.latest: tuple[pd.DataFrame, Any] | None = None
        self.last: tuple[pd.DataFrame, Any] | None = None  # what the draft has
        self.written = -_PAUSE  # when it was written last
        self._lock = threading.Lock()

    def take(self, orders: pd.DataFrame, extra: Any) -> bool:
        """Take edits to be written; return whether the draft has others."""
        if self.last is not None and self.last[0] is orders and self.last[1] == extra:
            self.latest = None  # back to what the draft has
            return False
        self.latest = (orders, extra)
        return True

    def write(self) -> str:
        """Write the latest edits, if there are any; return what went wrong."""
        with self._lock:
            if self.store is None or self.is_held or self.latest is None:
                return ""
            self.last, self.latest = self.latest, None
            self.written, self.has_failed = time.monotonic(), False
            try:
                self.store.save(*self.last)
            except InputError as error:
                self.has_failed = True
                return str(error)
            return ""

    def forget(self) -> None:
        """Write nothing any more, and delete the draft unless it is offered."""
        with self._lock:
            self.latest = self.last = None
            self.has_failed = False
            if self.store is not None and not self.is_held:
                self.store.discard()


def _words(draft: Draft) -> str:
    source, saved = draft.orders.attrs[SOURCE], draft.saved
    name = "typed by hand" if source.kind == "DataFrame" else f"from {shortened(source.name)}"
    when = f"{saved.day} {saved:%b %H:%M} UTC"
    words = f"Orders {name}, {plural(len(draft.orders), 'row')}, edited {when}, were not submitted."
    return f"{words} Until you choose, other edits are kept in this page alone."
