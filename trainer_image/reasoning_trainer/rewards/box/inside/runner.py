"""The process that runs the user's code: shuts itself, says how, and then answers one batch after the other."""

from __future__ import annotations

import faulthandler
import os
import signal
import socket
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from . import walls
from .columns import unpack
from .confine import Limits
from .frames import ANSWER_LIMIT, REQUEST_LIMIT, encode, receive
from .functions import Asked, Functions
from .output import Printed

TRACE_SIGNAL = signal.SIGUSR1
"""Makes the process say on its standard error where it is, even from within a regular expression."""


def main() -> None:
    """Run until the other side hangs up."""
    connection = _take_connection()
    site = _read_site(connection)
    faulthandler.enable(2)
    faulthandler.register(TRACE_SIGNAL, 2, all_threads=False)
    raised = walls.put_up(site)
    sys.path += map(str, site.libraries)
    printed = Printed()
    sys.stdout = sys.stderr = printed
    functions = Functions(printed)
    connection.sendall(encode({"walls": asdict(raised)}, ANSWER_LIMIT))
    while (request := receive(connection, REQUEST_LIMIT)) is not None:
        asked = Asked(**request["function"])
        arguments = unpack(request["arguments"])
        answer = functions.answer(asked, arguments, int(request["rows"]), float(request["deadline"]))
        connection.sendall(encode({"id": request["id"]} | answer, ANSWER_LIMIT))


def _take_connection() -> socket.socket:
    """Return the socket that came as standard input, which is then empty."""
    connection = socket.socket(fileno=os.dup(0))
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.close(nothing)
    return connection


def _read_site(connection: socket.socket) -> walls.Site:
    document: dict[str, Any] | None = receive(connection, REQUEST_LIMIT)
    assert document is not None
    return walls.Site(
        limits=Limits(**document["limits"]),
        libraries=tuple(map(Path, document["libraries"])),
        tmp=Path(document["tmp"]) if document["tmp"] else None,
        bounded=document["bounded"],
    )
