"""Step 5 of a batch: what became of each order, in tabs; resolve, go on, mend, download, hand over."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import ipywidgets as widgets
import pandas as pd

from itnio_nb.api.models import API_COLUMNS, State
from itnio_nb.api.text import plural
from itnio_nb.errors import InputError
from itnio_nb.forms.base import Form
from itnio_nb.forms.grid import Grid
from itnio_nb.forms.layout import emphasize, panel, row, said_columns, set_shown, show, text_area
from itnio_nb.forms.run.confirm import FINAL, Confirmation, creation
from itnio_nb.forms.run.monitor import Outcome, RunMonitor
from itnio_nb.forms.run.progress import terms_words
from itnio_nb.runs.results import differing_groups
from itnio_nb.runs.run import RunRecord
from itnio_nb.runs.submit import Remainder, remainder

FOLDER = Path("results")
_TABS = {  # the states of groups behind each tab, the worst first
    "Unknown": (State.UNKNOWN, State.SENDING),
    "Refused": (State.PARTIAL, State.REFUSED),
    "Not sent": (State.PLANNED,),
    "Invalid": (),  # rows, in no group
    "Existed otherwise": (State.EXISTS,),
    "Created": (State.CREATED,),
    "Existed": (State.EXISTS,),
}
_INVALID, _OTHERWISE = "Invalid", "Existed otherwise"
_COLUMNS = [*API_COLUMNS, "state", "status", "reason", "advice"]


class ResultStep:
    """The outcome of a run. `go_on(record, confirm)` resumes it, `mend(record, rows)` takes back rows of its orders."""

    def __init__(
        self,
        form: Form,
        monitor: RunMonitor,
        go_on: Callable[[RunRecord, int | None], None],
        mend: Callable[[RunRecord, pd.Index], None],
        begin: Callable[[], None],
    ) -> None:
        self._form, self._monitor = form, monitor
        self.record: RunRecord | None = None
        self.left: Remainder | None = None  # of an unfinished run
        self._any_created = False  # by this run or an earlier one
        self._to_mend = pd.Index([])  # rows
        self.files: list[Path] = []  # what Hand over has written
        self.summary, self.note, self.going = text_area("itnio-live"), text_area("itnio-note"), text_area()
        self.outcome = OutcomeTabs(form)
        self.grids, self.tabs = self.outcome.grids, self.outcome.tabs

        def button(words: str, action: Callable[[], None], tip: str, is_ready: Callable[[], bool]) -> widgets.Button:
            return form.button(words, action, tip, is_ready=lambda: not monitor.going and is_ready())

        tip = "Compare with the account, and settle what is unknown"
        self.reconcile = button("Settle unknown", self._reconcile, tip, lambda: self.outcome.sizes["Unknown"] > 0)
        tip = "Bring them back into step 1, to be corrected, planned and confirmed"
        self.mend = button("Mend", lambda: mend(self._shown, self._to_mend), tip, lambda: len(self._to_mend) > 0)
        tip = "Six files: each order is in exactly one"
        self.download = button("Download results", self._download, tip, lambda: self.record is not None)
        tip = "Write accounts and passwords for the handsets to one file"
        self.hand_over = button("Hand over", self._hand_over, tip, lambda: self._any_created)
        tip = "The file that Hand over has written"
        self.fetch = button("Download the hand-over", self._fetch, tip, lambda: bool(self.files))
        self.new = button("New batch", begin, "Begin with other orders", lambda: True)
        self.resume = self._confirmation(go_on)
        actions = row(self.reconcile, self.mend, self.hand_over, self.fetch, self.download, self.new)
        self.body = panel(self.summary, self.resume.body, actions, self.going, self.note, self.tabs)

    def _confirmation(self, go_on: Callable[[RunRecord, int | None], None]) -> Confirmation:
        """Return what resumes the run: at one click or, where refused groups are sent anew, by their number."""
        confirmation = Confirmation(
            self._form,
            "Go on",
            lambda: self._go_on(go_on),
            "Send what was not sent",
            is_ready=lambda: self._can_resume,
            is_shown=lambda: self.left is not None and not self._monitor.going,
        )
        set_shown(confirmation.speed, False)  # it is the run's
        return confirmation

    def _go_on(self, go_on: Callable[[RunRecord, int | None], None]) -> None:
        """Resume the run, if what is left of it is what was shown: others may have gone on with it."""
        shown, left = self.left, remainder(self._shown)
        if shown is None or (left.phones, left.refused) != (shown.phones, shown.refused):
            self.show(self._shown, self._shown.snapshot())
            raise InputError("Nothing was sent: what is left of this run has changed. Look at it again.")
        if left.refused and self.resume.number != left.phones:  # refused since the button was pressed
            raise InputError(f"Nothing was sent: type {left.phones} to send the groups that were refused anew.")
        go_on(self._shown, left.phones if left.refused else None)

    @property
    def _can_resume(self) -> bool:
        """Whether the run can go on: where refused groups are sent anew, nothing may be unknown, so that they count."""
        return self.left is not None and not (self.left.refused and len(self.left.unknown))

    def refresh(self) -> None:
        """Make the button that is the next sensible thing the one that stands out."""
        if self.outcome.sizes["Unknown"]:
            main = self.reconcile
        elif self._can_resume:
            main = self.resume.submit
        elif len(self._to_mend):
            main = self.mend
        elif self._any_created:
            main = self.fetch if self.files else self.hand_over
        else:
            main = self.new
        others = (self.mend, self.hand_over, self.fetch, self.new)
        emphasize(main, self.reconcile, self.resume.submit, *others)
        set_shown(self.resume.body, self.left is not None and not self._monitor.going)
        show(self.going, "A run is going on: step 4 shows it." if self._monitor.going else "", "busy")

    @property
    def _shown(self) -> RunRecord:
        if self.record is None:
            raise InputError("There is no run to work on: submit a plan first.")
        return self.record

    def show(self, record: RunRecord, outcome: Outcome) -> None:
        """Show a run and its outcome, as the ledger has it now."""
        is_another = self.record is None or record.name != self.record.name
        if is_another:
            self.files = []
            show(self.note, "")
        summary, table = outcome
        self.record, is_finished = record, record.finished
        orders, findings = record.orders
        groups = table.set_index("row")
        self._any_created = bool((table["created_in"] != "").any())
        errors = findings[findings["severity"] == "error"].set_index("row")
        rest = len(orders.index.difference(groups.index).difference(errors.index))
        if rest:
            summary += f" {plural(rest, 'order')} {'was' if rest == 1 else 'were'} not part of this run, a trial."
        show(self.summary, summary, "good" if record.as_asked else "warning")
        again = [State.REFUSED, State.PARTIAL, *([State.PLANNED] if is_finished else [])]  # else Go on sends the last
        wrong = groups.index[groups["state"].isin(again)].union(errors.index)
        self._to_mend = orders.index[orders.index.isin(wrong)]
        words = "row" if len(self._to_mend) == 1 else f"{len(self._to_mend):,} rows"
        self.mend.description = f"Mend the {words}"
        self._ask(None if is_finished else remainder(record))
        self.outcome.show(groups, errors, is_another=is_another)

    def _ask(self, left: Remainder | None) -> None:
        """Ask for one click or, where refused groups would be sent anew, for the number of phones."""
        self.left = left if left is not None and len(left.groups) + len(left.unknown) else None
        if self.left is None:
            self.resume.ask("")
            return
        again = self.left.refused > 0
        self.resume.submit.description = "Try again" if again else "Go on"
        phones = self.left.phones if again and self._can_resume else None
        self.resume.ask(_sentence(self.left, self._monitor.account.label), phones)

    def _reconcile(self) -> None:
        report = self._monitor.account.workspace.reconcile()
        resolved = report[report["before"] != report["after"]]
        parts = ", ".join(f"{number} {state}" for state, number in resolved["after"].value_counts().items())
        unknown = int((report["after"] == State.UNKNOWN).sum())
        self._monitor.outcome = outcome = self._shown.snapshot()
        self.show(self._shown, outcome)
        words = f"Looked: {plural(len(resolved), 'group')} settled{f' ({parts})' if parts else ''}"
        words = f"{words}, {unknown:,} still unknown. `planned` can be sent again."
        self._form.set_status(words, "warning" if unknown else "good")

    def _download(self) -> None:
        name, (orders, _) = self._shown.name, self._shown.orders
        data = io.BytesIO()
        with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in self._shown.write_results(FOLDER).values():
                archive.write(path, path.name)
        self._form.browser.download(f"{name}-results.zip", data.getvalue())
        show(self.note, f"Six files with {plural(len(orders), 'order')} are in {FOLDER}/ too: {name}-created.csv …")

    def _hand_over(self) -> None:
        written = self._monitor.account.workspace.hand_over(self._shown, FOLDER, on_progress=self._tell_listed)
        self.files = list(dict.fromkeys(written.values()))  # one for all applications
        words = "Written" if written.is_new else "The phones were handed over before; written then"
        phones = plural(sum(written.rows.values()), "phone")
        where = ", ".join(map(str, self.files))
        show(self.note, f"{words}, for you alone to read, with the passwords of {phones}: {where}")
        self._form.set_status("")

    def _tell_listed(self, done: int, total: int) -> None:
        self._form.set_status(f"Hand over: application {done:,} of {total:,} listed", "busy")

    def _fetch(self) -> None:
        for path in self.files:
            self._form.browser.download(path.name, path.read_bytes())


class OutcomeTabs:
    """What became of groups and rows, in tabs, the worst first; the grid of a tab is filled once it is looked at."""

    def __init__(self, form: Form) -> None:
        self.sizes = dict.fromkeys(_TABS, 0)  # groups; rows that are invalid
        self._groups, self._errors = pd.DataFrame(), pd.DataFrame()
        self._worst = ""  # the tab that was opened
        self._old: set[str] = set()  # tabs whose grid does not show the present groups yet
        self.grids = {name: Grid(f"itnio-{name.replace(' ', '-').lower()}", name) for name in _TABS}
        self.tabs = widgets.Tab(list(self.grids.values()), titles=list(self.grids))
        self.tabs.observe(lambda _: form.tasks.put(self._fill, once="tab"), "selected_index")

    def show(self, groups: pd.DataFrame, errors: pd.DataFrame, *, is_another: bool) -> None:
        """Show groups and errors by row; the worst tab that has something is opened when it is another than before."""
        self._groups, self._errors = groups, errors
        for name in _TABS:
            self.sizes[name] = errors.index.nunique() if name == _INVALID else int(self._mask(name).sum())
        nouns = {name: "row" if name == _INVALID else "group" for name in _TABS}
        self.tabs.titles = [f"{name} {plural(size, nouns[name]) if size else 0}" for name, size in self.sizes.items()]
        self._old = set(self.sizes)
        worst = next((name for name, size in self.sizes.items() if size), self._open)
        if is_another or worst != self._worst or not self.sizes[self._open]:
            self.tabs.selected_index = list(_TABS).index(worst)
        self._worst = worst
        self._fill()

    def _mask(self, name: str) -> pd.Series:
        otherwise = differing_groups(self._groups["state"], self._groups["reason"])
        return self._groups["state"].isin(_TABS[name]) & (otherwise if name == _OTHERWISE else ~otherwise)

    @property
    def _open(self) -> str:
        return list(_TABS)[self.tabs.selected_index or 0]

    def _fill(self) -> None:
        """Fill the grid of the tab that is open; the others once they are."""
        tab = self._open
        if tab not in self._old:
            return
        self._old.discard(tab)
        if tab == _INVALID:
            self.grids[tab].show(self._errors[["column", "value", "problem", "advice"]])
        else:
            self.grids[tab].show(said_columns(self._groups[self._mask(tab)][_COLUMNS]))


def _sentence(left: Remainder, account: str) -> str:
    """Return what going on with a run does, on which terms, in words."""
    unknown = plural(len(left.unknown), "group")
    if left.refused:
        were = "was" if left.refused == 1 else "were"
        words = (
            f"Sends {creation(left.groups, account)}. {left.refused:,} of these groups {were} refused before. {FINAL}"
        )
        if len(left.unknown):
            words += f" First settle what is unknown ({unknown}), so that the number is known."
        return f"{words} Sent {terms_words(left.terms)}."
    parts = [creation(left.groups, account)] if len(left.groups) else []
    if len(left.unknown):
        size = creation(left.unknown, account) if left.groups.empty else unknown
        parts.append(f"{size} of unknown outcome, looked up first and sent only if absent")
    return f"Goes on with what was confirmed: {'; '.join(parts)}. Sent {terms_words(left.terms)}."
