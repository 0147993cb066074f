"""What a Jupyter server prints on the terminal."""

from __future__ import annotations

import logging

import pytest
from tornado.websocket import WebSocketClosedError

from itnio_nb.cli.server.launch import is_news


@pytest.mark.parametrize(
    ("words", "is_printed"),
    [
        ("Notebook 0.1.0/01-first-phones.ipynb is not trusted", False),
        ("received signal 15, stopping", False),
        ("Kernel 3a1b died, removing from map.", True),
        ("The port 9000 is already in use, trying another port.", True),
        ("ERROR: the Jupyter server could not be started because port 9000 is not available.", True),
        ("No web browser found: could not locate runnable browser.", True),
        ("Running as root is not recommended. Use --allow-root to bypass.", True),
    ],
)
def test_what_asks_something_of_an_operator_is_printed(words: str, is_printed: bool) -> None:
    """What belongs to each start and stop is not."""
    assert is_news(logging.LogRecord("ServerApp", logging.WARNING, "", 0, words, (), None)) == is_printed


@pytest.mark.parametrize(("error", "is_printed"), [(WebSocketClosedError(), False), (OSError("no disk"), True)])
def test_a_page_that_was_left_is_no_news(error: Exception, is_printed: bool) -> None:
    """Something was on its way to it; what else nobody has waited for is told."""
    reason = (type(error), error, None)
    words = "Task exception was never retrieved"
    assert is_news(logging.LogRecord("asyncio", logging.ERROR, "", 0, words, (), reason)) == is_printed
