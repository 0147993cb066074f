"""Words for people: plurals, durations, text from elsewhere made printable."""

from __future__ import annotations


def plural(number: int, noun: str) -> str:
    """Return a grammatical count: `count(1, "group")` is "1 group", `count(1200, "group")` "1,200 groups"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def duration(seconds: float) -> str:
    """Return a time in words: `duration(2470)` is "41 min 10 s", `duration(0.4)` "0 s"."""
    whole = round(seconds)
    parts = [(whole // 3600, "h"), (whole // 60 % 60, "min"), (whole % 60, "s")]
    return " ".join(f"{number:,} {unit}" for number, unit in parts if number) or "0 s"


_MAX_REASON = 300  # characters of a server's text that are kept


def plain_words(text: str) -> str:
    """Keep a server's text to one short line without control or direction characters."""
    printable = "".join(character if character.isprintable() else " " for character in text[: 10 * _MAX_REASON])
    return " ".join(printable.split())[:_MAX_REASON]
