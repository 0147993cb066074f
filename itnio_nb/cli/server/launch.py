"""Run JupyterLab or Voilà with defaults of our own: `python -P -m itnio_nb.cli.server.launch jupyterlab …`.

They are defaults: what the operator has set in files or as an option of Jupyter goes before them. Nothing that only
Jupyter's developers can do something about is printed.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

# Lines of a normal start and stop that read like warnings. Each is known, and asks nothing of an operator.
_KNOWN = (
    "To access the server, open this file",  # the address is printed by us, when it answers
    "To access the server, copy and paste",
    "received signal",  # asked for
    "Shutdown confirmed",
    "Shutting down...",
    "Got events for closed stream",  # of a kernel that was ended with its server
    "is not trusted",  # what JupyterLab shows of a notebook that was not run here yet, with a shield
    "The websocket_ping_timeout",  # one of Jupyter's settings, in milliseconds, taken for seconds by tornado
)
_LOGGERS = ("ServerApp", "LabApp", "Voila", "tornado.general", "asyncio")
_CLOSED = "WebSocketClosedError"  # a page was left while something was on its way to it
# What the page of the forms loads of all that is installed: its widgets.
_EXTENSIONS = ["@voila-dashboards/widgets-manager8", "@jupyter-widgets/jupyterlab-manager", "anywidget"]
_SETTINGS = Path(__file__).with_name("settings")


def main() -> None:
    """Run the server that the first word names, with the words after it as its command line."""
    name, *words = sys.argv[1:]
    # jsonschema's check of international addresses, which no notebook has, builds 38 parsers when it is imported:
    # 1.7 seconds. Without that module it does without that check.
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type] # Python's way to say "not installed"
    _leave_out_what_is_known()
    if name == "voila":
        from itnio_nb.cli.server.forms import FormsServer

        defaults = _defaults()
        defaults.VoilaConfiguration.multi_kernel_manager_class = "itnio_nb.cli.server.kernels.PageKernels"
        defaults.VoilaConfiguration.extension_allowlist = _EXTENSIONS
        defaults.VoilaExecutor.cell_error_instruction = "The terminal where itnio-nb app runs says why."
        FormsServer.launch_instance(words, config=defaults)
    else:
        _launch_lab(words)


def _launch_lab(words: list[str]) -> None:
    from jupyter_core.paths import jupyter_config_path
    from jupyterlab.labapp import LabApp

    from itnio_nb.cli.server.lab import AnnouncedServer

    # Last, so that the operator's and the machine's own settings go before.
    os.environ["JUPYTER_CONFIG_PATH"] = os.pathsep.join([*jupyter_config_path(), str(_SETTINGS)])
    defaults = _defaults()
    defaults.ServerApp.kernel_manager_class = "itnio_nb.cli.server.kernels.Kernels"
    AnnouncedServer.instance(config=defaults)  # which JupyterLab finds, and starts
    sys.argv = ["jupyter-lab", *words]  # as it calls itself in its help
    LabApp.launch_instance(words)


def _defaults() -> Any:
    """Return the configuration that holds where nothing else is said."""
    import zmq
    from jupyter_client.manager import KernelManager
    from traitlets.config import Config

    defaults = Config()
    if "transport_encryption" in KernelManager.class_trait_names() and zmq.has("curve"):
        # Else each kernel warns that others on this machine could read what is said to it.
        defaults.KernelManager.transport_encryption = "auto"
    return defaults


def _leave_out_what_is_known() -> None:
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(is_news)
    show = warnings.showwarning

    def show_to_operators(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
        if not issubclass(category, DeprecationWarning):  # of Jupyter's parts among each other
            show(message, category, *place, **more)

    warnings.showwarning = show_to_operators


def is_news(record: logging.LogRecord) -> bool:
    """Tell whether a line of the log is more than what belongs to each start and stop."""
    kind = record.exc_info[0] if record.exc_info else None
    is_left = kind is not None and kind.__name__ == _CLOSED
    return not is_left and not any(words in record.getMessage() for words in _KNOWN)


def _leave() -> None:
    """End, although a thread waits: the one in which Jupyter was reading a file when it was told to stop never ends."""
    if threading.active_count() > 1:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):  # Ctrl-C before the server takes care of it
        main()
    _leave()
