"""Words for people: plurals, durations, and text from elsewhere made printable."""

from __future__ import annotations

from collections.abc import Iterable

_MAX_LINE = 300  # characters of a server's text that are kept
MAX_QUOTED = 78  # characters of a text that is quoted in a message, which makes 80 with its quotes
_MAX_LISTED = 10  # names that are listed in a message


def plural(number: int, noun: str) -> str:
    """Return a grammatical count: `plural(1, "group")` is "1 group", `plural(1200, "group")` "1,200 groups"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def duration(seconds: float) -> str:
    """Return a time in words: `duration(2470)` is "41 min 10 s", `duration(0.4)` "0 s"."""
    whole = round(seconds)
    parts = [(whole // 3600, "h"), (whole // 60 % 60, "min"), (whole % 60, "s")]
    return " ".join(f"{number:,} {unit}" for number, unit in parts if number) or "0 s"


def printable(text: str) -> str:
    """Return a text with control, direction and other invisible characters as escapes; line breaks stay."""
    return "".join(char if char.isprintable() or char == "\n" else repr(char)[1:-1] for char in text)


def shortened(text: object) -> str:
    """Return a text as a message quotes it: printable, and its middle left out where it is longer than 78 characters.

    >>> shortened("x" * 1000)[-6:], len(shortened("x" * 1000))
    ('xxxxxx', 78)
    """
    whole = str(text)
    if len(whole) > 2 * MAX_QUOTED:  # no need to look at all of a very long one
        whole = f"{whole[:MAX_QUOTED]} {whole[-MAX_QUOTED:]}"
    shown = printable(whole).replace("\n", "\\n")
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
