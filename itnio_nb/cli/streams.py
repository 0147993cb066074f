"""Standard streams that a command can lose without being disturbed: what it prints is an aid, what it does counts."""

from __future__ import annotations

import io
import os
import re
import select
import sys
from typing import Any

from itnio_nb.api.text import printable

_KEPT = re.compile("([\n\r\t])")  # what a bar and a table are made of


class _LosableFile(io.FileIO):
    """A file whose writes succeed, whatever becomes of who reads it: a closed terminal, `| head`, a full disk."""

    _lost = False

    def write(self, data: Any) -> int:
        while not self._lost:
            try:
                written = super().write(data)
            except OSError:
                self._lost = True
                break
            if written is not None:
                return written
            select.select([], [self], [])  # it does not block, and its reader is slow
        return len(memoryview(data).cast("B"))


class _HarmlessText(io.TextIOWrapper):
    """A stream whose reader may be a terminal: of what is written nothing moves its cursor, or fills its clipboard."""

    def write(self, text: str) -> int:
        parts = _KEPT.split(text)
        super().write("".join(part if _KEPT.fullmatch(part) else printable(part) for part in parts))
        return len(text)


def protect_streams() -> None:
    """Have writes to standard output and error never fail: nor for characters that their encoding has not.

    Control sequences, as names of files and cells of tables can hold, are shown for what they are.

    A stream that was closed when Python began is one to nowhere, so that no file gets its number.
    """
    if os.name == "nt":
        return
    for name, number in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
        stream = getattr(sys, name)
        if stream is None:
            _open_nowhere(number)
            stream = open(number, "r" if number == 0 else "w", closefd=False)  # noqa: SIM115 - for the process's life
            setattr(sys, name, stream)
        if number and _is_real(stream, number):
            file = io.BufferedWriter(_LosableFile(number, "w", closefd=False))
            encoding = stream.encoding
            setattr(sys, name, _HarmlessText(file, encoding, errors="backslashreplace", line_buffering=True))


def _open_nowhere(number: int) -> None:
    opened = os.open(os.devnull, os.O_RDWR)
    if opened != number:
        os.dup2(opened, number)
        os.close(opened)


def _is_real(stream: Any, number: int) -> bool:
    """Tell whether a stream is the process's own, and not one that stands in for it."""
    try:
        return bool(stream.fileno() == number)
    except (AttributeError, OSError, ValueError):
        return False
