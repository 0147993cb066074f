"""A real browser for the tests, and a JupyterLab or another server to look at with it."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from subprocess import DEVNULL, Popen, TimeoutExpired
from time import monotonic

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.support.required import lacking

_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
_FLAGS += ["--disable-component-update", "--disable-sync"]
PATIENCE = 150_000  # milliseconds: a busy machine takes its time, and a wait ends as soon as it can
_HERE = ("http://127.0.0.1:", "http://localhost:", "ws://127.0.0.1:", "data:", "blob:")
_KERNEL_IS_READY = """() => {
  const widget = window.jupyterapp?.shell?.currentWidget, kernel = widget?.sessionContext?.session?.kernel;
  return !!widget?.context?.isReady && kernel?.connectionStatus === 'connected' && kernel.status === 'idle';
}"""


def find_chromium() -> str | None:
    """Return the path of the system's Chromium, None without one."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def chromium() -> str:
    """Return the system's Chromium; without one skip the test, or fail it where everything is required."""
    return find_chromium() or lacking("no Chromium: on Debian and Ubuntu, apt install chromium")


@contextmanager
def a_page(width: int = 1300, height: int = 1400) -> Iterator[tuple[Page, list[str]]]:
    """A page, and the list of what went wrong in it: errors, and requests to any host but loopback."""
    wrong: list[str] = []
    path = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, headless=True, args=_FLAGS)
        page = browser.new_page(viewport={"width": width, "height": height})
        page.context.set_default_timeout(PATIENCE)
        expect.set_options(timeout=PATIENCE)
        # From the beginning: told only when a key is pressed, the browser may open its own dialog first.
        page.on("filechooser", lambda _: None)
        page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
        page.on("console", lambda line: wrong.append(f"console: {line.text}") if line.type == "error" else None)
        page.on("request", lambda request: None if request.url.startswith(_HERE) else wrong.append(request.url))
        try:
            yield page, wrong
        finally:
            browser.close()


def free_port() -> int:
    """A port that nobody listens on, and that the system gives to no one: a kernel would take it meanwhile."""
    for port in random.sample(range(20_000, 32_000), 100):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    pytest.fail("no port is free")


def an_app(
    command: Sequence[str | Path], cwd: Path, settings: Mapping[str, str], *options: str
) -> AbstractContextManager[str]:
    """`itnio-nb app` running; its address, with the token."""
    port = free_port()
    words = [*command, "app", "--no-browser", "--port", str(port), *options]
    return _serving(words, cwd / "app.log", settings, f"http://127.0.0.1:{port}/", "static/favicon.ico")


def a_lab(command: Sequence[str | Path], cwd: Path, settings: Mapping[str, str]) -> AbstractContextManager[str]:
    """`itnio-nb lab` running; its address, with the token. Its output goes to lab.log."""
    port = free_port()
    places = {f"JUPYTER_{name}_DIR": str(cwd / f"jupyter-{name.lower()}") for name in ("CONFIG", "DATA", "RUNTIME")}
    words = [*command, "lab", "--no-browser", f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]
    words.append("--LabApp.expose_app_in_browser=True")
    return _serving(words, cwd / "lab.log", {**places, **settings}, f"http://127.0.0.1:{port}/", "api")


@contextmanager
def _serving(words: Sequence[str | Path], log: Path, own: Mapping[str, str], url: str, early: str) -> Iterator[str]:
    """A server that answers at `early`: its address, with the token; its output goes to `log`, in its folder."""
    token = "a-token-of-the-tests"
    settings = {**os.environ, "JUPYTER_TOKEN": token, **own}
    with log.open("w") as out:
        process = Popen(words, cwd=log.parent, env=settings, stdin=DEVNULL, stdout=out, stderr=out)
    try:
        _await(url + early, process, log)
        yield f"{url}?token={token}"
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0, log.read_text()


def _await(url: str, process: Popen[bytes], log: Path) -> None:
    """Wait until a server answers; fail with what it printed if it ends or never does."""
    deadline = monotonic() + 180
    while monotonic() < deadline and process.poll() is None:
        with suppress(OSError):  # urllib's own error is one
            urllib.request.urlopen(url, timeout=20).close()
            return
        with suppress(TimeoutExpired):
            process.wait(0.1)
    pytest.fail(f"the server did not start:\n{log.read_text()}")


def run_all_from_the_menu(page: Page) -> None:
    """Run all cells as a person does: clicked before the kernel is ready, the menu's command is lost."""
    page.wait_for_function(_KERNEL_IS_READY)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
