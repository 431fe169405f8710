"""How the two sides of the box speak: JSON in frames, each with its length before it; nothing is ever unpickled."""

from __future__ import annotations

import json
import math
import socket
import struct
import time
from typing import Any

HEADER = struct.Struct(">I")
REQUEST_LIMIT = 256 * 2**20
"""Bytes of a batch, and of what a sidecar is asked."""
ANSWER_LIMIT = 8 * 2**20
"""Bytes of an answer."""


class FrameError(Exception):
    """What came is no frame: too long, cut off, or no JSON."""


def encode(document: dict[str, Any], limit: int) -> bytes:
    """Return the document as a frame.

    Raises
    ------
    FrameError
        If it is longer than the limit.
    """
    body = json.dumps(document, allow_nan=False).encode("ascii")
    if len(body) > limit:
        raise FrameError(f"{len(body)} bytes are more than the {limit} that a frame may have")
    return HEADER.pack(len(body)) + body


def decode(body: bytes) -> dict[str, Any]:
    """Return the document of a frame's body.

    Raises
    ------
    FrameError
        If it is no JSON object of finite numbers.
    """
    try:
        document = json.loads(body, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise FrameError(f"no JSON: {error}") from error
    if not isinstance(document, dict):
        raise FrameError(f"a {type(document).__name__} instead of a JSON object")
    return document


def _refuse(constant: str) -> None:
    raise FrameError(f"{constant} is no JSON number")


def length_of(header: bytes, limit: int) -> int:
    """Return how many bytes follow a header.

    Raises
    ------
    FrameError
        If they are more than the limit.
    """
    length = int(HEADER.unpack(header)[0])
    if length > limit:
        raise FrameError(f"{length} bytes are announced, {limit} are allowed")
    return length


def receive(connection: socket.socket, limit: int, until: float = math.inf) -> dict[str, Any] | None:
    """Return the next document from a socket; None where the other side has hung up between two frames.

    Parameters
    ----------
    connection
        The socket.
    limit
        Bytes that a document may have.
    until
        When to give up, on the monotonic clock.

    Raises
    ------
    FrameError
        If what comes is no frame, or is longer than the limit.
    TimeoutError
        If it does not come in time.
    """
    header = _exactly(connection, HEADER.size, until)
    if not header:
        return None
    if len(header) < HEADER.size:
        raise FrameError("cut off within a header")
    length = length_of(header, limit)
    body = _exactly(connection, length, until)
    if len(body) < length:
        raise FrameError(f"cut off after {len(body)} of {length} bytes")
    return decode(body)


def _exactly(connection: socket.socket, size: int, until: float) -> bytes:
    """Return as many bytes, or fewer where the other side hangs up."""
    received = bytearray()
    while len(received) < size:
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        connection.settimeout(None if math.isinf(left) else left)
        part = connection.recv(min(size - len(received), 2**20))
        if not part:
            break
        received += part
    return bytes(received)
