"""The box as a sidecar: a client of the socket that it listens on."""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .answers import read_answer, read_walls
from .child import START_SECONDS
from .inside.columns import pack
from .inside.frames import ANSWER_LIMIT, REQUEST_LIMIT, FrameError, encode, receive
from .inside.walls import Walls
from .interface import TRIES, BoxAnswer, BoxError, Function, OnMissingWall, Problem, demand, rows_of

RETRY_SECONDS = 0.1
GRACE_SECONDS = 10.0
"""How much longer than the box itself may take the client waits for it."""


class BoxClient:
    """A box behind a socket; each client has one of its own there.

    Parameters
    ----------
    path
        The socket.
    on_missing_wall
        Whether it is used where a wall does not stand; no code is sent before that is known.
    memory
        Bytes that the box may map at most; what the sidecar has to give where it is less, or this is None.
    patience
        Seconds that it waits for the sidecar to listen, at the beginning and when it was started again.
    """

    def __init__(
        self,
        path: Path,
        on_missing_wall: OnMissingWall = "refuse",
        memory: int | None = None,
        patience: float = 60.0,
    ) -> None:
        self._path, self._memory = path, memory
        self._on_missing_wall = on_missing_wall
        self._patience = patience
        self._connection: socket.socket | None = None
        self._walls: Walls | None = None

    def start(self) -> Walls:
        """Connect, if it is not: see `Box.start`."""
        if self._connection is None or self._walls is None:
            self._connection = self._connect()
            try:
                self._connection.sendall(encode({"memory": self._memory}, REQUEST_LIMIT))
                hello = receive(self._connection, ANSWER_LIMIT, time.monotonic() + START_SECONDS + GRACE_SECONDS)
                self._walls = demand(read_walls(_said(hello)), self._on_missing_wall)
            except (OSError, FrameError) as error:
                self.close()
                raise BoxError(f"what listens on {self._path} does not answer as a box: {error}") from error
            except BoxError:
                self.close()
                raise
        return self._walls

    def call(
        self, function: Function, arguments: Mapping[str, list[Any]], deadline: float, tries: int = TRIES
    ) -> BoxAnswer:
        """Call a function with a batch: see `Box.call`."""
        rows = rows_of(arguments)
        for _ in range(TRIES):
            self.start()
            assert self._connection is not None
            try:
                return _ask(self._connection, function, arguments, rows, deadline, tries)
            except (OSError, FrameError) as error:
                failure = error
                self.close()
        message = f"{function.name}: the box's sidecar answered wrongly or not at all, twice: {failure!r}"
        return BoxAnswer([None] * rows, [Problem(None, message, None)])

    def close(self) -> None:
        """Hang up, which ends the box behind the socket: see `Box.close`."""
        if self._connection:
            self._connection.close()
        self._connection = self._walls = None

    def _connect(self) -> socket.socket:
        """Return a connection, as soon as somebody listens."""
        until = time.monotonic() + self._patience
        while True:
            connection = socket.socket(socket.AF_UNIX)
            try:
                connection.connect(str(self._path))
            except OSError as error:
                connection.close()
                if time.monotonic() > until:
                    raise BoxError(f"no box listens on {self._path}: {error}") from error
                time.sleep(RETRY_SECONDS)
            else:
                return connection


def _ask(
    connection: socket.socket,
    function: Function,
    arguments: Mapping[str, list[Any]],
    rows: int,
    deadline: float,
    tries: int,
) -> BoxAnswer:
    until = time.monotonic() + tries * (deadline + START_SECONDS) + GRACE_SECONDS
    batch = secrets.token_hex(16)
    question = {
        "id": batch,
        "function": function.document(),
        "arguments": pack(arguments),
        "rows": rows,
        "deadline": deadline,
        "tries": tries,
    }
    frame = encode(question, REQUEST_LIMIT)
    connection.settimeout(until - time.monotonic())
    connection.sendall(frame)
    return read_answer(_said(receive(connection, ANSWER_LIMIT, until)), batch, rows)


def _said(document: dict[str, Any] | None) -> dict[str, Any]:
    """Return what the sidecar said, which has hung up if it could not get a box: its log says why."""
    if document is None:
        raise ConnectionError("it hung up: see its container's log")
    return document
