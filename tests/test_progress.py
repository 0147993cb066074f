"""The progress bar: text, none, or a widget alone."""

from __future__ import annotations

from collections import Counter

import pytest

from itnio_nb.progress import advance, progress_bar

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
