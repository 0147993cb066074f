"""What a runbook's kernel does before the first cell: it tells what the runner must know, and who runs what."""

from __future__ import annotations

import getpass
import logging
import platform
import signal
import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from time import monotonic
from typing import Any

import pandas as pd

from itnio_nb.api import client as clients
from itnio_nb.api.account.account import Account
from itnio_nb.api.client import Client
from itnio_nb.api.models import now
from itnio_nb.api.text import encodable, printable_line
from itnio_nb.runbooks.interrupts import SAME, SIGNALS
from itnio_nb.runs.results import show_html

# An output of a kernel that no record keeps: an application, and its passwords that cells have now.
REVEALED_MIME = "application/vnd.itnio-nb.revealed+json"
_VERSIONS = ("itnio-nb", "pandas", "requests", "SQLAlchemy", "nbclient")


@dataclass(frozen=True)
class Heading:
    """Who ran what, when, on which file and with which versions: the first output of a record."""

    rows: Mapping[str, str]

    def __repr__(self) -> str:
        width = max(map(len, self.rows))
        return "\n".join(f"{name:{width}}  {text}" for name, text in self.rows.items())

    def _repr_html_(self) -> str:
        return show_html("Record of a run", pd.DataFrame(self.rows.items(), columns=["what", "is"]))


def begin(parameters: Mapping[str, object], files: Sequence[str] = ()) -> Heading:
    """Prepare this kernel to be stopped by signals and to tell of passwords, and return the heading of its record."""
    shell = _shell()
    if shell is not None:
        _hear_signals(shell.kernel)
        # What its sockets say while it comes to an end is nothing of the run's: without a handler it goes to stderr.
        logging.getLogger("tornado.general").addHandler(logging.NullHandler())
        clients.reveal_listeners.append(lambda app_id, passwords: _tell_passwords(shell, app_id, passwords))
    with Client(Account.from_env()) as client:
        return heading(client, parameters, files)


def heading(client: Client, parameters: Mapping[str, object], files: Sequence[str] = ()) -> Heading:
    """Return the heading of a record: account (last four of its key), user, time, SHA-256 of files, versions."""
    account, time = client.account, now()
    rows = {"account": f"…{account.api_key[-4:]} at {account.base_url}", "user": f"{_user()} on {platform.node()}"}
    rows["began"] = f"{time:%Y-%m-%d %H:%M:%S} UTC, {time.astimezone():%Y-%m-%d %H:%M:%S %Z} here"
    rows |= {printable_line(f"file {name}"): _digest(Path(name)) for name in files}
    rows |= {f"parameter {name}": encodable(repr(value)) for name, value in parameters.items()}
    versions = "".join(f"{name} {version(name)}, " for name in _VERSIONS)
    return Heading(rows | {"versions": f"{versions}Python {platform.python_version()}"})


def _digest(path: Path) -> str:
    try:
        data = path.read_bytes()
    except (OSError, ValueError):  # a name may be no name of a file
        return "is not there"
    return f"SHA-256 {sha256(data).hexdigest()}, {len(data):,} bytes"


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user may have no name
        return "an unknown user"


def _shell() -> Any:
    """Return the shell of the kernel that this is, None outside of one."""
    from IPython import get_ipython

    shell = get_ipython()
    return shell if hasattr(shell, "kernel") else None


def _hear_signals(kernel: Any) -> None:
    """Have SIGINT, SIGTERM and SIGHUP interrupt the cell that is executing, once, and do nothing between cells.

    Else the kernel would die of what is sent to all processes of a service, with requests under way.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    # What was ignored when Python began stays so, under `nohup`; Jupyter itself ignores SIGINT between two cells.
    numbers = [one for one in SIGNALS if one == signal.SIGINT or signal.getsignal(one) != signal.SIG_IGN]
    last = [-SAME]

    def interrupt(*_: object) -> None:
        if monotonic() - last[0] >= SAME:
            last[0] = monotonic()
            raise KeyboardInterrupt

    def hear() -> None:
        for number in numbers:
            signal.signal(number, interrupt)

    def ignore() -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)

    kernel.pre_handler_hook, kernel.post_handler_hook = hear, ignore
    hear()  # the cell that this is called in


def _tell_passwords(shell: Any, app_id: str, passwords: Collection[str]) -> None:
    shell.display_pub.publish({REVEALED_MIME: {"application": app_id, "passwords": sorted(set(passwords))}})
