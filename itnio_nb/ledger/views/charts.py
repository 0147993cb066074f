"""Charts of outcomes: how many groups in which state, when the phones were created, and in which applications."""

from __future__ import annotations

import io
from datetime import UTC, datetime, tzinfo
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pandas as pd

from itnio_nb.api.models import State
from itnio_nb.api.text import listed, plural, shortened, zone_name

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
_MAX_BARS = 8  # applications that have a bar, the largest
_NOTHING = "Nothing to draw."


class Charts:
    """Groups by state and by application as bars, their phones over time as a line: a picture, and words beside it.

        run.charts()
        ledger.charts(account)

    `table` has the columns `state quantity appId`; `when` names the column of times at which groups were created, which
    are shown in `zone`. `outcomes`, `created` and `applications` are matplotlib figures of their own, `png` has those
    beside each other that tell something: `telling`. Without matplotlib (`pip install "itnio-nb[runbook]"`) the words
    alone are shown.
    """

    def __init__(self, table: pd.DataFrame, when: str, zone: tzinfo = UTC) -> None:
        self.table, self.when, self.zone = table, when, zone

    @property
    def outcomes(self) -> Figure:
        """How many groups are in which state, as bars with their numbers."""
        figure, (axes,) = _figure(1)
        _draw_outcomes(axes, self.table)
        return figure

    @property
    def created(self) -> Figure:
        """How many phones had been created by when, as a line; its title has the rate."""
        figure, (axes,) = _figure(1)
        _draw_created(axes, self._growth, self.zone)
        return figure

    @property
    def applications(self) -> Figure:
        """How many groups of each application are in which state, as bars; of many applications the largest."""
        figure, (axes,) = _figure(1)
        _draw_applications(axes, self.table)
        return figure

    @property
    def telling(self) -> dict[str, str]:
        """The charts that tell something, by attribute, with their numbers in words."""
        states, apps, growth = set(self.table["state"]), set(self.table["appId"]), self._growth
        words = {}
        if len(states) > 1:
            words["outcomes"] = str(self)
        if len(growth) and growth.index[0] != growth.index[-1]:
            words["created"] = f"{plural(int(growth.iloc[-1]), 'phone')} created{_rate_words(growth)}."
        if len(apps) > 1:
            sizes = _by_application(self.table)
            words["applications"] = listed(f"{name}: {_sizes(row)}" for name, row in sizes.iterrows()) + "."
        return words

    @property
    def plain(self) -> str:
        """What the charts that are not drawn would show, in words."""
        if self.table.empty:
            return _NOTHING
        telling, growth = self.telling, self._growth
        words = [] if "outcomes" in telling else [str(self)]
        if growth.empty and len(words) == 0:
            words.append("No phone was created.")
        elif len(growth) and "created" not in telling:
            words.append("All at one moment.")
        if "applications" not in telling:
            words.append(f"All in application {shortened(self.table['appId'].iloc[0])}.")
        return " ".join(words)

    @property
    def png(self) -> bytes:
        """Those that tell something beside each other, as a picture; one of words where none does."""
        telling = self.telling
        figure, axes = _figure(max(1, len(telling)))
        draw = {
            "outcomes": lambda one: _draw_outcomes(one, self.table),
            "created": lambda one: _draw_created(one, self._growth, self.zone),
            "applications": lambda one: _draw_applications(one, self.table),
        }
        for name, one in zip(telling, axes, strict=False):
            draw[name](one)
        if not telling:
            _say_nothing(axes[0])
        return as_png(figure)

    @property
    def _growth(self) -> pd.Series:
        """How many phones had been created, by when."""
        times = pd.to_datetime(self.table[self.when], utc=True, format="ISO8601", errors="coerce")
        is_shown = (self.table["state"] == State.CREATED) & times.notna()
        sizes = self.table.loc[is_shown, "quantity"].astype("int64").to_numpy()
        return pd.Series(sizes, index=pd.DatetimeIndex(times[is_shown]), dtype="int64").sort_index().cumsum()

    def __str__(self) -> str:
        counts = self.table["state"].value_counts()
        groups = [f"{counts[state]:,} {state.word}" for state in _COLOURS if counts.get(state, 0)]
        phones = int(self.table.loc[self.table["state"] == State.CREATED, "quantity"].sum())
        total = plural(len(self.table), "group")
        return f"{total}: {', '.join(groups)}. {plural(phones, 'phone')} created." if groups else _NOTHING

    def __repr__(self) -> str:
        return str(self)

    def _repr_png_(self) -> bytes | None:
        return self.png if self.telling and find_spec("matplotlib") else None


def _draw_outcomes(axes: Axes, table: pd.DataFrame) -> None:
    counts = table["state"].value_counts()
    states = [state for state in _COLOURS if counts.get(state, 0)]
    if not states:
        _say_nothing(axes)
        return
    sizes = [int(counts[state]) for state in states]
    bars = axes.barh([state.word for state in states], sizes, color=[_COLOURS[state] for state in states])
    axes.bar_label(bars, labels=[plural(size, "group") for size in sizes], padding=4, color=_INK)
    axes.set_ylim(max(len(states), 4) - 0.5, -0.5)  # the first on top; one bar alone does not fill the chart
    axes.set_xlim(0, max(sizes) * 1.25)
    axes.set_title("Outcomes", color=_INK, loc="left")


def _draw_created(axes: Axes, growth: pd.Series, zone: tzinfo) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    if growth.empty:
        _say_nothing(axes)
        return
    name = zone_name(datetime.now(zone))
    created = growth.set_axis(growth.index.tz_convert(zone).tz_localize(None))  # type: ignore[attr-defined] # its type
    axes.step(created.index, created.to_numpy(), where="post", color=_COLOURS[State.CREATED], linewidth=2)
    axes.fill_between(created.index, created.to_numpy(), step="post", alpha=0.2, color=_COLOURS[State.CREATED])
    span = created.index[-1] - created.index[0]
    margin = 0.05 * span if span else pd.Timedelta(seconds=1)  # a chart of one moment has a width too
    axes.set_xlim(created.index[0] - margin, created.index[-1] + margin)
    locator = AutoDateLocator(maxticks=6)  # type: ignore[no-untyped-call] # matplotlib
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call] # matplotlib
    axes.set_ylim(0)
    title = f"Phones created over time ({name}): {int(created.iloc[-1]):,}{_rate_words(growth)}"
    axes.set_title(title, color=_INK, loc="left")


def _rate_words(growth: pd.Series) -> str:
    """Return how many phones came in a second or a minute after the first; "" for fewer, or below a second."""
    seconds = (growth.index[-1] - growth.index[0]).total_seconds()
    if seconds < 1:
        return ""
    rate, unit = (growth.iloc[-1] - growth.iloc[0]) / seconds, "second"
    if rate < 1:
        rate, unit = rate * 60, "minute"
    return f", {rate:,.0f} a {unit}" if rate >= 10 else f", {rate:.1f} a {unit}" if rate >= 1 else ""


def _draw_applications(axes: Axes, table: pd.DataFrame) -> None:
    if table.empty:
        _say_nothing(axes)
        return
    counts = _by_application(table)
    largest = f"the largest {_MAX_BARS} of " if len(counts) > _MAX_BARS else ""
    title, counts = f"By application: {largest}{len(counts):,}", counts.head(_MAX_BARS)
    left = pd.Series(0, index=counts.index)
    for state in filter(counts.columns.__contains__, _COLOURS):
        bars = axes.barh(range(len(counts)), counts[state], left=left, color=_COLOURS[state])
        left += counts[state]
    sizes = [_sizes(row) for _, row in counts.iterrows()]
    axes.bar_label(bars, labels=sizes, padding=4, color=_INK)
    axes.set_yticks(range(len(counts)), labels=[_label(app_id) for app_id in counts.index], parse_math=False)
    axes.set_ylim(max(len(counts), 4) - 0.5, -0.5)
    axes.set_xlim(0, left.max() * (1.25 + max(map(len, sizes)) / 50))  # room for the words
    axes.set_title(title, color=_INK, loc="left")


def _by_application(table: pd.DataFrame) -> pd.DataFrame:
    """Return how many groups of each application, the largest first, are in which state."""
    counts = pd.crosstab(table["appId"], table["state"])
    return counts.loc[counts.sum(axis=1).sort_values(ascending=False, kind="stable").index]


def _sizes(counts: pd.Series) -> str:
    """Return how many groups there are, and of them those that were not created: "40 groups, 4 refused"."""
    others = [f"{counts[one]:,} {one.word}" for one in _COLOURS if one != State.CREATED and counts.get(one, 0)]
    return ", ".join([plural(int(counts.sum()), "group"), *others])


def _label(app_id: str) -> str:
    """Return an application's id in letters that every font has."""
    text = shortened(app_id).encode("ascii", "backslashreplace").decode()
    return text if len(text) <= 24 else f"{text[:11]}...{text[-10:]}"


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
    axes.text(0, 0.5, _NOTHING, color=_INK)
