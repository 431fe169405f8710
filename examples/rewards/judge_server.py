"""Stands in for a judge: python judge_server.py --port 8001. Of what vLLM's server speaks it knows chat completions.

In place of a model it has a rule for the question of judge.yaml: it finds the number and the answer in what it is
asked, and says how well they go together. If the environment has JUDGE_KEY, requests need the header
`Authorization: Bearer KEY`.
"""

from __future__ import annotations

import argparse
import hmac
import json
import os
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

LONGEST = 2**20
QUESTION = re.compile(r"Number: (\d+)\nAnswer of the student:\n(.*)\nEnd of the answer", re.DOTALL)
ANSWER = re.compile(r"<answer>(even|odd)</answer>\s*$")


def judged(question: str) -> str:
    """Return what the judge says: 10 points for the right answer, 2 for a wrong one, 0 for none."""
    found = QUESTION.search(question)
    if found is None:
        return "I cannot judge that."
    answer = ANSWER.search(found[2])
    if answer is None:
        return "There is no answer in its tags.\nScore: 0"
    right = (int(found[1]) % 2 == 0) == (answer[1] == "even")
    return "That is right.\nScore: 10" if right else "That is wrong, if well written.\nScore: 2"


def completed(request: dict[str, Any]) -> dict[str, Any]:
    """Return the answer to a request for a chat completion."""
    message = {"role": "assistant", "content": judged(request["messages"][-1]["content"])}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return {"object": "chat.completion", "model": request["model"], "choices": [choice]}


class Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Judge one completion."""
        length = int(self.headers.get("Content-Length", 0))
        if self.path != "/v1/chat/completions" or length > LONGEST or not self._is_allowed():
            self.close_connection = True
            self._answer(401 if not self._is_allowed() else 404, {"error": {"message": "refused"}})
            return
        try:
            self._answer(200, completed(json.loads(self.rfile.read(length))))
        except (ValueError, KeyError, TypeError, IndexError) as error:
            self._answer(400, {"error": {"message": repr(error)}})

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing: a batch has many requests."""

    def _is_allowed(self) -> bool:
        key = os.environ.get("JUDGE_KEY")
        given = self.headers.get("Authorization", "")
        return key is None or hmac.compare_digest(given.encode(), f"Bearer {key}".encode())

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
    parser.add_argument("--port", type=int, default=8001)
    parser.add_argument("--host", default="127.0.0.1")
    given = parser.parse_args()
    with ThreadingHTTPServer((given.host, given.port), Handler) as server:
        print(f"listening on {given.host}:{server.server_port}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
