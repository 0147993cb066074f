"""A stand-in for the client of a kernel: cells are executed in this process, so that no test has to start one."""

from __future__ import annotations

import ast
import io
import os
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
from IPython.core.formatters import DisplayFormatter
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, output_from_msg

from itnio_nb import Sandbox, Workspace
from itnio_nb.runbooks.execute import RunbookJob, run_runbook
from itnio_nb.workspace import settings_of
from tests.support.factories import ROOT

RUNBOOK = ROOT / "notebooks" / "runbook.ipynb"


class InProcessClient:
    """Executes cells as IPython does, and closes an open workspace at the end; its kernel has no process."""

    handle: Callable[[Mapping[str, Any]], bool]

    def __init__(self, notebook: Any, **options: Any) -> None:
        self.nb, self.options = notebook, options
        self.km = SimpleNamespace(provisioner=SimpleNamespace(pid=-1))
        self._names: dict[str, Any] = {"display": lambda value: self._show("display_data", value)}
        self._cell: Any = None

    @contextmanager
    def setup_kernel(self, env: Mapping[str, str]) -> Iterator[None]:
        with (
            patch.dict(os.environ, env),
            patch(
                "IPython.display.publish_display_data", lambda data: self._send("display_data", data=data, metadata={})
            ),
        ):
            yield
        for value in self._names.values():
            if isinstance(value, Workspace):
                value.close()

    def execute_cell(self, cell: Any, number: int) -> None:
        if cell.cell_type != "code":
            return
        self._cell, cell.execution_count = cell, number + 1
        body = ast.parse(cell.source).body
        last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
        value, printed = None, io.StringIO()
        printed.write = self._print  # type: ignore[method-assign] # each text is sent as a stream
        try:
            with redirect_stdout(printed):
                exec(compile(ast.Module(body, []), "cell", "exec"), self._names)
                if isinstance(last, ast.Expr):
                    value = eval(compile(ast.Expression(last.value), "cell", "eval"), self._names)
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - whatever a cell raises
            name, words = type(error).__name__, str(error)
            self._send("error", ename=name, evalue=words, traceback=[f"{name}: {words}"])
            raise CellExecutionError("", name, words) from None
        if value is not None:
            self._show("execute_result", value, execution_count=number + 1)

    def _show(self, kind: str, value: object, **more: Any) -> None:
        data, metadata = DisplayFormatter().format(value)  # type: ignore[no-untyped-call] # IPython
        data = {name: b64encode(one).decode() if isinstance(one, bytes) else one for name, one in data.items()}
        self._send(kind, data=data, metadata=metadata, **more)

    def _print(self, text: str) -> int:
        if text:
            self._send("stream", name="stdout", text=text)
        return len(text)

    def _send(self, kind: str, **content: Any) -> None:
        message = {"header": {"msg_type": kind}, "msg_type": kind, "content": content}
        outputs = self._cell.outputs
        if kind != "error" and self.handle(message):
            return
        if kind == "stream" and outputs and outputs[-1].output_type == "stream":  # as a kernel's are joined
            outputs[-1].text += content["text"]
        else:
            outputs.append(output_from_msg(message))  # type: ignore[no-untyped-call] # nbformat


def notebook_of(*sources: str, parameters: str = "") -> Any:
    """A notebook of these cells; one that begins with # and a blank is text, `parameters` is the tagged one."""
    cells = [new_code_cell(parameters, metadata={"tags": ["parameters"]})] if parameters else []  # type: ignore[no-untyped-call] # nbformat
    cells += [(new_markdown_cell if source.startswith("# ") else new_code_cell)(source) for source in sources]  # type: ignore[no-untyped-call] # nbformat
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return new_notebook(cells=cells, metadata={"kernelspec": kernel})  # type: ignore[no-untyped-call] # nbformat


@dataclass
class Done:
    """How a runbook ended, and what it printed."""

    code: int
    lines: list[str]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def record(self) -> Path:
        [line] = [line for line in self.lines if line.startswith("Record: ")]
        return Path(line.removeprefix("Record: "))


Run = Callable[..., Done]


def run_in_process(monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox) -> Run:
    """A function that runs a notebook with parameters on the sandbox; the command is `run` and the notebook's name."""
    monkeypatch.setattr("itnio_nb.runbooks.runner._Client", InProcessClient)
    monkeypatch.setattr("itnio_nb.ledger.views.charts.Charts.png", b"a picture")  # drawn in tests/unit/ledger
    for name, value in settings_of(sandbox.account).items():
        monkeypatch.setenv(name, value)

    def run(notebook: Path = RUNBOOK, **parameters: Any) -> Done:
        lines: list[str] = []
        job = RunbookJob(notebook, parameters, Path("records"), sandbox.account, ["itnio-nb", "run", notebook.name])
        code = run_runbook(job, settings_of(sandbox.account), lambda text: lines.append(text))
        return Done(code, lines)

    return run
