"""The address that JupyterLab's server prints."""

from __future__ import annotations

import pytest
from jupyter_server.auth import IdentityProvider

from itnio_nb.cli.server.lab import ServerApp


@pytest.mark.parametrize(
    ("ip", "token", "address"),
    [
        ("127.0.0.1", "t", "http://127.0.0.1:9000/lab?token=t"),
        ("localhost", "t", "http://localhost:9000/lab?token=t"),
        ("192.168.1.5", "t", "http://192.168.1.5:9000/lab?token=t"),
        ("0.0.0.0", "t", "http://127.0.0.1:9000/lab?token=t"),
        ("", "t", "http://127.0.0.1:9000/lab?token=t"),
        ("127.0.0.1", "a b&c", "http://127.0.0.1:9000/lab?token=a+b%26c"),
        ("127.0.0.1", "", "http://127.0.0.1:9000/lab"),
    ],
)
def test_the_address_of_jupyterlab_can_be_opened(ip: str, token: str, address: str) -> None:
    """Wherever it listens; with the whole token, which Jupyter hides where it comes from the environment."""
    server = ServerApp(ip=ip, port=9000, default_url="/lab")
    server.identity_provider = IdentityProvider(token=token)
    assert server.address == address
