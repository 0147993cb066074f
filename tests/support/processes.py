"""Processes that tests start: the console command, and Python programs to kill or interrupt."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, CompletedProcess, Popen
from types import TracebackType

import pytest

from itnio_nb import Sandbox
from tests.support.factories import ROOT

COMMAND = [str(Path(sys.executable).with_name("itnio-nb"))]


def restore_interrupt() -> None:
    """Let Ctrl-C interrupt a program: where the suite was started with SIGINT ignored, its children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Program(Popen[str]):
    """A program that is killed where a test fails inside `with`: `Popen` would wait for its end, for ever."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is not None:
            self.kill()
        super().__exit__(kind, error, traceback)


def start(command: Sequence[str | Path], settings: Mapping[str, str] | None = None) -> Program:
    """Start a program with `settings` added to the environment, and with all three streams as pipes."""
    own = {**os.environ, **(settings or {})}
    return Program(command, stdin=PIPE, stdout=PIPE, stderr=PIPE, text=True, env=own, preexec_fn=restore_interrupt)


def start_python(code: str, *arguments: str, sandbox: Sandbox | None = None) -> Popen[str]:
    """Start a program that can import the tests' support, and finds the account of a sandbox in its environment."""
    settings = settings_of(sandbox) if sandbox else {}
    return start([sys.executable, "-c", code, *arguments], {"PYTHONPATH": str(ROOT), **settings})


def tell(process: Popen[str], line: str) -> None:
    """Write a line to a program's standard input."""
    assert process.stdin is not None
    print(line, file=process.stdin, flush=True)


def read_line(process: Popen[str]) -> str:
    """Return the next line that a program prints; where it has ended, fail with what it has said of that."""
    assert process.stdout is not None
    if not (line := process.stdout.readline()):
        _, told = process.communicate(timeout=60)
        pytest.fail(f"it has ended with {process.returncode}:\n{told}")
    return line.strip()


def run(*words: str, settings: Mapping[str, str] | None = None) -> CompletedProcess[str]:
    """Run `itnio-nb` with these words to its end."""
    process = start([*COMMAND, *words], settings)
    try:
        out, err = process.communicate(timeout=180)
    finally:
        process.kill()
    return CompletedProcess([*COMMAND, *words], process.returncode, out, err)


@contextmanager
def serving(*words: str) -> Iterator[tuple[Popen[str], dict[str, str]]]:
    """The sandbox command, and the settings that it printed; what it printed is in .env."""
    process = start([*COMMAND, "sandbox", *words])
    lines = [read_line(process) for _ in range(4)]
    Path(".env").write_text("\n".join(lines))
    Path(".env").chmod(0o600)
    settings = dict(line.split("=", 1) for line in lines if line.startswith("ITNIO_"))
    try:
        yield process, settings
    finally:
        process.kill()
        process.communicate()


def settings_of(sandbox: Sandbox) -> dict[str, str]:
    """Return the environment in which a process finds the account of a sandbox."""
    account = sandbox.account
    secret = account.api_secret.reveal()
    return {"ITNIO_BASE_URL": account.base_url, "ITNIO_API_KEY": account.api_key, "ITNIO_API_SECRET": secret}
