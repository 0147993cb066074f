"""A plan as text: the orders that a run keeps with it, and a whole plan in a file."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from itnio_nb.errors import InputError, os_error_reason
from itnio_nb.orders.export import write_atomically

_FORMAT = "itnio-nb plan"
_VERSION = 1


def write_plan_file(path: str | os.PathLike[str], contents: dict[str, Any]) -> Path:
    """Write a plan's contents beside the file, then put them in its place; nothing but a saved plan is replaced."""
    try:
        path = Path(path)
        if path.exists() and not _starts_as_plan(path.read_bytes()):
            raise InputError(f"{path} exists and is not a saved plan: choose another name, such as plan.json.")
        write_atomically(path, json.dumps({"format": _FORMAT, "version": _VERSION, **contents}).encode("ascii"))
    except (OSError, TypeError, ValueError) as error:  # a path can be wrong in many ways
        raise InputError(
            f"The plan cannot be written to {path!s} ({os_error_reason(error)}): choose another path."
        ) from None
    return path


def read_plan_file(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the contents that `write_plan_file` wrote."""
    try:
        data = Path(path).read_bytes()
    except (OSError, TypeError, ValueError) as error:
        raise InputError(
            f"The plan {path!s} cannot be read ({os_error_reason(error)}): check the name and the folder."
        ) from None
    if not _starts_as_plan(data):
        raise InputError(f"{path} is not a saved plan: give a file that plan.save(path) has written.")
    try:
        contents: dict[str, Any] = json.loads(data)
    except (ValueError, RecursionError):
        raise damaged(path) from None
    version = contents.get("version")
    if isinstance(version, int) and version > _VERSION:
        raise InputError(f"{path} was saved by a newer itnio-nb (plan version {version}): upgrade this one.")
    return contents


def damaged(path: str | os.PathLike[str]) -> InputError:
    """Return the error of a plan file that does not hold together."""
    return InputError(f"{path} was changed or damaged after it was saved: make the plan again and save it.")


def _starts_as_plan(data: bytes) -> bool:
    return data.startswith(json.dumps({"format": _FORMAT})[:-1].encode())
