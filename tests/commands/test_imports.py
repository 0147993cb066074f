"""What an import loads, in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

TABLES = {"pandas", "numpy"}
NETWORK = {"requests", "urllib3"}
REST = {"ipywidgets", "IPython", "sqlalchemy", "tqdm", "keyring"}
NOTEBOOKS = {"nbformat", "nbclient", "nbconvert"}


@pytest.mark.parametrize(
    ("script", "heavy"),
    [
        ("import itnio_nb", TABLES | NETWORK | REST | {"click"}),
        ("import itnio_nb.cli.main", TABLES | NETWORK | REST | NOTEBOOKS),
        ("import itnio_nb.api.client", TABLES | REST - {"tqdm"}),
        ("from itnio_nb import Sandbox\nwith Sandbox(): pass", TABLES),
        ("from itnio_nb import Account\nprint(end='' if not Account.is_configured() else 'it is')", {"keyring"}),
    ],
    ids=[
        "the package",
        "the command's help",
        "signing and sending",
        "a sandbox for another language's client",
        "no account",
    ],
)
def test_what_is_not_needed_is_not_loaded(script: str, heavy: set[str]) -> None:
    """A name of the package loads its module when it is used, a command when it is invoked."""
    show = f"import sys; print(sorted({heavy!r} & sys.modules.keys()))"
    shown = subprocess.run([sys.executable, "-c", f"{script}\n{show}"], capture_output=True, text=True, check=True)
    assert shown.stdout == "[]\n"
