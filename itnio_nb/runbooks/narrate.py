"""Execute a notebook in a fresh kernel, and tell what its cells show while they show it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

_TIMEOUT = 600  # seconds for one cell


class _Narrator(NotebookClient):
    """Passes on each output when it arrives."""

    tell: Callable[[str], object]

    def output(self, outs: Any, msg: Any, display_id: Any, cell_index: Any) -> Any:
        content = msg["content"]
        if msg["msg_type"] == "stream" and content["name"] == "stderr":
            sys.stderr.write(content["text"])  # the progress bar: it returns to the start of its line
            sys.stderr.flush()
        elif msg["msg_type"] == "stream":
            self.tell(content["text"].rstrip("\n"))
        elif "text/plain" in content.get("data", {}):
            self.tell(content["data"]["text/plain"])
        return super().output(outs, msg, display_id, cell_index)


def execute(path: Path, tell: Callable[[str], object], settings: Mapping[str, str]) -> str:
    """Execute the notebook at `path` in its own folder and save it there, whatever happens.

    `tell` gets the headings and what the cells show, as text; the progress bar goes to stderr. The kernel has
    `settings` in its environment. Returns "" or, in one line, what went wrong.
    """
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call] # nbformat
    narrator = _Narrator(
        notebook,
        timeout=_TIMEOUT,
        resources={"metadata": {"path": str(path.parent)}},
        coalesce_streams=True,
        extra_arguments=["--IPKernelApp.log_level=ERROR"],  # the kernel warns of its own loopback connection
        store_widget_state=False,
    )
    narrator.tell = tell
    narrator.on_cell_start = partial(_tell_heading, tell)
    # The debugger's hint about frozen modules is not for the reader of a demonstration.
    environment = {**os.environ, "ITNIO_PROGRESS": "text", "PYDEVD_DISABLE_FILE_VALIDATION": "1", **settings}
    try:
        narrator.execute(env=environment)
    except CellExecutionError as error:
        return f"A cell failed with {error.ename}: {error.evalue}"
    except (CellTimeoutError, DeadKernelError) as error:
        return f"The notebook did not finish: {error}"
    finally:
        nbformat.write(notebook, path)  # type: ignore[no-untyped-call] # nbformat
    return ""


def _tell_heading(tell: Callable[[str], object], *, cell: Any, **_: object) -> None:
    if cell.cell_type == "markdown" and cell.source.startswith("#"):
        tell("\n" + cell.source.splitlines()[0].lstrip("# "))
