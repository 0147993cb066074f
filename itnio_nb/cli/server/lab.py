"""JupyterLab's server, which says where it can be opened once it answers."""

from __future__ import annotations

from urllib.parse import urlencode, urlsplit

from jupyter_server import serverapp

_ANY = ("", "*", "::", "0.0.0.0")  # noqa: S104 - what an operator may have set


class ServerApp(serverapp.ServerApp):
    """Print the address, with its token, when the event loop runs: all extensions are loaded and the port is open."""

    def start_ioloop(self) -> None:
        """Start the event loop, and say so in it."""
        if not self.sock:  # no browser opens one; Jupyter says how to reach it
            self.io_loop.add_callback(lambda: print(f"Open {self.address} (Ctrl-C stops it)", flush=True))
        super().start_ioloop()

    @property
    def address(self) -> str:
        """The address of the first page, whole: with the token, wherever it comes from."""
        parts = urlsplit(self.local_url if self.ip in _ANY else self.public_url)
        token = self.identity_provider.token
        return parts._replace(query=urlencode({"token": token}) if token else "").geturl()


AnnouncedServer = ServerApp  # its own name is that of its section in configuration files, and stands in its log
