"""`lab` and `app` up to the server that they start: where one works, and what stops them before."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from itnio_nb.cli.main import main

LIVE = {"ITNIO_API_KEY": "bDqJFiq9", "ITNIO_API_SECRET": "7bz1lzh9"}
NOTEBOOK = Path("itnio-notebooks/0.1.0/01-first-phones.ipynb")


@dataclass
class Servers:
    """What would have been started, in place of a server."""

    command: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    def run(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        files: object = None,
        *,
        port: int = 0,
        when_ready: Callable[[Path], None] | None = None,
    ) -> int:
        self.command, self.environment = command, environment
        if when_ready is not None:
            when_ready(Path())
        return 5


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> Servers:
    made = Servers()
    monkeypatch.setattr("itnio_nb.cli.jupyter.run_server", made.run)
    return made


def invoke(*words: str, settings: Mapping[str, str] | None = None) -> Result:
    return CliRunner().invoke(main, words, env=settings)


@pytest.mark.parametrize(
    ("settings", "words", "banner"),
    [
        ({}, [], "SANDBOX at http://127.0.0.1:"),
        (LIVE, [], "LIVE ACCOUNT …Fiq9 at https://api."),
        (LIVE, ["--sandbox"], "SANDBOX at http://127.0.0.1:"),
    ],
)
def test_lab_says_where_one_works(settings: dict[str, str], words: list[str], banner: str, servers: Servers) -> None:
    """Before it starts; kernels find the sandbox; JupyterLab's own options reach it, and its exit code the shell."""
    done = invoke("lab", *words, "--port", "9000", settings=settings)
    assert (done.exit_code, list(servers.command[-2:])) == (5, ["--port", "9000"])
    first, copy, *more = done.output.splitlines()
    assert first.startswith(banner)
    assert copy == "Your working copy of the notebooks: itnio-notebooks/0.1.0 (new)"
    on_sandbox = banner.startswith("SANDBOX")
    assert bool(more) == bool(servers.environment) == on_sandbox
    assert servers.environment.get("ITNIO_BASE_URL", "") in first
    assert "(as you left it)" in invoke("lab").output


def test_lab_leaves_the_notebooks_alone(servers: Servers) -> None:
    """What the operator has executed shows what it showed; a cell of the banner tells the truth when it is run."""
    invoke("lab")
    content = json.loads(NOTEBOOK.read_bytes())
    content["cells"][0]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "mine"}]
    NOTEBOOK.write_text(json.dumps(content))
    before = NOTEBOOK.read_bytes()
    invoke("lab", settings=LIVE)
    assert NOTEBOOK.read_bytes() == before


def test_app_prints_an_address_with_a_token(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new one each time, or the one of the environment; it is on no command line."""
    tokens = set()
    for _ in range(2):
        done = invoke("app", "--no-browser", "--theme", "dark")
        tokens.add(servers.environment["JUPYTER_TOKEN"])
        assert f"/?token={servers.environment['JUPYTER_TOKEN']} (Ctrl-C stops it)" in done.output
        assert servers.environment["JUPYTER_TOKEN"] not in " ".join(servers.command)
    assert len(tokens) == 2
    assert {"--Voila.open_browser=False", "--VoilaConfiguration.theme=dark"} <= set(servers.command)
    assert servers.command[:3] == [sys.executable, "-P", "-m"]
    assert servers.command[3:5] == ["itnio_nb.cli.server.launch", "voila"]
    monkeypatch.setenv("JUPYTER_TOKEN", "mine")
    assert "/?token=mine " in invoke("app").output


def test_a_port_or_a_folder_that_cannot_be_used_is_said(servers: Servers) -> None:
    """In one line, before an address is printed that is somebody else's."""
    Path("file").write_text("")
    done = invoke("app", "--folder", "file/app")
    assert (done.exit_code, servers.command) == (1, ())
    assert "file/app cannot be written" in done.output
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = invoke("app", "--port", str(taken.getsockname()[1]))
    assert (done.exit_code, servers.command) == (1, ())
    assert "choose another --port" in done.output
    assert "token" not in done.output
