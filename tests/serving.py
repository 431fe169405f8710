"""Servers for tests: one that gives answers it is told to, and the examples' own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

Answer = tuple[int, dict[str, str], str]


@dataclass
class Served:
    """Gives its answers one after the other, the last one for ever."""

    url: str = ""
    answers: list[Answer | Callable[[dict[str, Any]], Answer]] = field(default_factory=list)
    asked: list[tuple[str, dict[str, str], dict[str, Any]]] = field(default_factory=list)


@contextmanager
def serve() -> Iterator[Served]:
    """Serve on a free port of this machine."""
    state = Served()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            document = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            state.asked.append((self.path, dict(self.headers), document))
            answer = state.answers.pop(0) if len(state.answers) > 1 else state.answers[0]
            status, headers, text = answer(document) if callable(answer) else answer
            self.send_response(status)
            for name, value in (headers | {"Content-Length": str(len(text))}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: Any) -> None: ...

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{listener.server_port}"
    Thread(target=listener.serve_forever, daemon=True).start()
    yield state
    listener.shutdown()
    listener.server_close()


@contextmanager
def serving(server: Path, environment: dict[str, str]) -> Iterator[str]:
    """Run an example server, and yield its host and port."""
    process = subprocess.Popen(
        [sys.executable, server, "--port", "0"],
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout
        yield process.stdout.readline().removeprefix("listening on ").strip()
    finally:
        process.kill()
        process.communicate()
