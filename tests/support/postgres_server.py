"""A private PostgreSQL server, which ends with whoever started it: a program of its own, of the standard library alone.

    python tests/support/postgres_server.py /usr/lib/postgresql/15/bin fsync=off

It prints the address of the server once that answers, and ends it, with all of its files, when its standard input does:
the system closes that, however the one who holds its other end has ended.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

_SETTINGS = {"listen_addresses": "127.0.0.1", "max_connections": "200", "shared_buffers": "32MB"}
_PATIENCE = 60  # seconds for the server to answer
_TRIES = 5  # with another port each: one that was free may not be any more


class _User(NamedTuple):
    """Who starts programs, by numbers, as `subprocess` takes them; None is who runs this one."""

    user: int | None
    group: int | None
    extra_groups: tuple[int, ...] | None

    def give(self, path: Path) -> None:
        if self.user is not None and self.group is not None:
            os.chown(path, self.user, self.group)


def main(programs: Path, settings: Sequence[str]) -> None:
    """Serve until standard input ends."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # the end of standard input is what counts
        signal.signal(number, signal.SIG_IGN)
    folder = Path(tempfile.mkdtemp(prefix="itnio-pg-"))
    user = _another_user()
    user.give(folder)
    server = None
    try:
        password = secrets.token_hex(8)
        _make_cluster(programs, folder, password, user)
        server, port = _start(programs, folder, settings, user)
        print(f"postgresql://postgres:{password}@127.0.0.1:{port}/", flush=True)
        sys.stdin.read()
    finally:
        if server:
            _end(server)
        shutil.rmtree(folder, ignore_errors=True)


def _another_user() -> _User:
    """Return the user that a server must be started by: root is refused."""
    if os.geteuid() != 0:
        return _User(None, None, None)
    import pwd

    names = {one.pw_name: one for one in pwd.getpwall()}
    found = names.get("postgres") or names["nobody"]
    return _User(found.pw_uid, found.pw_gid, ())


def _make_cluster(programs: Path, folder: Path, password: str, user: _User) -> None:
    """Make the server's files; texts are in an order that is not that of their bytes, as on most servers."""
    kept = folder / "password"
    kept.touch(mode=0o600)
    kept.write_text(password)
    user.give(kept)
    options = ["--username=postgres", f"--pwfile={kept}", "--auth=scram-sha-256", "--no-sync", "--encoding=UTF8"]
    options += ["--locale=C", "--locale-provider=icu", "--icu-locale=en-US"]
    command = [str(programs / "initdb"), "-D", str(folder / "data"), *options]
    made = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False, **user._asdict())
    kept.unlink()
    if made.returncode:
        sys.exit(f"initdb: {made.stdout}{made.stderr}")


def _start(programs: Path, folder: Path, settings: Sequence[str], user: _User) -> tuple[subprocess.Popen[str], int]:
    """Start the server on a free port; return it, and the port, when it answers."""
    given = [f"{name}={value}" for name, value in _SETTINGS.items()]
    for _ in range(_TRIES):
        port = _free_port()
        settings_now = [*given, f"port={port}", f"unix_socket_directories={folder}", *settings]
        command = [str(programs / "postgres"), "-D", str(folder / "data"), *(f"--{one}" for one in settings_now)]
        with (folder / "log").open("ab") as log:
            server = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=folder,
                start_new_session=True,
                **user._asdict(),
            )
        if _answers(server, folder / "data" / "postmaster.pid"):
            return server, port
        _end(server)
    sys.exit(f"postgres: {(folder / 'log').read_text(errors='replace')}")


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _answers(server: subprocess.Popen[str], told: Path) -> bool:
    """Wait until the server says in its file that it is ready, as pg_ctl does; return False if it ends."""
    until = time.monotonic() + _PATIENCE
    while server.poll() is None and time.monotonic() < until:
        if told.exists() and told.read_text().splitlines()[7:8] == ["ready   "]:
            return True
        time.sleep(0.01)
    return False


def _end(server: subprocess.Popen[str]) -> None:
    """End the server at once: nobody needs its files any more."""
    server.send_signal(signal.SIGQUIT)
    try:
        server.wait(10)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
