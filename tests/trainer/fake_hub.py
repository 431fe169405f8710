"""A fake of the Hub on the loopback: as much of its HTTP interface as a download of files needs."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

STALL_SECONDS = 120


@dataclass
class FakeHub:
    """Repositories by kind and name, such as ``datasets/owner/name``.

    Attributes
    ----------
    repositories
        Commit -> file -> content; the last commit is that of the branch main.
    asked
        Methods and paths that were asked for.
    stalled
        Names of files that come only when `go_on` is set, but for their first bytes.
    first
        How many bytes those are.
    """

    repositories: dict[str, dict[str, Mapping[str, bytes]]]
    asked: list[str] = field(default_factory=list)
    stalled: tuple[str, ...] = ()
    first: int = 0
    go_on: threading.Event = field(default_factory=threading.Event)
    endpoint: str = ""

    @contextmanager
    def serve(self) -> Iterator[FakeHub]:
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                hub._answer(self)

            do_HEAD = do_POST = do_GET  # noqa: N815 the names that the server looks for

            def log_message(self, *arguments: object) -> None:
                """Keep quiet."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        path = unquote(urlsplit(request.path).path).strip("/")
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        self.asked.append(f"{request.command} {path}")
        status, content, headers = self._find(path, body)
        request.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            request.send_header(name, value)
        request.end_headers()
        if request.command != "HEAD":
            at = self.first if path.endswith(self.stalled) else len(content)
            request.wfile.write(content[:at])
            if at < len(content):
                self.go_on.wait(STALL_SECONDS)
                request.wfile.write(content[at:])

    def _find(self, path: str, body: bytes) -> tuple[int, bytes, dict[str, str]]:
        steps = path.removeprefix("api/").split("/")
        kind = ["datasets"] if steps[0] == "datasets" else ["models"]
        rest = steps[1:] if steps[0] in ("datasets", "models") else steps
        commits = self.repositories.get("/".join([*kind, *rest[:2]]))
        if commits is None:
            return 404, b"{}", {"X-Error-Code": "RepoNotFound"}
        action, revision = (rest[2], rest[3]) if len(rest) > 3 else ("revision", "main")
        commit = next((each for each in commits if each == revision), None)
        commit = list(commits)[-1] if revision == "main" else commit
        if commit is None:
            return 404, b"{}", {"X-Error-Code": "RevisionNotFound"}
        files = commits[commit]
        if action == "resolve":
            return _file(files, "/".join(rest[4:]), commit)
        entries = [_entry(name, content) for name, content in files.items()]
        if action == "tree":
            return _json(entries)
        if action == "paths-info":
            wanted = json.loads(body)["paths"] if body.startswith(b"{") else []
            return _json([entry for entry in entries if entry["path"] in wanted])
        return _json({"id": "/".join(rest[:2]), "sha": commit, "siblings": [{"rfilename": name} for name in files]})


def _file(files: Mapping[str, bytes], name: str, commit: str) -> tuple[int, bytes, dict[str, str]]:
    if name not in files:
        return 404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit}
    return 200, files[name], {"ETag": f'"{_oid(files[name])}"', "X-Repo-Commit": commit}


def _entry(name: str, content: bytes) -> dict[str, object]:
    return {"type": "file", "path": name, "size": len(content), "oid": _oid(content)}


def _oid(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()


def _json(value: object) -> tuple[int, bytes, dict[str, str]]:
    return 200, json.dumps(value).encode(), {"Content-Type": "application/json"}
