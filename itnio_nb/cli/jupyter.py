"""The commands `lab`, JupyterLab on a working copy of the notebooks, and `app`, the forms as a page without code."""

from __future__ import annotations

import os
import secrets
import socket
import sys
import webbrowser
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

import click

from itnio_nb import __version__
from itnio_nb.cli.sandbox import account_for
from itnio_nb.cli.servers import (
    FIRST_NOTEBOOK,
    LAUNCH,
    find_notebooks,
    folder_option,
    hiding_files,
    port_option,
    profile_option,
    require_installed,
    run_server,
    sandbox_option,
    working_copy,
)
from itnio_nb.errors import InputError, os_error_reason

_STATIC = Path(__file__).parents[1] / "forms" / "static"
_APP = "app.ipynb"


@click.command(context_settings={"ignore_unknown_options": True})
@folder_option(
    "itnio-notebooks",
    "Your folder: in it is a working copy of the notebooks for each version, which no upgrade overwrites.",
)
@profile_option
@sandbox_option
@click.argument("jupyter_options", nargs=-1, type=click.UNPROCESSED)
def lab(folder: Path, sandbox: bool, jupyter_options: tuple[str, ...]) -> None:
    """Open the notebooks in JupyterLab: on the configured account or, where none is, on a sandbox.

    Options that are not listed here are JupyterLab's, such as --no-browser or --port 9000. Paths in them are absolute.
    """
    from itnio_nb.workspace import banner

    require_installed("JupyterLab", "lab", "jupyterlab")
    copy = folder / __version__
    notebooks = find_notebooks()
    made = working_copy(notebooks, copy)
    seed = notebooks / "data" / "yesterday.csv"  # what the first notebook finds there
    with account_for(copy, sandbox=sandbox, seed=seed) as (account, environment):
        click.echo(banner(account))
        click.echo(f"Your working copy of the notebooks: {copy} ({'new' if made else 'as you left it'})")
        for path in hiding_files(copy):
            click.echo(
                f"Warning: {path} hides an installed package of that name from the notebooks: rename it.", err=True
            )
        if environment:
            page = account.base_url.removesuffix("voice")
            click.echo(f"{page} shows what exists in the sandbox, until JupyterLab is stopped (Ctrl-C).")
        code = run_server(_lab_command(folder, jupyter_options), environment)
    raise SystemExit(code)


def _lab_command(folder: Path, options: Sequence[str]) -> list[str]:
    """Return what serves JupyterLab, on the notebooks of this version. It prints its address itself, and opens it."""
    return [
        *(sys.executable, "-P", *LAUNCH, "jupyterlab"),  # -P: notebooks may import what is beside them, the server not
        f"--ServerApp.root_dir={folder.resolve()}",
        f"--LabApp.default_url=/lab/tree/{__version__}/{FIRST_NOTEBOOK}",
        "--ServerApp.ip=127.0.0.1",
        "--Application.log_level=WARN",
        # It asks no host but its own.
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        *(["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []),
        *options,
    ]


@click.command()
@folder_option("itnio-app", "Where result files, hand-over files and, on a sandbox, the ledger go.")
@profile_option
@sandbox_option
@port_option
@click.option("--theme", type=click.Choice(["light", "dark"]), default="light", show_default=True)
@click.option("--no-browser", is_flag=True, help="Open no browser: open the printed address yourself.")
def app(folder: Path, sandbox: bool, port: int, theme: str, no_browser: bool) -> None:
    """Serve the forms as a page without code: on the configured account or, where none is, on a sandbox."""
    from itnio_nb.workspace import banner

    require_installed("Voilà", "lab", "voila")
    with account_for(folder, sandbox=sandbox) as (account, environment):
        click.echo(banner(account))
        code = _serve_app(folder, environment, port, theme, open_browser=not no_browser)
    raise SystemExit(code)


def _serve_app(folder: Path, environment: Mapping[str, str], port: int, theme: str, *, open_browser: bool) -> int:
    """Serve the forms on 127.0.0.1 until stopped; return Voilà's exit code. Files go to `folder`.

    Only who has the printed address with its token can open the page: whoever opens it can create phones.
    """
    from itnio_nb.orders.export.files import write_atomically

    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / _APP, (_STATIC / _APP).read_bytes())
    except OSError as error:
        raise InputError(f"{folder} cannot be written ({os_error_reason(error)}): choose another --folder.") from None
    port = _usable_port(port)
    token = os.environ.get("JUPYTER_TOKEN") or secrets.token_urlsafe(24)
    command = [
        *(sys.executable, "-P", *LAUNCH, "voila", str((folder / _APP).resolve())),
        "--Voila.ip=127.0.0.1",
        f"--Voila.port={port}",
        "--Voila.port_retries=0",
        "--Voila.auto_token=True",  # takes the one of the environment: a command line is seen by all users
        "--Voila.log_level=ERROR",
        "--Voila.open_browser=False",  # it would open the page without the token
        "--Voila.identity_provider_class=itnio_nb.cli.server.access.PageAccess",
        "--VoilaConfiguration.template=itnio",
        f"--VoilaConfiguration.theme={theme}",
    ]
    address = f"http://127.0.0.1:{port}/?token={token}"

    def tell(place: Path) -> None:
        click.echo(f"Open {address} (Ctrl-C stops it)")
        if open_browser:  # through a file: the command line of a browser is seen by all users
            (place / "open.html").write_text(f'<meta http-equiv="refresh" content="0; url={escape(address)}">')
            webbrowser.open((place / "open.html").as_uri())

    page = (_STATIC / "app.html.j2").read_text(encoding="utf-8")
    template = {"index.html.j2": page, "conf.json": '{"base_template": "lab"}'}
    files = {f"voila/templates/itnio/{name}": text for name, text in template.items()}
    # Python files in the folder are not run, whoever has put them there.
    given = {**environment, "JUPYTER_TOKEN": token, "PYTHONSAFEPATH": "1"}
    return run_server(command, given, files, port=port, when_ready=tell)


def _usable_port(port: int) -> int:
    """Return a port that nobody listens on: this one or, for 0, any."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # one that was left a moment ago can be used
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise InputError(f"Port {port} cannot be used ({error.strerror}): choose another --port.") from None
        return int(probe.getsockname()[1])
