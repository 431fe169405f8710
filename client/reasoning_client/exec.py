"""Runs a program in a container and yields what it writes, as it writes it."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Sequence
from typing import Any

from kubernetes import client
from kubernetes.stream import stream
from websocket import ABNF, WebSocketException

from .errors import ClientError, Exit
from .kube import Cluster, refusal

STDOUT, STDERR, ERROR = 1, 2, 3


def run(cluster: Cluster, pod: str, container: str, command: Sequence[str]) -> Iterator[bytes]:
    """Run a program and yield its output.

    Raises
    ------
    ClientError
        If it cannot be run, ends with another code than 0, or the connection breaks.
    """
    api = client.CoreV1Api(cluster.transport)
    path = cluster.core("pods", pod, "exec")
    try:
        socket = stream(
            api.connect_get_namespaced_pod_exec,
            pod,
            cluster.namespace,
            container=container,
            command=list(command),
            stdin=False,
            stdout=True,
            stderr=True,
            tty=False,
            binary=True,
            _preload_content=False,
        ).sock
    except client.ApiException as error:
        raise refusal(_status(error), _body(error), "POST", path) from None
    try:
        yield from _output(socket)
    except (WebSocketException, OSError) as error:
        raise ClientError(f"the connection to pod {pod} broke: {error}", "run the same again: it goes on") from None
    finally:
        socket.close()


def _status(error: Any) -> int:
    """Return the HTTP status of a refused handshake, which the client tells in the text only."""
    words = str(error.reason or "").split()
    after = words.index("status") + 1 if "status" in words[:-1] else None
    number = words[after] if after is not None else ""
    return int(number) if number.isdigit() else int(error.status or 0)


def _body(error: Any) -> str:
    """Return what the API server answered; of a refused handshake it stands at the end of the client's text."""
    if error.body:
        return error.body.decode("utf-8", "replace") if isinstance(error.body, bytes) else str(error.body)
    text = str(error.reason or "").rpartition(" -+-+- ")[2]
    return str(ast.literal_eval(text).decode("utf-8", "replace")) if text.startswith(("b'", 'b"')) else text


def _output(socket: Any) -> Iterator[bytes]:
    """Read frame by frame: the client's own reader gathers whatever has arrived, which may be a whole model."""
    told, verdict = b"", b""
    while True:
        code, frame = socket.recv_data_frame(True)
        if code == ABNF.OPCODE_CLOSE:
            break
        if code not in (ABNF.OPCODE_BINARY, ABNF.OPCODE_TEXT) or not frame.data:
            continue
        channel, data = frame.data[0], frame.data[1:]
        if channel == STDOUT and data:
            yield data
        elif channel == STDERR:
            told += data
        elif channel == ERROR:
            verdict += data
    _judge(verdict, told.decode("utf-8", "replace").strip())


def _judge(verdict: bytes, told: str) -> None:
    if not verdict:
        raise ClientError("the program in the pod was cut off", "run the same again: it goes on")
    status = json.loads(verdict)
    if status.get("status") != "Success":
        last = told.splitlines()[-1] if told else status.get("message", "")
        code = Exit.NOT_FOUND if "FileNotFoundError" in last else Exit.UNEXPECTED
        raise ClientError(f"the program in the pod failed: {last}", code=code)
