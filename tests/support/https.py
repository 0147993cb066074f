"""An encrypted server on loopback that creates whatever it is asked for, and counts who asked."""

from __future__ import annotations

import ssl
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_CREATED = b'{"status": "0", "reason": "success", "data": null}'


class _Created(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    connections: Counter[object]
    answer = _CREATED

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.connections[self.client_address] += 1
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.answer)))
        self.end_headers()
        self.wfile.write(self.answer)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving_https(context: ssl.SSLContext, answer: bytes = _CREATED) -> Iterator[tuple[str, Counter[object]]]:
    """A server; its address, and the number of requests over each connection."""
    connections: Counter[object] = Counter()
    kind = type("Created", (_Created,), {"connections": connections, "answer": answer})
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign] # a client that refuses us is expected
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"https://localhost:{server.server_address[1]}/voice", connections
    finally:
        server.shutdown()
        server.server_close()
