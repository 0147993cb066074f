"""`make audit`: pip-audit against a database on this machine, and against what is none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.support.factories import NOWHERE, ROOT
from tests.support.required import lacking
from tools.audit import FOUND, KNOWN, NOT_CHECKED, NOTHING_FOUND, Findings, main, report, versions_to_check
from tools.dependencies import read_pins

Answer = tuple[int, bytes]  # HTTP status and body
Rule = Callable[[str, str], Answer]  # from name and version
NO_ADVISORY = (200, b"{}")


@pytest.fixture(autouse=True)
def pip_audit() -> None:
    if not find_spec("pip_audit"):
        lacking("no pip-audit: make audit installs it")


def advisory(name: str, identity: str = "PYSEC-2026-1", fixed: str | None = "99.0", **more: object) -> Answer:
    """What OSV answers about a version that has an advisory."""
    events = [{"introduced": "0"}, *([{"fixed": fixed}] if fixed else [])]
    affected = {"package": {"name": name, "ecosystem": "PyPI"}, "ranges": [{"type": "ECOSYSTEM", "events": events}]}
    return 200, json.dumps({"vulns": [{"id": identity, "summary": "bad", "affected": [affected], **more}]}).encode()


def about_known(rule: Rule) -> Rule:
    """A database that has the advisory by which it is known to be one, and otherwise answers as `rule` does."""
    return lambda name, version: advisory(name) if (name, version) == KNOWN else rule(name, version)


@contextmanager
def database(rule: Rule) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """A server that answers as OSV does; its address, and the names and versions that it was asked about."""
    asked: list[tuple[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append((query["package"]["name"], query["version"]))
            status, body = rule(*asked[-1])
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1/query", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def audit(*words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tools.audit", *words]
    own = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env={**own, **settings})


def test_nothing_found_is_said_after_everything_was_asked() -> None:
    """Each version that is pinned for any platform, both of those that have two, what else is installed; not us."""
    with database(about_known(lambda *_: NO_ADVISORY)) as (address, asked):
        done = audit("--osv-url", address)
    assert (done.returncode, done.stderr) == (NOTHING_FOUND, "")
    assert {(pin.name, pin.version) for pin in read_pins()} <= set(asked)
    assert ("pip", metadata.version("pip")) in asked
    assert "itnio-nb" not in {name for name, _ in asked}
    assert "come from no index: itnio-nb." in done.stdout
    count = len(versions_to_check()[0])
    assert f"OSV: {count} of {count} versions checked, 0 advisories." in done.stdout


def test_each_finding_has_package_version_advisory_and_mend() -> None:
    """Of a version that is pinned for another platform too; text of the database is no control sequence."""
    answers = {
        "requests": advisory("requests", aliases=["CVE-2026-1\x1b[31m"]),
        "pywinpty": advisory("pywinpty", "GHSA-x", None),
        "pytest": advisory("pytest", "PYSEC-2026-2"),
    }
    with database(about_known(lambda name, _: answers.get(name, NO_ADVISORY))) as (address, _):
        done = audit("--osv-url", address)
    assert (done.returncode, done.stderr) == (FOUND, "")
    versions = {pin.name: pin.version for pin in read_pins()}
    assert set(done.stdout.splitlines()) >= {
        f"pytest {versions['pytest']}: PYSEC-2026-2, fixed in 99.0; for tests and tools only",
        f"pywinpty {versions['pywinpty']}: GHSA-x, not fixed in any version",
        f"requests {versions['requests']}: PYSEC-2026-1 (CVE-2026-1\\x1b[31m), fixed in 99.0",
    }
    assert "\x1b" not in done.stdout


def fails_on_pandas(name: str, version: str) -> Answer:
    return (503, b"busy") if name == "pandas" else NO_ADVISORY


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (lambda *_: NO_ADVISORY, "has no advisories"),
        (lambda *_: (200, b"<html>Please log in</html>"), "the answer is not JSON"),
        (lambda *_: (404, b"{}"), "answered with an error"),
        (lambda *_: (502, b"<html>Bad gateway</html>"), "answered with an error"),
        (lambda *_: (200, b'{"vulns": "many"}'), "ended without an answer"),
        (about_known(fails_on_pandas), "answered with an error"),
    ],
    ids=["mirror", "log-in page", "404", "502", "another shape", "breaks off"],
)
def test_what_is_no_database_is_never_nothing_found(rule: Rule, words: str) -> None:
    """Its own exit code, one line, and no traceback."""
    with database(rule) as (address, _):
        done = audit("--osv-url", address)
    assert (done.returncode, done.stderr) == (NOT_CHECKED, "")
    assert done.stdout.startswith("NOT CHECKED: ")
    assert words in done.stdout
    assert done.stdout.count("\n") == 1


def test_a_database_that_hangs_is_given_up() -> None:
    """After the time that it was given."""
    done_waiting = threading.Event()

    def hang(*_: str) -> Answer:
        done_waiting.wait(60)
        return NO_ADVISORY

    with database(hang) as (address, _):
        try:
            done = audit("--osv-url", address, "--timeout", "3")
        finally:
            done_waiting.set()
    assert done.returncode == NOT_CHECKED
    assert "OSV: no answer in time" in done.stdout


def test_without_a_network_nothing_was_checked() -> None:
    """Both databases are tried, behind a proxy that is not there; its password is not shown."""
    proxy = NOWHERE.removesuffix("/voice").replace("//", "//me:top-secret@")
    done = audit(HTTPS_PROXY=proxy, NO_PROXY="")
    assert (done.returncode, done.stderr) == (NOT_CHECKED, "")
    assert "PyPI: the proxy of this machine refuses it; OSV: the proxy of this machine refuses it" in done.stdout
    assert "Nothing is known of any dependency. Exit code 3." in done.stdout
    assert "top-secret" not in done.stdout


def test_what_a_database_does_not_know_was_not_checked(capsys: pytest.CaptureFixture[str]) -> None:
    """Named, with its own exit code, unless something was found: that counts first."""
    versions = {("a", "1"), ("b", "2")}
    assert report(versions, ["itnio-nb"], Findings({("a", "1")}), "PyPI") == NOT_CHECKED
    said = capsys.readouterr().out
    assert "b 2: NOT CHECKED, PyPI does not know it\n" in said
    assert "PyPI: 1 of 2 versions checked, 0 advisories." in said
    weak = {("a", "1"): [{"id": "X", "aliases": [], "fix_versions": []}]}
    assert report(versions, ["itnio-nb"], Findings({("a", "1")}, weak), "PyPI") == FOUND


def test_without_pins_nothing_was_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that is not there is no empty one."""
    monkeypatch.setattr("tools.audit.read_pins", lambda: read_pins(tmp_path / "constraints.txt"))
    assert main([]) == NOT_CHECKED
    assert "NOT CHECKED: constraints.txt pins nothing." in capsys.readouterr().out
