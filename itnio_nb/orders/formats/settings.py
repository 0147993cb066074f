"""What the settings of reading are called where an operator meets them: in Python, in a form, in a runbook."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

# Each with the word before it: "one value for all rows can be given …".
PYTHON = {
    "constants": "as constants={...}",
    "columns": "as columns=[...]",
    "match": "as match={...}",
    "sheet": 'as sheet="..."',
    "encoding": 'as encoding="..."',
}
FORM = {"appId": 'in the field "Application for all rows"', "sheet": 'in the field "Sheet"', "match": "here"}
RUNBOOK = {"appId": "as app_id (--app-id)", "sheet": "as sheet (--sheet)", "match": "as match (--column)"}
_NAMES: ContextVar[Mapping[str, str]] = ContextVar("names of settings", default=PYTHON)


@contextmanager
def settings_named(names: Mapping[str, str]) -> Iterator[None]:
    """Call the settings by other names in what is said meanwhile: `FORM` or `RUNBOOK`."""
    token = _NAMES.set(names)
    try:
        yield
    finally:
        _NAMES.reset(token)


def setting(name: str) -> str:
    """Return how a setting is given here, "" where it cannot be."""
    return _NAMES.get().get(name, "")
