"""What axe-core, the engine that browsers' own audits use, has to say against a part of a page."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from playwright.sync_api import Page

_SCRIPT = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
# Of a page as a whole, which JupyterLab or Voilà has made: what lies outside of our root elements is theirs.
_OF_PAGES = ["bypass", "document-title", "html-has-lang", "html-lang-valid", "html-xml-lang-mismatch", "meta-refresh"]
_OF_PAGES += ["meta-viewport", "meta-viewport-large", "page-has-heading-one", "region", "skip-link"]
_OF_PAGES += ["landmark-one-main", "landmark-no-duplicate-main", "landmark-main-is-top-level"]
_RUN = """([selector, without, off]) => axe.run(
  { include: [...document.querySelectorAll(selector)].filter((one) => one.checkVisibility()), exclude: without },
  { resultTypes: ["violations"], rules: Object.fromEntries(off.map((name) => [name, { enabled: false }])) },
)"""


def violations(page: Page, selector: str = ".itnio", *, without: str = "") -> list[str]:
    """Return a line for each place in the elements that are to be seen which breaks a rule, those of pages left out.

    `without` are elements that are not looked at.
    """
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(_SCRIPT)
    assert page.locator(selector).locator("visible=true").count(), f"nothing to look at: {selector}"
    found: dict[str, Any] = page.evaluate(_RUN, [selector, [[without]] if without else [], _OF_PAGES])
    return [
        f"{broken['id']}: {place['html'][:160]}: {' '.join(place['failureSummary'].split())}"
        for broken in found["violations"]
        for place in broken["nodes"]
    ]
