"""Files that are written whole or not at all, and what a cell shows of those that were."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import pandas as pd

from itnio_nb.api.text import html_block, html_text, plural, printable
from itnio_nb.orders.export.tables import table_as_html


class WrittenFiles(dict[str, Path]):
    """Files that were written, path by kind. In a cell it shows how many rows each has, and all of them together."""

    def __init__(self, paths: dict[str, Path], rows: dict[str, int], noun: str, *, is_new: bool = True) -> None:
        """`rows` has the number of rows of each kind, `noun` what one of them is, such as `order`.

        Several kinds may be in one file. `is_new`: False for files that were there before.
        """
        super().__init__(paths)
        self.rows, self.is_new, self._noun = rows, is_new, noun

    def __repr__(self) -> str:
        parts = ", ".join(f"{kind} {number:,}" for kind, number in self.rows.items())
        return printable(f"{self._headline}: {parts}." if self else f"{self._headline}.")

    def _repr_html_(self) -> str:
        table = pd.DataFrame(self.rows.items(), columns=["file", f"{self._noun}s"])
        return html_block(f"<p>{html_text(self._headline)}.</p>", table_as_html(table) if self else "")

    @property
    def _headline(self) -> str:
        if not self:
            return "No files were written"
        folder = os.path.relpath(next(iter(self.values())).parent)
        files = f"{plural(len(set(self.values())), 'file')} in {folder}/"
        number = plural(sum(self.rows.values()), self._noun)
        return f"{files} with {number}" if self.is_new else f"Nothing was written: {number}, before, to {files}"


def write_atomically(path: Path, contents: bytes, *, mode: int = 0o666) -> None:
    """Write beside the file, then put it in its place: a reader never meets half of it, a failure leaves no trace.

    `mode` is what others may do with it, as far as the process allows it: 0o600 for its owner's eyes alone. Raises
    `OSError`.
    """
    unfinished = path.with_name(f".{secrets.token_hex(8)}.tmp")  # a name that nobody has, and nobody can foresee
    try:
        with open(unfinished, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            file.write(contents)
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def next_free_path(path: Path) -> Path:
    """Return a path that does not exist yet: this one, else `name-2.xlsx` and so on."""
    free, number = path, 2
    while free.exists():
        free, number = path.with_stem(f"{path.stem}-{number}"), number + 1
    return free
