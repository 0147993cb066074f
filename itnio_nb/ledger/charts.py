"""Charts of outcomes: how many groups in which state, and when the phones were created."""

from __future__ import annotations

import io

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

from itnio_nb.api.models import State
from itnio_nb.api.text import plural

_COLOURS = {  # seen on white and on black; the words beside them repeat it
    State.CREATED: "#2e9d4e",
    State.EXISTS: "#5b8def",
    State.PARTIAL: "#c77700",
    State.REFUSED: "#d64545",
    State.UNKNOWN: "#b06fd8",
    State.SENDING: "#b06fd8",
    State.PLANNED: "#8a8a8a",
}
_INK = "#7d7d7d"  # readable on both
_WORDS = {State.PLANNED: "not sent", State.EXISTS: "existed", State.SENDING: "being sent"}


def outcome_chart(table: pd.DataFrame) -> Figure:
    """Draw how many groups are in which state, as bars with their numbers.

    outcome_chart(run.table)        # any table with a column `state`
    """
    figure, axes = _empty()
    counts = table["state"].value_counts()
    states = [state for state in _COLOURS if counts.get(state, 0)]
    if not states:
        return _nothing(figure, axes)
    sizes = [int(counts[state]) for state in states]
    bars = axes.barh([_WORDS.get(state, str(state)) for state in states], sizes, color=[_COLOURS[s] for s in states])
    axes.bar_label(bars, labels=[plural(size, "group") for size in sizes], padding=4, color=_INK)
    axes.invert_yaxis()
    axes.set_xlim(0, max(sizes) * 1.25)
    axes.set_title("Outcomes", color=_INK, loc="left")
    return figure


def created_chart(table: pd.DataFrame, when: str) -> Figure:
    """Draw how many phones had been created by when (UTC): `when` names the column of times.

    created_chart(ledger.table, "made")
    created_chart(run.table, "at")
    """
    figure, axes = _empty()
    made = table[(table["state"] == State.CREATED) & (table[when] != "")]
    if made.empty:
        return _nothing(figure, axes)
    times = pd.to_datetime(made[when], utc=True, format="ISO8601").dt.tz_localize(None)
    created = pd.Series(made["quantity"].astype("int64").to_numpy(), index=times).sort_index().cumsum()
    axes.step(created.index, created.to_numpy(), where="post", color=_COLOURS[State.CREATED], linewidth=2)
    axes.fill_between(created.index, created.to_numpy(), step="post", alpha=0.2, color=_COLOURS[State.CREATED])
    moment = pd.Timedelta(seconds=1)  # on each side: a chart of one moment has a width too
    axes.set_xlim(created.index[0] - moment, created.index[-1] + moment)
    locator = AutoDateLocator(maxticks=6)  # type: ignore[no-untyped-call] # matplotlib
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call] # matplotlib
    axes.set_ylim(0)
    axes.set_title(f"Phones created over time (UTC): {int(created.iloc[-1]):,}", color=_INK, loc="left")
    return figure


def as_png(figure: Figure) -> bytes:
    """Return a chart as a picture with a transparent ground."""
    picture = io.BytesIO()
    figure.savefig(picture, format="png", transparent=True, metadata={"Software": None})
    return picture.getvalue()


def _empty() -> tuple[Figure, Axes]:
    figure = Figure(figsize=(6.4, 2.8), dpi=110, layout="constrained")
    axes = figure.add_subplot()
    axes.tick_params(colors=_INK)
    for name, line in axes.spines.items():
        line.set_visible(name in ("left", "bottom"))
        line.set_color(_INK)
    return figure, axes


def _nothing(figure: Figure, axes: Axes) -> Figure:
    axes.set_axis_off()
    axes.text(0, 0.5, "Nothing to draw.", color=_INK)
    return figure
