"""What the commands share: the notebooks, the user's working copy of them, options, and running a Jupyter server."""

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

import click

from itnio_nb.errors import InputError, os_error_reason

_LARGEST = 200 * 1024 * 1024  # bytes of one upload
FIRST_NOTEBOOK = "01-first-phones.ipynb"
FIRST_DATA = "data/phones.xlsx"
LEFT_OUT = shutil.ignore_patterns("results", "conftest.py", "make_*.py", "__pycache__", ".*")
# Waits until this process is gone, however it ended: its end of the pipe is closed then. Else the server would stay.
_WATCHER = """
import os, signal, sys
sys.stdin.buffer.read()
os.kill(int(sys.argv[1]), signal.SIGTERM)
"""

sandbox_option = click.option("--sandbox", is_flag=True, help="Work on the sandbox, whatever account is configured.")
port_option = click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="Port of 127.0.0.1. Default: a free one."
)


def folder_option(default: str, words: str) -> Callable[[Any], Any]:
    """Return the option `--folder` of a command."""
    kind = click.Path(path_type=Path, file_okay=False)
    return click.option("--folder", type=kind, default=Path(default), show_default=True, help=words)


def require_installed(name: str, extra: str, *modules: str) -> None:
    """Raise `InputError` where one of the modules of an extra is not installed."""
    if any(find_spec(module) is None for module in modules):
        raise InputError(f'{name} is not installed: pip install "itnio-nb[{extra}]", then start this again.')


def command_name() -> str:
    """Return this command as it was called: its path, unless its name alone finds it."""
    called = sys.argv[0]
    return Path(called).name if shutil.which(Path(called).name) == called else called


def find_notebooks() -> Path:
    """Return the folder of the notebooks: the repository's, or the one inside the installed package."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "notebooks", package.parent / "notebooks"):
        if (folder / FIRST_NOTEBOOK).exists() and (folder / FIRST_DATA).exists():
            return folder
    raise InputError("The notebooks are not beside the package: install itnio-nb again.")


def working_copy(notebooks: Path, folder: Path) -> bool:
    """Copy the notebooks to a folder, without their outputs, unless it is there; return whether it was made.

    It is made as a whole or not at all. What is there is the user's: it is left as it is.
    """
    if folder.exists():
        return False
    from itnio_nb.runbooks.runner import clear_outputs, read_notebook, save_notebook

    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".unfinished-") as unfinished:
            copy = Path(unfinished, folder.name)
            shutil.copytree(notebooks, copy, ignore=LEFT_OUT, copy_function=shutil.copyfile)
            for place in (copy, *(path for path in copy.rglob("*") if path.is_dir())):
                place.chmod(0o755)  # the installed ones may be read-only
            for path in copy.rglob("*.ipynb"):
                notebook = read_notebook(path)
                clear_outputs(notebook)
                save_notebook(notebook, path)
            copy.rename(folder)
    except OSError as error:
        if folder.is_dir():
            return False  # somebody else was quicker
        reason = os_error_reason(error)
        raise InputError(f"The notebooks cannot be copied to {folder} ({reason}): choose another --folder.") from None
    return True


def run_server(command: Sequence[str], environment: Mapping[str, str], files: Mapping[str, str] | None = None) -> int:
    """Run a Jupyter server until it is stopped, and return its exit code.

    It takes uploads of 200 MB, and sends tables of any size. `files` are more files for its search paths.
    """
    limits: dict[str, Any] = {"ZMQChannelsWebsocketConnection": {"iopub_data_rate_limit": 1e10}}
    limits["ServerApp"] = limits["Voila"] = {"tornado_settings": {"websocket_max_message_size": _LARGEST}}
    with tempfile.TemporaryDirectory(prefix="itnio-nb-") as place:
        settings = dict.fromkeys(("jupyter_server_config.json", "voila.json"), json.dumps(limits))
        for name, text in {**settings, **(files or {})}.items():
            Path(place, name).parent.mkdir(parents=True, exist_ok=True)
            Path(place, name).write_text(text, encoding="utf-8")
        given = {**os.environ, **environment}
        for name in ("JUPYTER_CONFIG_PATH", "JUPYTER_PATH"):
            given[name] = os.pathsep.join(filter(None, [place, given.get(name)]))
        server = subprocess.Popen(command, env=given)  # noqa: S603 - this Python, the user's options
        watcher = subprocess.Popen(  # noqa: S603 - this Python
            [sys.executable, "-c", _WATCHER, str(server.pid)], stdin=subprocess.PIPE, start_new_session=True
        )

        def stop(number: int, _: object) -> None:
            # At a terminal Ctrl-C has reached the server too, which asks whether to stop.
            if number != signal.SIGINT or not sys.stdin.isatty():
                server.terminate()

        for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # Windows has no SIGHUP
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), stop)
        try:
            return server.wait()
        finally:
            watcher.kill()
