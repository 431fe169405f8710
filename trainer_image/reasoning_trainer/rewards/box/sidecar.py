"""The program beside the trainer: listens on a socket, and gives every connection a box of its own."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .inside.frames import ANSWER_LIMIT, REQUEST_LIMIT, FrameError, encode, receive
from .interface import BoxError, Function
from .process import BoxProcess

CONNECTIONS = 8
"""Boxes at a time: a trainer needs one for each of its rewards."""


def listen(path: Path) -> socket.socket:
    """Return a socket that listens there, open to the trainer's user; only the two containers see its folder."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    os.chmod(path, 0o666)
    listener.listen(CONNECTIONS)
    return listener


def serve(listener: socket.socket, make_box: Callable[[int | None], BoxProcess]) -> None:
    """Answer connections until the listener is closed."""
    room = threading.BoundedSemaphore(CONNECTIONS)
    while True:
        room.acquire()
        connection, _ = listener.accept()
        threading.Thread(target=_attend, args=(connection, make_box, room), daemon=True).start()


def _attend(
    connection: socket.socket, make_box: Callable[[int | None], BoxProcess], room: threading.BoundedSemaphore
) -> None:
    """Serve one connection to its end: it asks for a box first."""
    box: BoxProcess | None = None
    try:
        with connection:
            wanted = receive(connection, REQUEST_LIMIT)
            if wanted is None:
                return
            box = make_box(None if wanted["memory"] is None else int(wanted["memory"]))
            connection.sendall(encode({"walls": asdict(box.start())}, ANSWER_LIMIT))
            while (request := receive(connection, REQUEST_LIMIT)) is not None:
                connection.sendall(encode(_answer(box, request), ANSWER_LIMIT))
    except (OSError, FrameError, BoxError) as error:
        print(f"a connection ended: {error}", flush=True)
    finally:
        if box:
            box.close()
        room.release()


def _answer(box: BoxProcess, request: dict[str, Any]) -> dict[str, Any]:
    function, deadline = Function(**request["function"]), float(request["deadline"])
    answer = box.call_packed(function, request["arguments"], int(request["rows"]), deadline, int(request["tries"]))
    return {"id": request["id"]} | asdict(answer)
