"""`run` up to the runbook that it executes: its usage, its parameters, its account."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from itnio_nb.cli.main import main
from itnio_nb.runbooks.execute import RunbookJob
from itnio_nb.runbooks.runner import save_notebook
from itnio_nb.runs.sending.pace import DEFAULT_WORKERS
from tests.support.kernel import notebook_of


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[RunbookJob]:
    """What would have been executed; each ends with exit code 4."""
    executed: list[RunbookJob] = []

    def run_runbook(job: RunbookJob, *_: object) -> int:
        executed.append(job)
        return 4

    monkeypatch.setattr("itnio_nb.runbooks.execute.run_runbook", run_runbook)
    return executed


def run(*words: str, **options: Any) -> Result:
    return CliRunner().invoke(main, ["run", *words], **options)


def test_options_are_parameters(jobs: list[RunbookJob], monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that were given; others as JSON or Python has them, everything else as text; the exit code is the job's."""
    words = ["--orders", "a.csv", "--apply", "--limit", "2", "--workers", "4", "--rate", "0.5", "--records", "kept"]
    given = {
        "flag": "true",
        "none": "None",
        "number": "1.5",
        "list": '["a"]',
        "text": "a b",
        "nan": "NaN",
        "endless": "1e999",
    }
    monkeypatch.setattr(sys, "argv", ["itnio-nb", "run", "--apply"])
    done = run(*words, *(word for name, value in given.items() for word in ("-p", name, value)))
    assert done.exit_code == 4, done.output
    assert done.output.startswith("SANDBOX at http://127.0.0.1:")
    [job] = jobs
    assert (job.notebook.name, job.records, job.command) == (
        "runbook.ipynb",
        Path("kept"),
        ["itnio-nb", "run", "--apply"],
    )
    own = {"flag": True, "none": None, "number": 1.5, "list": ["a"], "text": "a b", "nan": "NaN", "endless": "1e999"}
    assert job.parameters == {"orders": "a.csv", "apply": True, "limit": 2, "workers": 4, "rate": 0.5} | own


@pytest.mark.parametrize(
    "words",
    [
        ["--bogus"],
        ["--orders"],
        ["no-such-notebook"],
        ["--limit", "0"],
        ["--confirm", "-1"],
        ["--workers", "many"],
        ["-p", "apply", "no"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_exit_1(words: list[str], jobs: list[RunbookJob]) -> None:
    """Nothing is executed; an error in words. What a runbook is given is checked in its own tests."""
    done = run(*words)
    assert (done.exit_code, jobs) == (1, [])
    assert "Error: " in done.output
    assert f"Default: {DEFAULT_WORKERS}." in run("--help").output


def test_notebooks_by_path_and_by_name(jobs: list[RunbookJob]) -> None:
    """The user's own goes first."""
    run("06-audit")
    save_notebook(notebook_of("1"), Path("06-audit"))
    run("06-audit")
    assert [job.notebook == Path("06-audit") for job in jobs] == [False, True]
    assert jobs[0].notebook.name == "06-audit.ipynb"


def test_the_sandbox_of_a_folder_is_kept(jobs: list[RunbookJob]) -> None:
    """The same account each time, and the same port while it is free: the ledger fits. Beside a live account too."""
    run()
    run("--sandbox", env={"ITNIO_API_KEY": "bDqJFiq9", "ITNIO_API_SECRET": "7bz1lzh9"})
    first, second = (job.account for job in jobs)
    assert first == second
    assert Path("results/sandbox.db").exists()
