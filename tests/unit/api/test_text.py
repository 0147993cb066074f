"""Words for people."""

from __future__ import annotations

from itnio_nb.api.text import duration, one_line, plural, printable


def test_counts_are_grammatical() -> None:
    """1 group, 12 groups, 1,200 groups."""
    expected = ["0 groups", "1 group", "12 groups", "1,200 groups"]
    assert [plural(number, "group") for number in (0, 1, 12, 1200)] == expected


def test_durations_are_words() -> None:
    """Rounded to seconds; parts of 0 are left out."""
    expected = ["0 s", "1 min", "41 min 10 s", "25 h 1 min 1 s"]
    assert [duration(seconds) for seconds in (0.4, 59.6, 2470, 90061)] == expected


def test_what_cannot_be_seen_is_escaped() -> None:
    """Control and direction characters; a line break stays."""
    assert printable("a\u202eb\x1bc\u200bd\ne") == "a\\u202eb\\x1bc\\u200bd\ne"
    assert printable("Müller 电话 ☎") == "Müller 电话 ☎"


def test_a_servers_text_is_one_short_line() -> None:
    """Line breaks, escape sequences and direction marks are gone, and so is all beyond 300 characters."""
    line = one_line("a\n\r\tb\x1b[31mred\x00\u202eevil\u2028 " + "x" * 10_000)
    assert line.startswith("a b [31mred evil xxx")
    assert line.isprintable()
    assert len(line) == 300
