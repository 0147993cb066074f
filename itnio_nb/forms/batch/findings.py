"""The findings of the orders by kind: filters with their counts, a line for each kind, warnings that are accepted."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import anywidget
import numpy as np
import pandas as pd
import traitlets

from itnio_nb.api.text import listed, plural, printable_line
from itnio_nb.forms.base import Form
from itnio_nb.orders.models import FINDING_COLUMNS
from itnio_nb.orders.rules.accepted import Accepted
from itnio_nb.orders.rules.kinds import SEVERITIES, Kinds, find_kinds, severity_codes

OnFilter = Callable[[str | None], None]  # is given the severity whose rows are to be shown, None for all rows
OnPick = Callable[[list[tuple[int, str]]], None]  # is given the cells of a kind, row and column
OnAccept = Callable[[Accepted], None]

_STATIC = Path(__file__).parent.parent / "static" / "orders"
_MAX_LINES = 200  # kinds that a page gets; a file that was made to have more has no message of its own
_MAX_TEXT = 400  # characters of a text in a line
_WORDS = {"error": "Error", "warning": "Warning", "repaired": "Repaired", "accepted": "Accepted"}
_FILTERS = {"error": "Errors", "warning": "Warnings", "repaired": "Repaired"}
_COUNTED = {
    "error": "{} in {}. A row with an error is not planned until it is mended.",
    "warning": "{} in {}. A warning keeps no row from being planned: look at it, then mend the cell or accept it.",
    "repaired": "{} in {}. Nothing was lost by them, and nothing is to be done.",
}
_NOUNS = {"error": "error", "warning": "open warning", "repaired": "repair"}


class _FindingsList(anywidget.AnyWidget):
    """The part of the panel that the page draws: all of it is one value, each click one message."""

    _esm = _STATIC / "findings.js"
    _css = _STATIC / "findings.css"
    state = traitlets.Dict().tag(sync=True)


class _Line(NamedTuple):
    """A kind as the panel lists it: the page's words for it, and the findings."""

    shown: dict[str, str]
    findings: pd.DataFrame


class FindingsPanel:
    """Filters "Errors 14 · Warnings 2 (5 accepted) · Repaired 39", and below them a line for each kind of finding.

    A filter that is pressed goes to `on_filter`, the cells of a kind that is pressed to `on_pick`. "Accept all" and
    "Take back" of a kind of warning go to `on_accept`, with all that is accepted then. All three are called in the
    form's own thread. Counted are findings: errors, warnings, accepted ones and repairs add up to all of them.
    """

    def __init__(self, form: Form, on_filter: OnFilter, on_pick: OnPick, on_accept: OnAccept) -> None:
        self._form, self._on_filter, self._on_pick, self._on_accept = form, on_filter, on_pick, on_accept
        self._findings, self._accepted = pd.DataFrame(columns=list(FINDING_COLUMNS)), Accepted()
        self._mask = np.zeros(0, dtype=bool)  # of the findings that are accepted
        self._lines: list[_Line] = []
        self._total = 0  # kinds, those that are not listed too
        self._said = ""  # to screen readers, of what was done last
        self.severity: str | None = None  # the filter that is on
        self.body = _FindingsList()
        self.body.layout.display = "none"
        self.body.on_msg(self._receive)

    @property
    def open(self) -> pd.DataFrame:
        """Return the findings that are not accepted."""
        return self._findings[~self._mask]

    def show_all(self) -> None:
        """Turn the filter off that is on."""
        if self.severity is not None:
            self.severity = None
            self._draw()

    def show(self, findings: pd.DataFrame, accepted: Accepted) -> None:
        """Show some findings, of which some are accepted. Where a filter has none left, it is off from now on."""
        if findings is self._findings and accepted == self._accepted:
            return
        self._findings, self._accepted, self._mask = findings, accepted, accepted.mask(findings)
        opened, taken = self.open, findings[self._mask]
        kinds, accepted_kinds = find_kinds(opened), find_kinds(taken)
        lines = [*_lines(opened, kinds), *_lines(taken, accepted_kinds, is_accepted=True)]
        self._lines, self._total = lines, len(kinds.table) + len(accepted_kinds.table)
        if self.severity and not (severity_codes(opened) == SEVERITIES.index(self.severity)).any():
            self.severity = None
        self._draw()

    def _draw(self) -> None:
        """Send the page what it shows, if that is something else than before."""
        shown = [line.shown for line in self._lines if self.severity in (None, line.shown["severity"])]
        more = f"The first {_MAX_LINES} of {self._total:,} kinds are listed." if len(self._lines) < self._total else ""
        filters = [_filter(self._findings, self._mask, severity) for severity in SEVERITIES]
        for one in filters:
            one["pressed"] = one["severity"] == self.severity
        self.body.state = {"filters": filters, "lines": shown, "more": more, "said": self._said}
        self.body.layout.display = None if len(self._findings) else "none"

    def _receive(self, _: object, message: dict[str, Any], __: object) -> None:
        """Do what was clicked, after what the form does now."""
        action, about, mark = (message.get(name) for name in ("action", "about", "mark"))
        if action == "filter" and about in SEVERITIES:
            self._form.tasks.put(partial(self._filter, about))
        elif action in ("pick", "accept", "take back"):
            self._form.tasks.put(partial(self._act, action, about, mark))

    def _filter(self, severity: str) -> None:
        self.severity = None if severity == self.severity else severity
        self._draw()
        self._on_filter(self.severity)

    def _act(self, action: str, about: object, mark: object) -> None:
        """Do something with the line that was clicked. One with other findings by now was not seen: it stays open."""
        line = next((line for line in self._lines if line.shown["id"] == about), None)
        if line is None:
            return
        if action == "pick":
            self._on_pick(list(zip(line.findings["row"].tolist(), line.findings["column"].tolist(), strict=True)))
        elif (line.shown["action"], line.shown["mark"]) == (action, mark):
            accept, number = action == "accept", plural(len(line.findings), "warning")
            change = self._accepted.add if accept else self._accepted.remove
            self._take(change(line.findings), f"{number} {'accepted' if accept else 'open again'}.")

    def _take(self, accepted: Accepted, said: str) -> None:
        self._said = said
        self.show(self._findings, accepted)
        self._on_accept(accepted)


def _filter(findings: pd.DataFrame, mask: np.ndarray, severity: str) -> dict[str, Any]:
    """Return a filter as the page shows it: the words with the count, and what is counted."""
    ours = severity_codes(findings) == SEVERITIES.index(severity)
    opened, accepted = findings[ours & ~mask], int((ours & mask).sum())
    words = f"{_FILTERS[severity]} {len(opened):,}" + (f" ({accepted:,} accepted)" if accepted else "")
    tip = _COUNTED[severity].format(plural(len(opened), _NOUNS[severity]), _rows(opened))
    tip += f" {accepted:,} more {'is' if accepted == 1 else 'are'} accepted." if accepted else ""
    return {"severity": severity, "words": words, "tip": tip, "count": len(opened)}


def _rows(findings: pd.DataFrame) -> str:
    """Return in how many rows findings are. Of those of a whole column the first row alone is known."""
    rows = findings["row"].nunique()
    wide = pd.to_numeric(findings["rows"], errors="coerce").max() if "rows" in findings.columns else 1
    return f"{max(rows, int(wide)):,} rows or more" if wide > 1 else plural(rows, "row")


def _lines(findings: pd.DataFrame, kinds: Kinds, *, is_accepted: bool = False) -> list[_Line]:
    """Return a line for each kind, the worst first."""
    order = np.argsort(kinds.numbers, kind="stable")
    ends = np.searchsorted(kinds.numbers[order], np.arange(len(kinds.table) + 1))
    lines = []
    for at, kind in enumerate(kinds.table.head(_MAX_LINES).to_dict("records")):
        ours = findings.iloc[order[ends[at] : ends[at + 1]]]
        lines.append(_Line(_shown({str(name): cell for name, cell in kind.items()}, ours, is_accepted), ours))
    return lines


def _shown(kind: dict[str, Any], findings: pd.DataFrame, is_accepted: bool) -> dict[str, str]:
    """Return the page's words for a kind; a screen reader's are the same, as sentences."""
    severity, count = kind["severity"], f"{kind['count']:,}"
    column, problem, advice = (_text(kind[name]) for name in ("column", "problem", "advice"))
    where, state = _where(kind["rows"], kind["first_rows"]), "accepted" if is_accepted else severity
    what = f"{column} {problem}"
    action = "" if severity != "warning" else "take back" if is_accepted else "accept"
    words = {"": "", "accept": f"Accept all {count}" if kind["count"] > 1 else "Accept", "take back": "Take back"}
    return {
        "id": f"{state} {kind['kind']}",
        "mark": _mark(findings) if action else "",
        "severity": severity,
        "state": state,
        "word": _WORDS[state],
        "column": column,
        "problem": problem,
        "count": count,
        "where": where,
        "advice": advice,
        "label": f"{_WORDS[state]}: {what}. {plural(kind['count'], 'finding')}, {where}. {advice}",
        "action": action,
        "actionWords": words[action],
        "actionLabel": f"{words[action]}: {what}" if action else "",
    }


def _mark(findings: pd.DataFrame) -> str:
    """Return a text that is another one where the warnings of a kind are others."""
    return str(hash(Accepted().add(findings)))


def _where(rows: int, first: tuple[object, ...]) -> str:
    """Return the first rows of a kind, and how many more there are."""
    more = f" and {rows - len(first):,} more" if rows > len(first) else ""
    return f"{'row' if len(first) == 1 else 'rows'} {listed(first)}{more}"


def _text(text: str) -> str:
    """Return a text as a line shows it: what nobody sees is seen, and a long one is cut."""
    line = printable_line(text[: _MAX_TEXT + 1])
    return line if len(text) <= _MAX_TEXT else f"{line[:_MAX_TEXT]}…"
