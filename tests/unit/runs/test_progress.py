"""The progress bar: text, none, a widget alone, or lines in a file."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from itnio_nb import Client, Ledger, make_plan, submit_plan
from itnio_nb.runs.progress import advance, progress_bar
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


def test_lines_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """One each time, behind what is there; nothing is shown here."""
    path = tmp_path / "progress: é"
    monkeypatch.setenv("ITNIO_PROGRESS", f"file:{path}")
    with progress_bar(10, 2) as bar:
        assert not path.exists()
        advance(bar, Counter({"created": 1, "planned": 9}), "Submit")
        advance(bar, HALF, "Verify")
    with progress_bar(3, 0) as bar:
        advance(bar, Counter({"refused": 3}), "Submit")
    told = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    none = {"created": 0, "exists": 0, "refused": 0, "unknown": 0}
    assert told == [
        {"total": 10, "activity": "Submit", "done": 1, "counts": none | {"created": 1}},
        {"total": 10, "activity": "Verify", "done": 4, "counts": none | {"created": 3, "unknown": 1}},
        {"total": 3, "activity": "Submit", "done": 3, "counts": none | {"refused": 3}},
    ]
    assert capfd.readouterr() == ("", "")


def test_a_run_tells_its_end_in_the_file(
    client: Client, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The last line has every group done."""
    monkeypatch.setenv("ITNIO_PROGRESS", f"file:{tmp_path / 'progress'}")
    submit_plan(make_plan(many_orders(4)), client, ledger).wait()
    last = json.loads((tmp_path / "progress").read_text(encoding="utf-8").splitlines()[-1])
    assert (last["total"], last["done"], last["counts"]["created"]) == (4, 4, 4)


def test_a_file_that_cannot_be_written_ends_no_wait(
    client: Client, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A full disk, or a folder that is gone: the run is what matters."""
    monkeypatch.setenv("ITNIO_PROGRESS", f"file:{tmp_path / 'gone' / 'progress'}")
    run = submit_plan(make_plan(many_orders(4)), client, ledger)
    try:
        assert run.wait().counts == {"created": 4}
    finally:
        run.over()
