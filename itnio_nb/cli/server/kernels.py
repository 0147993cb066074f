"""The kernels of a server, and those of the page: one for each that is opened, of which the next is always ready."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from typing import Any

from jupyter_core.utils import ensure_async
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from tornado.ioloop import IOLoop

_PAUSE = 5.0  # seconds after which the next is prepared: the page that is being opened needs the processor itself
_ANSWER = 5.0  # seconds within which a kernel that is ready answers: one that was restarted imports everything anew
_PREPARED = "--IPKernelApp.exec_lines=import itnio_nb.cli.server.page"
_Kernels: Any = AsyncMappingKernelManager  # its types contradict those of what it stands on


class Kernels(_Kernels):  # type: ignore[misc] # see there
    """Kernels that are ended without a complaint."""

    async def _async_shutdown_kernel(self, kernel_id: str, now: bool = False, restart: bool = False) -> None:
        """End a kernel. One that is still starting has nothing to lose, and would complain of an interrupt: at once."""
        if kernel_id not in self:  # it was ended by its own page meanwhile
            return
        starting = getattr(self.get_kernel(kernel_id), "execution_state", "") == "starting"
        await super()._async_shutdown_kernel(kernel_id, now=now or starting, restart=restart)

    shutdown_kernel = _async_shutdown_kernel


class PageKernels(Kernels):
    """Keep one kernel ready that has imported the forms, and has run nothing else: no account, no ledger.

    A page that is opened takes it, and runs its notebook in it, so what it shows is as new as ever. A page that finds
    none, since two are opened at once, starts its own.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._next: asyncio.Task[str] | None = None
        self._ended = False
        IOLoop.current().add_callback(self._prepare)

    async def start_kernel(self, **options: Any) -> str:
        """Return a kernel for a page."""
        prepared, self._next = self._next, None
        IOLoop.current().call_later(_PAUSE, self._prepare)
        if prepared is not None:
            await asyncio.wait([prepared])
            if prepared.exception() is None and await self._answers(prepared.result()):
                return prepared.result()
        return await self._start(kernel_name=options.get("kernel_name"))

    async def _answers(self, kernel_id: str) -> bool:
        """Tell whether a kernel answers: it may have died, or hang. One that does not is let go."""
        if kernel_id not in self:
            return False
        if await ensure_async(self.is_alive(kernel_id)):
            client = self.get_kernel(kernel_id).client()
            client.start_channels()
            try:
                with suppress(TimeoutError, RuntimeError):  # it took too long, or ended just now
                    await ensure_async(client.kernel_info(reply=True, timeout=_ANSWER))
                    return True
            finally:
                client.stop_channels()
        await self._async_shutdown_kernel(kernel_id, now=True)
        return False

    async def _async_shutdown_all(self, now: bool = False) -> None:
        """End all kernels, that too which is being prepared: until it has started it is not known as one of them."""
        self._ended = True
        if self._next is not None and not self._next.done():
            await asyncio.wait([self._next], timeout=_ANSWER)  # nobody waits for one that hangs
        await super()._async_shutdown_all(now=now)

    shutdown_all = _async_shutdown_all

    def _prepare(self) -> None:
        if self._next is None and not self._ended:
            self._next = asyncio.ensure_future(self._start())

    async def _start(self, **options: Any) -> str:
        """Start a kernel in the folder of the notebook; it is told, as Voilà does it, that it belongs to a page."""
        env = {**os.environ, "SERVER_SOFTWARE": "voila"}
        return str(await super().start_kernel(path="", extra_arguments=[_PREPARED], env=env, **options))
