"""The confirmation of what creates phones: one sentence, their number, how fast they are sent, and the button."""

from __future__ import annotations

import ipywidgets as widgets
import pandas as pd

from itnio_nb.api.text import plural
from itnio_nb.forms.base import Action, Condition, Form
from itnio_nb.forms.layout import field, panel, row, set_shown, show, text_area
from itnio_nb.ledger.run_control import RunTerms
from itnio_nb.runs.sending.pace import DEFAULT_WORKERS, MAX_WORKERS, RunOptions

FINAL = "The API cannot delete them."
_MAX_APPLICATIONS = 5  # that are named


class Confirmation:
    """Say what is about to be created; its button stays disabled until the number of phones was typed, if one is asked.

    `ask` says what it is about. `is_ready` and `is_shown` are the button's, besides the number.
    """

    def __init__(
        self, form: Form, words: str, action: Action, tip: str, *, is_ready: Condition, is_shown: Condition
    ) -> None:
        self._form = form
        self.phones: int | None = None  # the number that is asked for; None: one click will do
        self.sentence, self.warning = text_area("itnio-sentence"), text_area()
        self.hint = text_area("itnio-why")
        self.typed = field("Number of phones", "Type the number of phones to confirm", "260px")
        self.typed.observe(lambda _: self._take_typed(), "value")
        most = {"value": DEFAULT_WORKERS, "min": 1, "max": MAX_WORKERS}
        self.workers = field("Requests at once", "", "240px", widgets.BoundedIntText, **most)
        self.rate = field("at most a second", "Empty: no limit", "240px", placeholder="no limit")
        self.submit = form.button(
            words, action, tip, main=True, is_ready=lambda: self.confirmed and is_ready(), is_shown=is_shown
        )
        self.speed = row(self.workers, self.rate)
        self.body = panel(self.sentence, self.warning, self.speed, row(self.typed, self.submit, self.hint))
        set_shown(self.typed, False)

    @property
    def confirmed(self) -> bool:
        """Whether the number that is asked for was typed, if one is."""
        return self.phones is None or self.number == self.phones

    @property
    def number(self) -> int | None:
        """The number that was typed; None where none is asked for, and for anything else."""
        text = self.typed.value.strip().replace(",", "").replace(" ", "")
        is_number = text.isascii() and text.isdigit() and len(text) < 12
        return int(text) if self.phones is not None and is_number else None

    @property
    def options(self) -> RunOptions:
        """How fast the run shall be; `InputError` for what is out of bounds."""
        return RunOptions.from_text(int(self.workers.value), self.rate.value.strip())

    def ask(self, sentence: str, phones: int | None = None, warning: str = "", kind: str = "") -> None:
        """Ask for the confirmation of so many phones; a number that was typed for another one is taken away."""
        if phones != self.phones:
            self.typed.value = ""
        self.phones = phones
        show(self.sentence, sentence, kind)
        show(self.warning, warning, "warning")
        set_shown(self.typed, phones is not None)
        self._show_hint()

    def show_terms(self, terms: RunTerms) -> None:
        """Show how fast a run was begun."""
        self.workers.value = terms.workers or DEFAULT_WORKERS
        self.rate.value = "" if terms.rate is None else str(terms.rate).removesuffix(".0")

    def _take_typed(self) -> None:
        self._show_hint()
        self._form.refresh()

    def _show_hint(self) -> None:
        if self.phones is None:
            show(self.hint, "")
        elif self.confirmed:
            show(self.hint, "Confirmed.", "good")
        else:
            show(self.hint, f"Type {self.phones} to confirm.", "warning" if self.typed.value else "faint")


def creation(groups: pd.DataFrame, account: str) -> str:
    """Return how many phones and groups these are, and where, as words.

    `310 phones in 11 groups on SANDBOX: 300 phones in application x, 10 phones in application y`. `groups` has the
    columns `quantity` and `appId`.
    """
    size = f"{plural(int(groups['quantity'].sum()), 'phone')} in {plural(len(groups), 'group')} on {account}"
    sizes = groups.groupby("appId", sort=False)["quantity"].sum()
    if len(sizes) == 1:
        return f"{size}, application {sizes.index[0]}"
    shown = sizes.head(_MAX_APPLICATIONS).items()
    apps = [f"{plural(int(phones), 'phone')} in application {name}" for name, phones in shown]
    more = [f"the rest in {len(sizes) - len(apps)} more"] if len(sizes) > len(apps) else []
    return f"{size}: {', '.join([*apps, *more])}" if apps else size
