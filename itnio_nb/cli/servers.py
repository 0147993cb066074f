"""What the commands share: the notebooks, the user's working copy of them, options, and running a Jupyter server."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from importlib.metadata import packages_distributions
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from itnio_nb.api.account.secret import child_environment
from itnio_nb.errors import InputError, os_error_reason

_LARGEST = 200 * 1024 * 1024  # bytes of one upload
_MODULES = (".py", ".pyc", ".so", ".pyd")  # what Python imports
_ANSWER = 30.0  # seconds for which the first answer may take
LAUNCH = ("-m", "itnio_nb.cli.server.launch")
FIRST_NOTEBOOK = "01-first-phones.ipynb"
FIRST_DATA = "data/phones.xlsx"
LEFT_OUT = shutil.ignore_patterns("results", "conftest.py", "make_*.py", "__pycache__", ".*")
# Waits until this process is gone, however it ended: its end of the pipe is closed then. Else the server would stay.
_WATCHER = """
import os, signal, sys
sys.stdin.buffer.read()
os.kill(int(sys.argv[1]), signal.SIGTERM)
"""


def _use_profile(_: click.Context, __: click.Parameter, name: str | None) -> None:
    """Have this process, and the kernels that it starts, read the account from a profile of the keyring."""
    if name:
        from itnio_nb.api.account.profiles import profile_name

        os.environ["ITNIO_PROFILE"] = profile_name(name)


profile_option = click.option(
    "--profile",
    callback=_use_profile,
    expose_value=False,
    help="The account that itnio-nb login has kept under this name, whatever else is configured.",
)
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


def hiding_files(folder: Path) -> list[Path]:
    """Return the Python files and packages in a folder that notebooks in it import in place of installed packages."""
    installed = packages_distributions()
    named_alike = [path for path in folder.iterdir() if path.name.split(".")[0] in installed]
    return sorted(path for path in named_alike if path.suffix in _MODULES or (path / "__init__.py").exists())


def run_server(
    command: Sequence[str],
    environment: Mapping[str, str],
    files: Mapping[str, str] | None = None,
    *,
    port: int = 0,
    when_ready: Callable[[Path], None] | None = None,
) -> int:
    """Run a Jupyter server until it is stopped, and return its exit code.

    It takes uploads of 200 MB, and sends tables of any size. `files` are more files for its search paths.
    `when_ready` is called once it answers at `port`, with a folder of this user alone that lasts as long as it does.
    """
    with tempfile.TemporaryDirectory(prefix="itnio-nb-") as place:
        given = {**os.environ, **environment, **_search_paths(Path(place), files or {})}
        # In a folder of its own: Jupyter runs files such as voila.py, its configuration, of where it is started.
        server = subprocess.Popen(command, env=given, cwd=place)  # noqa: S603 - this Python, the user's options
        options: dict[str, Any] = {"stdin": subprocess.PIPE, "start_new_session": True, "env": child_environment()}
        watcher = subprocess.Popen([sys.executable, "-I", "-c", _WATCHER, str(server.pid)], **options)  # noqa: S603

        def stop(number: int, _: object) -> None:
            # At a terminal Ctrl-C has reached the server too, which asks whether to stop.
            if number != signal.SIGINT or not sys.stdin.isatty():
                server.terminate()

        for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # Windows has no SIGHUP
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), stop)
        if when_ready is not None:
            threading.Thread(target=_await_answer, args=(server, port, when_ready, Path(place)), daemon=True).start()
        try:
            return server.wait()
        finally:
            watcher.kill()


def _search_paths(place: Path, files: Mapping[str, str]) -> dict[str, str]:
    """Write the settings and other files of a server to a folder, and return the environment in which it finds them."""
    limits: dict[str, Any] = {"ZMQChannelsWebsocketConnection": {"iopub_data_rate_limit": 1e10}}
    limits["ServerApp"] = limits["Voila"] = {"tornado_settings": {"websocket_max_message_size": _LARGEST}}
    settings = dict.fromkeys(("jupyter_server_config.json", "voila.json"), json.dumps(limits))
    for name, text in {**settings, **files}.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text, encoding="utf-8")
    names = ("JUPYTER_CONFIG_PATH", "JUPYTER_PATH")
    return {name: os.pathsep.join(filter(None, [str(place), os.environ.get(name)])) for name in names}


def _await_answer(server: subprocess.Popen[bytes], port: int, when_ready: Callable[[Path], None], place: Path) -> None:
    """Call `when_ready` once a server answers, if it ever does."""
    while server.poll() is None:
        connection = HTTPConnection("127.0.0.1", port, timeout=_ANSWER)
        try:
            connection.request("GET", "/login")
            connection.getresponse()
        except (OSError, HTTPException):
            with suppress(subprocess.TimeoutExpired):
                server.wait(0.1)
        else:
            when_ready(place)
            return
        finally:
            connection.close()
