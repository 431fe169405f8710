"""The process that stays: what it makes of workers that die, hang or talk nonsense. Real processes do so here."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests.polling import eventually

import reasoning_trainer
from reasoning_contract.exit_codes import ExitCode
from reasoning_contract.outcome import Outcome
from reasoning_contract.progress import Progress
from reasoning_trainer import interruption
from reasoning_trainer.commands.run import Options, run
from reasoning_trainer.reporting import attempts
from reasoning_trainer.reporting.display import Display
from reasoning_trainer.storage.run_folder import RunFolder
from reasoning_trainer.supervisor import calls, channel, deaths, process, stall, volume_writer

DEADLINE = 60.0
SPEC: dict[str, Any] = {
    "model": {"source": "file:///model"},
    "data": {"train": {"rows": [{"prompt": "1", "answer": "1"}]}},
    "rewards": [{"name": "format", "builtin": "format"}],
    "evaluation": {"enabled": False},
    "parallelism": {"gpusPerNode": 0},
}
BEGINNING = """
import json, os, signal, sys, time
order = json.loads(sys.argv[1])
def send(**message):
    os.write(order["channel"], json.dumps(message).encode() + b"\\n")
def report(stage, percent=5, **more):
    moment = "2026-01-01T00:00:00Z"
    progress = {"display": f"{percent}%", "percent": percent, "updatedAt": moment}
    send(progress={"attempt": order["attempt"], "startedAt": moment, "stage": stage, "progress": progress} | more)
"""
"""What the stand-ins of a worker begin with."""

Supervise = Callable[..., Outcome]


@pytest.fixture
def options(tmp_path: Path) -> Options:
    (tmp_path / "job.json").write_text(json.dumps({"kind": "ReasoningTrainingJob", "spec": SPEC}))
    return Options(tmp_path / "job.json", tmp_path / "run", termination_log=tmp_path / "last-word")


@pytest.fixture
def supervise(options: Options, monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervise]:
    """Runs an attempt whose worker is a program of the test's."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def supervised(program: str) -> Outcome:
        monkeypatch.setattr(process, "COMMAND", (sys.executable, "-X", "faulthandler", "-c", BEGINNING + program))
        with Display() as display:
            outcome = run(options, display)
        assert options.termination_log is not None
        assert Outcome.from_termination_message(options.termination_log.read_text()) == outcome
        return outcome

    yield supervised
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_segmentation_fault_is_told_with_the_place_where_it_happened(supervise: Supervise) -> None:
    outcome = supervise("report('reinforce')\nimport ctypes\ndef in_a_kernel(): ctypes.string_at(0)\nin_a_kernel()")
    assert (outcome.exit_code, outcome.reason) == (128 + signal.SIGSEGV, "TrainerCrashed")
    assert "Segmentation fault, SIGSEGV) in stage reinforce; the end of its log: Fatal Python error" in outcome.message
    assert "in in_a_kernel" in outcome.message
    assert outcome.progress is not None
    assert outcome.progress.stage == "reinforce"


def test_whoever_kills_the_worker_is_not_taken_for_a_lack_of_memory(supervise: Supervise) -> None:
    outcome = supervise("print('the last line', flush=True); os.kill(os.getpid(), signal.SIGKILL)")
    assert (outcome.exit_code, outcome.reason) == (128 + signal.SIGKILL, "TrainerKilled")
    assert outcome.message.endswith("the end of its log: the last line")


def test_an_exit_without_a_word_keeps_its_code(supervise: Supervise) -> None:
    outcome = supervise("print('a library gives up', file=sys.stderr); os._exit(3)")
    assert (outcome.exit_code, outcome.reason) == (3, "TrainerCrashed")
    assert (
        "ended with exit code 3 and no last word in stage load; the end of its log: a library gives" in outcome.message
    )


def test_an_exit_with_0_and_without_a_word_is_no_success(supervise: Supervise) -> None:
    assert supervise("").exit_code == ExitCode.INTERNAL_ERROR


def test_a_worker_that_crashes_after_its_last_word_has_said_it(supervise: Supervise) -> None:
    """Libraries of a GPU do so when Python takes them down."""
    outcome = supervise("send(outcome={'exitCode': 0, 'reason': 'Completed', 'message': 'done'}); os.abort()")
    assert (outcome.exit_code, outcome.reason) == (0, "Completed")


def test_a_worker_that_dies_leaves_a_report_of_what_it_reached(supervise: Supervise, options: Options) -> None:
    outcome = supervise(
        "for step in (1, 2):\n"
        "    now = {'display': '', 'percent': 5, 'step': step, 'totalSteps': 9, 'updatedAt': '2026-01-01T00:00:00Z'}\n"
        "    report('reinforce', progress=now, training={'reward': step / 4})\n"
        "os._exit(3)"
    )
    path = options.output / "report.html"
    text = path.read_text("utf-8")
    assert "Attempt 1 ended: TrainerCrashed: the process that trains ended with exit code 3" in text
    assert 'aria-label="Reward, weighted sum"' in text
    assert outcome.progress is not None
    assert outcome.progress.report is not None
    assert outcome.progress.report.path == str(path)


def test_a_report_that_cannot_be_written_is_said_once_and_ends_no_run(
    supervise: Supervise, options: Options, capsys: pytest.CaptureFixture[str]
) -> None:
    (options.output / "report.html/full").mkdir(parents=True)
    outcome = supervise("report('reinforce'); send(outcome={'exitCode': 0, 'reason': 'Completed', 'message': 'done'})")
    assert outcome.exit_code == 0
    assert capsys.readouterr().out.count("the report cannot be written") == 1


@pytest.fixture
def little_memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Makes a control group of 64 MiB, whose counts stand for the container's."""
    group = deaths.CGROUPS / "memory/reasoning-trainer-test"
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text(str(64 << 20))
    except OSError as error:
        pytest.skip(f"no control group with a limit can be made here: {error}")
    monkeypatch.setattr(deaths, "COUNTS", (str(group / "memory.oom_control"),))
    yield group
    eventually(lambda: not (group / "cgroup.procs").read_text(), "an empty group")
    group.rmdir()


def test_the_kernels_hand_is_told_as_such(supervise: Supervise, little_memory: Path) -> None:
    outcome = supervise(
        f"open('{little_memory}/cgroup.procs', 'w').write(str(os.getpid()))\n"
        "report('reinforce', memory={'peakGiB': 0.05, 'limitGiB': 0.06})\n"
        "held = [bytearray(b'x' * (1 << 20)) for _ in range(512)]"
    )
    assert (outcome.exit_code, outcome.reason) == (128 + signal.SIGKILL, "OutOfMemory")
    assert "the kernel killed the process that trains for want of memory in stage reinforce" in outcome.message
    assert "it had held 0.05 of 0.06 GiB" in outcome.message
    assert "raise pod.resources.limits.memory, or lower one of these, as they are: reinforce.batch" in outcome.hint


@pytest.mark.parametrize(
    ("files", "killed"),
    [
        ({}, 0),
        ({"memory.events": "low 0\noom 3\noom_kill 2\n"}, 2),
        ({"memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n"}, 1),
        ({"memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\n"}, 0),
    ],
)
def test_kills_are_counted_where_the_kernel_counts_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], killed: int
) -> None:
    monkeypatch.setattr(deaths, "COUNTS", deaths.COUNTS[:-1])
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert deaths.oom_kills(tmp_path) == killed


def test_reports_are_kept_and_a_text_is_shown(
    supervise: Supervise, options: Options, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = supervise(
        "report('load'); send(said='3 rows left out'); report('export', 100)\n"
        "send(outcome={'exitCode': 0, 'reason': 'Completed', 'message': 'done'})"
    )
    kept = Progress.model_validate_json((options.output / "progress.json").read_text())
    assert outcome.progress == kept
    assert (kept.stage, kept.progress.percent) == ("export", 100)
    assert "3 rows left out" in capsys.readouterr().out


def test_attempts_are_counted_on_the_volume(supervise: Supervise) -> None:
    program = "report('load', gpuSeconds=order['gpuSeconds'] + 1.5); os._exit(3)"
    reports = [supervise(program).progress for _ in range(3)]
    assert [(report.attempt, report.gpu_seconds) for report in reports if report] == [(1, 1.5), (2, 3.0), (3, 4.5)]


def test_every_attempt_is_noted_also_one_that_could_say_nothing(supervise: Supervise, options: Options) -> None:
    """The supervisor of the second is gone with its worker: all that is left of it is its last report."""
    supervise("report('reinforce'); os._exit(3)")
    kept = Progress.model_validate_json((options.output / "progress.json").read_text())
    lost_one = kept.model_copy(update={"attempt": 2})
    (options.output / "progress.json").write_text(lost_one.model_dump_json(by_alias=True, exclude_none=True))
    supervise("report('export', 100); send(outcome={'exitCode': 0, 'reason': 'Completed', 'message': 'done'})")
    noted = [(each.attempt, each.reason, each.message) for each in attempts.read(RunFolder(options.output))]
    assert [reason for _, reason, _ in noted] == ["TrainerCrashed", None, "Completed"]
    assert noted[1] == (2, None, attempts.NO_WORD)


def test_half_a_line_is_no_message(supervise: Supervise) -> None:
    outcome = supervise("report('reinforce'); os.write(order['channel'], b'{\"progress\"'); os._exit(3)")
    assert outcome.exit_code == 3
    assert outcome.progress is not None
    assert outcome.progress.stage == "reinforce"


def test_nonsense_ends_the_worker_and_is_no_hang(supervise: Supervise, monkeypatch: pytest.MonkeyPatch) -> None:
    assert supervise("os.write(order['channel'], b'nonsense\\n'); time.sleep(600)").reason == "InternalError"
    monkeypatch.setattr(channel, "LINE_LIMIT", 1000)
    outcome = supervise("os.write(order['channel'], b'x' * 2000); time.sleep(600)")
    assert "longer than 1000 bytes" in outcome.message


def test_what_a_worker_leaves_behind_ends_with_it(supervise: Supervise, tmp_path: Path) -> None:
    """Processes of an engine, which hold the GPU and the pipes."""
    outcome = supervise(
        "import subprocess\n"
        "left = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "send(outcome={'exitCode': 0, 'reason': 'Completed', 'message': str(left.pid)}); os._exit(0)"
    )
    eventually(lambda: not is_alive(int(outcome.message)), "the end of what was left")


def test_a_worker_that_does_not_stop_is_ended_when_patience_ends(
    supervise: Supervise, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In native code that holds Python's lock not even a timer of its own would run."""
    monkeypatch.setattr(interruption, "PATIENCE", 0.2)
    outcome = supervise(
        "signal.signal(signal.SIGTERM, signal.SIG_IGN); report('reinforce')\n"
        "os.kill(os.getppid(), signal.SIGTERM); time.sleep(600)"
    )
    assert (outcome.exit_code, outcome.reason) == (ExitCode.INTERRUPTED, "Interrupted")


def test_a_second_ctrl_c_ends_the_worker_at_once(supervise: Supervise) -> None:
    outcome = supervise(
        "def again(number, frame): os.kill(os.getppid(), signal.SIGINT); time.sleep(600)\n"
        "signal.signal(signal.SIGTERM, again); os.kill(os.getppid(), signal.SIGINT); time.sleep(600)"
    )
    assert outcome.exit_code == ExitCode.INTERRUPTED


def test_a_worker_that_is_told_to_stop_before_it_listens_is_interrupted(supervise: Supervise) -> None:
    assert supervise("os.kill(os.getppid(), signal.SIGTERM); time.sleep(600)").exit_code == ExitCode.INTERRUPTED


SUPERVISOR = """
import ctypes, sys
from pathlib import Path
from reasoning_trainer import command_line
from reasoning_trainer.supervisor import process
PR_SET_CHILD_SUBREAPER = 36
ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
process.COMMAND = (sys.executable, "-c", sys.argv.pop(1))
sys.exit(command_line.main())
"""


@pytest.fixture
def start(options: Options) -> Iterator[Callable[[str], subprocess.Popen[bytes]]]:
    """Starts a supervisor in a process of its own, which gets the orphans below it, as process 1 does."""
    started: list[subprocess.Popen[bytes]] = []

    def started_with(program: str) -> subprocess.Popen[bytes]:
        arguments = ["run", options.job, "--output", options.output, "--termination-log", options.termination_log]
        environment = os.environ | {"PYTHONPATH": str(Path(reasoning_trainer.__file__).parents[1])}
        command = [sys.executable, "-c", SUPERVISOR, program, *map(str, arguments)]
        started.append(subprocess.Popen(command, env=environment))
        return started[-1]

    yield started_with
    for supervisor in started:
        supervisor.terminate()  # which is handed on
        supervisor.wait(DEADLINE)


def test_orphans_are_reaped(start: Callable[[str], subprocess.Popen[bytes]], tmp_path: Path) -> None:
    """As process 1 of a container the supervisor gets them: they would stay as zombies, each with an entry."""
    orphan = tmp_path / "orphan"
    supervisor = start(
        BEGINNING + "if os.fork() == 0:\n"
        "    if os.fork() == 0: os.execvp('sleep', ['sleep', '0'])\n"
        "    os._exit(0)\n"
        "os.wait()\n"
        f"open('{orphan}.part', 'w').write(str(os.getpid())); os.rename('{orphan}.part', '{orphan}')\n"
        "time.sleep(600)"
    )
    worker = int(eventually(lambda: orphan.exists() and orphan.read_text(), "the worker", DEADLINE))
    eventually(lambda: children(supervisor.pid) == [worker], lambda: f"one child of {children(supervisor.pid)}")


def test_the_run_stays_locked_while_a_worker_outlives_its_supervisor(
    start: Callable[[str], subprocess.Popen[bytes]], supervise: Supervise, tmp_path: Path
) -> None:
    started = tmp_path / "started"
    supervisor = start(
        BEGINNING + f"open('{started}.part', 'w').write(str(os.getpid())); os.rename('{started}.part', '{started}')\n"
        "time.sleep(600)"
    )
    worker = int(eventually(lambda: started.exists() and started.read_text(), "the worker", DEADLINE))
    supervisor.kill()
    supervisor.wait()
    assert supervise("").reason == "RunFolderBusy"
    os.kill(worker, signal.SIGKILL)
    eventually(lambda: not is_alive(worker), "its end")
    assert supervise("").reason == "TrainerCrashed"


def test_a_worker_dies_with_its_supervisor(start: Callable[[str], subprocess.Popen[bytes]], tmp_path: Path) -> None:
    started = tmp_path / "started"
    supervisor = start(
        "import os, time; from pathlib import Path; from reasoning_trainer import worker\n"
        "def work(*given):\n"
        f"    Path('{started}.part').write_text(str(os.getpid())); os.rename('{started}.part', '{started}')\n"
        "    time.sleep(600)\n"
        "worker.work = work; worker.main()"
    )
    pid = int(eventually(lambda: started.exists() and started.read_text(), "the worker", DEADLINE))
    supervisor.kill()
    supervisor.wait()
    eventually(lambda: not is_alive(pid), "the worker's end")


def children(pid: int) -> list[int]:
    """Return a process's children, zombies included."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(each) for each in text.split()]


def is_alive(pid: int) -> bool:
    """Whether a process runs: one that waits to be reaped does not."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


ANSWERS = "import faulthandler; faulthandler.register(signal.SIGUSR2, file=order['calls'], all_threads=True)\n"
"""What a worker does first: `calls.answer`, of which a stand-in has no package."""
HANGS = "def in_a_kernel(): time.sleep(600)\ndef step(): in_a_kernel()\n"


@pytest.fixture
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has the clock of whoever watches for stalls run a hundred times as fast: a minute is the shortest timeout."""
    monkeypatch.setattr(stall, "clock", lambda: time.monotonic() * 100)
    monkeypatch.setattr(stall, "GLANCE_SECONDS", 0.02)


def stalls(options: Options, **settings: Any) -> None:
    guards = {"stall": {"timeoutSeconds": 200} | settings}
    options.job.write_text(json.dumps({"kind": "ReasoningTrainingJob", "spec": SPEC | {"guards": guards}}))


def test_a_worker_that_hangs_is_ended_with_the_place_where_it_hangs(
    supervise: Supervise, options: Options, in_a_hurry: None, capsys: pytest.CaptureFixture[str]
) -> None:
    stalls(options)
    outcome = supervise(ANSWERS + HANGS + "report('reinforce'); step()")
    assert (outcome.exit_code, outcome.reason) == (ExitCode.TRANSIENT, "Stalled")
    assert re.match(
        r"no progress for \d+ s in stage reinforce, 5%; guards.stall.timeoutSeconds allows 200; it hangs in "
        r"in_a_kernel \(<string>:\d+\) < step \(<string>:\d+\) < <module>",
        outcome.message,
    )
    assert "another attempt goes on from the last checkpoint" in outcome.hint
    assert outcome.progress is not None
    assert outcome.progress.guards is not None
    told = {each.condition: each for each in outcome.progress.guards}["Progressing"]
    assert (told.ok, told.reason) == (False, "Stalled")
    assert "Current thread" in capsys.readouterr().err


def test_a_worker_that_cannot_answer_is_ended_all_the_same(
    supervise: Supervise, options: Options, in_a_hurry: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it still starts: the question does not end it."""
    stalls(options)
    monkeypatch.setattr(calls, "WAIT_SECONDS", 0.2)
    monkeypatch.setattr(calls, "GLANCE_SECONDS", 0.02)
    outcome = supervise("time.sleep(600)")
    assert (outcome.exit_code, outcome.reason) == (ExitCode.TRANSIENT, "Stalled")
    assert "in stage load, starting; " in outcome.message
    assert "it hangs in a place that it does not tell" in outcome.message


def test_a_report_that_says_what_the_last_one_said_is_no_progress(
    supervise: Supervise, options: Options, in_a_hurry: None
) -> None:
    stalls(options)
    outcome = supervise(
        ANSWERS + "for spent in range(6000):\n"
        "    report('reinforce', gpuSeconds=spent, memory={'peakGiB': spent, 'limitGiB': 9}); time.sleep(0.1)"
    )
    assert outcome.reason == "Stalled"


def test_a_run_that_goes_on_is_left_alone(supervise: Supervise, options: Options, in_a_hurry: None) -> None:
    """Twice as long as the timeout, with something new in each twentieth of it."""
    stalls(options, timeoutSeconds=400)
    outcome = supervise(
        "for percent in range(40): report('reinforce', percent); time.sleep(0.2)\n"
        "send(outcome={'exitCode': 0, 'reason': 'Completed', 'message': 'done'})"
    )
    assert outcome.exit_code == 0
    assert outcome.progress is not None
    assert outcome.progress.guards is None


def test_a_stall_that_is_warned_of_ends_no_run_and_passes(
    supervise: Supervise, options: Options, in_a_hurry: None, capsys: pytest.CaptureFixture[str]
) -> None:
    stalls(options, action="warn")
    outcome = supervise(
        ANSWERS + "report('reinforce')\nwhile not os.stat(order['calls']).st_size: time.sleep(0.02)\n"
        "time.sleep(2); report('reinforce', 6); time.sleep(1)\n"
        "send(outcome={'exitCode': 0, 'reason': 'Completed', 'message': 'done'})"
    )
    assert outcome.exit_code == 0
    assert capsys.readouterr().out.count("warning: no progress for") == 1
    assert outcome.progress is not None
    assert outcome.progress.guards is not None
    [told] = outcome.progress.guards
    assert (told.ok, told.reason) == (True, "WithinBounds")
    assert re.match(r"the run went on after \d+ s without progress", told.message)


class FakeHungVolume:
    """A fake: a pipe stands where a file is to be written, and whoever opens it to write waits for a reader."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True)
        os.mkfifo(path)
        self._path = path

    def answer(self) -> None:
        """Let go whoever waits."""
        os.close(os.open(self._path, os.O_RDONLY | os.O_NONBLOCK))


@pytest.fixture
def hang(options: Options, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Has the volume hang as soon as a file of the run is written."""
    monkeypatch.setattr(volume_writer, "PATIENCE_SECONDS", 0.5)
    hung: list[FakeHungVolume] = []
    yield lambda name: hung.append(FakeHungVolume(options.output / f".{name}.partial"))
    for each in hung:
        each.answer()


@pytest.mark.parametrize("name", ["report.html", "progress.json"])
def test_a_worker_that_hangs_is_ended_where_the_volume_hangs_too(
    supervise: Supervise, options: Options, in_a_hurry: None, hang: Callable[[str], None], name: str
) -> None:
    """What stops the one stops the other: neither the watch nor the last word waits for the volume."""
    stalls(options)
    hang(name)
    outcome = supervise(ANSWERS + HANGS + "report('reinforce'); step()")
    assert (outcome.exit_code, outcome.reason) == (ExitCode.TRANSIENT, "Stalled")
    assert "in stage reinforce" in outcome.message


def test_a_run_whose_end_cannot_be_kept_is_tried_again(supervise: Supervise, hang: Callable[[str], None]) -> None:
    hang("progress.json")
    outcome = supervise("report('export'); send(outcome={'exitCode': 0, 'reason': 'Completed', 'message': 'done'})")
    assert (outcome.exit_code, outcome.reason) == (ExitCode.TRANSIENT, "VolumeHangs")


def test_no_stall_is_looked_for_where_that_is_switched_off(
    supervise: Supervise, options: Options, in_a_hurry: None
) -> None:
    stalls(options, action="off")
    outcome = supervise("time.sleep(4); send(outcome={'exitCode': 0, 'reason': 'Completed', 'message': 'done'})")
    assert outcome.exit_code == 0


def test_after_a_stall_the_next_attempt_goes_on(supervise: Supervise, options: Options, in_a_hurry: None) -> None:
    stalls(options)
    program = (
        ANSWERS + HANGS + "report('reinforce')\n"
        "if order['attempt'] == 1: step()\n"
        "send(outcome={'exitCode': 0, 'reason': 'Completed', 'message': 'done'})"
    )
    assert [supervise(program).reason for _ in range(2)] == ["Stalled", "Completed"]


def test_a_worker_tells_its_calls_while_native_code_holds_pythons_lock(tmp_path: Path) -> None:
    """By the same two functions as in a run; `re` holds the lock for as long as it backtracks."""
    asked = calls.Calls()
    program = (
        "import re; from reasoning_trainer.supervisor import calls\n"
        f"calls.answer({asked.descriptor})\n"
        "def backtrack(): re.match('(a*)*b', 'a' * 64)\n"
        "print('ready', flush=True); backtrack()"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(reasoning_trainer.__file__).parents[1])}
    with subprocess.Popen(
        [sys.executable, "-c", program],
        env=environment,
        stdout=subprocess.PIPE,
        pass_fds=[asked.descriptor],
    ) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"ready\n"
        told = eventually(lambda: tells_of("backtrack", asked.ask(worker.pid)), "its calls", DEADLINE)
        worker.kill()
    asked.close()
    assert "backtrack (<string>:3) < <module> (<string>:4)" in calls.innermost(told)


def tells_of(name: str, text: str) -> str:
    """Return a text if it has a name in it."""
    return text if name in text else ""
