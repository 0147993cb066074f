"""The progress bar: text, none, a widget alone, or messages."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from itnio_nb import Client, Ledger, make_plan, submit_plan
from itnio_nb.runs.progress import PROGRESS_MIME, advance, progress_bar
from tests.support.factories import many_orders

HALF = Counter({"created": 3, "unknown": 1, "planned": 4, "sending": 2})


@pytest.mark.parametrize("how", ["text", ""])
def test_text_outside_a_notebook(how: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """Groups done of all, and the counts by state; it goes to stderr, results stay alone on stdout."""
    monkeypatch.setenv("ITNIO_PROGRESS", how)
    with progress_bar(10, 2) as bar:
        advance(bar, HALF, "Verify")
    out, shown = capfd.readouterr()
    assert out == ""
    assert "Verify:  40%" in shown
    assert "4/10" in shown
    assert "created=3, exists=0, refused=0, unknown=1" in shown


def test_off_shows_nothing(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """For what is kept: a stored bar would differ each time."""
    monkeypatch.setenv("ITNIO_PROGRESS", "off")
    with progress_bar(10, 2) as bar:
        advance(bar, HALF, "Verify")
    assert capfd.readouterr() == ("", "")


def test_a_widget_alone_in_a_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a kernel the bar is a widget's view and no text that a saved notebook would show for ever."""
    import tqdm.auto
    from tqdm.notebook import tqdm_notebook

    shown: list[dict[str, object]] = []
    monkeypatch.setenv("ITNIO_PROGRESS", "")
    monkeypatch.setattr(tqdm.auto, "tqdm", tqdm_notebook)
    monkeypatch.setattr("IPython.display.publish_display_data", shown.append)
    with progress_bar(10, 2) as bar:
        advance(bar, HALF, "Verify")
        assert bar.container.children[1].value == 4
        assert "created=3" in bar.container.children[2].value
    assert [list(data) for data in shown] == [["application/vnd.jupyter.widget-view+json"]]


@pytest.fixture
def messages(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What is published while `ITNIO_PROGRESS=messages`."""
    published: list[dict[str, Any]] = []
    monkeypatch.setenv("ITNIO_PROGRESS", "messages")
    monkeypatch.setattr("IPython.display.publish_display_data", lambda data: published.append(data[PROGRESS_MIME]))
    return published


def test_messages_for_the_runner(messages: list[dict[str, Any]], capfd: pytest.CaptureFixture[str]) -> None:
    """One each time; nothing is shown here."""
    with progress_bar(10, 2) as bar:
        advance(bar, Counter({"created": 1, "planned": 9}), "Submit")
        advance(bar, HALF, "Verify")
    none = {"created": 0, "exists": 0, "refused": 0, "unknown": 0}
    assert messages == [
        {"total": 10, "activity": "Submit", "done": 1, "counts": none | {"created": 1}},
        {"total": 10, "activity": "Verify", "done": 4, "counts": none | {"created": 3, "unknown": 1}},
    ]
    assert capfd.readouterr() == ("", "")


def test_the_last_message_has_every_group_done(messages: list[dict[str, Any]], client: Client, ledger: Ledger) -> None:
    """The end of a run is shown, however quick it was."""
    submit_plan(make_plan(many_orders(4)), client, ledger).wait()
    assert (messages[-1]["total"], messages[-1]["done"], messages[-1]["counts"]["created"]) == (4, 4, 4)
