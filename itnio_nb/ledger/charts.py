"""Charts of outcomes: how many groups in which state, and when the phones were created."""

from __future__ import annotations

import io
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pandas as pd

from itnio_nb.api.models import State
from itnio_nb.api.text import plural

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

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


class Charts:
    """Groups by state as bars, and their phones over time as a line: one picture in a cell, and its numbers in words.

        run.charts()
        ledger.charts(account)

    `table` has the columns `state` and `quantity`; `when` names the column of times at which groups were created.
    `outcomes` and `created` are matplotlib figures of their own, `png` is both beside each other. Without matplotlib
    (`pip install "itnio-nb[runbook]"`) the words alone are shown.
    """

    def __init__(self, table: pd.DataFrame, when: str) -> None:
        self.table, self.when = table, when

    @property
    def outcomes(self) -> Figure:
        """How many groups are in which state, as bars with their numbers."""
        figure, (axes,) = _figure(1)
        _draw_outcomes(axes, self.table)
        return figure

    @property
    def created(self) -> Figure:
        """How many phones had been created by when (UTC), as a line."""
        figure, (axes,) = _figure(1)
        _draw_created(axes, self.table, self.when)
        return figure

    @property
    def png(self) -> bytes:
        """Both beside each other, as a picture."""
        figure, (left, right) = _figure(2)
        _draw_outcomes(left, self.table)
        _draw_created(right, self.table, self.when)
        return as_png(figure)

    def __str__(self) -> str:
        counts = self.table["state"].value_counts()
        groups = [f"{counts[state]:,} {_WORDS.get(state, str(state))}" for state in _COLOURS if counts.get(state, 0)]
        phones = int(self.table.loc[self.table["state"] == State.CREATED, "quantity"].sum())
        total = plural(len(self.table), "group")
        return f"{total}: {', '.join(groups)}. {plural(phones, 'phone')} created." if groups else "Nothing to draw."

    def __repr__(self) -> str:
        return str(self)

    def _repr_png_(self) -> bytes | None:
        return self.png if len(self.table) and find_spec("matplotlib") else None


def _draw_outcomes(axes: Axes, table: pd.DataFrame) -> None:
    counts = table["state"].value_counts()
    states = [state for state in _COLOURS if counts.get(state, 0)]
    if not states:
        _say_nothing(axes)
        return
    sizes = [int(counts[state]) for state in states]
    bars = axes.barh([_WORDS.get(state, str(state)) for state in states], sizes, color=[_COLOURS[s] for s in states])
    axes.bar_label(bars, labels=[plural(size, "group") for size in sizes], padding=4, color=_INK)
    axes.set_ylim(max(len(states), 4) - 0.5, -0.5)  # the first on top; one bar alone does not fill the chart
    axes.set_xlim(0, max(sizes) * 1.25)
    axes.set_title("Outcomes", color=_INK, loc="left")


def _draw_created(axes: Axes, table: pd.DataFrame, when: str) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    times = pd.to_datetime(table[when], utc=True, format="ISO8601", errors="coerce").dt.tz_localize(None)
    is_shown = (table["state"] == State.CREATED) & times.notna()
    made, times = table[is_shown], times[is_shown]
    if made.empty:
        _say_nothing(axes)
        return
    created = pd.Series(made["quantity"].astype("int64").to_numpy(), index=times).sort_index().cumsum()
    axes.step(created.index, created.to_numpy(), where="post", color=_COLOURS[State.CREATED], linewidth=2)
    axes.fill_between(created.index, created.to_numpy(), step="post", alpha=0.2, color=_COLOURS[State.CREATED])
    span = created.index[-1] - created.index[0]
    margin = 0.05 * span if span else pd.Timedelta(seconds=1)  # a chart of one moment has a width too
    axes.set_xlim(created.index[0] - margin, created.index[-1] + margin)
    locator = AutoDateLocator(maxticks=6)  # type: ignore[no-untyped-call] # matplotlib
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call] # matplotlib
    axes.set_ylim(0)
    axes.set_title(f"Phones created over time (UTC): {int(created.iloc[-1]):,}", color=_INK, loc="left")


def as_png(figure: Figure) -> bytes:
    """Return a chart as a picture with a transparent ground."""
    picture = io.BytesIO()
    figure.savefig(picture, format="png", transparent=True, metadata={"Software": None})
    return picture.getvalue()


def _figure(number: int) -> tuple[Figure, list[Axes]]:
    """Return a figure with this number of axes beside each other."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4 * number, 2.8), dpi=110, layout="constrained")
    drawn = [figure.add_subplot(1, number, at + 1) for at in range(number)]
    for axes in drawn:
        axes.tick_params(colors=_INK)
        for name, line in axes.spines.items():
            line.set_visible(name in ("left", "bottom"))
            line.set_color(_INK)
    return figure, drawn


def _say_nothing(axes: Axes) -> None:
    axes.set_axis_off()
    axes.text(0, 0.5, "Nothing to draw.", color=_INK)
