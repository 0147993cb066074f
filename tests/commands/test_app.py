"""The forms as a page of their own: served to who has its address, and to nobody else."""

from __future__ import annotations

import re
import signal
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path

import psutil
import pytest

from itnio_nb import __version__
from tests.support.browser import a_page, an_app
from tests.support.factories import until
from tests.support.person import Person
from tests.support.processes import COMMAND, read_line, run, start

LIVE = {"ITNIO_API_KEY": "bDqJFiq9", "ITNIO_API_SECRET": "7bz1lzh9"}


def answered(address: str) -> str | int:
    """Return what a stranger gets: the page to log in, another page, or a refusal."""
    try:
        with urllib.request.urlopen(address, timeout=20) as answer:
            return "login" if "/login" in answer.url else "a page"
    except urllib.error.HTTPError as error:
        return error.code


def test_who_has_its_address_comes_in(tmp_path: Path) -> None:
    """Nobody else, neither to the page nor to the kernels; a live account is named on terminal and in each form."""
    with an_app(COMMAND, tmp_path, LIVE | {"ITNIO_LEDGER": str(tmp_path / "ledger.sqlite")}) as address:
        server = address.split("?")[0]
        for path in ("", "api/kernels", "voila/api/shutdown/x", "voila/files/app.ipynb"):
            assert answered(server + path) in ("login", 403, 404, 405), path
        with a_page() as (page, wrong):
            page.goto(address)
            person = Person(page)
            for tab in ("Batch", "One order", "Review"):
                page.get_by_role("tab", name=tab, exact=True).click()
                person.sees("LIVE ACCOUNT")
                person.sees("…Fiq9 at https://api.itniotech.com/voice")
            page.goto("about:blank")
        assert "LIVE ACCOUNT …Fiq9" in (tmp_path / "app.log").read_text()
    assert wrong == []


def listening(command: psutil.Process) -> list[psutil.Process]:
    """The processes of a command, once one of them serves a port."""
    processes: list[psutil.Process] = command.children(recursive=True)
    with suppress(psutil.NoSuchProcess):  # one that has ended meanwhile
        ports = [port for one in processes for port in one.net_connections() if port.status == psutil.CONN_LISTEN]
        return processes if ports else []
    return []


@pytest.mark.parametrize("name", ["app", "lab"])
def test_a_kill_leaves_no_server(name: str) -> None:
    """`kill -9` of the command, as the out-of-memory killer does it: its server and all of its processes end."""
    with start([*COMMAND, name, "--no-browser"]) as process:
        command = psutil.Process(process.pid)
        until(lambda: bool(listening(command)), 120)
        left = listening(command)
        process.kill()
        process.communicate(timeout=60)
    _, alive = psutil.wait_procs(left, 60)
    assert alive == []


def test_jupyterlab_ends_in_the_middle_of_requests() -> None:
    """Told to stop while it reads files for its page, its server waited for ever for the thread that reads them."""
    with start([*COMMAND, "lab", "--no-browser", "--ServerApp.port=0"]) as process, ThreadPoolExecutor(8) as pool:
        while not (line := read_line(process)).startswith("Open "):
            assert process.poll() is None
        answers: list[object] = []
        server, token = re.split(r"/lab/tree/.*\?", line.split()[1])

        def read_until_it_ends() -> None:
            with suppress(OSError, HTTPException):
                while True:
                    answers.append(answered(f"{server}/api/contents/{__version__}/01-first-phones.ipynb?{token}"))

        for _ in range(8):
            pool.submit(read_until_it_ends)
        try:
            until(lambda: len(answers) > 40, 60)
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
        finally:
            process.kill()


def test_its_address_answers_when_it_is_printed(tmp_path: Path) -> None:
    """The address as it stands on the terminal opens the forms; one of before, or a part of it, says what to do."""
    with start([*COMMAND, "app", "--no-browser", "--folder", str(tmp_path)]) as process, a_page() as (page, wrong):
        while not (line := read_line(process)).startswith("Open "):
            assert process.poll() is None
        address = line.split()[1]
        page.goto(address)
        Person(page).sees("No orders yet")
        page.context.clear_cookies()
        for old in (address[:-3], address.replace("token=", "token=x"), address.split("?")[0]):
            page.goto(old)
            Person(page).sees("This address does not open the page")
            wrong.clear()  # Chromium asks for an icon
            Person(page).sees("Open the one that itnio-nb app has printed last")
            assert page.locator("input").count() == 0
        page.goto("about:blank")
        process.send_signal(signal.SIGTERM)
        process.communicate()
    assert wrong == []


def test_a_browser_is_opened_at_the_form(tmp_path: Path) -> None:
    """Not at a page that asks for a token, nor with the token in a list of processes."""
    browser = tmp_path / "browser"
    script = f'#!/bin/sh\necho "$1" > {tmp_path}/opened\ncp "${{1#file://}}" {tmp_path}/page.html\n'
    browser.write_text(script, encoding="utf-8")
    browser.chmod(0o700)
    with start([*COMMAND, "app", "--folder", str(tmp_path / "app")], {"BROWSER": f"{browser} %s"}) as process:
        until(lambda: (tmp_path / "page.html").exists() and (tmp_path / "page.html").stat().st_size > 0, 60)
        page = (tmp_path / "page.html").read_text(encoding="utf-8")
        address = re.search(r"url=(http://127\.0\.0\.1:\d+/\?token=[\w-]+)", page)
        assert address is not None
        assert answered(address[1]) == "a page"
        assert "token" not in (tmp_path / "opened").read_text(encoding="utf-8")
        process.send_signal(signal.SIGTERM)
        process.communicate()


def test_python_files_in_the_folder_are_not_run(tmp_path: Path) -> None:
    """Whoever has put them there: neither by the server nor by the page's kernel."""
    folder = tmp_path / "itnio-app"
    folder.mkdir()
    names = ("pandas", "requests", "ipywidgets", "voila", "tornado", "itnio_nb", "sitecustomize", "json", "signal")
    for name in (*names, "jupyter_config", "jupyter_server_config"):
        for place in (folder, tmp_path):
            (place / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'a').write(__file__)", encoding="utf-8")
    with an_app(COMMAND, tmp_path, {}) as address, a_page() as (page, wrong):
        page.goto(address)
        Person(page).sees("No orders yet")
        page.goto("about:blank")
    assert not (tmp_path / "ran").exists()
    assert wrong == []


def test_a_file_that_hides_a_package_is_told(tmp_path: Path) -> None:
    """In JupyterLab notebooks import what is beside them: that is said, and the server itself does not."""
    copy = tmp_path / "mine" / __version__
    copy.mkdir(parents=True)
    for name in ("requests.py", "voila.py", "helpers.py"):
        (copy / name).write_text(f"open({str(tmp_path / 'ran')!r}, 'a').write(__file__)", encoding="utf-8")
        (tmp_path / name).write_text(f"open({str(tmp_path / 'ran')!r}, 'a').write(__file__)", encoding="utf-8")
    done = run("lab", "--folder", str(tmp_path / "mine"), "--version")
    assert [line for line in done.stderr.splitlines() if "hides" in line] == [
        f"Warning: {copy / name} hides an installed package of that name from the notebooks: rename it."
        for name in ("requests.py", "voila.py")
    ]
    assert not (tmp_path / "ran").exists()
