"""Real servers on this machine, for plugins that send something."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Heard:
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def value(self) -> Any:
        return json.loads(self.body) if self.body else None


Answer = tuple[int, dict[str, str], bytes]


@dataclass
class HttpServer:
    """Keeps what it hears, and answers by `answer`."""

    answer: Callable[[Heard], Answer] = lambda heard: (200, {}, b"")
    heard: list[Heard] = field(default_factory=list)
    url: str = ""


@contextmanager
def http_server() -> Iterator[HttpServer]:
    told = HttpServer()

    class Handler(BaseHTTPRequestHandler):
        def _any(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            heard = Heard(self.command, self.path, dict(self.headers.items()), self.rfile.read(length))
            told.heard.append(heard)
            status, headers, body = told.answer(heard)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_DELETE = _any

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=lambda: server.serve_forever(0.02))
    thread.start()
    told.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield told
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
