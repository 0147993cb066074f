"""The options of `sandbox`; that it serves until it is stopped is tested in tests/commands."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from click.testing import CliRunner

from itnio_nb import Client, InputError
from itnio_nb.cli.main import main
from itnio_nb.cli.sandbox import _kept_sandbox, _start, sandbox
from tests.support.factories import group
from tests.support.wire import browse


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ([], "0"),
        (["--cap", "2"], "-23"),
        (["--app-id", "other"], "-22"),
        (["--allow", "192.0.2.1"], "-2"),
        (["--clock-offset", "1900"], "0"),  # the client takes the time from the answer
        (["--faults", "clock,clock"], "-16"),
        (["--faults", "none,-18-after=1", "--seed", "3"], "0"),
        (["--broken"], "-18"),
        (["--api-key", "sandbox-mine", "--api-secret", "my-secret", "--latency", "0.01"], "0"),
    ],
    ids=" ".join,
)
def test_options_provoke_each_status(words: list[str], status: str) -> None:
    """What trying one's own client needs."""
    options = sandbox.make_context("sandbox", words).params
    assert options.pop("accounts") == 1
    with _start(**options) as server, Client(server.account) as client:
        assert client.create_phones(group()).status == status
        if "--api-key" in words:
            assert (server.account.api_key, server.account.api_secret.reveal()) == ("sandbox-mine", "my-secret")


def test_hosts_can_be_allowed() -> None:
    """Each of several names; the others are told of the option. One that no Host header has is an error in words."""
    options = sandbox.make_context("sandbox", ["--allow-host", "box.test", "--allow-host", "Tunnel.test"]).params
    del options["accounts"]
    with _start(**options) as server:
        answers = {
            host: browse(server, host=host) for host in ("box.test:80", "tunnel.test", "localhost", "other.test")
        }
    assert [answer[0] for answer in answers.values()] == [200, 200, 200, 403]
    assert "not to other.test: start it with --allow-host NAME" in answers["other.test"][2]
    for name in ("http://box.test", "box.test:80", "*.test", ""):
        failed = CliRunner().invoke(main, ["sandbox", "--allow-host", name])
        assert failed.exit_code == 1
        assert failed.output.startswith(f"Error: {name!r} is no ")
        assert failed.output.count("\n") == 1


@pytest.mark.parametrize("option", ["--latency", "--clock-offset", "--stall"])
def test_seconds_are_a_number(option: str) -> None:
    """What click takes for one is not enough."""
    failed = CliRunner().invoke(main, ["sandbox", option, "nan"])
    assert failed.exit_code == 2
    assert "a number of seconds is needed" in failed.output


def test_faults_are_listed_and_checked() -> None:
    """Each with its words; one that there is not is an error in words."""
    listed = CliRunner().invoke(main, ["sandbox", "--list-faults"])
    assert listed.exit_code == 0
    assert "drop-after" in listed.output
    assert "reset: for sipReset" in listed.output
    failed = CliRunner().invoke(main, ["sandbox", "--faults", "nonsense"])
    assert (failed.exit_code, failed.output[:7]) == (1, "Error: ")


def test_a_port_that_is_taken_is_said() -> None:
    """With the option to choose another."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        failed = CliRunner().invoke(main, ["sandbox", "--port", str(port)])
    assert failed.exit_code == 1
    assert failed.output == f"Error: Port {port} cannot be used (Address already in use): choose another --port.\n"


@pytest.mark.parametrize("port", ["taken", "nonsense", "99999", "-1", ""])
def test_the_sandbox_of_a_folder_opens_whatever_became_of_its_port(port: str) -> None:
    """At another port, with the phones and the key of the last time."""
    folder = Path("results")
    with _kept_sandbox(folder) as first, Client(first.account) as client:
        client.create_phones(group())
    with socket.create_server(("127.0.0.1", first.port)):
        if port != "taken":
            (folder / "sandbox.port").write_text(port)
        with _kept_sandbox(folder) as again:
            assert again.port not in (0, first.port)
            assert again.account.api_key == first.account.api_key
            assert len(again.phones) == 3
    assert (folder / "sandbox.port").read_text() == str(again.port)


def test_the_sandbox_of_a_folder_keeps_its_port() -> None:
    """So that what was told of its address stays true."""
    with _kept_sandbox(Path("results")) as first:
        port = first.port
    with _kept_sandbox(Path("results")) as again:
        assert again.port == port


@pytest.mark.parametrize("name", ["sandbox.port", "sandbox.db"])
@pytest.mark.parametrize("kind", ["link", "link to nothing", "endless", "folder"])
def test_what_stands_in_the_way_of_its_files(name: str, kind: str, tmp_path: Path) -> None:
    """Of a sandbox that is kept in a folder: nothing is written where a link leads, and nothing read for ever."""
    (tmp_path / "mine").write_text("mine", encoding="utf-8")
    place = tmp_path / "results" / name
    place.parent.mkdir()
    if kind == "folder":
        place.mkdir()
    else:
        place.symlink_to({"link": tmp_path / "mine", "endless": Path("/dev/zero")}.get(kind, tmp_path / "new"))
    with pytest.raises(InputError, match=f"{name}|Is a directory"), _kept_sandbox(tmp_path / "results"):
        pass
    assert (tmp_path / "mine").read_text(encoding="utf-8") == "mine"
    assert not (tmp_path / "new").exists()
