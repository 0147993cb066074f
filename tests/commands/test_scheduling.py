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
from tests.support.browser import a_lab, a_page, run_all_from_the_menu
from tests.support.factories import ROOT, many_orders, sent
from tests.support.kernel import notebook_of
from tests.support.processes import COMMAND, run, settings_of
from tests.support.required import program

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
    """Run a script as CI services do: its first failure is its last line."""
    command = ["bash", "-e", "-c", script]
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


def test_systemd_finds_no_fault_in_the_units(job: object, tmp_path: Path) -> None:
    """Its own check of both files, with the folder of this job."""
    verify = program("systemd-analyze", "systemd")
    units = [tmp_path / "itnio-phones.service", tmp_path / "itnio-phones.timer"]
    for unit, text in zip(units, blocks(SCHEDULING, "ini"), strict=True):
        unit.write_text(text.replace("/srv/phones", str(tmp_path)))
    done = subprocess.run([verify, "verify", *units], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_line_for_cron_runs(job: tuple[Sandbox, dict[str, str]]) -> None:
    """Silent when all is well; what it prints is in the log."""
    sandbox, environment = job
    [line] = blocks(SCHEDULING, "crontab")
    done = shell(line.removeprefix("30 2 * * * ").replace("/srv/phones", "."), environment)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert "Verified: 9 of 9 phones." in Path("run.log").read_text()
    assert sent(sandbox) == 3


def test_the_ci_job_runs(job: tuple[Sandbox, dict[str, str]]) -> None:
    """Dry first, and nothing is sent; then the saved plan is applied, whose invalid row is no failure."""
    sandbox, environment = job
    with Path("orders.csv").open("a") as file:
        file.write("group-9,phone-9,3,no-number,4luaKsL2\n")
    _, dry, applied = blocks(SCHEDULING, "sh")
    planned = shell(dry, environment)
    assert planned.returncode == 0, planned.stdout + planned.stderr
    assert sent(sandbox) == 0
    done = shell(applied, environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "itnio-nb ended with 3" in done.stdout
    assert sent(sandbox) == 3
    Path("plan.json").write_text("{}")
    broken = shell(applied, environment)
    assert broken.returncode == 1
    assert "itnio-nb ended with 1" in broken.stdout


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


def ones_own(apply: object) -> Path:
    """The cells of docs/runbooks.md as they stand, in a notebook; `apply` is what a person has typed."""
    sources = [text.replace('"phones.xlsx"', '"orders.csv"') for text in blocks(RUNBOOKS, "python")]
    assert sum(len(source.splitlines()) for source in sources) <= 20
    parameters = sources[0].replace("apply = False", f"apply = {apply!r}")
    save_notebook(notebook_of(*sources[1:], parameters=parameters), Path("mine.ipynb"))
    return Path("mine.ipynb")


# Each way to execute a notebook, with the file that has the outputs then; CODE is what `apply` is.
WAYS = {
    "papermill": (False, "python -m papermill mine.ipynb out.ipynb -p apply CODE", "out.ipynb"),
    "papermill, prepared": (
        False,
        "python -m papermill --prepare-only mine.ipynb own.ipynb -p apply CODE; itnio-nb run own.ipynb",
        "records/*/own.ipynb",
    ),
    "nbconvert": (True, "python -m nbconvert --to notebook --execute --output out.ipynb mine.ipynb", "out.ipynb"),
    "itnio-nb run": (False, "itnio-nb run mine.ipynb -p apply CODE", "records/*/mine.ipynb"),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("apply", "code", "made"), [(False, 2, 0), (True, 0, 3), ("no", 1, 0)], ids=str)
def test_ones_own_runbook_runs(
    apply: object, code: int, made: int, way: str, job: tuple[Sandbox, dict[str, str]]
) -> None:
    """Whoever executes it: the same exit code in what was executed, the same phones."""
    sandbox, environment = job
    typed, command, executed = WAYS[way]
    ones_own(apply if typed else False)
    done = shell(f"{command.replace('CODE', str(apply))} || true", environment)
    found = list(Path().glob(executed))
    if way == "itnio-nb run" and code == 1:  # refused before there is anything to execute
        assert "apply is a switch: -p apply true, or -p apply false, not no." in done.stderr
        assert found == []
    elif way == "nbconvert" and code == 1:  # writes nothing then
        assert "apply is True, to send, or False" in done.stderr
    else:
        assert [exit_code(path) for path in found] == [code], done.stdout + done.stderr
    assert sent(sandbox) == made


def test_ones_own_runbook_runs_in_jupyterlab(job: tuple[Sandbox, dict[str, str]], tmp_path: Path) -> None:
    """Opened and run from the menu, as typed: the same exit code, the same phones."""
    sandbox, environment = job
    folder = tmp_path / "itnio-notebooks"
    folder.mkdir()
    Path("orders.csv").rename(folder / "orders.csv")
    ones_own(apply=True).rename(folder / "mine.ipynb")
    with a_page() as (page, wrong), a_lab(COMMAND, tmp_path, environment) as url:
        page.goto(url.replace("?", "lab/tree/mine.ipynb?"))
        run_all_from_the_menu(page)
        page.get_by_text("Exit code 0: nothing is left to do").wait_for(timeout=60_000)
        page.get_by_text("Verified: 9 of 9 phones.").first.wait_for()
        page.goto("about:blank")
    assert sent(sandbox) == 3
    assert wrong == []


def test_the_exit_codes_are_those_of_the_command() -> None:
    """The table, the command's help and the package agree on what there is."""
    listed = [int(code) for code in re.findall(r"^\| (\d) \|", RUNBOOKS, re.MULTILINE)]
    assert listed == sorted(CODES)
    shown = run("run", "--help").stdout
    assert [int(code) for code in re.findall(r"^\s+(\d)  ", shown, re.MULTILINE)] == sorted(CODES)
