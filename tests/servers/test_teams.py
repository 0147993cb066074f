"""docs/teams.md: its set-up is run as it stands on a stock server, and its systemd unit on a run."""

from __future__ import annotations

import configparser
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from itnio_nb import Client, Ledger, LedgerError, Sandbox, make_plan, submit_plan
from tests.support.cluster import Cluster, program_of, running
from tests.support.factories import ROOT, many_orders, sent
from tests.support.processes import COMMAND, settings_of, start
from tests.support.required import program

TEXT = (ROOT / "docs" / "teams.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A stock server: whoever comes over the network has a password."""
    with running() as made:
        people = "itnio_owner,+itnio_operator,+itnio_auditor"
        rules = f"local all postgres trust\nhost phones {people} 127.0.0.1/32 scram-sha-256\n"
        (made.folder / "data" / "pg_hba.conf").write_text(rules)
        made.reload()
        yield made


def test_the_set_up_works_as_it_is_written(
    cluster: Cluster, tmp_path: Path, sandbox: Sandbox, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each line, by whom it is for; then each of the roles does what the table of roles says."""
    administrator, owner, again, operator = blocks("sh")
    (tmp_path / "grants.sql").symlink_to(ROOT / "docs" / "team" / "grants.sql")
    path = os.pathsep.join([str(program_of("psql").parent), str(Path(sys.executable).parent), os.environ["PATH"]])
    server = {"PGHOST": str(cluster.folder), "PGPORT": str(cluster.port), "PGUSER": "postgres"}
    as_administrator = {**os.environ, **server, "PATH": path}

    def shell(script: str, settings: dict[str, str]) -> str:
        script = script.replace("@db.example.com/", f"@127.0.0.1:{cluster.port}/")
        command = ["bash", "-e", "-c", script]
        done = subprocess.run(command, env=settings, capture_output=True, text=True, timeout=180, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    shell(administrator, as_administrator)
    as_owner = {**os.environ, "PATH": path, "PGPASSWORD": "one-that-nobody-else-has"}
    assert shell(owner, as_owner).strip() == f"postgresql://127.0.0.1:{cluster.port}/phones"
    shell(again, as_administrator)
    as_anna = {**os.environ, "PATH": path, "PGPASSWORD": "hers-alone"}
    assert "it can be opened" in shell(operator.replace("doctor", "doctor || true"), as_anna)

    monkeypatch.setenv("PGPASSWORD", "hers-alone")
    plan = make_plan(many_orders(3))
    with Ledger(cluster.url("anna", "phones")) as ledger:
        assert submit_plan(plan, client, ledger).wait().counts["created"] == 3
        assert set(ledger.history["role"]) == {"anna"}
    monkeypatch.setenv("PGPASSWORD", "of-the-auditors")
    with Ledger(cluster.url("audit", "phones")) as ledger:
        assert len(ledger.table) == 3
        with pytest.raises(LedgerError, match="the role audit may only read it"):
            submit_plan(make_plan(many_orders(4), client, ledger), client, ledger)
    assert sent(sandbox) == 3


def unit(folder: Path) -> str:
    [text] = blocks("ini")
    return text.replace("/srv/phones", str(folder))


def test_systemd_finds_no_fault_in_the_unit(tmp_path: Path) -> None:
    """Its own check, of one worker."""
    verify = program("systemd-analyze", "systemd")
    (tmp_path / "venv").mkdir()
    (tmp_path / "venv" / "bin").symlink_to(Path(COMMAND[0]).parent)
    path = tmp_path / "itnio-worker@.service"
    path.write_text(unit(tmp_path))
    instance = path.with_name("itnio-worker@1.service")
    instance.symlink_to(path)
    done = subprocess.run([verify, "verify", instance], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_units_command_has_several_workers_on_one_run(tmp_path: Path, sandbox: Sandbox, client: Client) -> None:
    """As systemd starts it for two instances; codes that ask for a person are not tried again."""
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.read_string(unit(tmp_path))
    service = parser["Service"]
    assert (service["SuccessExitStatus"], service["RestartPreventExitStatus"]) == ("3", "4 5 6")
    with Ledger("results/ledger.sqlite") as ledger:
        run = submit_plan(make_plan(many_orders(40), client, ledger), client, ledger, workers=1)
        run.stop()
        command = service["ExecStart"].replace(f"{tmp_path}/venv/bin/itnio-nb", COMMAND[0]).replace("${RUN}", run.name)
        workers = [
            start(command.replace("%i", number).split(), {**settings_of(sandbox), "ITNIO_MACHINE": f"pc-{number}"})
            for number in "12"
        ]
        told = [worker.communicate(timeout=180) for worker in workers]
        assert [worker.returncode for worker in workers] == [0, 0], told
        assert sent(sandbox) == 40
        assert {"pc-1", "pc-2"} & set(ledger.history["machine"])
