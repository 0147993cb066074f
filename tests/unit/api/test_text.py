"""Words for people."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

import pytest

from itnio_nb.api.text import ago, duration, local_time, one_line, plural, printable, rough_duration, sortable_time

NOW = datetime.fromisoformat("2026-11-24T23:30:00+00:00")


def test_counts_are_grammatical() -> None:
    """1 group, 12 groups, 1,200 groups."""
    expected = ["0 groups", "1 group", "12 groups", "1,200 groups"]
    assert [plural(number, "group") for number in (0, 1, 12, 1200)] == expected


def test_durations_are_words() -> None:
    """Rounded to seconds; parts of 0 are left out."""
    expected = ["0 s", "1 min", "41 min 10 s", "25 h 1 min 1 s"]
    assert [duration(seconds) for seconds in (0.4, 59.6, 2470, 90061)] == expected


@contextmanager
def zone(monkeypatch: pytest.MonkeyPatch, name: str) -> Iterator[None]:
    """This process in another zone of time."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", name)
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize(
    ("where", "text", "expected"),
    [
        ("UTC", "2026-11-24T13:31:05.250000+00:00", "13:31 UTC"),
        ("Europe/Vienna", "2026-11-24T23:05:00+00:00", "00:05 CET"),  # it is the 25th there, as it is now
        ("Europe/Vienna", "2026-11-24T13:31:05+00:00", "24 Nov 14:31 CET"),
        ("Europe/Vienna", "2026-07-01T12:00:00+00:00", "1 Jul 14:00 CEST"),  # the zone of then
        ("America/New_York", "2026-11-25T04:00:00+00:00", "23:00 EST"),
        ("America/Sao_Paulo", "2026-11-24T13:31:05+00:00", "10:31 UTC-03"),  # a zone without a name
        ("Asia/Kolkata", "2025-12-31T20:00:00+00:00", "1 Jan 01:30 IST"),  # this year there
        ("UTC", "2025-12-31T20:00:00+00:00", "31 Dec 2025 20:00 UTC"),
        ("UTC", "2026-11-24T15:31:05+02:00", "13:31 UTC"),
        ("Europe/Vienna", "2026-11-24T13:31:05", "24 Nov 14:31 CET"),  # without a zone: the ledger's, UTC
    ],
)
def test_times_are_local_with_their_zone(where: str, text: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The day where it is not today's, the year where it is not this one's; today is that of the place."""
    with zone(monkeypatch, where):
        assert local_time(text, NOW) == expected


def test_times_of_a_column_have_an_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """As texts: a grid sorts them."""
    with zone(monkeypatch, "Europe/Vienna"):
        shown = [sortable_time(f"2026-{at}+00:00") for at in ("09-30T23:30:01", "11-24T22:59:59", "11-24T23:00:00")]
    assert shown == ["2026-10-01 01:30:01 CEST", "2026-11-24 23:59:59 CET", "2026-11-25 00:00:00 CET"]
    assert sorted(shown) == shown


def test_ages_are_words() -> None:
    """In their largest unit; what is in the future, by a clock that is behind, is now."""
    expected = {"23:29:01": "just now", "23:29:00": "1 minute ago", "22:30:01": "59 minutes ago"}
    expected |= {"22:30:00": "1 hour ago", "23:59:59": "just now"}
    assert {time: ago(f"2026-11-24T{time}+00:00", NOW) for time in expected} == expected
    assert ago("2026-11-22T20:00:00+00:00", NOW) == "2 days ago"
    assert rough_duration(120) == "2 minutes"
    assert rough_duration(59) == ""


@pytest.mark.parametrize("words", [local_time, sortable_time, ago])
@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "0001-01-01T00:00:00+14:00"])
def test_what_is_no_time_stays(words: Callable[[str], str], text: str) -> None:
    """An empty cell, a damaged one, a time that no zone has."""
    assert words(text) == text


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
