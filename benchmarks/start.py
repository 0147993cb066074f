"""What starting costs: the page of `itnio-nb app` and JupyterLab, each with a new home and a new browser.

    python benchmarks/start.py         # five rounds; --rounds 1 for a quick look

Seconds from the command to the address that it prints; from opening it at once to the first words, and to the first
button that can be pressed. In JupyterLab that is to the open notebook, without its kernel. Needs Chromium, and a
machine that does nothing else.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from harness import ROUNDS
from playwright.sync_api import Browser, sync_playwright

_COMMAND = Path(sys.executable).with_name("itnio-nb")
_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+/\S*token=\S+")
_LOOK = {  # the first words, and what can be used
    "app": ("[role=status]", "button:has-text('Upload a file'):enabled"),
    "lab": ("#jp-top-panel", ".jp-NotebookPanel .jp-Cell"),
}
HEAD = "what     address    first words    first use    in each round"


@contextmanager
def started(name: str) -> Iterator[tuple[str, float]]:
    """Run a command with a new home; the address that it prints, and after how many seconds."""
    with tempfile.TemporaryDirectory() as home:
        own = dict.fromkeys(("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"), home)
        places = {f"JUPYTER_{key}_DIR": f"{home}/{key}" for key in ("CONFIG", "DATA", "RUNTIME")}
        began = time.perf_counter()
        words = [str(_COMMAND), name, "--no-browser", "--sandbox"]
        process = subprocess.Popen(
            words, cwd=home, env={**os.environ, **own, **places}, stdout=subprocess.PIPE, text=True
        )
        try:
            assert process.stdout is not None
            found = next(filter(None, map(_ADDRESS.search, process.stdout)))
            yield found[0], time.perf_counter() - began
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


def opened(browser: Browser, name: str) -> tuple[float, float, float]:
    """Return the seconds to the address, from there to the first words, and to the first use."""
    words, use = _LOOK[name]
    with started(name) as (address, printed):
        page = browser.new_page(viewport={"width": 1300, "height": 1000})
        began = time.perf_counter()
        page.goto(address, wait_until="commit")
        page.locator(words).first.wait_for()
        read = time.perf_counter() - began
        page.locator(use).first.wait_for(timeout=60_000)
        used = time.perf_counter() - began
        page.close()
    return printed, read, used


def main() -> None:
    """Measure both, and print them."""
    rounds = int(sys.argv[sys.argv.index("--rounds") + 1]) if "--rounds" in sys.argv else ROUNDS
    print(HEAD)
    with sync_playwright() as playwright:
        for name in _LOOK:
            each = []
            for _ in range(rounds):
                browser = playwright.chromium.launch(
                    executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
                )
                each.append(opened(browser, name))
                browser.close()
            address, words, use = (median(one) for one in zip(*each, strict=True))
            all_of_them = ", ".join(f"{one[2]:.2f}" for one in each)
            print(f"{name} {address:11.2f} s {words:12.2f} s {use:10.2f} s    {all_of_them}", flush=True)


if __name__ == "__main__":
    main()
