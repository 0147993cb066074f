"""A relay between two machines: whoever connects here talks to whoever listens there.

    python -m tests.support.relay 127.0.0.1:18080 192.0.2.3:18080

A sandbox's account is one by its loopback address: each machine has one that leads to the sandbox on another machine.
"""

from __future__ import annotations

import asyncio
import sys

_PATIENCE = 2.0  # seconds to connect


async def main(here: str, there: str) -> None:
    """Relay for ever."""
    host, port = here.split(":")

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                far_reader, far_writer = await asyncio.open_connection(*there.split(":"))
        except (OSError, TimeoutError):
            writer.transport.abort()
            return
        ways = [asyncio.create_task(_pass_on(*way)) for way in ((reader, far_writer), (far_reader, writer))]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        for end in (writer, far_writer):
            end.close()

    server = await asyncio.start_server(relay, host, int(port), backlog=512)
    print("ready", flush=True)
    await server.serve_forever()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
