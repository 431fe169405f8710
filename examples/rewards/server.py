"""A reward service of the standard library alone: python server.py --port 8000.

POST /score takes a batch and returns a score for each completion, null for one that it cannot score. If the environment
has REWARD_TOKEN, requests need the header `Authorization: Bearer TOKEN`.
"""

from __future__ import annotations

import argparse
import hmac
import json
import os
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

LONGEST = 64 * 2**20
ANSWER = re.compile(r"<answer>(.*?)</answer>", re.DOTALL)


def score(batch: dict[str, Any]) -> list[float | None]:
    """Return 1 for a completion with the right answer, 0 for another, None where the row has no answer."""
    answers = batch["columns"]["answer"]
    return [
        None if right is None else float(answer_of(completion) == right)
        for completion, right in zip(batch["completions"], answers, strict=True)
    ]


def answer_of(completion: str | list[dict[str, str]]) -> str | None:
    """Return the answer in a completion, a text or a conversation; None if it has none."""
    text = completion if isinstance(completion, str) else completion[0]["content"]
    found = ANSWER.search(text)
    return found[1].strip() if found else None


class Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Score a batch."""
        length = int(self.headers.get("Content-Length", 0))
        if not self._is_allowed() or length > LONGEST:
            self.close_connection = True
            self._answer(413 if length > LONGEST else 401, {"error": "refused"})
            return
        try:
            self._answer(200, {"scores": score(json.loads(self.rfile.read(length)))})
        except (ValueError, KeyError, TypeError) as error:
            self._answer(400, {"error": repr(error)})

    def _is_allowed(self) -> bool:
        token = os.environ.get("REWARD_TOKEN")
        given = self.headers.get("Authorization", "")
        return token is None or hmac.compare_digest(given.encode(), f"Bearer {token}".encode())

    def _answer(self, status: int, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    """Serve until it is interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--host", default="127.0.0.1")
    given = parser.parse_args()
    with ThreadingHTTPServer((given.host, given.port), Handler) as server:
        print(f"listening on {given.host}:{server.server_port}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
