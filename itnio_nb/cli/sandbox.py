"""The command `sandbox`, and the sandbox that other commands start where no account is configured."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from itnio_nb.api.account.account import Account
from itnio_nb.api.account.private import make_private
from itnio_nb.api.text import plural
from itnio_nb.cli.servers import port_option
from itnio_nb.errors import InputError, os_error_reason

if TYPE_CHECKING:
    from itnio_nb.sandbox.sandbox import Sandbox


class _Seconds(click.FloatRange):
    """A number of seconds: click alone takes `nan` for one."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        seconds = super().convert(value, param, ctx)
        return seconds if isfinite(seconds) else self.fail("a number of seconds is needed.", param, ctx)


def _list_faults(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        from itnio_nb.sandbox.faults import KINDS, OF_RESETS

        click.echo("\n".join(f"{kind:13}{words}" for kind, words in KINDS.items()))
        click.echo(f"These are for sipAdd; query: before a kind is for sipQuery, reset: for sipReset.\n{OF_RESETS}")
        context.exit()


@click.command()
@port_option
@click.option("--latency", type=_Seconds(0, 600), default=0.0, help="Seconds before each answer.")
@click.option("--cap", type=click.IntRange(0), help="Phones of one application; more get status -23. Default: any.")
@click.option(
    "--app-id", "app_ids", multiple=True, help="Application id; others get status -22. Repeatable. Default: any."
)
@click.option("--allow", multiple=True, help="Client address; others get status -2. Repeatable. Default: any.")
@click.option(
    "--allow-host",
    "allowed_hosts",
    multiple=True,
    metavar="NAME",
    help="Answer to this name in the Host header too, of a tunnel or a container; it still listens on 127.0.0.1 alone.",
)
@click.option("--clock-offset", type=_Seconds(-1e9, 1e9), default=0.0, help="Seconds by which its clock is ahead.")
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
@click.option("--stall", type=_Seconds(0, 3600), default=60.0, help="Seconds that a stalled answer waits.")
@click.option(
    "--list-faults", is_flag=True, is_eager=True, callback=_list_faults, expose_value=False, help="List them."
)
def sandbox(accounts: int, **options: Any) -> None:
    """Serve a stand-in for the API on 127.0.0.1 until stopped, for any client in any language.

    A browser that opens its address (the one printed, without /voice) sees what exists in it.
    """
    try:
        server = _start(**options)
    except ValueError as error:
        raise InputError(str(error)) from None
    except OSError as error:
        raise InputError(f"Port {options['port']} cannot be used ({error.strerror}): choose another --port.") from None
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
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
    click.echo(f"# {server.base_url.removesuffix('voice')} shows what exists in it.")
    stopped.wait()
    server.stop()
    click.echo(f"# Stopped. {plural(server.served.total(), 'request')} answered.")


def _start(*, allow: Sequence[str], app_ids: Sequence[str], faults: str, seed: int, **options: Any) -> Sandbox:
    """Start a sandbox with the options of the command; `broken` is set before it listens."""
    from itnio_nb.sandbox.faults import Faults
    from itnio_nb.sandbox.sandbox import Sandbox

    broken = options.pop("broken")
    what_fails = Faults.parse(faults, seed) if faults else None
    server = Sandbox(allowed_addresses=allow or None, app_ids=app_ids or None, faults=what_fails, **options)
    server.broken = broken
    return server.start()


@contextmanager
def account_for(
    folder: Path, *, sandbox: bool, kept: Path | None = None, seed: Path | None = None
) -> Iterator[tuple[Account, dict[str, str]]]:
    """Yield the account to work on and the environment in which kernels find it.

    A sandbox is served, in this process, where `sandbox` asks for one or no account is configured for `folder`; with
    `kept` it is the one of that folder, else a new one that begins with the orders of the file `seed`. On a configured
    account the environment is empty.
    """
    from itnio_nb.api.client import Client
    from itnio_nb.sandbox.sandbox import Sandbox
    from itnio_nb.workspace import LATENCY, create_elsewhere, settings_of, wants_sandbox

    if not sandbox and not wants_sandbox(folder):
        yield Account.from_env(folder), {}
        return
    # One for all notebooks, outside of their kernels: a kernel that is started again finds its phones there.
    with Sandbox() if kept is None else _kept_sandbox(kept) as running:
        if seed is not None:
            with Client(running.account) as client:
                create_elsewhere(client, seed)
        running.latency = LATENCY if kept is None else 0
        yield running.account, settings_of(running.account)


@contextmanager
def _kept_sandbox(folder: Path) -> Iterator[Sandbox]:
    """Serve the sandbox of a folder: its phones, its key and, if it is free, its port are those of the last time."""
    from itnio_nb.sandbox.sandbox import Sandbox

    last_port = folder / "sandbox.port"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        make_private(last_port)
        server = Sandbox(file=folder / "sandbox.db")
    except OSError as error:
        words = (
            f"The sandbox cannot be kept in {folder} ({os_error_reason(error)}): delete that, or go to another folder."
        )
        raise InputError(words) from None
    except ValueError as error:
        raise InputError(str(error)) from None
    try:
        server.port = int(last_port.read_text())
        server.start()
    except (OSError, ValueError, OverflowError):  # the first time, nonsense in the file, or the port is taken
        server.port = 0
    with server:
        last_port.write_text(str(server.port))
        yield server
