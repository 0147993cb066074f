"""JupyterLab on a working copy of the notebooks: the user's own, never overwritten."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from itnio_nb.errors import InputError
from itnio_nb.orders.export import write_atomically

_LARGEST = 200 * 1024 * 1024  # bytes of one upload
FIRST_NOTEBOOK = "01-first-phones.ipynb"
FIRST_DATA = "data/phones.xlsx"
BANNER_TAG = "banner"  # the cell that says where one works
_LEFT_OUT = shutil.ignore_patterns("results", "conftest.py", "make_*.py", "__pycache__", ".*")


def find_notebooks() -> Path:
    """Return the folder of the notebooks: the repository's, or the one inside the installed package."""
    here = Path(__file__).resolve().parents[1]
    for folder in (here / "notebooks", here.parent / "notebooks"):
        if (folder / FIRST_NOTEBOOK).exists() and (folder / FIRST_DATA).exists():
            return folder
    raise InputError("The notebooks are not beside the package: install itnio-nb again.")


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
            shutil.copytree(notebooks, copy, ignore=_LEFT_OUT, copy_function=shutil.copyfile)
            for place in (copy, *(path for path in copy.rglob("*") if path.is_dir())):
                place.chmod(0o755)  # the installed ones may be read-only
            for path in copy.rglob("*.ipynb"):
                _clear(path)
            copy.rename(folder)
    except OSError as error:
        if folder.is_dir():
            return False  # somebody else was quicker
        why = error.strerror or (str(error.args[0]) if error.args else type(error).__name__)
        raise InputError(f"The notebooks cannot be copied to {folder} ({why}): choose another --folder.") from None
    return True


def stamp(folder: Path, banner: Callable[[Path], tuple[str, str]]) -> None:
    """Write the present banner into the notebooks' banner cells: one that was stored yesterday may be wrong today.

    `banner` gives text and HTML for the folder of a notebook. What is no notebook stays as it is.
    """
    for path in folder.rglob("*.ipynb"):
        try:
            content = json.loads(path.read_bytes())
            cells = _banner_cells(content)
            if not cells:
                continue
            text, html = banner(path.parent)
            shown = {"text/html": html.splitlines(keepends=True), "text/plain": text.splitlines(keepends=True)}
            output = {"output_type": "display_data", "metadata": {}, "data": shown}
            stale = [cell for cell in cells if cell.get("outputs") != [output]]
            for cell in stale:
                cell["outputs"] = [output]
            if stale:
                write_atomically(path, _as_json(content))
        except (OSError, ValueError, RecursionError):
            continue


def _banner_cells(content: Any) -> list[dict[str, Any]]:
    """Return the code cells that are tagged as banner, whatever else the file may hold."""
    cells = content.get("cells") if isinstance(content, dict) else None
    found = []
    for cell in cells if isinstance(cells, list) else []:
        metadata = cell.get("metadata") if isinstance(cell, dict) and cell.get("cell_type") == "code" else None
        tags = metadata.get("tags") if isinstance(metadata, dict) else None
        if isinstance(tags, list) and BANNER_TAG in tags:
            found.append(cell)
    return found


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
    return run_server(command, environment)


def run_server(command: Sequence[str], environment: Mapping[str, str], files: Mapping[str, str] | None = None) -> int:
    """Run a Jupyter server until it is stopped, and return its exit code.

    It takes uploads of 200 MB, and drops no table that is large. `files` are more files for its search paths.
    """
    limits = {
        "ZMQChannelsWebsocketConnection": {"iopub_data_rate_limit": 1e10},
        **{name: {"tornado_settings": {"websocket_max_message_size": _LARGEST}} for name in ("ServerApp", "Voila")},
    }
    with tempfile.TemporaryDirectory(prefix="itnio-nb-") as place:
        settings = dict.fromkeys(("jupyter_server_config.json", "voila.json"), json.dumps(limits))
        for name, text in {**settings, **(files or {})}.items():
            Path(place, name).parent.mkdir(parents=True, exist_ok=True)
            Path(place, name).write_text(text, encoding="utf-8")
        given = {**os.environ, **environment}
        paths = {
            name: os.pathsep.join(filter(None, [place, given.get(name)]))
            for name in ("JUPYTER_CONFIG_PATH", "JUPYTER_PATH")
        }
        server = subprocess.Popen(command, env={**given, **paths})  # noqa: S603 - this Python, the user's options

        def stop(number: int, _: object) -> None:
            # At a terminal Ctrl-C has reached the server too, which asks whether to stop.
            if number != signal.SIGINT or not sys.stdin.isatty():
                server.terminate()

        for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # Windows has no SIGHUP
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), stop)
        return server.wait()


def _clear(path: Path) -> None:
    """Take the outputs away: they tell of another run, on a sandbox."""
    content = json.loads(path.read_bytes())
    for cell in content["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
    path.write_bytes(_as_json(content))


def _as_json(content: Any) -> bytes:
    """Write a notebook as Jupyter does."""
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()
