"""Execute a notebook with parameters in a fresh kernel: echo what it shows, stop on a signal, save after each cell."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, upgrade
from tqdm.std import tqdm

from itnio_nb.errors import InputError
from itnio_nb.runbooks.outcome import MIME
from itnio_nb.runs.run import PROGRESS_MIME

# Papermill's conventions: the same notebooks are run by plain papermill and by Airflow.
PARAMETERS_TAG = "parameters"  # the cell with the default values
_INJECTED_TAG = "injected-parameters"  # the cell behind it, with the values given
_LINE_EVERY = 5  # seconds between two lines of progress, where there is no terminal
_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
_STOPPING = "Interrupt received: what is under way is finished and recorded, the rest is not sent."
_ENVIRONMENT = {
    "ITNIO_PROGRESS": "messages",
    "ITNIO_WIDGETS": "off",  # a widget is not there any more when the notebook is read
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # the debugger's hint about frozen modules is not for the operator
}


class NotebookRunner:
    """Execute a notebook and echo what its cells show, while they show it.

        runner = NotebookRunner(print)
        problem = runner.run(read_notebook(path), Path("executed.ipynb"), {"apply": True}, {"ITNIO_SANDBOX": "1"})

    `echo` receives printed text, values as text, the progress of runs and, with `headings`, the headings of the
    notebook. `interrupted` tells whether a signal has arrived.
    """

    def __init__(self, echo: Callable[[str], object], *, headings: bool = False) -> None:
        self._echo, self._headings = echo, headings
        self._progress = _ProgressView(echo)
        self._executing = self._halted = self.interrupted = False

    def run(
        self,
        notebook: Any,
        output: Path,
        parameters: Mapping[str, object] | None = None,
        settings: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> str:
        """Execute a notebook in place, save it to `output` after each cell, and return what went wrong in one line.

        The kernel works in `folder` (default: the current one) and has `settings` in its environment. The first
        signal interrupts the cell that is executing; a cell that attends to a run stops it and goes on. Between two
        cells it ends the notebook. Call it from the main thread, which alone hears signals.
        """
        clear_outputs(notebook)
        _inject(notebook, parameters or {})
        client = _Client(
            notebook,
            timeout=None,
            coalesce_streams=True,
            store_widget_state=False,
            extra_arguments=["--IPKernelApp.log_level=ERROR"],  # the kernel warns of its own loopback connection
            resources={"metadata": {"path": str(folder or "")}},
        )
        client.handle = self._handle
        environment = {**os.environ, **_ENVIRONMENT, **(settings or {})}
        try:
            save_notebook(notebook, output)
            with self._signals(client), client.setup_kernel(env=environment):
                return self._execute_cells(client, output)
        except CellExecutionError as error:
            return f"A cell failed with {error.ename}: {error.evalue}"
        except Exception as error:  # noqa: BLE001 - one line for the operator; the notebook is saved as far as it came
            return f"The notebook did not finish: {type(error).__name__}: {error}"

    def _execute_cells(self, client: _Client, output: Path) -> str:
        for number, cell in enumerate(client.nb.cells):
            if self._headings and cell.cell_type == "markdown" and cell.source.startswith("#"):
                self._echo("\n" + cell.source.splitlines()[0].lstrip("# "))
            if self._halted:
                return f"Interrupted before cell {number + 1}."
            self._executing = True
            try:
                client.execute_cell(cell, number)
            finally:
                self._executing = False
                self._progress.close()
                save_notebook(client.nb, output)
        return ""

    @contextmanager
    def _signals(self, client: _Client) -> Iterator[None]:
        """Turn the first signal into an interrupt of the kernel, while the context lasts."""

        def interrupt(*_: object) -> None:
            if self.interrupted:
                return
            self.interrupted = True
            self._echo(_STOPPING)
            if self._executing:
                os.kill(client.km.provisioner.pid, signal.SIGINT)  # type: ignore[union-attr] # it has a kernel by now
            else:
                self._halted = True

        before = {number: signal.signal(number, interrupt) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _handle(self, message: Mapping[str, Any]) -> bool:
        """Echo a message of a cell; return whether it is a message of progress, which no record keeps."""
        content = message["content"]
        shown = content.get("data", {})
        if PROGRESS_MIME in shown:
            self._progress.show(shown[PROGRESS_MIME])
            return True
        if message["msg_type"] == "stream" and content["name"] == "stdout":
            self._echo(content["text"].rstrip("\n"))
        elif "text/plain" in shown and "image/png" not in shown and MIME not in shown:
            self._echo(shown["text/plain"])
        return False


class _Client(NotebookClient):
    """Hands each output to `handle` when it arrives, and stores it unless that has dealt with it."""

    handle: Callable[[Mapping[str, Any]], bool]

    def process_message(self, msg: dict[str, Any], cell: Any, cell_index: int) -> Any:
        shows = msg["msg_type"] in ("stream", "execute_result", "display_data")
        return None if shows and self.handle(msg) else super().process_message(msg, cell, cell_index)


class _ProgressView:
    """Show how far a run in the kernel is: as a bar on a terminal, in lines elsewhere."""

    def __init__(self, echo: Callable[[str], object]) -> None:
        self._echo = echo
        self._bar: Any = None
        self._line, self._due = "", 0.0

    def show(self, progress: Mapping[str, Any]) -> None:
        """Show a message of progress: `total`, `done`, `activity`, and `counts` by state."""
        total, done, activity = progress["total"], progress["done"], progress["activity"]
        counts = ", ".join(f"{state} {number:,}" for state, number in progress["counts"].items())
        if sys.stderr.isatty():
            self._bar = self._bar or tqdm(total=total, unit=" groups")
            self._bar.n = done
            self._bar.set_description(activity, refresh=False)
            self._bar.set_postfix_str(counts)
            return
        line = f"{activity}: {done:,} of {total:,} groups ({counts})"
        if line != self._line and (monotonic() >= self._due or done == total):
            self._echo(line)
            self._line, self._due = line, monotonic() + _LINE_EVERY

    def close(self) -> None:
        """Leave the bar as it is; the next run gets one of its own."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def read_notebook(path: Path) -> Any:
    """Read a notebook in the newest version of its format; raise `InputError` for a file that is none."""
    try:
        return upgrade(nbformat.read(path, as_version=4))  # type: ignore[no-untyped-call] # nbformat
    except (OSError, ValueError, AttributeError, TypeError, KeyError, nbformat.ValidationError) as error:
        raise InputError(f"{path} is no notebook ({type(error).__name__}): give the path of an .ipynb file.") from None


def save_notebook(notebook: Any, path: Path) -> None:
    """Write a notebook as Jupyter does."""
    nbformat.write(notebook, path)  # type: ignore[no-untyped-call] # nbformat


def clear_outputs(notebook: Any) -> None:
    """Remove what an earlier execution has shown: a cell that is not reached must not seem to have been."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None


def tagged_cells(notebook: Any, tag: str) -> list[int]:
    """Return the positions of the cells with a tag."""
    return [at for at, cell in enumerate(notebook.cells) if tag in cell.metadata.get("tags", ())]


def _inject(notebook: Any, parameters: Mapping[str, object]) -> None:
    """Insert a cell with the values given behind the one with the defaults, in place of one of an earlier execution."""
    notebook.metadata["papermill"] = {"parameters": dict(parameters)}
    if not parameters:
        return
    source = "\n".join(["# Parameters", *(f"{name} = {value!r}" for name, value in parameters.items())])
    cell = new_code_cell(source, metadata={"tags": [_INJECTED_TAG]})  # type: ignore[no-untyped-call] # nbformat
    earlier = tagged_cells(notebook, _INJECTED_TAG)
    if earlier:
        notebook.cells[earlier[0]] = cell
    else:
        notebook.cells.insert(next((at + 1 for at in tagged_cells(notebook, PARAMETERS_TAG)), 0), cell)
