"""The console command `itnio-nb`: its group, and `demo`. Commands import what they need when they are invoked."""

from __future__ import annotations

import shlex
import shutil
import sys
import warnings
from contextlib import suppress
from datetime import UTC, datetime
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

import click

from itnio_nb import __version__
from itnio_nb.cli.account.credentials import credentials
from itnio_nb.cli.account.doctor import doctor
from itnio_nb.cli.account.login import login, logout
from itnio_nb.cli.batch.run import run
from itnio_nb.cli.batch.template import template
from itnio_nb.cli.jupyter import app, lab
from itnio_nb.cli.ledger import ledger
from itnio_nb.cli.sandbox import sandbox
from itnio_nb.cli.servers import FIRST_NOTEBOOK, LEFT_OUT, command_name, find_notebooks, folder_option
from itnio_nb.cli.streams import protect_streams
from itnio_nb.errors import AccountWarning, InputError, ItnioError, os_error_reason


class _Commands(click.Group):
    """Shows the package's errors as one line, never as a traceback."""

    def main(self, *args: Any, **options: Any) -> Any:
        protect_streams()
        warnings.formatwarning = _one_line
        # jsonschema's check of international addresses, which no notebook has, builds 38 parsers when it is imported:
        # 1.7 seconds. Without that module it does without that check.
        sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type] # Python's way to say "not installed"
        return super().main(*args, **options)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            _require_folder()
            return super().invoke(ctx)
        except click.UsageError as error:
            if ctx.invoked_subcommand == "run":
                error.exit_code = 1  # type: ignore[misc] # 2 says that there are changes to make
            raise
        except ItnioError as error:
            raise click.ClickException(str(error)) from None


def _one_line(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> str:
    """Return a warning as it is printed: the package's own as one line, without that of our code which gave it."""
    if issubclass(category, AccountWarning):
        return f"Warning: {message}\n"
    return _as_usual(message, category, *place, **more)


_as_usual = warnings.formatwarning


def _require_folder() -> None:
    """Raise `InputError` where the folder in which the command was called is gone."""
    try:
        Path.cwd()
    except OSError as error:
        reason = os_error_reason(error)
        raise InputError(f"The folder that you are in cannot be used ({reason}): cd to another one.") from None


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, package_name="itnio-nb")
def main() -> None:
    """Create SIP phones on an ITNIO Voice account from a spreadsheet, and know what became of each."""


@main.command()
@folder_option("itnio-demo", "Where the executed notebook and the result files go, each time in a new folder.")
def demo(folder: Path) -> None:
    """Watch a real spreadsheet become phones: run the first notebook on the embedded sandbox, on this machine alone."""
    from itnio_nb.runbooks.runner import NotebookRunner, read_notebook

    target = _new_folder(folder)
    source, executed = find_notebooks(), target / FIRST_NOTEBOOK
    try:
        shutil.copytree(source / "data", target / "data", ignore=LEFT_OUT)
    except OSError as error:
        raise InputError(f"{target} cannot be written ({error.strerror}): choose another --folder.") from None
    runner = NotebookRunner(click.echo, headings=True)
    notebook = read_notebook(source / FIRST_NOTEBOOK)
    problem = runner.run(notebook, executed, settings={"ITNIO_SANDBOX": "1"}, folder=target)
    if problem:
        raise click.ClickException(f"{problem}\nThe notebook as far as it came: {executed}")
    results = target / "results"
    click.echo(f"\nExecuted notebook: {executed}\nLedger:            {results / 'ledger.sqlite'}")
    for words, pattern in (
        ("Result files", "*.csv"),
        ("Hand-over file, with the passwords of the phones", "*-phones.*"),
    ):
        click.echo("\n".join([f"{words}:", *(f"  {path}" for path in sorted(results.glob(pattern)))]))
    click.echo(f"Next, the notebooks in JupyterLab, for a file of your own:\n{_lab_command(source.parent)}")


def _lab_command(place: Path) -> str:
    """Return what opens JupyterLab here: with the repository's own command, with this one, or installed first."""
    if (place / "Makefile").is_file() and (place / "pyproject.toml").is_file():
        return "make lab" if place == Path.cwd() else shlex.join(["make", "-C", str(place), "lab"])
    lab = shlex.join([command_name(), "lab"])
    if find_spec("jupyterlab") is not None:
        return lab
    return f"{shlex.join([sys.executable, '-m', 'pip', 'install', 'itnio-nb[lab]'])} && {lab}"


def _new_folder(parent: Path) -> Path:
    """Make a folder that is not there yet, named after the time."""
    stem = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    try:
        parent.mkdir(parents=True, exist_ok=True)
        for number in count(1):
            folder = parent / (stem if number == 1 else f"{stem}-{number}")
            with suppress(FileExistsError):
                folder.mkdir()
                break
    except OSError as error:
        raise InputError(f"The folder {parent} cannot be used ({error.strerror}): choose another --folder.") from None
    return folder


for command in (lab, app, sandbox, run, template, login, logout, doctor, credentials, ledger):
    main.add_command(command)
