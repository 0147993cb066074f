"""Voilà for the page of the forms: it ends its kernels before it deletes the folder that they write into."""

from __future__ import annotations

from voila import app


class Voila(app.Voila):  # type: ignore[misc] # it has no types
    """Voilà that is stopped without a complaint, at whatever moment."""

    def _handle_signal_stop(self, *_: object) -> None:
        self.ioloop.add_callback_from_signal(self._end)

    async def _end(self) -> None:
        """End all kernels, one that is starting too, and then the event loop, in which that is done."""
        await self.kernel_manager.shutdown_all()
        self.ioloop.stop()


FormsServer = Voila  # its own name is that of its section in configuration files, and stands in its log
