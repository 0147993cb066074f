"""The tree of errors."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from itnio_nb import AccountError, InputError, ItnioError, LedgerError, ServiceError, StalePlanError


@pytest.mark.parametrize("error", [AccountError, InputError, LedgerError, ServiceError, StalePlanError])
def test_one_root(error: type[ItnioError]) -> None:
    """Whoever catches ItnioError catches all; a status travels where the API gave one."""
    raised = error("what to do", status="-1")
    assert isinstance(raised, ItnioError)
    assert (str(raised), raised.status) == ("what to do", "-1")
    assert error("what to do").status == ""


def test_a_notebook_shows_the_message_alone() -> None:
    """No traceback through the package for what an operator can correct."""
    shell: Any = InteractiveShell()  # type: ignore[no-untyped-call] # IPython
    with redirect_stdout(io.StringIO()) as shown:
        shell.run_cell('from itnio_nb import read_orders\nread_orders("missing.csv")')
    lines = shown.getvalue().strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("InputError: There is no file missing.csv: check the name")
