"""Executing a notebook with parameters through papermill, stopped cleanly by a signal, told as it goes."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import nbformat
from papermill import execute_notebook
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import Engine, papermill_engines
from papermill.exceptions import PapermillExecutionError
from tqdm.std import tqdm

from itnio_nb.errors import InputError
from itnio_nb.runbooks.outcome import MIME
from itnio_nb.runs.progress import TO_FILE

_TICK = 0.2  # seconds between two looks at the progress
_EVERY = 25  # looks between two lines, where progress is told in lines
_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
_STOPPING = "Interrupt received: what is under way is finished and recorded, the rest is not sent."


class NotebookRunner:
    """One execution of a notebook; it saves the notebook after each cell, and whatever happens."""

    def __init__(self, tell: Callable[[str], None], progress: Path) -> None:
        self._tell, self._progress = tell, progress
        self.interrupted = False
        self.client: Any = None
        self._problem = ""

    def run(self, notebook: Any, output: Path, parameters: Mapping[str, object], settings: Mapping[str, str]) -> str:
        """Execute a notebook, and return "" or in one line what went wrong.

        A signal interrupts the kernel, once: a cell that attends to a run stops it and goes on. The kernel has
        `settings` in its environment.
        """
        settings = {**settings, "ITNIO_PROGRESS": f"{TO_FILE}{self._progress}", "ITNIO_WIDGETS": "off"}
        with _environment({**settings, "PYDEVD_DISABLE_FILE_VALIDATION": "1"}), self._signals():
            # In a thread of its own: nbclient leaves the signals alone there, and this thread is free to hear them.
            work = threading.Thread(target=self._work, args=(notebook, output, parameters), name="mill")
            work.start()
            self._follow(work)
        return self._problem

    def _work(self, notebook: Any, output: Path, parameters: Mapping[str, object]) -> None:
        logging.getLogger("papermill").setLevel(logging.ERROR)
        papermill_engines.register(_Engine.name, _Engine)
        try:
            execute_notebook(
                notebook, output, dict(parameters), engine_name=_Engine.name, progress_bar=False, runner=self
            )
        except PapermillExecutionError as error:
            self._problem = f"A cell failed with {error.ename}: {error.evalue}"
        except Exception as error:  # noqa: BLE001 - told in one line; the notebook is saved as far as it came
            self._problem = f"The notebook did not finish: {type(error).__name__}: {error}"

    @contextmanager
    def _signals(self) -> Iterator[None]:
        before = {number: signal.signal(number, self._interrupt) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _interrupt(self, *_: object) -> None:
        if self.interrupted:
            return
        self.interrupted = True
        self._tell(_STOPPING)
        with suppress(AttributeError, ProcessLookupError):  # no kernel yet, or none any more
            os.kill(self.client.km.provisioner.pid, signal.SIGINT)

    def _follow(self, work: threading.Thread) -> None:
        """Show the progress until the work is done: a bar on a terminal, lines elsewhere."""
        bar: Any = None
        before, looks, at = "", 0, 0
        while work.is_alive():
            work.join(_TICK)
            lines = self._progress.read_text(encoding="utf-8").splitlines() if self._progress.exists() else []
            if len(lines) <= at:
                continue
            at, told = len(lines), json.loads(lines[-1])
            counts = ", ".join(f"{state} {number:,}" for state, number in told["counts"].items())
            if sys.stderr.isatty():
                bar = bar or tqdm(total=told["total"], unit=" groups", leave=False)
                bar.n = told["done"]
                bar.set_description(told["activity"], refresh=False)
                bar.set_postfix_str(counts)
            else:
                line = f"{told['activity']}: {told['done']:,} of {told['total']:,} groups ({counts})"
                if line != before and (looks % _EVERY == 0 or told["done"] == told["total"]):
                    self._tell(line)
                    before = line
            looks += 1
        if bar is not None:
            bar.close()

    def show(self, message: dict[str, Any]) -> None:
        """Tell what a cell shows."""
        content = message["content"]
        if message["msg_type"] == "stream" and content["name"] == "stdout":
            self._tell(content["text"].rstrip("\n"))
        shown = content.get("data", {})
        if "text/plain" in shown and "image/png" not in shown and MIME not in shown:
            self._tell(shown["text/plain"])


class _Client(PapermillNotebookClient):  # type: ignore[misc] # no types
    runner: NotebookRunner

    def process_message(self, msg: dict[str, Any], cell: Any, cell_index: int) -> Any:
        if msg["msg_type"] in ("stream", "execute_result", "display_data"):
            self.runner.show(msg)
        return super().process_message(msg, cell, cell_index)


class _Engine(Engine):  # type: ignore[misc] # no types
    name = "itnio-nb"

    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, *, runner: NotebookRunner, **_: object) -> None:
        client = _Client(
            nb_man,
            kernel_name=kernel_name,
            timeout=None,
            extra_arguments=["--IPKernelApp.log_level=ERROR"],
            store_widget_state=False,
        )
        client.runner, runner.client = runner, client
        client.execute()


@contextmanager
def _environment(settings: Mapping[str, str]) -> Iterator[None]:
    """Have settings in this process's environment, from which the kernel takes its own."""
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, text in before.items():
            if text is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = text


def read_notebook(path: Path) -> Any:
    """Read a notebook as papermill takes it; raises `InputError` for a file that is none."""
    try:
        return nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call] # nbformat
    except (
        OSError,
        ValueError,
        AttributeError,
        TypeError,
        KeyError,
        nbformat.ValidationError,
        nbformat.reader.NotJSONError,
    ) as error:
        raise InputError(f"{path} is no notebook ({type(error).__name__}): give the path of an .ipynb file.") from None
