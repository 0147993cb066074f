"""Charts: bars and steps that have the numbers of the table, readable on light and dark, with nothing to draw too."""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Sequence
from datetime import timedelta, timezone

import pandas as pd
import pytest
from IPython.core.formatters import DisplayFormatter

from itnio_nb.api.models import State
from itnio_nb.ledger.views import charts as charts_module
from itnio_nb.ledger.views.charts import Charts, as_png


def table(*groups: tuple[str, int, str], apps: Sequence[str] = ()) -> pd.DataFrame:
    """Groups as (state, quantity, time), of these applications in turn."""
    made = pd.DataFrame(groups, columns=["state", "quantity", "at"], dtype=object)
    return made.assign(appId=(list(apps) * len(made))[: len(made)] if apps else "4luaKsL2")


def display_data(value: object) -> dict[str, object]:
    """Return what a notebook's cell would hold of a value."""
    shown, _ = DisplayFormatter().format(value)  # type: ignore[no-untyped-call] # IPython
    return dict(shown)


def texts(figure: object) -> list[str]:
    axes = figure.axes[0]  # type: ignore[attr-defined]
    return [text.get_text() for text in axes.texts]


def test_the_outcomes_have_their_numbers() -> None:
    """One bar for each state that there is, in words, the longest for the most."""
    figure = Charts(
        table(*[("created", 3, "")] * 12, ("refused", 3, ""), ("planned", 3, ""), ("exists", 1, "")), "at"
    ).outcomes
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["created", "existed", "refused", "not sent"]
    assert [bar.get_width() for bar in axes.patches] == [12, 1, 1, 1]  # type: ignore[attr-defined]
    assert texts(figure) == ["12 groups", "1 group", "1 group", "1 group"]
    assert axes.get_title(loc="left") == "Outcomes"


def test_each_state_has_a_bar() -> None:
    """None is left out of the picture."""
    assert texts(Charts(table(*((str(state), 3, "") for state in State)), "at").outcomes) == ["1 group"] * len(State)


def test_phones_are_added_up_over_time() -> None:
    """Created ones alone, in the order of their times, whatever the order of the rows."""
    figure = Charts(
        table(
            ("created", 5, "2026-11-23T20:31:21.500000+00:00"),
            ("created", 3, "2026-11-23T20:31:19+00:00"),
            ("refused", 50, "2026-11-23T20:31:20+00:00"),
            ("created", 7, ""),
            ("created", 1, "2026-11-24T01:31:21+05:00"),
        ),
        "at",
    ).created
    (line,) = figure.axes[0].lines
    assert list(line.get_ydata()) == [3, 4, 9]  # type: ignore[arg-type]
    assert figure.axes[0].get_title(loc="left") == "Phones created over time (UTC): 9, 2.4 a second"


def test_one_moment_is_drawn_too() -> None:
    """A single group has no span of time."""
    figure = Charts(table(("created", 5, "2026-11-23T20:31:21+00:00")), "at").created
    assert as_png(figure).startswith(b"\x89PNG")


def test_nothing_to_draw_is_written() -> None:
    """In place of an empty chart: nothing was created, there is no run, or a filter leaves nothing."""
    for groups in (table(), table(("refused", 3, "2026-11-23T20:31:21+00:00")), table(("created", 3, ""))):
        assert texts(Charts(groups, "at").created) == ["Nothing to draw."]
    assert texts(Charts(table(), "at").outcomes) == ["Nothing to draw."]
    assert as_png(Charts(table(), "at").outcomes).startswith(b"\x89PNG")


def test_a_picture_has_a_ground_that_shows_through() -> None:
    """It is read on light and on dark pages, and is the same each time."""
    picture = as_png(Charts(table(("created", 3, "")), "at").outcomes)
    assert picture == as_png(Charts(table(("created", 3, "")), "at").outcomes)
    width, height, depth, kind = struct.unpack(">IIBB", picture[16:26])
    assert (width, height, depth, kind) == (704, 308, 8, 6)  # RGBA
    data, at = b"", 8
    while at < len(picture):
        (size,) = struct.unpack(">I", picture[at : at + 4])
        if picture[at + 4 : at + 8] == b"IDAT":
            data += picture[at + 8 : at + 8 + size]
        at += size + 12
    pixels = zlib.decompress(data)
    assert pixels[:5] == b"\x00\x00\x00\x00\x00" or pixels[4] == 0  # the corner is transparent


def test_drawing_leaves_no_figure_open() -> None:
    """No state of pyplot: a hundred charts warn nobody."""
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    for _ in range(3):
        assert Charts(table(("created", 3, "")), "at").png
    assert plt.get_fignums() == before


def test_a_cell_shows_both_charts_and_their_numbers() -> None:
    """A picture, and beside it in words what is in it: these are compared where pictures are not."""
    made = [("created", 1200, f"2026-11-23T20:31:{at}+00:00") for at in (21, 22)]
    charts = Charts(table(*made, ("refused", 3, ""), ("planned", 2, "")), "at")
    assert repr(charts) == "4 groups: 2 created, 1 refused, 1 not sent. 2,400 phones created."
    shown = display_data(charts)
    assert set(shown) == {"text/plain", "image/png"}
    assert struct.unpack(">II", charts.png[16:24]) == (1408, 308)


CREATED = [("created", 3, f"2026-11-23T20:31:{at:02}+00:00") for at in range(3)]


@pytest.mark.parametrize(
    ("groups", "apps", "drawn", "plain"),
    [
        ([], [], [], "Nothing to draw."),
        (CREATED[:1], [], [], "1 group: 1 created. 3 phones created. All at one moment. All in application 4luaKsL2."),
        (CREATED, [], ["created"], "3 groups: 3 created. 9 phones created. All in application 4luaKsL2."),
        (CREATED, ["a", "b"], ["created", "applications"], "3 groups: 3 created. 9 phones created."),
        ([*CREATED, ("refused", 3, "")], [], ["outcomes", "created"], "All in application 4luaKsL2."),
        ([*CREATED, ("refused", 3, "")], ["a", "b"], ["outcomes", "created", "applications"], ""),
        (
            [("exists", 3, ""), ("refused", 3, "")],
            [],
            ["outcomes"],
            "No phone was created. All in application 4luaKsL2.",
        ),
        ([("exists", 3, "")] * 2, ["a", "b"], ["applications"], "2 groups: 2 existed. 0 phones created."),
    ],
)
def test_only_what_tells_something_is_drawn(
    groups: list[tuple[str, int, str]], apps: list[str], drawn: list[str], plain: str
) -> None:
    """States, moments, applications of which there is more than one; the rest is said in words."""
    charts = Charts(table(*groups, apps=apps), "at")
    assert list(charts.telling) == drawn
    assert charts.plain == plain
    assert struct.unpack(">I", charts.png[16:20]) == (704 * max(1, len(drawn)),)
    assert ("image/png" in display_data(charts)) is bool(drawn)


@pytest.mark.parametrize(
    ("seconds", "sizes", "words"),
    [
        (1, [5, 50, 50], "105, 100 a second"),  # the first was there when the time began
        (60, [5, 30, 30], "65, 1.0 a second"),
        (60, [5, 29, 30], "64, 59 a minute"),
        (600, [5, 6, 6], "17, 1.2 a minute"),
        (86_400, [5, 6, 6], "17"),  # days: nobody asks
        (0.5, [5, 6, 6], "17"),  # too short to tell
        (0, [5, 6, 6], "17"),
    ],
)
def test_the_title_has_the_rate(seconds: float, sizes: list[int], words: str) -> None:
    """Phones in a second, or in a minute where they are fewer."""
    first = pd.Timestamp("2026-11-23T20:31:21+00:00")
    times = [(first + timedelta(seconds=seconds * part)).isoformat() for part in (0, 0.5, 1)]
    rows = [("created", size, time) for size, time in zip(sizes, times, strict=True)]
    title = Charts(table(*rows), "at").created.axes[0].get_title(loc="left")
    assert title == f"Phones created over time (UTC): {words}"


def test_times_are_those_of_a_zone() -> None:
    """A form's are local; what no zone is named for is in UTC, alike on every machine."""
    zone = timezone(timedelta(hours=5, minutes=30), "IST")
    axes = Charts(table(*CREATED), "at", zone).created.axes[0]
    assert axes.get_title(loc="left").startswith("Phones created over time (IST): ")
    (line,) = axes.lines
    assert str(line.get_xdata()[0]).startswith("2026-11-24T02:01:00")  # type: ignore[index]


def test_applications_are_bars_of_their_states() -> None:
    """The largest first; of many these alone. Their names are text, whatever stands in them."""
    names = ["$x^2$", "a\u202eb\x00", "电话", "x" * 300, *(f"app-{at}" for at in range(36))]
    rows = [*CREATED, ("refused", 3, ""), *CREATED] * 20
    charts = Charts(table(*rows, apps=["big", "big", *names]), "at")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        axes = charts.applications.axes[0]
        assert as_png(charts.applications).startswith(b"\x89PNG")
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels[0] == "big"
    assert len(labels) == 8
    assert not any(label.get_parse_math() for label in axes.get_yticklabels())
    assert axes.get_title(loc="left") == "By application: the largest 8 of 41"
    assert texts(charts.applications)[:2] == ["8 groups", "4 groups"]
    assert "4 groups, 4 refused" in texts(charts.applications)  # no meaning by colour alone
    assert charts.telling["applications"].startswith("big: 8 groups, ")
    named = Charts(table(*CREATED * 2, apps=names[:4]), "at").applications.axes[0]
    assert named.get_title(loc="left") == "By application: 4"
    assert sum(bar.get_width() for bar in named.patches) == 6  # type: ignore[attr-defined]
    shown = {label.get_text() for label in named.get_yticklabels()}
    assert shown == {"$x^2$", "a\\u202eb\\x00", "\\u7535\\u8bdd", "xxxxxxxxxxx...xxxxxxxxxx"}


def test_nothing_to_draw_is_no_picture() -> None:
    """A ledger without groups has words."""
    assert display_data(Charts(table(), "at")) == {"text/plain": "Nothing to draw."}


def test_without_matplotlib_there_are_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package's core does not need it."""
    monkeypatch.setattr(charts_module, "find_spec", lambda _: None)
    charts = Charts(table(("created", 1, "2026-11-23T20:31:21+00:00")), "at")
    assert display_data(charts) == {"text/plain": "1 group: 1 created. 1 phone created."}
