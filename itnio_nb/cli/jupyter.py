"""The forms as a page of their own, for colleagues who must not see code: served by Voilà on this machine."""

from __future__ import annotations

import json
import os
import secrets
import socket
import sys
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import ipywidgets as widgets

from itnio_nb.cli.servers import run_server
from itnio_nb.errors import InputError
from itnio_nb.forms.batch.form import BatchForm
from itnio_nb.forms.order import OrderForm
from itnio_nb.forms.review import ReviewForm
from itnio_nb.orders.export import write_atomically
from itnio_nb.workspace import open_workspace

_NOTEBOOK = "app.ipynb"
_CELL = "from itnio_nb.cli.jupyter import app_forms\n\nall_forms()"
_TEMPLATE = Path(__file__).parents[1] / "forms" / "static" / "app.html.j2"


def require_voila() -> None:
    """Raise `InputError` where Voilà is not installed."""
    if find_spec("voila") is None:
        raise InputError('Voilà is not installed: pip install "itnio-nb[lab]", then start this again.')


def serve_app(
    folder: Path, environment: Mapping[str, str], port: int, *, theme: str, browser: bool, ready: Callable[[str], None]
) -> int:
    """Serve the forms on 127.0.0.1 until stopped; return Voilà's exit code. Files go to `folder`.

    Only who has the address with its token, which `ready` is given, can open the page: whoever can open it can create
    phones, and more.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / _NOTEBOOK, _notebook())
    except OSError as error:
        raise InputError(f"{folder} cannot be written ({error.strerror}): choose another --folder.") from None
    port = _usable_port(port)
    token = os.environ.get("JUPYTER_TOKEN") or secrets.token_urlsafe(24)
    command = [
        *(sys.executable, "-m", "voila", str((folder / _NOTEBOOK).resolve())),
        "--Voila.ip=127.0.0.1",
        f"--Voila.port={port}",
        "--Voila.port_retries=0",
        "--Voila.auto_token=True",  # takes the one of the environment: a command line is seen by all users
        "--Voila.log_level=ERROR",
        f"--Voila.open_browser={browser}",
        "--VoilaConfiguration.template=itnio",
        f"--VoilaConfiguration.theme={theme}",
    ]
    ready(f"http://127.0.0.1:{port}/?token={token}")
    template = {"index.html.j2": _TEMPLATE.read_text(encoding="utf-8"), "conf.json": '{"base_template": "lab"}'}
    files = {f"voila/templates/itnio/{name}": text for name, text in template.items()}
    return run_server(command, {**environment, "JUPYTER_TOKEN": token}, files)


def _usable_port(port: int) -> int:
    """Return a port that nobody listens on: this one or, for 0, any."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # one that was left a moment ago can be used
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise InputError(f"Port {port} cannot be used ({error.strerror}): choose another --port.") from None
        return int(probe.getsockname()[1])


def _notebook() -> bytes:
    cell: dict[str, Any] = {
        "cell_type": "code",
        "id": "forms",
        "metadata": {},
        "source": _CELL,
        "outputs": [],
        "execution_count": None,
    }
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "title": "itnio-nb: SIP phones"}
    return json.dumps({"cells": [cell], "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}).encode()


def app_forms() -> Any:
    """Return the batch, the order and the review, in tabs, on one client and one ledger."""
    here = open_workspace()
    forms = {
        "Batch": BatchForm(here.client, here.ledger),
        "One order": OrderForm(here.client, here.ledger),
        "Review": ReviewForm(here.client, here.ledger),
    }
    return widgets.Tab(list(forms.values()), titles=list(forms))
