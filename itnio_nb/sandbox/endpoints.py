"""The API document's rules as the sandbox reads them: statuses, and what a field may hold."""

from __future__ import annotations

import json
from typing import Any, TypeGuard

REASONS = {
    "0": "success",
    "-1": "Authentication error",
    "-2": "Restricted IP access",
    "-16": "Timestamp expires",
    "-18": "Port program unusual",
    "-20": "Data existing",
    "-22": "Parameter exception",
    "-23": "Data caps",
}


class StatusError(Exception):
    """Answer with this status."""


def json_object(body: bytes) -> dict[str, Any] | None:
    """Return the object that a body holds, None for any other body."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def required(body: dict[str, Any] | None) -> dict[str, Any]:
    """Refuse a body that holds no object."""
    if body is None:
        raise StatusError("-22")
    return body


def halved(body: dict[str, Any] | None) -> dict[str, Any]:
    """Ask for half of the phones, at least one."""
    body = required(body)
    return body | {"quantity": max(1, whole_number(body.get("quantity"), 1, 50) // 2)}


def whole_number(value: object, least: int, most: int) -> int:
    """Return an integer that is given as one or, as the PHP sample sends it, as a text of decimal digits."""
    if isinstance(value, str) and is_digits(value, 1, 10):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise StatusError("-22")
    return value


def is_digits(text: object, least: int, most: int) -> TypeGuard[str]:
    """Tell whether a value is a text of so many ASCII digits."""
    return isinstance(text, str) and least <= len(text) <= most and text.isascii() and text.isdigit()


def name_of(name: object, shortest: int) -> str:
    """Return a group or phone name that may be one."""
    if not isinstance(name, str) or not shortest <= len(name) <= 32 or any(map(_is_control, name)):
        raise StatusError("-22")
    return name


def _is_control(character: str) -> bool:
    return character < " " or "\x7f" <= character <= "\x9f" or character in "\u2028\u2029"
