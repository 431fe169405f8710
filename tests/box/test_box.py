"""What a box makes of what functions do, and what it does when it cannot stand."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.box.hosts import ROOT, Sidecar
from tests.polling import eventually

from reasoning_trainer.rewards.box import Box, BoxAnswer, BoxClient, BoxError, BoxProcess, Function
from reasoning_trainer.rewards.box.__main__ import OWN_MEMORY
from reasoning_trainer.rewards.box.inside.frames import encode, receive
from reasoning_trainer.rewards.box.inside.syscalls import MACHINES

ORIGIN = "rewards[0].python.source"
NUMBERED = {"completions": ["a", "b", "c", "d"], "number": [0, 1, 2, 3]}


@pytest.fixture(scope="module")
def box() -> Iterator[BoxProcess]:
    box = BoxProcess()
    yield box
    box.close()


def ask(box: Box, source: str, deadline: float = 20.0, **params: Any) -> BoxAnswer:
    return box.call(Function("reward", source=source, origin=ORIGIN, params=params), NUMBERED, deadline)


@pytest.mark.parametrize(
    ("source", "values"),
    [
        ("def reward(completions, **kwargs): return [float(len(c)) for c in completions]", [1.0] * 4),
        ("def reward(number, **kwargs): return number", [0.0, 1.0, 2.0, 3.0]),
        ("def reward(number): return tuple(number)", [0.0, 1.0, 2.0, 3.0]),
        ("async def reward(number, **kwargs): return number", [0.0, 1.0, 2.0, 3.0]),
        (
            "import asyncio\nasync def reward(number, **kwargs):\n    return await asyncio.to_thread(lambda: number)",
            [0.0, 1.0, 2.0, 3.0],
        ),
        ("def reward(number, factor, **kwargs): return [factor * n for n in number]", [0.0, 10.0, 20.0, 30.0]),
        ("def reward(number, **kwargs): return [None if n else 0.5 for n in number]", [0.5, None, None, None]),
        ("import numpy\ndef reward(number, **kwargs): return numpy.array(number)", [0.0, 1.0, 2.0, 3.0]),
        ("import numpy\ndef reward(number, **kwargs): return [numpy.float32(n) for n in number]", [0.0, 1.0, 2.0, 3.0]),
        ("import numpy\ndef reward(number, **kwargs): return [numpy.int64(n) for n in number]", [0.0, 1.0, 2.0, 3.0]),
    ],
)
def test_numbers_are_read(box: BoxProcess, source: str, values: list[float | None]) -> None:
    params = {"factor": 10} if "factor" in source else {}
    answer = ask(box, source, **params)
    assert answer.values == values
    assert answer.problems == []


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("True", "returned True"),
        ("float('nan')", "returned nan"),
        ("float('-inf')", "returned -inf"),
        ("'1.0'", "the str '1.0'"),
        ("[1.0]", "a list"),
        ("1j", "a complex"),
        ("10**400", "too large"),
        ("__import__('numpy').bool_(True)", "a bool"),
    ],
)
def test_what_is_no_number_is_none_and_told_with_its_row(box: BoxProcess, value: str, told: str) -> None:
    answer = ask(box, f"def reward(number, **kwargs):\n    return [{value} if n == 2 else n for n in number]")
    assert answer.values == [0.0, 1.0, None, 3.0]
    [problem] = answer.problems
    assert (problem.row, problem.line) == (2, 1)
    assert problem.message.startswith(f"reward, row 2 (line 1 of {ORIGIN}): ")
    assert told in problem.message


@pytest.mark.parametrize(
    ("body", "row", "line", "told"),
    [
        ("return [1 / (n - 2) for n in number]", 2, 2, "ZeroDivisionError"),
        ("raise SystemExit(3)", 0, 2, "SystemExit: 3"),
        ("return reward(number)", 0, 2, "RecursionError"),
        ("return [0.0] * 10**10", 0, 2, "MemoryError"),
        ("x = 1\n    assert number[0] != 0 or len(number) < 4", None, 3, "AssertionError"),
        ("return None", None, 1, "returned None instead of a list"),
        ("return number[:3] if len(number) > 3 else number", None, 1, "returned 3 values for 4 completions"),
        ("async def inner(): return number\n    return inner()", None, 1, "a coroutine that nobody awaited"),
        ("import os; os._exit(3)", None, None, "exit status 3, and again"),
        ("import ctypes; ctypes.string_at(0)", None, 2, "SIGSEGV, and again"),
    ],
)
def test_what_goes_wrong_is_told_with_row_and_line(
    box: BoxProcess, body: str, row: int | None, line: int | None, told: str
) -> None:
    answer = ask(box, f"def reward(number, **kwargs):\n    {body}")
    assert answer.values == [None] * 4
    [problem] = answer.problems
    assert (problem.row, problem.line) == (row, line)
    assert told in problem.message
    assert problem.message.startswith("reward")


@pytest.mark.parametrize(
    ("source", "line", "told"),
    [
        ("def reward(completions:\n    return 1", 1, "SyntaxError"),
        ("import json\nimport no_such_module", 2, "ModuleNotFoundError"),
        ("def another(): pass", None, "defines no function 'reward'"),
        ("import sys\nsys.exit()", 2, "SystemExit"),
    ],
)
def test_source_that_does_not_load_is_told_with_its_line(
    box: BoxProcess, source: str, line: int | None, told: str
) -> None:
    answer = ask(box, source)
    assert answer.values == [None] * 4
    assert answer.problems[0].line == line
    assert told in answer.problems[0].message


def test_function_of_a_module_that_is_installed(box: BoxProcess) -> None:
    answer = box.call(Function("sqrt", module="math"), {"x": [4.0]}, 5)
    assert "TypeError" in answer.problems[0].message


def test_hang_is_killed_tried_again_and_told_with_its_line(box: BoxProcess) -> None:
    source = "import re\ndef reward(number, **kwargs):\n    x = 1\n    return re.match('(a+)+$', 'a' * 50 + 'b')"
    answer = ask(box, source, deadline=0.5)
    assert answer.values == [None] * 4
    assert "took longer than 0.5 s, and again" in answer.problems[0].message
    assert answer.problems[0].line == 4
    assert ask(box, "def reward(number): return number").values == [0.0, 1.0, 2.0, 3.0]


def test_batch_is_tried_once_where_once_is_asked_for(box: BoxProcess) -> None:
    function = Function("reward", source="import os\ndef reward(**_): os._exit(3)", origin=ORIGIN)
    answer = box.call(function, NUMBERED, 20, tries=1)
    assert answer.values == [None] * 4
    assert answer.problems[0].message.endswith("its process ended: exit status 3")


def test_batch_that_kills_the_box_once_is_scored_by_the_second_try(box: BoxProcess) -> None:
    warm = "import os\ncalls = 0\ndef reward(number, **_):\n    global calls\n    calls += 1\n"
    once = Function("reward", source=f"{warm}    if calls == 2: os._exit(1)\n    return number", origin=ORIGIN)
    assert box.call(once, NUMBERED, 20).values == box.call(once, NUMBERED, 20).values == [0.0, 1.0, 2.0, 3.0]


def test_prints_come_back_up_to_a_bound(box: BoxProcess) -> None:
    source = (
        "import os, sys\ndef reward(number):\n    print('hello')\n    print('x' * 10**7)\n    os.write(1, b'raw')\n"
    )
    answer = ask(box, f"{source}    print('\\x1b[2Jend', file=sys.stderr)\n    return number")
    assert answer.printed.startswith("hello\nxxx")
    assert "characters more" in answer.printed
    assert answer.printed.endswith("raw")
    assert len(answer.printed) < 20_000
    assert "\x1b" not in ask(box, "def reward(number):\n    print('\\x1b[2J')\n    return number").printed


def test_many_problems_are_bounded(box: BoxProcess) -> None:
    many = {"number": list(range(500))}
    answer = box.call(Function("reward", source="def reward(number): return ['x' * 10**6 for n in number]"), many, 20)
    assert answer.values == [None] * 500
    assert [problem.row for problem in answer.problems] == [*range(8), None]
    assert answer.problems[-1].message == "and 492 rows more"


def test_answer_that_is_written_after_its_batch_is_not_taken_for_the_next(box: BoxProcess) -> None:
    planted = """
import os, stat, struct, threading, json
def reward(number):
    fd = next(fd for fd in range(3, 64) if stat.S_ISSOCK(os.fstat(fd).st_mode))
    body = json.dumps({"id": "x", "values": [9.0] * 4, "problems": [], "printed": ""}).encode()
    def plant():
        while True:
            os.write(fd, struct.pack(">I", len(body)) + body)
    threading.Timer(0.0, plant).start()
    return number
"""
    ask(box, planted, deadline=2)
    assert ask(box, "def reward(number): return number").values == [0.0, 1.0, 2.0, 3.0]


def test_nothing_runs_between_two_batches(box: BoxProcess) -> None:
    source = "import os, threading\ndef spin():\n    while True: pass\ndef reward(number):\n"
    answer = ask(
        box,
        f"{source}    threading.Thread(target=spin, daemon=True).start()\n    print(os.getpid())\n    return number",
    )
    status = Path(f"/proc/{int(answer.printed)}/stat")
    eventually(lambda: status.read_text().rpartition(")")[2].split()[0] == "T", "the box stands still")


def test_box_ends_with_the_process_that_started_it() -> None:
    code = "import sys, json, os\nfrom reasoning_trainer.rewards.box import *\nbox = BoxProcess()\nbox.start()\n"
    code += "source = 'import os\\ndef reward(n):\\n    print(os.getpid())\\n    return n'\n"
    code += "print(box.call(Function('reward', source=source), {'n': [1]}, 20).printed, flush=True)\nos._exit(0)"
    environment = {"PYTHONPATH": str(ROOT / "trainer_image")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    eventually(lambda: not Path(f"/proc/{int(done.stdout)}").exists(), "the box ends")


def test_clock_and_random_numbers_of_the_trainer_stay(box: BoxProcess) -> None:
    meddle = "import random, time, os\ndef reward(number):\n    random.seed(0)\n    os.environ['TZ'] = 'UTC-9'\n"
    meddle += "    time.tzset()\n    time.time = lambda: 0.0\n    return number"
    state, zone = random.getstate(), time.tzname
    assert ask(box, meddle).values == [0.0, 1.0, 2.0, 3.0]
    assert (random.getstate(), time.tzname) == (state, zone)
    assert time.time() > 0


def test_variables_of_the_interpreter_do_not_reach_the_box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    marker, place = tmp_path / "marker", tmp_path / "place"
    place.mkdir()
    (place / "sitecustomize.py").write_text(f"open({str(marker)!r}, 'w')")
    monkeypatch.setenv("PYTHONPATH", str(place))
    monkeypatch.setenv("PYTHONSTARTUP", str(place / "sitecustomize.py"))
    monkeypatch.setenv("LD_PRELOAD", str(place / "none.so"))
    box = BoxProcess()
    printed = ask(box, "import os\ndef reward(number):\n    print(sorted(os.environ))\n    return number").printed
    box.close()
    assert not marker.exists()
    assert "PYTHONPATH" not in printed
    assert "LD_PRELOAD" not in printed
    monkeypatch.delenv("LD_PRELOAD")
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    assert marker.exists()


LACKING = """
import errno, os
from reasoning_trainer.rewards.box import BoxProcess, Function, MissingWallError
from reasoning_trainer.rewards.box.inside import libc, seccomp
{lack}
try:
    BoxProcess().start()
except MissingWallError as refused:
    print(refused)
box = BoxProcess(on_missing_wall="run")
print(list(box.start().missing))
print(box.call(Function("f", source="def f(n): return n"), {{"n": [1]}}, 20).values)
box.close()
"""
FILTER = """
refused, allowed = (6, 0, 0, 0x50000 | errno.{error}), (6, 0, 0, 0x7FFF0000)
libc.prctl(libc.PR_SET_NO_NEW_PRIVS, 1)
seccomp.load([(0x20, 0, 0, 0), (0x15, 0, {skip}, {number}), {check} refused, allowed])
"""
PRCTL = {"x86_64": 157, "aarch64": 167}[os.uname().machine]
NO_LANDLOCK = FILTER.format(skip=1, number=444, check="", error="ENOSYS")
NO_SECCOMP = FILTER.format(skip=3, number=PRCTL, check="(0x20, 0, 0, 16), (0x15, 0, 1, 22),", error="EINVAL")
NO_CHANGE_OF_USER = "libc.prctl(24, 6)\nlibc.prctl(24, 7)"
"""Without CAP_SETGID and CAP_SETUID, as root in a container that has dropped them."""


@pytest.mark.parametrize(
    ("lack", "wall", "fix"),
    [
        pytest.param(NO_LANDLOCK, "files", "Linux 5.13", id="no Landlock"),
        pytest.param(NO_SECCOMP, "system calls", "seccomp", id="no seccomp"),
        pytest.param(
            NO_CHANGE_OF_USER,
            "processes",
            "run as an ordinary user",
            id="root that stays root",
            marks=pytest.mark.skipif(os.geteuid() != 0, reason="only root is root"),
        ),
    ],
)
def test_box_without_a_wall_is_refused_unless_it_is_allowed(lack: str, wall: str, fix: str) -> None:
    assert os.uname().machine in MACHINES
    environment = {"PYTHONPATH": str(ROOT / "trainer_image")}
    command = [sys.executable, "-c", LACKING.format(lack=lack)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    refused, missing, values = done.stdout.splitlines()
    assert f"no wall around {wall}" in refused
    assert fix in refused
    assert missing == f"['{wall}']"
    assert values == "[1.0]"


def test_columns_of_different_lengths_are_the_callers_mistake(box: BoxProcess) -> None:
    with pytest.raises(ValueError, match="one length"):
        box.call(Function("reward", source=""), {"a": [1], "b": []}, 1)


class Impostor(threading.Thread):
    """Listens where a sidecar would, says that it has all walls, and answers every batch with the same bytes."""

    def __init__(self, path: Path, answer: bytes) -> None:
        super().__init__(daemon=True)
        self._listener, self._answer = socket.socket(socket.AF_UNIX), answer
        self._listener.bind(str(path))
        self._listener.listen()
        self.start()

    def run(self) -> None:
        for _ in range(2):
            connection = self._listener.accept()[0]
            connection.sendall(encode({"walls": {"missing": {}, "landlock": 7, "tmp": False}}, 1000))
            for _ in ("the wish for a box", "the batch"):
                receive(connection, 10**6)
            connection.sendall(self._answer)
            connection.close()


@pytest.mark.parametrize(
    "answer",
    [
        encode({"id": "another", "values": [1.0], "problems": [], "printed": ""}, 1000),
        b"\xff\xff\xff\xff{",
        b"\x00\x00\x00\x10{",
        b"\x00\x00\x00\x02[]",
        b"\x00\x00",
        b"",
    ],
    ids=("another batch", "oversized", "truncated", "no object", "half a header", "nothing"),
)
def test_client_takes_no_wrong_answer(tmp_path: Path, answer: bytes) -> None:
    Impostor(tmp_path / "socket", answer)
    client = BoxClient(tmp_path / "socket", patience=5)
    told = client.call(Function("reward", source="", origin=ORIGIN), {"n": [1]}, 1)
    client.close()
    assert told.values == [None]
    assert "answered wrongly or not at all, twice" in told.problems[0].message


def test_client_says_where_nobody_listens(tmp_path: Path) -> None:
    with pytest.raises(BoxError, match="no box listens on"):
        BoxClient(tmp_path / "socket", patience=0).start()


def test_client_waits_for_a_sidecar_that_is_started_again(tmp_path: Path) -> None:
    sidecar = Sidecar([sys.executable], os.geteuid())
    sidecar.start()
    sidecar.process.kill()
    sidecar.process.wait()
    command = [sys.executable, "-m", "reasoning_trainer.rewards.box", "--socket", str(sidecar.socket)]
    sidecar.process = subprocess.Popen(command, env={"PYTHONPATH": str(ROOT / "trainer_image")})
    answer = sidecar.call(Function("reward", source="def reward(n): return n"), {"n": [1]}, 20)
    sidecar.close()
    assert answer.values == [1.0]


def test_sidecar_gives_its_tmp_and_its_memory_to_the_boxes(tmp_path: Path) -> None:
    sidecar = Sidecar([sys.executable], os.geteuid(), "--tmp", str(tmp_path), "--memory", str(2**29 + OWN_MEMORY))
    source = "import resource, tempfile, json\ndef reward(n):\n    print(tempfile.gettempdir())\n"
    source += "    return [resource.getrlimit(resource.RLIMIT_AS)[0]]"
    os.chmod(tmp_path, 0o777)
    answer = sidecar.call(Function("reward", source=source), {"n": [1]}, 20)
    sidecar.hang_up()
    eventually(lambda: not list(tmp_path.iterdir()), "the box's folder goes with it")
    sidecar.close()
    assert answer.values == [2.0**29]
    assert answer.printed.startswith(str(tmp_path))


@pytest.mark.parametrize(("wanted", "given"), [(2**28, 2**28), (2**40, 2**29)])
def test_client_may_ask_for_less_memory_and_not_for_more(wanted: int, given: int) -> None:
    sidecar = Sidecar([sys.executable], os.geteuid(), "--memory", str(2**29 + OWN_MEMORY))
    client = BoxClient(sidecar.socket, memory=wanted)
    source = "import resource\ndef reward(n): return [resource.getrlimit(resource.RLIMIT_AS)[0]]"
    answer = client.call(Function("reward", source=source), {"n": [1]}, 20)
    client.close()
    sidecar.close()
    assert answer.values == [float(given)]
