"""The one set of names in form.css: every colour and distance is in it, and what is read or pressed has contrast."""

from __future__ import annotations

import re

import pytest

from tests.support.factories import ROOT

STATIC = ROOT / "itnio_nb" / "forms" / "static"
CSS = re.sub(
    r"/\*.*?\*/", "", "".join(one.read_text(encoding="utf-8") for one in sorted(STATIC.rglob("*.css"))), flags=re.DOTALL
)
THEMES = {"light": 0, "dark": 1}
COLOURS = {
    name: pair for name, *pair in re.findall(r"--itnio-([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)", CSS)
}
GROUNDS = ("ground", "raised", "select", "error-ground", "warning-ground", "repaired-ground")
# What is used on what: words, and the edges and rings by which one knows what can be pressed and where one is.
TEXTS = [(text, ground) for text in ("text", "faint") for ground in GROUNDS]
TEXTS += [(text, ground) for text in ("error", "warning", "good", "busy", "accent") for ground in ("ground", "raised")]
TEXTS += [
    ("error", "error-ground"),
    ("warning", "warning-ground"),
    ("good", "repaired-ground"),
    ("on-accent", "accent"),
]
EDGES = [(edge, ground) for edge in ("edge", "focus", "accent", "good") for ground in ("ground", "raised")]
EDGES += [("error", "error-ground"), ("warning", "warning-ground"), ("focus", "select")]


def luminance(colour: str) -> float:
    """The relative luminance of WCAG 2."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_the_contrast_is_as_wcag_computes_it() -> None:
    """Black on white, the same on the same, and the grey that just reaches AA."""
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#777777") == 1
    assert contrast("#777777", "#ffffff") < 4.5 < contrast("#767676", "#ffffff")


@pytest.mark.parametrize("theme", THEMES)
def test_all_that_is_read_has_contrast(theme: str) -> None:
    """AA: 4.5 for words, 3 for the edges of fields and buttons and for the ring of the focus."""
    at = THEMES[theme]
    for pairs, least in ((TEXTS, 4.5), (EDGES, 3.0)):
        faint = {pair: contrast(COLOURS[pair[0]][at], COLOURS[pair[1]][at]) for pair in pairs}
        assert {pair: value for pair, value in faint.items() if value < least} == {}


def declarations() -> list[tuple[str, str]]:
    """Every property with its value, those that make up the set left out."""
    found = re.findall(r"([\w-]+)\s*:\s*([^;{}]+);", CSS)
    assert len(found) > 100
    return [(name, value) for name, value in found if not name.startswith("--itnio-")]


def test_no_other_colour_is_named() -> None:
    """A colour is one of the set, however it could be written; what shines through is none."""
    words = (
        r"#[0-9a-f]{3,8}\b|\b(rgba?|hsla?|oklch|light-dark)\(|\b(white|black|gr[ae]y|red|green|blue|orange|yellow)\b"
    )
    assert [one for one in declarations() if re.search(words, one[1])] == []


def test_no_other_distance_is_named() -> None:
    """Between things and inside of them are the steps of the set; so are the sizes of what is written."""
    spaced = re.compile(r"^(margin|padding|gap|font-size|border-radius|row-gap|column-gap)")
    found = [one for one in declarations() if spaced.match(one[0]) and re.search(r"[1-9][\d.]*(px|pt|rem|em)", one[1])]
    assert [one for one in found if "116px" not in one[1]] == []  # the width of the labels that notes stand below


def test_what_is_used_is_in_the_set() -> None:
    """A name that nobody has defined is drawn as nothing at all."""
    used = set(re.findall(r"var\((--itnio-[\w-]+)", CSS))
    assert used - set(re.findall(r"(--itnio-[\w-]+):", CSS)) == set()
    assert {f"--itnio-gap-{step}" for step in range(1, 5)} <= used
