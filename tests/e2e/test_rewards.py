"""Python rewards in real pods: the box beside the trainer scores, says what is wrong with the code, and keeps it in."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.e2e.jobs import Namespace

GOOD = """
import re

def score(prompts, completions, answer, **columns):
    found = [re.search("<answer>(.*?)</answer>", each[0]["content"], re.DOTALL) for each in completions]
    return [float(bool(each) and each[1].strip() == right) for each, right in zip(found, answer)]
"""
BROKEN = """
def score(prompts, completions, **columns):
    return [len(each) for each in compeltions]
"""
CURIOUS = """
import os, socket

API = (os.environ.get("KUBERNETES_SERVICE_HOST", "10.96.0.1"), 443)

def reached(look):
    try:
        return bool(look())
    except OSError:
        return False

LOOKS = {
    "the volume": lambda: os.listdir("/output"),
    "the spec": lambda: open("/etc/reasoning-trainer/job.json").read(),
    "the API server": lambda: socket.create_connection(API, 2),
    "the trainer's port": lambda: socket.create_connection(("127.0.0.1", 9464), 2),
    "a process": lambda: os.listdir("/proc/1/fd"),
    "a token": lambda: os.listdir("/var/run/secrets/kubernetes.io"),
}

def score(prompts, completions, **columns):
    through = [name for name, look in LOOKS.items() if reached(look)]
    if through:
        raise ValueError(f"reached {through}")
    return [float(len(each[0]["content"])) for each in completions]
"""


def python(source: str) -> list[dict[str, Any]]:
    return [{"name": "mine", "python": {"source": source}}, {"name": "format", "builtin": "format"}]


@pytest.mark.timeout(400)
def test_a_python_reward_scores_in_its_box(namespace: Namespace) -> None:
    namespace.apply("scored", rewards=python(GOOD))
    done = namespace.wait("scored", lambda status: status.get("phase") == "Succeeded", seconds=300)
    assert "mine" in done["training"]["rewards"]
    assert not done["training"].get("unscored")
    pods = json.loads(namespace.kubectl("get", "pods", "-l", "reasoning-operator.io/job=scored", "-o", "json"))["items"]
    (box,) = pods[-1]["spec"]["initContainers"]
    assert box["restartPolicy"] == "Always"
    assert pods[-1]["status"]["phase"] == "Succeeded", "the box does not keep the pod alive"


@pytest.mark.timeout(400)
def test_code_that_cannot_score_ends_the_job_with_its_line(namespace: Namespace) -> None:
    namespace.apply("broken", rewards=python(BROKEN))
    failure = namespace.wait_for_failure("broken", seconds=300)["failure"]
    assert "compeltions" in failure["message"]
    assert "line 3" in failure["message"]
    assert failure["hint"]


@pytest.mark.timeout(400)
def test_code_in_the_box_reaches_nothing_of_the_pod(namespace: Namespace) -> None:
    namespace.apply("curious", rewards=python(CURIOUS))
    done = namespace.wait("curious", lambda status: status.get("phase") == "Succeeded", seconds=300)
    assert done["training"]["rewards"]["mine"] > 0
    assert not done["training"].get("unscored")
