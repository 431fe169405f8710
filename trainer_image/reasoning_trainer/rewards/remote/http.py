"""Rewards that a service computes: a batch a request, and again after what may pass."""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http.client import HTTPException, HTTPResponse
from typing import Any, Protocol, TypeVar
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, Request, build_opener

ANSWER_LIMIT = 8 * 2**20
"""Bytes of an answer."""
EXCERPT = 200
"""Characters of an answer that a message shows."""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds before the second try, and at most before any."""
PASSING = (408, 425, 429, 500, 502, 503, 504)
"""Statuses after which the same request may be answered."""


Answer = TypeVar("Answer")


class ServiceError(Exception):
    """A batch that the service did not score."""

    def __init__(self, message: str, *, passing: bool = False, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.passing, self.retry_after = passing, retry_after


class Clock(Protocol):
    """Time as `time` has it."""

    def monotonic(self) -> float:
        """Return the moment, in seconds."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class _NoRedirects(HTTPRedirectHandler):
    """Would take the request's headers, a Secret among them, to wherever the answer points."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


@dataclass(frozen=True)
class Service:
    """Where batches are posted.

    Attributes
    ----------
    url
        Its address.
    headers
        Headers of every request.
    retries
        How often a request is sent again.
    clock
        Measures the deadline.
    """

    url: str
    headers: Mapping[str, str]
    retries: int
    clock: Clock = time

    def score(self, document: Mapping[str, Any], rows: int, deadline: float) -> list[float | None]:
        """Return the scores of a batch.

        Parameters
        ----------
        document
            The request, of JSON values.
        rows
            How many scores are expected.
        deadline
            Moment of the clock until which it may take.

        Raises
        ------
        ServiceError
            If the service does not score it, or not in time.
        """
        return self.ask(document, lambda answer: read_scores(answer, rows), deadline)

    def ask(self, document: Mapping[str, Any], read: Callable[[bytes], Answer], deadline: float) -> Answer:
        """Return what a request is answered.

        Parameters
        ----------
        document
            The request, of JSON values.
        read
            Makes of the answer what is returned; it raises `ServiceError` for one that is none.
        deadline
            Moment of the clock until which it may take.

        Raises
        ------
        ServiceError
            If the service does not answer, or not in time.
        """
        body = json.dumps(document, allow_nan=False).encode()
        attempt = 0
        while True:
            try:
                return read(self._post(body, deadline - self.clock.monotonic()))
            except ServiceError as error:
                pause = pause_before(attempt, error.retry_after)
                late = self.clock.monotonic() + pause >= deadline
                if not error.passing or attempt >= self.retries or late:
                    raise ServiceError(f"{self.url}, try {attempt + 1}: {error}") from error
            attempt += 1
            self.clock.sleep(pause)

    def _post(self, body: bytes, seconds: float) -> bytes:
        request = Request(self.url, body, {"Content-Type": "application/json", **self.headers}, method="POST")
        try:
            with build_opener(_NoRedirects).open(request, timeout=max(seconds, 0.001)) as answer:
                return self._read(answer, self.clock.monotonic() + seconds)
        except HTTPError as error:
            said = error.read(EXCERPT).decode(errors="replace")
            raise ServiceError(
                f"HTTP {error.code} {error.reason}: {said}".rstrip(": "),
                passing=error.code in PASSING,
                retry_after=seconds_of(error.headers.get("Retry-After")),
            ) from error
        except (URLError, HTTPException, OSError) as error:
            raise ServiceError(f"{type(error).__name__}: {error}", passing=True) from error

    def _read(self, answer: HTTPResponse, deadline: float) -> bytes:
        """Return the whole answer, of a service too that sends it byte by byte."""
        text = b""
        while part := answer.read1(2**16):
            text += part
            if len(text) > ANSWER_LIMIT:
                raise ServiceError(f"the answer is longer than {ANSWER_LIMIT} bytes")
            if self.clock.monotonic() > deadline:
                raise ServiceError("the answer does not end in time")
        return text


def pause_before(attempt: int, retry_after: float | None) -> float:
    """Return the seconds to wait after a try that failed: what the service asks for, else twice as long each time.

    A random part keeps those apart that failed together.
    """
    if retry_after is not None:
        return retry_after + random.uniform(0, FIRST_PAUSE)
    longest = min(FIRST_PAUSE * 2**attempt, LONGEST_PAUSE)
    return random.uniform(longest / 2, longest)


def seconds_of(retry_after: str | None) -> float | None:
    """Return how many seconds a Retry-After header asks for, in either of its forms; None if it is neither."""
    if retry_after is None:
        return None
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        return max(parsedate_to_datetime(retry_after).timestamp() - time.time(), 0.0)
    except (ValueError, OverflowError):
        return None


def read_scores(answer: bytes, rows: int) -> list[float | None]:
    """Return the scores of an answer ``{"scores": [...]}``: finite numbers, or None where it has null.

    Raises
    ------
    ServiceError
        If it is no such answer.
    """
    try:
        document = json.loads(answer)
    except (ValueError, RecursionError) as error:
        raise ServiceError(f"the answer is no JSON: {error}: {answer[:EXCERPT]!r}") from error
    scores = document.get("scores") if isinstance(document, dict) else None
    if not isinstance(scores, list) or len(scores) != rows:
        raise ServiceError(f"the answer has no list of {rows} scores: {answer[:EXCERPT]!r}")
    for row, score in enumerate(scores):
        number = isinstance(score, int | float) and not isinstance(score, bool) and math.isfinite(score)
        if score is not None and not number:
            raise ServiceError(f"score {row} of the answer is {score!r:.{EXCERPT}}, no finite number")
    return [None if score is None else float(score) for score in scores]


def headers_of(text: str) -> dict[str, str]:
    """Return headers that are written one a line.

    Raises
    ------
    ValueError
        If a line is none; it is not shown.
    """
    headers = {}
    for number, line in enumerate(text.strip().splitlines(), 1):
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            raise ValueError(f"line {number} is no header such as `Authorization: Bearer ...`")
        headers[name.strip()] = value.strip()
    return headers
