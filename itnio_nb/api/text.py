"""Words for people: plurals, durations, times of day, and text from elsewhere made harmless on every way out.

What comes from a file, a server or an account is text, and never anything that a page, a terminal or a picture obeys:
`printable` for terminals and messages, `html_text` inside `html_block` for pages. Tables, CSV and XLSX files are made
of them by `orders.export`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from html import escape

_MAX_LINE = 300  # characters of a server's text that are kept
MAX_QUOTED = 78  # characters of a text that is quoted in a message, which makes 80 with its quotes
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")  # in any locale
_MAX_LISTED = 10  # names that are listed in a message
# Letters and marks that nobody sees, though Python calls them printable: fillers, joiners, variation selectors. The
# one that makes a picture of a character before it stays.
UNSEEN = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0e\uffa0\U000e0100-\U000e01ef]")


def plural(number: int, noun: str) -> str:
    """Return a grammatical count: `plural(1, "group")` is "1 group", `plural(1200, "group")` "1,200 groups"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def duration(seconds: float) -> str:
    """Return a time in words: `duration(2470)` is "41 min 10 s", `duration(0.4)` "0 s"."""
    whole = round(seconds)
    parts = [(whole // 3600, "h"), (whole // 60 % 60, "min"), (whole % 60, "s")]
    return " ".join(f"{number:,} {unit}" for number, unit in parts if number) or "0 s"


def local_time(text: str, at: datetime | None = None) -> str:
    """Return a kept time as people here read it: "14:31 CET", of another day "24 Nov 14:31 CET"; "" for "".

        local_time("2026-11-24T13:31:05+00:00")

    `at` is the present time. A text that is no time is returned as it is.
    """
    if (when := _local(text)) is None:
        return text
    today = (at or datetime.now(UTC)).astimezone()
    day = "" if when.date() == today.date() else f"{when.day} {_MONTHS[when.month - 1]} "
    year = "" if when.year == today.year else f"{when.year} "
    return f"{day}{year}{when:%H:%M} {zone_name(when)}"


def sortable_time(text: str) -> str:
    """Return a kept time as a column shows it, local with its zone, in an order: "2026-11-24 14:31:05 CET"."""
    when = _local(text)
    return text if when is None else f"{when.isoformat(' ', 'seconds')[:19]} {zone_name(when)}"


def ago(text: str, at: datetime | None = None) -> str:
    """Return how long ago a kept time is: "12 minutes ago", "1 day ago"; "just now" below a minute, "" for "".

    `at` is the present time. A text that is no time is returned as it is.
    """
    if (when := _local(text)) is None:
        return text
    span = rough_duration(((at or datetime.now(UTC)) - when).total_seconds())
    return f"{span} ago" if span else "just now"


def rough_duration(seconds: float) -> str:
    """Return a time in its largest unit: `rough_duration(2470)` is "41 minutes"; "" below a minute."""
    units = [(86_400, "day"), (3_600, "hour"), (60, "minute")]
    return next((plural(int(seconds // size), unit) for size, unit in units if seconds >= size), "")


def _local(text: str) -> datetime | None:
    """Return a kept time in the zone of this process, None for what is no time; one without a zone is in UTC."""
    try:
        when = datetime.fromisoformat(text)
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).astimezone()
    except (ValueError, OverflowError, OSError):
        return None


def zone_name(when: datetime) -> str:
    """Return the name of a zone, "UTC-03" for one that has none but its distance."""
    name = when.tzname() or ""
    return f"UTC{name}" if name[:1] in ("+", "-") else name


def printable(text: str) -> str:
    r"""Return a text with control, direction and other invisible characters as escapes; line breaks stay.

    >>> print(printable("north\u202e\u3164"))
    north\u202e\u3164
    """
    if text.isascii() and text.isprintable():
        return text
    seen = "".join(char if char.isprintable() or char == "\n" else _escaped(char) for char in text)
    return UNSEEN.sub(lambda found: _escaped(found[0]), seen)


def printable_line(text: str) -> str:
    """Return a text as `printable` does, and its line breaks as escapes too: it can be no line of its own."""
    return printable(text).replace("\n", "\\n")


def html_text(text: object) -> str:
    """Return a text as HTML that shows it and does nothing else; line breaks stay."""
    return escape(printable(str(text))).replace("\n", "<br>")


def html_block(*parts: str) -> str:
    """Return pieces of HTML as one block in which JupyterLab and its relatives take no dollar signs for formulas."""
    inside = "\n".join(filter(None, parts))
    return f'<div class="tex2jax_ignore mathjax_ignore">{inside}</div>'


def _escaped(char: str) -> str:
    return char.encode("ascii", "backslashreplace").decode() if ord(char) > 0x7F else repr(char)[1:-1]


def shortened(text: object) -> str:
    """Return a text as a message quotes it: printable, and its middle left out where it is longer than 78 characters.

    >>> shortened("x" * 1000)[-6:], len(shortened("x" * 1000))
    ('xxxxxx', 78)
    """
    whole = str(text)
    if len(whole) > 2 * MAX_QUOTED:  # no need to look at all of a very long one
        whole = f"{whole[:MAX_QUOTED]} {whole[-MAX_QUOTED:]}"
    shown = printable_line(whole)
    half = MAX_QUOTED // 2
    return shown if len(shown) <= MAX_QUOTED else f"{shown[: half - 1]}…{shown[-half:]}"


def listed(names: Iterable[object]) -> str:
    """Return names as a message lists them: the first ten, each shortened, and how many more there are.

    >>> listed(["north", "south"]), listed([])
    ('north, south', 'none')
    """
    texts = [shortened(name) for name in names]
    more = len(texts) - _MAX_LISTED
    return ", ".join(texts[:_MAX_LISTED]) + (f" and {more:,} more" if more > 0 else "") or "none"


def encodable(text: str) -> str:
    """Return a text with half surrogate pairs as escapes: no file can hold them."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def one_line(text: str) -> str:
    """Return a server's text as one short line, with a blank for what `printable` would escape."""
    blanked = "".join(char if char.isprintable() else " " for char in text[: 10 * _MAX_LINE])
    return " ".join(blanked.split())[:_MAX_LINE]
