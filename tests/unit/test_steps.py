"""What setting up shows: a line a step, a log a step, and the end of the log of the one that failed."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from hack import steps
from hack.steps import Step

ROOT = Path(__file__).parents[2]
BESIDE = Step("kubernetes", "Kubernetes", 300, beside=True)
FIRST, SECOND = Step("first", "the first", 100), Step("second", "the second", 50)
MAKE = """#!/bin/sh
[ "$2" = sleeps ] && { echo $$; exec sleep 1000; }
[ "$2" = fails ] && { seq 1000; exit 2; }
echo "$2 is at work"
echo "localcluster: freed $2"
"""
LAST = Step("last", "the last", 10, needs=("kubernetes",))


class Terminal(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run steps as a fake make does them: `fails` with many lines, the others with their name."""
    program = tmp_path / "bin/make"
    program.parent.mkdir()
    program.write_text(MAKE)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    logs = tmp_path / "a folder/logs"

    def run(*targets: str, out: io.StringIO):
        taken = [Step(target, f"step {target}", 60, beside=target in ("beside", "sleeps")) for target in targets]
        well = steps.Work(taken, logs, steps.Screen(out)).run()
        return well, out.getvalue()

    run.logs = logs
    return run


def test_steps_are_said_with_their_time_and_leave_a_log_each(run):
    well, said = run("beside", "one", "two", out=io.StringIO())
    assert well
    for target in ("beside", "one", "two"):
        assert re.search(rf"^done  step {target}  \d s", said, re.MULTILINE)
        assert (run.logs / f"{target}.log").read_text().startswith(f"{target} is at work\n")
        assert f"localcluster: freed {target}\n" in said
    assert "is at work" not in said
    assert "up to 1 min left" in said


@pytest.mark.parametrize("targets", [("one", "fails", "two"), ("fails", "two"), ("beside", "fails")])
def test_a_step_that_fails_shows_the_end_of_its_log_and_where_it_is(run, targets):
    well, said = run(*targets, out=io.StringIO())
    assert not well
    assert "failed  step fails" in said
    assert re.findall(r"^    (\d+)$", said, re.MULTILINE) == [str(n) for n in range(981, 1001)]
    assert f"The whole log: {run.logs}/fails.log" in said
    assert "done  step two" not in said


def test_what_runs_beside_ends_with_the_step_that_fails(run):
    assert not run("sleeps", "fails", out=io.StringIO())[0]
    pid = (run.logs / "sleeps.log").read_text().strip()
    assert not pid or not Path("/proc", pid).exists()


def test_colours_are_for_a_terminal(run):
    assert "\033" not in run("one", "fails", out=io.StringIO())[1]
    said = run("one", out=Terminal())[1]
    assert f"{steps.GREEN}done{steps.PLAIN}  step one" in said


def test_what_runs_beside_counts_only_as_far_as_it_is_waited_for():
    plan = [BESIDE, FIRST, SECOND, LAST]
    assert steps.time_left(plan, {}, set()) == 300 + 10
    assert steps.time_left(plan, {"kubernetes": 250, "first": 20}, set()) == 80 + 50 + 10
    assert steps.time_left(plan, {"kubernetes": 300, "first": 500}, {"kubernetes"}) == 50 + 10
    assert steps.time_left(plan, {}, {step.target for step in plan}) == 0
    assert steps.time_left([BESIDE], {}, set()) == 300


TAKERS = [
    Step("kubernetes", "Kubernetes: from source", 1, gib=4, made="bin/kubernetes-*"),
    Step("tools", "the tools", 1),
    Step("libraries", "the libraries", 1, gib=12.5, made="localhost/trainer:libraries"),
]


@pytest.fixture
def state(tmp_path):
    """A state folder."""
    (tmp_path / "bin").mkdir()
    (tmp_path / steps.IMAGES).parent.mkdir(parents=True)
    return tmp_path


def test_the_room_is_said_before_anything_begins(state):
    out = io.StringIO()
    assert steps.has_room(TAKERS, state, steps.Screen(out), free=lambda _: 16.5)
    told = f"up to 16.5 GiB of disk are taken, 16.5 are free in {state} (4.0 for Kubernetes, 12.5 for the libraries)\n"
    assert out.getvalue() == told


def test_too_little_room_ends_it_with_the_way_out(state):
    out = io.StringIO()
    assert not steps.has_room(TAKERS, state, steps.Screen(out), free=lambda _: 16.4)
    assert "nothing was begun: make room, or set STATE_DIR to a folder on a larger disk" in out.getvalue()


def test_what_is_there_needs_no_room(state):
    (state / "bin/kubernetes-abc").mkdir()
    (state / steps.IMAGES).write_text('[{"id": "1", "names": ["localhost/trainer:libraries"]}]')
    out = io.StringIO()
    assert steps.has_room(TAKERS, state, steps.Screen(out), free=lambda _: 0.0)
    assert out.getvalue() == ""


def test_an_image_of_a_longer_name_is_another(state):
    (state / steps.IMAGES).write_text('[{"id": "1", "names": ["localhost/trainer:libraries-2"]}]')
    assert not steps.is_made(TAKERS[2], state)


def test_images_that_take_room_are_those_that_the_makefile_builds():
    text = (ROOT / "Makefile").read_text("utf-8")
    names = dict(re.findall(r"^(\w+_IMAGE) := (\S+)$", text, re.MULTILINE))
    libraries = f"{names['TRAINER_IMAGE']}-libraries"
    assert {step.made for step in steps.STEPS.values() if step.made.startswith("localhost/")} == {
        names["OPERATOR_IMAGE"],
        libraries,
    }


@pytest.mark.parametrize(("seconds", "said"), [(0.4, "0 s"), (59.6, "1 min"), (95, "1 min 35 s"), (3600, "60 min")])
def test_a_time_is_said_in_minutes_and_seconds(seconds, said):
    assert steps.duration(seconds) == said


def test_every_step_is_a_target_of_the_makefile_and_needs_steps():
    words = set(re.findall(r"[\w-]+", (ROOT / "Makefile").read_text("utf-8")))
    assert set(steps.STEPS) <= words
    assert {need for step in steps.STEPS.values() for need in step.needs} <= set(steps.STEPS)
