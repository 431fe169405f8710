"""The ways in which a box runs: as child of root, as child of an ordinary user, and as the sidecar's program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from reasoning_trainer.rewards.box import Box, BoxAnswer, BoxClient, BoxProcess, Function, Problem, Walls

ROOT = Path(__file__).resolve().parents[2]
ORDINARY = 54_321 if os.geteuid() == 0 else os.geteuid()
DRIVER = """
import json, sys
from dataclasses import asdict
from reasoning_trainer.rewards.box import BoxProcess, Function
box = BoxProcess()
print(json.dumps(asdict(box.start())), flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    answer = box.call(Function(**asked["function"]), asked["arguments"], asked["deadline"])
    print(json.dumps(asdict(answer)), flush=True)
box.close()
"""

OPEN = """
import json, os, signal, sys
for line in sys.stdin:
    source, target = json.loads(line)
    reading, writing = os.pipe()
    left_open = os.open(target["model"] + "/weights", os.O_RDWR)
    child = os.fork()
    if not child:
        os.setpgid(0, 0)
        try:
            space = {}
            exec(source, space)
            told = space["attempt"]([""], [target])
        except BaseException as error:
            told = repr(error)
        os.write(writing, json.dumps(told).encode())
        os._exit(0)
    os.close(writing)
    os.close(left_open)
    with open(reading, "rb") as answer:
        told = answer.read().decode()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(json.dumps(told or f"exit status {status}"), flush=True)
"""
GOT_THROUGH = ("[1.0]", "exit status 77")


def python_as(user: int, folder: Path) -> tuple[list[str], str]:
    """Return the command that starts Python as a user, and the folder of that Python's libraries."""
    if user == os.geteuid():
        return [sys.executable], sysconfig.get_path("purelib")
    script = Path(__file__).with_name("as_user.py")
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return [sys.executable, str(script), str(user), str(folder)], f"{folder}/venv/lib/{name}/site-packages"


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT / "trainer_image"), "TOKEN": "secret"}


class OpenPython:
    """Runs attempts without a box: each in a process of its own, with the model's file left open."""

    def __init__(self, python: list[str]) -> None:
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self._process = subprocess.Popen([*python, "-c", OPEN], **pipes, env=environment(), cwd="/")

    def run(self, source: str, target: dict[str, Any]) -> str:
        """Return what the attempt returned, or how its process ended."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps([source, target]) + "\n")
        self._process.stdin.flush()
        told: str = json.loads(self._process.stdout.readline())
        return told

    def close(self) -> None:
        self._process.communicate()


class ChildOfAnother:
    """A box that is the child of a process of an ordinary user."""

    def __init__(self, python: list[str]) -> None:
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self._process = subprocess.Popen([*python, "-c", DRIVER], **pipes, env=environment())
        self._walls = Walls(**self._read())

    def start(self) -> Walls:
        return self._walls

    def call(self, function: Function, arguments: Any, deadline: float) -> BoxAnswer:
        assert self._process.stdin
        asked = {"function": function.document(), "arguments": arguments, "deadline": deadline}
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        answer = self._read()
        return BoxAnswer(answer["values"], [Problem(*problem) for problem in answer["problems"]], answer["printed"])

    def close(self) -> None:
        self._process.communicate()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout
        line: dict[str, Any] = json.loads(self._process.stdout.readline())
        return line


class Sidecar:
    """The sidecar's program, and a client of it."""

    def __init__(self, python: list[str], user: int, *options: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="box-socket-"))
        os.chown(self.folder, user, user)
        self.folder.chmod(0o755)
        self.socket = self.folder / "socket"
        command = [*python, "-m", "reasoning_trainer.rewards.box", "--socket", str(self.socket), *options]
        self.process = subprocess.Popen(command, env=environment(), stdout=subprocess.DEVNULL)
        self._client = BoxClient(self.socket)

    def start(self) -> Walls:
        return self._client.start()

    def call(self, function: Function, arguments: Any, deadline: float) -> BoxAnswer:
        return self._client.call(function, arguments, deadline)

    def hang_up(self) -> None:
        self._client.close()

    def close(self) -> None:
        self.hang_up()
        self.process.terminate()
        assert self.process.wait(10) == 0
        self.socket.unlink()
        self.folder.rmdir()


def make_host(way: str, python: list[str]) -> Box:
    """Return the box of a way."""
    if way == "child of root":
        return BoxProcess()
    return ChildOfAnother(python) if way == "child of a user" else Sidecar(python, ORDINARY)
