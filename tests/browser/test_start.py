"""Starting: the printed address answers, words stand where the form will be, and nothing reads like a fault."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import Popen, TimeoutExpired
from urllib.request import urlopen

import psutil
import pytest
from playwright.sync_api import Page, expect

from tests.support.browser import a_page, free_port
from tests.support.factories import until
from tests.support.person import Person
from tests.support.processes import COMMAND, read_line, start

_STARTED = "#itnio-start [role=status]"
_GONE = "#itnio-gone"
_ORDER = b"groupName,phoneName,quantity,displayNum,appId\nsales,desk,2,8610850001,4luaKsL2\n"
_ADDRESS = re.compile(r"^Open (http://127\.0\.0\.1:\d+/\S*token=\S+) \(Ctrl-C stops it\)$")
# Looks at each frame of a page: the words that are shown, "form" once it is there, "" where nothing is.
_WATCH = """
window.seen = [];
const shown = (one) => one?.checkVisibility({ visibilityProperty: true });
const look = () => {
  const words = document.querySelector('#itnio-start [role=status]');
  const form = [...document.querySelectorAll('.itnio button')].some(shown);
  const now = form ? 'form' : shown(words) ? words.innerText : '';
  if (window.seen.at(-1) !== now) window.seen.push(now);
  requestAnimationFrame(look);
};
look();
"""


@contextmanager
def started(name: str, home: Path, *options: str) -> Iterator[tuple[Popen[str], str, list[str]]]:
    """`itnio-nb app` or `lab` of somebody who never used Jupyter; the address, and the lines printed before it."""
    own = dict.fromkeys(("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"), str(home))
    own |= {f"JUPYTER_{key}_DIR": str(home / f"jupyter-{key.lower()}") for key in ("CONFIG", "DATA", "RUNTIME")}
    own["ITNIO_SANDBOX"] = "1"
    with start([*COMMAND, name, "--no-browser", *options], own) as process:
        lines: list[str] = []
        while not (found := _ADDRESS.match(line := read_line(process))):
            assert process.poll() is None, process.stderr and process.stderr.read()
            lines.append(line)
        try:
            yield process, found[1], lines
        finally:
            process.kill()


def stopped(process: Popen[str]) -> tuple[int, str, str]:
    """Press Ctrl-C; the exit code, and what was printed until then."""
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def kernels_of(process: Popen[str]) -> list[psutil.Process]:
    """The kernels of a command, that which waits for the next page included."""
    found = []
    for one in psutil.Process(process.pid).children(recursive=True):
        with suppress(psutil.Error):  # it ends just now
            found += [one] if "ipykernel_launcher" in " ".join(one.cmdline()) else []
    return found


def usable(page: Page) -> Person:
    """A person at a page, once its form can be used."""
    person = Person(page)
    expect(person.button("Upload a file")).to_be_enabled()
    return person


def test_the_page_says_what_it_does_until_its_form_is_there(tmp_path: Path) -> None:
    """The printed address is opened at once: words from the first thing shown on, and no empty moment after them."""
    with started("app", tmp_path) as (process, address, lines), a_page() as (page, wrong):
        page.add_init_script(_WATCH)
        page.goto(address, wait_until="commit")
        page.locator(_STARTED).wait_for()
        usable(page).sees("No orders yet")
        seen = list(page.evaluate("() => window.seen"))
        assert seen[0] == "" or seen[0].startswith("Starting")  # nothing came from the server yet
        assert seen[-1] == "form"
        assert "" not in seen[1:]
        assert any(words.startswith("Starting the forms") for words in seen)
        page.goto("about:blank")
        assert stopped(process) == (0, "", "")
    assert [line.split(":")[0] for line in lines] == ["SANDBOX at http"]
    assert wrong == []


@pytest.mark.parametrize("at", range(4))
def test_a_server_is_stopped_while_a_kernel_starts(at: int, tmp_path: Path) -> None:
    """That of the next page, at any moment of its start: nothing is said."""
    with started("app", tmp_path) as (process, _, _lines):
        until(lambda: len(kernels_of(process)) == 1, 60)
        with suppress(TimeoutExpired):
            process.wait(at * 0.15)
        assert stopped(process) == (0, "", "")


def test_two_pages_at_once_have_a_kernel_each(tmp_path: Path) -> None:
    """What is done on one is not on the other; one that is loaded again begins anew; one kernel waits for the next."""
    with started("app", tmp_path) as (process, address, _), a_page() as (page, wrong):
        assert page.context.browser is not None
        second = page.context.browser.new_page()
        for one in (page, second):
            one.goto(address, wait_until="commit")
        usable(page).upload("one.csv", _ORDER)
        Person(page).sees("1 order · ")
        usable(second).sees("No orders yet")
        ids = {one.evaluate("() => document.body.dataset.kernelId") for one in (page, second)}
        second.goto("about:blank")
        until(lambda: len(kernels_of(process)) == 2, 60)  # that of the page, and the next
        page.reload()
        usable(page).sees("No orders yet")
        ids.add(page.evaluate("() => document.body.dataset.kernelId"))
        assert len(ids) == 3
        page.goto("about:blank")
        until(lambda: len(kernels_of(process)) == 1, 60)
        stopped(process)
    assert wrong == []


def test_a_kernel_that_dies_is_said(tmp_path: Path) -> None:
    """In words, and the form does nothing any more; loaded again, as is offered, it works. So is a server that ends."""
    with started("app", tmp_path) as (process, address, _), a_page() as (page, wrong):
        page.goto(address)
        person = usable(page)
        for kernel in kernels_of(process):
            kernel.kill()
        person.sees("The program behind this page has ended. What was sent, and what came of it, is in the ledger")
        assert page.locator(_GONE).get_attribute("role") == "alert"
        assert page.locator("#rendered_cells").evaluate("one => one.inert")
        person.press("Load this page again")
        page.locator(_STARTED).wait_for()
        usable(page).upload("one.csv", _ORDER)
        person.sees("1 order · ")
        expect(page.locator(_GONE)).to_be_empty()
        assert wrong == []
        assert stopped(process)[0] == 0
        person.sees("itnio-nb app does not answer: it was stopped, or this computer slept.")


def test_what_keeps_the_forms_away_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as a ledger that cannot be opened: in its own words, as text, in place of a form."""
    (tmp_path / "results").write_text("<b>a file where the folder of the ledger would be</b>")
    with started("app", tmp_path, "--folder", str(tmp_path)) as (process, address, _), a_page() as (page, wrong):
        page.goto(address)
        Person(page).sees("Error: ")
        Person(page).sees("Load this page again once that is mended.")
        (tmp_path / "results").unlink()
        page.reload()
        usable(page).sees("No orders yet")
        page.goto("about:blank")
        assert stopped(process) == (0, "", "")
    assert wrong == []


def test_jupyterlab_opens_without_news_and_warnings(tmp_path: Path) -> None:
    """The first start of all: no question, no notification, and nothing is printed but where one works."""
    port = free_port()
    with started("lab", tmp_path, "--port", str(port)) as (process, address, lines), a_page() as (page, _):
        assert f":{port}/lab/tree/" in address
        page.goto(address)
        page.locator(".jp-NotebookPanel .jp-Cell").first.wait_for()
        expect(page.get_by_text("Python 3 (ipykernel) | Idle")).to_be_visible()
        page.evaluate("() => document.fonts.ready")
        expect(page.locator(".Toastify__toast, .jp-Dialog")).to_have_count(0)
        assert page.locator(".jp-Notification-Status").inner_text().strip() in ("", "0")
        page.goto("about:blank")
        assert stopped(process) == (0, "", "")
    assert [line.split(" ")[0].split(":")[0] for line in lines] == ["SANDBOX", "Your", "http"]


def test_the_operators_own_settings_win(tmp_path: Path) -> None:
    """Who wants to be asked for news is asked; a token of the environment stands in the printed address as it is."""
    folder = tmp_path / "jupyter-config" / "labconfig"
    folder.mkdir(parents=True)
    name = "@jupyterlab/apputils-extension:notification"
    (folder / "default_setting_overrides.json").write_text(json.dumps({name: {"fetchNews": "none"}}))
    with started("lab", tmp_path, "--ServerApp.port=0", "--IdentityProvider.token=mine") as (process, address, _):
        server, token = address.split("/lab/tree/")[0], address.split("?")[1]
        assert token == "token=mine"
        with urlopen(address, timeout=20) as answer:
            assert "/login" not in answer.url
        with urlopen(f"{server}/lab/api/settings/{name}?{token}", timeout=20) as answer:
            properties = json.load(answer)["schema"]["properties"]
        assert (properties["fetchNews"]["default"], properties["checkForUpdates"]["default"]) == ("none", False)
        stopped(process)
