"""The runner: what it echoes, saves and injects, and what a signal does; real kernels are in tests/notebooks."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from nbformat.v4 import new_output

from itnio_nb import InputError
from itnio_nb.runbooks.outcome import MIME
from itnio_nb.runbooks.runner import NotebookRunner, read_notebook, save_notebook
from tests.support.kernel import InProcessClient, notebook_of

SAVED = Path("executed.ipynb")
PROGRESS = """
from IPython import display as ipython
for done in {steps}:
    progress = {{"total": 10, "done": done, "activity": "Submit", "counts": {{"created": done, "refused": 0}}}}
    ipython.publish_display_data({{"application/vnd.itnio-nb.progress+json": progress}})
"""


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("itnio_nb.runbooks.runner._Client", InProcessClient)


def executed(
    notebook: Any, parameters: dict[str, object] | None = None, *, headings: bool = False
) -> tuple[str, list[str], Any]:
    """What went wrong, what was echoed, and the notebook as it was saved."""
    echoed: list[str] = []
    problem = NotebookRunner(echoed.append, headings=headings).run(notebook, SAVED, parameters)
    return problem, echoed, read_notebook(SAVED)


def test_outputs_are_echoed_in_order_and_saved() -> None:
    """Printed text and values as text, headings where wanted; no pictures, and no outcome, which the command tells."""
    image = "from IPython.display import Image\ndisplay(Image(b'picture', format='png'))"
    outcome = "from itnio_nb import Outcome\nOutcome(2)"
    cells = ("# A heading\nand text", "print('one')\n6 * 7", image, outcome)
    problem, echoed, saved = executed(notebook_of(*cells))
    assert (problem, echoed) == ("", ["one", "42"])
    assert executed(notebook_of(*cells), headings=True)[1] == ["\nA heading", "one", "42"]
    kept = [output.get("data", output) for cell in saved.cells for output in cell.get("outputs", ())]
    for data, kind in zip(kept, ("text", "text/plain", "image/png", MIME), strict=True):
        assert kind in data


def test_a_failing_cell_is_one_line_and_saved_as_far_as_it_came() -> None:
    """The cells before it keep their outputs; those behind it are not run, and show nothing of an earlier time."""
    notebook = notebook_of("1 + 1", "1 / 0", "print('never')")
    notebook.cells[2].outputs = [new_output("stream", text="never")]  # type: ignore[no-untyped-call] # nbformat
    problem, echoed, saved = executed(notebook)
    assert (problem, echoed) == ("A cell failed with ZeroDivisionError: division by zero", ["2"])
    assert [cell.execution_count for cell in saved.cells] == [1, 2, None]
    assert [len(cell.outputs) for cell in saved.cells] == [1, 1, 0]


def test_it_is_saved_after_each_cell() -> None:
    """A kill leaves what was shown until then."""
    look = "import nbformat\nprint(nbformat.read('executed.ipynb', 4).cells[0].outputs[0].data['text/plain'])"
    assert executed(notebook_of("'first'", look))[:2] == ("", ["'first'", "'first'"])


def test_what_cannot_be_saved_goes_on(tmp_path: Path) -> None:
    """A full disk ends no run: it is said once, and all cells are executed."""
    echoed: list[str] = []
    problem = NotebookRunner(echoed.append).run(notebook_of("1", "2"), tmp_path / "missing" / "a.ipynb")
    said = "The record cannot be written (No such file or directory): the notebook goes on."
    assert (problem, echoed) == ("", [said, "1", "2"])


def test_parameters_are_injected_as_papermill_does() -> None:
    """Behind the tagged cell, in place of an earlier injection; any value that JSON has; noted in the metadata."""
    given: dict[str, object] = {"words": "a 'b' \"c\"\n\\d", "number": 1.5, "flag": True, "none": None}
    given["list"] = [{"x": "y"}]
    for notebook in (made := notebook_of("words, number, flag, none, list", parameters="words = 1"), made):
        problem, echoed, saved = executed(notebook, given)
        assert (problem, eval(echoed[0])) == ("", tuple(given.values()))
        assert [cell.metadata.get("tags") for cell in saved.cells] == [["parameters"], ["injected-parameters"], None]
        assert saved.cells[1].source.startswith("# Parameters\nwords = ")
        assert saved.metadata.papermill.parameters == given
    saved = executed(notebook_of("1", parameters="words = 1"))[2]
    assert (len(saved.cells), saved.metadata.papermill.parameters) == (2, {})


def test_progress_is_lines_and_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, then at intervals, and the end of a run."""
    problem, echoed, saved = executed(notebook_of(PROGRESS.format(steps=[1, 1, 2, 3, 10])))
    line = "Submit: {0} of 10 groups (created {0}, refused 0)"
    assert (problem, echoed) == ("", [line.format(1), line.format(10)])
    assert saved.cells[0].outputs == []
    monkeypatch.setattr("itnio_nb.runbooks.runner._LINE_EVERY", 0)
    assert executed(notebook_of(PROGRESS.format(steps=[1, 1, 2])))[1] == [line.format(1), line.format(2)]


def test_progress_is_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """One for each run, on stderr."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert executed(notebook_of(PROGRESS.format(steps=[1, 10]), PROGRESS.format(steps=[2])))[1] == []
    shown = capsys.readouterr().err
    assert "10/10" in shown
    assert "Submit:  20%" in shown
    assert "created 2, refused 0" in shown


def test_the_kernel_has_settings_and_a_folder() -> None:
    """Beside the environment of this process, which stays as it is; widgets are off, progress is messages."""
    names = ("HOME", "ITNIO_SANDBOX", "ITNIO_WIDGETS", "ITNIO_PROGRESS")
    notebook, echoed = notebook_of(f"import os\n[os.environ.get(name) for name in {names}]"), list[str]()
    before = dict(os.environ)
    NotebookRunner(echoed.append).run(notebook, SAVED, settings={"ITNIO_SANDBOX": "1"})
    assert eval(echoed[0]) == [os.environ["HOME"], "1", "off", "messages"]
    assert os.environ == before


def interrupted(monkeypatch: pytest.MonkeyPatch, *sources: str) -> tuple[str, list[str], list[tuple[int, int]]]:
    """What went wrong, what was echoed, which signals the kernel got; each raises in the cell that is executing."""
    killed: list[tuple[int, int]] = []

    def kill(pid: int, number: int) -> None:
        killed.append((pid, number))
        raise KeyboardInterrupt("by the operator")

    monkeypatch.setattr("os.kill", kill)
    echoed: list[str] = []

    def echo(text: str) -> None:
        echoed.append(text)
        if text == "\nnow":
            signal.raise_signal(signal.SIGTERM)

    runner = NotebookRunner(echo, headings=True)
    problem = runner.run(notebook_of(*sources), SAVED)
    assert runner.interrupted
    return problem, echoed[-1:], killed


SIGNAL = "import signal\nsignal.raise_signal(signal.{})"


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_interrupts_the_cell(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once, whatever the signal; afterwards signals are whose they were."""
    before = signal.getsignal(getattr(signal, name))
    problem, echoed, killed = interrupted(monkeypatch, SIGNAL.format(name))
    assert problem == "A cell failed with KeyboardInterrupt: by the operator"
    assert echoed == ["Interrupt received: what is under way is finished and recorded, the rest is not sent."]
    assert killed == [(-1, signal.SIGINT)]
    assert signal.getsignal(getattr(signal, name)) == before


def test_a_cell_that_attends_to_its_interrupt_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a run does: the cells below tell what came of it; a second signal changes nothing."""
    attends = (
        "try:\n    " + SIGNAL.format("SIGTERM").replace("\n", "\n    ") + "\nexcept KeyboardInterrupt:\n    'stopped'"
    )
    problem, echoed, killed = interrupted(monkeypatch, attends, SIGNAL.format("SIGINT"), "'below'")
    assert (problem, echoed, len(killed)) == ("", ["'below'"], 1)


def test_a_signal_between_two_cells_ends_the_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    """No cell is there to hear it, and the next one is not begun."""
    problem, _, killed = interrupted(monkeypatch, "1", "# now", "print('never')")
    assert (problem, killed) == ("Interrupted before cell 2.", [])


@pytest.mark.parametrize(
    "content", [None, b"", b"no notebook", b"\xff", b"[]", b"{}", b'{"cells": 5}', b'{"cells": ["text"]}']
)
def test_what_is_no_notebook_is_said(content: bytes | None, tmp_path: Path) -> None:
    """Missing, not JSON, or JSON of something else."""
    if content is not None:
        (tmp_path / "a.ipynb").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.ipynb is no notebook \(\w+\): give the path of an \.ipynb file"):
        read_notebook(tmp_path / "a.ipynb")


def test_a_notebook_of_an_older_format_is_read() -> None:
    """Cells get the ids that the newest one has."""
    old = notebook_of("1")
    old.nbformat_minor = 4
    del old.cells[0]["id"]
    save_notebook(old, SAVED)
    assert read_notebook(SAVED).cells[0].id
