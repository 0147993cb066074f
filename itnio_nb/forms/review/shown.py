"""How a review shows what it has: tables in words and local times, charts where they tell something."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from importlib.util import find_spec

import pandas as pd

from itnio_nb.api.models import API_COLUMNS, State
from itnio_nb.api.text import html_text, plural, shortened, sortable_time
from itnio_nb.forms.layout import said_columns
from itnio_nb.ledger.ledger import Ledger
from itnio_nb.runs.run import RunRecord

COLUMNS = [*API_COLUMNS, "state", "operator", "status", "reason"]
FOUND = ["groupName", "state", "at", "run", "operator", "reason", "advice", "machine", "status", "phoneName"]
FOUND += ["quantity", "displayNum", "appId"]
MOST_FOUND = 1000  # groups: who finds more types more of the name
_STATES = ("state", "before", "after")
_TIMES = ("at", "made")
_TITLES = {"outcomes": "Outcomes", "created": "Phones created over time", "applications": "By application"}


def for_people(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with its rows numbered, states in words, local times, and no column that is empty."""
    words = {str(state): state.word for state in State}
    shown = said_columns(table)
    for column in filter(shown.columns.__contains__, _STATES):
        shown = shown.assign(**{column: shown[column].map(lambda state: words.get(state, state))})
    for column in filter(shown.columns.__contains__, _TIMES):
        shown = shown.assign(**{column: shown[column].map(sortable_time)})
    return shown.set_axis(pd.RangeIndex(1, len(shown) + 1, name="no."))


def with_columns(table: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Return those of some columns that a table has, in their order: not every one says who wrote what is in it."""
    return table[[name for name in names if name in table]]


def find_groups(ledger: Ledger, runs: dict[str, int], words: str) -> pd.DataFrame:
    """Return what became of the groups whose names contain `words`, in any case, in some runs: numbers by name.

    The columns are `FOUND`; a row for each receipt, the newest first, and for each run in which a group has none: it
    was not sent there, or existed. Of more than `MOST_FOUND` rows the newest runs' are returned.
    """
    places = ledger.run_store.find_groups(words)
    found, size = [], 0
    for name, number in runs.items():
        if number in places and size < MOST_FOUND:
            groups = RunRecord(number, ledger).table.iloc[places[number]]
            receipts = ledger.pages.receipts_of_run(number, places[number])
            told = receipts.merge(groups[list(API_COLUMNS)], on=["appId", "groupName"])
            known = set(zip(told["appId"], told["groupName"], strict=True))
            keys = zip(groups["appId"], groups["groupName"], groups["state"], strict=True)
            silent = groups[[(app, group) not in known or state == State.SENDING for app, group, state in keys]]
            found += [
                silent.assign(run=name, operator=_senders(ledger, number, silent), machine="")[FOUND],
                told.iloc[::-1][FOUND],
            ]
            size += len(silent) + len(told)
    return pd.concat(found, ignore_index=True).head(MOST_FOUND) if found else pd.DataFrame(columns=FOUND, dtype="str")


def _senders(ledger: Ledger, run_id: int, groups: pd.DataFrame) -> list[str]:
    """Return who sends some groups of a run now; the rest of them have no receipt in it that anybody wrote."""
    is_sent = (groups["state"] == State.SENDING).tolist()
    operators = ledger.run_store.operators(run_id) if any(is_sent) else []
    return [operators[int(at)] if sent else "" for at, sent in zip(groups.index.tolist(), is_sent, strict=True)]


def found_words(found: pd.DataFrame, words: str, runs: str) -> str:
    """Return what `find_groups` has found, in a sentence; `runs` says how many runs there are."""
    if found.empty:
        return f"No group of {runs} has “{shortened(words)}” in its name."
    groups = len(found[["appId", "groupName"]].drop_duplicates())
    text = f"{plural(groups, 'group')} with “{shortened(words)}” in the name, in {len(set(found['run'])):,} of {runs}."
    more = f" These are the newest {MOST_FOUND:,} receipts: type more of the name."
    return text + more if len(found) == MOST_FOUND else text


def charts_html(groups: pd.DataFrame) -> str:
    """Return the charts of some groups that tell something as HTML; their numbers, and the rest, are in words."""
    from itnio_nb.ledger.views.charts import Charts, as_png

    zone = datetime.now(UTC).astimezone().tzinfo or UTC
    charts = Charts(groups, "made" if "made" in groups else "at", zone)
    pictures = []
    for name, words in charts.telling.items() if find_spec("matplotlib") else ():
        data = base64.b64encode(as_png(getattr(charts, name))).decode()
        pictures.append(f'<img alt="{html_text(f"{_TITLES[name]}: {words}")}" src="data:image/png;base64,{data}">')
    words = charts.plain if pictures or not charts.telling else str(charts)
    return f"<div class='itnio-charts'>{''.join(pictures)}</div>" + (f"<p>{html_text(words)}</p>" if words else "")
