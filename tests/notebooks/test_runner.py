"""The runner with a real kernel; everything else of it is tested with a stand-in, in tests/unit/runbooks."""

from __future__ import annotations

import signal
from pathlib import Path

from itnio_nb.runbooks.runner import NotebookRunner, read_notebook
from tests.support.kernel import notebook_of

SAVED = Path("executed.ipynb")
RUN = """
from itnio_nb import Sandbox, Client, Ledger, make_plan, submit_plan
from tests.support.factories import many_orders
with Sandbox() as sandbox, Client(sandbox.account) as client, Ledger("ledger.sqlite") as ledger:
    run = submit_plan(make_plan(many_orders(3)), client, ledger).wait()
run.done
"""
ATTENDS = """
import threading
try:
    print("ready", flush=True)
    threading.Event().wait(60)
except KeyboardInterrupt:
    print("stopped")
"""


def test_a_kernel_is_echoed_in_order_and_saved(tmp_path: Path) -> None:
    """Its folder, its settings, the progress of a run in it; stderr is in the notebook alone."""
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "data.txt").write_text("from beside it")
    look = "import os, sys\nprint(open('data.txt').read())\nsys.stderr.write('bar')\nos.environ['ITNIO_SANDBOX']"
    echoed: list[str] = []
    runner = NotebookRunner(echoed.append, headings=True)
    notebook = notebook_of("# A heading\nand text", look, RUN, "1 / 0")
    problem = runner.run(notebook, SAVED, settings={"ITNIO_SANDBOX": "1"}, folder=tmp_path / "below")
    assert problem == "A cell failed with ZeroDivisionError: division by zero"
    assert echoed[:3] == ["\nA heading", "from beside it", "'1'"]
    assert echoed[-2:] == ["Verify: 3 of 3 groups (created 3, exists 0, refused 0, unknown 0)", "True"]
    kept = [output for cell in read_notebook(SAVED).cells for output in cell.get("outputs", ())]
    assert [output.output_type for output in kept] == ["stream", "stream", "execute_result", "execute_result", "error"]


def test_a_kernel_that_dies_is_one_line() -> None:
    """Not a traceback; what was shown before is saved."""
    problem = NotebookRunner(print).run(notebook_of("'before'", "import os; os._exit(1)"), SAVED)
    assert problem == "The notebook did not finish: DeadKernelError: Kernel died"
    assert read_notebook(SAVED).cells[0].outputs[0].data["text/plain"] == "'before'"


def test_a_signal_reaches_the_kernel() -> None:
    """A cell that attends to it goes on, and so does the notebook."""
    echoed: list[str] = []

    def echo(text: str) -> None:
        echoed.append(text)
        if text == "ready":
            signal.raise_signal(signal.SIGTERM)

    runner = NotebookRunner(echo)
    assert runner.run(notebook_of(ATTENDS, "'below'"), SAVED) == ""
    assert (runner.interrupted, echoed[-2:]) == (True, ["stopped", "'below'"])
