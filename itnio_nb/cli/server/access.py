"""Who may open the page: whoever has the address that was printed. Runs in Voilà's process, which names this class."""

from __future__ import annotations

from tornado.web import RequestHandler
from voila.voila_identity_provider import VoilaIdentityProvider

_WORDS = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>itnio-nb</title>
<style>
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 40em; margin: 4em auto }
</style>
<h1>This address does not open the page</h1>
<p>The page was started again since, or the address is not complete. Open the one that <code>itnio-nb app</code> has
printed last, from <code>http://</code> to its end. What was sent, and what came of it, is in the ledger.</p>
"""


class PageAccess(VoilaIdentityProvider):  # type: ignore[misc] # Voilà has no types
    """Let in who has the token; say to all others what to do, where Jupyter would ask for a password."""

    def get_handlers(self) -> list[tuple[str, type[RequestHandler]]]:
        """Return what answers where Voilà sends those who have no token."""
        return [(r"/login", _NotThisAddress)]


class _NotThisAddress(RequestHandler):
    def get(self) -> None:
        self.finish(_WORDS)
