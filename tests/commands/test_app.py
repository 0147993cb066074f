"""The forms as a page of their own: served to who has its address, and to nobody else."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest

from tests.support.browser import a_page, an_app
from tests.support.factories import until
from tests.support.person import Person
from tests.support.processes import COMMAND, start

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
                person.sees("LIVE ACCOUNT", 60)
                person.sees("…Fiq9 at https://api.itniotech.com/voice")
            page.goto("about:blank")
        assert "LIVE ACCOUNT …Fiq9" in (tmp_path / "app.log").read_text()
    assert wrong == []


def listening(command: psutil.Process) -> list[psutil.Process]:
    """The processes of a command, once one of them serves a port."""
    processes: list[psutil.Process] = command.children(recursive=True)
    ports = [port for one in processes for port in one.net_connections() if port.status == psutil.CONN_LISTEN]
    return processes if ports else []


@pytest.mark.parametrize("name", ["app", "lab"])
def test_a_kill_leaves_no_server(name: str) -> None:
    """`kill -9` of the command, as the out-of-memory killer does it: its server and all of its processes end."""
    with start([*COMMAND, name, "--no-browser"]) as process:
        command = psutil.Process(process.pid)
        until(lambda: bool(listening(command)), 120)
        left = listening(command)
        process.kill()
        process.communicate()
    _, alive = psutil.wait_procs(left, 60)
    assert alive == []
