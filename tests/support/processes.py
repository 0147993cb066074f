"""Python programs in processes of their own, for tests that kill or interrupt them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from tests.support.factories import ROOT


def restore_interrupt() -> None:
    """Let Ctrl-C interrupt a program: where the suite was started with SIGINT ignored, its children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start_python(code: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a program that can import the tests' support, with all three streams as pipes."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        preexec_fn=restore_interrupt,
    )


def tell(process: subprocess.Popen[str], line: str) -> None:
    """Write a line to a program's standard input."""
    assert process.stdin is not None
    process.stdin.write(f"{line}\n")
    process.stdin.flush()
