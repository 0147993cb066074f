"""What an import loads, in a process of its own."""

from __future__ import annotations

import subprocess
import sys


def test_importing_the_package_is_cheap() -> None:
    """Neither pandas nor requests, ipywidgets or SQLAlchemy is loaded before a name is used."""
    heavy = {"pandas", "numpy", "requests", "urllib3", "ipywidgets", "IPython", "sqlalchemy", "tqdm", "click"}
    script = f"import sys, itnio_nb; print(sorted({heavy!r} & set(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert shown.stdout == "[]\n"


def test_signing_and_sending_need_no_tables() -> None:
    """The request layer alone loads neither pandas nor numpy, forms or ledger."""
    heavy = {"pandas", "numpy", "ipywidgets", "sqlalchemy"}
    script = f"import sys, itnio_nb.api.client; print(sorted({heavy!r} & set(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert shown.stdout == "[]\n"


def test_the_account_and_the_sandbox_need_no_table() -> None:
    """A sandbox for another language's client starts without pandas."""
    script = "import sys; from itnio_nb import Sandbox\nwith Sandbox(): print('pandas' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert shown.stdout == "False\n"
