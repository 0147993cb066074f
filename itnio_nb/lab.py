"""JupyterLab on a working copy of the notebooks: the user's own, never overwritten."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import nbformat

from itnio_nb.errors import InputError

BANNER_TAG = "banner"  # the cell that says where one works
_LEFT_OUT = shutil.ignore_patterns("results", "conftest.py", "make_*.py", "__pycache__", ".*")


def require_jupyterlab() -> None:
    """Raise `InputError` where JupyterLab is not installed."""
    if find_spec("jupyterlab") is None:
        raise InputError('JupyterLab is not installed: pip install "itnio-nb[lab]", then start this again.')


def working_copy(notebooks: Path, folder: Path) -> bool:
    """Copy the notebooks to a folder, without their outputs, unless it is there already; tell whether it was made.

    It is there as a whole or not at all. What is there is the user's: it is left as it is.
    """
    if folder.exists():
        return False
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".unfinished-") as unfinished:
            copy = Path(unfinished, folder.name)
            shutil.copytree(notebooks, copy, ignore=_LEFT_OUT)
            for path in copy.rglob("*.ipynb"):
                _clear(path)
            copy.rename(folder)
    except OSError as error:
        if folder.is_dir():
            return False  # somebody else was quicker
        why = error.strerror or os.strerror(error.errno or 0)
        raise InputError(f"The notebooks cannot be copied to {folder} ({why}): choose another --folder.") from None
    return True


def stamp(folder: Path, text: str, html: str) -> None:
    """Write the present banner into the notebooks' banner cells: one that was stored yesterday may be wrong today."""
    for path in folder.rglob("*.ipynb"):
        try:
            notebook = _read(path)
        except (ValueError, OSError):
            continue  # not a notebook that we know: it stays as it is
        cells = [cell for cell in notebook.cells if BANNER_TAG in cell.metadata.get("tags", [])]
        shown = {"text/plain": text, "text/html": html}
        stale = [cell for cell in cells if [output.get("data") for output in cell.outputs] != [shown]]
        for cell in stale:
            cell.outputs = [nbformat.v4.new_output("display_data", shown)]  # type: ignore[no-untyped-call] # nbformat
        if stale:
            _write(notebook, path)


def serve(folder: Path, notebook: str, environment: Mapping[str, str], options: Sequence[str]) -> int:
    """Run JupyterLab on a folder, with one of its notebooks open, until it is stopped; return its exit code."""
    command = [
        *(sys.executable, "-m", "jupyterlab"),
        f"--ServerApp.root_dir={folder.resolve()}",
        f"--LabApp.default_url=/lab/tree/{notebook}",
        "--ServerApp.ip=127.0.0.1",
        "--Application.log_level=WARN",
        # It asks no host but its own.
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        *(["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []),
        *options,
    ]
    server = subprocess.Popen(command, env={**os.environ, **environment})  # noqa: S603 - this Python, the user's options

    def stop(number: int, _: object) -> None:
        # At a terminal Ctrl-C has reached JupyterLab too, which asks whether to stop.
        if number == signal.SIGTERM or not sys.stdin.isatty():
            server.terminate()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    return server.wait()


def _clear(path: Path) -> None:
    """Take the outputs away: they tell of another run, on a sandbox."""
    notebook = _read(path)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    _write(notebook, path)


def _read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call] # nbformat


def _write(notebook: Any, path: Path) -> None:
    nbformat.write(notebook, path)  # type: ignore[no-untyped-call] # nbformat
