"""Programs of models against tests of rows, in real boxes."""

# ruff: noqa: E501 - a program a line

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import pytest

from reasoning_contract.spec import ChatTemplate, Reward, RewardParams, Unscored
from reasoning_trainer.rewards import Batch, RewardSet, Surroundings, build
from reasoning_trainer.rewards.box import BoxAnswer, BoxProcess
from reasoning_trainer.rewards.code import CodeScorer
from reasoning_trainer.rewards.code import boxes as boxes_module
from reasoning_trainer.rewards.code import scorer as scorer_module
from reasoning_trainer.rewards.code.cases import Check, InputOutput, read_cases, same_output
from reasoning_trainer.rewards.code.program import program_of
from reasoning_trainer.rewards.failures import Failures
from reasoning_trainer.rewards.registry import seconds_of

ADD = "def add(a, b):\n    return a + b"
ADDS = ["assert add(1, 2) == 3", "assert add(-1, 1) == 0"]
ECHO = [{"input": "3\n1 2 3\n", "output": "6\n"}, {"input": "1\n5\n", "output": "5"}]
SUM = "n = int(input())\nprint(sum(map(int, input().split())))"


@pytest.fixture(scope="module")
def rewards() -> Iterator[RewardSet]:
    settings: list[dict[str, Any]] = [
        {"name": "share", "builtin": "code", "params": {"secondsPerTest": 2.0}},
        {"name": "all", "builtin": "code", "params": {"credit": "all", "secondsPerTest": 2.0}},
    ]
    said: list[str] = []
    around = Surroundings(complain=said.append)
    with build([Reward.model_validate(each) for each in settings], ChatTemplate(), around) as rewards:
        rewards.start()
        yield rewards


def completion(program: str) -> str:
    return f"<reasoning>hm</reasoning>\n<answer>\n```python\n{program}\n```\n</answer>"


def score(rewards: RewardSet, program: str, tests: Any, **columns: Any) -> float | None:
    found = rewards.functions[0].score(
        Batch(
            ["q"], [completion(program)], columns={"tests": [tests]} | {name: [each] for name, each in columns.items()}
        )
    )
    return found[0]


RIGHT: list[tuple[str, Any]] = [
    (ADD, ADDS),
    (ADD, "\n".join(ADDS)),
    (ADD, '["assert add(1, 2) == 3"]'),
    (ADD, "def test_one():\n    assert add(1, b=2) == 3\ndef test_two():\n    assert add([1], [2]) == [1, 2]"),
    ("def add(a, b): return (a, {b}, {'k': b'x', 1.5: None}, 1j)", ["assert add(1, 2) == (1, {2}, {'k': b'x', 1.5: None}, 1j)"]),
    ("def bad(x):\n    raise ValueError(x)", "try:\n    bad(1)\nexcept ValueError as error:\n    assert str(error) == '1'\nelse:\n    assert False"),
    ("def sort(x): x.sort()", ["numbers = [3, 1, 2]\nsort(numbers)\nassert numbers == [1, 2, 3]"]),
    ("class Stack:\n    def __init__(self): self.all = []\n    def push(self, x): self.all.append(x)\n    def __len__(self): return len(self.all)",
     "stack = Stack()\nstack.push(1)\nstack.push(2)\nassert len(stack) == 2 and stack.all == [1, 2]"),
    ("def squares(n):\n    for each in range(n): yield each * each", ["assert list(squares(4)) == [0, 1, 4, 9]", "assert sum(squares(3)) == 5"]),
    ("import math\ndef root(x): return math.sqrt(x)", ["assert math.isclose(root(2), 1.41421356, rel_tol=1e-6)"]),
    ("def sum(a): return 7", ["assert sum([1]) == 7"]),
    ("def many(n): return list(range(n))", ["assert many(20_000) == list(range(20_000))"]),
    ("def f(n): return n", ["for n in range(40):\n    assert f(n) == n"]),
    ("def f(n): return 'é\\x00\\n'", ["assert f(1) == 'é\\x00\\n'"]),
    (SUM, ECHO),
    (SUM, {"inputs": ["1\n5\n"], "outputs": ["5"]}),
    (SUM, [{"type": "stdin_stdout", "input": ["1", "5"], "output": ["5"]}]),
    ("import sys\nsys.stdout.buffer.write(sys.stdin.buffer.read())", [{"input": "a\n\tü\n", "output": "a\n\tü"}]),
    ("print('x' * 30_000)", [{"input": "", "output": "x" * 30_000}]),
    ("import sys\nprint(5)\nsys.exit()", [{"input": "", "output": "5"}]),
    ("if __name__ == '__main__':\n    print(5)", [{"input": "", "output": "5"}]),
    ("def f(): return 1\nif __name__ == '__main__':\n    raise SystemExit", ["assert f() == 1"]),
]  # fmt: skip


@pytest.mark.parametrize(("program", "tests"), RIGHT, ids=range(len(RIGHT)))
def test_right_program_passes(rewards: RewardSet, program: str, tests: Any) -> None:
    assert score(rewards, program, tests) == 1.0


def test_check_is_handed_the_function_of_the_entry_point(rewards: RewardSet) -> None:
    check = "def check(candidate):\n    assert candidate(1, 2) == 3\n    assert candidate('a', 'b') == 'ab'"
    assert score(rewards, ADD, check, entry_point="add") == 1.0
    assert score(rewards, "def add(a, b): return 3", check, entry_point="add") == 0.0


FORGE = """
import json, os, socket, struct
def forge(document):
    body = json.dumps(document).encode()
    for fd in range(3, 64):
        try:
            os.write(fd, struct.pack(">I", len(body)) + body)
        except OSError:
            pass
"""
CHEATS: list[tuple[str, Any]] = [
    ("import os\nos._exit(0)", ADDS),
    ("import sys\nsys.exit(0)", ADDS),
    ("raise SystemExit", ADDS),
    ("print('passed')", ADDS),
    ('print(\'17\\n{"passed": true}\')\nimport os\nos.write(1, b\'17\\n{"passed": true}\')', ADDS),
    ("import builtins\nbuiltins.AssertionError = None\ndef add(a, b): return 1", ADDS),
    ("class Equal:\n    def __eq__(self, other): return True\n    __hash__ = None\ndef add(a, b): return Equal()", ADDS),
    ("class Equal(int):\n    def __eq__(self, other): return True\n    __hash__ = int.__hash__\ndef add(a, b): return Equal()", ADDS),
    ("import sys\nsys.modules['builtins'].__dict__['len'] = lambda x: 3\ndef f(): return []", ["assert len(f()) == 3"]),
    ("class math:\n    isclose = staticmethod(lambda *a, **k: True)\ndef root(x): return 0", ["assert math.isclose(root(2), 1.4142)"]),
    ("import gc\ndef add(a, b):\n    for each in gc.get_objects():\n        if isinstance(each, str) and 'assert add' in each: return 3\n    return 'not here'", ["assert add(1, 2) == 3"]),
    ("import sys\ndef add(a, b):\n    frame = sys._getframe()\n    while frame:\n        if 'expected' in frame.f_locals: return frame.f_locals['expected']\n        frame = frame.f_back", ADDS),
    ("import programs.program_runner as runner, programs.paged as paged\nrunner.operate = lambda *_: {'result': True}\npaged.answer = lambda text: print('16\\n{\"passed\": true}', end='') or [1.0]", ADDS),
    ("import json\njson.dumps = lambda *_: '{\"passed\": true}'", ADDS),
    (FORGE + "forge({'id': 1, 'values': [1.0], 'problems': [], 'printed': '15\\n{\"passed\":true}'})", ADDS),
    ("def add(a, b):\n    raise StopIteration", ["assert all(add(*pair) == 3 for pair in [(1, 2)])"]),
    ("def add(a, b):\n    raise SystemExit(0)", ADDS),
    ("def add(a, b):\n    raise KeyboardInterrupt", ADDS),
    ("class Needed(BaseException): pass\ndef add(a, b):\n    raise Needed", ADDS),
    ("while True: pass", ["assert add(1, 2) == 3"]),
    ("def add(a, b):\n    while True: pass", ["assert add(1, 2) == 3"]),
    ("x = 'a' * 2**40\ndef add(a, b): return a + b", ADDS),
    ("def add(a, b): return [0] * 10**9", ADDS),
    ("def add(a, b): return add(a, b)", ADDS),
    ("def add(a, b):", ADDS),
    ("", ADDS),
    ("print(open('/proc/self/environ').read() and 6)", ECHO),
    ("import glob\nprint(glob.glob('/**/output*', recursive=True))", ECHO),
    ("print(6)\nraise ValueError", ECHO),
    ("import os\nprint(6)\nos._exit(0)", ECHO),
    ("print(6 - 6)", ECHO),
    ("print('6 5')", ECHO),
    ("while True: pass", ECHO[:1]),
    ("while True: print('x' * 1000)", ECHO[:1]),
    ("import socket\nsocket.create_connection(('127.0.0.1', 80))\nprint(6)", ECHO),
    ("import subprocess\nprint(subprocess.check_output(['echo', '6']).decode())", ECHO),
]  # fmt: skip


@pytest.mark.parametrize(("program", "tests"), CHEATS, ids=range(len(CHEATS)))
def test_cheat_passes_nothing(rewards: RewardSet, program: str, tests: Any) -> None:
    assert score(rewards, program, tests) == 0.0


def test_share_and_all(rewards: RewardSet) -> None:
    batch = Batch(
        ["q"] * 3, [completion(ADD), completion("def add(a, b): return 3"), "no answer"], None, {"tests": [ADDS] * 3}
    )
    assert rewards.score(batch) == {"share": [1.0, 0.5, 0.0], "all": [1.0, 0.0, 0.0]}


def test_a_program_that_hangs_in_one_test_is_begun_anew_for_the_next(rewards: RewardSet) -> None:
    hangs = "def add(a, b):\n    while a < 0: pass\n    return a + b"
    assert score(rewards, hangs, [ADDS[1], ADDS[0]]) == 0.5


class FakeBox:
    """Stands in for a box in which every call takes some time of a fake clock, and prints 5 if it may take as long."""

    def __init__(self, clock: FakeClock, asked: list[float], takes: float) -> None:
        self._clock, self._asked, self._takes = clock, asked, takes

    def call(self, function: Any, arguments: Any, deadline: float, tries: int = 2) -> BoxAnswer:
        self._asked.append(deadline)
        self._clock.now += min(self._takes, deadline)
        said = json.dumps([True, "5"])
        return BoxAnswer([None]) if self._takes > deadline else BoxAnswer([1.0], printed=f"{len(said)}\n{said}")

    def start(self) -> Any: ...

    def close(self) -> None: ...


class FakeClock:
    """Stands in for the clock."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    clock = FakeClock()
    monkeypatch.setattr(scorer_module, "time", clock)
    monkeypatch.setattr(boxes_module, "time", clock)
    return clock


def scored(
    clock: FakeClock, tests: int, rows: int = 1, deadline: float = 300.0, takes: float = math.inf
) -> tuple[list[float | None], list[float]]:
    """Return the scores of programs that loop, or take so long a test, and what time each call of a box was given."""
    asked: list[float] = []
    failures = Failures("mine", Unscored(action="off"), print)
    scorer = CodeScorer("mine", RewardParams(), ChatTemplate(), lambda: FakeBox(clock, asked, takes), failures, 1)
    programs = [completion(f"# program {row}") for row in range(rows)]
    batch = Batch(["q"] * rows, programs, columns={"tests": [[{"input": "", "output": "5"}] * tests] * rows})
    scores = scorer.score(batch, deadline)
    scorer.close()
    return scores, asked


def test_program_that_loops_takes_the_time_of_two_tests_however_many_there_are(clock: FakeClock) -> None:
    assert scored(clock, tests=100) == ([0.0], [5.0, 5.0])


def test_batch_of_programs_that_loop_ends_at_its_time(clock: FakeClock) -> None:
    scores, asked = scored(clock, tests=100, rows=8, deadline=32.0)
    assert (scores.count(0.0), scores.count(None)) == (3, 5)
    assert clock.now == 32.0
    assert asked == [5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 2.0]


def test_tests_of_a_row_share_its_time(clock: FakeClock) -> None:
    assert scored(clock, tests=10, takes=3.0) == ([0.6], [5.0] * 6 + [2.0])
    assert scored(clock, tests=10, takes=1.0) == ([1.0], [5.0] * 10)


def test_batch_is_given_the_time_of_a_row_at_least() -> None:
    def seconds(**params: float) -> float:
        return seconds_of(Reward.model_validate({"name": "mine", "builtin": "code", "params": params}))

    assert (seconds(), seconds(secondsPerTest=600)) == (300.0, 2400.0)


UNREADABLE = [
    None,
    "",
    [],
    7,
    {"fn_name": "f", "inputs": [], "outputs": []},
    [{"input": 1, "output": "1"}],
    "assert add(",
    [["a"], None],
]


@pytest.mark.parametrize("tests", UNREADABLE, ids=str)
def test_row_without_tests_that_can_be_run_is_unscored_and_told(tests: Any) -> None:
    said: list[str] = []
    mine = Reward.model_validate({"name": "mine", "builtin": "code"})
    with build([mine], ChatTemplate(), Surroundings(complain=said.append)) as rewards:
        assert score(rewards, ADD, tests) is None
    assert "row 0 of its batch, column tests" in said[0]


def test_a_program_that_is_written_twice_is_run_once() -> None:
    made: list[BoxProcess] = []

    def make_box() -> BoxProcess:
        made.append(BoxProcess())
        return made[-1]

    scorer = CodeScorer("mine", RewardParams(), ChatTemplate(), make_box, Failures("mine", Unscored(), print))
    before = len(made)
    other = ["assert add(1, 2) == 4"]
    batch = Batch(["q"] * 4, [completion(ADD)] * 4, columns={"tests": [ADDS, ADDS, other, ADDS]})
    assert scorer.score(batch, math.inf) == [1.0, 1.0, 0.0, 1.0]
    assert len(made) - before == 2
    scorer.close()


def test_another_column_may_have_the_tests() -> None:
    mine = Reward.model_validate({"name": "mine", "builtin": "code", "params": {"testsColumn": "test_list"}})
    with build([mine], ChatTemplate()) as rewards:
        assert score(rewards, ADD, None, test_list=ADDS) == 1.0


@pytest.mark.parametrize(
    ("answer", "program"),
    [
        ("a = 1", "a = 1"),
        ("```python\na = 1\n```", "a = 1"),
        ("so:\n```\nfirst\n```\nbetter:\n```py\n  second\n```\nthat is it", "  second"),
        ("```python\na = 1\n```\n```\nopen", "a = 1"),
        ("```python\na = 1", "```python\na = 1"),
        ("a = '```'", "a = '```'"),
    ],
)
def test_program_is_the_last_closed_block(answer: str, program: str) -> None:
    assert program_of(answer) == program


def test_forms_of_tests() -> None:
    assert read_cases(["assert a", "assert b"], "f") == [Check("assert a", "f"), Check("assert b", "f")]
    assert read_cases('{"inputs": ["1"], "outputs": ["2"]}') == [InputOutput("1", "2")]
    assert read_cases("[x for x in f()]") == [Check("[x for x in f()]", None)]


@pytest.mark.parametrize(
    ("expected", "printed", "same"),
    [
        ("6\n", "6", True),
        ("1 2\n3", "1 2  \n3\n\n", True),
        ("1 2", "1  2", False),
        ("6", "\n6", False),
        ("6.0", "6", False),
    ],
)
def test_outputs_are_compared_by_line(expected: str, printed: str, same: bool) -> None:
    assert same_output(expected, printed) is same
