"""A question in a form: nothing is done before it is answered."""

from __future__ import annotations

from collections.abc import Callable

from itnio_nb.forms.base import Action, Form
from itnio_nb.forms.layout import panel, row, show, text_area


class Question:
    """One sentence with two buttons; `ask` shows it and keeps what is to be done, an answer takes it from the page.

    `attend`: whether it takes the focus, on the answer that changes nothing.
    """

    def __init__(self, form: Form, yes: str, no: str, *, attend: bool = False) -> None:
        self._form = form
        self._words: Callable[[], str] = lambda: ""
        self._answers: tuple[Action, Action] | None = None  # what is to be done
        self.text = text_area("itnio-words")
        self.yes = form.button(yes, lambda: self._answer(0), is_ready=lambda: self.is_open)
        self.no = form.button(no, lambda: self._answer(1), is_ready=lambda: self.is_open)
        self.body = panel(row(self.text, self.yes, self.no), style="itnio-question")
        if attend:
            self.body.add_class("itnio-asks")
        self.close()

    @property
    def is_open(self) -> bool:
        """Whether it waits for an answer."""
        return self._answers is not None

    def ask(self, words: Callable[[], str], on_yes: Action, on_no: Action) -> None:
        """Ask; one that was open is answered by no. `words` are asked for again by `renew`, as numbers change."""
        self.close()
        self._words, self._answers = words, (on_yes, on_no)
        self.renew()
        self.body.layout.display = None
        self.body.add_class("itnio-open")
        self._form.refresh()

    def renew(self) -> None:
        """Show the words as they are now."""
        if self.is_open:
            show(self.text, self._words())

    def close(self) -> None:
        """Take the question from the page. One that was open is answered by no: nothing is left to wait for it."""
        self._answer(1)

    def _answer(self, which: int) -> None:
        answers, self._answers = self._answers, None
        self.body.remove_class("itnio-open")
        self.body.layout.display = "none"
        show(self.text, "")
        if answers is not None:
            answers[which]()
