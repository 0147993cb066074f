"""docs/scheduling.md and docs/runbooks.md: what they show is run as it stands, on a sandbox."""

from __future__ import annotations

import configparser
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from itnio_nb import Sandbox, exit_code
from itnio_nb.runbooks.outcome import CODES
from itnio_nb.runbooks.runner import save_notebook
from tests.support.factories import ROOT, many_orders, sent
from tests.support.kernel import notebook_of
from tests.support.processes import COMMAND, run, settings_of

SCHEDULING = (ROOT / "docs" / "scheduling.md").read_text(encoding="utf-8")
RUNBOOKS = (ROOT / "docs" / "runbooks.md").read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@pytest.fixture
def job(tmp_path: Path) -> Iterator[tuple[Sandbox, dict[str, str]]]:
    """A folder of a job: orders, a venv with the command, an account in the environment."""
    (tmp_path / "venv").mkdir()
    (tmp_path / "venv" / "bin").symlink_to(Path(COMMAND[0]).parent)
    for name in ("orders.csv", "tonight.xlsx"):  # a file is recognised by its content
        many_orders(3).to_csv(tmp_path / name, index=False)
    with Sandbox() as sandbox:
        path = f"{Path(COMMAND[0]).parent}{os.pathsep}{os.environ['PATH']}"
        yield sandbox, {**os.environ, **settings_of(sandbox), "PATH": path}


def shell(script: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = ["/bin/sh", "-c", script]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180, check=False)


def test_the_systemd_unit_and_the_kubernetes_job_run(job: tuple[Sandbox, dict[str, str]]) -> None:
    """Both have the same command, which is run with the container's environment; what counts as success; a time."""
    sandbox, environment = job
    service, timer = (configparser.ConfigParser(strict=False, interpolation=None) for _ in range(2))
    for parser, text in zip((service, timer), blocks(SCHEDULING, "ini"), strict=True):
        parser.read_string(text)
    command = service["Service"]["ExecStart"].replace("/srv/phones/", "")
    assert service["Service"]["SuccessExitStatus"] == "3"
    assert timer["Timer"]["OnCalendar"]
    [text] = blocks(SCHEDULING, "yaml")
    spec = yaml.safe_load(text)["spec"]
    assert (spec["backoffLimit"], spec["template"]["spec"]["restartPolicy"]) == (0, "Never")
    [container] = spec["template"]["spec"]["containers"]
    assert command == f"venv/bin/{shlex.join(container['command'])}"
    own = {each["name"]: each["value"].replace("/srv/phones", ".") for each in container["env"]}
    done = shell(command, environment | own)
    assert done.returncode == 0, done.stdout
    assert sent(sandbox) == 3


def test_the_line_for_cron_runs(job: tuple[Sandbox, dict[str, str]]) -> None:
    """Silent when all is well; what it prints is in the log."""
    sandbox, environment = job
    [line] = blocks(SCHEDULING, "crontab")
    done = shell(line.removeprefix("30 2 * * * ").replace("/srv/phones", "."), environment)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert "Verified: 9 of 9 phones." in Path("run.log").read_text()
    assert sent(sandbox) == 3


def test_the_ci_job_runs(job: tuple[Sandbox, dict[str, str]]) -> None:
    """Dry first, and nothing is sent; then applied."""
    sandbox, environment = job
    dry, applied = blocks(SCHEDULING, "sh")
    assert shell(dry, environment).returncode == 0
    assert sent(sandbox) == 0
    done = shell(applied, environment)
    assert done.returncode == 0, done.stdout
    assert "itnio-nb ended with 0" in done.stdout
    assert sent(sandbox) == 3


def test_airflows_operator_runs_the_same_notebook(job: tuple[Sandbox, dict[str, str]]) -> None:
    """Papermill's own function, with these parameters; then the check of the example."""
    sandbox, environment = job
    [text] = [text for text in blocks(SCHEDULING, "python") if "PapermillOperator" in text]
    [parameters] = re.findall(r"parameters=(\{.*?\})", text)
    check = text[text.index("def require_done") : text.index("with DAG")]
    script = f"""
from papermill import execute_notebook
from itnio_nb import exit_code
{check}
execute_notebook({str(ROOT / "notebooks" / "runbook.ipynb")!r}, "out.ipynb", {parameters}, progress_bar=False)
require_done("out.ipynb")
""".replace("/srv/phones/", "")
    quiet = {"ITNIO_WIDGETS": "off", "ITNIO_PROGRESS": "off"}
    done = shell(shlex.join([sys.executable, "-c", script]), environment | quiet)
    assert done.returncode == 0, done.stderr
    assert exit_code("out.ipynb") == 0
    assert sent(sandbox) == 3


def test_ones_own_runbook_runs(job: tuple[Sandbox, dict[str, str]]) -> None:
    """The cells of docs/runbooks.md as they stand, dry and applied; twenty lines."""
    sandbox, environment = job
    sources = blocks(RUNBOOKS, "python")
    assert sum(len(source.splitlines()) for source in sources) <= 20
    save_notebook(notebook_of(*sources[1:], parameters=sources[0]), Path("mine.ipynb"))
    dry = shell("itnio-nb run mine.ipynb --orders orders.csv", environment)
    assert dry.returncode == 2, dry.stdout
    applied = shell("itnio-nb run mine.ipynb --orders orders.csv --apply", environment)
    assert applied.returncode == 0, applied.stdout
    assert sent(sandbox) == 3


def test_the_exit_codes_are_those_of_the_command() -> None:
    """The table, the command's help and the package agree on what there is."""
    listed = [int(code) for code in re.findall(r"^\| (\d) \|", RUNBOOKS, re.MULTILINE)]
    assert listed == sorted(CODES)
    shown = run("run", "--help").stdout
    assert [int(code) for code in re.findall(r"^\s+(\d)  ", shown, re.MULTILINE)] == sorted(CODES)
