"""Execute a notebook with parameters in a fresh kernel: echo what it shows, stop on a signal, save after each cell."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Timer
from time import monotonic
from typing import Any

import nbformat
from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import upgrade
from tqdm.std import tqdm

from itnio_nb.errors import InputError, os_error_reason
from itnio_nb.orders.export.files import write_atomically
from itnio_nb.runbooks.interrupts import Interrupts
from itnio_nb.runbooks.kernel import REVEALED_MIME
from itnio_nb.runbooks.outcome import MIME
from itnio_nb.runbooks.parameters import inject
from itnio_nb.runs.sending.background import PROGRESS_MIME

_LINE_EVERY = 5  # seconds between two lines of progress, where there is no terminal
_GRACE = 30.0  # seconds in which an interrupted cell ends, or a run that it waits for tells that it is at work
_NATIVE = "python3"  # the name of the kernel of this Python
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
    notebook; `on_revealed` an application and its passwords before a cell can show them. `interrupts` hears the
    signals (default: its own, while it runs): `interrupted` tells whether one has arrived. `grace` are the seconds that
    an interrupted cell has to end, before its kernel is killed.
    """

    def __init__(
        self,
        echo: Callable[[str], object],
        *,
        headings: bool = False,
        interrupts: Interrupts | None = None,
        on_revealed: Callable[[str, list[str]], object] | None = None,
        grace: float = _GRACE,
    ) -> None:
        self._echo, self._headings, self._on_revealed, self._grace = echo, headings, on_revealed, grace
        self._interrupts = interrupts
        self._progress = _ProgressView(echo)
        self._line = ""  # printed so far, of one that has not ended
        self._executing = self._halted = self.interrupted = self._killed = False
        self._told_at = 0.0  # when a run told last that it is at work
        self._pid = 0
        self._unsaved = False  # whether it was said that the notebook cannot be saved

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
        cells it ends the notebook. A second signal kills the kernel. Call it from the main thread, which alone hears
        signals.
        """
        clear_outputs(notebook)
        inject(notebook, parameters or {})
        self._choose_kernel(notebook)
        client = self._client(notebook, folder)
        try:
            self._save(notebook, output)
            with self._hearing() as interrupts, client.setup_kernel(env=_environment(settings or {})):
                self._pid = client.km.provisioner.pid  # type: ignore[union-attr] # it has a kernel by now
                with interrupts.handled(self._stop, self._kill):
                    return self._execute_cells(client, output)
        except CellExecutionError as error:
            return f"A cell failed with {error.ename}: {error.evalue}"
        except KeyboardInterrupt:
            self.interrupted = True
            return "Interrupted before the first cell."
        except Exception as error:  # noqa: BLE001 - one line for the operator; the notebook is saved as far as it came
            if self._killed:
                return "Its kernel was killed: what was under way is unknown until the next run has looked it up."
            return f"The notebook did not finish: {type(error).__name__}: {error}"

    def _client(self, notebook: Any, folder: Path | None) -> _Client:
        client = _Client(
            notebook,
            timeout=None,
            coalesce_streams=True,
            store_widget_state=False,
            extra_arguments=["--IPKernelApp.log_level=CRITICAL"],  # what it has to say to people is in the notebook
            resources={"metadata": {"path": str(folder or "")}},
        )
        client.handle = self._handle
        return client

    def _choose_kernel(self, notebook: Any) -> None:
        """Have a notebook whose kernel this machine has not run in this Python, and say so."""
        name = notebook.metadata.get("kernelspec", {}).get("name", "")
        try:
            program = KernelSpecManager().get_kernel_spec(name or _NATIVE).argv[0]
            found = shutil.which(program) is not None
        except NoSuchKernel:
            found = False
        if not found:
            self._echo(f"This machine has no kernel {name}: the notebook runs in this Python, {sys.executable}.")
        if not (name and found):
            notebook.metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": _NATIVE}

    @contextmanager
    def _hearing(self) -> Iterator[Interrupts]:
        if self._interrupts is not None:
            yield self._interrupts
            return
        with Interrupts(self._echo) as interrupts:
            yield interrupts

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
                self._print("", ends=True)
                self._save(client.nb, output)
        return ""

    def _save(self, notebook: Any, output: Path) -> None:
        """Save the notebook as far as it came; a full disk does not end what it does."""
        try:
            save_notebook(notebook, output)
        except OSError as error:
            if not self._unsaved:
                self._echo(f"The record cannot be written ({os_error_reason(error)}): the notebook goes on.")
            self._unsaved = True

    def _stop(self) -> None:
        """Interrupt the cell that is executing; between two cells, execute no more."""
        self.interrupted = True
        if self._executing:
            self._told_at = monotonic()
            os.kill(self._pid, signal.SIGINT)
            self._watch(self._pid)
        else:
            self._halted = True

    def _watch(self, pid: int) -> None:
        """Kill the kernel if the interrupted cell neither ends nor tells for a while that a run is at work."""

        def look() -> None:
            if self._executing and monotonic() - self._told_at >= self._grace:
                self._echo(f"The cell has not ended within {self._grace:.0f} seconds: its kernel is killed.")
                self._kill()
            elif self._executing:
                self._watch(pid)

        timer = Timer(max(0.1, self._told_at + self._grace - monotonic()), look)
        timer.daemon = True
        timer.start()

    def _kill(self) -> None:
        self._killed = self._halted = True
        with suppress(ProcessLookupError):
            os.kill(self._pid, getattr(signal, "SIGKILL", signal.SIGTERM))

    def _handle(self, message: Mapping[str, Any]) -> bool:
        """Echo a message of a cell; return whether it is a message for this process, which no record keeps."""
        content = message["content"]
        shown = content.get("data", {})
        if REVEALED_MIME in shown:
            if self._on_revealed is not None:
                self._on_revealed(shown[REVEALED_MIME]["application"], shown[REVEALED_MIME]["passwords"])
            return True
        if PROGRESS_MIME in shown:
            self._told_at = monotonic()
            self._progress.show(shown[PROGRESS_MIME])
            return True
        if message["msg_type"] == "stream" and content["name"] == "stdout":
            self._print(content["text"])
        elif "text/plain" in shown and "image/png" not in shown and MIME not in shown:
            self._print("", ends=True)
            self._echo(shown["text/plain"])
        return False

    def _print(self, text: str, *, ends: bool = False) -> None:
        """Echo what is printed by whole lines: what is cut in the middle could not be read, nor searched."""
        whole, _, self._line = (self._line + text).rpartition("\n")
        if ends and self._line:
            whole, self._line = "\n".join(filter(None, [whole, self._line])), ""
        if whole:
            self._echo(whole)


def _environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of the kernel: it knows how wide the terminal is."""
    width = {"ITNIO_WIDTH": str(shutil.get_terminal_size().columns)} if sys.stdout and sys.stdout.isatty() else {}
    return {**os.environ, **width, **_ENVIRONMENT, **settings}


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
        if sys.stderr and sys.stderr.isatty():
            # A terminal may not know its width, and tqdm shows nothing then.
            self._bar = self._bar or tqdm(total=total, unit=" groups", ncols=shutil.get_terminal_size().columns)
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
    """Write a notebook as Jupyter does, whole or not at all."""
    text: str = nbformat.writes(notebook)  # type: ignore[no-untyped-call] # nbformat
    # Half of a surrogate pair, as in the name of a file in another encoding, becomes an escape, which JSON has too.
    write_atomically(path, f"{text}\n".encode("utf-8", "backslashreplace"))


def clear_outputs(notebook: Any) -> None:
    """Remove what an earlier execution has shown: a cell that is not reached must not seem to have been."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None


def keep_what_is_executed(notebook: Any) -> None:
    """Remove all that is not executed or read: outputs, and metadata other than the kernel and the tags of cells."""
    clear_outputs(notebook)
    kernel = notebook.metadata.get("kernelspec")
    notebook.metadata.clear()
    if kernel:
        notebook.metadata["kernelspec"] = {name: kernel[name] for name in ("display_name", "name") if name in kernel}
    for cell in notebook.cells:
        tags = [tag for tag in cell.metadata.get("tags", ()) if isinstance(tag, str)]
        cell.metadata.clear()
        if tags:
            cell.metadata["tags"] = tags
