"""The console command `itnio-nb`."""

from __future__ import annotations

import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import count
from math import isfinite
from pathlib import Path
from typing import Any

import click

from itnio_nb import __version__
from itnio_nb.api.account import Account
from itnio_nb.cli.run import run
from itnio_nb.cli.servers import FIRST_DATA, FIRST_NOTEBOOK, find_notebooks
from itnio_nb.errors import InputError, ItnioError


class _WrongUsage(click.UsageError):
    """Of `run`, whose exit code 2 says that there are changes to make."""

    exit_code = 1


class _Commands(click.Group):
    """Turns what a user can cause into one line, and never into a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            if ctx.invoked_subcommand == "run":
                raise _WrongUsage(error.format_message(), error.ctx) from None
            raise
        except ItnioError as error:
            raise click.ClickException(str(error)) from None


def _finite(_: click.Context, parameter: click.Parameter, value: float) -> float:
    """Refuse `nan` and endless numbers, which click takes for numbers."""
    if not isfinite(value):
        raise click.BadParameter("a number of seconds is needed.", param=parameter)
    return value


def _list_faults(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        from itnio_nb.sandbox.faults import KINDS

        click.echo("\n".join(f"{kind:13}{words}" for kind, words in KINDS.items()))
        context.exit()


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, package_name="itnio-nb")
def main() -> None:
    """Create SIP phones on an ITNIO Voice account from a spreadsheet, and know what became of each."""


@main.command()
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("itnio-demo"),
    show_default=True,
    help="Where the executed notebook and the result files go, in a folder of their own for each time.",
)
def demo(folder: Path) -> None:
    """Watch a real spreadsheet become phones: run the first notebook on the embedded sandbox, on this machine alone."""
    target = _new_folder(folder)
    notebooks = find_notebooks()
    try:
        (target / FIRST_DATA).parent.mkdir()
        shutil.copyfile(notebooks / FIRST_DATA, target / FIRST_DATA)
        shutil.copyfile(notebooks / FIRST_NOTEBOOK, target / FIRST_NOTEBOOK)
    except OSError as error:
        raise InputError(f"{target} cannot be written ({error.strerror}): choose another --folder.") from None
    from itnio_nb.runbooks.narrate import execute

    problem = execute(target / FIRST_NOTEBOOK, click.echo, {"ITNIO_SANDBOX": "1"})
    if problem:
        raise click.ClickException(f"{problem}\nThe notebook as far as it came: {target / FIRST_NOTEBOOK}")
    click.echo(f"\nExecuted notebook: {target / FIRST_NOTEBOOK}")
    click.echo(f"Ledger:            {target / 'results' / 'ledger.sqlite'}")
    click.echo("Result files:")
    for path in sorted((target / "results").glob("*.csv")):
        click.echo(f"  {path}")
    click.echo("Hand-over files, with the passwords of the phones:")
    for path in sorted((target / "results").glob("*.xlsx")):
        click.echo(f"  {path}")
    click.echo("Next: itnio-nb lab opens the notebooks in JupyterLab, for a file of your own.")


@main.command(context_settings={"ignore_unknown_options": True})
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("itnio-notebooks"),
    show_default=True,
    help="Your folder: in it is a working copy of the notebooks for each version, which no upgrade overwrites.",
)
@click.option("--sandbox", "sandbox", is_flag=True, help="Work on the sandbox, whatever account is configured.")
@click.argument("jupyter_options", nargs=-1, type=click.UNPROCESSED)
def lab(folder: Path, sandbox: bool, jupyter_options: tuple[str, ...]) -> None:
    """Open the notebooks in JupyterLab: on the configured account or, where none is, on a sandbox.

    Options that are not listed here are JupyterLab's, such as --no-browser or --port 9000.
    """
    from itnio_nb.cli.servers import require_jupyterlab, serve, stamp, working_copy
    from itnio_nb.workspace import banner, banner_html, is_sandbox_account

    require_jupyterlab()
    copy = folder / __version__
    made = working_copy(find_notebooks(), copy)
    with _place(copy, sandbox) as (account, environment):

        def banner_of(place: Path) -> tuple[str, str]:
            """Say where the notebooks of a folder work: each may have a `.env` file of its own."""
            theirs = account or Account.from_env(place)
            text = banner(theirs)
            return text, banner_html(text, sandbox=is_sandbox_account(theirs))

        stamp(folder, banner_of)
        click.echo(banner_of(copy)[0])
        click.echo(f"Your working copy of the notebooks: {copy} ({'new' if made else 'as you left it'})")
        if account is not None:
            page = account.base_url.removesuffix("/voice") + "/"
            click.echo(f"{page} shows what exists in the sandbox, until JupyterLab is stopped (Ctrl-C).")
        code = serve(folder, f"{__version__}/{FIRST_NOTEBOOK}", environment, jupyter_options)
    raise SystemExit(code)


@main.command()
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("itnio-app"),
    show_default=True,
    help="Where result files, hand-over files and, on a sandbox, the ledger go.",
)
@click.option("--sandbox", "sandbox", is_flag=True, help="Work on the sandbox, whatever account is configured.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port of 127.0.0.1. Default: a free one.")
@click.option("--theme", type=click.Choice(["light", "dark"]), default="light", show_default=True)
@click.option("--no-browser", is_flag=True, help="Open no browser: open the printed address yourself.")
def app(folder: Path, sandbox: bool, port: int, theme: str, no_browser: bool) -> None:
    """Serve the forms as a page without code: on the configured account or, where none is, on a sandbox."""
    from itnio_nb.cli.jupyter import require_voila, serve_app
    from itnio_nb.workspace import banner

    require_voila()
    with _place(folder, sandbox) as (account, environment):
        click.echo(banner(account or Account.from_env(folder)))
        code = serve_app(
            folder,
            environment,
            port,
            theme=theme,
            browser=not no_browser,
            ready=lambda address: click.echo(f"Open {address} (Ctrl-C stops it)"),
        )
    raise SystemExit(code)


@contextmanager
def _place(folder: Path, sandbox: bool) -> Iterator[tuple[Account | None, dict[str, str]]]:
    """Start a sandbox if one is wanted: its account, and the environment in which notebooks find it."""
    from itnio_nb.sandbox.sandbox import Sandbox
    from itnio_nb.workspace import LATENCY, settings_of, wants_sandbox

    if not sandbox and not wants_sandbox(folder):
        yield None, {}
        return
    # One for all notebooks, outside of their kernels: a kernel that is started again finds its phones there.
    with Sandbox(latency=LATENCY) as running:
        yield running.account, settings_of(running.account)


@main.command()
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port of 127.0.0.1. Default: a free one.")
@click.option(
    "--latency", type=click.FloatRange(0, 600), callback=_finite, default=0.0, help="Seconds before each answer."
)
@click.option(
    "--cap",
    type=click.IntRange(0),
    help="Phones that one application can hold; more get status -23. Default: any number.",
)
@click.option(
    "--app-id",
    "app_ids",
    multiple=True,
    help="Application id that exists; others get status -22. May be repeated. Default: any.",
)
@click.option(
    "--allow", multiple=True, help="Client address that may ask; others get status -2. May be repeated. Default: any."
)
@click.option(
    "--clock-offset",
    type=click.FloatRange(-1e9, 1e9),
    callback=_finite,
    default=0.0,
    help="Seconds by which the server's clock is ahead.",
)
@click.option("--lenient-names", is_flag=True, help="Accept names of 1 to 32 characters, as the vendor's samples send.")
@click.option("--broken", is_flag=True, help="Answer status -18 to every request, listings included.")
@click.option("--api-key", help="The key that it accepts. Default: a new one each time.")
@click.option("--api-secret", help="The secret that it accepts. Default: a new one each time.")
@click.option("--accounts", type=click.IntRange(1, 100), default=1, help="How many accounts it has. Default: 1.")
@click.option(
    "--file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Keep accounts and phones in this file; started again with it, they are all there. Default: in memory.",
)
@click.option(
    "--faults",
    metavar="FAULTS",
    default="",
    help="What goes wrong with requests: in order of arrival, as drop-after,none,502-before*3; by chance, as "
    "drop-after=0.2,late=0.1; or all=0.33 for every kind. See --list-faults.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Decides the faults that happen by chance.")
@click.option(
    "--stall",
    type=click.FloatRange(0, 3600),
    callback=_finite,
    default=60.0,
    help="Seconds that a stalled answer waits.",
)
@click.option(
    "--list-faults", is_flag=True, is_eager=True, callback=_list_faults, expose_value=False, help="List them."
)
def sandbox(
    broken: bool,
    allow: tuple[str, ...],
    app_ids: tuple[str, ...],
    accounts: int,
    faults: str,
    seed: int,
    **options: Any,
) -> None:
    """Serve a stand-in for the API on 127.0.0.1 until stopped, for any client in any language.

    A browser that opens its address (the one printed, without /voice) sees what exists in it.
    """
    from itnio_nb.sandbox.faults import Faults
    from itnio_nb.sandbox.sandbox import Sandbox

    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    try:
        menu = Faults.parse(faults, seed) if faults else None
        server = Sandbox(allowed_addresses=allow or None, app_ids=app_ids or None, faults=menu, **options)
        server.broken = broken
        server.start()
    except ValueError as error:
        raise InputError(str(error)) from None
    except OSError as error:
        raise InputError(f"Port {options['port']} cannot be used ({error.strerror}): choose another --port.") from None
    while len(server.accounts) < accounts:
        server.add_account()
    first, *others = server.accounts
    click.echo("# The sandbox is running until it is stopped (Ctrl-C). These lines fit into a .env file:")
    click.echo(f"ITNIO_BASE_URL={server.base_url}")
    click.echo(f"ITNIO_API_KEY={first.api_key}")
    click.echo(f"ITNIO_API_SECRET={first.api_secret.reveal()}")  # its own: it opens nothing else
    for account in others:
        secret = account.api_secret.reveal()
        click.echo(f"# or, for another account: ITNIO_API_KEY={account.api_key} ITNIO_API_SECRET={secret}")
    click.echo(f"# {server.page_url} shows what exists in it.")
    stopped.wait()
    server.stop()
    answered = server.served.total()
    click.echo(f"# Stopped. {answered:,} request{'s' * (answered != 1)} answered.")


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


main.add_command(run)
