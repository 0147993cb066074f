"""Files that are there as a whole or not at all."""

from __future__ import annotations

import secrets
from pathlib import Path


def replace_file(path: Path, contents: bytes) -> None:
    """Write beside the file, then put it in its place: a reader never meets half of it, a failure leaves no trace.

    Raises `OSError`.
    """
    unfinished = path.with_name(f".{secrets.token_hex(8)}.tmp")  # a name that nobody has, and nobody can foresee
    try:
        with unfinished.open("xb") as file:
            file.write(contents)
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
