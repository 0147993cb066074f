"""`itnio-nb run`, whatever ends it: signals to it, to its kernel, to both; terminals, pipes and disks that go away.

Each time: the sandbox's books, the exit code, the record, and the next run which goes on.
"""

from __future__ import annotations

import os
import pty
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from select import select

import psutil
import pytest

from itnio_nb import Client, Sandbox, exit_code, make_plan, reconcile, submit_plan
from itnio_nb.runbooks.runner import save_notebook
from itnio_nb.workspace import open_ledger_for
from tests.support.agreement import creations, requests
from tests.support.factories import many_orders, until
from tests.support.kernel import notebook_of
from tests.support.processes import COMMAND, run, settings_of, start

GROUPS = 120
CONCLUDES = "from itnio_nb import Outcome\nOutcome(0)"
ENDLESS = "print('begun', flush=True)\nwhile True:\n    pass"
SWALLOWS = """
import time
while True:
    try:
        print('begun', flush=True)
        time.sleep(1)
    except KeyboardInterrupt:
        pass
"""


@pytest.fixture
def words() -> list[str]:
    many_orders(GROUPS, 1).to_csv("orders.csv", index=False)
    return ["run", "--orders", "orders.csv", "--apply"]


def kernels(pid: int) -> list[psutil.Process]:
    """The kernels of a command."""
    found = []
    for one in psutil.Process(pid).children(recursive=True):
        with suppress(psutil.Error):  # it has ended meanwhile
            found += [one] if "ipykernel" in " ".join(one.cmdline()) else []
    return found


def in_the_middle(sandbox: Sandbox) -> None:
    """Wait until a fifth was created."""
    until(lambda: creations(sandbox).total() >= GROUPS // 5, 120)


def the_record() -> Path:
    """The notebook of the only record that is published."""
    [folder] = [path for path in Path("records").iterdir() if not path.name.startswith(".")]
    return next(folder.glob("*.ipynb"))


def goes_on(sandbox: Sandbox) -> None:
    """Looked up and planned again, on the same ledger, the rest is sent, and each group is created once."""
    sandbox.latency = 0
    with Client(sandbox.account) as client, open_ledger_for(sandbox.account) as ledger:
        reconcile(client, ledger, unknown_only=True)
        run = submit_plan(make_plan("orders.csv", client, ledger), client, ledger).wait()
    assert set(run.table["state"]) <= {"created", "exists"}, run.summary
    assert set(creations(sandbox).values()) == {1}
    assert creations(sandbox).total() == GROUPS


TARGETS: dict[str, Callable[[int], list[int]]] = {
    "the command": lambda pid: [pid],
    "its kernel": lambda pid: [one.pid for one in kernels(pid)],
    "all processes": lambda pid: [pid, *(one.pid for one in psutil.Process(pid).children(recursive=True))],
    "its group": lambda pid: [-pid],
}


@pytest.mark.parametrize(
    ("target", "number"), [*((target, signal.SIGTERM) for target in TARGETS), ("its group", signal.SIGHUP)]
)
def test_a_signal_stops_it_cleanly(target: str, number: signal.Signals, words: list[str]) -> None:
    """6, nothing unknown, a record that says so; no traceback, nothing of the kernel's own."""
    with Sandbox(latency=0.1) as sandbox:
        process = subprocess.Popen(
            [*COMMAND, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **settings_of(sandbox)},
            start_new_session=True,
        )
        in_the_middle(sandbox)
        for pid in TARGETS[target](process.pid):
            os.kill(pid, number)
        out, err = process.communicate(timeout=120)
        assert process.returncode == 6, out + err
        assert "0 unknown" in out
        assert "Traceback" not in out + err
        assert "KeyboardInterrupt" not in out + err
        assert exit_code(the_record()) == 6
        goes_on(sandbox)
        assert set(requests(sandbox).values()) == {1}


def test_a_second_signal_leaves_at_once(words: list[str]) -> None:
    """It says that what was under way is unknown; the next run looks it up."""
    with Sandbox(latency=3) as sandbox:
        process = start([*COMMAND, *words], settings_of(sandbox))
        until(lambda: len(kernels(process.pid)) == 1 and creations(sandbox).total() >= 8, 120)
        process.send_signal(signal.SIGTERM)
        time.sleep(1.1)  # a shell and `timeout` send one signal twice: within a second they are one
        process.send_signal(signal.SIGTERM)
        begun = time.monotonic()
        out, err = process.communicate(timeout=120)
        assert time.monotonic() - begun < 30
        assert process.returncode == 6, out + err
        assert "left at once" in out
        assert "unknown until the next run has looked" in out
        [private] = Path("records").iterdir()
        assert private.name.startswith(".private-")
        goes_on(sandbox)


@pytest.mark.parametrize("source", [ENDLESS, SWALLOWS], ids=["endless", "swallows"])
def test_cells_come_to_an_end(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that never ends is interrupted; one that ignores that is killed after a while."""
    save_notebook(notebook_of(source, CONCLUDES), Path("own.ipynb"))
    with Sandbox() as sandbox:
        patient = "runner.NotebookRunner.__init__.__kwdefaults__['grace'] = 2.0"
        code = f"import itnio_nb.runbooks.runner as runner\n{patient}\nfrom itnio_nb.cli.main import main\nmain()"
        process = start([sys.executable, "-c", code, "run", "own.ipynb"], settings_of(sandbox))
        assert process.stdout is not None
        assert any(line == "begun\n" for line in process.stdout)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 6, out + err
        assert ("its kernel is killed" in out) == (source == SWALLOWS)
        assert "stopped before its end: nothing was sent" in out


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("quit()", "Exit code 1"),
        ("exit()", "Exit code 1"),
        ("import sys\nsys.exit()", "A cell failed with SystemExit"),
        ("import os\nos._exit(0)", "The notebook did not finish: DeadKernelError"),
        ("1 + 1", "the notebook came to its end without a conclusion"),
    ],
)
def test_what_ends_without_a_conclusion_is_1(source: str, words: str) -> None:
    """However it ends; and the record agrees."""
    save_notebook(notebook_of(source, "1"), Path("own.ipynb"))
    with Sandbox() as sandbox:
        done = run("run", "own.ipynb", settings=settings_of(sandbox))
    assert done.returncode == 1, done.stdout + done.stderr
    assert words in done.stdout
    assert exit_code(the_record()) == 1


SHELLS = {
    "nohup": "nohup {} >out.log 2>&1 & p=$!; while ! grep -q ^Plan: out.log; do sleep 0.1; done; kill -HUP $p; wait $p",
    "head": "PYTHONIOENCODING=ascii {} | head -n 2; exit ${{PIPESTATUS[0]}}",
    "a full disk": "{} >/dev/full 2>&1",
    "closed": "{} >&- 2>&- <&-",
}


@pytest.mark.parametrize("way", SHELLS)
def test_output_that_nobody_reads_disturbs_nothing(way: str, words: list[str]) -> None:
    """All is created, verified and recorded; the code is 0."""
    with Sandbox(latency=0.02) as sandbox:
        command = SHELLS[way].format(shlex.join([*COMMAND, *words]))
        environment = {**os.environ, **settings_of(sandbox)}
        done = subprocess.run(["bash", "-c", command], env=environment, capture_output=True, timeout=180, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert creations(sandbox).total() == GROUPS
        assert exit_code(the_record()) == 0
        assert b"Traceback" not in done.stdout + done.stderr


def test_a_terminal_that_is_closed_stops_it_cleanly(words: list[str]) -> None:
    """As when an ssh session breaks: 6, and the next run goes on."""
    with Sandbox(latency=0.4) as sandbox:
        pid, terminal = pty.fork()
        if pid == 0:
            os.execve(COMMAND[0], [*COMMAND, *words], {**os.environ, **settings_of(sandbox)})
        shown = b""
        while creations(sandbox).total() < GROUPS // 5:
            if select([terminal], [], [], 0.05)[0]:
                shown += os.read(terminal, 1000)
        os.close(terminal)
        _, status = os.waitpid(pid, 0)
        assert os.waitstatus_to_exitcode(status) == 6, shown.decode()
        assert b"SANDBOX" in shown
        assert exit_code(the_record()) == 6
        goes_on(sandbox)


def test_places_that_are_gone(tmp_path: Path, words: list[str]) -> None:
    """A folder that was deleted, a user without a home: words, and no traceback."""
    gone = tmp_path / "gone"
    gone.mkdir()
    script = f"cd {gone} && rmdir {gone} && {shlex.join([*COMMAND, 'run'])}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "The folder that you are in cannot be used" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_name_of_another_encoding(words: list[str]) -> None:
    """It is read, and shown as far as it can be."""
    name = b"bestellung-\xfc.csv"
    Path("orders.csv").rename(os.fsdecode(name))
    with Sandbox() as sandbox:
        command = [*map(os.fsencode, COMMAND), b"run", b"--orders", name]
        environment = {**os.environ, **settings_of(sandbox)}
        done = subprocess.run(command, env=environment, capture_output=True, timeout=120, check=False)
    assert done.returncode == 2, done.stdout + done.stderr
    assert f"Plan: {GROUPS} groups to create".encode() in done.stdout


def test_the_ledger_tells_what_was_under_way(words: list[str]) -> None:
    """After a kill of the kernel alone: 1, what was created is said, and never "could not run"."""
    with Sandbox(latency=0.1) as sandbox:
        process = start([*COMMAND, *words], settings_of(sandbox))
        in_the_middle(sandbox)
        for kernel in kernels(process.pid):
            kernel.kill()
        out, err = process.communicate(timeout=120)
        assert process.returncode == 1, out + err
        assert "could not go on: " in out
        assert "could not run" not in out
        assert "created before that" in out
        goes_on(sandbox)
