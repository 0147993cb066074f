"""What a command prints is an aid: nothing that becomes of its readers disturbs it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping

import pytest

PRINTS = """
import sys
from itnio_nb.cli.streams import protect_streams
import click
protect_streams()
for number in range(2000):
    print("a line that is long enough to fill a pipe before long \\u2026", number, flush=True)
    click.echo("and another \\u2026 \\udcff")
    click.echo("an error \\u2026", err=True)
    print("and this", file=sys.stderr)
import os
os.open(os.devnull, os.O_RDONLY) > 2 or sys.exit(5)
sys.exit(7)
"""


def code_of(shell: str, settings: Mapping[str, str] | None = None) -> int:
    """The exit code of the program, run by a shell that does this to its streams."""
    environment = {**os.environ, "PROGRAM": PRINTS, "PYTHON": sys.executable, **(settings or {})}
    command = ["bash", "-c", shell.format(it='"$PYTHON" -c "$PROGRAM"')]
    return subprocess.run(command, env=environment, capture_output=True, timeout=60, check=False).returncode


@pytest.mark.parametrize(
    "shell",
    [
        "{it}",
        "{it} | head -n 1; exit ${{PIPESTATUS[0]}}",
        "{it} 2>&1 | head -n 1; exit ${{PIPESTATUS[0]}}",
        "{it} | true; exit ${{PIPESTATUS[0]}}",
        "{it} >/dev/full",
        "{it} >/dev/full 2>&1",
        "{it} >&-",
        "{it} 2>&-",
        "{it} >&- 2>&- <&-",
        "{it} <&-",
    ],
)
def test_its_readers_do_not_matter(shell: str) -> None:
    """A pipe that nobody reads, a full disk, streams that were closed: the code is its own."""
    assert code_of(shell) == 7


@pytest.mark.parametrize(
    "settings",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "latin-1"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"LC_ALL": "POSIX"},
    ],
    ids=str,
)
def test_its_encoding_does_not_matter(settings: dict[str, str]) -> None:
    """A character that it has not is written as an escape."""
    assert code_of("{it}", settings) == 7
