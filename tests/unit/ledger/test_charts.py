"""Charts: bars and steps that have the numbers of the table, readable on light and dark, with nothing to draw too."""

from __future__ import annotations

import struct
import zlib

import pandas as pd
import pytest
from IPython.core.formatters import DisplayFormatter

from itnio_nb.api.models import State
from itnio_nb.ledger import charts as charts_module
from itnio_nb.ledger.charts import Charts, as_png


def table(*groups: tuple[str, int, str]) -> pd.DataFrame:
    """Groups as (state, quantity, time)."""
    return pd.DataFrame(groups, columns=["state", "quantity", "at"], dtype=object)


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
    assert figure.axes[0].get_title(loc="left") == "Phones created over time (UTC): 9"


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
    charts = Charts(table(("created", 1200, "2026-11-23T20:31:21+00:00"), ("refused", 3, ""), ("planned", 2, "")), "at")
    assert repr(charts) == "3 groups: 1 created, 1 refused, 1 not sent. 1,200 phones created."
    shown = display_data(charts)
    assert set(shown) == {"text/plain", "image/png"}
    assert struct.unpack(">II", charts.png[16:24]) == (1408, 308)


def test_nothing_to_draw_is_no_picture() -> None:
    """A ledger without groups has words."""
    assert display_data(Charts(table(), "at")) == {"text/plain": "Nothing to draw."}


def test_without_matplotlib_there_are_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package's core does not need it."""
    monkeypatch.setattr(charts_module, "find_spec", lambda _: None)
    charts = Charts(table(("created", 1, "2026-11-23T20:31:21+00:00")), "at")
    assert display_data(charts) == {"text/plain": "1 group: 1 created. 1 phone created."}
